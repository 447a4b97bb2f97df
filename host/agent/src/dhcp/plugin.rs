//! What DHCP agents ask the server. In Neutron: `DhcpPluginApi`.

use super::Settings;
use super::network::{FixedIp, Network, Port};
use crate::server::{PLUGIN, Server};
use hadron_bus::CallError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The server, for the agent on a host.
#[derive(Clone)]
pub(super) struct Plugin {
    server: Server,
    host: String,
}

/// Why the server gave no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It gave no answer, or an error.
    #[error("the server: {0}")]
    Call(#[from] CallError),
    /// It answered with something else.
    #[error("the server answered with something else: {0}")]
    Unexpected(#[from] serde_json::Error),
}

impl Error {
    /// The class of the exception that the server answered with.
    pub(super) fn class(&self) -> Option<&str> {
        match self {
            Error::Call(CallError::Remote(error)) => Some(&error.class),
            _ => None,
        }
    }
}

/// What a port of an agent's shall have.
pub(super) struct Wish<'a> {
    /// The network that it is on.
    pub(super) network: &'a Network,
    /// What it belongs to.
    pub(super) device_id: &'a str,
    /// The addresses that it has and keeps.
    pub(super) kept: Vec<FixedIp>,
    /// The subnets that it has no address of yet.
    pub(super) new: Vec<String>,
}

impl Wish<'_> {
    fn addresses(&self) -> Vec<Value> {
        let kept = self.kept.iter();
        let kept = kept.map(|fixed| json!({"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address}));
        kept.chain(self.new.iter().map(|subnet| json!({ "subnet_id": subnet }))).collect()
    }
}

impl Plugin {
    /// The server as the agent asks it.
    pub(super) fn new(server: Server, settings: &Settings) -> Plugin {
        Plugin { server, host: settings.host.clone() }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        minor: u32,
        method: &str,
        mut arguments: Value,
    ) -> Result<T, Error> {
        if let Some(arguments) = arguments.as_object_mut() {
            arguments.insert("host".to_owned(), json!(self.host));
        }
        Ok(serde_json::from_value(self.server.ask(PLUGIN, minor, method, arguments).await?)?)
    }

    /// All networks that this agent serves.
    ///
    /// # Errors
    /// The server's. A network that makes no sense is left out.
    pub(super) async fn networks(&self) -> Result<Vec<Network>, Error> {
        let arguments = json!({"enable_dhcp_filter": false});
        let all: Vec<Value> = self.ask(1, "get_active_networks_info", arguments).await?;
        let read = |network: Value| {
            let id = network.get("id").cloned();
            let read = serde_json::from_value(network);
            read.map_err(|error| tracing::error!(?id, %error, "a network makes no sense")).ok()
        };
        Ok(all.into_iter().filter_map(read).collect())
    }

    /// One of them; nothing if it is gone.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn network(&self, id: &str) -> Result<Option<Network>, Error> {
        // All its subnets, as above: those that are not served are told routes to.
        self.ask(0, "get_network_info", json!({"network_id": id, "enable_dhcp": null})).await
    }

    /// A new port of this agent's; nothing if what it is for is gone.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn create_port(&self, wish: &Wish<'_>) -> Result<Option<Port>, Error> {
        let port = json!({"name": "", "admin_state_up": true, "device_id": wish.device_id,
            "network_id": wish.network.id, "project_id": wish.network.project_id, "fixed_ips": wish.addresses()});
        self.ask(1, "create_dhcp_port", json!({"port": {"port": port}})).await
    }

    /// Changes a port of this agent's, or takes one that waits for an agent; nothing
    /// if it is gone, or another's by now.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn update_port(&self, id: &str, wish: &Wish<'_>) -> Result<Option<Port>, Error> {
        let port = json!({"network_id": wish.network.id, "device_id": wish.device_id,
            "fixed_ips": wish.addresses()});
        self.ask(1, "update_dhcp_port", json!({"port_id": id, "port": {"port": port}})).await
    }

    /// Removes the port of a device, if it is there.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn release_port(&self, network_id: &str, device_id: &str) -> Result<(), Error> {
        let arguments = json!({"network_id": network_id, "device_id": device_id});
        self.ask::<Value>(0, "release_dhcp_port", arguments).await.map(drop)
    }

    /// The addresses of these ports are served: nobody must wait for that any more.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn ready(&self, ports: &[String]) -> Result<(), CallError> {
        let arguments = json!({ "port_ids": ports });
        self.server.ask(PLUGIN, 5, "dhcp_ready_on_ports", arguments).await.map(drop)
    }
}
