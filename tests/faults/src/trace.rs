//! Watches processes' system calls, to see that an answer comes after the sync
//! that makes it true. kill -9 does not show this: what the kernel has, it
//! keeps.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long strace may take to attach or to let go.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running strace; ended when it is dropped.
pub struct Trace {
    strace: Child,
    file: PathBuf,
}

/// Whether strace is here and may watch processes: the reason why not.
pub fn available() -> Result<(), String> {
    let output = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("strace may not trace: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("strace cannot be started ({error}); on Debian: apt-get install strace")),
    }
}

/// The direct children of a process.
pub fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

/// The process that started this one.
pub fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in brackets, may hold anything; state and parent follow it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

impl Trace {
    /// Watches these processes, all their threads, and whatever they start.
    pub fn attach(processes: &[u32], file: &Path) -> Result<Trace> {
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-y",
            "-s",
            "40",
            "-e",
            "trace=fsync,fdatasync,read,recvfrom,write,writev,sendto",
        ]);
        command.args(["-e", "signal=none", "-o"]).arg(file);
        for process in processes {
            command.args(["-p", &process.to_string()]);
        }
        let strace = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().context("strace")?;
        let mut trace = Trace { strace, file: file.to_owned() };
        let began = Instant::now();
        while !processes.iter().all(|process| is_traced(*process)) {
            if trace.strace.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                bail!("strace does not attach to {processes:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(trace)
    }

    /// Stops watching; what was seen.
    pub fn end(mut self) -> Result<String> {
        let interrupted = Command::new("kill").args(["-s", "INT", &self.strace.id().to_string()]).status()?;
        if !interrupted.success() {
            bail!("strace cannot be interrupted");
        }
        self.strace.wait()?;
        std::fs::read_to_string(&self.file).context("what strace wrote")
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // Ended already when all went well.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// Whether all threads of a process are traced.
fn is_traced(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    threads.into_iter().all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|id| id.trim() != "0"))
    })
}

/// Of each `POST` that was answered 201, in order: whether a sync of a file with
/// `durable` in its path began after the request was read and ended before the
/// answer was written.
pub fn synced_before_answer(trace: &str, durable: &str) -> Vec<bool> {
    let mut answers = Vec::new();
    let mut reading = false;
    let mut synced = false;
    let mut syncing: BTreeSet<&str> = BTreeSet::new();
    for line in trace.lines() {
        let process = line.split_whitespace().next().unwrap_or_default();
        if line.contains("\"POST /v2.0/") {
            (reading, synced) = (true, false);
            syncing.clear();
        } else if line.contains("\"HTTP/1.1 201") && reading {
            answers.push(synced);
            reading = false;
        } else if line.contains("fdatasync(") || line.contains("fsync(") {
            if line.contains(durable) {
                match line.ends_with("= 0") {
                    true => synced = true,
                    false => {
                        syncing.insert(process);
                    }
                }
            }
        } else if line.contains("sync resumed>") && line.ends_with("= 0") && syncing.remove(process) {
            synced = true;
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str =
        "10 recvfrom(9<socket:[1]>, \"POST /v2.0/networks HTTP/1.1\\r\\nh\"..., 8192, 0, NULL, NULL) = 150\n";
    const ANSWER: &str =
        "10 sendto(9<socket:[1]>, \"HTTP/1.1 201 Created\\r\\n\"..., 900, MSG_NOSIGNAL, NULL, 0) = 900\n";

    #[test]
    fn only_a_sync_between_request_and_answer_counts() {
        let sync = "11 fdatasync(12</d/hadron.db-wal>) = 0\n";
        assert_eq!(synced_before_answer(&[REQUEST, sync, ANSWER].concat(), "-wal"), [true]);
        assert_eq!(synced_before_answer(&[sync, REQUEST, ANSWER, sync].concat(), "-wal"), [false]);
        assert_eq!(synced_before_answer(&[REQUEST, sync, ANSWER].concat(), "pg_wal"), [false]);
    }

    #[test]
    fn a_sync_counts_when_it_has_ended() {
        let begun = "11 fdatasync(12</d/hadron.db-wal> <unfinished ...>\n";
        let ended = "11 <... fdatasync resumed>) = 0\n";
        assert_eq!(synced_before_answer(&[REQUEST, begun, ended, ANSWER].concat(), "-wal"), [true]);
        assert_eq!(synced_before_answer(&[REQUEST, begun, ANSWER, ended].concat(), "-wal"), [false]);
        assert_eq!(synced_before_answer(&[begun, REQUEST, ended, ANSWER].concat(), "-wal"), [false]);
    }
}
