//! What the kernel says about this process.

use std::fs;

/// Clock ticks of `/proc/PID/stat` in a second: part of the kernel's interface
/// on every architecture that the server is built for.
const TICKS: f64 = 100.0;

/// Memory and processor time of this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Processor time since the start, user and system, seconds.
    pub cpu_seconds: f64,
    /// Open file descriptors.
    pub open_files: u64,
}

impl Process {
    /// As it is now; none where there is no `/proc`.
    pub fn now() -> Option<Process> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let open_files = fs::read_dir("/proc/self/fd").ok()?.count();
        Some(Process {
            resident_bytes: resident(&status)?,
            cpu_seconds: cpu(&stat)?,
            open_files: u64::try_from(open_files).ok()?,
        })
    }
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Fields 14 and 15, counted from the end of the name, which may hold spaces.
fn cpu(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t   2048 kB\nThreads:\t1\n"), Some(2 << 20));
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 900 0 0 0 150 50 0 0 20 0 9 0 100 5 6";
        assert_eq!(cpu(stat), Some(2.0));
        let now = Process::now().unwrap();
        assert!(now.resident_bytes > 1 << 20 && now.open_files > 2, "{now:?}");
    }
}
