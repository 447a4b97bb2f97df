//! Which hosts a segment reaches: those with an agent that knows its physical
//! network. In Neutron the table `segmenthostmappings`, which is kept in step
//! with the agents; here the agents themselves are asked.

use super::SegmentRow;
use crate::agents;
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::{Agent, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Members of an agent's configurations whose members are physical networks.
/// In Neutron: `_get_phys_nets`.
const MAPPINGS: [&str; 3] = ["bridge_mappings", "interface_mappings", "device_mappings"];

/// Segments that hosts are connected to.
#[derive(Debug, Default)]
pub(crate) struct Reach(BTreeMap<String, BTreeSet<String>>);

impl Reach {
    /// Of these hosts and the segments of these networks: two queries.
    pub(crate) fn load(hosts: &[String], networks: &[String]) -> Result<Reach> {
        if hosts.is_empty() || networks.is_empty() {
            return Ok(Reach::default());
        }
        Ok(Reach::of(&agents::of_hosts(hosts)?, &super::of_networks(networks)?))
    }

    fn of(agents: &[Agent], segments: &[SegmentRow]) -> Reach {
        let mut reach: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for agent in agents {
            let known = physical_networks(agent);
            let connected = segments
                .iter()
                .filter(|segment| segment.physical_network.as_ref().is_some_and(|name| known.contains(name)));
            reach.entry(agent.host.clone()).or_default().extend(connected.map(|segment| segment.id.clone()));
        }
        Reach(reach)
    }

    /// Whether a host is connected to a segment.
    pub(crate) fn holds(&self, host: &str, segment_id: &str) -> bool {
        self.0.get(host).is_some_and(|segments| segments.contains(segment_id))
    }

    #[cfg(test)]
    pub(crate) fn to(host: &str, segments: &[&str]) -> Reach {
        let segments = segments.iter().map(|id| (*id).to_owned()).collect();
        Reach([(host.to_owned(), segments)].into())
    }
}

fn physical_networks(agent: &Agent) -> BTreeSet<String> {
    let configurations: Value = serde_json::from_str(&agent.configurations).unwrap_or_default();
    MAPPINGS
        .iter()
        .filter_map(|name| configurations.get(name)?.as_object())
        .flat_map(|mappings| mappings.keys().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::Segment;

    #[test]
    fn a_host_reaches_the_segments_of_its_physical_networks() {
        let agent = |host: &str, configurations: &str| Agent {
            id: String::new(),
            agent_type: String::new(),
            host: host.into(),
            alive: true,
            configurations: configurations.into(),
        };
        let segment = |id: &str, place: Option<&str>| {
            SegmentRow::from(Segment {
                id: id.into(),
                network_type: "vlan".into(),
                physical_network: place.map(str::to_owned),
                segmentation_id: None,
            })
        };
        let agents = [
            agent("one", r#"{"bridge_mappings": {"p": "br-p"}, "device_mappings": {"q": ["eth1"]}}"#),
            agent("two", "null"),
        ];
        let reach =
            Reach::of(&agents, &[segment("a", Some("p")), segment("b", Some("q")), segment("c", None)]);
        assert!(reach.holds("one", "a") && reach.holds("one", "b") && !reach.holds("one", "c"));
        assert!(!reach.holds("two", "a") && !reach.holds("three", "a"));
    }
}
