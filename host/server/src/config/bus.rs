//! The message bus.

use hadron_bus::{Amqp, Bus, Durability, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::time::Duration;

/// Where Linux says how this host is called.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub(crate) url: SecretString,
    pub(crate) host: String,
    pub(crate) exchange: String,
    pub(crate) heartbeat_s: u64,
    pub(crate) durable: bool,
    pub(crate) expiry_s: u64,
    pub(crate) notifications: Vec<String>,
}

impl Section {
    /// The broker, if there is one.
    fn url(&self) -> Option<Result<Url, String>> {
        let url = self.url.expose_secret();
        (!url.is_empty()).then(|| url.parse())
    }

    /// What is wrong.
    pub(super) fn problem(&self) -> Option<String> {
        if self.exchange.is_empty() {
            return Some("bus.exchange must not be empty".to_owned());
        }
        self.url()?.err().map(|problem| format!("bus.url: {problem}"))
    }

    /// For people: without a password.
    pub(crate) fn shown(&self) -> String {
        match self.url() {
            Some(Ok(url)) => format!("RabbitMQ {}", url.shown()),
            _ => "in process".to_owned(),
        }
    }

    /// How this server's host is called.
    fn host(&self) -> String {
        let given = Some(self.host.trim().to_owned()).filter(|host| !host.is_empty());
        let named = || std::fs::read_to_string(HOSTNAME).ok().map(|name| name.trim().to_owned());
        given.or_else(named).filter(|host| !host.is_empty()).unwrap_or_else(|| "localhost".to_owned())
    }

    /// Makes it; a broker is connected to in the background.
    pub(crate) fn start(&self) -> Bus {
        let host = self.host();
        // What cannot be read was told when the configuration was checked.
        let Some(Ok(url)) = self.url() else { return Bus::in_process(&host) };
        Bus::amqp(Amqp {
            url,
            exchange: self.exchange.clone(),
            heartbeat: Duration::from_secs(self.heartbeat_s),
            durability: if self.durable { Durability::Durable } else { Durability::Transient },
            expiry: Duration::from_secs(self.expiry_s),
            notification_topics: self.notifications.clone(),
            // As Neutron's, since consumers tell services apart by it.
            publisher: format!("network.{host}"),
            host,
        })
    }
}
