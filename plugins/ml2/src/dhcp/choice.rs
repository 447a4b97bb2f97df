//! Which DHCP agents serve a network. In Neutron: `WeightScheduler`,
//! `AZAwareWeightScheduler`.

use std::collections::HashMap;

/// An agent that could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its place among those who were asked about.
    pub(super) place: usize,
    /// Its availability zone; empty where it names none.
    pub(super) zone: String,
    /// Networks that it serves.
    pub(super) load: u64,
}

/// The places of those who are to: one after the other from the zone with the
/// fewest agents of the network (`zones`: of those it has), there the one that
/// serves the fewest networks.
pub(super) fn choose(candidates: &[Candidate], zones: &[&str], needed: usize) -> Vec<usize> {
    let mut in_zone: HashMap<&str, usize> = HashMap::new();
    for zone in zones {
        *in_zone.entry(zone).or_default() += 1;
    }
    let mut left: Vec<&Candidate> = candidates.iter().collect();
    let mut chosen = Vec::new();
    while chosen.len() < needed {
        let crowd = |candidate: &Candidate| in_zone.get(candidate.zone.as_str()).copied().unwrap_or_default();
        let best = left.iter().enumerate().min_by_key(|(_, c)| (crowd(c), c.load)).map(|(at, _)| at);
        let Some(best) = best.map(|at| left.remove(at)) else { break };
        *in_zone.entry(best.zone.as_str()).or_default() += 1;
        chosen.push(best.place);
    }
    chosen
}

/// At most so many of `count` places, from one on; all of them where they are no
/// more.
pub(super) fn sample(count: usize, from: u64, most: usize) -> Vec<usize> {
    let first = usize::try_from(from % (count.max(1) as u64)).unwrap_or_default();
    (0..count.min(most)).map(|step| (first + step) % count).collect()
}

/// The lowest number that is not among these. Two who put agents to a network at
/// the same time take the same number, of which the second one is refused.
pub(super) fn vacant(used: &[u32]) -> u32 {
    (1..).find(|slot| !used.contains(slot)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(place: usize, zone: &str, load: u64) -> Candidate {
        Candidate { place, zone: zone.into(), load }
    }

    #[test]
    fn the_least_loaded_is_chosen_and_zones_are_spread_over() {
        let all = [candidate(0, "a", 3), candidate(1, "a", 1), candidate(2, "b", 2), candidate(3, "b", 9)];
        assert_eq!(choose(&all, &[], 1), [1]);
        assert_eq!(choose(&all, &[], 2), [1, 2]);
        assert_eq!(choose(&all, &["a"], 1), [2]);
        assert_eq!(choose(&all, &["a"], 9), [2, 1, 3, 0]);
        assert_eq!(choose(&[], &[], 2), Vec::<usize>::new());
    }

    #[test]
    fn slots_are_filled_from_the_lowest() {
        assert_eq!((vacant(&[]), vacant(&[1, 3]), vacant(&[2])), (1, 2, 1));
    }

    proptest! {
        #[test]
        fn as_many_as_there_are_and_each_once(loads in proptest::collection::vec((0_u64..5, 0_u8..3), 0..12), needed in 0_usize..6) {
            let all: Vec<_> = loads.iter().enumerate().map(|(place, (load, zone))| candidate(place, &zone.to_string(), *load)).collect();
            let mut chosen = choose(&all, &[], needed);
            prop_assert_eq!(chosen.len(), needed.min(all.len()));
            let zones = |places: &[usize]| {
                let mut counts = HashMap::new();
                places.iter().for_each(|place| *counts.entry(all[*place].zone.clone()).or_insert(0_usize) += 1);
                counts
            };
            // No zone has two more than one that has agents left.
            let (taken, there) = (zones(&chosen), zones(&(0..all.len()).collect::<Vec<_>>()));
            for (zone, count) in &taken {
                for (other, available) in &there {
                    let of_other = taken.get(other).copied().unwrap_or_default();
                    prop_assert!(*count <= of_other + 1 || of_other == *available, "{} {}", zone, other);
                }
            }
            chosen.sort_unstable();
            chosen.dedup();
            prop_assert_eq!(chosen.len(), needed.min(all.len()));
        }

        #[test]
        fn a_sample_has_no_place_twice(count in 0_usize..30, from in any::<u64>(), most in 0_usize..12) {
            let mut places = sample(count, from, most);
            prop_assert_eq!(places.len(), count.min(most));
            places.sort_unstable();
            places.dedup();
            prop_assert_eq!(places.len(), count.min(most));
            prop_assert!(places.iter().all(|place| *place < count));
        }
    }
}
