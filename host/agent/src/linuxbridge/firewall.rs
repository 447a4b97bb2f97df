//! What taps may send and be sent, as a text for `nft`: a pure function of what is
//! known.
//!
//! The kernel's tracking of connections sees bridged packets by `br_netfilter`,
//! which shows the bridge where the tap is meant. So the bridges' own hooks mark
//! each packet first with the number of the link that it came from, and then with
//! that of the one that it goes to; the hooks for IP go by that mark. It is taken
//! off before the packet leaves the bridge.
//!
//! | table | chain | what is decided |
//! |---|---|---|
//! | `bridge` | `from_N` | is the sender who it says it is |
//! | `inet` | `zones` | in which zone the network's connections are tracked |
//! | `inet` | `leaving_N` | do its groups let it send this |
//! | `inet` | `arriving_N` | do its groups let it be sent this |
//!
//! A connection goes on as long as a rule lets its first packet through: what goes
//! its way is held against the rules, and answers against the same rules turned
//! round. So a rule that is gone cuts what it had let through, at once and both
//! ways, and nothing is written into the kernel's table of connections.

use crate::objects::{Objects, Pair, Port, Rule};
use crate::protocols::{ICMP6_RECEIVED, ICMP6_SENT, link_local, number};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// The type of ICMPv6 that says who has an address (RFC 4861, 4.4).
const ADVERTISEMENT: u8 = 136;

/// Types of ICMPv6 that a host sends from no address: reports of listeners (RFC
/// 3590, 4) and whether an address is free (RFC 4862, 5.4.2).
const FROM_NOWHERE: [u8; 4] = [131, 132, 135, 143];

/// Types of ICMP that ask, with those that answer; then those of ICMPv6. In Linux:
/// `invmap` of `nf_conntrack_proto_icmp` and `…icmpv6`.
const ANSWERS: [(u16, u16); 4] = [(8, 0), (13, 14), (15, 16), (17, 18)];
const ANSWERS6: [(u16, u16); 2] = [(128, 129), (139, 140)];

/// RARP's number; `nft` has no name for it.
const RARP: &str = "0x8035";

/// A link that is plugged into a bridge of the agent's.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The kernel's number of it.
    pub index: u32,
    /// Its name.
    pub name: &'a str,
    /// The zone in which connections of its network are tracked.
    pub zone: u16,
    /// Whose tap it is; none of what leads to other hosts.
    pub port: Option<&'a Port>,
}

/// What is filtered.
#[derive(Clone, Debug, Default)]
pub struct Filtered<'a> {
    /// Names of the bridges.
    pub bridges: BTreeSet<&'a str>,
    /// What is plugged into them.
    pub members: Vec<Member<'a>>,
    /// Names of links that look like taps, but are somebody else's.
    pub foreign: BTreeSet<&'a str>,
}

/// The text. It replaces what was there as a whole.
#[must_use]
pub fn ruleset(filtered: &Filtered<'_>, objects: &Objects) -> String {
    let mut text = Text::default();
    let secured: Vec<(u32, &Port)> = filtered
        .members
        .iter()
        .filter_map(|member| Some((member.index, member.port.filter(|port| port.is_secured)?)))
        .collect();
    let mut remotes = Remotes::default();
    let chains: Vec<Chain> =
        secured.iter().flat_map(|(index, port)| groups(*index, port, objects, &mut remotes)).collect();
    text.table("bridge", |text| frames(filtered, &secured, text));
    text.table("inet", |text| {
        remotes.write(objects, text);
        connections(filtered, &secured, text);
        for chain in &chains {
            text.chain(&chain.name, None, chain.lines.iter().cloned());
        }
    });
    text.0
}

/// Tables, chains and lines of them.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.0, "{}", line.as_ref());
    }

    /// A table that replaces one that may be there.
    fn table(&mut self, family: &str, write: impl FnOnce(&mut Text)) {
        self.line(format!("add table {family} hadron"));
        self.line(format!("delete table {family} hadron"));
        self.line(format!("table {family} hadron {{"));
        write(self);
        self.line("}");
    }

    /// A chain; at a hook, if it says one with its priority.
    fn chain(&mut self, name: &str, hook: Option<&str>, lines: impl IntoIterator<Item = String>) {
        self.line(format!("chain {name} {{"));
        if let Some(hook) = hook {
            self.line(format!("type filter {hook}; policy accept;"));
        }
        lines.into_iter().for_each(|line| self.line(line));
        self.line("}");
    }
}

/// A set without a name; nothing of nothing, which `nft` has no word for.
fn set(elements: impl IntoIterator<Item = String>) -> Option<String> {
    let elements: Vec<String> = elements.into_iter().collect();
    (!elements.is_empty()).then(|| format!("{{ {} }}", elements.join(", ")))
}

/// A link's name; nothing of one that would be more than a name.
fn quoted(name: &str) -> Option<String> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:@+".contains(c));
    (is_plain && !name.is_empty()).then(|| format!("\"{name}\""))
}

/// The bridges' own hooks. They come before `br_netfilter`, which is at 0.
fn frames(filtered: &Filtered<'_>, secured: &[(u32, &Port)], text: &mut Text) {
    const EARLY: &str = "priority -250";
    let named = || filtered.members.iter().filter_map(|member| Some((member, quoted(member.name)?)));
    let numbers = set(named().map(|(member, name)| format!("{name} : {}", member.index)));
    let members = set(named().map(|(_, name)| name));
    let uplinks = set(named().filter(|(member, _)| member.port.is_none()).map(|(_, name)| name));
    let is_secured = |member: &Member<'_>| member.port.is_some_and(|port| port.is_secured);
    let foreign: Vec<String> = filtered
        .foreign
        .iter()
        .filter_map(|name| quoted(name))
        .map(|name| format!("{name} : accept"))
        .collect();
    let from = named().map(|(member, name)| match is_secured(member) {
        true => format!("{name} : goto from_{}", member.index),
        false => format!("{name} : accept"),
    });
    let to = named().map(|(member, name)| match is_secured(member) {
        true => format!("{name} : goto to_secured"),
        false => format!("{name} : accept"),
    });
    let (from, to) = (set(from.chain(foreign.iter().cloned())), set(to.chain(foreign.iter().cloned())));

    let mut lines = Vec::new();
    // What is for the host itself is the host's to track.
    lines.extend(uplinks.map(|uplinks| format!("iifname {uplinks} meta pkttype host accept")));
    lines.extend(numbers.as_ref().map(|numbers| format!("meta mark set iifname map {numbers}")));
    lines.extend(from.map(|from| format!("iifname vmap {from}")));
    // A tap may be plugged in before it is known whose it is.
    lines.push("iifname \"tap*\" drop".to_owned());
    let before = std::mem::take(&mut lines);
    lines.extend(members.as_ref().map(|members| format!("iifname {members} meta mark set 0")));
    lines.extend(numbers.map(|numbers| format!("meta mark set oifname map {numbers}")));
    lines.extend(to.map(|to| format!("oifname vmap {to}")));
    lines.push("oifname \"tap*\" drop".to_owned());

    for (index, port) in secured {
        text.chain(&format!("from_{index}"), None, sender(port));
    }
    let to_secured = format!("ether type != {{ ip, ip6, arp, {RARP} }} drop");
    text.chain("to_secured", None, [to_secured]);
    text.chain("prerouting", Some(&format!("hook prerouting {EARLY}")), before);
    text.chain("forward", Some(&format!("hook forward {EARLY}")), lines);
    // Neither the host nor a tunnel's outer packet is to see the mark.
    let clear = |direction| members.as_ref().map(|members| format!("{direction} {members} meta mark set 0"));
    text.chain("input", Some(&format!("hook input {EARLY}")), clear("iifname"));
    text.chain("postrouting", Some("hook postrouting priority 0"), clear("oifname"));
}

/// The hooks for IP: a packet's zone before fragments are put together (which goes
/// by zones, too), and the groups after its connection is known.
fn connections(filtered: &Filtered<'_>, secured: &[(u32, &Port)], text: &mut Text) {
    let Some(bridges) = set(filtered.bridges.iter().filter_map(|name| quoted(name))) else { return };
    let on = |statement: Option<String>| statement.map(|s| format!("iifname {bridges} {s}"));
    let zones = set(filtered.members.iter().map(|member| format!("{} : {}", member.index, member.zone)));
    let zones = on(zones.map(|zones| format!("ct zone set meta mark map {zones}")));
    let verdicts = |chain: &str| {
        let verdicts = set(secured.iter().map(|(index, _)| format!("{index} : goto {chain}_{index}")));
        on(verdicts.map(|verdicts| format!("meta mark vmap {verdicts}")))
    };
    text.chain("zones", Some("hook prerouting priority -450"), zones);
    // An nft chain must be there before something goes to it, or in one text with it.
    text.chain("leaving", Some("hook prerouting priority -150"), verdicts("leaving"));
    text.chain("arriving", Some("hook forward priority -150"), verdicts("arriving"));
}

/// A MAC address, if it is one.
fn mac(text: &str) -> Option<String> {
    let octets: Vec<&str> = text.split(':').collect();
    let are_octets =
        octets.iter().all(|octet| octet.len() == 2 && octet.chars().all(|c| c.is_ascii_hexdigit()));
    (octets.len() == 6 && are_octets).then(|| text.to_lowercase())
}

/// An address or a prefix.
fn net(text: &str) -> Option<IpNet> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok().map(|net| net.trunc())
}

/// Words for these prefixes, of which none is in another.
fn words(nets: &BTreeSet<IpNet>, is_v6: bool) -> Vec<String> {
    let nets: Vec<IpNet> = nets.iter().filter(|net| net.addr().is_ipv6() == is_v6).copied().collect();
    let word = |net: IpNet| match net.prefix_len() == net.max_prefix_len() {
        true => net.addr().to_string(),
        false => net.to_string(),
    };
    IpNet::aggregate(&nets).into_iter().map(word).collect()
}

/// What a port may send from, by MAC address: its own addresses, those it was
/// allowed besides, and those of the link (RFC 4291, 2.5.6).
fn senders(port: &Port) -> BTreeMap<String, BTreeSet<IpNet>> {
    let mut senders: BTreeMap<String, BTreeSet<IpNet>> = BTreeMap::new();
    let own = port.addresses.iter().map(|ip| (port.mac.as_str(), Some(IpNet::from(*ip))));
    let pairs = port.pairs.iter().map(|Pair { mac, ip }| (mac.as_str(), net(ip)));
    for (from, net) in own.chain(pairs).chain([(port.mac.as_str(), None)]) {
        let Some(from) = mac(from) else { continue };
        let link = link_local(&from).and_then(|ip| ip.parse::<IpAddr>().ok()).map(IpNet::from);
        senders.entry(from).or_default().extend(net.into_iter().chain(link));
    }
    senders
}

/// Nobody pretends to be somebody else: by ARP, neighbour discovery, or IP; serves
/// addresses, or routes for others.
fn sender(port: &Port) -> Vec<String> {
    let senders = senders(port);
    let mut lines = vec![
        "udp sport 67 udp dport 68 drop".to_owned(),
        "udp sport 547 udp dport 546 drop".to_owned(),
        "icmpv6 type nd-router-advert drop".to_owned(),
    ];
    for (mac, nets) in &senders {
        let Some(from) = set(words(nets, true)) else { continue };
        for net in nets.iter().filter(|net| net.addr().is_ipv6()) {
            lines.push(format!(
                "ether saddr {mac} ip6 saddr {from} icmpv6 type {ADVERTISEMENT}{} accept",
                target(*net)
            ));
        }
    }
    lines.push(format!("icmpv6 type {ADVERTISEMENT} drop"));
    for (mac, nets) in &senders {
        let of = format!("ether saddr {mac}");
        lines.push(format!("{of} ether type {RARP} accept"));
        // An address that is looked for is nobody's yet (RFC 5227, 2.1.1).
        let v4 = words(nets, false);
        let nobody = Ipv4Addr::UNSPECIFIED.to_string();
        let takes_all = v4.iter().any(|word| word == "0.0.0.0/0");
        let claims = set(v4.iter().cloned().chain((!takes_all).then_some(nobody)));
        lines.extend(claims.map(|ips| format!("{of} arp saddr ether {mac} arp saddr ip {ips} accept")));
        lines.extend(set(v4).map(|ips| format!("{of} ip saddr {ips} accept")));
        lines.push(format!("{of} ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept"));
        lines.extend(set(words(nets, true)).map(|ips| format!("{of} ip6 saddr {ips} accept")));
        lines.push(format!("{of} ip6 saddr :: icmpv6 type {} accept", numbers(&FROM_NOWHERE)));
    }
    lines.push("drop".to_owned());
    lines
}

/// A match for the address that an advertisement tells of: what follows eight
/// octets of ICMPv6 (RFC 4861, 4.4).
fn target(net: IpNet) -> String {
    match net {
        IpNet::V6(net) if net.prefix_len() > 0 => {
            let (bits, of) = (u32::from(net.prefix_len()), u128::from(net.addr()));
            format!(" @th,64,{bits} {:#x}", of >> (128 - bits))
        }
        _ => String::new(),
    }
}

fn numbers(numbers: &[u8]) -> String {
    set(numbers.iter().map(u8::to_string)).unwrap_or_default()
}

/// Where a packet passes a port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Leaving,
    Arriving,
}

struct Chain {
    name: String,
    lines: Vec<String>,
}

/// What groups let a port send, and be sent.
fn groups(index: u32, port: &Port, objects: &Objects, remotes: &mut Remotes) -> [Chain; 2] {
    let rules: Vec<(&Rule, bool)> = port
        .groups
        .iter()
        .flat_map(|group| objects.rules_of(group))
        .map(|rule| (rule, objects.groups.get(&rule.security_group_id).copied().unwrap_or(true)))
        .collect();
    let tracks = rules.iter().any(|(_, is_stateful)| *is_stateful);
    [(Side::Leaving, "leaving"), (Side::Arriving, "arriving")].map(|(side, name)| {
        let mut lines = needed(side);
        if tracks {
            lines.push("ct state invalid drop".to_owned());
            lines.push("ct state related accept".to_owned());
        }
        let mut allowed = BTreeSet::new();
        for (rule, is_stateful) in &rules {
            let own_side = if rule.direction == "ingress" { Side::Arriving } else { Side::Leaving };
            let is_answer = own_side != side;
            if is_answer && !is_stateful {
                continue;
            }
            let state = match (is_stateful, is_answer) {
                (false, _) => "",
                (true, false) => "ct direction original ",
                (true, true) => "ct direction reply ct state established ",
            };
            let what = matches(rule, side, is_answer, remotes);
            allowed.extend(what.map(|what| format!("{state}{what} accept")));
        }
        lines.extend(allowed);
        lines.push("drop".to_owned());
        Chain { name: format!("{name}_{index}"), lines }
    })
}

/// What everybody may send, or be sent: what finds and gives addresses.
fn needed(side: Side) -> Vec<String> {
    let (types, ports) = match side {
        Side::Leaving => (&ICMP6_SENT[..], ["udp sport 68 udp dport 67", "udp sport 546 udp dport 547"]),
        Side::Arriving => (&ICMP6_RECEIVED[..], ["udp sport 67 udp dport 68", "udp sport 547 udp dport 546"]),
    };
    let types: Vec<u8> = types.iter().copied().chain([ADVERTISEMENT]).collect();
    let [v4, v6] = ports;
    vec![
        format!("meta nfproto ipv4 {v4} accept"),
        format!("meta nfproto ipv6 {v6} accept"),
        format!("icmpv6 type {} accept", numbers(&types)),
    ]
}

/// A match for what a rule lets through, or for the answer to it; nothing where
/// there can be none.
fn matches(rule: &Rule, side: Side, is_answer: bool, remotes: &mut Remotes) -> Option<String> {
    let is_v6 = rule.ethertype == "IPv6";
    let (family, ip) = if is_v6 { ("ipv6", "ip6") } else { ("ipv4", "ip") };
    let other_end = if side == Side::Leaving { "daddr" } else { "saddr" };
    let mut matching = format!("meta nfproto {family}");
    let remote = match (&rule.remote_group_id, &rule.remote_address_group_id, &rule.remote_ip_prefix) {
        (Some(group), ..) => Some(remotes.set(Remote::Members(group.clone()), is_v6)?),
        (None, Some(group), _) => Some(remotes.set(Remote::Addresses(group.clone()), is_v6)?),
        (None, None, Some(prefix)) => {
            let prefix = net(prefix).filter(|prefix| prefix.addr().is_ipv6() == is_v6)?;
            (prefix.prefix_len() > 0).then(|| prefix.to_string())
        }
        (None, None, None) => None,
    };
    if let Some(remote) = remote {
        let _ = write!(matching, " {ip} {other_end} {remote}");
    }
    let protocol = rule.protocol.as_deref().filter(|name| !["any", "0", ""].contains(name));
    let Some(protocol) = protocol else { return Some(matching) };
    // What nobody knows lets nothing through.
    let protocol = number(protocol, is_v6)?;
    let _ = write!(matching, " meta l4proto {protocol}");
    let (first, last) = (rule.port_range_min, rule.port_range_max);
    match protocol {
        1 | 58 => {
            let word = if is_v6 { "icmpv6" } else { "icmp" };
            let answers = if is_v6 { &ANSWERS6[..] } else { &ANSWERS[..] };
            if let Some(kind) = first {
                let answer = || answers.iter().find(|(asks, _)| *asks == kind).map(|(_, answer)| *answer);
                let kind = if is_answer { answer()? } else { kind };
                let _ = write!(matching, " {word} type {kind}");
            }
            if let Some(code) = last.filter(|_| !is_answer) {
                let _ = write!(matching, " {word} code {code}");
            }
        }
        6 | 17 | 33 | 132 | 136 => {
            let port = if is_answer { "sport" } else { "dport" };
            if let (Some(first), Some(last)) = (first, last) {
                (first <= last).then_some(())?;
                let _ = match first == last {
                    true => write!(matching, " th {port} {first}"),
                    false => write!(matching, " th {port} {first}-{last}"),
                };
            }
        }
        _ => {}
    }
    Some(matching)
}

/// Whom a rule is about, by a group's id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Remote {
    /// The members of a security group.
    Members(String),
    /// A group of addresses.
    Addresses(String),
}

/// Sets of addresses that rules are about, each with its family.
#[derive(Default)]
struct Remotes(BTreeSet<(Remote, bool)>);

impl Remotes {
    /// The set's name.
    fn set(&mut self, remote: Remote, is_v6: bool) -> Option<String> {
        let name = name(&remote, is_v6)?;
        self.0.insert((remote, is_v6));
        Some(format!("@{name}"))
    }

    fn write(&self, objects: &Objects, text: &mut Text) {
        for (remote, is_v6) in &self.0 {
            let Some(name) = name(remote, *is_v6) else { continue };
            let addresses: BTreeSet<IpNet> = match remote {
                Remote::Members(group) => {
                    objects.members(group, *is_v6).iter().filter_map(|ip| net(ip)).collect()
                }
                Remote::Addresses(group) => {
                    objects.addresses.get(group).into_iter().flatten().filter_map(|ip| net(ip)).collect()
                }
            };
            text.line(format!("set {name} {{"));
            text.line(if *is_v6 { "type ipv6_addr" } else { "type ipv4_addr" });
            text.line("flags interval");
            if let Some(elements) = set(words(&addresses, *is_v6)) {
                text.line(format!("elements = {elements}"));
            }
            text.line("}");
        }
    }
}

/// Of an id, which is no name for `nft`.
fn name(remote: &Remote, is_v6: bool) -> Option<String> {
    let (kind, id) = match remote {
        Remote::Members(id) => ("members", id),
        Remote::Addresses(id) => ("addresses", id),
    };
    let is_id = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let family = if is_v6 { 6 } else { 4 };
    is_id.then(|| format!("{kind}{family}_{}", id.replace('-', "_")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn port(id: &str, groups: &[&str]) -> Port {
        Port {
            id: id.into(),
            network_id: "n".into(),
            mac: "fa:16:3e:00:00:01".into(),
            is_enabled: true,
            status: "ACTIVE".into(),
            revision: 1,
            owner: "compute:nova".into(),
            addresses: vec!["10.0.0.5".parse().unwrap()],
            is_secured: true,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            pairs: Vec::new(),
            policy: None,
            network_policy: None,
            bound: BTreeMap::new(),
        }
    }

    fn rule(id: &str, direction: &str, protocol: Option<&str>, ports: Option<(u16, u16)>) -> Rule {
        Rule {
            id: id.into(),
            security_group_id: "g".into(),
            direction: direction.into(),
            ethertype: "IPv4".into(),
            protocol: protocol.map(str::to_owned),
            port_range_min: ports.map(|(first, _)| first),
            port_range_max: ports.map(|(_, last)| last),
            remote_ip_prefix: None,
            remote_group_id: None,
            remote_address_group_id: None,
        }
    }

    fn known(rules: Vec<Rule>, is_stateful: bool) -> Objects {
        let mut objects = Objects::default();
        objects.groups.insert("g".into(), is_stateful);
        objects.rules.extend(rules.into_iter().map(|rule| (rule.id.clone(), rule)));
        objects
    }

    fn filtered(port: &Port) -> Filtered<'_> {
        Filtered {
            bridges: BTreeSet::from(["brq0"]),
            members: vec![
                Member { index: 7, name: "tap0f1e2d3c-4b", zone: 3, port: Some(port) },
                Member { index: 5, name: "vxlan-9", zone: 3, port: None },
            ],
            foreign: BTreeSet::from(["tap0"]),
        }
    }

    /// The lines of a chain.
    fn chain<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
        let begin = format!("chain {name} {{");
        text.lines().skip_while(|line| *line != begin).skip(1).take_while(|line| *line != "}").collect()
    }

    #[test]
    fn what_a_rule_lets_through_is_answered() {
        let port = port("p", &["g"]);
        let text =
            ruleset(&filtered(&port), &known(vec![rule("r", "ingress", Some("tcp"), Some((22, 23)))], true));
        let asks = "ct direction original meta nfproto ipv4 meta l4proto 6 th dport 22-23 accept";
        assert!(chain(&text, "arriving_7").contains(&asks), "{text}");
        let answers =
            "ct direction reply ct state established meta nfproto ipv4 meta l4proto 6 th sport 22-23 accept";
        assert!(chain(&text, "leaving_7").contains(&answers), "{text}");
        assert!(!chain(&text, "leaving_7").iter().any(|line| line.contains("direction original")));
    }

    #[test]
    fn what_stateless_groups_let_through_is_not() {
        let port = port("p", &["g"]);
        let text = ruleset(&filtered(&port), &known(vec![rule("r", "egress", Some("udp"), None)], false));
        assert!(chain(&text, "leaving_7").contains(&"meta nfproto ipv4 meta l4proto 17 accept"), "{text}");
        assert!(!text.contains("ct state") && !text.contains("ct direction"), "{text}");
    }

    #[test]
    fn answers_of_icmp_have_types_of_their_own() {
        let port = port("p", &["g"]);
        let ping = Rule { port_range_max: None, ..rule("r", "egress", Some("icmp"), Some((8, 0))) };
        let text = ruleset(&filtered(&port), &known(vec![ping], true));
        assert!(chain(&text, "leaving_7").iter().any(|line| line.contains("l4proto 1 icmp type 8 accept")));
        assert!(chain(&text, "arriving_7").iter().any(|line| line.contains("l4proto 1 icmp type 0 accept")));
        // Nothing answers that a host cannot be reached.
        let unreachable = rule("r", "egress", Some("icmp"), Some((3, 1)));
        let text = ruleset(&filtered(&port), &known(vec![unreachable], true));
        assert!(
            chain(&text, "leaving_7").iter().any(|line| line.ends_with("icmp type 3 icmp code 1 accept"))
        );
        assert!(!chain(&text, "arriving_7").iter().any(|line| line.contains("icmp type")));
    }

    #[test]
    fn members_are_a_set_that_takes_in_what_they_may_send_from() {
        let mut port = port("p", &["g"]);
        port.pairs.push(Pair { mac: port.mac.clone(), ip: "10.0.0.0/30".into() });
        port.pairs.push(Pair { mac: port.mac.clone(), ip: "10.0.0.1".into() });
        let mut objects = known(
            vec![Rule { remote_group_id: Some("a-b".into()), ..rule("r", "ingress", None, None) }],
            true,
        );
        let member = Port { groups: BTreeSet::from(["a-b".to_owned()]), ..port.clone() };
        objects.ports.insert("m".into(), member);
        let text = ruleset(&filtered(&port), &objects);
        assert!(
            text.contains(
                "set members4_a_b {\ntype ipv4_addr\nflags interval\nelements = { 10.0.0.0/30, 10.0.0.5 }\n}"
            ),
            "{text}"
        );
        assert!(chain(&text, "arriving_7").iter().any(|line| line.contains("ip saddr @members4_a_b accept")));
        assert!(chain(&text, "leaving_7").iter().any(|line| line.contains("ip daddr @members4_a_b accept")));
    }

    #[test]
    fn senders_are_who_they_say() {
        let mut port = port("p", &[]);
        port.pairs.push(Pair { mac: "FA:16:3e:00:00:02".into(), ip: "fd00::/64".into() });
        let text = ruleset(&filtered(&port), &Objects::default());
        let from = chain(&text, "from_7");
        let own = "fa:16:3e:00:00:01";
        assert!(
            from.contains(&format!("ether saddr {own} ip saddr {{ 10.0.0.5 }} accept").as_str()),
            "{text}"
        );
        let claims =
            format!("ether saddr {own} arp saddr ether {own} arp saddr ip {{ 10.0.0.5, 0.0.0.0 }} accept");
        assert!(from.contains(&claims.as_str()), "{text}");
        let other = "ether saddr fa:16:3e:00:00:02";
        assert!(from.contains(
            &format!("{other} ip6 saddr {{ fd00::/64, fe80::f816:3eff:fe00:2 }} icmpv6 type 136 @th,64,64 0xfd00000000000000 accept").as_str()
        ), "{text}");
        assert_eq!(from.last(), Some(&"drop"));
    }

    #[test]
    fn taps_of_others_and_ports_without_security_are_let_be() {
        let port = Port { is_secured: false, ..port("p", &[]) };
        let text = ruleset(&filtered(&port), &Objects::default());
        let hook = chain(&text, "prerouting");
        assert!(
            hook.contains(
                &"iifname vmap { \"tap0f1e2d3c-4b\" : accept, \"vxlan-9\" : accept, \"tap0\" : accept }"
            ),
            "{text}"
        );
        assert_eq!(hook.last(), Some(&"iifname \"tap*\" drop"));
        assert!(!text.contains("from_") && !text.contains("leaving_"), "{text}");
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_becomes_more_than_a_value(
            text in "[a-z0-9\"{};\n@ :./-]{0,20}",
            direction in prop::sample::select(vec!["ingress", "egress"]),
        ) {
            let odd = Rule {
                remote_ip_prefix: Some(text.clone()),
                protocol: Some(text.clone()),
                ..rule("r", direction, None, None)
            };
            let member = Rule { remote_group_id: Some(text.clone()), ..rule("s", direction, None, None) };
            let mut port = port(&text, &["g"]);
            port.pairs.push(Pair { mac: text.clone(), ip: text.clone() });
            port.mac.clone_from(&text);
            let mut filtered = filtered(&port);
            filtered.foreign.insert(&text);
            filtered.bridges.insert(&text);
            let mut objects = known(vec![odd, member], true);
            objects.addresses.insert("a".into(), vec![text.clone()]);
            let rules = ruleset(&filtered, &objects);
            // Chains and sets are opened and closed, names stand between two quotes,
            // and each chain for a port lets nothing through by itself.
            prop_assert_eq!(rules.matches('{').count(), rules.matches('}').count());
            prop_assert_eq!(rules.matches('"').count() % 2, 0);
            prop_assert!(!rules.replace("; policy accept;", "").contains(';'));
            for name in ["from_7", "leaving_7", "arriving_7"] {
                prop_assert_eq!(chain(&rules, name).last().copied(), Some("drop"));
            }
        }
    }
}
