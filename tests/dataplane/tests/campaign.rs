//! What happens to a cloud, in any order: ports come, change and go while agents,
//! switches, the broker and the server are killed. After each event packets pass
//! where they should and nowhere else. Short in every run, long with
//! `HADRON_TEST_LONG`; `HADRON_TEST_SEED` repeats one that failed.

use anyhow::{Context, Result};
use hadron_dataplane_tests::cloud::{Port, reaches, word};
use hadron_dataplane_tests::{Two, tunnel_ip};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

const SHORT: usize = 4;
const LONG: usize = 150;

/// Ports at the same time: each pair of them is tried after each event.
const FEWEST: usize = 2;
const MOST: usize = 4;

/// The same addresses in both: what is one network's is not the other's.
const CIDR: &str = "10.8.0.0/24";

/// A port, and what decides who reaches it.
struct Known {
    port: Port,
    network: usize,
    is_enabled: bool,
    /// In the default group, which lets its members in, not in one that lets nobody.
    is_open: bool,
}

impl Known {
    fn is_reached_by(&self, other: &Known, all: &[Known]) -> bool {
        // Members of a group are known by their addresses, whatever network these
        // are of.
        let is_member = |one: &Known| one.is_open && one.port.address == other.port.address;
        self.network == other.network
            && self.is_enabled
            && other.is_enabled
            && self.is_open
            && all.iter().any(is_member)
    }
}

struct World {
    two: Two,
    networks: [String; 2],
    groups: [String; 2],
    ports: Vec<Known>,
}

impl World {
    async fn start() -> Result<Option<World>> {
        let Some(two) = Two::start().await? else { return Ok(None) };
        let networks = [two.cloud.network(CIDR).await?, two.cloud.network(CIDR).await?];
        let closed = word(&two.cloud.create("security_group", json!({"name": "closed"})).await?, "id")?;
        let listed = two.cloud.client().get("/v2.0/security-groups?name=default").await?.expect(200)?;
        let open = word(&listed["security_groups"][0], "id")?;
        let mut world = World { two, networks, groups: [closed, open], ports: Vec::new() };
        for host in 0..FEWEST {
            world.plug(host, 0).await?;
        }
        Ok(Some(world))
    }

    async fn plug(&mut self, host: usize, network: usize) -> Result<()> {
        let (name, id) = (Two::NAMES[host], &self.networks[network]);
        let port = self.two.cloud.plug(&self.two.hosts[host], name, id, json!({})).await?;
        self.ports.push(Known { port, network, is_enabled: true, is_open: true });
        Ok(())
    }

    async fn change(&self, port: usize) -> Result<()> {
        let Known { port, is_enabled, is_open, .. } = &self.ports[port];
        let group = &self.groups[usize::from(*is_open)];
        let body = json!({"port": {"admin_state_up": is_enabled, "security_groups": [group]}});
        self.two.cloud.change("ports", &port.id, body).await.map(drop)
    }

    /// Does something; what it was.
    async fn event(&mut self, random: &mut StdRng) -> Result<String> {
        let (host, which) = (random.random_range(0..2), random.random_range(0..self.ports.len()));
        let name = Two::NAMES[host];
        let problem = |problem: String| anyhow::anyhow!(problem);
        Ok(match random.random_range(0..9) {
            0 | 1 if self.ports.len() < MOST => {
                let network = random.random_range(0..2);
                self.plug(host, network).await?;
                format!("a port of network {network} on {name}")
            }
            2 if self.ports.len() > FEWEST => {
                let gone = self.ports.swap_remove(which);
                let path = format!("/v2.0/ports/{}", gone.port.id);
                self.two.cloud.client().delete(&path).await?.expect(204)?;
                format!("{} is deleted", gone.port.address)
            }
            0..3 => {
                self.ports[which].is_enabled ^= true;
                self.change(which).await?;
                format!("{} is enabled: {}", self.ports[which].port.address, self.ports[which].is_enabled)
            }
            3 | 4 => {
                self.ports[which].is_open ^= true;
                self.change(which).await?;
                format!("{} is open: {}", self.ports[which].port.address, self.ports[which].is_open)
            }
            5 => {
                self.two.agents[host].kill();
                // What happens meanwhile it finds when it is back.
                self.ports[which].is_open ^= true;
                self.change(which).await?;
                self.two.agents[host] = self.two.agent(host)?;
                format!("{name}'s agent is killed while {} changes", self.ports[which].port.address)
            }
            6 => {
                self.two.hosts[host].kill_switch();
                self.two.hosts[host].start_switch();
                self.two.hosts[host].address(tunnel_ip(host));
                format!("{name}'s switch is killed")
            }
            7 => {
                self.two.cloud.broker().stop().map_err(problem)?;
                self.ports[which].is_enabled ^= true;
                self.change(which).await?;
                self.two.cloud.broker().restart().map_err(problem)?;
                format!("the broker restarts while {} changes", self.ports[which].port.address)
            }
            _ => {
                self.two.cloud.server_mut().kill9();
                self.two.cloud.server_mut().restart().await?;
                "the server is killed".to_owned()
            }
        })
    }

    /// Packets pass where they should, and nowhere else.
    async fn holds(&self) -> Result<()> {
        for from in &self.ports {
            // One of the other network may have its own address, too.
            for to in self.ports.iter().filter(|to| to.port.address != from.port.address) {
                // Or that of another of its network.
                let is_twin =
                    |other: &&Known| other.network == from.network && other.port.address == to.port.address;
                let target = self.ports.iter().find(is_twin).unwrap_or(to);
                reaches(&from.port, &to.port, target.is_reached_by(from, &self.ports)).await?;
            }
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_pass_where_they_should_whatever_happens() -> Result<()> {
    let events = if std::env::var_os("HADRON_TEST_LONG").is_some() { LONG } else { SHORT };
    let seed = std::env::var("HADRON_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    let Some(mut world) = World::start().await? else { return Ok(()) };
    let mut random = StdRng::seed_from_u64(seed);
    let held = world.holds().await;
    world.two.explain(held)?;
    for number in 1..=events {
        let what =
            world.event(&mut random).await.with_context(|| format!("event {number} of seed {seed}"))?;
        println!("{number}: {what}");
        let held = world.holds().await;
        world.two.explain(held).with_context(|| format!("after event {number} of seed {seed}: {what}"))?;
    }
    println!("{events} events of seed {seed}");
    Ok(())
}
