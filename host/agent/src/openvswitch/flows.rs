//! The flows that a host should have: a function of what is plugged in, of what
//! the server says of it, and of where tunnels end.

use super::fdb::Fdb;
use super::limits::Meters;
use super::{firewall, limits};
use crate::objects::{Objects, Port, Segment};
use crate::openflow::Flow;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Flows of one bridge by what tells them apart: table, priority and match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows(BTreeMap<(u8, u16, String), String>);

impl Flows {
    /// Adds one; a second with the same match takes the place of the first.
    pub fn add(&mut self, table: u8, priority: u16, matching: impl Into<String>, actions: impl Into<String>) {
        self.0.insert((table, priority, matching.into()), actions.into());
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has to be written so that what was written before becomes this.
    #[must_use]
    pub fn missing_in(&self, before: &Flows, cookie: u64) -> Vec<Flow> {
        let new = self.0.iter().filter(|(key, actions)| before.0.get(*key) != Some(*actions));
        new.map(|(key, actions)| flow(key, actions, cookie)).collect()
    }

    /// What was written before and has to go.
    #[must_use]
    pub fn surplus_in(&self, before: &Flows, cookie: u64) -> Vec<Flow> {
        let gone = before.0.iter().filter(|(key, _)| !self.0.contains_key(*key));
        gone.map(|(key, actions)| flow(key, actions, cookie)).collect()
    }
}

fn flow((table, priority, matching): &(u8, u16, String), actions: &str, cookie: u64) -> Flow {
    Flow {
        table: *table,
        priority: *priority,
        cookie,
        matching: matching.clone(),
        actions: actions.to_owned(),
    }
}

/// A port that is plugged in here, as far as flows go.
#[derive(Clone, Copy, Debug)]
pub struct Wired<'a> {
    /// The switch's number of its interface.
    pub number: u16,
    /// Its network's VLAN on this host.
    pub vlan: u16,
    /// What the server says of it.
    pub port: &'a Port,
    /// Its network's segment on this host.
    pub segment: &'a Segment,
}

/// The joints between bridges, and the tunnels.
#[derive(Clone, Debug, Default)]
pub struct Joints {
    /// On the integration bridge: the number of the port towards the tunnel
    /// bridge.
    pub to_tunnels: u16,
    /// On the tunnel bridge: the number of the port towards the integration
    /// bridge.
    pub from_tunnels: u16,
    /// Of each physical network: its bridge, and the numbers of the ports on the
    /// integration bridge and on that one.
    pub physical: BTreeMap<String, (String, u16, u16)>,
    /// Of each type of tunnels the numbers of its ports on the tunnel bridge, by the
    /// address of the far end.
    pub tunnels: BTreeMap<String, BTreeMap<IpAddr, u16>>,
}

/// Where a kind of tunnels arrives on the tunnel bridge, as Neutron numbers it.
fn arrival(kind: &str) -> Option<u8> {
    match kind {
        "gre" => Some(3),
        "vxlan" => Some(4),
        "geneve" => Some(6),
        _ => None,
    }
}

/// The integration bridge's flows.
#[must_use]
pub fn integration(wired: &[Wired<'_>], joints: &Joints, objects: &Objects, meters: &Meters) -> Flows {
    let mut flows = Flows::default();
    limits::write(wired, objects, meters, &mut flows);
    flows.add(0, 65535, "dl_vlan=4095", "drop");
    flows.add(0, 0, "", "drop");
    flows.add(0, 2, format!("in_port={}", joints.to_tunnels), "resubmit(,58)");
    flows.add(60, 1, "", "NORMAL");
    for (_, number, _) in joints.physical.values() {
        flows.add(0, 2, format!("in_port={number}"), "drop");
    }
    for Wired { number, vlan, port, segment } in wired {
        if let Some((_, physical, _)) = joint(joints, segment) {
            let outside = outside(segment);
            flows.add(
                0,
                3,
                format!("in_port={physical},{outside}"),
                format!("mod_vlan_vid:{vlan},resubmit(,58)"),
            );
        }
        let marks = format!("load:{number}->NXM_NX_REG5[],load:{vlan}->NXM_NX_REG6[]");
        flows.add(0, 10, format!("in_port={number}"), "resubmit(,58)");
        if port.is_secured {
            flows.add(60, 100, format!("in_port={number}"), format!("{marks},resubmit(,71)"));
            let arrives = format!("{marks},strip_vlan,resubmit(,81)");
            flows.add(60, 90, format!("dl_vlan={vlan},dl_dst={}", port.mac), arrives);
        } else {
            flows.add(60, 100, format!("in_port={number}"), format!("{marks},resubmit(,73)"));
            flows.add(73, 80, format!("reg5={number}"), "resubmit(,94)");
        }
    }
    let secured: Vec<Wired<'_>> = wired.iter().filter(|wired| wired.port.is_secured).copied().collect();
    firewall::write(&secured, objects, &mut flows);
    flows
}

/// What frames of a segment look like outside of the host.
fn outside(segment: &Segment) -> String {
    match (segment.network_type.as_str(), segment.segmentation_id) {
        ("vlan", Some(number)) => format!("dl_vlan={number}"),
        _ => "vlan_tci=0x0000/0x1fff".to_owned(),
    }
}

fn joint<'a>(joints: &'a Joints, segment: &Segment) -> Option<&'a (String, u16, u16)> {
    joints.physical.get(segment.physical_network.as_ref()?)
}

/// The flows of a physical network's bridge.
#[must_use]
pub fn physical(name: &str, wired: &[Wired<'_>], joints: &Joints) -> Flows {
    let mut flows = Flows::default();
    flows.add(0, 0, "", "NORMAL");
    let Some((_, _, inside)) = joints.physical.get(name) else { return flows };
    flows.add(0, 2, format!("in_port={inside}"), "drop");
    for Wired { vlan, segment, .. } in wired {
        if segment.physical_network.as_deref() != Some(name) {
            continue;
        }
        let leaves = match (segment.network_type.as_str(), segment.segmentation_id) {
            ("vlan", Some(number)) => format!("mod_vlan_vid:{number},NORMAL"),
            _ => "strip_vlan,NORMAL".to_owned(),
        };
        flows.add(0, 4, format!("in_port={inside},dl_vlan={vlan}"), leaves);
    }
    flows
}

/// What the server says of where addresses are, and what is made of it.
#[derive(Clone, Copy, Debug)]
pub struct Population<'a> {
    /// Where they are.
    pub fdb: &'a Fdb,
    /// Whether ARP is answered here for them.
    pub answers_arp: bool,
}

/// The tunnel bridge's flows: where an address is is said by the server, or learnt
/// from what it sends; all else is flooded to everybody who has the network, or,
/// where the server does not say who has, may have it. Flows that are learnt are
/// marked with `cookie`.
#[must_use]
pub fn tunnel(
    wired: &[Wired<'_>],
    joints: &Joints,
    population: Option<Population<'_>>,
    cookie: u64,
) -> Flows {
    let patch = joints.from_tunnels;
    let mut flows = Flows::default();
    flows.add(0, 0, "", "drop");
    flows.add(0, 1, format!("in_port={patch}"), "resubmit(,2)");
    flows.add(2, 0, "dl_dst=00:00:00:00:00:00/01:00:00:00:00:00", "resubmit(,20)");
    flows.add(2, 0, "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "resubmit(,22)");
    let learn = format!(
        "learn(table=20,hard_timeout=300,priority=1,cookie={cookie:#x},NXM_OF_VLAN_TCI[0..11],\
         NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],\
         load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:NXM_OF_IN_PORT[]),output:{patch}"
    );
    flows.add(10, 1, "", learn);
    flows.add(20, 0, "", "resubmit(,22)");
    flows.add(22, 0, "", "drop");
    if population.is_some_and(|population| population.answers_arp) {
        flows.add(2, 1, "arp,dl_dst=ff:ff:ff:ff:ff:ff", "resubmit(,21)");
        flows.add(21, 0, "", "resubmit(,22)");
    }
    for table in [3, 4, 6] {
        flows.add(table, 0, "", "drop");
    }
    for (kind, ports) in &joints.tunnels {
        if let Some(table) = arrival(kind) {
            for port in ports.values() {
                flows.add(0, 1, format!("in_port={port}"), format!("resubmit(,{table})"));
            }
        }
    }
    for Wired { vlan, port, segment, .. } in wired {
        let (Some(table), Some(number)) = (arrival(&segment.network_type), segment.segmentation_id) else {
            continue;
        };
        flows.add(table, 1, format!("tun_id={number:#x}"), format!("mod_vlan_vid:{vlan},resubmit(,10)"));
        let Some(ports) = joints.tunnels.get(&segment.network_type) else { continue };
        let outputs: Vec<String> = match population {
            Some(population) => {
                populated(&port.network_id, *vlan, number, ports, population, &mut flows);
                let ends = population.fdb.ends(&port.network_id).filter(|(_, end)| end.is_flooded);
                ends.filter_map(|(ip, _)| ports.get(ip)).map(|port| format!("output:{port}")).collect()
            }
            None => ports.values().map(|port| format!("output:{port}")).collect(),
        };
        if !outputs.is_empty() {
            let floods = format!("strip_vlan,set_tunnel:{number:#x},{}", outputs.join(","));
            flows.add(22, 1, format!("dl_vlan={vlan}"), floods);
        }
    }
    flows
}

/// What goes to an address that is known to be somewhere, of a network.
fn populated(
    network: &str,
    vlan: u16,
    number: u32,
    ports: &BTreeMap<IpAddr, u16>,
    population: Population<'_>,
    flows: &mut Flows,
) {
    for (end, known) in population.fdb.ends(network) {
        let Some(port) = ports.get(end) else { continue };
        for (mac, ip) in &known.addresses {
            let goes = format!("strip_vlan,set_tunnel:{number:#x},output:{port}");
            flows.add(20, 2, format!("dl_vlan={vlan},dl_dst={mac}"), goes);
            if population.answers_arp && ip.is_ipv4() {
                let answers = format!(
                    "set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],\
                     move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:{mac}->arp_sha,\
                     set_field:{ip}->arp_spa,move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],\
                     set_field:{mac}->eth_src,in_port"
                );
                flows.add(21, 1, format!("arp,dl_vlan={vlan},arp_tpa={ip}"), answers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_written_and_what_goes_is_taken_away() {
        let mut before = Flows::default();
        before.add(0, 1, "a", "drop");
        before.add(0, 1, "b", "drop");
        let mut after = Flows::default();
        after.add(0, 1, "b", "NORMAL");
        after.add(0, 1, "c", "drop");
        let matches = |flows: &[Flow]| flows.iter().map(|flow| flow.matching.clone()).collect::<Vec<_>>();
        assert_eq!(matches(&after.missing_in(&before, 1)), ["b", "c"]);
        assert_eq!(matches(&after.surplus_in(&before, 1)), ["a"]);
        assert!(after.missing_in(&after, 1).is_empty() && after.surplus_in(&after, 1).is_empty());
    }

    #[test]
    fn who_has_a_network_and_where_its_addresses_are_is_as_the_server_says() {
        let ends = [[192, 0, 2, 2], [192, 0, 2, 3]].map(IpAddr::from);
        let mut joints = Joints { from_tunnels: 1, ..Joints::default() };
        joints.tunnels.insert("vxlan".to_owned(), ends.into_iter().zip([2, 3]).collect());
        let port = Port { network_id: "n".to_owned(), ..Port::default() };
        let segment =
            Segment { network_type: "vxlan".into(), physical_network: None, segmentation_id: Some(100) };
        let wired = [Wired { number: 5, vlan: 1, port: &port, segment: &segment }];
        let of = |population: Option<Population<'_>>, table: u8| -> Vec<(String, String)> {
            let flows = tunnel(&wired, &joints, population, 0).missing_in(&Flows::default(), 0);
            let flows = flows.into_iter().filter(|flow| flow.table == table && flow.priority > 0);
            flows.map(|flow| (flow.matching, flow.actions)).collect()
        };
        let flood =
            |outputs: &str| vec![("dl_vlan=1".to_owned(), format!("strip_vlan,set_tunnel:0x64,{outputs}"))];
        assert_eq!(of(None, 22), flood("output:2,output:3"));
        let mut fdb = Fdb::default();
        fn population(fdb: &Fdb) -> Option<Population<'_>> {
            Some(Population { fdb, answers_arp: true })
        }
        assert_eq!(of(population(&fdb), 22), []);
        let told = serde_json::json!({"n": {"ports": {"192.0.2.3": [["00:00:00:00:00:00", "0.0.0.0"],
            ["fa:16:3e:00:00:09", "10.0.0.9"], ["fa:16:3e:00:00:09", "fd00::9"]]}}});
        fdb.apply("add_fdb_entries", &told, IpAddr::from([192, 0, 2, 1]));
        assert_eq!(of(population(&fdb), 22), flood("output:3"));
        let goes = ("dl_vlan=1,dl_dst=fa:16:3e:00:00:09".to_owned(), flood("output:3").remove(0).1);
        assert_eq!(of(population(&fdb), 20), [goes]);
        let answered = of(population(&fdb), 21);
        assert_eq!(answered.len(), 1, "of ARP, which is of IPv4");
        assert_eq!(answered[0].0, "arp,dl_vlan=1,arp_tpa=10.0.0.9");
        assert!(answered[0].1.contains("set_field:fa:16:3e:00:00:09->arp_sha"));
        assert_eq!(of(Some(Population { fdb: &fdb, answers_arp: false }), 21), []);
    }
}
