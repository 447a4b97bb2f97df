//! What the plugin tells the host about itself.

use crate::settings::Settings;
use crate::{
    agents, flavors, health_monitors, l7policies, l7rules, listeners, load_balancers, members, pools,
    providers, statistics, vip, zones,
};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{ApiExtension, Collection, Requests, ResourceRequest, Verb};

/// What URLs start with.
pub(crate) const PREFIX: &str = "lbaas";

const ADMIN: &str = "rule:admin_only";
const ALL: &str = "role:reader";
const READERS: &str = "(rule:admin_only) or (role:reader and project_id:%(project_id)s)";
const MEMBERS: &str = "(rule:admin_only) or (role:member and project_id:%(project_id)s)";

/// Resources of projects, as rules are named after them.
const OWNED: [&str; 6] = ["loadbalancer", "listener", "pool", "healthmonitor", "l7policy", "l7policy_rule"];
/// What all may read, and administrators write.
const PUBLIC: [&str; 3] = ["flavor", "availability_zone", "provider"];
/// What is administrators' alone.
const PRIVATE: [&str; 2] = ["flavorprofile", "availability_zone_profile"];

/// Octavia's rules, simplified to those of projects, under names of the host: one
/// for each thing that is done to a resource, and for actions.
fn rules() -> impl Iterator<Item = (String, String)> {
    let of = |names: &'static [&'static str], read: &'static str, write: &'static str| {
        names.iter().flat_map(move |name| {
            ["get", "create", "update", "delete"]
                .map(|verb| (format!("{verb}_{name}"), if verb == "get" { read } else { write }.to_owned()))
        })
    };
    let actions = [
        (members::LIST, READERS),
        (members::SHOW, READERS),
        (members::CREATE, MEMBERS),
        (members::REPLACE, MEMBERS),
        (members::UPDATE, MEMBERS),
        (members::DELETE, MEMBERS),
        ("status_loadbalancer", READERS),
        ("statuses_loadbalancer", READERS),
        ("stats_loadbalancer", READERS),
        ("stats_listener", READERS),
        ("failover_loadbalancer", ADMIN),
        ("cascade_loadbalancer", MEMBERS),
        ("flavor_capabilities_provider", ADMIN),
        ("availability_zone_capabilities_provider", ADMIN),
    ];
    let actions = actions.into_iter().map(|(name, rule)| (name.to_owned(), rule.to_owned()));
    of(&OWNED, READERS, MEMBERS)
        .chain(of(&PUBLIC, ALL, ADMIN))
        .chain(of(&PRIVATE, ADMIN, ADMIN))
        .chain(actions)
}

fn collections() -> Vec<Collection> {
    let mut collections = vec![
        load_balancers::collection(),
        listeners::collection(),
        pools::collection(),
        members::collection(),
        health_monitors::collection(),
        l7policies::collection(),
        l7rules::collection(),
        statistics::collection(),
        providers::collection(),
    ];
    collections.extend(flavors::collections());
    collections.extend(zones::collections());
    collections
}

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    let request = |collection: &str, verbs: &[Verb]| ResourceRequest {
        collection: collection.to_owned(),
        verbs: verbs.to_vec(),
    };
    Manifest {
        collections: collections(),
        extensions: vec![ApiExtension {
            name: "Load balancing".to_owned(),
            alias: "lbaasv2".to_owned(),
            description: "Load balancers, as the load balancing API v2 of Octavia has them".to_owned(),
            updated: "2018-01-01T10:00:00-00:00".to_owned(),
        }],
        policy: rules().collect(),
        config: Settings::keys(),
        topics: vec![agents::topic()],
        start: true,
        requests: Requests {
            resources: vec![
                request(vip::PORTS, &[Verb::Get, Verb::Create, Verb::Update, Verb::Delete]),
                request(vip::NETWORKS, &[Verb::Get]),
                request(vip::SUBNETS, &[Verb::Get]),
                request(vip::SECURITY_GROUPS, &[Verb::Get]),
                request(vip::QOS_POLICIES, &[Verb::Get]),
            ],
            ..Requests::default()
        },
        ..hadron_sdk::manifest!("load-balancer", "addresses behind which pools of members answer")
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
