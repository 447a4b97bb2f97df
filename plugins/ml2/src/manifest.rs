//! What ML2 tells the host about itself.

use crate::{
    address_groups, address_scopes, agents, bindings, default_security_group_rules, default_statefulness,
    dhcp, dns, dvr, ip_availability, networks, objects, policy, ports, rpc, security_group_rules,
    security_groups, segment_ranges, segments, sharing, subnetpools, subnets, ticks, tunnels, zones,
};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{ApiExtension, ConfigKey, Requests};
use hadron_sdk::serde_json::{Value, json};

/// Title, alias, description and date of an extension of the API that is whole,
/// as Neutron lists it; what holds for every resource (lists, revisions, times,
/// tags) is the host's to list.
pub(crate) type Extension = (&'static str, &'static str, &'static str, &'static str);

const EXTENSIONS: &[Extension] = &[
    (
        "Port Binding",
        "binding",
        "Expose port bindings of a virtual port to external application",
        "2014-02-03T10:00:00-00:00",
    ),
    (
        "Neutron external network",
        "external-net",
        "Adds external network attribute to network resource.",
        "2013-01-14T10:00:00-00:00",
    ),
    (
        "IP address substring filtering",
        "ip-substring-filtering",
        "Provides IP address substring filtering when listing ports",
        "2017-11-28T09:00:00-00:00",
    ),
    ("Network MTU", "net-mtu", "Provides MTU attribute for a network resource.", "2015-03-25T10:00:00-00:00"),
    (
        "Network MTU (writable)",
        "net-mtu-writable",
        "Provides a writable MTU attribute for a network resource.",
        "2017-07-12T00:00:00-00:00",
    ),
    (
        "Neutron Port MAC address regenerate",
        "port-mac-address-regenerate",
        "Network port MAC address regenerate",
        "2018-05-03T10:00:00-00:00",
    ),
    (
        "Provider Network",
        "provider",
        "Expose mapping of virtual networks to physical networks",
        "2012-09-07T10:00:00-00:00",
    ),
    (
        "Subnet belongs to an external network",
        "subnet-external-network",
        "Informs if the subnet belongs to an external network",
        "2024-02-05T18:00:00-00:00",
    ),
    (
        "Tag Ports During Bulk Creation",
        "tag-ports-during-bulk-creation",
        "Allow to tag ports during bulk creation",
        "2019-12-29T19:00:00-00:00",
    ),
];

/// The extensions of all resources.
fn extensions() -> impl Iterator<Item = &'static Extension> {
    let of_resources = [
        address_scopes::EXTENSIONS,
        subnetpools::EXTENSIONS,
        dns::EXTENSIONS,
        bindings::EXTENSIONS,
        ports::EXTENSIONS,
        subnets::EXTENSIONS,
        agents::EXTENSIONS,
        zones::EXTENSIONS,
        dhcp::EXTENSION,
        security_groups::EXTENSIONS,
        default_security_group_rules::EXTENSIONS,
        default_statefulness::EXTENSIONS,
        address_groups::EXTENSIONS,
        ports::SECURITY_EXTENSIONS,
        segments::EXTENSIONS,
        segment_ranges::EXTENSIONS,
        ip_availability::EXTENSIONS,
    ];
    EXTENSIONS.iter().chain(of_resources.into_iter().chain(ports::ASPECTS.iter().copied()).flatten())
}

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        // A bulk of some thousand ports is held whole, with what it was made of.
        requests: Requests { memory_mib: 256, ..Requests::default() },
        collections: [
            networks::collection(),
            subnets::collection(),
            ports::collection(),
            address_scopes::collection(),
            subnetpools::collection(),
            bindings::collection(),
            security_groups::collection(),
            security_group_rules::collection(),
            default_security_group_rules::collection(),
            default_security_group_rules::seeded(),
            default_statefulness::collection(),
            address_groups::collection(),
            segments::collection(),
            segment_ranges::collection(),
            ip_availability::collection(),
            zones::collection(),
            dhcp::collection(),
            tunnels::collection(),
            dvr::collection(),
        ]
        .into_iter()
        .chain(agents::collections())
        .collect(),
        topics: rpc::topics(),
        ticks: ticks::all(),
        extensions: extensions()
            .map(|(name, alias, description, updated)| ApiExtension {
                name: (*name).to_owned(),
                alias: (*alias).to_owned(),
                description: (*description).to_owned(),
                updated: (*updated).to_owned(),
            })
            .collect(),
        policy: policy::rules(),
        start: true,
        events: std::iter::once(sharing::subscription()).chain(objects::subscriptions()).collect(),
        config: [
            key(
                "tenant_network_types",
                "network types of networks that are made without provider attributes, in order of preference",
                json!(["vxlan"]),
            ),
            key(
                segments::EXTERNAL_TYPE,
                "network type of external networks that are made without provider attributes; empty for that of other networks",
                json!(""),
            ),
            key(
                "global_physnet_mtu",
                "MTU of networks whose type has no limit of its own, bytes",
                json!(1500),
            ),
            key(
                "base_mac",
                "first three octets of generated MAC addresses, or four where the fourth is not 00",
                json!("fa:16:3e:00:00:00"),
            ),
            key(
                dns::CONFIG,
                "domain of ports' names, a fully qualified name; with the default ports have no names of their own",
                json!(dns::UNSET),
            ),
            key(
                "ipv6_pd_enabled",
                "whether IPv6 subnets from the default subnet pool wait for a prefix that is delegated to a router",
                json!(false),
            ),
            key("max_allowed_address_pair", "most allowed address pairs of a port", json!(10)),
        ]
        .into_iter()
        .chain(agents::config())
        .chain(dhcp::config())
        .chain(dvr::config())
        .collect(),
        ..hadron_sdk::manifest!("ml2", "networks, subnets and ports over layer-2 drivers")
    }
}

fn key(name: &str, description: &str, default: Value) -> ConfigKey {
    ConfigKey { name: name.to_owned(), description: description.to_owned(), default }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        let problems = hadron_sdk::manifest::check(&manifest());
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn every_attribute_rule_is_about_an_attribute_that_is_guarded() {
        let manifest = manifest();
        for rule in manifest.policy.keys() {
            let Some((verb_and_member, attribute)) = rule.split_once(':') else { continue };
            let member = verb_and_member.split_once('_').unwrap().1;
            let collection = manifest.collections.iter().find(|c| c.member == member).unwrap();
            let name = ["fixed_ips", "allowed_address_pairs"]
                .into_iter()
                .find(|list| attribute.strip_prefix(list).is_some_and(|rest| rest.starts_with(':')))
                .unwrap_or(attribute);
            let attributes: Vec<_> = collection.attributes.iter().cloned().chain(collection.kept()).collect();
            assert!(attributes.iter().any(|a| a.name == name && a.enforce), "{rule}");
        }
    }

    #[test]
    fn aliases_are_named_once() {
        let mut aliases: Vec<&str> = extensions().map(|(_, alias, ..)| *alias).collect();
        aliases.sort_unstable();
        aliases.dedup();
        assert_eq!(aliases.len(), extensions().count());
        assert!(!aliases.contains(&""));
    }
}
