//! What the host is told of IP availability.

use crate::attribute::filterable;
use crate::manifest::Extension;
use crate::networks;
use hadron_sdk::manifest::{Attribute, Collection, Standard, Validator};

/// The view.
pub(crate) const COLLECTION: &str = "network_ip_availabilities";

/// The network that the numbers are of.
pub(super) const NETWORK_ID: &str = "network_id";
/// The family of the subnets that are asked for.
pub(super) const IP_VERSION: &str = "ip_version";

/// Neutron's default rule.
pub(crate) const POLICY: &[(&str, &str)] =
    &[("get_network_ip_availability", "(rule:admin_only) or (rule:service_api)")];

/// Extensions of the API.
pub(crate) const EXTENSIONS: &[Extension] = &[
    (
        "Network IP Availability",
        "network-ip-availability",
        "Provides IP availability data for each network and subnet.",
        "2015-09-24T00:00:00-00:00",
    ),
    (
        "Network IP Availability Details Extension",
        "network-ip-availability-details",
        "Add ip_availability_details attribute to network-ip-availabilities resource.",
        "2025-10-31T00:00:00-00:00",
    ),
];

/// The declaration of the view.
pub(crate) fn collection() -> Collection {
    let computed =
        |name: &str, validate| Attribute { name: name.to_owned(), validate, ..Attribute::default() };
    let number = || Validator::Integer { min: Some(0), max: None };
    Collection {
        name: COLLECTION.to_owned(),
        member: "network_ip_availability".to_owned(),
        of: Some(networks::COLLECTION.to_owned()),
        attributes: vec![
            Attribute { of: Some("id".to_owned()), ..filterable(NETWORK_ID, Validator::Uuid) },
            Attribute {
                of: Some("name".to_owned()),
                ..filterable("network_name", Validator::String { max: None })
            },
        ],
        computed: [
            computed(
                "subnet_ip_availability",
                Validator::List { items: Box::new(Validator::Dict), unique: false },
            ),
            computed("used_ips", number()),
            computed("total_ips", number()),
            computed("ip_availability_details", Validator::Dict),
        ]
        .map(Into::into)
        .to_vec(),
        // Any text is a family that some subnet may have or not.
        asks: vec![computed(IP_VERSION, Validator::String { max: None })],
        without: ["id", "revision_number", "created_at", "updated_at"].map(str::to_owned).to_vec(),
        standard: Standard::NONE,
        not_found: Some("NetworkNotFound".to_owned()),
        not_found_says: Some("Network {id} could not be found.".to_owned()),
        ..Collection::default()
    }
}
