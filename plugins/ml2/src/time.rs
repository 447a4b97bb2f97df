//! The time as agents' rows show it.

use hadron_sdk::now;
use jiff::Timestamp;

/// So many seconds ago (after now, where negative), as `2026-01-31 12:00:00`:
/// such texts sort by time.
pub(crate) fn ago(seconds: i64) -> String {
    shown(now(), seconds)
}

fn shown(milliseconds: u64, ago: i64) -> String {
    let second = i64::try_from(milliseconds / 1000).unwrap_or_default().saturating_sub(ago);
    Timestamp::from_second(second).unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_neutron_shows_them() {
        assert_eq!(shown(1_795_436_202_999, 0), "2026-11-23 12:16:42");
        assert_eq!(shown(1_795_436_202_000, 43), "2026-11-23 12:15:59");
        assert_eq!(shown(1_795_436_202_000, -18), "2026-11-23 12:17:00");
    }
}
