//! What the plugin tells the host about itself.

use crate::rules::{self, Kind};
use crate::users::{NETWORKS, PORTS};
use crate::{drivers, networks, policies, ports, rule_types};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{ApiExtension, ConfigKey, Requests, ResourceRequest, Verb};
use hadron_sdk::serde_json::json;
use std::collections::BTreeMap;

/// Title, alias, description and date of each extension, as Neutron lists them.
const EXTENSIONS: [(&str, &str, &str, &str); 13] = [
    ("Quality of Service", "qos", "The Quality of Service extension.", "2015-06-08T10:00:00-00:00"),
    (
        "Allow to filter the list of QoS rule types",
        "qos-rule-type-filter",
        "Allows to filter the QoS rule type list adding two new flags. \"all_rules\" prints all implemented QoS \
         rule types.\"all_supported\" prints all supported QoS rule types by the loaded mechanism drivers",
        "2022-02-02T10:00:00-00:00",
    ),
    (
        "Direction for QoS bandwidth limit rule",
        "qos-bw-limit-direction",
        "Allow to configure QoS bandwidth limit rule with specific direction: ingress or egress",
        "2017-04-10T10:00:00-00:00",
    ),
    (
        "Ingress direction for QoS minimum bandwidth rule",
        "qos-bw-minimum-ingress",
        "Allow to configure QoS minumum bandwidth rule with ingress direction.",
        "2018-07-09T10:00:00-00:00",
    ),
    (
        "QoS default policy",
        "qos-default",
        "Expose the QoS default policy per project",
        "2017-041-06T10:00:00-00:00",
    ),
    (
        "QoS port network policy ID",
        "qos-port-network-policy",
        "Adds a the QoS network ID to the port definition",
        "2019-11-01T10:00:00-00:00",
    ),
    (
        "QoS Rule Type Packet per Second Extension",
        "qos-pps",
        "Add QoS Rule Type Packet per Second",
        "2021-05-12T10:00:00-00:00",
    ),
    (
        "QoS minimum packet rate rule",
        "qos-pps-minimum",
        "Allow to configure QoS minimum packet rate rule.",
        "2021-07-14T10:00:00-00:00",
    ),
    (
        "Details of QoS rule types",
        "qos-rule-type-details",
        "Expose details about QoS rule types supported by loaded backend drivers",
        "2017-06-22T10:00:00-00:00",
    ),
    (
        "QoS minimum packet rate rule alias",
        "qos-pps-minimum-rule-alias",
        "API to enable GET, PUT and DELETE operations on QoS minimum packet rate rule without specifying policy ID",
        "2021-10-22T10:00:00-00:00",
    ),
    (
        "Quality of Service rules alias API",
        "qos-rules-alias",
        "API to enable GET, PUT and DELETE operations on QoS policy rules without specifying policy ID",
        "2018-10-07T10:00:00-00:00",
    ),
    (
        "Port Resource Request",
        "port-resource-request",
        "Expose resource request to Port",
        "2018-05-08T10:00:00-00:00",
    ),
    (
        "Port Resource Request Groups",
        "port-resource-request-groups",
        "Support requesting multiple groups of resources and traits from the same RP subtree in resource_request",
        "2021-08-02T10:00:00-00:00",
    ),
];

const READERS: &str =
    "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_qos_policy";
const MANAGERS: &str = "(rule:admin_only) or (role:manager and project_id:%(project_id)s)";
const READERS_OF_RULES: &str = "(rule:admin_only) or (role:reader and rule:ext_parent_owner)";
const MANAGERS_OF_RULES: &str = "(rule:admin_only) or (role:manager and rule:ext_parent_owner)";

/// Neutron's rules.
fn policy() -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([("shared_qos_policy".to_owned(), "field:policies:shared=True".to_owned())]);
    for verb in ["get", "create", "update", "delete"] {
        let (of_policies, of_rules) = match verb {
            "get" => (READERS, READERS_OF_RULES),
            _ => (MANAGERS, MANAGERS_OF_RULES),
        };
        all.insert(format!("{verb}_policy"), of_policies.to_owned());
        all.insert(format!("{verb}_policy:tags"), of_policies.to_owned());
        for kind in Kind::ALL {
            all.insert(format!("{verb}_policy_{}_rule", kind.name()), of_rules.to_owned());
        }
    }
    for verb in ["get", "update", "delete"] {
        for kind in rules::aliases::KINDS {
            let rule = match (kind, verb) {
                (Kind::MinimumPacketRate, _) => format!("rule:{verb}_policy_{}_rule", kind.name()),
                (_, "get") => READERS_OF_RULES.to_owned(),
                _ => MANAGERS_OF_RULES.to_owned(),
            };
            all.insert(format!("{verb}_alias_{}_rule", kind.name()), rule);
        }
    }
    all.insert(format!("get_port:{}", ports::REQUEST), "rule:admin_only".to_owned());
    all.insert("get_rule_type".to_owned(), "role:reader".to_owned());
    // In Neutron the plugin says so.
    all.insert(format!("get_rule_type:{}", rule_types::DRIVERS), "rule:admin_only".to_owned());
    all
}

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    let seen =
        |collection: &str| ResourceRequest { collection: collection.to_owned(), verbs: vec![Verb::Get] };
    Manifest {
        collections: [policies::collection(), rule_types::collection()]
            .into_iter()
            .chain(rules::collections())
            .chain(rules::aliases::collections())
            .collect(),
        extends: vec![networks::extends(), ports::extends()],
        extensions: EXTENSIONS
            .iter()
            .map(|(name, alias, description, updated)| ApiExtension {
                name: (*name).to_owned(),
                alias: (*alias).to_owned(),
                description: (*description).to_owned(),
                updated: (*updated).to_owned(),
            })
            .collect(),
        start: true,
        events: std::iter::once(policies::subscription()).chain(policies::objects::subscriptions()).collect(),
        topics: vec![policies::objects::topic()],
        policy: policy(),
        config: vec![ConfigKey {
            name: drivers::KEY.to_owned(),
            description: "who carries rules out, beside the mechanism drivers of these names: openvswitch, \
                          linuxbridge, sriovnicswitch, ovn"
                .to_owned(),
            default: json!(["openvswitch"]),
        }],
        requests: Requests {
            resources: vec![seen(NETWORKS), seen(PORTS)],
            // Whoever changes a rule need not see all ports that it applies to.
            system: true,
            ..Requests::default()
        },
        ..hadron_sdk::manifest!("qos", "policies of rules for what networks and ports carry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&manifest()), Vec::<String>::new());
    }
}
