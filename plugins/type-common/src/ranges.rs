//! Numbers that are handed out, and those that are not but may be asked for.
//!
//! An administrator may ask for a number outside of the configured ranges. Two
//! pools keep such a number from being given twice without it ever being handed
//! out unasked: one with the ranges, one with all other numbers.

use hadron_sdk::pools::{self, PoolError, Range};
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

    /// All other numbers from `smallest` to `largest`.
    pub fn others(&self, smallest: u32, largest: u32) -> Spans {
        let mut free = Vec::new();
        let mut next = Some(smallest);
        for (first, last) in &self.0 {
            if let Some(from) = next
                && from < *first
            {
                free.push((from, first - 1));
            }
            next = last.checked_add(1);
        }
        if let Some(from) = next.filter(|from| *from <= largest) {
            free.push((from, largest));
        }
        Spans(free)
    }

    /// Whether a number is in one of them.
    pub fn contains(&self, number: u32) -> bool {
        self.0.iter().any(|(first, last)| (first..=last).contains(&&number))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn for_pool(&self) -> Vec<Range> {
        self.0.iter().map(|(first, last)| Range { first: (*first).into(), last: (*last).into() }).collect()
    }
}

/// Numbers by the name of their pool.
#[derive(Clone, Debug)]
pub struct Ids {
    pool: String,
    others: String,
}

impl Ids {
    /// Of that name.
    pub fn named(name: &str) -> Ids {
        Ids { pool: format!("{name}-ids"), others: format!("{name}-other-ids") }
    }

    /// Sets both pools up.
    pub fn define(&self, spans: &Spans, smallest: u32, largest: u32) -> Result<()> {
        pools::define(&self.pool, &spans.for_pool())?;
        pools::define(&self.others, &spans.others(smallest, largest).for_pool())?;
        Ok(())
    }

    /// Any number of the ranges; none when all are taken.
    pub fn take(&self) -> Result<Option<u32>> {
        match pools::take(&self.pool) {
            Ok(number) => Ok(u32::try_from(number).ok()),
            Err(PoolError::Exhausted) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// This very number, from within the ranges or not; false when it is taken.
    pub fn take_given(&self, number: u32) -> Result<bool> {
        for pool in [&self.pool, &self.others] {
            match pools::take_given(pool, number.into()) {
                Ok(()) => return Ok(true),
                Err(PoolError::Taken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Gives a number back.
    pub fn give_back(&self, number: u32) -> Result<()> {
        for pool in [&self.pool, &self.others] {
            match pools::give_back(pool, &[number.into()]) {
                // Nothing was ever taken from a pool that is not there.
                Ok(()) | Err(PoolError::Unknown) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn every_number_is_in_one_pool_exactly(ranges in prop::collection::vec((1..60_u32, 0..20_u32), 0..5)) {
            let spans = Spans::new(ranges.iter().map(|(first, length)| (*first, first + length)).collect());
            let others = spans.others(1, 90);
            for number in 1..=90 {
                let asked = ranges.iter().any(|(first, length)| (*first..=first + length).contains(&number));
                prop_assert_eq!(spans.contains(number), asked);
                prop_assert_eq!(others.contains(number), !asked);
            }
        }
    }
}
