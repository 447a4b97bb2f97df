//! The message bus.

use hadron_bus::{Amqp, Bus, Durability, Tls, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where Linux says how this host is called.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub(crate) url: SecretString,
    pub(crate) host: String,
    pub(crate) exchange: String,
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) heartbeat_s: u64,
    pub(crate) prefetch: u16,
    pub(crate) durable: bool,
    pub(crate) quorum: bool,
    pub(crate) transient_quorum: bool,
    pub(crate) queue_manager: bool,
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
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.exchange.is_empty() {
            problems.push("bus.exchange must not be empty".to_owned());
        }
        match self.url() {
            None => {}
            Some(Err(problem)) => problems.push(format!("bus.url: {problem}")),
            Some(Ok(url)) => problems.extend(self.about_tls(url.is_tls())),
        }
        problems
    }

    fn about_tls(&self, is_tls: bool) -> Vec<String> {
        let files = [("bus.ca", &self.ca), ("bus.certificate", &self.certificate), ("bus.key", &self.key)];
        let given = files.into_iter().filter(|(_, path)| is_given(path));
        if !is_tls {
            return given
                .map(|(name, _)| format!("{name} is for a bus.url that begins with amqps://"))
                .collect();
        }
        let mut problems = Vec::new();
        if !is_given(&self.ca) {
            problems.push(
                "bus.url with TLS needs bus.ca, the certificates that the broker's must lead to".to_owned(),
            );
        }
        if is_given(&self.certificate) != is_given(&self.key) {
            problems.push("bus.certificate and bus.key need each other".to_owned());
        }
        if problems.is_empty() {
            problems.extend(
                self.tls().check().err().map(|why| format!("bus.ca, bus.certificate, bus.key: {why}")),
            );
        }
        problems
    }

    fn tls(&self) -> Tls {
        let identity = is_given(&self.certificate).then(|| (self.certificate.clone(), self.key.clone()));
        Tls { ca: self.ca.clone(), identity }
    }

    fn durability(&self) -> Durability {
        match (self.quorum, self.durable) {
            (true, _) => Durability::Quorum,
            (false, true) => Durability::Durable,
            (false, false) => Durability::Transient,
        }
    }

    /// For people: without a password.
    pub(crate) fn shown(&self) -> String {
        match self.url() {
            Some(Ok(url)) => format!("RabbitMQ {}", url.shown()),
            _ => "in process".to_owned(),
        }
    }

    /// Whether there is one.
    pub(crate) fn has_broker(&self) -> bool {
        self.url().is_some()
    }

    /// What this host is called.
    pub(crate) fn host(&self) -> String {
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
            tls: self.tls(),
            exchange: self.exchange.clone(),
            heartbeat: Duration::from_secs(self.heartbeat_s),
            prefetch: self.prefetch,
            durability: self.durability(),
            transient_quorum: self.transient_quorum,
            stable_names: self.queue_manager,
            expiry: Duration::from_secs(self.expiry_s),
            notification_topics: self.notifications.clone(),
            // As Neutron's, since consumers tell services apart by it.
            publisher: format!("network.{host}"),
            host,
        })
    }
}

fn is_given(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}
