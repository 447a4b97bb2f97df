"""Leads schemathesis to where something is.

An id or an address that is made up is refused at the door, and what lies behind
is never tried. So most requests are given ids of rows that were made
before, and values that go together. Only what is valid in itself is replaced: a
request that is invalid on purpose stays so, and is refused for nothing else.
"""

import ipaddress
import random
import re

import schemathesis
from schemathesis.core.parameters import ParameterLocation

CHOICE = random.Random(7)
# Rows kept of each resource: enough to choose from.
KEPT = 40

# A member that is left out.
NOT = object()


def is_text(value):
    return isinstance(value, str) and len(value) < 16


def is_uuid(value):
    return isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}", value)


def is_address(value):
    try:
        return value is None or bool(ipaddress.ip_address(value)) and isinstance(value, str)
    except ValueError:
        return False


def is_range(value):
    try:
        return isinstance(value, str) and bool(ipaddress.ip_interface(value))
    except ValueError:
        return False


def is_octets(value):
    return value is None or isinstance(value, str) and re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", value)


# Of members of these names, which values are valid in themselves, and better ones.
PLAUSIBLE = {
    "tenant_id": (is_text, lambda: NOT),
    "mac_address": (is_octets, lambda: "fa:16:3e:" + ":".join(f"{CHOICE.randrange(256):02x}" for _ in range(3))),
    "gateway_ip": (is_address, lambda: CHOICE.choice([None, NOT])),
    "ip_address": (is_address, lambda: f"10.{CHOICE.randrange(8)}.0.{CHOICE.randrange(256)}"),
    "start": (is_address, lambda: f"10.{CHOICE.randrange(8)}.0.{CHOICE.randrange(2, 100)}"),
    "end": (is_address, lambda: f"10.{CHOICE.randrange(8)}.0.{CHOICE.randrange(100, 255)}"),
    "destination": (is_range, lambda: "192.0.2.0/24"),
    "nexthop": (is_address, lambda: "10.0.0.1"),
    "acme:rack": (is_text, lambda: CHOICE.choice([None, "r7"])),
}
# What goes together, or not at all.
PROVIDER = {
    "provider:network_type": is_text,
    "provider:physical_network": lambda value: value is None or is_text(value),
    "provider:segmentation_id": lambda value: value is None or re.fullmatch(r"\d{1,9}", str(value)),
}
PROVIDERS = [
    {},
    {},
    {"provider:network_type": "vxlan"},
    {"provider:network_type": "vlan", "provider:physical_network": "physnet1"},
]
SUBNETS = [(4, "10.{}.0.0/24"), (4, "10.{}.0.0/28"), (6, "2001:db8:{}::/64")]

rows = {}
references = {}


def class_of(word):
    return "".join(part.capitalize() for part in word.split("_"))


@schemathesis.hook
def after_load_schema(context, schema):
    """Learns which members hold the ids of which resource."""

    def learn(node):
        if isinstance(node, dict):
            for name, member in node.items():
                if isinstance(member, dict):
                    target = member.get("x-hadron-references") or (member.get("items") or {}).get("x-hadron-references")
                    if target:
                        references[name] = target
                learn(member)
        elif isinstance(node, list):
            for member in node:
                learn(member)

    learn(schema.raw_schema.get("components", {}))


def known(target):
    found = rows.get(target)
    return CHOICE.choice(found)["id"] if found else None


def better(name, value):
    """What is put in a member's place."""
    target = references.get(name)
    if target:
        return (known(target) or value) if is_uuid(value) else value
    fits, choose = PLAUSIBLE.get(name, (None, None))
    return choose() if fits and fits(value) else lead(value)


def lead(node):
    """Puts what exists, and what goes together, into a document."""
    if isinstance(node, list):
        return [lead(member) for member in node]
    if not isinstance(node, dict):
        return node
    led = {}
    for name, member in node.items():
        if isinstance(member, list):
            led[name] = [item for item in (better(name, item) for item in member) if item is not NOT]
        elif (chosen := better(name, member)) is not NOT:
            led[name] = chosen
    if any(name in led for name in PROVIDER) and all(fits(led[name]) for name, fits in PROVIDER.items() if name in led):
        led = {name: member for name, member in led.items() if name not in PROVIDER} | CHOICE.choice(PROVIDERS)
    if is_range(led.get("cidr")) and led.get("ip_version") in (4, 6, "4", "6"):
        led["ip_version"], cidr = CHOICE.choice(SUBNETS)
        led["cidr"] = cidr.format(CHOICE.randrange(8))
        for name in ["gateway_ip", "allocation_pools", "ipv6_ra_mode", "ipv6_address_mode"]:
            if led.get(name) in (None, [], "slaac"):
                led.pop(name, None)
    return led


@schemathesis.hook
def before_call(context, case, kwargs):
    modes = {where: part.mode.is_negative for where, part in (case.meta.components if case.meta else {}).items()}
    query = case.query or {}
    # What was only tried is not there, or there still: no way to what exists.
    if case.method in ("POST", "DELETE") and str(query.get("dry_run")).lower() in ("true", "1"):
        del query["dry_run"]
    # A key that was used is refused before anything else is looked at.
    if "Idempotency-Key" in (case.headers or {}) and not modes.get(ParameterLocation.HEADER) and CHOICE.random() < 0.9:
        case.headers["Idempotency-Key"] = f"{CHOICE.getrandbits(64):016x}"
    if CHOICE.random() < 0.2:
        return
    if case.path_parameters and not modes.get(ParameterLocation.PATH):
        words = [name for name in case.path_parameters if name.endswith("_id")]
        found = rows.get(class_of(words[-1][:-3])) if words else None
        if found:
            row = CHOICE.choice(found)
            for name in words:
                case.path_parameters[name] = row.get(name) or known(class_of(name[:-3])) or case.path_parameters[name]
            case.path_parameters[words[-1]] = row["id"]
        elif len(words) > 1:
            case.path_parameters[words[0]] = known(class_of(words[0][:-3])) or case.path_parameters[words[0]]
    if isinstance(case.body, dict):
        case.body = lead(case.body)


@schemathesis.hook
def after_call(context, case, response):
    """Remembers what was made, and forgets what is gone."""
    operation = (case.operation.definition.raw or {}).get("operationId", "")
    verb, _, word = operation.partition("_")
    if verb == "create" and response.status_code == 201:
        body = response.json()
        made = [row for value in body.values() for row in (value if isinstance(value, list) else [value])]
        kept = rows.setdefault(class_of(word), [])
        # What the path names is not always in the answer.
        kept.extend({**(case.path_parameters or {}), **row} for row in made)
        del kept[:-KEPT]
    elif verb == "delete" and response.status_code == 204:
        gone = re.sub(r".*/", "", response.request.url)
        for kept in rows.values():
            kept[:] = [row for row in kept if row["id"] != gone]
