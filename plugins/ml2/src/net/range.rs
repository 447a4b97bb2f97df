//! Ranges of addresses: allocation pools.

use super::{Version, bits};
use std::net::IpAddr;

/// Addresses from first to last, both included, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// First address.
    pub(crate) first: u128,
    /// Last address; not smaller than the first.
    pub(crate) last: u128,
}

impl Range {
    /// Whether the address lies in it; families are the caller's business.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        (self.first..=self.last).contains(&bits(address))
    }

    /// Whether an address lies in both.
    pub(crate) fn overlaps(&self, other: &Range) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// What is left when one address is taken out: none, one or two ranges.
    pub(crate) fn without(&self, address: u128) -> Vec<Range> {
        if !(self.first..=self.last).contains(&address) {
            return vec![*self];
        }
        let below =
            address.checked_sub(1).filter(|last| *last >= self.first).map(|last| Range { last, ..*self });
        let above =
            address.checked_add(1).filter(|first| *first <= self.last).map(|first| Range { first, ..*self });
        below.into_iter().chain(above).collect()
    }

    /// As netaddr prints a range, which shows in error messages.
    pub(crate) fn text(&self, version: Version) -> String {
        format!("{}-{}", version.address(self.first), version.address(self.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn taking_one_address_out_leaves_all_others(first in 0_u128..50, length in 0_u128..50, hole in 0_u128..120) {
            let whole = Range { first, last: first + length };
            let left = whole.without(hole);
            for address in 0..120 {
                let expected = (whole.first..=whole.last).contains(&address) && address != hole;
                let found = left.iter().filter(|r| (r.first..=r.last).contains(&address)).count();
                prop_assert_eq!(found, usize::from(expected));
            }
        }
    }
}
