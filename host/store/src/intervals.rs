//! Sets of whole numbers as sorted intervals, both ends included.

/// From first to last.
pub(crate) type Interval = (i64, i64);

/// Sorted, without overlap, neighbours joined; turned-round ones are left out.
pub(crate) fn normal(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|(lo, hi)| lo <= hi);
    intervals.sort_unstable();
    let mut joined: Vec<Interval> = Vec::with_capacity(intervals.len());
    for (lo, hi) in intervals {
        match joined.last_mut() {
            Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
            _ => joined.push((lo, hi)),
        }
    }
    joined
}

/// What is in `a` and not in `b`; both normal.
pub(crate) fn minus(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    let mut rest = Vec::new();
    for &(first, hi) in a {
        // Where the part that is not yet decided begins.
        let mut lo = first;
        for &(from, to) in b {
            if to < lo || from > hi {
                continue;
            }
            if from > lo {
                rest.push((lo, from - 1));
            }
            lo = to.saturating_add(1);
        }
        if lo <= hi {
            rest.push((lo, hi));
        }
    }
    rest
}

/// What is in both; both normal.
pub(crate) fn both(a: &[Interval], b: &[Interval]) -> Vec<Interval> {
    minus(a, &minus(a, b))
}

pub(crate) fn contains(intervals: &[Interval], number: i64) -> bool {
    intervals.iter().any(|(lo, hi)| *lo <= number && number <= *hi)
}

/// Cut into pieces of at most this size.
pub(crate) fn cut(intervals: &[Interval], size: i64) -> Vec<Interval> {
    let size = size.max(1);
    let mut pieces = Vec::new();
    for &(mut lo, hi) in intervals {
        while hi - lo >= size {
            pieces.push((lo, lo + size - 1));
            lo += size;
        }
        pieces.push((lo, hi));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(intervals: &[Interval]) -> BTreeSet<i64> {
        intervals.iter().flat_map(|(lo, hi)| *lo..=*hi).collect()
    }

    fn some() -> impl Strategy<Value = Vec<Interval>> {
        prop::collection::vec((0i64..60, 0i64..60), 0..6).prop_map(normal)
    }

    proptest! {
        #[test]
        fn intervals_behave_like_sets(a in some(), b in some(), size in 1i64..20) {
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(set(&minus(&a, &b)), &x - &y);
            prop_assert_eq!(set(&both(&a, &b)), &x & &y);
            prop_assert_eq!(set(&cut(&a, size)), x.clone());
            prop_assert!(cut(&a, size).iter().all(|(lo, hi)| hi - lo < size));
            prop_assert!((0..60).all(|n| contains(&a, n) == x.contains(&n)));
        }
    }
}
