//! Sets of numbers as ranges, both ends included.

use hadron_sdk::pools::Range;
use hadron_sdk::{Error, Result};

/// Ranges of numbers, both ends included; apart and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<(u32, u32)>);

/// `FIRST:LAST`, or one number alone.
pub fn parse(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

impl Spans {
    /// Of ranges in any order, also overlapping ones.
    pub fn new(mut ranges: Vec<(u32, u32)>) -> Spans {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        let mut spans: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match spans.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = (*end).max(last),
                _ => spans.push((first, last)),
            }
        }
        Spans(spans)
    }

    /// Of configured texts, all within `smallest` and `largest`.
    pub fn configured(key: &str, texts: &[String], smallest: u32, largest: u32) -> Result<Spans> {
        let mut ranges = Vec::with_capacity(texts.len());
        for text in texts {
            match parse(text) {
                Some((first, last)) if first >= smallest && last <= largest => ranges.push((first, last)),
                _ => {
                    return Err(Error::internal(format!(
                        "the configuration key '{key}' has a range '{text}'; write FIRST:LAST, from {smallest} to \
                         {largest}"
                    )));
                }
            }
        }
        Ok(Spans::new(ranges))
    }

    /// These numbers but those.
    pub fn without(&self, others: &Spans) -> Spans {
        let mut left = Vec::with_capacity(self.0.len());
        for (first, last) in &self.0 {
            let mut next = Some(*first);
            for (from, to) in others.0.iter().filter(|(from, to)| from <= last && to >= first) {
                if let Some(start) = next.filter(|start| start < from) {
                    left.push((start, from - 1));
                }
                next = to.checked_add(1);
            }
            if let Some(start) = next.filter(|start| start <= last) {
                left.push((start, *last));
            }
        }
        Spans(left)
    }

    /// Whether a number is in one of them.
    pub fn contains(&self, number: u32) -> bool {
        self.0.iter().any(|(first, last)| (first..=last).contains(&&number))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// First and last number of each.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().copied()
    }

    pub(crate) fn for_pool(&self) -> Vec<Range> {
        self.iter().map(|(first, last)| Range { first: first.into(), last: last.into() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_are_read_as_neutron_writes_them() {
        assert_eq!(parse("1000:2999"), Some((1000, 2999)));
        assert_eq!(parse("7"), Some((7, 7)));
        assert_eq!(parse("9:5"), None);
        assert_eq!(parse("a:b"), None);
        let texts = ["1:10".to_owned(), "5:20".to_owned()];
        assert_eq!(Spans::configured("k", &texts, 1, 4094).unwrap(), Spans(vec![(1, 20)]));
        assert!(Spans::configured("k", &["1:5000".to_owned()], 1, 4094).is_err());
    }

    #[test]
    fn the_largest_number_has_no_next() {
        let all = Spans::new(vec![(0, u32::MAX)]);
        let left = all.without(&Spans::new(vec![(5, u32::MAX)]));
        assert_eq!(left, Spans(vec![(0, 4)]));
        assert!(all.without(&all).is_empty());
    }

    fn some() -> impl Strategy<Value = Spans> {
        prop::collection::vec((0..60_u32, 0..60_u32), 0..6).prop_map(Spans::new)
    }

    fn set(spans: &Spans) -> BTreeSet<u32> {
        spans.iter().flat_map(|(first, last)| first..=last).collect()
    }

    proptest! {
        #[test]
        fn spans_behave_like_sets(one in some(), other in some()) {
            let left = one.without(&other);
            prop_assert_eq!(set(&left), &set(&one) - &set(&other));
            prop_assert!((0..60).all(|n| one.contains(n) == set(&one).contains(&n)));
            prop_assert_eq!(&Spans::new(left.iter().collect()), &left);
        }
    }
}
