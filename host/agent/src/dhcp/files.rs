//! What dnsmasq reads of a network: who has which address (`--dhcp-hostsfile`), by
//! which name it is found (`--addn-hosts`), and what machines are told besides
//! (`--dhcp-optsfile`). The rules are those of Neutron's `Dnsmasq`.
//!
//! Names and values come from users: none may become a second line or another
//! field than its own.

use super::network::{ExtraDhcpOpt, Network, Port, Subnet};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Lets an entry count for DHCPv6 only: else a machine that asks for an IPv4
/// address may be given an entry that has none.
const V6_ONLY: &str = "tag:dhcpv6";

/// Where machines find their metadata.
const METADATA: &str = "169.254.169.254/32";

/// The number under which Windows looks for classless static routes (option 121).
const MICROSOFT_ROUTES: &str = "249";

/// The names of the option that says which client it is: it is no answer but
/// tells clients apart.
const CLIENT_ID: [&str; 2] = ["client-id", "61"];

/// A part of a port's addresses that is served as one.
struct Allocation<'a> {
    port: &'a Port,
    subnet: Option<&'a Subnet>,
    addresses: Vec<IpAddr>,
}

/// What is served of a port, what has no address of its own first. All its
/// addresses of one IPv6 subnet are given out together.
fn allocations<'a>(network: &'a Network, port: &'a Port) -> Vec<Allocation<'a>> {
    let mut all: Vec<Allocation<'a>> = Vec::new();
    for fixed in &port.fixed_ips {
        let subnet = network.subnet(&fixed.subnet_id);
        let is_together = |other: &&mut Allocation<'a>| {
            subnet.is_some_and(|subnet| subnet.is_v6() && subnet.is_stateful()) && other.subnet == subnet
        };
        match all.iter_mut().find(is_together) {
            Some(other) => other.addresses.push(fixed.ip_address),
            None => all.push(Allocation { port, subnet, addresses: vec![fixed.ip_address] }),
        }
    }
    all.sort_by_key(|allocation| allocation.subnet.is_none_or(Subnet::is_stateful));
    all
}

fn all_allocations(network: &Network) -> impl Iterator<Item = Allocation<'_>> {
    network.ports.iter().filter(|port| port.is_served()).flat_map(|port| allocations(network, port))
}

/// The tag of what a port's machine is told.
fn port_tag(port: &Port) -> String {
    format!("port-{}", port.id)
}

/// The tag of what a subnet's machines are told.
pub(super) fn subnet_tag(subnet: &Subnet) -> String {
    format!("subnet-{}", subnet.id)
}

/// Which machine is given which address: a line for each.
pub(super) fn hosts(network: &Network, dns_domain: &str) -> String {
    let mut lines = String::new();
    for Allocation { port, subnet, addresses } in all_allocations(network) {
        let Some(subnet) = subnet else { continue };
        let mut fields = vec![port.mac_address.clone()];
        if subnet.is_v6() {
            fields.push(V6_ONLY.to_owned());
        }
        let tag = format!("set:{}", port_tag(port));
        let is_told = !told(port, false).is_empty();
        if !subnet.is_stateful() {
            // Its machines have addresses of their own making, and are told things
            // where they ask at all.
            if is_told && subnet.is_asked() {
                fields.push(tag);
                lines.push_str(&line(&fields));
            }
            continue;
        }
        if !subnet.enable_dhcp {
            continue;
        }
        fields.extend(client_id(port).map(|id| format!("id:{id}")));
        fields.push(names(port, &addresses, dns_domain).1);
        fields.extend(addresses.iter().map(|address| bracketed(*address)));
        if is_told {
            fields.push(tag);
        }
        lines.push_str(&line(&fields));
    }
    lines
}

/// Which address has which name, of all ports: also of those that another server
/// serves.
pub(super) fn addn_hosts(network: &Network, dns_domain: &str) -> String {
    let mut lines = String::new();
    for Allocation { port, addresses, .. } in all_allocations(network) {
        for address in addresses {
            let (host, whole) = names(port, &[address], dns_domain);
            // The whole name first: it is the one that the address is found by.
            let _ = writeln!(lines, "{address}\t{whole} {host}");
        }
    }
    lines
}

/// What the machines of subnets and ports are told.
pub(super) fn opts(network: &Network, dns_domain: &str) -> String {
    let mut lines = String::new();
    for subnet in network.all_subnets().filter(|subnet| subnet.enable_dhcp) {
        if subnet.ipv6_address_mode.as_deref() == Some("slaac") {
            continue;
        }
        let tag = subnet_tag(subnet);
        let mut tell = |option: &str, values: &[String]| {
            lines.push_str(&option_line(subnet.is_v6(), &tag, option, values));
        };
        if let Some(servers) = dns_servers(network, subnet) {
            tell("dns-server", &servers);
        }
        if subnet.is_v6() {
            if !dns_domain.is_empty() {
                tell("domain-search", &[dns_domain.to_owned()]);
            }
            continue;
        }
        let gateway = gateway(subnet);
        let routes = routes(network, subnet, gateway);
        if !routes.is_empty() {
            tell("classless-static-route", &routes);
            tell(MICROSOFT_ROUTES, &routes);
        }
        // An option without a value keeps dnsmasq from saying that it is the router.
        tell("router", &gateway.map(|gateway| gateway.to_string()).into_iter().collect::<Vec<_>>());
    }
    for port in &network.ports {
        for option in told(port, true) {
            let value = first_line(&option.opt_value);
            let values: Vec<String> = Some(value).filter(|value| !value.is_empty()).into_iter().collect();
            lines.push_str(&option_line(option.ip_version == 6, &port_tag(port), &option.opt_name, &values));
        }
    }
    lines
}

fn line(fields: &[String]) -> String {
    format!("{}\n", fields.join(","))
}

fn option_line(is_v6: bool, tag: &str, name: &str, values: &[String]) -> String {
    let name = first_line(name);
    let (more, name) = match name.strip_prefix("tag:").and_then(|rest| rest.split_once(',')) {
        Some((more, name)) => (Some(format!("tag:{more}")), name.to_owned()),
        None => (None, name),
    };
    let name = match (is_v6, name.chars().all(|digit| digit.is_ascii_digit())) {
        (true, _) => format!("option6:{name}"),
        (false, true) => name,
        (false, false) => format!("option:{name}"),
    };
    let mut fields = vec![format!("tag:{tag}")];
    fields.extend(more);
    fields.push(name);
    fields.extend(values.iter().cloned());
    line(&fields)
}

/// What a port's machine is told besides; where asked for, only over the protocols
/// in which the port has an address.
fn told(port: &Port, only_reachable: bool) -> Vec<&ExtraDhcpOpt> {
    let speaks =
        |version: u8| port.fixed_ips.iter().any(|fixed| fixed.ip_address.is_ipv6() == (version == 6));
    let options = port.extra_dhcp_opts.iter();
    options
        .filter(|option| !CLIENT_ID.contains(&option.opt_name.as_str()))
        .filter(|option| !first_line(&option.opt_name).is_empty())
        .filter(|option| !only_reachable || speaks(option.ip_version))
        .collect()
}

/// By what a port's machine is told from others; nothing that could be taken for
/// another field.
fn client_id(port: &Port) -> Option<&str> {
    let option = port.extra_dhcp_opts.iter().find(|option| CLIENT_ID.contains(&option.opt_name.as_str()))?;
    let id = option.opt_value.as_str();
    let is_plain = |letter: char| letter.is_ascii_graphic() && letter != ',' && letter != '#';
    Some(id).filter(|id| !id.is_empty() && id.chars().all(is_plain))
}

/// Who answers names to a subnet's machines; nothing where dnsmasq says itself that
/// it does, an empty list where nobody is to be named.
fn dns_servers(network: &Network, subnet: &Subnet) -> Option<Vec<String>> {
    let of_subnet = |port: &&super::network::Port| port.device_owner == super::network::DHCP_OWNER;
    match subnet.dns_nameservers.as_slice() {
        [only] if only.is_unspecified() => Some(Vec::new()),
        [] => {
            let servers = network.ports.iter().filter(of_subnet).flat_map(|port| &port.fixed_ips);
            let servers = servers.filter(|fixed| fixed.subnet_id == subnet.id);
            let servers: Vec<String> = servers.map(|fixed| bracketed(fixed.ip_address)).collect();
            (servers.len() > 1).then_some(servers)
        }
        given => Some(given.iter().map(|server| bracketed(*server)).collect()),
    }
}

/// Where a subnet's machines send what is for elsewhere: to its gateway, else where
/// a route for everything leads.
fn gateway(subnet: &Subnet) -> Option<IpAddr> {
    let everything = subnet.host_routes.iter().find(|route| is_everything(route.destination));
    subnet.gateway_ip.or_else(|| everything.map(|route| route.nexthop))
}

fn is_everything(destination: ipnet::IpNet) -> bool {
    destination.prefix_len() == 0
}

/// The routes of a subnet's machines, each a destination and by whom; machines that
/// take them take no gateway (RFC 3442), so that one is among them.
fn routes(network: &Network, subnet: &Subnet, gateway: Option<IpAddr>) -> Vec<String> {
    let beside = network
        .all_subnets()
        .filter(|other| !other.is_v6() && other.cidr != subnet.cidr && other.segment_id == subnet.segment_id);
    let mut routes: Vec<String> =
        beside.flat_map(|other| [other.cidr.to_string(), "0.0.0.0".into()]).collect();
    for route in subnet.host_routes.iter().filter(|route| !is_everything(route.destination)) {
        routes.extend([route.destination.to_string(), route.nexthop.to_string()]);
    }
    let Some(gateway) = gateway else { return routes };
    if network.has_router(subnet) {
        routes.extend([METADATA.to_owned(), gateway.to_string()]);
    }
    if !routes.is_empty() {
        routes.extend(["0.0.0.0/0".to_owned(), gateway.to_string()]);
    }
    routes
}

/// The names of some addresses of a port: of the host, and with its domain. The
/// server's, else made from the first address.
fn names(port: &Port, addresses: &[IpAddr], dns_domain: &str) -> (String, String) {
    let assigned = port.dns_assignment.iter().find(|names| addresses.contains(&names.ip_address));
    if let Some(names) = assigned {
        let whole = names.fqdn.trim_end_matches('.');
        if is_name(&names.hostname) && is_name(whole) {
            return (names.hostname.clone(), whole.to_owned());
        }
    }
    let address = addresses.first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let host = format!("host-{}", address.to_string().replace(['.', ':'], "-"));
    let whole = if dns_domain.is_empty() { host.clone() } else { format!("{host}.{dns_domain}") };
    (host, whole)
}

fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
    !name.is_empty() && name.chars().all(is_letter)
}

/// As dnsmasq tells an IPv6 address from a MAC address.
fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// What somebody wrote, up to the end of its first line. In Neutron:
/// `_format_option`.
fn first_line(text: &str) -> String {
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    line.chars().filter(|letter| !letter.is_control()).collect()
}

/// Who has which address, by a hosts file that was written before.
pub(super) fn owners(hosts: &str) -> BTreeMap<IpAddr, String> {
    let mut owners = BTreeMap::new();
    for line in hosts.lines() {
        let mut fields = line.split(',');
        let Some(mac) = fields.next() else { continue };
        let addresses = fields.filter_map(|field| {
            let inner = field.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            match inner {
                Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
                None => field.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            }
        });
        owners.extend(addresses.map(|address| (address, mac.to_owned())));
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const DOMAIN: &str = "cloud.test";

    fn subnet(id: &str, cidr: &str, more: Value) -> Value {
        let mut subnet = json!({"id": id, "cidr": cidr, "enable_dhcp": true});
        subnet.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        subnet
    }

    fn port(id: &str, mac: &str, addresses: &[(&str, &str)], more: Value) -> Value {
        let fixed: Vec<Value> =
            addresses.iter().map(|(s, ip)| json!({"subnet_id": s, "ip_address": ip})).collect();
        let mut port = json!({"id": id, "mac_address": mac, "fixed_ips": fixed, "device_owner": "compute:a"});
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        port
    }

    fn network(subnets: &[Value], ports: &[Value]) -> Network {
        serde_json::from_value(json!({"id": "n", "admin_state_up": true, "subnets": subnets, "ports": ports}))
            .unwrap()
    }

    fn four(more: Value) -> Value {
        subnet("s4", "10.0.0.0/24", more)
    }

    fn six(mode: &str) -> Value {
        subnet("s6", "2001:db8::/64", json!({"ipv6_address_mode": mode, "ipv6_ra_mode": mode}))
    }

    #[test]
    fn machines_have_their_addresses_and_names() {
        let named = json!({"dns_assignment": [{"ip_address": "10.0.0.5", "hostname": "web",
            "fqdn": "web.example.org."}]});
        let network = network(
            &[four(json!({}))],
            &[
                port("a", "m1", &[("s4", "10.0.0.5")], named),
                port("b", "m2", &[("s4", "10.0.0.6")], json!({})),
            ],
        );
        assert_eq!(
            hosts(&network, DOMAIN),
            "m1,web.example.org,10.0.0.5\nm2,host-10-0-0-6.cloud.test,10.0.0.6\n"
        );
        assert_eq!(
            addn_hosts(&network, ""),
            "10.0.0.5\tweb.example.org web\n10.0.0.6\thost-10-0-0-6 host-10-0-0-6\n"
        );
    }

    #[test]
    fn ports_that_nobody_serves_are_left_out() {
        let of = |owner: &str| port("a", "m", &[("s4", "10.0.0.5")], json!({"device_owner": owner}));
        let subnets = [four(json!({}))];
        for owner in ["network:dhcp", "network:floatingip", "network:router_ha_interface"] {
            assert_eq!(hosts(&network(&subnets, &[of(owner)]), ""), "", "{owner}");
        }
        let router = network(&subnets, &[of("network:router_interface")]);
        assert_eq!(hosts(&router, "").lines().count(), 1);
        let silent = network(&[four(json!({"enable_dhcp": false}))], &[of("compute:a")]);
        assert_eq!((hosts(&silent, ""), opts(&silent, "")), (String::new(), String::new()));
    }

    #[test]
    fn ipv6_addresses_of_a_subnet_are_given_out_together_and_by_dhcpv6_only() {
        let network = network(
            &[four(json!({})), six("dhcpv6-stateful")],
            &[port("a", "m", &[("s6", "2001:db8::5"), ("s4", "10.0.0.5"), ("s6", "2001:db8::6")], json!({}))],
        );
        assert_eq!(
            hosts(&network, ""),
            "m,tag:dhcpv6,host-2001-db8--5,[2001:db8::5],[2001:db8::6]\nm,host-10-0-0-5,10.0.0.5\n"
        );
    }

    #[test]
    fn machines_that_make_up_their_address_are_told_options_where_they_ask_for_them() {
        let told = json!({"extra_dhcp_opts": [{"opt_name": "ntp-server", "opt_value": "[2001:db8::1]", "ip_version": 6}]});
        let with = |mode: &str, more: Value| {
            network(
                &[six(mode), four(json!({}))],
                &[port("a", "m", &[("s4", "10.0.0.5"), ("s6", "2001:db8::5")], more)],
            )
        };
        assert_eq!(
            hosts(&with("dhcpv6-stateless", told.clone()), ""),
            "m,tag:dhcpv6,set:port-a\nm,host-10-0-0-5,10.0.0.5,set:port-a\n"
        );
        assert_eq!(hosts(&with("dhcpv6-stateless", json!({})), ""), "m,host-10-0-0-5,10.0.0.5\n");
        assert_eq!(hosts(&with("slaac", told.clone()), ""), "m,host-10-0-0-5,10.0.0.5,set:port-a\n");
        let told = opts(&with("dhcpv6-stateless", told), DOMAIN);
        assert!(told.contains("tag:subnet-s6,option6:domain-search,cloud.test\n"), "{told}");
        assert!(told.contains("tag:port-a,option6:ntp-server,[2001:db8::1]\n"), "{told}");
        assert!(!opts(&with("slaac", json!({})), DOMAIN).contains("s6"));
    }

    #[test]
    fn machines_are_told_gateway_and_nameservers() {
        let plain = four(json!({"gateway_ip": "10.0.0.1", "dns_nameservers": ["192.0.2.3", "192.0.2.4"]}));
        assert_eq!(
            opts(&network(&[plain], &[]), ""),
            "tag:subnet-s4,option:dns-server,192.0.2.3,192.0.2.4\ntag:subnet-s4,option:router,10.0.0.1\n"
        );
        let none = four(json!({"dns_nameservers": ["0.0.0.0"]}));
        assert_eq!(
            opts(&network(&[none], &[]), ""),
            "tag:subnet-s4,option:dns-server\ntag:subnet-s4,option:router\n"
        );
        let agents = ["10.0.0.2", "10.0.0.3"]
            .map(|ip| port(ip, "m", &[("s4", ip)], json!({"device_owner": "network:dhcp"})));
        let two = network(&[four(json!({}))], &agents);
        assert!(opts(&two, "").contains("tag:subnet-s4,option:dns-server,10.0.0.2,10.0.0.3\n"));
        let six = subnet("s6", "2001:db8::/64", json!({"dns_nameservers": ["2001:db8::53"]}));
        assert_eq!(opts(&network(&[six], &[]), ""), "tag:subnet-s6,option6:dns-server,[2001:db8::53]\n");
    }

    #[test]
    fn routes_are_told_in_both_options_and_hold_the_gateway() {
        let routes = json!([{"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}]);
        let told = opts(&network(&[four(json!({"gateway_ip": "10.0.0.1", "host_routes": routes}))], &[]), "");
        let wanted = "192.0.2.0/24,10.0.0.9,0.0.0.0/0,10.0.0.1";
        assert_eq!(
            told,
            format!(
                "tag:subnet-s4,option:classless-static-route,{wanted}\ntag:subnet-s4,249,{wanted}\n\
                 tag:subnet-s4,option:router,10.0.0.1\n"
            )
        );
        let default = json!([{"destination": "0.0.0.0/0", "nexthop": "10.0.0.7"}]);
        let told = opts(&network(&[four(json!({"host_routes": default}))], &[]), "");
        assert_eq!(told, "tag:subnet-s4,option:router,10.0.0.7\n");
        let router =
            port("r", "m", &[("s4", "10.0.0.1")], json!({"device_owner": "network:router_interface"}));
        let told = opts(&network(&[four(json!({"gateway_ip": "10.0.0.1"}))], &[router]), "");
        assert!(told.contains(",249,169.254.169.254/32,10.0.0.1,0.0.0.0/0,10.0.0.1\n"), "{told}");
        let other = subnet("x", "10.1.0.0/24", json!({}));
        let told = opts(&network(&[four(json!({"gateway_ip": "10.0.0.1"})), other], &[]), "");
        assert!(told.contains("tag:subnet-s4,249,10.1.0.0/24,0.0.0.0,0.0.0.0/0,10.0.0.1\n"), "{told}");
    }

    #[test]
    fn a_ports_options_are_told_to_its_machine_alone() {
        let options = json!({"extra_dhcp_opts": [
            {"opt_name": "tftp-server", "opt_value": "192.0.2.9", "ip_version": 4},
            {"opt_name": "tag:ipxe,bootfile-name", "opt_value": "http://x\nevil", "ip_version": 4},
            {"opt_name": "150", "opt_value": "192.0.2.8", "ip_version": 4},
            {"opt_name": "ntp-server", "opt_value": "[::1]", "ip_version": 6}]});
        let network = network(&[four(json!({}))], &[port("a", "m", &[("s4", "10.0.0.5")], options)]);
        assert_eq!(
            opts(&network, "").replace("tag:subnet-s4,option:router\n", ""),
            "tag:port-a,option:tftp-server,192.0.2.9\ntag:port-a,tag:ipxe,option:bootfile-name,http://x\n\
             tag:port-a,150,192.0.2.8\n"
        );
        assert_eq!(hosts(&network, ""), "m,host-10-0-0-5,10.0.0.5,set:port-a\n");
    }

    #[test]
    fn a_client_is_told_from_others_by_its_id() {
        let with = |options: Value| {
            let more = json!({ "extra_dhcp_opts": options });
            hosts(&network(&[four(json!({}))], &[port("a", "m", &[("s4", "10.0.0.5")], more)]), "")
        };
        let id = |value: &str| json!({"opt_name": "client-id", "opt_value": value});
        assert_eq!(with(json!([id("01:02")])), "m,id:01:02,host-10-0-0-5,10.0.0.5\n");
        let both = json!([{"opt_name": "61", "opt_value": "x"}, {"opt_name": "mtu", "opt_value": "9"}]);
        assert_eq!(with(both), "m,id:x,host-10-0-0-5,10.0.0.5,set:port-a\n");
        assert_eq!(with(json!([id("x,10.0.0.6")])), "m,host-10-0-0-5,10.0.0.5\n");
    }

    prop_compose! {
        fn any_port()(
            id in "[a-f0-9]{4}", last in 2_u8..250, owner in prop::sample::select(vec!["compute:a", "", "network:dhcp"]),
            hostname in ".*", fqdn in ".*", options in prop::collection::vec((any::<String>(), any::<String>(), prop::sample::select(vec![4_u8, 6])), 0..4),
        ) -> Value {
            let v4 = format!("10.0.0.{last}");
            let options: Vec<Value> = options.into_iter().map(|(name, value, version)| json!({"opt_name": name, "opt_value": value, "ip_version": version})).collect();
            port(&id, &format!("fa:16:3e:00:00:{last:02x}"), &[("s4", v4.as_str()), ("s6", &format!("2001:db8::{last:x}"))], json!({
                "device_owner": owner, "extra_dhcp_opts": options,
                "dns_assignment": [{"ip_address": v4, "hostname": hostname, "fqdn": fqdn}]}))
        }
    }

    proptest! {
        /// Whatever users write: each line is about one port and says what it may.
        #[test]
        fn nothing_that_users_write_becomes_another_line(ports in prop::collection::vec(any_port(), 0..5), mode in prop::sample::select(vec!["slaac", "dhcpv6-stateful", "dhcpv6-stateless"])) {
            let network = network(&[four(json!({})), six(mode)], &ports);
            let macs: Vec<&str> = network.ports.iter().map(|port| port.mac_address.as_str()).collect();
            let (hosts, names, opts) = (hosts(&network, DOMAIN), addn_hosts(&network, DOMAIN), opts(&network, DOMAIN));
            for line in hosts.lines() {
                prop_assert!(macs.iter().any(|mac| line.starts_with(mac)), "{}", line);
            }
            for line in opts.lines() {
                prop_assert!(line.starts_with("tag:subnet-s") || line.starts_with("tag:port-"), "{}", line);
            }
            let served = network.ports.iter().filter(|port| port.is_served()).count();
            prop_assert_eq!(names.lines().count(), 2 * served);
            prop_assert!(hosts.lines().count() <= 2 * served);
            let told: usize = network.ports.iter().map(|port| told(port, true).len()).sum();
            prop_assert_eq!(opts.lines().filter(|line| line.starts_with("tag:port-")).count(), told);
        }

        /// An address is its port's, and is read back from what was written.
        #[test]
        fn each_address_is_given_to_its_own_machine(ports in prop::collection::vec(any_port(), 0..5)) {
            let network = network(&[four(json!({})), six("dhcpv6-stateful")], &ports);
            let read = owners(&hosts(&network, DOMAIN));
            for port in &network.ports {
                for fixed in &port.fixed_ips {
                    // The last one with the address counts, if it is served at all.
                    let owner = network.ports.iter().rev().filter(|other| other.is_served()).find(|other| other.fixed_ips.contains(fixed));
                    prop_assert_eq!(read.get(&fixed.ip_address), owner.map(|owner| &owner.mac_address));
                }
            }
        }
    }
}
