//! Hosts with the kernel's bridges, and this project's Linux bridge agent on them.

use crate::cloud::{Port, bus, word};
use crate::{Interface, Vm, run};
use anyhow::{Context, Result};
use hadron_agent::linuxbridge::{self, Settings, VXLAN_PORT};
use hadron_bus::Bus;
use hadron_sdk_testing::Client;
use hadron_test_support::RabbitMq;
use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A host: a network namespace. It goes when this is dropped.
pub struct BridgedHost {
    namespace: String,
}

impl BridgedHost {
    /// Makes one; the name is made unique by the process's id. None where
    /// something is missing, which is said loudly, and is a failure when
    /// `HADRON_TEST_NO_SKIP=1`.
    pub fn start(name: &str) -> Option<Self> {
        if let Some(why) = missing() {
            assert!(std::env::var("HADRON_TEST_NO_SKIP").as_deref() != Ok("1"), "{why}");
            eprintln!("\n=== SKIPPED: tests with Linux bridges ({why}) ===\n");
            return None;
        }
        let host = Self { namespace: format!("hadron-lb-{}-{name}", std::process::id()) };
        run(Command::new("ip").args(["netns", "add", &host.namespace]));
        run(&mut host.inside(&["ip", "link", "set", "lo", "up"]));
        Some(host)
    }

    /// A program that is run on it.
    pub fn inside(&self, command: &[&str]) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.namespace]).args(command).stdin(Stdio::null());
        inside
    }

    /// What a program on it says.
    pub fn says(&self, command: &[&str]) -> String {
        let output = self.inside(command).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Joins it to another by a wire; each has this interface at its end.
    pub fn wire(&self, other: &BridgedHost, interface: &str) {
        let peer = ["type", "veth", "peer", "name", interface, "netns", &other.namespace];
        run(Command::new("ip").args(["link", "add", interface, "netns", &self.namespace]).args(peer));
        for host in [self, other] {
            run(&mut host.inside(&["ip", "link", "set", interface, "up"]));
        }
    }

    /// Starts a virtual machine with a tap that is plugged into no bridge.
    pub fn plug(&self, interface: Interface<'_>) -> Vm {
        let tap = tap(interface.port);
        Vm::start(format!("{}-{}", self.namespace, &interface.port[..8]), &self.namespace, &tap, interface)
    }

    /// Whether the kernel has links for VLANs.
    pub fn has_vlans(&self) -> bool {
        let add = ["ip", "link", "add", "link", "lo", "name", "probe", "type", "vlan", "id", "1"];
        self.inside(&add).stderr(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for BridgedHost {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

/// The name of a port's tap.
pub fn tap(port: &str) -> String {
    format!("tap{}", &port[..11])
}

/// What keeps an agent from working here.
fn missing() -> Option<String> {
    let namespaces = Command::new("ip").args(["netns", "list"]).output();
    if !namespaces.is_ok_and(|o| o.status.success()) {
        return Some("there is no `ip netns`".to_owned());
    }
    for (program, option) in [("nft", "--version"), ("ethtool", "--version"), ("socat", "-V")] {
        if Command::new(program).arg(option).output().is_err() {
            return Some(format!("{program} is not installed"));
        }
    }
    if !Path::new("/proc/sys/net/bridge").exists() {
        return Some("the kernel has no br_netfilter".to_owned());
    }
    let id = Command::new("id").arg("-u").output().unwrap();
    (id.stdout != b"0\n").then(|| "it needs root".to_owned())
}

/// How the agent of a host with this name is set up in tests: without physical
/// networks and tunnels.
pub fn settings(name: &str) -> Settings {
    Settings {
        host: name.to_owned(),
        physical_interface_mappings: BTreeMap::new(),
        bridge_mappings: BTreeMap::new(),
        enable_vxlan: false,
        local_ip: None,
        vxlan_group: None,
        ttl: None,
        udp_dstport: VXLAN_PORT,
        report_interval: Duration::from_secs(5),
    }
}

/// The same, with tunnels that end at this address.
pub fn tunnelling(name: &str, ip: [u8; 4]) -> Settings {
    Settings { enable_vxlan: true, local_ip: Some(IpAddr::from(ip)), ..settings(name) }
}

/// The agent, running in a thread that is on the host; only its bus is not.
pub struct BridgeAgent {
    stop: CancellationToken,
    running: JoinHandle<Result<()>>,
    bus: Bus,
}

impl BridgeAgent {
    /// Starts it, with a broker.
    pub fn start(broker: &RabbitMq, host: &BridgedHost, settings: Settings) -> Result<BridgeAgent> {
        let bus = bus(broker, &settings.host)?;
        let stop = CancellationToken::new();
        let namespace = File::open(Path::new("/run/netns").join(&host.namespace))?;
        let (agents_bus, agents_stop) = (bus.clone(), stop.clone());
        let running = std::thread::spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).context("a thread does not get to the host")?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(linuxbridge::run(settings, agents_bus, agents_stop));
            Ok(())
        });
        Ok(BridgeAgent { stop, running, bus })
    }

    /// Has it end; what the kernel carries stays.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        let ended = tokio::task::spawn_blocking(|| self.running.join()).await?;
        ended.map_err(|_| anyhow::anyhow!("the agent panicked"))??;
        self.bus.close().await;
        Ok(())
    }
}

/// Makes a port of a network for a virtual machine and plugs that into a host,
/// which has this name; `more` is what the port has besides.
pub async fn plug(
    client: &Client,
    host: &BridgedHost,
    name: &str,
    network: &str,
    more: Value,
) -> Result<Port> {
    let mut body = json!({"network_id": network, "binding:host_id": name,
        "device_owner": "compute:nova", "device_id": "vm"});
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    let port = crate::cloud::create(client, "port", body).await?;
    anyhow::ensure!(port["binding:vif_type"] == "bridge", "a port is not bound: {port}");
    let (id, mac) = (word(&port, "id")?, word(&port, "mac_address")?);
    let address = word(&port["fixed_ips"][0], "ip_address")?;
    let vm = host.plug(Interface { port: &id, mac: &mac, address: &format!("{address}/24") });
    Ok(Port { id, mac, address, vm })
}
