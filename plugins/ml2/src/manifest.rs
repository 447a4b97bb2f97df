//! What ML2 tells the host about itself.

use crate::{agents, networks, policy, ports, segments, subnets};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{ApiExtension, ConfigKey};
use hadron_sdk::serde_json::{Value, json};

/// Title, alias, description and date of each extension of the API that is
/// whole, as Neutron lists them. Those of the host (lists, revisions, times)
/// are named here because Neutron's core plugin names them.
const EXTENSIONS: [(&str, &str, &str, &str); 15] = [
    (
        "Port Binding",
        "binding",
        "Expose port bindings of a virtual port to external application",
        "2014-02-03T10:00:00-00:00",
    ),
    (
        "Empty String Filtering Extension",
        "empty-string-filtering",
        "Allow filtering by attributes with empty string value",
        "2018-05-01T10:00:00-00:00",
    ),
    (
        "Filter parameters validation",
        "filter-validation",
        "Provides validation on filter parameters.",
        "2018-07-04T10:00:00-00:00",
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
        "Pagination support",
        "pagination",
        "Extension that indicates that pagination is enabled.",
        "2016-06-12T00:00:00-00:00",
    ),
    (
        "Neutron Port MAC address regenerate",
        "port-mac-address-regenerate",
        "Network port MAC address regenerate",
        "2018-05-03T10:00:00-00:00",
    ),
    (
        "project_id field enabled",
        "project-id",
        "Extension that indicates that project_id field is enabled.",
        "2016-09-09T09:09:09-09:09",
    ),
    (
        "Provider Network",
        "provider",
        "Expose mapping of virtual networks to physical networks",
        "2012-09-07T10:00:00-00:00",
    ),
    (
        "If-Match constraints based on revision_number",
        "revision-if-match",
        "Extension indicating that If-Match based on revision_number is supported.",
        "2016-12-11T00:00:00-00:00",
    ),
    (
        "Sorting support",
        "sorting",
        "Extension that indicates that sorting is enabled.",
        "2016-06-12T00:00:00-00:00",
    ),
    (
        "standard-attr-description",
        "standard-attr-description",
        "Extension to add descriptions to standard attributes",
        "2016-02-10T10:00:00-00:00",
    ),
    (
        "Resource revision numbers",
        "standard-attr-revisions",
        "This extension will display the revision number of neutron resources.",
        "2016-04-11T10:00:00-00:00",
    ),
    (
        "Resource timestamps",
        "standard-attr-timestamp",
        "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.",
        "2016-09-12T10:00:00-00:00",
    ),
];

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        collections: vec![
            networks::collection(),
            subnets::collection(),
            ports::collection(),
            segments::collection(),
            agents::collection(),
        ],
        extensions: EXTENSIONS
            .iter()
            .map(|(name, alias, description, updated)| ApiExtension {
                name: (*name).to_owned(),
                alias: (*alias).to_owned(),
                description: (*description).to_owned(),
                updated: (*updated).to_owned(),
            })
            .collect(),
        policy: policy::rules(),
        events: vec![networks::subscription()],
        config: vec![
            key(
                "tenant_network_types",
                "network types of networks that are made without provider attributes, in order of preference",
                json!(["vxlan"]),
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
        ],
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
            let name = attribute.strip_prefix("fixed_ips:").map_or(attribute, |_| "fixed_ips");
            assert!(collection.attribute(name).unwrap().enforce, "{rule}");
        }
    }

    #[test]
    fn aliases_are_named_once() {
        let mut aliases: Vec<&str> = EXTENSIONS.iter().map(|(_, alias, ..)| *alias).collect();
        aliases.sort_unstable();
        aliases.dedup();
        assert_eq!(aliases.len(), EXTENSIONS.len());
        assert!(!aliases.contains(&""));
    }
}
