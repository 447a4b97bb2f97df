//! The server under test: the release binary, started as an operator would.

use crate::client::{self, Connection};
use crate::process;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How to start it.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The `hadron` program.
    pub(crate) program: PathBuf,
    /// Its data folder, with the cache of compiled plugins.
    pub(crate) data: PathBuf,
    /// The folder of components.
    pub(crate) plugins: PathBuf,
    /// As `--database` takes it.
    pub(crate) database: String,
    /// The mechanism drivers it loads.
    pub(crate) drivers: Vec<String>,
    /// As `--log-level` takes it.
    pub(crate) log_level: &'static str,
}

/// A running server; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first answer.
    pub(crate) first_answer: Duration,
    /// What it says itself, from the start of `main` to readiness, ms.
    pub(crate) says_ready_ms: u64,
    /// Where its log is.
    pub(crate) log: PathBuf,
}

/// A server that is not ready by then never will be: compiling every plugin
/// without a cache takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);

impl Setup {
    /// Starts a server and waits for its first answer.
    pub(crate) async fn start(&self) -> Result<Server> {
        std::fs::create_dir_all(&self.data)?;
        let log = self.data.join("log");
        let began = Instant::now();
        let mut child = Command::new(&self.program)
            .arg("serve")
            .args(["--listen", "127.0.0.1:0", "--log-format", "json", "--log-level", self.log_level])
            .arg("--data-folder")
            .arg(&self.data)
            .arg("--plugin-folder")
            .arg(&self.plugins)
            .args(["--database", &self.database])
            .arg("--set")
            .arg(format!("plugins.mechanism_drivers={}", self.drivers.join(",")))
            .args(["--set", "quota.limits=*=-1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("{} could not be started", self.program.display()))?;
        let output = child.stdout.take().context("the server has no output")?;
        let banner = banner(output);
        let (Ok(address), Ok(says_ready_ms)) = (banner.address(began), banner.ready(began)) else {
            let _ = child.kill();
            bail!("the server did not get ready; the end of its log:\n{}", tail(&log));
        };
        let mut server = Server { child, address, first_answer: Duration::ZERO, says_ready_ms, log };
        let mut connection = Connection::open(address).await?;
        let mut request = Vec::new();
        client::request(&mut request, "GET", "/", "", "");
        connection.send(&request).await?;
        server.first_answer = began.elapsed();
        Ok(server)
    }
}

/// What the banner says, as it comes.
struct Banner(mpsc::Receiver<String>);

fn banner(output: impl std::io::Read + Send + 'static) -> Banner {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Read to the end even if nobody listens, or the server would wait.
            let _ = sender.send(line);
        }
    });
    Banner(receiver)
}

impl Banner {
    fn address(&self, began: Instant) -> Result<SocketAddr> {
        let line = self.line(began, "listens on http://")?;
        Ok(line.split([' ', '/']).next().unwrap_or_default().parse()?)
    }

    fn ready(&self, began: Instant) -> Result<u64> {
        let line = self.line(began, "Ready after ")?;
        Ok(line.split(' ').next().unwrap_or_default().parse()?)
    }

    /// What follows `words` in the first line that has them.
    fn line(&self, began: Instant, words: &str) -> Result<String> {
        loop {
            let line = self.0.recv_timeout(PATIENCE.saturating_sub(began.elapsed()))?;
            if let Some((_, rest)) = line.split_once(words) {
                return Ok(rest.to_owned());
            }
        }
    }
}

impl Server {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU time so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        process::cpu(self.pid())
    }

    /// Tells it to stop and waits.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = self.pid().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status()?;
        if !told.success() {
            bail!("the server ended by itself; the end of its log:\n{}", tail(&self.log));
        }
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the server did not stop after SIGTERM; the end of its log:\n{}", tail(&self.log))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already stopped, or stopped now: either way nothing is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(10);
    lines.get(from..).unwrap_or_default().join("\n")
}
