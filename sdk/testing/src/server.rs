//! The server's process: started, killed, stopped, started again. Only the
//! process that was started here is ever signalled.

use crate::{Answer, Builder, Client, Error, Result, wait};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to answer: on a busy machine it compiles its
/// components first.
const START: Duration = Duration::from_secs(120);
/// How long it may take to stop after SIGTERM.
const STOP: Duration = Duration::from_secs(40);
/// Between two looks whether it answers or has stopped.
const PAUSE: Duration = Duration::from_millis(20);
/// Lines of the log that an error shows.
const SHOWN: usize = 60;

/// How the process is started, again too.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) binary: PathBuf,
    pub(crate) wrapper: Vec<String>,
    pub(crate) config: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) url: String,
}

impl Launch {
    /// A command of this server's program, without the variables that would
    /// change its configuration.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HADRON_") {
                command.env_remove(name);
            }
        }
        command.env("HADRON_CONFIG", &self.config).envs(&self.environment);
        command
    }
}

/// Why it did not start.
pub(crate) struct Failed {
    pub(crate) code: Option<i32>,
    pub(crate) error: Error,
}

/// A running server; ended, and its data removed, when dropped.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    process: Process,
    client: Client,
    folder: TempDir,
}

/// What a command printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code; none when it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Its standard output, if it ended well; else an error that shows what it
    /// printed.
    pub fn ok(self) -> Result<String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            code => Err(Error::new(format!("hadron ended with {code:?}: {}{}", self.stdout, self.stderr))),
        }
    }

    /// Its standard error, if it ended badly.
    pub fn refused(self) -> Result<String> {
        match self.code {
            Some(0) => Err(Error::new(format!("hadron did what it should refuse: {}", self.stdout))),
            _ => Ok(self.stderr),
        }
    }
}

/// Kills the child when it is dropped, so that no path out of a test leaves a
/// server behind.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    fn kill(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the process and waits until it answers.
pub(crate) async fn start(launch: &Launch) -> Result<Process, Failed> {
    let failed = |code: Option<i32>, what: String| Failed {
        code,
        error: Error::new(format!("{what}\n--- the end of its log:\n{}", tail(&launch.log))),
    };
    let mut process = spawn(launch).map_err(|error| Failed { code: None, error })?;
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(1))
        .build()
        .map_err(|e| Failed { code: None, error: Error::new(e) })?;
    let began = Instant::now();
    loop {
        // Any answer will do: nobody is answered before the plugins are loaded.
        if http.get(format!("{}/", launch.url)).send().await.is_ok() {
            return match process.ended() {
                // Somebody else answers at this port.
                Some(status) => Err(failed(status.code(), format!("the server ended: {status}"))),
                None => Ok(process),
            };
        }
        if let Some(status) = process.ended() {
            return Err(failed(status.code(), format!("the server ended: {status}")));
        }
        if began.elapsed() > START {
            return Err(failed(None, format!("the server does not answer after {} s", START.as_secs())));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn spawn(launch: &Launch) -> Result<Process> {
    let unwritable = |e: std::io::Error| Error::new(format!("cannot write {}: {e}", launch.log.display()));
    let log = OpenOptions::new().create(true).append(true).open(&launch.log).map_err(unwritable)?;
    let errors = log.try_clone().map_err(unwritable)?;
    let mut command = match launch.wrapper.split_first() {
        Some((program, arguments)) => {
            let mut command = launch.command(Path::new(program));
            command.args(arguments).arg(&launch.binary);
            command
        }
        None => launch.command(&launch.binary),
    };
    let child = command
        .arg("serve")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|e| Error::new(format!("{} cannot be started: {e}", launch.binary.display())))?;
    Ok(Process(child))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
}

impl Server {
    /// Says what the server is made of.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(launch: Launch, process: Process, folder: TempDir) -> Result<Server> {
        let client = Client::new(launch.url.clone())?;
        Ok(Server { launch, process, client, folder })
    }

    /// Where it is served: `http://127.0.0.1:12345`. Stays the same when it is
    /// restarted.
    pub fn url(&self) -> &str {
        &self.launch.url
    }

    /// Its data folder.
    pub fn data_folder(&self) -> &Path {
        &self.launch.data
    }

    /// A folder of this test, removed with the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.process.0.id()
    }

    /// A client for it, without any login.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// `GET`, without any login.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.client.get(path).await
    }

    /// `POST`, without any login.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.client.post(path, body).await
    }

    /// `PUT`, without any login.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.client.put(path, body).await
    }

    /// `DELETE`, without any login.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.client.delete(path).await
    }

    /// Runs a command of the same program for this server: `&["plugin",
    /// "list"]`.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.launch.command(&self.launch.binary);
        command.args(arguments).stdin(Stdio::null());
        let output = tokio::process::Command::from(command)
            .output()
            .await
            .map_err(|e| Error::new(format!("{} cannot be started: {e}", self.launch.binary.display())))?;
        Ok(Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// As `cli` with `--json`; the command must end well.
    pub async fn cli_json(&self, arguments: &[&str]) -> Result<Value> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let text = self.cli(&arguments).await?.ok()?;
        serde_json::from_str(&text)
            .map_err(|e| Error::new(format!("{arguments:?} printed no JSON: {e}: {text}")))
    }

    /// Everything the server printed, over all its starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.launch.log).unwrap_or_default()
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Kills it at once (SIGKILL): nothing can be finished or flushed.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Tells it to stop (SIGTERM) and waits until it has; its exit code.
    pub async fn terminate(&mut self) -> Result<Option<i32>> {
        self.signal("TERM").await?;
        let process = &mut self.process;
        let stopped = wait::until("the server to stop", STOP, || {
            let ended = process.ended();
            async move { Ok(ended) }
        });
        Ok(stopped.await?.code())
    }

    /// Sends a signal to the process that was started here.
    pub async fn signal(&mut self, name: &str) -> Result<()> {
        if !self.is_running() {
            return Err(Error::new(format!("the server has ended:\n{}", tail(&self.launch.log))));
        }
        let pid = self.process_id().to_string();
        let status = tokio::process::Command::new("kill").args(["-s", name, &pid]).status().await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Error::new(format!("kill -s {name} {pid}: {status}"))),
            Err(error) => Err(Error::new(format!("kill cannot be started: {error}"))),
        }
    }

    /// Sets a variable in the environment of the next start, or takes it away.
    pub fn set_environment(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.launch.environment.insert(name.to_owned(), value.to_owned()),
            None => self.launch.environment.remove(name),
        };
    }

    /// Starts it again, with the same configuration, data and port; a process
    /// that still runs is killed first.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill();
        self.process = start(&self.launch).await.map_err(|failed| failed.error)?;
        Ok(())
    }
}
