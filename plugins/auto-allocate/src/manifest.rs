//! What the plugin tells the host about itself.

use crate::{networks, topologies};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{Requests, ResourceRequest, Verb};

/// Neutron's default rules.
const POLICY: [(&str, &str); 4] = [
    ("get_auto_allocated_topology", "(rule:admin_only) or (role:reader and project_id:%(project_id)s)"),
    ("delete_auto_allocated_topology", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("create_network:is_default", "rule:admin_only"),
    ("update_network:is_default", "rule:admin_only"),
];

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    let seen =
        |collection: &str| ResourceRequest { collection: collection.to_owned(), verbs: vec![Verb::Get] };
    Manifest {
        collections: vec![topologies::collection(), networks::chosen()],
        extends: vec![networks::extends()],
        events: vec![networks::subscription()],
        policy: POLICY.map(|(name, rule)| (name.to_owned(), rule.to_owned())).into(),
        requests: Requests {
            resources: vec![seen(networks::NETWORKS), seen(topologies::POOLS)],
            ..Requests::default()
        },
        ..hadron_sdk::manifest!("auto-allocate", "a network for a project that has none")
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
