//! A network: what is said of it is put together, and its dnsmasq follows from
//! that as a whole.

use super::device::{self, Device};
use super::dnsmasq::{self, Files};
use super::network::{Network, Port};
use super::plugin::{self, Plugin, Wish};
use super::{Counts, Settings, commands, files, leases};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What the device of a port is that waits for the next agent. In Neutron:
/// `DEVICE_ID_RESERVED_DHCP_PORT`.
const RESERVED: &str = "reserved_dhcp_port";

/// How long older news of a port may come after those of its end.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// What an agent works with.
pub(super) struct Context {
    pub(super) settings: Settings,
    pub(super) plugin: Plugin,
}

/// Something that was said of a network.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// It is like this.
    Whole(Box<Network>),
    /// The server is to be asked how it is.
    Pull,
    /// A port was made or changed.
    Put(Box<Port>),
    /// A port is gone.
    Drop(String),
    /// It is not served any more.
    Leave,
    /// Its dnsmasq has ended.
    Died,
    /// What failed is tried again.
    Again,
}

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// It is not served.
    pub(super) is_left: bool,
    /// Ports that are served, as far as they have changed.
    pub(super) changed: Vec<String>,
    /// All of them, if any of them may be new.
    pub(super) all: Vec<String>,
}

/// Why a network is not served as it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Plugin(#[from] plugin::Error),
    #[error(transparent)]
    Device(#[from] device::Error),
    #[error(transparent)]
    Command(#[from] commands::Error),
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    #[error("the server has no place for this agent's port any more")]
    NoPlace,
    #[error("this agent's port has no address on a subnet yet")]
    NoAddress,
    #[error("this agent's port was changed")]
    PortChanged,
}

impl Error {
    /// Whether it may go better without further news. Where addresses ran out, or
    /// what a port is for is gone, news come when that changes. In Neutron:
    /// `_call_driver`.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Error::NoPlace => false,
            Error::Plugin(error) => error.class() != Some("IpAddressGenerationFailure"),
            _ => true,
        }
    }

    /// Whether the network is not this agent's any more.
    fn is_of_others(&self) -> bool {
        matches!(self, Error::Plugin(error) if error.class() == Some("NetworkNotFound"))
    }
}

/// A network and what was done for it.
pub(super) struct Served {
    id: String,
    network: Option<Network>,
    /// Ports that are gone, since when that is known.
    gone: BTreeMap<String, Instant>,
    plugged: Option<Device>,
    is_running: bool,
    /// What was done for it was begun to be removed.
    is_leaving: bool,
}

impl Served {
    /// One of which nothing is known yet.
    pub(super) fn new(id: &str) -> Served {
        Served {
            id: id.to_owned(),
            network: None,
            gone: BTreeMap::new(),
            plugged: None,
            is_running: false,
            is_leaving: false,
        }
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// What is served of it.
    pub(super) fn counts(&self) -> Counts {
        let Some(network) = &self.network else { return Counts::default() };
        Counts { networks: 1, subnets: network.subnets.len(), ports: network.ports.len() }
    }

    /// Whether its dnsmasq should run and does not.
    pub(super) fn has_died(&self, settings: &Settings) -> bool {
        self.is_running && dnsmasq::running(&Files::of(settings, &self.id)).is_none()
    }

    /// Takes in what was said, in that order, and has dnsmasq be as it should.
    ///
    /// # Errors
    /// What failed. The server is to be asked before it is tried again.
    pub(super) async fn take(&mut self, changes: Vec<Change>, context: &Context) -> Result<Outcome, Error> {
        let device_id = device_id(&context.settings.host, &self.id);
        let mut outcome = Outcome::default();
        let (mut is_pulled, mut is_left, mut has_all) = (false, false, false);
        let (mut is_news, mut is_uncertain) = (false, false);
        for change in changes {
            is_news |= !matches!(&change, Change::Put(port) if port.device_id == device_id);
            match change {
                Change::Whole(network) => {
                    (is_pulled, is_left, has_all) = (false, false, true);
                    self.plugged = None;
                    self.network = Some(*network);
                }
                Change::Again if self.is_leaving => is_left = true,
                Change::Pull | Change::Again => (is_pulled, is_left) = (true, false),
                Change::Leave => (is_pulled, is_left) = (false, true),
                Change::Died => self.plugged = None,
                Change::Drop(id) => {
                    self.gone.insert(id.clone(), Instant::now());
                    let Some(network) = &mut self.network else { continue };
                    is_uncertain |= network.port_of(&device_id).is_some_and(|own| own.id == id);
                    network.ports.retain(|port| port.id != id);
                }
                Change::Put(port) => {
                    let Some(network) = &mut self.network else { continue };
                    if self.gone.contains_key(&port.id) {
                        continue;
                    }
                    let own = network.port_of(&device_id).filter(|own| own.id == port.id);
                    is_uncertain |= own.is_some_and(|own| own.fixed_ips != port.fixed_ips);
                    is_pulled |= network.contradicts(&port);
                    outcome.changed.push(port.id.clone());
                    network.put(*port);
                }
            }
        }
        if is_uncertain && !is_pulled && !is_left {
            // A subnet or the network may be about to go too: a port that is given
            // an address at once would be in the way.
            return Err(Error::PortChanged);
        }
        if !is_news {
            // Only what this agent has just done itself.
            return Ok(outcome);
        }
        if is_pulled {
            self.plugged = None;
            has_all = true;
            self.network = context.plugin.network(&self.id).await?;
            is_left = self.network.is_none();
        }
        self.gone.retain(|_, since| since.elapsed() < REMEMBERED);
        if let Some(network) = &mut self.network {
            network.ports.retain(|port| !self.gone.contains_key(&port.id));
        }
        if is_left || !self.network.as_ref().is_some_and(Network::is_served) {
            self.leave(context, &device_id).await?;
            return Ok(Outcome { is_left: true, ..Outcome::default() });
        }
        self.is_leaving = false;
        match self.serve(context, &device_id).await {
            Ok(()) => {}
            Err(error) if error.is_of_others() => {
                tracing::info!(network = self.id, "the network is served by this agent no more");
                self.leave(context, &device_id).await?;
                return Ok(Outcome { is_left: true, ..Outcome::default() });
            }
            Err(error) => return Err(error),
        }
        if has_all && let Some(network) = &self.network {
            outcome.all = network.ports.iter().map(|port| port.id.clone()).collect();
        }
        Ok(outcome)
    }

    /// Has its port, interface and dnsmasq be as they should.
    async fn serve(&mut self, context: &Context, device_id: &str) -> Result<(), Error> {
        let Some(network) = &mut self.network else { return Ok(()) };
        let folder = Files::of(&context.settings, &self.id).folder().to_owned();
        std::fs::create_dir_all(&folder).map_err(|error| Error::File(folder.display().to_string(), error))?;
        let port = port(network, context, device_id).await?;
        network.put(port.clone());
        let wanted = device::of(network, &port);
        if self.plugged.as_ref() != Some(&wanted) {
            wanted.plug(&context.settings, &self.id).await?;
            self.plugged = Some(wanted);
        }
        let namespace = device::namespace(&self.id);
        follow(&context.settings, network, &namespace).await?;
        self.is_running = true;
        Ok(())
    }

    /// Removes all that was done for it.
    async fn leave(&mut self, context: &Context, device_id: &str) -> Result<(), Error> {
        self.network = None;
        self.plugged = None;
        self.is_running = false;
        self.is_leaving = true;
        let files = Files::of(&context.settings, &self.id);
        if let Some(running) = dnsmasq::running(&files) {
            running.stop(&files).await;
        }
        device::unplug(&context.settings, &self.id).await?;
        context.plugin.release_port(&self.id, device_id).await?;
        // Last: as long as it is there, this is done again.
        match std::fs::remove_dir_all(files.folder()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::File(files.folder().display().to_string(), error))
            }
            _ => {
                tracing::info!(network = self.id, "the network is not served any more");
                Ok(())
            }
        }
    }
}

/// A file's lines.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Has dnsmasq run with what follows from a network.
async fn follow(settings: &Settings, network: &Network, namespace: &str) -> Result<(), Error> {
    let files = Files::of(settings, &network.id);
    let domain = &settings.dns_domain;
    let hosts = files::hosts(network, domain);
    let hosts_before = read(&files.hosts());
    let (before, now) = (files::owners(&hosts_before), files::owners(&hosts));
    let others = [
        (files.addn_hosts(), files::addn_hosts(network, domain)),
        (files.opts(), files::opts(network, domain)),
    ];
    // In which order ports came means nothing, and is another after a restart.
    let is_same = sorted(&hosts) == sorted(&hosts_before)
        && others.iter().all(|(path, text)| sorted(&read(path)) == sorted(text));
    let arguments = dnsmasq::arguments(settings, network, &files);
    let running = dnsmasq::running(&files).filter(|running| running.is(&arguments, namespace));
    // Debian's dnsmasq 2.90 crashes when it reads hosts with tags again while their
    // machines have leases.
    let is_reloadable = !hosts.contains(",set:") && !hosts_before.contains(",set:");
    let has_stale = leases::has_stale(&read(&files.leases()), &before, &now);
    let write_all = || {
        write(&files.hosts(), &hosts)?;
        others.iter().try_for_each(|(path, text)| write(path, text))
    };
    match running {
        Some(_) if is_same && !has_stale => Ok(()),
        Some(running) if is_reloadable && !has_stale => {
            write_all()?;
            running.reload();
            tracing::debug!(network = network.id, "dnsmasq reads its files again");
            Ok(())
        }
        _ => {
            // Whatever runs with the network's files, as it may be.
            if let Some(running) = dnsmasq::running(&files) {
                running.stop(&files).await;
            }
            write(&files.leases(), &leases::renewed(&read(&files.leases()), &before, &now))?;
            write_all()?;
            dnsmasq::start(namespace, &arguments).await?;
            tracing::info!(network = network.id, "dnsmasq was started");
            Ok(())
        }
    }
}

/// The port that a network is served through, with an address on each subnet that
/// is: the agent's own, else one that was left for it, else a new one.
async fn port(network: &Network, context: &Context, device_id: &str) -> Result<Port, Error> {
    let plugin = &context.plugin;
    let own = network.port_of(device_id);
    if let Some(own) = own.filter(|own| missing(network, own).is_empty() && surplus(network, own) == 0) {
        return Ok(own.clone());
    }
    let left = network.ports.iter().filter(|port| port.device_id == RESERVED);
    let mut answer = None;
    for port in own.into_iter().chain(left.filter(|_| own.is_none())) {
        answer = plugin.update_port(&port.id, &wish(network, device_id, Some(port))).await?;
        if answer.is_some() {
            break;
        }
    }
    if answer.is_none() && own.is_none() {
        answer = plugin.create_port(&wish(network, device_id, None)).await?;
    }
    let port = answer.ok_or(Error::NoPlace)?;
    if missing(network, &port).is_empty() { Ok(port) } else { Err(Error::NoAddress) }
}

/// What a port should be like that has these addresses now.
fn wish<'a>(network: &'a Network, device_id: &'a str, port: Option<&Port>) -> Wish<'a> {
    let is_served = |id: &str| network.served().any(|subnet| subnet.id == id);
    let fixed_ips = port.into_iter().flat_map(|port| &port.fixed_ips);
    let kept = fixed_ips.filter(|fixed| is_served(&fixed.subnet_id)).cloned().collect();
    let new = match port {
        Some(port) => missing(network, port),
        None => network.served().map(|subnet| subnet.id.clone()).collect(),
    };
    Wish { network, device_id, kept, new }
}

/// Subnets that are served and that a port has no address of.
fn missing(network: &Network, port: &Port) -> Vec<String> {
    let has = port.subnets();
    network
        .served()
        .filter(|subnet| !has.contains(subnet.id.as_str()))
        .map(|subnet| subnet.id.clone())
        .collect()
}

/// How many subnets it has addresses of that are not served.
fn surplus(network: &Network, port: &Port) -> usize {
    let served = |id: &&str| network.served().any(|subnet| subnet.id == *id);
    port.subnets().into_iter().filter(|id| !served(id)).count()
}

/// What a network's port of the agent on a host belongs to. In Neutron:
/// `get_dhcp_agent_device_id`, of the host's name without its domain.
fn device_id(host: &str, network_id: &str) -> String {
    let name = host.split('.').next().unwrap_or(host);
    format!("dhcp{}-{network_id}", Uuid::new_v5(&Uuid::NAMESPACE_DNS, name.as_bytes()))
}

/// What is in a file; nothing if it is not there.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Replaces a file as a whole.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|error| Error::File(path.display().to_string(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As Neutron's agent on host `h1` names it.
    #[test]
    fn the_device_is_named_after_host_and_network() {
        let id = "11111111-0000-4000-8000-000000000001";
        let wanted = format!("dhcp8839d356-f787-5a0b-8010-d454645c55f8-{id}");
        assert_eq!(device_id("h1", id), wanted);
        assert_eq!(device_id("h1.example.org", id), wanted);
    }

    #[test]
    fn a_port_keeps_the_addresses_of_subnets_that_are_served() {
        let network: Network = serde_json::from_value(json!({"id": "n", "subnets": [
            {"id": "a", "cidr": "10.0.0.0/24", "enable_dhcp": true},
            {"id": "b", "cidr": "10.1.0.0/24", "enable_dhcp": false},
            {"id": "c", "cidr": "10.2.0.0/24", "enable_dhcp": true}]}))
        .unwrap();
        let port: Port = serde_json::from_value(json!({"id": "p", "mac_address": "m", "fixed_ips": [
            {"subnet_id": "a", "ip_address": "10.0.0.2"}, {"subnet_id": "b", "ip_address": "10.1.0.2"}]}))
        .unwrap();
        let wish = wish(&network, "d", Some(&port));
        assert_eq!((wish.kept, wish.new), (vec![port.fixed_ips[0].clone()], vec!["c".to_owned()]));
        assert_eq!(surplus(&network, &port), 1);
    }
}
