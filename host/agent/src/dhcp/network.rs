//! A network as the server describes it: its subnets, and the ports that are
//! served addresses.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Who owns the ports that DHCP agents serve through.
pub(super) const DHCP_OWNER: &str = "network:dhcp";

/// Owners whose ports ask nobody for an address. In Neutron:
/// `DHCP_CONFIG_NOT_REQUIRED_OWNERS`.
const UNSERVED_OWNERS: [&str; 4] =
    ["network:router_ha_interface", "network:floatingip", DHCP_OWNER, "network:distributed"];

/// Owners of routers' ports. In Neutron: `ROUTER_INTERFACE_OWNERS`.
const ROUTER_OWNERS: [&str; 3] = [
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
];

/// A network with all that its DHCP server must know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Network {
    /// Its id.
    pub(super) id: String,
    /// Whose it is.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) project_id: String,
    /// Whether it is switched on.
    #[serde(default)]
    pub(super) admin_state_up: bool,
    /// The largest packet, in bytes; 0 for unknown.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) mtu: u32,
    /// Its subnets that this host reaches.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) subnets: Vec<Subnet>,
    /// Those that only other hosts reach.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) non_local_subnets: Vec<Subnet>,
    /// Its ports.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) ports: Vec<Port>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Subnet {
    /// Its id.
    pub(super) id: String,
    /// Its addresses.
    pub(super) cidr: IpNet,
    /// Its router's address.
    #[serde(default)]
    pub(super) gateway_ip: Option<IpAddr>,
    /// Whether its addresses are served.
    #[serde(default)]
    pub(super) enable_dhcp: bool,
    /// Who answers names; `0.0.0.0` or `::` alone for nobody.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) dns_nameservers: Vec<IpAddr>,
    /// Where else packets are sent.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) host_routes: Vec<Route>,
    /// How machines come by IPv6 addresses: `slaac`, `dhcpv6-stateful`, `dhcpv6-stateless`.
    #[serde(default)]
    pub(super) ipv6_address_mode: Option<String>,
    /// What routers tell machines of that.
    #[serde(default)]
    pub(super) ipv6_ra_mode: Option<String>,
    /// The segment that it is on, where that matters.
    #[serde(default)]
    pub(super) segment_id: Option<String>,
}

/// A route that a subnet's machines are given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Route {
    /// Where to.
    pub(super) destination: IpNet,
    /// By whom.
    pub(super) nexthop: IpAddr,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Port {
    /// Its id.
    pub(super) id: String,
    /// The network that it is on.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) network_id: String,
    /// Its MAC address.
    pub(super) mac_address: String,
    /// What it belongs to.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) device_id: String,
    /// Who owns it.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) device_owner: String,
    /// Its addresses.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) fixed_ips: Vec<FixedIp>,
    /// What its machine is told besides.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) extra_dhcp_opts: Vec<ExtraDhcpOpt>,
    /// The names of its addresses.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) dns_assignment: Vec<DnsAssignment>,
    /// Grows with each change.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) revision_number: u64,
}

/// An address of a port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct FixedIp {
    /// Of that subnet.
    pub(super) subnet_id: String,
    /// It.
    pub(super) ip_address: IpAddr,
}

/// What a port's machine is told besides, as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ExtraDhcpOpt {
    /// The option's name or number, perhaps after `tag:…,`.
    pub(super) opt_name: String,
    /// Its value.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) opt_value: String,
    /// 4 or 6: in which of the two protocols.
    #[serde(default = "four")]
    pub(super) ip_version: u8,
}

/// The names of one address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct DnsAssignment {
    /// The address.
    pub(super) ip_address: IpAddr,
    /// The host's name in its domain.
    pub(super) hostname: String,
    /// The whole name.
    pub(super) fqdn: String,
}

/// What is null counts as what is not there.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

fn four() -> u8 {
    4
}

impl Network {
    /// Whether anybody is to be served here.
    pub(super) fn is_served(&self) -> bool {
        self.admin_state_up && self.served().next().is_some()
    }

    /// The subnets that are served by this host.
    pub(super) fn served(&self) -> impl Iterator<Item = &Subnet> {
        self.subnets.iter().filter(|subnet| subnet.enable_dhcp)
    }

    /// All its subnets.
    pub(super) fn all_subnets(&self) -> impl Iterator<Item = &Subnet> {
        self.subnets.iter().chain(&self.non_local_subnets)
    }

    /// A subnet of it.
    pub(super) fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.all_subnets().find(|subnet| subnet.id == id)
    }

    /// The port of a device.
    pub(super) fn port_of(&self, device: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.device_id == device)
    }

    /// Takes a port in, unless a newer one is known.
    pub(super) fn put(&mut self, port: Port) {
        match self.ports.iter_mut().find(|known| known.id == port.id) {
            Some(known) if known.revision_number > port.revision_number => {}
            Some(known) => *known = port,
            None => self.ports.push(port),
        }
    }

    /// Whether another port is known with an address of this one: the news of its
    /// end were missed.
    pub(super) fn contradicts(&self, port: &Port) -> bool {
        let has = |other: &Port, ip: IpAddr| other.fixed_ips.iter().any(|fixed| fixed.ip_address == ip);
        let others = self.ports.iter().filter(|other| other.id != port.id);
        others.into_iter().any(|other| port.fixed_ips.iter().any(|fixed| has(other, fixed.ip_address)))
    }

    /// Whether a router of this cloud is a subnet's gateway. In Neutron:
    /// `get_isolated_subnets`.
    pub(super) fn has_router(&self, subnet: &Subnet) -> bool {
        let routers = self.ports.iter().filter(|port| ROUTER_OWNERS.contains(&port.device_owner.as_str()));
        let mut addresses = routers.flat_map(|port| &port.fixed_ips);
        addresses.any(|fixed| fixed.subnet_id == subnet.id && Some(fixed.ip_address) == subnet.gateway_ip)
    }
}

impl Subnet {
    /// Whether it is of IPv6.
    pub(super) fn is_v6(&self) -> bool {
        matches!(self.cidr, IpNet::V6(_))
    }

    /// Whether its addresses are given out by a DHCP server, rather than made up
    /// by machines themselves.
    pub(super) fn is_stateful(&self) -> bool {
        !matches!(self.ipv6_address_mode.as_deref(), Some("slaac" | "dhcpv6-stateless"))
    }

    /// Whether a DHCP server has anything to say on it.
    pub(super) fn is_asked(&self) -> bool {
        match (self.is_v6(), self.ipv6_address_mode.as_deref()) {
            (false, _) | (true, Some("dhcpv6-stateful" | "dhcpv6-stateless")) => true,
            (true, Some(_)) => false,
            (true, None) => self.ipv6_ra_mode.is_none(),
        }
    }
}

impl Port {
    /// Whether its machine may ask for an address or a name. In Neutron:
    /// `port_requires_dhcp_configuration`.
    pub(super) fn is_served(&self) -> bool {
        !UNSERVED_OWNERS.contains(&self.device_owner.as_str())
    }

    /// The subnets of its addresses.
    pub(super) fn subnets(&self) -> BTreeSet<&str> {
        self.fixed_ips.iter().map(|fixed| fixed.subnet_id.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn network(ports: Value) -> Network {
        serde_json::from_value(json!({"id": "n", "admin_state_up": true, "mtu": null, "project_id": null,
            "subnets": [{"id": "s", "cidr": "10.0.0.0/24", "enable_dhcp": true, "gateway_ip": "10.0.0.1",
                "dns_nameservers": [], "host_routes": null, "ipv6_address_mode": null, "more": 1}],
            "non_local_subnets": [], "ports": ports}))
        .unwrap()
    }

    fn port(id: &str, ip: &str, revision: u64) -> Value {
        json!({"id": id, "mac_address": "fa:16:3e:00:00:01", "revision_number": revision,
            "device_owner": "compute:nova", "fixed_ips": [{"subnet_id": "s", "ip_address": ip}]})
    }

    fn parsed(port: Value) -> Port {
        serde_json::from_value(port).unwrap()
    }

    #[test]
    fn old_news_of_a_port_change_nothing() {
        let mut network = network(json!([port("a", "10.0.0.5", 3)]));
        network.put(parsed(port("a", "10.0.0.6", 2)));
        assert_eq!(network.ports, [parsed(port("a", "10.0.0.5", 3))]);
        network.put(parsed(port("a", "10.0.0.7", 4)));
        network.put(parsed(port("b", "10.0.0.8", 1)));
        assert_eq!(network.ports.len(), 2);
        assert_eq!(network.ports[0].fixed_ips[0].ip_address.to_string(), "10.0.0.7");
    }

    #[test]
    fn two_ports_with_one_address_contradict_each_other() {
        let network = network(json!([port("a", "10.0.0.5", 3)]));
        assert!(network.contradicts(&parsed(port("b", "10.0.0.5", 0))));
        assert!(!network.contradicts(&parsed(port("b", "10.0.0.6", 0))));
        assert!(!network.contradicts(&parsed(port("a", "10.0.0.5", 9))));
    }

    #[test]
    fn a_network_is_served_that_is_on_and_has_a_subnet_that_is() {
        let mut network = network(Value::Null);
        assert!(network.is_served());
        network.subnets[0].enable_dhcp = false;
        assert!(!network.is_served());
        network.subnets[0].enable_dhcp = true;
        network.admin_state_up = false;
        assert!(!network.is_served());
    }

    #[test]
    fn a_subnet_has_a_router_whose_port_has_the_gateways_address() {
        let mut interface = port("r", "10.0.0.1", 0);
        interface["device_owner"] = "network:router_interface".into();
        let with = network(json!([interface]));
        assert!(with.has_router(&with.subnets[0]));
        let without = network(json!([port("a", "10.0.0.1", 0)]));
        assert!(!without.has_router(&without.subnets[0]));
    }
}
