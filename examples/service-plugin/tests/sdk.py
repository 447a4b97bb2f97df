"""The real openstacksdk with a resource it has never heard of.

Arguments: the server's URL, the id of a network.
"""

import sys

import openstack
from openstack import resource


class Gadget(resource.Resource):
    resource_key = "gadget"
    resources_key = "gadgets"
    base_path = "/gadgets"
    allow_create = allow_fetch = allow_commit = allow_delete = allow_list = True

    network_id = resource.Body("network_id")
    colour = resource.Body("colour")
    parts = resource.Body("parts", type=list)
    weight = resource.Body("weight", type=int)

    _query_mapping = resource.QueryParameters("colour", "name")


def main(url, network):
    cloud = openstack.connect(auth_type="none", endpoint=url)
    aliases = {extension.alias for extension in cloud.network.extensions()}
    assert "acme-gadgets" in aliases, aliases
    made = Gadget.new(name="from the sdk", network_id=network, colour="blue").create(cloud.network)
    assert made.weight == 0 and made.parts == [], made
    found = list(Gadget.list(cloud.network, colour="blue"))
    assert [gadget.id for gadget in found] == [made.id], found
    assert not list(Gadget.list(cloud.network, colour="red"))
    made.colour = "red"
    made.commit(cloud.network)
    assert Gadget.existing(id=made.id).fetch(cloud.network).colour == "red"
    made.delete(cloud.network)
    # Plain calls of the proxy, as tools without a class for it make them.
    answer = cloud.network.get("/gadgets/" + made.id)
    assert answer.status_code == 404, answer.status_code
    assert answer.json()["NeutronError"]["type"] == "GadgetNotFound", answer.text
    print("ok")


main(*sys.argv[1:])
