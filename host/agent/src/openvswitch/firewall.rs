//! Security groups as flows: what a port may send and be sent, by the switch's
//! tracking of connections. Tables have Neutron's numbers.
//!
//! | table | what is decided |
//! |---|---|
//! | 71 | is the sender who it says it is |
//! | 72 | do its groups let it send this |
//! | 73 | it may: where to |
//! | 74 | before 72: do its stateless groups let it send this |
//! | 81 | is it what everybody may be sent |
//! | 82 | do its groups let it be sent this |
//! | 83 | before 82: do its stateless groups let it be sent this |
//! | 94 | out of here, as the switch would without groups |
//!
//! Register 5 holds the port's number, register 6 its VLAN here, which is the
//! zone in which its connections are tracked, too. A connection that is not
//! allowed any more is marked. What a stateless group lets through is not
//! tracked, so its answers pass only where a rule lets them. (Neutron's switch
//! firewall takes stateless groups for stateful ones; this is how its iptables
//! firewall has them.)

use super::flows::{Flows, Wired};
use crate::objects::{Objects, Port, Rule};
use crate::protocols::{ICMP6_RECEIVED, ICMP6_SENT, link_local, number};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const SENDER: u8 = 71;
const SENT: u8 = 72;
pub(super) const MAY_SEND: u8 = 73;
const SENT_UNTRACKED: u8 = 74;
pub(super) const RECEIVER: u8 = 81;
const RECEIVED: u8 = 82;
const RECEIVED_UNTRACKED: u8 = 83;
const OUT: u8 = 94;

/// Tracks a packet's connection, in its VLAN's zone.
pub(super) const ZONE: &str = "zone=NXM_NX_REG6[0..15]";

/// Which kinds of groups a port is in.
#[derive(Clone, Copy)]
struct Groups {
    /// Some whose rules hold for each packet by itself.
    has_stateless: bool,
    /// Some whose rules hold for connections, or none at all.
    has_stateful: bool,
}

impl Groups {
    fn of(port: &Port, objects: &Objects) -> Groups {
        Groups {
            has_stateless: port.groups.iter().any(|group| !is_stateful(objects, group)),
            has_stateful: port.groups.is_empty()
                || port.groups.iter().any(|group| is_stateful(objects, group)),
        }
    }
}

fn is_stateful(objects: &Objects, group: &str) -> bool {
    objects.groups.get(group).copied().unwrap_or(true)
}

/// The flows for all ports that groups apply to.
pub fn write(secured: &[Wired<'_>], objects: &Objects, flows: &mut Flows) {
    flows.add(SENDER, 110, "ct_state=+trk", format!("ct_clear,resubmit(,{SENDER})"));
    flows.add(SENDER, 0, "", "drop");
    flows.add(SENT, 0, "", "drop");
    flows.add(SENT, 50, "ct_state=+inv+trk", "drop");
    flows.add(MAY_SEND, 0, "", "drop");
    flows.add(RECEIVER, 0, "", "drop");
    flows.add(RECEIVED, 0, "", "drop");
    flows.add(RECEIVED, 50, "ct_state=+inv+trk", "drop");
    flows.add(OUT, 1, "", "NORMAL");
    let mut remote = Remotes::default();
    for wired in secured {
        let groups = Groups::of(wired.port, objects);
        sender(wired, groups, flows);
        receiver(wired, groups, flows);
        if groups.has_stateless {
            untracked(wired, groups, flows);
        }
        if groups.has_stateful {
            connections(wired, flows);
        }
        onward(wired, flows);
        for rule in wired.port.groups.iter().flat_map(|group| objects.rules_of(group)) {
            allow(wired, rule, is_stateful(objects, &rule.security_group_id), objects, &mut remote, flows);
        }
    }
    remote.write(objects, flows);
}

/// What a port may send from: its addresses and those it was allowed besides.
fn senders(port: &Port) -> BTreeSet<(String, String)> {
    let own = port.addresses.iter().map(|ip| (port.mac.clone(), ip.to_string()));
    own.chain(port.pairs.iter().map(|pair| (pair.mac.to_lowercase(), pair.ip.clone()))).collect()
}

/// Nobody pretends to be somebody else: by ARP, neighbour discovery, or IP.
fn sender(wired: &Wired<'_>, groups: Groups, flows: &mut Flows) {
    let (number, port) = (wired.number, wired.port);
    let from = format!("reg5={number},in_port={number}");
    let track = match groups.has_stateless {
        true => format!("resubmit(,{SENT_UNTRACKED})"),
        false => format!("ct(table={SENT},{ZONE})"),
    };
    let out = format!("resubmit(,{OUT})");
    let mut macs = BTreeSet::from([port.mac.clone()]);
    for (mac, ip) in senders(port) {
        macs.insert(mac.clone());
        if ip.contains(':') {
            neighbour(&from, &mac, &ip, flows);
            flows.add(SENDER, 65, format!("ipv6,{from},dl_src={mac},ipv6_src={ip}"), &track);
        } else {
            flows.add(SENDER, 95, format!("arp,{from},dl_src={mac},arp_spa={ip}"), &out);
            flows.add(SENDER, 65, format!("ip,{from},dl_src={mac},nw_src={ip}"), &track);
            let asks = format!("udp,{from},dl_src={mac},nw_src={ip},tp_src=68,tp_dst=67");
            flows.add(SENDER, 80, asks, format!("resubmit(,{MAY_SEND})"));
        }
    }
    for mac in &macs {
        // An address that is looked for is nobody's yet (RFC 5227, 2.1.1).
        flows.add(SENDER, 95, format!("arp,{from},dl_src={mac},arp_spa=0.0.0.0"), &out);
        flows.add(SENDER, 95, format!("rarp,{from},dl_src={mac}"), &out);
        let asks = format!("udp,{from},dl_src={mac},nw_src=0.0.0.0,tp_src=68,tp_dst=67");
        flows.add(SENDER, 80, asks, format!("resubmit(,{MAY_SEND})"));
        if let Some(ip) = link_local(mac) {
            neighbour(&from, mac, &ip, flows);
            flows.add(SENDER, 65, format!("ipv6,{from},dl_src={mac},ipv6_src={ip}"), &track);
            let asks = format!("udp6,{from},dl_src={mac},ipv6_src={ip},tp_src=546,tp_dst=547");
            flows.add(SENDER, 80, asks, format!("resubmit(,{MAY_SEND})"));
        }
        // Whether an address is free is asked from no address (RFC 4862, 5.4.2).
        flows.add(SENDER, 95, format!("icmp6,{from},dl_src={mac},ipv6_src=::,icmp_type=135"), &out);
    }
    // It serves no addresses and routes for nobody.
    for serves in ["udp,{},tp_src=67,tp_dst=68", "udp6,{},tp_src=547,tp_dst=546", "icmp6,{},icmp_type=134"] {
        flows.add(SENDER, 70, serves.replace("{}", &from), "drop");
    }
    flows.add(SENDER, 10, from, "drop");
}

fn neighbour(from: &str, mac: &str, ip: &str, flows: &mut Flows) {
    let out = format!("resubmit(,{OUT})");
    for kind in ICMP6_SENT {
        flows.add(SENDER, 95, format!("icmp6,{from},dl_src={mac},ipv6_src={ip},icmp_type={kind}"), &out);
    }
    flows.add(SENDER, 95, format!("icmp6,{from},icmp_type=136,nd_target={ip}"), &out);
}

/// What everybody is sent: what finds and gives addresses.
fn receiver(wired: &Wired<'_>, groups: Groups, flows: &mut Flows) {
    let number = wired.number;
    let (to, output) = (format!("reg5={number}"), format!("output:{number}"));
    flows.add(RECEIVER, 100, format!("arp,{to}"), &output);
    for kind in ICMP6_RECEIVED.into_iter().chain([136]) {
        flows.add(RECEIVER, 100, format!("icmp6,{to},icmp_type={kind}"), &output);
    }
    flows.add(RECEIVER, 95, format!("udp,{to},tp_src=67,tp_dst=68"), &output);
    flows.add(RECEIVER, 95, format!("udp6,{to},tp_src=547,tp_dst=546"), &output);
    if groups.has_stateless {
        for family in ["ip", "ipv6"] {
            flows.add(RECEIVER, 90, format!("{family},{to}"), format!("resubmit(,{RECEIVED_UNTRACKED})"));
        }
    } else {
        track_received(RECEIVER, [90, 80], &to, flows);
    }
}

/// Looks at the connection of what is sent to a port, unless that was done.
fn track_received(table: u8, priorities: [u16; 2], to: &str, flows: &mut Flows) {
    let [untracked, tracked] = priorities;
    for family in ["ip", "ipv6"] {
        let track = format!("ct(table={RECEIVED},{ZONE})");
        flows.add(table, untracked, format!("ct_state=-trk,{family},{to}"), track);
    }
    flows.add(table, tracked, format!("ct_state=+trk,{to}"), format!("resubmit(,{RECEIVED})"));
}

/// What no stateless group lets through, of a port that is in one: the others are
/// asked, if there are any.
fn untracked(wired: &Wired<'_>, groups: Groups, flows: &mut Flows) {
    flows.add(SENT_UNTRACKED, 0, "", "drop");
    flows.add(RECEIVED_UNTRACKED, 0, "", "drop");
    if groups.has_stateful {
        let of = format!("reg5={}", wired.number);
        for family in ["ip", "ipv6"] {
            flows.add(SENT_UNTRACKED, 1, format!("{family},{of}"), format!("ct(table={SENT},{ZONE})"));
        }
        track_received(RECEIVED_UNTRACKED, [1, 1], &of, flows);
    }
}

/// What belongs to a connection that was let through, and what does not.
fn connections(wired: &Wired<'_>, flows: &mut Flows) {
    let (number, vlan) = (wired.number, wired.vlan);
    let of = format!("reg5={number}");
    // An answer to a port on the same host passes its flows too: it may be one
    // whose groups let no answers in.
    let passes = [(SENT, format!("resubmit(,{MAY_SEND})")), (RECEIVED, format!("output:{number}"))];
    for (table, pass) in &passes {
        flows.add(*table, 50, format!("ct_mark=0x1,{of}"), "drop");
        for state in ["+est-rel+rpl", "-new-est+rel-inv"] {
            flows.add(*table, 50, format!("ct_state={state},ct_zone={vlan},ct_mark=0,{of}"), pass);
        }
        flows.add(*table, 40, format!("ct_state=-est,{of}"), "drop");
        for family in ["ip", "ipv6"] {
            // No rule lets it through any more.
            let mark = format!("ct(commit,{ZONE},exec(set_field:0x1->ct_mark))");
            flows.add(*table, 40, format!("ct_state=+est,{family},{of}"), mark);
        }
    }
}

/// To a port on the same host goes what its groups let through; all else as the
/// switch has it.
fn onward(wired: &Wired<'_>, flows: &mut Flows) {
    let (number, vlan) = (wired.number, wired.vlan);
    let of = format!("reg5={number}");
    let mac = &wired.port.mac;
    flows.add(
        MAY_SEND,
        100,
        format!("reg6={vlan},dl_dst={mac}"),
        format!("load:{number}->NXM_NX_REG5[],resubmit(,{RECEIVER})"),
    );
    for family in ["ip", "ipv6"] {
        let commit = format!("ct(commit,{ZONE}),resubmit(,{OUT})");
        flows.add(MAY_SEND, 90, format!("ct_state=+new-est,{family},{of}"), commit);
    }
    flows.add(MAY_SEND, 80, of, format!("resubmit(,{OUT})"));
}

/// Where a rule's flows stand, and what becomes of what they match.
struct Place {
    table: u8,
    /// The member of a match with the other end's address.
    remote: &'static str,
    family: &'static str,
    /// By state of the connection.
    passes: Vec<(&'static str, String)>,
}

fn place(wired: &Wired<'_>, rule: &Rule, stateful: bool) -> Place {
    let is_v6 = rule.ethertype == "IPv6";
    let number = wired.number;
    let family = if is_v6 { "ipv6" } else { "ip" };
    if rule.direction == "ingress" {
        let output = format!("output:{number}");
        let first = format!("ct(commit,{ZONE}),{output}");
        let remote = if is_v6 { "ipv6_src" } else { "nw_src" };
        let (table, passes) = match stateful {
            true => (RECEIVED, vec![("+est-rel-rpl", output), ("+new-est", first)]),
            // A sender on this host whose groups are stateful expects answers.
            false => (RECEIVED_UNTRACKED, vec![("-new", output), ("+new-est", first)]),
        };
        Place { table, remote, family, passes }
    } else {
        let on = format!("resubmit(,{MAY_SEND})");
        let remote = if is_v6 { "ipv6_dst" } else { "nw_dst" };
        let (table, passes) = match stateful {
            true => (SENT, vec![("+est-rel-rpl", on.clone()), ("+new-est", on)]),
            false => (SENT_UNTRACKED, vec![("-trk", on)]),
        };
        Place { table, remote, family, passes }
    }
}

/// Lets through what a rule describes.
fn allow(
    wired: &Wired<'_>,
    rule: &Rule,
    stateful: bool,
    objects: &Objects,
    remotes: &mut Remotes,
    flows: &mut Flows,
) {
    let place = place(wired, rule, stateful);
    let of = format!("reg5={}", wired.number);
    for what in protocol(rule, place.family) {
        if let Some(group) = &rule.remote_group_id {
            remotes.add(group, &place, &what, &of);
            continue;
        }
        let addresses: Vec<String> = match (&rule.remote_address_group_id, &rule.remote_ip_prefix) {
            (Some(group), _) => objects.addresses.get(group).cloned().unwrap_or_default(),
            (None, Some(prefix)) => vec![prefix.clone()],
            (None, None) => vec![String::new()],
        };
        let is_v6 = rule.ethertype == "IPv6";
        let same_family = |ip: &&String| ip.is_empty() || ip.contains(':') == is_v6;
        for ip in addresses.iter().filter(same_family) {
            let mut matching = format!("{what},{of}");
            if !ip.is_empty() {
                let _ = write!(matching, ",{}={ip}", place.remote);
            }
            for (state, pass) in &place.passes {
                flows.add(place.table, 74, format!("ct_state={state},{matching}"), pass);
            }
        }
    }
}

/// Matches for the protocol and the ports of a rule, one or several.
fn protocol(rule: &Rule, family: &str) -> Vec<String> {
    let is_v6 = family == "ipv6";
    let Some(protocol) = rule.protocol.as_deref().filter(|name| !["any", "0", ""].contains(name)) else {
        return vec![family.to_owned()];
    };
    let number = number(protocol, is_v6);
    let ports = |name: &str| match (rule.port_range_min, rule.port_range_max) {
        (Some(first), Some(last)) => {
            masks(first, last).iter().map(|mask| format!("{name},tp_dst={mask}")).collect()
        }
        _ => vec![name.to_owned()],
    };
    let suffix = if is_v6 { "6" } else { "" };
    match number {
        Some(6) => ports(&format!("tcp{suffix}")),
        Some(17) => ports(&format!("udp{suffix}")),
        Some(132) => ports(&format!("sctp{suffix}")),
        Some(1 | 58) => {
            let mut matching = if is_v6 { "icmp6".to_owned() } else { "icmp".to_owned() };
            for (name, value) in [("icmp_type", rule.port_range_min), ("icmp_code", rule.port_range_max)] {
                if let Some(value) = value {
                    let _ = write!(matching, ",{name}={value}");
                }
            }
            vec![matching]
        }
        Some(number) => vec![format!("{family},nw_proto={number}")],
        // What nobody knows lets nothing through.
        None => Vec::new(),
    }
}

/// A range of ports as values and masks, the fewest.
fn masks(first: u16, last: u16) -> Vec<String> {
    let (mut next, last) = (u32::from(first), u32::from(last));
    let mut masks = Vec::new();
    while next <= last {
        // The largest block that begins here and ends in time.
        let mut size = 1_u32;
        while size < 0x1_0000 && next.is_multiple_of(size * 2) && next + size * 2 - 1 <= last {
            size *= 2;
        }
        masks.push(match size {
            1 => format!("{next}"),
            0x1_0000 => "0/0".to_owned(),
            size => format!("{next:#x}/{:#x}", 0x1_0000 - size),
        });
        next += size;
    }
    masks
}

/// Rules about members of groups: a flow for each member and one for each port,
/// not one for each of both, by the switch's conjunctive matches.
#[derive(Default)]
struct Remotes {
    /// What is matched, by group, in the order of their numbers.
    kinds: Vec<Kind>,
    numbers: BTreeMap<Kind, u32>,
    /// Matches of the ports, with the numbers that they are part of.
    ports: BTreeMap<(u8, String), BTreeSet<u32>>,
    /// What becomes of them.
    passes: BTreeSet<(u8, String, String)>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    group: String,
    table: u8,
    remote: &'static str,
    family: &'static str,
    /// Protocol and state.
    what: String,
}

impl Remotes {
    fn add(&mut self, group: &str, place: &Place, what: &str, of: &str) {
        for (state, pass) in &place.passes {
            let what = format!("ct_state={state},{what}");
            let kind = Kind {
                group: group.to_owned(),
                table: place.table,
                remote: place.remote,
                family: place.family,
                what: what.clone(),
            };
            let number = match self.numbers.get(&kind) {
                Some(number) => *number,
                None => {
                    self.kinds.push(kind.clone());
                    let number = u32::try_from(self.kinds.len()).unwrap_or(u32::MAX);
                    self.numbers.insert(kind, number);
                    number
                }
            };
            self.ports.entry((place.table, format!("{what},{of}"))).or_default().insert(number);
            self.passes.insert((
                place.table,
                format!("conj_id={number},{},{of}", place.family),
                pass.clone(),
            ));
        }
    }

    fn write(&self, objects: &Objects, flows: &mut Flows) {
        let mut members: BTreeMap<(u8, String), BTreeSet<u32>> = BTreeMap::new();
        for (kind, number) in &self.numbers {
            for ip in objects.members(&kind.group, kind.family == "ipv6") {
                let matching = format!("{},{}={ip}", kind.family, kind.remote);
                members.entry((kind.table, matching)).or_default().insert(*number);
            }
        }
        for (part, matches) in [("1/2", &members), ("2/2", &self.ports)] {
            for ((table, matching), numbers) in matches {
                let actions: Vec<String> =
                    numbers.iter().map(|number| format!("conjunction({number},{part})")).collect();
                flows.add(*table, 70, matching, actions.join(","));
            }
        }
        for (table, matching, pass) in &self.passes {
            flows.add(*table, 70, matching, pass);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covered(masks: &[String]) -> BTreeSet<u32> {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).unwrap(),
            None => text.parse().unwrap(),
        };
        let mut covered = BTreeSet::new();
        for mask in masks {
            let (value, mask) =
                mask.split_once('/').map_or_else(|| (number(mask), 0xffff), |(v, m)| (number(v), number(m)));
            for port in (0..=0xffff).filter(|port| port & mask == value) {
                assert!(covered.insert(port), "{port} is covered twice");
            }
        }
        covered
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn masks_cover_a_range_and_nothing_else(one: u16, other: u16) {
            let (first, last) = (one.min(other), one.max(other));
            let masks = masks(first, last);
            prop_assert!(masks.len() <= 30);
            prop_assert_eq!(covered(&masks), (u32::from(first)..=u32::from(last)).collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn all_ports_are_one_mask() {
        assert_eq!(masks(0, 65535), ["0/0"]);
        assert_eq!(masks(22, 22), ["22"]);
        assert_eq!(masks(1000, 1999).len(), 7);
    }

    #[test]
    fn protocols_are_matched_by_name_and_number() {
        let rule = |protocol: Option<&str>, first: Option<u16>, last: Option<u16>| Rule {
            id: String::new(),
            security_group_id: String::new(),
            direction: "ingress".into(),
            ethertype: "IPv4".into(),
            protocol: protocol.map(str::to_owned),
            port_range_min: first,
            port_range_max: last,
            remote_ip_prefix: None,
            remote_group_id: None,
            remote_address_group_id: None,
        };
        assert_eq!(protocol(&rule(None, None, None), "ip"), ["ip"]);
        assert_eq!(protocol(&rule(Some("tcp"), Some(22), Some(22)), "ip"), ["tcp,tp_dst=22"]);
        assert_eq!(protocol(&rule(Some("6"), None, None), "ipv6"), ["tcp6"]);
        assert_eq!(protocol(&rule(Some("icmp"), Some(8), Some(0)), "ip"), ["icmp,icmp_type=8,icmp_code=0"]);
        assert_eq!(protocol(&rule(Some("icmp"), Some(128), None), "ipv6"), ["icmp6,icmp_type=128"]);
        assert_eq!(protocol(&rule(Some("vrrp"), None, None), "ip"), ["ip,nw_proto=112"]);
        assert!(protocol(&rule(Some("nosuch"), None, None), "ip").is_empty());
    }

    fn port(group: &str) -> Port {
        Port {
            mac: "fa:16:3e:00:00:01".into(),
            addresses: vec![std::net::IpAddr::from([10, 0, 0, 5])],
            is_secured: true,
            groups: BTreeSet::from([group.to_owned()]),
            ..Port::default()
        }
    }

    #[test]
    fn what_stateless_groups_let_through_is_not_tracked() {
        let rule = |direction: &str| Rule {
            id: direction.into(),
            security_group_id: "g".into(),
            direction: direction.into(),
            ethertype: "IPv4".into(),
            protocol: None,
            port_range_min: None,
            port_range_max: None,
            remote_ip_prefix: None,
            remote_group_id: None,
            remote_address_group_id: None,
        };
        let rules = ["ingress", "egress"].map(|direction| (direction.to_owned(), rule(direction)));
        let mut objects = Objects { rules: rules.into(), ..Objects::default() };
        let segment = crate::objects::Segment {
            network_type: "vxlan".into(),
            physical_network: None,
            segmentation_id: Some(1),
        };
        let mut port = port("g");
        let mut of = |stateful: bool, groups: &[&str]| {
            objects.groups.insert("g".into(), stateful);
            port.groups = groups.iter().map(|group| (*group).to_owned()).collect();
            let mut flows = Flows::default();
            write(&[Wired { number: 7, vlan: 1, port: &port, segment: &segment }], &objects, &mut flows);
            flows.missing_in(&Flows::default(), 0)
        };
        let tracks =
            |flows: &[crate::openflow::Flow]| flows.iter().any(|flow| flow.actions.contains("ct(table"));
        let lets_through = |flows: &[crate::openflow::Flow], table| {
            flows.iter().any(|flow| flow.table == table && flow.priority == 74)
        };
        let stateful = of(true, &["g"]);
        assert!(tracks(&stateful) && lets_through(&stateful, SENT) && lets_through(&stateful, RECEIVED));
        assert!(!lets_through(&stateful, SENT_UNTRACKED));
        let stateless = of(false, &["g"]);
        assert!(!tracks(&stateless));
        assert!(lets_through(&stateless, SENT_UNTRACKED) && lets_through(&stateless, RECEIVED_UNTRACKED));
        assert!(!lets_through(&stateless, SENT) && !lets_through(&stateless, RECEIVED));
        // With a stateful group besides, what the stateless one does not let through
        // is tracked.
        assert!(tracks(&of(false, &["g", "another"])));
    }
}
