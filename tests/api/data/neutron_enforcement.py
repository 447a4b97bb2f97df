#!/usr/bin/env python3
"""Print which of Neutron's default policy rules allow whom what, as JSON.

Asks Neutron's own enforcer, without a server or a database. Needs the packages
neutron, neutron-fwaas and neutron-vpnaas (29, 25 and 29 were used):

    python3 neutron_enforcement.py > neutron-enforcement.json

A rule's answers are a text of `1` and `0`: for each caller, in order, one for
each target by name. Rules with the same answers stand together.
"""

import importlib
import json
import pkgutil
import sys

from neutron.common import config
from neutron_lib import context
from neutron_lib.api import attributes, definitions
from oslo_config import cfg

OWN, OTHER, THIRD = "p-own", "p-other", "p-third"

# Roles as Keystone lists them, implied ones too; and the project.
CALLERS = {
    "admin": (["admin", "manager", "member", "reader"], OWN),
    "manager": (["manager", "member", "reader"], OWN),
    "member": (["member", "reader"], OWN),
    "reader": (["reader"], OWN),
    "other member": (["member", "reader"], OTHER),
    "service": (["service"], OWN),
    "advanced service": (["advsvc"], OWN),
    "nobody": ([], OWN),
}


def target(project=THIRD, parent=THIRD, **more):
    found = {
        "project_id": project,
        "network:project_id": parent,
        "security_group:project_id": parent,
        "ext_parent:project_id": parent,
        "shared": False,
        "router:external": False,
        "device_owner": "",
        "belongs_to_default_sg": False,
        "target_project": OTHER,
        "target_tenant": OTHER,
    }
    found.update({name.replace("__", ":"): value for name, value in more.items()})
    return found


TARGETS = {
    "own": target(OWN),
    "of an own parent": target(parent=OWN),
    "own, of an own parent": target(OWN, OWN),
    "foreign": target(),
    "foreign, shared": target(shared=True),
    "foreign, external": target(router__external=True),
    "own, of a network device": target(OWN, device_owner="network:dhcp"),
    "own, of a compute device": target(OWN, device_owner="compute:nova"),
    "own, of a baremetal device, of an own parent": target(OWN, OWN, device_owner="baremetal:x"),
    "own, for everybody": target(OWN, target_project="*", target_tenant="*"),
}


def know_all_attributes():
    """What a server with every extension knows: values in rules are converted by it."""
    for module in pkgutil.iter_modules(definitions.__path__, definitions.__name__ + "."):
        found = getattr(importlib.import_module(module.name), "RESOURCE_ATTRIBUTE_MAP", None)
        for resource, attribute_map in (found or {}).items():
            attributes.RESOURCES.setdefault(resource, {}).update(attribute_map)


def main():
    know_all_attributes()
    config.register_common_config_options()
    cfg.CONF([], project="neutron", default_config_files=[], default_config_dirs=[])
    from neutron import policy

    policy.init(cfg.CONF)
    enforcer = policy._ENFORCER
    callers = [context.Context(user_id="u", project_id=p, roles=list(r)) for r, p in CALLERS.values()]
    credentials = [caller.to_policy_values() for caller in callers]
    answers = {}
    for rule in sorted(enforcer.registered_rules):
        bits = [
            "1" if enforcer.enforce(rule, dict(found), held) else "0"
            for held in credentials
            for _, found in sorted(TARGETS.items())
        ]
        answers.setdefault("".join(bits), []).append(rule)
    table = {
        "callers": [{"name": n, "roles": r, "project_id": p} for n, (r, p) in CALLERS.items()],
        "targets": TARGETS,
        "standing": [
            {"is_admin": c.is_admin, "has_global_access": c.has_global_access, "can_set_project_id": c.can_set_project_id}
            for c in callers
        ],
        "answers": answers,
    }
    json.dump(table, sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
