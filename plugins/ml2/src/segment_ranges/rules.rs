//! Ranges of numbers.

use super::errors;
use crate::document::{set, text, typed};
use hadron_sdk::{Document, Result, SegmentRange};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most numbers that a range shows as available: a VXLAN has 16 million.
const MOST_SHOWN: usize = 65_536;

/// Numbers of a network type, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Range {
    pub(super) network_type: String,
    /// Empty where the type has no physical networks.
    #[serde(default)]
    pub(super) physical_network: String,
    pub(super) minimum: u32,
    pub(super) maximum: u32,
}

impl Range {
    /// What a request asks for; only VLANs are numbers of a physical network.
    pub(super) fn asked_for(body: &Document) -> Result<Range> {
        let network_type = text(body, "network_type").to_owned();
        let place = set(body, "physical_network").and_then(|name| name.as_str()).unwrap_or_default();
        let physical_network = if network_type == "vlan" { place.to_owned() } else { String::new() };
        Ok(Range {
            network_type,
            physical_network,
            minimum: typed(body, "minimum")?,
            maximum: typed(body, "maximum")?,
        })
    }

    /// A range of a driver's configuration.
    pub(super) fn configured(network_type: &str, range: SegmentRange) -> Range {
        Range {
            network_type: network_type.to_owned(),
            physical_network: range.physical_network.unwrap_or_default(),
            minimum: range.minimum,
            maximum: range.maximum,
        }
    }

    /// As drivers see it, for every project.
    pub(super) fn record(&self) -> SegmentRange {
        SegmentRange {
            physical_network: self.place().map(str::to_owned),
            minimum: self.minimum,
            maximum: self.maximum,
            project_id: None,
        }
    }

    /// The physical network, where there is one.
    pub(super) fn place(&self) -> Option<&str> {
        Some(self.physical_network.as_str()).filter(|name| !name.is_empty())
    }

    /// VLANs are numbers of a physical network.
    pub(super) fn check_place(&self) -> Result<()> {
        match self.network_type == "vlan" && self.physical_network.is_empty() {
            true => Err(errors::needs_physical_network(&self.network_type)),
            false => Ok(()),
        }
    }

    /// Whether a number is in it.
    pub(super) fn contains(&self, number: u32) -> bool {
        (self.minimum..=self.maximum).contains(&number)
    }

    /// Whether both have a number of the same place.
    pub(super) fn overlaps(&self, other: &Range) -> bool {
        self.network_type == other.network_type
            && self.physical_network == other.physical_network
            && self.minimum <= other.maximum
            && self.maximum >= other.minimum
    }

    /// The first numbers that are not used.
    pub(super) fn left<T>(&self, used: &BTreeMap<u32, T>) -> Vec<u32> {
        (self.minimum..=self.maximum).filter(|number| !used.contains_key(number)).take(MOST_SHOWN).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::{Value, json};
    use proptest::prelude::*;

    fn range(network_type: &str, place: &str, ends: (u32, u32)) -> Range {
        Range {
            network_type: network_type.into(),
            physical_network: place.into(),
            minimum: ends.0,
            maximum: ends.1,
        }
    }

    fn asked(value: Value) -> Range {
        let Value::Object(body) = value else { unreachable!() };
        Range::asked_for(&body).unwrap()
    }

    #[test]
    fn only_vlans_are_numbers_of_a_physical_network() {
        let body = |kind: &str| {
            asked(json!({"network_type": kind, "physical_network": "p", "minimum": 1, "maximum": 2}))
        };
        assert_eq!(body("vlan").place(), Some("p"));
        assert_eq!(body("vxlan").place(), None);
        let nowhere = asked(json!({"network_type": "vlan", "minimum": 1, "maximum": 2}));
        assert_eq!(
            nowhere.check_place().unwrap_err().fault().message,
            "Bad network_segment_range request: Network type vlan requires 'physical_network' to be specified \
             while creating new range."
        );
    }

    #[test]
    fn ranges_of_different_places_do_not_overlap() {
        let one = range("vlan", "p", (1, 10));
        assert!(one.overlaps(&range("vlan", "p", (10, 20))));
        assert!(!one.overlaps(&range("vlan", "q", (10, 20))));
        assert!(!one.overlaps(&range("vxlan", "p", (10, 20))));
        assert!(!one.overlaps(&range("vlan", "p", (11, 20))));
    }

    #[test]
    fn a_huge_range_shows_its_first_numbers() {
        let all = range("vxlan", "", (1, 16_777_215));
        let used: BTreeMap<u32, ()> = [(2, ())].into();
        let left = all.left(&used);
        assert_eq!((left.len(), left[0], left[1]), (65_536, 1, 3));
    }

    proptest! {
        #[test]
        fn what_is_left_and_what_is_used_make_the_range(
            first in 1..50_u32, length in 0..50_u32, numbers in prop::collection::btree_set(1..100_u32, 0..30),
        ) {
            let range = range("gre", "", (first, first + length));
            let used: BTreeMap<u32, ()> =
                numbers.into_iter().filter(|n| range.contains(*n)).map(|n| (n, ())).collect();
            let left = range.left(&used);
            prop_assert!(left.iter().all(|n| range.contains(*n) && !used.contains_key(n)));
            prop_assert_eq!(left.len() + used.len(), usize::try_from(length).unwrap() + 1);
        }

        #[test]
        fn overlapping_is_sharing_a_number(a in 1..40_u32, b in 0..20_u32, c in 1..40_u32, d in 0..20_u32) {
            let (one, other) = (range("gre", "", (a, a + b)), range("gre", "", (c, c + d)));
            let shares = (1..100).any(|n| one.contains(n) && other.contains(n));
            prop_assert_eq!(one.overlaps(&other), shares);
            prop_assert_eq!(other.overlaps(&one), shares);
        }
    }
}
