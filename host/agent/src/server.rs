//! What agents ask the server and tell it. In Neutron: `PluginReportStateAPI`,
//! `PluginApi`, `ResourcesPullRpcApi`.

use crate::objects::VERSIONS;
use hadron_bus::{Bus, CallError, Message, Version};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

const REPORTS: &str = "q-reports-plugin";
/// Where most of what agents ask is answered.
pub const PLUGIN: &str = "q-plugin";

/// Where agents speak of trunks, and the namespace of what they say.
const TRUNKS: &str = "trunk";

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Objects that are asked for at once: an answer stays small.
const AT_ONCE: usize = 100;

/// An agent, as the server knows it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// `Open vSwitch agent`, ….
    pub agent_type: &'static str,
    /// The program's name.
    pub binary: &'static str,
    /// Where the server reaches it: `dhcp_agent`; `N/A` for one that hears fanouts only.
    pub topic: &'static str,
    /// The objects that it is told of, with their versions.
    pub versions: &'static [(&'static str, &'static str)],
}

/// The server, over the bus.
#[derive(Clone)]
pub struct Server {
    bus: Bus,
    kind: Kind,
    host: String,
}

impl Server {
    /// The server as the agent on this host asks it.
    #[must_use]
    pub fn new(bus: Bus, kind: Kind, host: &str) -> Server {
        Server { bus, kind, host: host.to_owned() }
    }

    /// Asks a method of a topic at version 1.`minor`.
    ///
    /// # Errors
    /// The bus's, the server's own, and when nobody answers in 30 s.
    pub async fn ask(
        &self,
        topic: &str,
        minor: u32,
        method: &str,
        arguments: Value,
    ) -> Result<Value, CallError> {
        let version = Version { major: 1, minor };
        self.bus.call(Message { version, ..Message::new(topic, method, arguments) }, PATIENCE).await
    }

    /// Whether the server is there.
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub async fn is_alive(&self) -> Result<bool, CallError> {
        Ok(self.ask(REPORTS, 0, "has_alive_neutron_server", json!({})).await? == true)
    }

    /// Says that the agent lives, and how it is set up. Whether the server thought
    /// it dead, so that everything is to be asked for again.
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub async fn report(&self, configurations: Value, is_first: bool) -> Result<bool, CallError> {
        let Kind { agent_type, binary, topic, versions } = self.kind;
        let mut state = json!({
            "agent_type": agent_type,
            "binary": binary,
            "host": self.host,
            "topic": topic,
            "configurations": configurations,
        });
        if is_first && let Some(state) = state.as_object_mut() {
            state.insert("start_flag".to_owned(), json!(true));
            state
                .insert("resource_versions".to_owned(), json!(BTreeMap::from_iter(versions.iter().copied())));
        }
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string();
        let arguments = json!({"agent_state": {"agent_state": state}, "time": now});
        Ok(self.ask(REPORTS, 2, "report_state", arguments).await? == "revived")
    }

    /// Tunnels of that type end here at that address; where they end elsewhere.
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub async fn tunnels(&self, kind: &str, ip: IpAddr) -> Result<Vec<IpAddr>, CallError> {
        let arguments = json!({"tunnel_ip": ip, "tunnel_type": kind, "host": self.host});
        let answer = self.ask(PLUGIN, 4, "tunnel_sync", arguments).await?;
        let ends = answer.get("tunnels").and_then(Value::as_array).into_iter().flatten();
        let ends = ends.filter_map(|end| end.get("ip_address")?.as_str()?.parse().ok());
        Ok(ends.filter(|end| *end != ip).collect())
    }

    /// Objects of a kind of which a field has one of these values.
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub async fn objects(&self, kind: &str, field: &str, values: &[String]) -> Result<Vec<Value>, CallError> {
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

    /// The MAC addresses of a trunk's sub-ports, which are bound to where the trunk is.
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub async fn bind_sub_ports(
        &self,
        trunk: &str,
        sub_ports: &BTreeMap<String, u16>,
    ) -> Result<BTreeMap<String, String>, CallError> {
        let sub_port = |(port, vlan): (&String, &u16)| {
            let data = json!({"port_id": port, "trunk_id": trunk, "segmentation_type": "vlan",
                "segmentation_id": vlan});
            json!({"versioned_object.name": "SubPort", "versioned_object.namespace": "versionedobjects",
                "versioned_object.version": "1.0", "versioned_object.data": data})
        };
        let listed: Vec<Value> = sub_ports.iter().map(sub_port).collect();
        let answer = self.ask_of_trunks("update_subport_bindings", json!({ "subports": listed })).await?;
        let ports = answer.get(trunk).and_then(Value::as_array).into_iter().flatten();
        let text = |port: &Value, name: &str| Some(port.get(name)?.as_str()?.to_owned());
        Ok(ports.filter_map(|port| Some((text(port, "id")?, text(port, "mac_address")?))).collect())
    }

    /// Says how a trunk is: `ACTIVE`, `DEGRADED`, ….
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub async fn trunk_is(&self, trunk: &str, status: &str) -> Result<(), CallError> {
        let arguments = json!({"trunk_id": trunk, "status": status});
        self.ask_of_trunks("update_trunk_status", arguments).await.map(drop)
    }

    async fn ask_of_trunks(&self, method: &str, arguments: Value) -> Result<Value, CallError> {
        let message = Message::new(TRUNKS, method, arguments);
        self.bus.call(Message { namespace: Some(TRUNKS.to_owned()), ..message }, PATIENCE).await
    }

    /// Devices that are plugged in and work, and those that do not any more; with
    /// `refresh` the server tells anew where all that is in their networks is. Those
    /// that it could not take note of: it is to be told of them again.
    ///
    /// # Errors
    /// As [`Server::ask`]. It may have taken note of some.
    pub async fn devices(
        &self,
        up: &[String],
        down: &[String],
        refresh: bool,
    ) -> Result<BTreeSet<String>, CallError> {
        let mut failed = BTreeSet::new();
        let none: &[String] = &[];
        let ups = up.chunks(AT_ONCE).map(|some| (some, none));
        let downs = down.chunks(AT_ONCE).map(|some| (none, some));
        for (up, down) in ups.chain(downs) {
            let arguments = json!({"devices_up": up, "devices_down": down, "host": self.host,
                "agent_id": format!("{}-{}", self.kind.binary, self.host), "refresh_tunnels": refresh});
            let answer = self.ask(PLUGIN, 9, "update_device_list", arguments).await?;
            for list in ["failed_devices_up", "failed_devices_down"] {
                let listed = answer.get(list).and_then(Value::as_array).into_iter().flatten();
                failed.extend(listed.filter_map(|device| device.as_str().map(str::to_owned)));
            }
        }
        Ok(failed)
    }
}
