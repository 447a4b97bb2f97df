//! Many agents at one server. They say and ask over the bus what an agent says and
//! asks when it starts, and hear what it hears; they have no switch.

use super::print;
use crate::{process, say};
use anyhow::{Context, Result, anyhow};
use hadron_agent::objects::VERSIONS;
use hadron_agent::server::{Kind, Server as Asked};
use hadron_bus::{Amqp, Bus};
use hadron_sdk_testing::{Client, Server};
use hadron_test_support::RabbitMq;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const AGENT: Kind = Kind {
    agent_type: "Open vSwitch agent",
    binary: "hadron-openvswitch-agent",
    topic: "N/A",
    versions: &VERSIONS,
};

/// The broker needs more for so many connections than for one test.
const BROKER: &str = "vm_memory_high_watermark.absolute = 4GB\n";

/// How often agents say that they live; Neutron's default.
const REPORTS: Duration = Duration::from_secs(30);

/// The longest pause before an agent asks again after a broker was lost, as the
/// Open vSwitch agent has it.
const SPREAD: Duration = Duration::from_secs(10);

/// The pause of one that nobody answered.
const PAUSE: Duration = Duration::from_secs(1);

/// Ports that one request makes.
const BULK: usize = 100;

#[derive(Clone)]
struct Agent {
    name: String,
    ip: IpAddr,
    bus: Bus,
    server: Asked,
}

impl Agent {
    fn start(url: &str, number: usize) -> Result<Agent> {
        let name = format!("host-{number}");
        let url = url.parse().map_err(|problem: String| anyhow!(problem))?;
        let bus = Bus::amqp(Amqp::new(url, &name));
        let server = Asked::new(bus.clone(), AGENT, &name);
        let number = u32::try_from(number)?;
        // TEST-NET addresses do not suffice; these are only told, never spoken to.
        let ip = IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 1)) + number));
        for (kind, version) in VERSIONS {
            let mut heard = bus.consume(&format!("neutron-vo-{kind}-{version}"));
            tokio::spawn(async move {
                while let Some(delivery) = heard.next().await {
                    delivery.take().await.answering.send(Ok(Value::Null));
                }
            });
        }
        Ok(Agent { name, ip, bus, server })
    }

    /// Waits until the broker lets it in and the server answers, as agents do.
    async fn met(&self) {
        while !self.server.is_alive().await.unwrap_or(false) {
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn report(&self, is_first: bool) -> Result<()> {
        let configurations = json!({"bridge_mappings": {}, "integration_bridge": "br-int",
            "datapath_type": "system", "tunnel_types": ["vxlan"], "tunneling_ip": self.ip, "devices": 0,
            "extensions": [], "l2_population": false});
        self.server.report(configurations, is_first).await?;
        Ok(())
    }

    /// Asks for everything that it needs, as one that starts. How many messages.
    async fn sync(&self, ports: &[String]) -> Result<usize> {
        self.server.tunnels("vxlan", self.ip).await?;
        let known = self.server.objects("Port", "id", ports).await?;
        anyhow::ensure!(known.len() == ports.len(), "{} of {} ports are told", known.len(), ports.len());
        let mut groups: Vec<String> = known
            .iter()
            .filter_map(|port| port.pointer("/versioned_object.data/security_group_ids")?.as_array())
            .flatten()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect();
        groups.sort_unstable();
        groups.dedup();
        self.server.objects("SecurityGroup", "id", &groups).await?;
        Ok(3)
    }
}

/// What the server spent between two moments.
struct Spent {
    process: u32,
    begun: Instant,
    cpu: Duration,
}

impl Spent {
    fn begin(process: u32) -> Result<Spent> {
        Ok(Spent { process, begun: Instant::now(), cpu: process::cpu(process)? })
    }

    fn end(&self) -> Result<String> {
        let (took, cpu) =
            (self.begun.elapsed().as_secs_f64(), process::cpu(self.process)?.saturating_sub(self.cpu));
        let memory = process::memory(self.process)?.pss_mib;
        Ok(format!(
            "{took:.1} s, {:.1} s of the server's CPU ({:.0} %), {memory:.0} MiB",
            cpu.as_secs_f64(),
            100.0 * cpu.as_secs_f64() / took.max(0.001)
        ))
    }
}

pub(super) async fn measure(count: usize, ports_each: usize) -> Result<()> {
    let Some(broker) = RabbitMq::start_with(BROKER) else { return Ok(()) };
    let server = Server::builder()
        .mechanism_drivers(&["openvswitch"])
        .config(&format!("[bus]\nurl = '{}'\n[quota]\nlimits = ['*=-1']\n", broker.url()))
        .start()
        .await?;
    let process = server.process_id();
    say(&format!("{count} agents begin …"));
    let spent = Spent::begin(process)?;
    let agents: Vec<Agent> =
        (0..count).map(|number| Agent::start(&broker.url(), number)).collect::<Result<_>>()?;
    all(&agents, |agent| async move {
        agent.met().await;
        agent.report(true).await
    })
    .await?;
    print(&format!(
        "{count} agents connect, declare their queues and report for the first time: {}",
        spent.end()?
    ))?;

    let ports = ports(&server.client(), &agents, ports_each).await?;
    say(&format!("{count} agents ask for all …"));
    let spent = Spent::begin(process)?;
    let messages = sync(&agents, &ports).await?;
    let took = spent.begun.elapsed().as_secs_f64();
    print(&format!(
        "{count} agents with {ports_each} ports each ask for all at once, {messages} calls, {:.0} a second: {}",
        messages as f64 / took,
        spent.end()?
    ))?;

    say("agents report at rest …");
    let spent = Spent::begin(process)?;
    let pause = REPORTS.div_f64(count as f64);
    for (number, agent) in agents.iter().enumerate() {
        tokio::time::sleep_until((spent.begun + pause.mul_f64(number as f64)).into()).await;
        agent.report(false).await?;
    }
    tokio::time::sleep_until((spent.begun + REPORTS).into()).await;
    print(&format!("{count} agents report once in {} s: {}", REPORTS.as_secs(), spent.end()?))?;

    say("the broker restarts …");
    broker.stop().map_err(|problem| anyhow!(problem))?;
    let mut renewed = JoinSet::new();
    for (agent, ports) in agents.iter().cloned().zip(ports.clone()) {
        let mut renewals = agent.bus.renewals();
        renewed.spawn(async move {
            anyhow::ensure!(renewals.next(SPREAD).await, "the bus has ended");
            agent.met().await;
            agent.sync(&ports).await
        });
    }
    broker.restart().map_err(|problem| anyhow!(problem))?;
    let spent = Spent::begin(process)?;
    while let Some(done) = renewed.join_next().await {
        done??;
    }
    print(&format!(
        "{count} agents have all again after the broker restarted, each after 5 to {} s: {}",
        SPREAD.as_secs(),
        spent.end()?
    ))?;
    for agent in &agents {
        agent.bus.close().await;
    }
    Ok(())
}

/// Ports of each agent's host, by host.
async fn ports(client: &Client, agents: &[Agent], each: usize) -> Result<Vec<Vec<String>>> {
    say(&format!("{} ports are made …", agents.len() * each));
    let network = hadron_dataplane_tests::cloud::network(client, "10.64.0.0/12").await?;
    let hosts: Vec<&str> =
        agents.iter().flat_map(|agent| std::iter::repeat_n(agent.name.as_str(), each)).collect();
    let mut ids = Vec::with_capacity(hosts.len());
    for some in hosts.chunks(BULK) {
        let bodies = some.iter().map(|host| {
            json!({"network_id": network, "binding:host_id": host, "device_owner": "compute:nova",
                "device_id": "vm"})
        });
        let bodies: Vec<Value> = bodies.collect();
        let made = client.post("/v2.0/ports", &json!({"ports": bodies})).await?.expect(201)?;
        let made = made.get("ports").and_then(Value::as_array).context("no ports were made")?;
        ids.extend(made.iter().filter_map(|port| port.get("id")?.as_str().map(str::to_owned)));
    }
    Ok(ids.chunks(each).map(<[String]>::to_vec).collect())
}

async fn sync(agents: &[Agent], ports: &[Vec<String>]) -> Result<usize> {
    let mut running = JoinSet::new();
    for (agent, ports) in agents.iter().cloned().zip(ports.iter().cloned()) {
        running.spawn(async move { agent.sync(&ports).await });
    }
    let mut messages = 0;
    while let Some(done) = running.join_next().await {
        messages += done??;
    }
    Ok(messages)
}

/// Has all of them do something at the same time.
async fn all<F>(agents: &[Agent], act: impl Fn(Agent) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut running = JoinSet::new();
    agents.iter().cloned().for_each(|agent| drop(running.spawn(act(agent))));
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}
