//! What the plugin tells the host about itself.

use crate::{agents, connections, endpoint_groups, flavors, outside, policies, services, vetoes};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{ApiExtension, Requests, ResourceRequest};
use std::collections::BTreeMap;

/// Title, alias, description and date of each extension, as Neutron lists them.
const EXTENSIONS: [(&str, &str, &str, &str); 4] = [
    ("VPN service", "vpnaas", "Extension for VPN service", "2013-05-29T10:00:00-00:00"),
    (
        "VPN Endpoint Groups",
        "vpn-endpoint-groups",
        "VPN endpoint groups support",
        "2015-08-04T10:00:00-00:00",
    ),
    (
        "VPN Service Flavor Extension",
        "vpn-flavors",
        "Flavor support for vpnservices.",
        "2017-04-19T00:00:00-00:00",
    ),
    (
        "VPN support for AES CTR mode",
        "vpn-aes-ctr",
        "Add AES CTR choices for encryption algorithm",
        "2024-01-09T09:00:00-00:00",
    ),
];

/// Neutron's rule for all of it.
const MEMBERS: &str = "(rule:admin_only) or (role:member and project_id:%(project_id)s)";

fn policy() -> BTreeMap<String, String> {
    let members = ["endpoint_group", "ikepolicy", "ipsecpolicy", "ipsec_site_connection", "vpnservice"];
    let verbs = ["create", "get", "update", "delete"];
    let names = members.iter().flat_map(|member| verbs.map(|verb| format!("{verb}_{member}")));
    names.map(|name| (name, MEMBERS.to_owned())).collect()
}

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    let read = outside::READ.into_iter().chain(flavors::READ);
    Manifest {
        collections: policies::collections()
            .into_iter()
            .chain([services::declaration(), endpoint_groups::declaration(), connections::declaration()])
            .collect(),
        extensions: EXTENSIONS
            .iter()
            .map(|(name, alias, description, updated)| ApiExtension {
                name: (*name).to_owned(),
                alias: (*alias).to_owned(),
                description: (*description).to_owned(),
                updated: (*updated).to_owned(),
            })
            .collect(),
        policy: policy(),
        events: vetoes::subscriptions(),
        topics: vec![agents::topic()],
        requests: Requests {
            resources: read
                .map(|(collection, verb)| ResourceRequest {
                    collection: collection.to_owned(),
                    verbs: vec![verb],
                })
                .collect(),
            // The ports by which routers lead out belong to no project.
            system: true,
            ..Requests::default()
        },
        ..hadron_sdk::manifest!("vpn", "networks joined to those of peers elsewhere by IPsec")
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
