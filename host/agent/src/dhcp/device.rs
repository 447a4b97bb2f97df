//! Where a network's dnsmasq lives: a namespace with an interface on the network.
//!
//! The interface is one end of a veth pair whose other end is a port of the
//! integration bridge, which the Open vSwitch agent wires as any other. A port of
//! the bridge's own (type `internal`) would be lost to the namespace whenever a
//! switch in user space restarts.
//!
//! Namespaces and links are made by `ip`, addresses and routes in one batch of it:
//! namespaces that others find by name are mounts that `ip netns` keeps, and
//! speaking netlink within another namespace needs a thread of its own that enters
//! it. `ip` does both, and is there wherever Open vSwitch is.

use super::Settings;
use super::commands::{self, run};
use super::dnsmasq::Files;
use super::network::{Network, Port};
use crate::ovsdb::{self, Client};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

/// Before the beginning of the port's id, of the end in the namespace. In Neutron:
/// with `ovs_use_veth`.
const INNER: &str = "ns-";
/// The same, of the end that the bridge has.
const OUTER: &str = "tap";

/// How much of a port's id is in a name: interfaces have at most 15 characters.
const ID_LENGTH: usize = 11;

/// What all interfaces in a namespace are set to: they have the addresses that
/// they are given and no others, at once.
const SYSCTLS: [&str; 2] = ["net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.default.accept_dad=0"];

/// Why a device is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A program failed.
    #[error(transparent)]
    Command(#[from] commands::Error),
    /// The switch's database failed, or has no such bridge.
    #[error("Open vSwitch's database: {0}")]
    Database(#[from] ovsdb::Error),
    /// `ip` printed what it should not.
    #[error("ip printed something else: {0}")]
    Unexpected(#[from] serde_json::Error),
    /// The name of an interface could not be noted.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
}

/// An interface on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    port_id: String,
    mac_address: String,
    /// Each with the length of its prefix.
    addresses: BTreeSet<(IpAddr, u8)>,
    /// Where what is for elsewhere is sent, of IPv4 and IPv6.
    gateways: [Option<IpAddr>; 2],
    mtu: u32,
}

/// The namespace of a network's dnsmasq.
pub(super) fn namespace(network_id: &str) -> String {
    format!("qdhcp-{network_id}")
}

/// The interface that a network is served through, as the port says.
pub(super) fn of(network: &Network, port: &Port) -> Device {
    let served = |id: &str| network.served().find(|subnet| subnet.id == id);
    let addresses = port.fixed_ips.iter();
    let addresses = addresses
        .filter_map(|fixed| Some((fixed.ip_address, served(&fixed.subnet_id)?.cidr.prefix_len())))
        .collect();
    let gateway = |is_v6: bool| {
        network.served().filter(|subnet| subnet.is_v6() == is_v6).find_map(|subnet| subnet.gateway_ip)
    };
    Device {
        port_id: port.id.clone(),
        mac_address: port.mac_address.clone(),
        addresses,
        gateways: [gateway(false), gateway(true)],
        mtu: network.mtu,
    }
}

fn name(prefix: &str, port_id: &str) -> String {
    format!("{prefix}{}", port_id.chars().take(ID_LENGTH).collect::<String>())
}

/// A link, as `ip -json addr` shows it.
#[derive(Debug, Deserialize)]
struct Link {
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Debug, Deserialize)]
struct Address {
    local: IpAddr,
    prefixlen: u8,
    scope: String,
}

impl Device {
    /// What `ip` is to do within the namespace, line by line.
    fn batch(&self, current: &BTreeSet<(IpAddr, u8)>) -> String {
        let inner = name(INNER, &self.port_id);
        let mut lines = format!("link set dev {inner} address {}\n", self.mac_address);
        if self.mtu > 0 {
            let _ = writeln!(lines, "link set dev {inner} mtu {}", self.mtu);
        }
        let _ = writeln!(lines, "link set dev {inner} up");
        for (address, length) in current.difference(&self.addresses) {
            let _ = writeln!(lines, "addr del {address}/{length} dev {inner}");
        }
        for (address, length) in self.addresses.difference(current) {
            let more = if address.is_ipv6() { "nodad" } else { "brd +" };
            let _ = writeln!(lines, "addr add {address}/{length} {more} dev {inner}");
        }
        for gateway in self.gateways.iter().flatten() {
            // It need not be one of the subnet's addresses.
            let _ = writeln!(lines, "route replace default via {gateway} dev {inner} onlink");
        }
        lines
    }

    /// Makes the namespace and the interface, or has them be as they should.
    ///
    /// # Errors
    /// Those of `ip` and of the switch's database; what was done stays.
    pub(super) async fn plug(&self, settings: &Settings, network_id: &str) -> Result<(), Error> {
        let namespace = namespace(network_id);
        ensure_namespace(&namespace).await?;
        let (inner, outer) = (name(INNER, &self.port_id), name(OUTER, &self.port_id));
        let links = links(&namespace).await?;
        let noted = Files::of(settings, network_id).interface();
        remove_all(settings, &links, &noted, Some(&inner)).await?;
        std::fs::write(&noted, &inner).map_err(|error| Error::File(noted.display().to_string(), error))?;
        let own = links.iter().find(|link| link.ifname == inner);
        if own.is_none() {
            // What is left of an end whose namespace is gone.
            let _ = run("ip", &["link", "del", &outer], "").await;
            let peer = ["type", "veth", "peer", "name", &inner, "netns", &namespace];
            run("ip", &[&["link", "add", &outer][..], &peer].concat(), "").await?;
            // A switch in user space computes no checksums that are left to hardware.
            let off = ["netns", "exec", &namespace, "ethtool", "-K", &inner, "tx", "off"];
            run("ip", &off, "").await?;
        }
        let addresses = own.into_iter().flat_map(|link| &link.addr_info);
        let current = addresses.filter(|address| address.scope != "link");
        let current = current.map(|address| (address.local, address.prefixlen)).collect();
        run("ip", &["-n", &namespace, "-batch", "-"], &self.batch(&current)).await?;
        for (family, gateway) in ["-4", "-6"].into_iter().zip(self.gateways) {
            if gateway.is_none() {
                run("ip", &[family, "-n", &namespace, "route", "flush", "default"], "").await?;
            }
        }
        let mut up = vec!["link", "set", "dev", outer.as_str()];
        let mtu = self.mtu.to_string();
        if self.mtu > 0 {
            up.extend(["mtu", mtu.as_str()]);
        }
        up.push("up");
        run("ip", &up, "").await?;
        self.join(settings, &outer).await
    }

    /// Has the bridge have the outer end as a port, by which the Open vSwitch agent
    /// knows it.
    async fn join(&self, settings: &Settings, outer: &str) -> Result<(), Error> {
        let database = Client::connect(&settings.run_folder.join("db.sock")).await?;
        let ids = json!([
            "map",
            [["iface-id", self.port_id], ["iface-status", "active"], ["attached-mac", self.mac_address]]
        ]);
        let named = json!([["name", "==", outer]]);
        let select = json!({"op": "select", "table": "Interface", "where": named, "columns": ["name"]});
        let found = database.transact(vec![select]).await?;
        let is_there = found.first().is_some_and(|result| result.pointer("/rows/0").is_some());
        let bridge = json!([["name", "==", settings.integration_bridge]]);
        let operations = if is_there {
            vec![
                json!({"op": "update", "table": "Interface", "where": named, "row": {"external_ids": ids}}),
                next_configuration(),
            ]
        } else {
            vec![
                // Fails where there is no such bridge yet.
                json!({"op": "wait", "table": "Bridge", "where": bridge, "columns": ["name"], "until": "==",
                    "rows": [{"name": settings.integration_bridge}], "timeout": 0}),
                json!({"op": "insert", "table": "Interface", "uuid-name": "i",
                    "row": {"name": outer, "external_ids": ids}}),
                json!({"op": "insert", "table": "Port", "uuid-name": "p",
                    "row": {"name": outer, "interfaces": ["named-uuid", "i"]}}),
                json!({"op": "mutate", "table": "Bridge", "where": bridge,
                    "mutations": [["ports", "insert", ["named-uuid", "p"]]]}),
                next_configuration(),
            ]
        };
        database.transact(operations).await?;
        Ok(())
    }
}

/// Removes all of a network's interfaces, and its namespace.
///
/// # Errors
/// Those of `ip` and of the switch's database.
pub(super) async fn unplug(settings: &Settings, network_id: &str) -> Result<(), Error> {
    let namespace = namespace(network_id);
    let links = links(&namespace).await.unwrap_or_default();
    remove_all(settings, &links, &Files::of(settings, network_id).interface(), None).await?;
    match run("ip", &["netns", "del", &namespace], "").await {
        // It was not there.
        Err(commands::Error::Failed(_, said)) if said.contains("No such file") => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

/// Removes a network's interfaces but one: those in its namespace, and the one that
/// is noted in a file.
async fn remove_all(
    settings: &Settings,
    links: &[Link],
    noted: &Path,
    but: Option<&str>,
) -> Result<(), Error> {
    let noted = std::fs::read_to_string(noted).unwrap_or_default();
    let names: BTreeSet<&str> =
        links.iter().map(|link| link.ifname.as_str()).chain([noted.as_str()]).collect();
    for name in names.into_iter().filter(|name| Some(*name) != but) {
        if let Some(id) = name.strip_prefix(INNER) {
            remove(settings, id).await?;
        }
    }
    Ok(())
}

/// Removes an interface; `id` is the beginning of its port's id.
async fn remove(settings: &Settings, id: &str) -> Result<(), Error> {
    let outer = name(OUTER, id);
    let database = Client::connect(&settings.run_folder.join("db.sock")).await?;
    crate::bridges::remove_port(&database, &settings.integration_bridge, &outer).await?;
    match run("ip", &["link", "del", &outer], "").await {
        Err(commands::Error::Failed(_, said)) if said.contains("Cannot find device") => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

async fn ensure_namespace(namespace: &str) -> Result<(), Error> {
    let up = ["-n", namespace, "link", "set", "lo", "up"];
    if run("ip", &up, "").await.is_err() {
        // What is left of one whose mount is gone.
        let _ = run("ip", &["netns", "del", namespace], "").await;
        run("ip", &["netns", "add", namespace], "").await?;
        run("ip", &up, "").await?;
    }
    let set = ["netns", "exec", namespace, "sysctl", "-e", "-q", "-w"];
    run("ip", &[&set[..], &SYSCTLS].concat(), "").await?;
    Ok(())
}

async fn links(namespace: &str) -> Result<Vec<Link>, Error> {
    let shown = run("ip", &["-json", "-n", namespace, "addr", "show"], "").await?;
    Ok(serde_json::from_str(&shown)?)
}

fn next_configuration() -> serde_json::Value {
    json!({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn device() -> Device {
        let network: Network = serde_json::from_value(json!({"id": "n", "mtu": 1442, "subnets": [
            {"id": "a", "cidr": "10.0.0.0/24", "enable_dhcp": true, "gateway_ip": "10.0.0.1"},
            {"id": "b", "cidr": "10.1.0.0/24", "enable_dhcp": false, "gateway_ip": "10.1.0.1"},
            {"id": "c", "cidr": "2001:db8::/64", "enable_dhcp": true}]}))
        .unwrap();
        let port =
            serde_json::from_value(json!({"id": "11111111-2222-3333", "mac_address": "m", "fixed_ips": [
            {"subnet_id": "a", "ip_address": "10.0.0.2"}, {"subnet_id": "b", "ip_address": "10.1.0.2"},
            {"subnet_id": "c", "ip_address": "2001:db8::2"}]}))
            .unwrap();
        of(&network, &port)
    }

    #[test]
    fn an_interface_has_its_ports_addresses_on_subnets_that_are_served() {
        assert_eq!(
            device().batch(&BTreeSet::new()),
            "link set dev ns-11111111-22 address m\nlink set dev ns-11111111-22 mtu 1442\n\
             link set dev ns-11111111-22 up\naddr add 10.0.0.2/24 brd + dev ns-11111111-22\n\
             addr add 2001:db8::2/64 nodad dev ns-11111111-22\n\
             route replace default via 10.0.0.1 dev ns-11111111-22 onlink\n"
        );
    }

    #[test]
    fn addresses_that_it_has_no_more_go_and_others_stay() {
        let current = [("10.0.0.2", 24), ("10.0.0.9", 24)].map(|(ip, length)| (ip.parse().unwrap(), length));
        let batch = device().batch(&current.into());
        assert!(batch.contains("addr del 10.0.0.9/24 dev"), "{batch}");
        assert!(!batch.contains("10.0.0.2"), "{batch}");
        assert!(batch.contains("addr add 2001:db8::2/64"), "{batch}");
    }
}
