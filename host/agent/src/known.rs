//! What an agent knows of the ports on its host, asked for as far as it is missing.

use crate::objects::{Objects, Port};
use crate::server::Server;
use hadron_bus::CallError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The objects, and what of them was asked for.
#[derive(Default)]
pub struct Known {
    /// What the server said.
    pub objects: Objects,
    asked: Asked,
}

/// What was asked for, whatever the answer was; the server tells of the rest.
#[derive(Default)]
struct Asked {
    ports: BTreeSet<String>,
    networks: BTreeSet<String>,
    groups: BTreeSet<String>,
    members: BTreeSet<String>,
    addresses: BTreeSet<String>,
}

impl Known {
    /// Takes over what the server tells of.
    pub fn hear(&mut self, list: &[Value], are_gone: bool) {
        for object in list {
            self.objects.apply(object, are_gone);
        }
    }

    /// Learns what is missing of ports that are plugged in, by their ids, and of
    /// what these need; and of networks.
    ///
    /// # Errors
    /// The server's. What it did answer is known.
    pub async fn ask(
        &mut self,
        server: &Server,
        plugged: &BTreeSet<String>,
        networks: &BTreeSet<String>,
    ) -> Result<(), CallError> {
        let new = plugged.iter().filter(|id| !self.objects.ports.contains_key(*id));
        let new: Vec<String> = new.filter(|id| !self.asked.ports.contains(*id)).cloned().collect();
        self.learn(server, "Port", "id", &new).await?;
        self.asked.ports.clone_from(plugged);
        let ports = || plugged.iter().filter_map(|id| self.objects.ports.get(id));
        let networks: BTreeSet<String> =
            ports().map(|port| port.network_id.clone()).chain(networks.iter().cloned()).collect();
        let secured = ports().filter(|port| port.is_secured);
        let groups: BTreeSet<String> = secured.flat_map(|port| port.groups.iter().cloned()).collect();
        let new: Vec<String> = networks.difference(&self.asked.networks).cloned().collect();
        self.learn(server, "Network", "id", &new).await?;
        self.asked.networks = networks;
        let new: Vec<String> = groups.difference(&self.asked.groups).cloned().collect();
        self.learn(server, "SecurityGroup", "id", &new).await?;
        self.asked.groups.extend(new);
        let rules = || self.objects.rules.values().filter(|rule| groups.contains(&rule.security_group_id));
        let members: BTreeSet<String> = rules().filter_map(|rule| rule.remote_group_id.clone()).collect();
        let addresses: BTreeSet<String> =
            rules().filter_map(|rule| rule.remote_address_group_id.clone()).collect();
        let new: Vec<String> = members.difference(&self.asked.members).cloned().collect();
        self.learn(server, "Port", "security_group_ids", &new).await?;
        self.asked.members.extend(new);
        let new: Vec<String> = addresses.difference(&self.asked.addresses).cloned().collect();
        self.learn(server, "AddressGroup", "id", &new).await?;
        self.asked.addresses.extend(new);
        Ok(())
    }

    async fn learn(
        &mut self,
        server: &Server,
        kind: &str,
        field: &str,
        values: &[String],
    ) -> Result<(), CallError> {
        for object in server.objects(kind, field, values).await? {
            self.objects.apply(&object, false);
        }
        Ok(())
    }
}

/// What the server was told of ports: that they work here, with the revision at
/// which it was told.
#[derive(Clone, Debug, Default)]
pub struct Told(BTreeMap<String, u64>);

/// What the server is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// Ids of ports that work from now on, with their revisions.
    pub up: BTreeMap<String, u64>,
    /// Ids of ports that do not any more.
    pub down: BTreeSet<String>,
}

impl Told {
    /// What is untold when these ports work and those have failed. One that works
    /// and that the server holds for down it is told of, once for what it says;
    /// and of one that has failed, while it holds it for anything else.
    #[must_use]
    pub fn untold<'a>(
        &self,
        wired: impl IntoIterator<Item = &'a Port>,
        failed: impl IntoIterator<Item = &'a Port>,
    ) -> Untold {
        let wired: BTreeMap<&str, &Port> = wired.into_iter().map(|port| (port.id.as_str(), port)).collect();
        let is_news = |port: &Port| match self.0.get(&port.id) {
            None => true,
            Some(revision) => port.status != "ACTIVE" && port.revision > *revision,
        };
        let new = wired.values().filter(|port| is_news(port));
        let left = self.0.keys().filter(|id| !wired.contains_key(id.as_str())).cloned();
        let failed = failed.into_iter().filter(|port| port.status != "DOWN").map(|port| port.id.clone());
        Untold {
            up: new.map(|port| (port.id.clone(), port.revision)).collect(),
            down: left.chain(failed).collect(),
        }
    }

    /// The server was told.
    pub fn tell(&mut self, untold: Untold) {
        self.0.retain(|id, _| !untold.down.contains(id));
        self.0.extend(untold.up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(id: &str, status: &str, revision: u64) -> Port {
        Port {
            id: id.into(),
            network_id: "n".into(),
            mac: String::new(),
            is_enabled: true,
            status: status.into(),
            revision,
            owner: String::new(),
            addresses: Vec::new(),
            is_secured: true,
            groups: BTreeSet::new(),
            pairs: Vec::new(),
            policy: None,
            network_policy: None,
            bound: BTreeMap::new(),
        }
    }

    #[test]
    fn the_server_is_told_once_for_what_it_says() {
        let mut told = Told::default();
        let untold = told.untold([&port("a", "DOWN", 3)], []);
        assert_eq!(untold.up, BTreeMap::from([("a".to_owned(), 3)]));
        told.tell(untold);
        assert_eq!(told.untold([&port("a", "DOWN", 3)], []), Untold::default());
        assert_eq!(told.untold([&port("a", "ACTIVE", 4)], []), Untold::default());
        assert_eq!(told.untold([&port("a", "BUILD", 5)], []).up, BTreeMap::from([("a".to_owned(), 5)]));
        let untold = told.untold([], [&port("b", "BUILD", 1), &port("c", "DOWN", 1)]);
        assert_eq!(untold.down, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        told.tell(untold);
        assert_eq!(told.untold([], []), Untold::default());
    }
}
