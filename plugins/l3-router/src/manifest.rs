//! What the plugin tells the host about itself.

use crate::outside::{NETWORKS, PORTS, SUBNETS};
use crate::routers::attributes;
use crate::routers::gateway::SNAT;
use crate::routers::{MOST_ROUTES, ROUTES};
use crate::{agents, conntrack_helpers, events, floating_ips, port_forwardings, rpc};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{ApiExtension, ConfigKey, Requests, ResourceRequest, Verb};
use hadron_sdk::serde_json::json;

const READERS: &str = "(rule:admin_only) or (role:reader and project_id:%(project_id)s)";
const MEMBERS: &str = "(rule:admin_only) or (role:member and project_id:%(project_id)s)";
const MANAGERS: &str = "(rule:admin_only) or (role:manager and project_id:%(project_id)s)";
const ADMINS: &str = "rule:admin_only";
const PARENTS_READERS: &str = "(rule:admin_only) or (role:reader and rule:ext_parent_owner)";
const PARENTS_MEMBERS: &str = "(rule:admin_only) or (role:member and rule:ext_parent_owner)";

/// Neutron's rules.
const RULES: [(&str, &str); 43] = [
    ("create_router", MEMBERS),
    ("create_router:distributed", ADMINS),
    ("create_router:ha", ADMINS),
    ("create_router:external_gateway_info", MEMBERS),
    ("create_router:external_gateway_info:network_id", MEMBERS),
    ("create_router:external_gateway_info:enable_snat", ADMINS),
    ("create_router:external_gateway_info:external_fixed_ips", ADMINS),
    ("create_router:tags", MEMBERS),
    ("get_router", READERS),
    ("get_router:distributed", ADMINS),
    ("get_router:ha", ADMINS),
    ("get_router:tags", READERS),
    ("update_router", MEMBERS),
    ("update_router:distributed", ADMINS),
    ("update_router:ha", ADMINS),
    ("update_router:external_gateway_info", MEMBERS),
    ("update_router:external_gateway_info:network_id", MEMBERS),
    ("update_router:external_gateway_info:enable_snat", ADMINS),
    ("update_router:external_gateway_info:external_fixed_ips", ADMINS),
    ("update_router:tags", MEMBERS),
    ("delete_router", MEMBERS),
    ("delete_router:tags", MEMBERS),
    (attributes::ADD_INTERFACE, MEMBERS),
    (attributes::REMOVE_INTERFACE, MEMBERS),
    (attributes::ADD_ROUTES, MEMBERS),
    (attributes::REMOVE_ROUTES, MEMBERS),
    ("create_floatingip", MEMBERS),
    ("create_floatingip:floating_ip_address", MANAGERS),
    ("create_floatingip:tags", MEMBERS),
    ("get_floatingip", READERS),
    ("get_floatingip:tags", READERS),
    ("update_floatingip", MEMBERS),
    ("update_floatingip:tags", MEMBERS),
    ("delete_floatingip", MEMBERS),
    ("delete_floatingip:tags", MEMBERS),
    ("create_floatingip_port_forwarding", PARENTS_MEMBERS),
    ("get_floatingip_port_forwarding", PARENTS_READERS),
    ("update_floatingip_port_forwarding", PARENTS_MEMBERS),
    ("delete_floatingip_port_forwarding", PARENTS_MEMBERS),
    ("create_router_conntrack_helper", PARENTS_MEMBERS),
    ("get_router_conntrack_helper", PARENTS_READERS),
    ("update_router_conntrack_helper", PARENTS_MEMBERS),
    ("delete_router_conntrack_helper", PARENTS_MEMBERS),
];

/// Title, alias, description and date of an extension, as Neutron lists it.
const EXTENSIONS: [(&str, &str, &str, &str); 11] = [
    (
        "Neutron L3 Router",
        "router",
        "Router abstraction for basic L3 forwarding between L2 Neutron networks and access to external networks \
         via a NAT gateway.",
        "2012-07-20T10:00:00-00:00",
    ),
    (
        "Neutron L3 Configurable external gateway mode",
        "ext-gw-mode",
        "Extension of the router abstraction for specifying whether SNAT should occur on the external gateway",
        "2013-03-28T10:00:00-00:00",
    ),
    (
        "Neutron Extra Route",
        "extraroute",
        "Extra routes configuration for L3 router",
        "2013-02-01T10:00:00-00:00",
    ),
    (
        "Atomically add/remove extra routes",
        "extraroute-atomic",
        "Edit extra routes of a router on server side by atomically adding/removing extra routes",
        "2019-07-10T00:00:00+00:00",
    ),
    (
        "Floating IP Port Details Extension",
        "fip-port-details",
        "Add port_details attribute to Floating IP resource",
        "2018-04-09T10:00:00-00:00",
    ),
    (
        "Floating IP Port Forwarding",
        "floating-ip-port-forwarding",
        "Allow port forwarding from floating IP port to an internal port",
        "2018-01-19T10:00:00-00:00",
    ),
    (
        "Expose Floating IP port forwardings",
        "expose-port-forwarding-in-fip",
        "Expose port forwarding fields in floating IP response",
        "2018-06-28T16:00:00-00:00",
    ),
    (
        "Floating IP Port Forwarding new attribute description",
        "floating-ip-port-forwarding-description",
        "Add a description field to Port Forwarding rules",
        "2019-11-01T10:00:00-00:00",
    ),
    (
        "Floating IP port forwarding detail",
        "floating-ip-port-forwarding-detail",
        "Allow list floating ip return more port forwarding data, include'id' and 'internal_port_id'",
        "2022-05-06T10:00:00-00:00",
    ),
    (
        "L3 Conntrack helper",
        "l3-conntrack-helper",
        "Allow adding CT target rules for conntrack helper",
        "2019-04-04T10:00:00-00:00",
    ),
    (
        "Router Availability Zone",
        "router_availability_zone",
        "Availability zone support for router.",
        "2015-01-01T10:00:00-00:00",
    ),
];

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    let request = |collection: &str, verbs: &[Verb]| ResourceRequest {
        collection: collection.to_owned(),
        verbs: verbs.to_vec(),
    };
    let key = |name: &str, description: &str, default| ConfigKey {
        name: name.to_owned(),
        description: description.to_owned(),
        default,
    };
    Manifest {
        collections: vec![
            attributes::collection(),
            attributes::attached(),
            agents::collection(),
            floating_ips::collection(),
            port_forwardings::collection(),
            conntrack_helpers::collection(),
        ],
        extensions: EXTENSIONS
            .iter()
            .chain([&agents::EXTENSION])
            .map(|(name, alias, description, updated)| ApiExtension {
                name: (*name).to_owned(),
                alias: (*alias).to_owned(),
                description: (*description).to_owned(),
                updated: (*updated).to_owned(),
            })
            .collect(),
        extends: vec![agents::extends()],
        policy: RULES
            .iter()
            .chain(&agents::POLICY)
            .map(|(name, rule)| ((*name).to_owned(), (*rule).to_owned()))
            .collect(),
        events: events::subscriptions(),
        topics: vec![rpc::topic()],
        config: vec![
            key(SNAT, "whether routers hide the addresses inside where a request says nothing", json!(true)),
            key(MOST_ROUTES, "how many extra routes a router may have", json!(ROUTES)),
        ],
        requests: Requests {
            resources: vec![
                request(PORTS, &[Verb::Get, Verb::Create, Verb::Update, Verb::Delete]),
                request(SUBNETS, &[Verb::Get]),
                request(NETWORKS, &[Verb::Get]),
                request(agents::AGENTS, &[Verb::Get]),
            ],
            // Ports on external networks are nobody's.
            system: true,
            ..Requests::default()
        },
        ..hadron_sdk::manifest!("l3-router", "routers, their gateways to the outside, and floating IPs")
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
