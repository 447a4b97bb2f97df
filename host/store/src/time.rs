//! The clock, as rows and entries show it.

use std::time::Duration;

/// Now, as `2026-01-31T12:00:00Z`.
pub(crate) fn now() -> String {
    text(jiff::Timestamp::now().as_second().saturating_mul(1000))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Milliseconds since 1970 as text, cut to seconds.
pub(crate) fn text(ms: i64) -> String {
    let second = jiff::Timestamp::from_second(ms.div_euclid(1000)).unwrap_or_default();
    second.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
