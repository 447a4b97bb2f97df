//! Sets of addresses, made of prefixes: what a subnet pool holds and what of it
//! is free.

use super::{Cidr, Range, Version};

/// Addresses of one family, as the least number of ranges that hold them:
/// sorted, and no two of them touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefixes {
    version: Version,
    ranges: Vec<Range>,
}

impl Prefixes {
    /// All addresses of these networks; those of the other family are left out.
    pub(crate) fn of(version: Version, cidrs: &[Cidr]) -> Prefixes {
        let own = cidrs.iter().filter(|cidr| cidr.version() == version);
        let mut ranges: Vec<Range> =
            own.map(|cidr| Range { first: cidr.first(), last: cidr.last() }).collect();
        ranges.sort_unstable_by_key(|range| range.first);
        let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(before) if range.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(range.last);
                }
                _ => joined.push(range),
            }
        }
        Prefixes { version, ranges: joined }
    }

    /// Their family.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// The fewest networks that hold these addresses, by address.
    pub(crate) fn cidrs(&self) -> Vec<Cidr> {
        self.ranges.iter().flat_map(|range| networks(self.version, *range)).collect()
    }

    /// Whether all addresses of the other are in it.
    pub(crate) fn contains(&self, other: &Prefixes) -> bool {
        let holds = |inner: &Range| {
            self.ranges.iter().any(|outer| outer.first <= inner.first && inner.last <= outer.last)
        };
        other.ranges.is_empty() || self.version == other.version && other.ranges.iter().all(holds)
    }

    /// Whether an address is in both.
    pub(crate) fn overlaps(&self, other: &Prefixes) -> bool {
        self.version == other.version
            && self.ranges.iter().any(|one| other.ranges.iter().any(|two| one.overlaps(two)))
    }

    /// What is left without the addresses of the other.
    pub(crate) fn without(&self, other: &Prefixes) -> Prefixes {
        if self.version != other.version {
            return self.clone();
        }
        let cut = |pieces: Vec<Range>, hole: &Range| {
            pieces.into_iter().flat_map(|piece| outside(piece, hole)).collect()
        };
        let left = self.ranges.iter().flat_map(|range| other.ranges.iter().fold(vec![*range], cut));
        Prefixes { version: self.version, ranges: left.collect() }
    }

    /// The network of that size to hand out next: the first one in the smallest
    /// piece that is large enough, so that large pieces last.
    /// In Neutron: `_allocate_any_subnet`.
    pub(crate) fn next(&self, prefix: u8) -> Option<Cidr> {
        let fits = self.cidrs().into_iter().filter(|piece| piece.prefix() <= prefix);
        let smallest = fits.min_by_key(|piece| (u8::MAX - piece.prefix(), piece.first()))?;
        (prefix <= self.version.width()).then(|| Cidr::of(self.version, smallest.first(), prefix))
    }
}

/// What of a range lies before a hole and after it.
fn outside(range: Range, hole: &Range) -> impl Iterator<Item = Range> {
    let before = hole.first.checked_sub(1).map(|last| Range { last: last.min(range.last), ..range });
    let after = hole.last.checked_add(1).map(|first| Range { first: first.max(range.first), ..range });
    before.into_iter().chain(after).filter(|piece| piece.first <= piece.last)
}

/// A range as networks, the largest that fit, from its beginning on.
fn networks(version: Version, range: Range) -> Vec<Cidr> {
    let mut networks = Vec::new();
    let mut next = Some(range.first);
    while let Some(first) = next.filter(|first| *first <= range.last) {
        // Host bits: as many as the address has zeroes at its end, and no more
        // than addresses are left.
        let left = (range.last - first).checked_add(1).map_or(u128::BITS, u128::ilog2);
        let host = first.trailing_zeros().min(left).min(u32::from(version.width()));
        let network = Cidr::of(version, first, version.width() - u8::try_from(host).unwrap_or_default());
        next = network.last().checked_add(1);
        networks.push(network);
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(texts: &[&str]) -> Prefixes {
        let cidrs: Vec<Cidr> = texts.iter().map(|text| Cidr::parse(text).unwrap()).collect();
        Prefixes::of(cidrs.first().map_or(Version::V4, Cidr::version), &cidrs)
    }

    fn shown(set: &Prefixes) -> Vec<String> {
        set.cidrs().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn neighbours_are_joined_as_neutron_joins_them() {
        let pool = set(&["10.10.0.0/24", "10.10.1.0/24", "10.9.0.0/16"]);
        assert_eq!(shown(&pool), ["10.9.0.0/16", "10.10.0.0/23"]);
        assert_eq!(shown(&set(&["10.0.0.1/8", "10.3.0.0/16"])), ["10.0.0.0/8"]);
        assert_eq!(shown(&set(&["::/1", "8000::/1"])), ["::/0"]);
        assert_eq!(shown(&set(&["128.0.0.0/1", "0.0.0.0/1"])), ["0.0.0.0/0"]);
    }

    #[test]
    fn what_is_taken_out_leaves_the_fewest_networks() {
        let pool = set(&["11.0.0.0/8", "13.0.0.0/8"]).without(&set(&["13.0.0.0/16"]));
        assert_eq!(
            shown(&pool),
            [
                "11.0.0.0/8",
                "13.1.0.0/16",
                "13.2.0.0/15",
                "13.4.0.0/14",
                "13.8.0.0/13",
                "13.16.0.0/12",
                "13.32.0.0/11",
                "13.64.0.0/10",
                "13.128.0.0/9"
            ]
        );
        assert!(pool.without(&set(&["0.0.0.0/0"])).cidrs().is_empty());
        assert_eq!(pool.without(&set(&["::/0"])), pool);
    }

    #[test]
    fn the_smallest_piece_that_is_large_enough_is_used_first() {
        let free = set(&["10.40.0.0/16"]).without(&set(&["10.40.0.0/24", "10.40.77.0/24"]));
        assert_eq!(free.next(28).unwrap().to_string(), "10.40.1.0/28");
        assert_eq!(free.next(17).unwrap().to_string(), "10.40.128.0/17");
        assert_eq!(free.next(16), None);
        assert_eq!(free.next(33), None);
        assert_eq!(set(&[]).next(24), None);
    }

    /// Networks of 8 addresses' worth: small enough to count addresses.
    fn small() -> impl Strategy<Value = Vec<Cidr>> {
        let one = (0_u128..64, 26_u8..=32).prop_map(|(bits, prefix)| Cidr::of(Version::V4, bits, prefix));
        proptest::collection::vec(one, 0..6)
    }

    fn addresses(cidrs: &[Cidr]) -> BTreeSet<u128> {
        cidrs.iter().flat_map(|cidr| cidr.first()..=cidr.last()).collect()
    }

    proptest! {
        #[test]
        fn networks_hold_what_went_in_and_none_overlaps(cidrs in small()) {
            let shown = Prefixes::of(Version::V4, &cidrs).cidrs();
            prop_assert_eq!(addresses(&shown), addresses(&cidrs));
            let total: u128 = shown.iter().map(|cidr| cidr.last() - cidr.first() + 1).sum();
            prop_assert_eq!(total, addresses(&shown).len() as u128);
        }

        #[test]
        fn arithmetic_is_that_of_sets(a in small(), b in small()) {
            let (one, two) = (Prefixes::of(Version::V4, &a), Prefixes::of(Version::V4, &b));
            let (in_one, in_two) = (addresses(&a), addresses(&b));
            let left: BTreeSet<u128> = in_one.difference(&in_two).copied().collect();
            prop_assert_eq!(addresses(&one.without(&two).cidrs()), left);
            prop_assert_eq!(one.contains(&two), in_two.is_subset(&in_one));
            prop_assert_eq!(one.overlaps(&two), !in_one.is_disjoint(&in_two));
        }

        #[test]
        fn what_is_handed_out_is_free_and_of_the_size_asked(pool in small(), used in small(), prefix in 24_u8..=32) {
            let free = Prefixes::of(Version::V4, &pool).without(&Prefixes::of(Version::V4, &used));
            let room = free.cidrs().iter().any(|cidr| cidr.prefix() <= prefix);
            let next = free.next(prefix);
            prop_assert_eq!(next.is_some(), room);
            if let Some(next) = next {
                prop_assert_eq!(next.prefix(), prefix);
                prop_assert!(free.contains(&Prefixes::of(Version::V4, &[next])));
            }
        }

        #[test]
        fn handing_out_until_nothing_is_left_gives_every_address_once(pool in small(), prefix in 28_u8..=32) {
            let whole = Prefixes::of(Version::V4, &pool);
            let mut used: Vec<Cidr> = Vec::new();
            while let Some(next) = whole.without(&Prefixes::of(Version::V4, &used)).next(prefix) {
                prop_assert!(!used.iter().any(|other| other.overlaps(&next)));
                used.push(next);
            }
            let possible = whole.cidrs().iter().filter(|cidr| cidr.prefix() <= prefix)
                .map(|cidr| 1_usize << (prefix - cidr.prefix())).sum::<usize>();
            prop_assert_eq!(used.len(), possible);
        }
    }
}
