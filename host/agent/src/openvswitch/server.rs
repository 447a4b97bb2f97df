//! What the agent asks the server and tells it. In Neutron: `PluginReportStateAPI`,
//! `OVSPluginApi`, `ResourcesPullRpcApi`.

use super::Settings;
use super::objects::VERSIONS;
use hadron_bus::{Bus, CallError, Message, Version};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// What the server calls this type of agent.
const AGENT_TYPE: &str = "Open vSwitch agent";
const REPORTS: &str = "q-reports-plugin";
const PLUGIN: &str = "q-plugin";

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Objects that are asked for at once: an answer stays small.
const AT_ONCE: usize = 100;

/// The server, over the bus.
#[derive(Clone)]
pub(super) struct Server {
    bus: Bus,
    host: String,
}

impl Server {
    /// The server as the agent on this host asks it.
    #[must_use]
    pub(super) fn new(bus: Bus, host: &str) -> Server {
        Server { bus, host: host.to_owned() }
    }

    async fn ask(&self, topic: &str, minor: u32, method: &str, arguments: Value) -> Result<Value, CallError> {
        let version = Version { major: 1, minor };
        self.bus.call(Message { version, ..Message::new(topic, method, arguments) }, PATIENCE).await
    }

    /// Whether the server is there.
    ///
    /// # Errors
    /// The bus's, and when nobody answers in time.
    pub(super) async fn is_alive(&self) -> Result<bool, CallError> {
        Ok(self.ask(REPORTS, 0, "has_alive_neutron_server", json!({})).await? == true)
    }

    /// Says that the agent lives, and how it is set up; `devices` is how many are
    /// plugged in. Whether the server thought it dead, so that everything is to be
    /// asked for again.
    ///
    /// # Errors
    /// As [`Server::is_alive`].
    pub(super) async fn report(
        &self,
        settings: &Settings,
        devices: usize,
        is_first: bool,
    ) -> Result<bool, CallError> {
        let tunnels: Vec<&String> = settings.tunnel_types.iter().collect();
        let mut state = json!({
            "agent_type": AGENT_TYPE,
            "binary": "hadron-openvswitch-agent",
            "host": self.host,
            "topic": "N/A",
            "configurations": {
                "bridge_mappings": settings.bridge_mappings,
                "integration_bridge": settings.integration_bridge,
                "datapath_type": settings.datapath_type,
                "tunnel_types": tunnels,
                "tunneling_ip": settings.local_ip.map_or_else(String::new, |ip| ip.to_string()),
                "devices": devices,
                "extensions": [],
                "l2_population": false,
                "arp_responder_enabled": false,
                "enable_distributed_routing": false,
                "in_distributed_mode": false,
                "log_agent_heartbeats": false,
                "ovs_hybrid_plug": false,
                "vhostuser_socket_dir": "/var/run/openvswitch",
                "ovs_capabilities": {"datapath_types": [settings.datapath_type], "iface_types": []},
            },
        });
        if is_first && let Some(state) = state.as_object_mut() {
            state.insert("start_flag".to_owned(), json!(true));
            state.insert("resource_versions".to_owned(), json!(BTreeMap::from(VERSIONS)));
        }
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string();
        let arguments = json!({"agent_state": {"agent_state": state}, "time": now});
        Ok(self.ask(REPORTS, 2, "report_state", arguments).await? == "revived")
    }

    /// Tunnels of that type end here at that address; where they end elsewhere.
    ///
    /// # Errors
    /// As [`Server::is_alive`].
    pub(super) async fn tunnels(&self, kind: &str, ip: IpAddr) -> Result<Vec<IpAddr>, CallError> {
        let arguments = json!({"tunnel_ip": ip, "tunnel_type": kind, "host": self.host});
        let answer = self.ask(PLUGIN, 4, "tunnel_sync", arguments).await?;
        let ends = answer.get("tunnels").and_then(Value::as_array).into_iter().flatten();
        let ends = ends.filter_map(|end| end.get("ip_address")?.as_str()?.parse().ok());
        Ok(ends.filter(|end| *end != ip).collect())
    }

    /// Objects of a kind of which a field has one of these values.
    ///
    /// # Errors
    /// As [`Server::is_alive`].
    pub(super) async fn objects(
        &self,
        kind: &str,
        field: &str,
        values: &[String],
    ) -> Result<Vec<Value>, CallError> {
        let version = VERSIONS.iter().find(|(known, _)| *known == kind).map_or("1.0", |(_, version)| version);
        let mut objects = Vec::new();
        for some in values.chunks(AT_ONCE) {
            let arguments =
                json!({"resource_type": kind, "version": version, "filter_kwargs": {field: some}});
            if let Value::Array(answer) = self.ask(PLUGIN, 1, "bulk_pull", arguments).await? {
                objects.extend(answer);
            }
        }
        Ok(objects)
    }

    /// Devices that are plugged in and work, and those that do not any more.
    ///
    /// # Errors
    /// As [`Server::is_alive`].
    pub(super) async fn devices(&self, up: &[String], down: &[String]) -> Result<(), CallError> {
        let arguments = json!({"devices_up": up, "devices_down": down, "host": self.host,
            "agent_id": format!("ovs-agent-{}", self.host), "refresh_tunnels": false});
        self.ask(PLUGIN, 9, "update_device_list", arguments).await.map(drop)
    }
}
