//! Which network is which VLAN on this host.

use std::collections::{BTreeMap, BTreeSet};

/// VLANs that networks are given; 4095 is for what is in none.
const LAST: u16 = 4094;

/// The VLANs in use.
#[derive(Clone, Debug, Default)]
pub struct Vlans(BTreeMap<String, u16>);

impl Vlans {
    /// Keeps what an agent before this one gave; of two networks in one VLAN one
    /// keeps it.
    pub fn recover(&mut self, network: &str, vlan: u16) {
        if (1..=LAST).contains(&vlan) && !self.0.contains_key(network) && !self.0.values().any(|v| *v == vlan)
        {
            self.0.insert(network.to_owned(), vlan);
        }
    }

    /// The VLAN of a network, the lowest that is free if it has none; nothing when
    /// none is.
    pub fn of(&mut self, network: &str) -> Option<u16> {
        if let Some(vlan) = self.0.get(network) {
            return Some(*vlan);
        }
        let taken: BTreeSet<u16> = self.0.values().copied().collect();
        let free = (1..=LAST).find(|vlan| !taken.contains(vlan))?;
        self.0.insert(network.to_owned(), free);
        Some(free)
    }

    /// Only these networks are here any more.
    pub fn keep(&mut self, networks: &BTreeSet<&str>) {
        self.0.retain(|network, _| networks.contains(network.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_two_networks_share_a_vlan(steps in prop::collection::vec((0_u8..4, 0_u16..12, 0_u16..6), 0..80)) {
            let mut vlans = Vlans::default();
            for (step, network, vlan) in steps {
                let network = format!("n{network}");
                match step {
                    0 => vlans.recover(&network, vlan),
                    1 => vlans.keep(&BTreeSet::from([network.as_str(), "n1", "n2"])),
                    _ => {
                        let given = vlans.of(&network).unwrap();
                        prop_assert_eq!(vlans.of(&network), Some(given));
                    }
                }
                let taken: BTreeSet<_> = vlans.0.values().collect();
                prop_assert_eq!(taken.len(), vlans.0.len());
                prop_assert!(taken.iter().all(|vlan| (1..=LAST).contains(vlan)));
            }
        }
    }

    #[test]
    fn there_are_no_more_than_there_are() {
        let mut vlans = Vlans::default();
        for network in 0..LAST {
            assert!(vlans.of(&network.to_string()).is_some());
        }
        assert_eq!(vlans.of("more"), None);
    }
}
