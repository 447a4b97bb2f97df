//! What an agent knows of the ports on its host, asked for as far as it is missing.

use crate::news::Changed;
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
    /// Ports that are another than what is known.
    stale: BTreeSet<String>,
}

/// What was asked for, whatever the answer was; the server tells of the rest.
#[derive(Default)]
struct Asked {
    ports: BTreeSet<String>,
    networks: BTreeSet<String>,
    groups: BTreeSet<String>,
    members: BTreeSet<String>,
    addresses: BTreeSet<String>,
    policies: BTreeSet<String>,
    /// By the ports that may carry one.
    trunks: BTreeSet<String>,
}

impl Known {
    /// Takes over what the server tells of.
    pub fn hear(&mut self, list: &[Value], are_gone: bool) {
        for object in list {
            self.objects.apply(object, are_gone);
        }
    }

    /// What changed is asked for again, if it matters here.
    pub fn forget(&mut self, what: Changed) {
        match what {
            Changed::Port(id) if self.asked.ports.contains(&id) => {
                self.stale.insert(id);
            }
            Changed::Port(_) => {}
            Changed::PortGone(id) => {
                self.objects.ports.remove(&id);
            }
            Changed::NetworkGone(id) => self.objects.ports.retain(|_, port| port.network_id != id),
            Changed::Rules(ids) => self.asked.groups.retain(|id| !ids.contains(id)),
            Changed::Members(ids) => {
                for id in &ids {
                    if !self.asked.members.remove(id) {
                        continue;
                    }
                    // Who is a member still is in the answer.
                    self.objects
                        .ports
                        .retain(|port, of| self.asked.ports.contains(port) || !of.groups.contains(id));
                }
            }
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
        let mut new: BTreeSet<String> = new.filter(|id| !self.asked.ports.contains(*id)).cloned().collect();
        for id in &self.stale {
            self.objects.ports.remove(id);
            new.insert(id.clone());
        }
        self.learn(server, "Port", "id", &new.into_iter().collect::<Vec<_>>()).await?;
        self.stale.clear();
        self.asked.ports.clone_from(plugged);
        let ports = || plugged.iter().filter_map(|id| self.objects.ports.get(id));
        let networks: BTreeSet<String> =
            ports().map(|port| port.network_id.clone()).chain(networks.iter().cloned()).collect();
        let secured = ports().filter(|port| port.is_secured);
        let groups: BTreeSet<String> = secured.flat_map(|port| port.groups.iter().cloned()).collect();
        let new: Vec<String> = networks.difference(&self.asked.networks).cloned().collect();
        self.learn(server, "Network", "id", &new).await?;
        self.asked.networks = networks;
        let ports = plugged.iter().filter_map(|id| self.objects.ports.get(id));
        let policies = ports.filter_map(|port| self.objects.policy_id_of(port).cloned());
        let new: BTreeSet<String> = policies.filter(|id| !self.asked.policies.contains(id)).collect();
        self.learn(server, "QosPolicy", "id", &new.iter().cloned().collect::<Vec<_>>()).await?;
        self.asked.policies.extend(new);
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

    /// Learns of the trunks that these ports may carry.
    ///
    /// # Errors
    /// As [`Known::ask`].
    pub async fn ask_of_trunks(
        &mut self,
        server: &Server,
        carriers: BTreeSet<String>,
    ) -> Result<(), CallError> {
        let new: Vec<String> = carriers.difference(&self.asked.trunks).cloned().collect();
        self.learn(server, "Trunk", "port_id", &new).await?;
        self.asked.trunks = carriers;
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
    /// and of one that has failed, while it holds it for anything else. Where all
    /// is to be told anew, of each that works.
    #[must_use]
    pub fn untold<'a>(
        &self,
        wired: impl IntoIterator<Item = &'a Port>,
        failed: impl IntoIterator<Item = &'a Port>,
        anew: bool,
    ) -> Untold {
        let wired: BTreeMap<&str, &Port> = wired.into_iter().map(|port| (port.id.as_str(), port)).collect();
        let is_news = |port: &Port| match self.0.get(&port.id) {
            None => true,
            Some(_) if anew => true,
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

    /// Tells the server; what it could not take note of stays untold.
    ///
    /// # Errors
    /// The server's. Then all of it stays untold.
    pub async fn tell(&mut self, server: &Server, untold: Untold, anew: bool) -> Result<(), CallError> {
        if untold == Untold::default() {
            return Ok(());
        }
        let up: Vec<String> = untold.up.keys().cloned().collect();
        let down: Vec<String> = untold.down.iter().cloned().collect();
        let failed = server.devices(&up, &down, anew).await?;
        tracing::info!(
            up = up.len(),
            down = down.len(),
            failed = failed.len(),
            "the server knows of devices"
        );
        self.told(untold, &failed);
        Ok(())
    }

    fn told(&mut self, untold: Untold, failed: &BTreeSet<String>) {
        self.0.retain(|id, _| !untold.down.contains(id) || failed.contains(id));
        self.0.extend(untold.up.into_iter().filter(|(id, _)| !failed.contains(id)));
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
        let all = BTreeSet::new();
        let untold = told.untold([&port("a", "DOWN", 3)], [], false);
        assert_eq!(untold.up, BTreeMap::from([("a".to_owned(), 3)]));
        told.told(untold, &all);
        assert_eq!(told.untold([&port("a", "DOWN", 3)], [], false), Untold::default());
        assert_eq!(told.untold([&port("a", "ACTIVE", 4)], [], false), Untold::default());
        assert_eq!(told.untold([&port("a", "ACTIVE", 4)], [], true).up.len(), 1);
        let again = told.untold([&port("a", "BUILD", 5)], [], false).up;
        assert_eq!(again, BTreeMap::from([("a".to_owned(), 5)]));
        let untold = told.untold([], [&port("b", "BUILD", 1), &port("c", "DOWN", 1)], false);
        assert_eq!(untold.down, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        told.told(untold, &all);
        assert_eq!(told.untold([], [], false), Untold::default());
    }

    #[test]
    fn what_the_server_could_not_take_note_of_is_told_again() {
        let mut told = Told::default();
        let ports = [port("a", "DOWN", 1), port("b", "DOWN", 1)];
        let untold = told.untold(&ports, [], false);
        told.told(untold, &BTreeSet::from(["a".to_owned()]));
        let untold = told.untold(&ports, [], false);
        assert_eq!(untold.up, BTreeMap::from([("a".to_owned(), 1)]));
        told.told(untold, &BTreeSet::new());
        let untold = told.untold([], [], false);
        told.told(untold, &BTreeSet::from(["b".to_owned()]));
        assert_eq!(told.untold([], [], false).down, BTreeSet::from(["b".to_owned()]));
    }

    #[test]
    fn what_changed_is_forgotten_if_it_matters_here() {
        let mut known = Known::default();
        for (id, groups) in [("here", ["g"]), ("there", ["g"])] {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            known.objects.ports.insert(id.into(), Port { groups, ..port(id, "ACTIVE", 1) });
        }
        known.asked.ports = BTreeSet::from(["here".to_owned()]);
        known.forget(Changed::Port("there".into()));
        known.forget(Changed::Port("here".into()));
        assert_eq!(known.stale, BTreeSet::from(["here".to_owned()]));
        known.forget(Changed::Members(vec!["g".into()]));
        assert_eq!(known.objects.ports.len(), 2, "nobody asked for these");
        known.asked.members = BTreeSet::from(["g".to_owned()]);
        known.forget(Changed::Members(vec!["g".into()]));
        assert_eq!(known.objects.ports.keys().collect::<Vec<_>>(), ["here"]);
        known.asked.groups = BTreeSet::from(["g".to_owned()]);
        known.forget(Changed::Rules(vec!["g".into()]));
        assert!(known.asked.groups.is_empty() && known.asked.members.is_empty());
        known.forget(Changed::NetworkGone("n".into()));
        assert!(known.objects.ports.is_empty());
    }
}
