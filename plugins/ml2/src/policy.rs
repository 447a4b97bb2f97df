//! Who may do what by default: what Neutron's rules about each resource say, in
//! oslo.policy's language. Those that all rules are made of are the host's.

use crate::{
    address_groups, address_scopes, agents, bindings, default_security_group_rules, default_statefulness,
    dhcp, ip_availability, networks, ports, security_group_rules, security_groups, segment_ranges, segments,
    subnetpools, subnets, zones,
};
use std::collections::BTreeMap;

/// The rules by name.
pub(crate) fn rules() -> BTreeMap<String, String> {
    let of_resources = [
        networks::POLICY,
        subnets::POLICY,
        address_scopes::POLICY,
        subnetpools::POLICY,
        agents::POLICY,
        zones::POLICY,
        dhcp::POLICY,
        bindings::POLICY,
        security_groups::POLICY,
        security_group_rules::POLICY,
        default_security_group_rules::POLICY,
        default_statefulness::POLICY,
        address_groups::POLICY,
        segments::POLICY,
        segment_ranges::POLICY,
        ip_availability::POLICY,
    ];
    let all = of_resources.into_iter().chain(ports::POLICY.iter().copied()).flatten();
    all.map(|(name, rule)| ((*name).to_owned(), (*rule).to_owned())).collect()
}
