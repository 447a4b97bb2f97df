//! A real Keystone: its own folder, a free port, ended when dropped.

use crate::environment;
use crate::identity::{Identity, Login, Scope};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// On a busy machine Python takes its time.
const START: Duration = Duration::from_secs(120);
/// Between two looks whether it answers.
const PAUSE: Duration = Duration::from_millis(100);
/// The password of everybody made here.
pub const PASSWORD: &str = "secret";
/// The region of Keystone's own endpoints.
pub const REGION: &str = "RegionOne";

/// A running Keystone, or one that was stopped and can be started again.
pub struct Keystone {
    process: Option<Child>,
    folder: TempDir,
    python: PathBuf,
    port: u16,
    token_seconds: u32,
}

impl Keystone {
    /// A new one, whose tokens live so long; none where it is not installed,
    /// which is said loudly.
    pub async fn start(token_seconds: u32) -> Result<Option<Keystone>> {
        let found = environment::target("keystone/bin/python").zip(environment::target("keystone/template"));
        let Some((python, template)) = environment::wanted("Keystone", found)? else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("hadron-keystone-").tempdir()?;
        copy(&template, folder.path())?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut keystone = Keystone { process: None, folder, python, port, token_seconds };
        keystone.start_again().await?;
        keystone.name_itself().await?;
        Ok(Some(keystone))
    }

    /// Where it is: `http://127.0.0.1:12345/v3`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v3", self.port)
    }

    /// The administrator of the cloud.
    pub fn admin(&self) -> Login {
        Login { url: self.url(), user: "admin".into(), scope: Scope::Project("admin".into()) }
    }

    /// What it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it, and waits until it answers.
    pub async fn start_again(&mut self) -> Result<()> {
        self.stop();
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("keystone/serve.py");
        let mut command = Command::new(&self.python);
        let child = environment::clean(&mut command)
            .args(["-B", "-W", "ignore"])
            .arg(script)
            .arg(self.folder.path())
            .args([self.port.to_string(), self.token_seconds.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let http = reqwest::Client::builder().no_proxy().timeout(START).build()?;
        let began = Instant::now();
        let process = self.process.insert(child);
        while http.get(format!("http://127.0.0.1:{}/v3", self.port)).send().await.is_err() {
            if let Some(status) = process.try_wait()? {
                bail!("Keystone ended: {status}\n{}", self.log());
            }
            if began.elapsed() > START {
                bail!("Keystone does not answer\n{}", self.log());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Writes its own address, which nobody knew before, into its catalogue.
    async fn name_itself(&self) -> Result<()> {
        let admin = Identity::log_in(&self.admin()).await.with_context(|| self.log())?;
        let endpoints = admin.get("/endpoints").await?;
        for endpoint in endpoints["endpoints"].as_array().context("no endpoints")? {
            let path = format!("/endpoints/{}", endpoint["id"].as_str().unwrap_or_default());
            admin.patch(&path, json!({"endpoint": {"url": self.url()}})).await?;
        }
        Ok(())
    }
}

impl Drop for Keystone {
    fn drop(&mut self) {
        self.stop();
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => std::fs::copy(entry.path(), &target).map(drop)?,
        }
    }
    Ok(())
}
