//! What policies of quality of service ask of a port: limits, which are the
//! switch's meters, and marks.
//!
//! | table | what is done |
//! |---|---|
//! | 0 | what a port sends is marked |
//! | 58 | what it sends, and what comes to it from outside, passes its meter of bits |
//! | 59 | … and its meter of packets |
//! | 73, 75 | so does what comes to it from a port on this host |
//!
//! Neutron's agent uses tables 58 and 59 for these, too, when it is told to use
//! meters; otherwise it has the kernel limit, which not every kernel can. What is
//! sent to all of a network is not metered where it arrives.

use super::firewall::{MAY_SEND, RECEIVER, ZONE};
use super::flows::{Flows, Wired};
use crate::objects::{Limit, Objects, Policy};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Where bits and packets are counted.
const BITS: u8 = 58;
const PACKETS: u8 = 59;
/// Where they lead.
const NEXT: u8 = 60;
/// After the first of two meters of what is sent to a port on this host.
const MAY_SEND_COUNTED: u8 = 75;

/// Of a rate, the burst of a rule that names none, as Neutron has it.
const BURST_PERCENT: u32 = 80;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Thousands of bits.
    Kilobits,
    /// Packets.
    Packets,
}

/// Which way, as the port sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// What it sends.
    Egress,
    /// What it is sent.
    Ingress,
}

/// A meter of the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter {
    /// What it counts.
    pub unit: Unit,
    /// How many of them a second.
    pub rate: u32,
    /// How many more at once.
    pub burst: u32,
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Kilobits => "kbps",
            Unit::Packets => "pktps",
        };
        write!(f, "{unit},burst,bands=type=drop,rate={},burst_size={}", self.rate, self.burst)
    }
}

impl Meter {
    fn of(policy: &Policy, way: Way, unit: Unit) -> Option<Meter> {
        let (bits, packets) = match way {
            Way::Egress => (policy.egress, policy.egress_packets),
            Way::Ingress => (policy.ingress, policy.ingress_packets),
        };
        let (limit, scale) = match unit {
            Unit::Kilobits => (bits, 1),
            // Rules count thousands of packets.
            Unit::Packets => (packets, 1000),
        };
        let Limit { max, burst } = limit?;
        let rate = max.saturating_mul(scale);
        let burst = match burst.saturating_mul(scale) {
            0 => u32::try_from(u64::from(rate) * u64::from(BURST_PERCENT) / 100).unwrap_or(u32::MAX).max(1),
            burst => burst,
        };
        Some(Meter { unit, rate, burst })
    }
}

type Key = (String, Way, Unit);

/// The meters' numbers.
#[derive(Clone, Debug, Default)]
pub struct Meters {
    numbers: BTreeMap<Key, u32>,
    meters: BTreeMap<u32, Meter>,
}

impl Meters {
    /// Gives numbers to the meters of what is plugged in: those they had, else the
    /// lowest that are free.
    pub fn count(&mut self, wired: &[Wired<'_>], objects: &Objects) {
        let mut wanted: BTreeMap<Key, Meter> = BTreeMap::new();
        for Wired { port, .. } in wired {
            let Some(policy) = objects.policy_of(port) else { continue };
            for way in [Way::Egress, Way::Ingress] {
                for unit in [Unit::Kilobits, Unit::Packets] {
                    if let Some(meter) = Meter::of(policy, way, unit) {
                        wanted.insert((port.id.clone(), way, unit), meter);
                    }
                }
            }
        }
        self.numbers.retain(|key, _| wanted.contains_key(key));
        let mut taken: BTreeSet<u32> = self.numbers.values().copied().collect();
        self.meters.clear();
        for (key, meter) in wanted {
            let number = self.numbers.get(&key).copied().unwrap_or_else(|| {
                let free = (1..).find(|number| !taken.contains(number)).unwrap_or(u32::MAX);
                taken.insert(free);
                free
            });
            self.numbers.insert(key, number);
            self.meters.insert(number, meter);
        }
    }

    /// All of them, by number.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<u32, Meter> {
        &self.meters
    }

    fn of(&self, port: &str, way: Way, unit: Unit) -> Option<u32> {
        self.numbers.get(&(port.to_owned(), way, unit)).copied()
    }
}

/// The flows of meters and marks.
pub fn write(wired: &[Wired<'_>], objects: &Objects, meters: &Meters, flows: &mut Flows) {
    flows.add(BITS, 0, "", format!("resubmit(,{PACKETS})"));
    flows.add(PACKETS, 0, "", format!("resubmit(,{NEXT})"));
    for wired in wired {
        let Wired { number, vlan, port, .. } = wired;
        if let Some(mark) = objects.policy_of(port).and_then(|policy| policy.dscp) {
            // The field is the upper six bits of what used to be the type of service.
            let marks = format!("mod_nw_tos:{},resubmit(,{BITS})", u32::from(mark) << 2);
            for family in ["ip", "ipv6"] {
                flows.add(0, 11, format!("{family},in_port={number}"), &marks);
            }
        }
        for (table, unit, next) in [(BITS, Unit::Kilobits, PACKETS), (PACKETS, Unit::Packets, NEXT)] {
            let counted = |meter: u32| format!("meter:{meter},resubmit(,{next})");
            if let Some(meter) = meters.of(&port.id, Way::Egress, unit) {
                flows.add(table, 100, format!("in_port={number}"), counted(meter));
            }
            if let Some(meter) = meters.of(&port.id, Way::Ingress, unit) {
                flows.add(table, 100, format!("dl_vlan={vlan},dl_dst={}", port.mac), counted(meter));
            }
        }
        from_here(wired, meters, flows);
    }
}

/// What comes from a port on the same host has no VLAN yet in tables 58 and 59.
fn from_here(wired: &Wired<'_>, meters: &Meters, flows: &mut Flows) {
    let Wired { number, vlan, port, .. } = wired;
    let matching = format!("reg6={vlan},dl_dst={}", port.mac);
    // A flow has one meter at most.
    let (table, priority, meter) =
        match [Unit::Kilobits, Unit::Packets].map(|unit| meters.of(&port.id, Way::Ingress, unit)) {
            [None, None] => return,
            [Some(meter), None] | [None, Some(meter)] => (MAY_SEND, 110, meter),
            [Some(bits), Some(packets)] => {
                let on = format!("meter:{bits},resubmit(,{MAY_SEND_COUNTED})");
                flows.add(MAY_SEND, 110, &matching, on);
                (MAY_SEND_COUNTED, 110, packets)
            }
        };
    if port.is_secured {
        let arrives = format!("meter:{meter},load:{number}->NXM_NX_REG5[],resubmit(,{RECEIVER})");
        flows.add(table, priority, matching, arrives);
        return;
    }
    // What the sender's groups let through is theirs to remember.
    for family in ["ip", "ipv6"] {
        let first = format!("meter:{meter},ct(commit,{ZONE}),output:{number}");
        flows.add(table, priority + 1, format!("ct_state=+new-est,{family},{matching}"), first);
    }
    flows.add(table, priority, matching, format!("meter:{meter},output:{number}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Port, Segment};

    fn port(id: &str) -> Port {
        Port {
            id: id.to_owned(),
            mac: "fa:16:3e:00:00:01".to_owned(),
            policy: Some("q".to_owned()),
            ..Port::default()
        }
    }

    #[test]
    fn limits_become_meters_that_keep_their_numbers() {
        let limit = |max, burst| Some(Limit { max, burst });
        let policy = Policy {
            egress: limit(1000, 0),
            ingress: limit(2000, 300),
            egress_packets: limit(1, 0),
            ..Policy::default()
        };
        let mut objects = Objects::default();
        objects.policies.insert("q".to_owned(), policy);
        let segment =
            Segment { network_type: "vxlan".into(), physical_network: None, segmentation_id: Some(1) };
        let (one, two) = (port("1"), port("2"));
        let wire = |port| Wired { number: 7, vlan: 1, port, segment: &segment };
        let mut meters = Meters::default();
        meters.count(&[wire(&one)], &objects);
        let first = meters.all().clone();
        assert_eq!(
            first.values().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "kbps,burst,bands=type=drop,rate=1000,burst_size=800",
                "pktps,burst,bands=type=drop,rate=1000,burst_size=800",
                "kbps,burst,bands=type=drop,rate=2000,burst_size=300"
            ]
        );
        meters.count(&[wire(&one), wire(&two)], &objects);
        assert_eq!(meters.all().len(), 6);
        assert!(first.iter().all(|(number, meter)| meters.all().get(number) == Some(meter)));
        meters.count(&[wire(&two)], &objects);
        assert_eq!(meters.all().keys().copied().collect::<Vec<_>>(), [4, 5, 6]);
        let mut flows = Flows::default();
        write(&[wire(&two)], &objects, &meters, &mut flows);
        let metered = flows.missing_in(&Flows::default(), 0);
        let metered: BTreeSet<u8> =
            metered.iter().filter(|flow| flow.actions.contains("meter:")).map(|flow| flow.table).collect();
        assert_eq!(metered, BTreeSet::from([BITS, PACKETS, MAY_SEND]));
        objects.policies.clear();
        meters.count(&[wire(&two)], &objects);
        assert!(meters.all().is_empty());
    }
}
