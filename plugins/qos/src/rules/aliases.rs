//! Rules under URLs without their policies. In Neutron: `qos_rules_alias`,
//! `qos_pps_minimum_rule_alias`.

use super::{Kind, attributes};
use hadron_sdk::manifest::{Attribute, Collection, Standard};

/// Sorts of rules that have such a URL; Neutron has none for packet rate limits.
pub(crate) const KINDS: [Kind; 4] =
    [Kind::BandwidthLimit, Kind::DscpMarking, Kind::MinimumBandwidth, Kind::MinimumPacketRate];

/// The declarations of the views.
pub(crate) fn collections() -> Vec<Collection> {
    KINDS.into_iter().map(view).collect()
}

fn view(kind: Kind) -> Collection {
    let of = |attribute: Attribute| Attribute {
        of: Some(attribute.name.clone()),
        required: false,
        default: None,
        ..attribute
    };
    let own = attributes::attributes(kind).into_iter().chain([attributes::parent()]);
    let member = format!("alias_{}_rule", kind.name());
    Collection {
        name: format!("{member}s"),
        member,
        path_prefix: "qos".to_owned(),
        of: Some(kind.collection()),
        writes: true,
        attributes: own.map(of).collect(),
        without: attributes::WITHOUT.map(str::to_owned).to_vec(),
        standard: Standard::NONE,
        not_found: Some("QosRuleNotFound".to_owned()),
        // In Neutron too the policy is not named here.
        not_found_says: Some("QoS rule {id} for policy  could not be found.".to_owned()),
        ..Collection::default()
    }
}
