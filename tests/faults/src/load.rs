//! Clients that create, change and delete, and write down what they were told.
//!
//! Each works on resources of its own, one request at a time, so that at any
//! instant at most one request about a resource is under way and what is
//! expected of it is certain.

use crate::device::REFUSED;
use crate::ledger::{Fate, Ledger};
use anyhow::Result;
use hadron_sdk_testing::{Answer, Client};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Networks of one client, at most: what there is has to be looked at after
/// each kill.
const MOST_NETWORKS: usize = 4;
/// Ports of one client, at most.
const MOST_PORTS: usize = 16;
/// Subnets hold this many addresses beside the gateway, so that they fill up.
const PREFIX: u8 = 28;

/// Something a client has.
#[derive(Clone, Debug)]
struct Own {
    name: String,
    id: String,
    network: String,
}

/// A client with its own resources.
pub struct Worker {
    number: usize,
    client: Client,
    ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
    random: StdRng,
    counter: Arc<std::sync::atomic::AtomicU64>,
    networks: Vec<Own>,
    subnets: Vec<Own>,
    ports: Vec<Own>,
}

/// What a request came to.
enum Came {
    /// A 2xx, with the body.
    Done(Value),
    /// A refusal; the status.
    Refused(u16),
    /// No answer, or one that promises nothing.
    Unknown,
}

/// Numbers names, over all workers and kills.
pub type Counter = Arc<std::sync::atomic::AtomicU64>;

impl Worker {
    /// A client that continues with what the ledger says it has.
    pub fn new(
        number: usize,
        client: Client,
        ledger: Arc<Mutex<Ledger>>,
        stop: Arc<AtomicBool>,
        counter: Counter,
        seed: u64,
    ) -> Worker {
        Worker {
            number,
            client,
            ledger,
            stop,
            random: StdRng::seed_from_u64(seed),
            counter,
            networks: Vec::new(),
            subnets: Vec::new(),
            ports: Vec::new(),
        }
    }

    /// Takes over rows that survived: of a collection, name, id and network.
    pub fn adopt(&mut self, kind: &str, name: &str, id: &str, network: &str) {
        let own = Own { name: name.to_owned(), id: id.to_owned(), network: network.to_owned() };
        match kind {
            "networks" => self.networks.push(own),
            "subnets" => self.subnets.push(own),
            _ => self.ports.push(own),
        }
    }

    /// Works until it is told to stop, or the server is gone.
    pub async fn run(mut self) -> Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            let going_on = match self.random.random_range(0..100) {
                0..10 => self.create_network().await?,
                10..20 => self.create_subnet().await?,
                20..45 => self.create_ports(1).await?,
                45..55 => {
                    let count = self.random.random_range(2..=5);
                    self.create_ports(count).await?
                }
                55..62 => self.create_unwanted().await?,
                62..75 => self.rename().await?,
                75..80 => self.move_port().await?,
                80..93 => self.delete_port().await?,
                93..97 => self.delete_subnet().await?,
                _ => self.delete_network().await?,
            };
            if !going_on {
                break;
            }
        }
        Ok(())
    }

    fn name(&self, kind: &str) -> String {
        format!("{kind}-{}-{}", self.number, self.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// Sorts an answer; writes down what must not be.
    fn sort(&self, asked: &str, answer: hadron_sdk_testing::Result<Answer>) -> Came {
        let mut ledger = self.ledger.lock();
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                ledger.counts.0 += 1;
                Came::Done(answer.body)
            }
            Ok(answer) if answer.status < 500 => {
                ledger.counts.1 += 1;
                Came::Refused(answer.status)
            }
            // All segments are in use: Neutron's 503 that is a refusal.
            Ok(answer) if answer.body["NeutronError"]["type"] == "NoNetworkAvailable" => {
                ledger.counts.1 += 1;
                Came::Refused(answer.status)
            }
            // Not now: nothing was promised.
            Ok(answer) if answer.status == 503 => {
                ledger.counts.2 += 1;
                Came::Unknown
            }
            Ok(answer) => {
                ledger.counts.2 += 1;
                ledger.outrages.push(format!("{asked} was answered {}: {}", answer.status, answer.body));
                Came::Unknown
            }
            Err(_) => {
                ledger.counts.2 += 1;
                Came::Unknown
            }
        }
    }

    /// Creates resources in one request; whether the server still answers, and
    /// what was created.
    async fn create(
        &mut self,
        kind: &'static str,
        bodies: Vec<Value>,
        names: Vec<String>,
    ) -> Result<(bool, Vec<Own>)> {
        self.ledger.lock().creating(kind, &names);
        let member = &kind[..kind.len() - 1];
        let body = match bodies.as_slice() {
            [one] => json!({member: one}),
            _ => json!({kind: bodies}),
        };
        let answer = self.client.post(&format!("/v2.0/{kind}"), &body).await;
        let body = match self.sort(&format!("POST {kind} {names:?}"), answer) {
            Came::Unknown => return Ok((false, Vec::new())),
            Came::Refused(_) => {
                self.ledger.lock().not_created(&names);
                return Ok((true, Vec::new()));
            }
            Came::Done(body) => body,
        };
        let rows = match &body[kind] {
            Value::Array(rows) => rows.clone(),
            _ => vec![body[member].clone()],
        };
        let field = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let made: Vec<Own> = rows
            .iter()
            .map(|row| Own {
                name: field(row, "name"),
                id: field(row, "id"),
                network: field(row, "network_id"),
            })
            .collect();
        let ids: Vec<String> = made.iter().map(|own| own.id.clone()).collect();
        self.ledger.lock().created(&names, &ids);
        Ok((true, made))
    }

    async fn create_network(&mut self) -> Result<bool> {
        if self.networks.len() >= MOST_NETWORKS {
            return self.delete_network().await;
        }
        let name = self.name("n");
        let mut body = json!({"name": name});
        if self.random.random_bool(0.5) {
            body["provider:network_type"] = json!("vlan");
            body["provider:physical_network"] = json!("physnet1");
        }
        let (going_on, made) = self.create("networks", vec![body], vec![name]).await?;
        self.networks.extend(made);
        Ok(going_on)
    }

    async fn create_subnet(&mut self) -> Result<bool> {
        let bare = self.networks.iter().filter(|n| !self.subnets.iter().any(|s| s.network == n.id));
        let Some(network) = bare.cloned().collect::<Vec<_>>().choose(&mut self.random).cloned() else {
            return self.create_ports(1).await;
        };
        let name = self.name("s");
        let third = self.random.random_range(0..=255);
        let body = json!({"name": name, "network_id": network.id, "ip_version": 4,
            "cidr": format!("10.{}.{third}.0/{PREFIX}", self.number)});
        let (going_on, made) = self.create("subnets", vec![body], vec![name]).await?;
        self.subnets.extend(made);
        Ok(going_on)
    }

    async fn create_ports(&mut self, count: usize) -> Result<bool> {
        if self.ports.len() + count > MOST_PORTS {
            return self.delete_port().await;
        }
        let Some(network) = self.networks.choose(&mut self.random).cloned() else {
            return self.create_network().await;
        };
        let names: Vec<String> = (0..count).map(|_| self.name("p")).collect();
        let bodies = names.iter().map(|name| json!({"name": name, "network_id": network.id})).collect();
        let (going_on, made) = self.create("ports", bodies, names).await?;
        self.ports.extend(made);
        Ok(going_on)
    }

    /// What the device refuses, so that it has to be undone: a network, a port,
    /// or a bulk of which it refuses one.
    async fn create_unwanted(&mut self) -> Result<bool> {
        let network = self.networks.choose(&mut self.random).cloned();
        let (going_on, made) = match network {
            Some(network) if self.random.random_bool(0.7) => {
                let wanted = self.random.random_range(0..3);
                let mut names: Vec<String> = (0..wanted).map(|_| self.name("p")).collect();
                names.insert(wanted / 2, format!("{REFUSED}-{}", self.name("p")));
                let bodies =
                    names.iter().map(|name| json!({"name": name, "network_id": network.id})).collect();
                self.create("ports", bodies, names).await?
            }
            _ => {
                let name = format!("{REFUSED}-{}", self.name("n"));
                self.create("networks", vec![json!({"name": name})], vec![name]).await?
            }
        };
        if !made.is_empty() {
            let names: Vec<String> = made.into_iter().map(|own| own.name).collect();
            self.ledger.lock().unwanted.push(format!("what the device refuses was acknowledged: {names:?}"));
        }
        Ok(going_on)
    }

    async fn rename(&mut self) -> Result<bool> {
        let lists = [("networks", &self.networks), ("subnets", &self.subnets), ("ports", &self.ports)];
        let all: Vec<(&'static str, Own)> = lists
            .into_iter()
            .flat_map(|(kind, list)| list.iter().map(move |own| (kind, own.clone())))
            .collect();
        let Some((kind, own)) = all.choose(&mut self.random).cloned() else { return Ok(true) };
        let version = self.counter.fetch_add(1, Ordering::Relaxed);
        let new = format!("{}.{version}", crate::ledger::base(&own.name));
        self.ledger.lock().renaming(&own.name, &new);
        let member = &kind[..kind.len() - 1];
        let answer =
            self.client.put(&format!("/v2.0/{kind}/{}", own.id), &json!({member: {"name": new}})).await;
        match self.sort(&format!("PUT {kind} {}", own.name), answer) {
            Came::Unknown => return Ok(false),
            Came::Refused(status) => {
                let mut ledger = self.ledger.lock();
                ledger.renamed(&own.name, false);
                ledger.outrages.push(format!("{} could not be renamed: {status}", own.name));
            }
            Came::Done(_) => self.ledger.lock().renamed(&own.name, true),
        }
        Ok(true)
    }

    /// Gives a port another address: one is taken and one given back.
    async fn move_port(&mut self) -> Result<bool> {
        let Some(port) = self.ports.choose(&mut self.random).cloned() else { return Ok(true) };
        let Some(subnet) = self.subnets.iter().find(|subnet| subnet.network == port.network) else {
            return Ok(true);
        };
        let shown = self.client.get(&format!("/v2.0/subnets/{}", subnet.id)).await;
        let Came::Done(shown) = self.sort("GET subnet", shown) else { return Ok(false) };
        let cidr = shown["subnet"]["cidr"].as_str().unwrap_or_default().to_owned();
        let Some((start, _)) = cidr.rsplit_once('.') else { return Ok(true) };
        let address = format!("{start}.{}", self.random.random_range(2..15));
        let body = json!({"port": {"fixed_ips": [{"subnet_id": subnet.id, "ip_address": address}]}});
        let answer = self.client.put(&format!("/v2.0/ports/{}", port.id), &body).await;
        Ok(!matches!(self.sort(&format!("PUT ports {} {address}", port.name), answer), Came::Unknown))
    }

    async fn delete_port(&mut self) -> Result<bool> {
        if self.ports.is_empty() {
            return Ok(true);
        }
        let port = self.ports.swap_remove(self.random.random_range(0..self.ports.len()));
        self.delete("ports", &port).await
    }

    async fn delete_subnet(&mut self) -> Result<bool> {
        let free = |subnet: &Own| !self.ports.iter().any(|port| port.network == subnet.network);
        let Some(at) = self.subnets.iter().position(free) else { return self.delete_port().await };
        let subnet = self.subnets.swap_remove(at);
        self.delete("subnets", &subnet).await
    }

    /// A network without ports; its subnets go with it.
    async fn delete_network(&mut self) -> Result<bool> {
        let free = |network: &Own| !self.ports.iter().any(|port| port.network == network.id);
        let Some(at) = self.networks.iter().position(free) else { return self.delete_port().await };
        let network = self.networks.swap_remove(at);
        let (gone, kept): (Vec<Own>, Vec<Own>) =
            self.subnets.drain(..).partition(|subnet| subnet.network == network.id);
        self.subnets = kept;
        for subnet in &gone {
            self.ledger.lock().deleted(&subnet.name, Fate::Unknown);
        }
        let going_on = self.delete("networks", &network).await?;
        if going_on {
            for subnet in &gone {
                self.ledger.lock().deleted(&subnet.name, Fate::Done);
            }
        }
        Ok(going_on)
    }

    async fn delete(&mut self, kind: &'static str, own: &Own) -> Result<bool> {
        self.ledger.lock().deleted(&own.name, Fate::Unknown);
        let answer = self.client.delete(&format!("/v2.0/{kind}/{}", own.id)).await;
        match self.sort(&format!("DELETE {kind} {}", own.name), answer) {
            Came::Unknown => Ok(false),
            Came::Refused(status) => {
                let mut ledger = self.ledger.lock();
                ledger.deleted(&own.name, Fate::Refused);
                ledger.outrages.push(format!("{kind} {} could not be deleted: {status}", own.name));
                Ok(true)
            }
            Came::Done(_) => {
                self.ledger.lock().deleted(&own.name, Fate::Done);
                Ok(true)
            }
        }
    }
}
