//! What the kernel knows about a process: its CPU time and its memory.

use anyhow::{Context, Result};
use serde::Serialize;
use std::time::Duration;

/// Ticks of `utime` and `stime` a second: `USER_HZ`, 100 on every Linux that
/// Rust runs on.
const TICKS: u64 = 100;

/// CPU time that a process has used, all its threads together, user and system.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    ticks(&text)
        .map(|ticks| Duration::from_millis(ticks * 1000 / TICKS))
        .with_context(|| format!("{path} has no times"))
}

/// `utime` + `stime`, the 14th and 15th field; the second, the program's name,
/// may contain anything and ends with the last `)`.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Memory of a process, MiB.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Memory {
    /// Pages present.
    pub(crate) rss_mib: f64,
    /// The same, shared pages by their share.
    pub(crate) pss_mib: f64,
}

/// Memory now.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let mib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
    };
    Ok(Memory { rss_mib: mib("Rss:"), pss_mib: mib("Pss:") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_blanks_and_brackets() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 4 0 99";
        assert_eq!(ticks(stat), Some(281));
    }

    #[test]
    fn this_process_has_memory_and_time() {
        assert!(memory(std::process::id()).unwrap().rss_mib > 0.5);
        assert!(cpu(std::process::id()).is_ok());
    }
}
