//! What goes into a session, and when there may be one.

use hadron_sdk::serde_json::Value;
use serde::{Deserialize, Serialize};

/// Failures in a row after which the time between attempts grows no more.
const MOST_DOUBLINGS: u32 = 5;

/// A port that a device is told of: what it is, or null where it is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PortChange {
    pub(crate) port: String,
    pub(crate) is: Value,
}

/// What one session tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) changes: Vec<PortChange>,
    /// Sessions before it that failed, in a row.
    pub(crate) failures: u32,
}

/// What a device does now.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Whether it has been seen before.
    #[serde(skip)]
    pub(crate) known: bool,
    /// A session is under way.
    pub(crate) busy: bool,
    /// When the last one began or ended, ms since 1970.
    pub(crate) last: u64,
    /// How many failed in a row.
    pub(crate) failures: u32,
    /// What the last one held, if it failed.
    pub(crate) retry: Vec<PortChange>,
}

/// What the operator allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Ports that a session tells of.
    pub(crate) most: u32,
    /// Time between sessions, ms.
    pub(crate) interval_ms: u64,
}

/// How many ports a session with this device may tell of besides those that it
/// failed to take; none where it is not the time.
pub(crate) fn room(state: &State, now: u64, limits: Limits) -> Option<u32> {
    let pause = limits.interval_ms.saturating_mul(1 << state.failures.min(MOST_DOUBLINGS));
    if state.busy || (state.known && now < state.last.saturating_add(pause)) {
        return None;
    }
    let held = u32::try_from(state.retry.len()).unwrap_or(u32::MAX);
    Some(limits.most.saturating_sub(held))
}

/// What a session tells: first what failed, with what ports are by now.
pub(crate) fn merged(retry: &[PortChange], newer: impl Iterator<Item = PortChange>) -> Vec<PortChange> {
    let mut changes = retry.to_vec();
    for change in newer {
        match changes.iter_mut().find(|held| held.port == change.port) {
            Some(held) => *held = change,
            None => changes.push(change),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    const LIMITS: Limits = Limits { most: 10, interval_ms: 1000 };

    fn change(port: &str, is: u32) -> PortChange {
        PortChange { port: port.to_owned(), is: json!(is) }
    }

    #[test]
    fn sessions_of_a_device_are_one_at_a_time_and_apart() {
        let state = |busy, last, failures| State { known: true, busy, last, failures, ..State::default() };
        assert_eq!(room(&State::default(), 0, LIMITS), Some(10));
        assert_eq!(room(&state(true, 0, 0), 99_000, LIMITS), None);
        assert_eq!(room(&state(false, 5000, 0), 5999, LIMITS), None);
        assert_eq!(room(&state(false, 5000, 0), 6000, LIMITS), Some(10));
        assert_eq!(room(&state(false, 5000, 2), 8999, LIMITS), None, "each failure doubles the time");
        assert_eq!(room(&state(false, 5000, 2), 9000, LIMITS), Some(10));
        assert_eq!(room(&state(false, 0, 99), 32_000, LIMITS), Some(10), "up to a limit");
    }

    #[test]
    fn what_failed_goes_first_as_it_is_by_now() {
        let retry = vec![change("a", 1), change("b", 1)];
        let newer = vec![change("b", 2), change("c", 2)];
        assert_eq!(merged(&retry, newer.into_iter()), [change("a", 1), change("b", 2), change("c", 2)]);
        let held = State { retry: vec![change("a", 1); 4], ..State::default() };
        assert_eq!(room(&held, 0, LIMITS), Some(6));
        let full = State { retry: vec![change("a", 1); 12], ..State::default() };
        assert_eq!(room(&full, 0, LIMITS), Some(0));
    }
}
