//! Chosen instants at which a test lets this process die.
//!
//! Kills at random instants seldom hit the few microseconds between a commit and
//! what follows it. So the write path names its instants here, always compiled
//! in, and `HADRON_TEST_FAILPOINT=after-commit:17` ends the process, as kill -9
//! would, when it comes to the instant `after-commit` for the 17th time. Unset,
//! each costs one load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable: an instant's name, `:`, which time (from 1).
const VARIABLE: &str = "HADRON_TEST_FAILPOINT";

/// A unit's work is done and nothing of it is committed.
pub(crate) const BEFORE_COMMIT: &str = "before-commit";
/// A unit is committed; no first attempt has been made, nobody was answered.
pub(crate) const AFTER_COMMIT: &str = "after-commit";
/// A driver refused a create; that it is to be undone is not written down.
pub(crate) const BEFORE_UNDO: &str = "before-undo";
/// It is written down and has not begun.
pub(crate) const AFTER_UNDO_ENTRY: &str = "after-undo-entry";
/// A driver has answered a delivery; the journal does not know yet.
pub(crate) const DURING_DELIVERY: &str = "during-delivery";

/// The instant that is meant, and how many more times it has to come.
struct Planned {
    instant: String,
    left: AtomicU64,
}

/// Tells that the process is at this instant.
pub(crate) fn hit(instant: &str) {
    static PLANNED: OnceLock<Option<Planned>> = OnceLock::new();
    let planned = PLANNED.get_or_init(|| parse(&std::env::var(VARIABLE).ok()?));
    if let Some(planned) = planned
        && planned.instant == instant
        && planned.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

/// `instant:times`; anything else is no plan.
fn parse(text: &str) -> Option<Planned> {
    let (instant, times) = text.split_once(':')?;
    let left = AtomicU64::new(times.parse().ok().filter(|times| *times > 0)?);
    Some(Planned { instant: instant.to_owned(), left })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_an_instant_and_a_count_from_one() {
        let planned = parse("after-commit:17").unwrap();
        assert_eq!((planned.instant.as_str(), planned.left.into_inner()), ("after-commit", 17));
        assert!(parse("after-commit").is_none());
        assert!(parse("after-commit:0").is_none());
        assert!(parse("after-commit:x").is_none());
    }
}
