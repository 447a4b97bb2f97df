//! A real Neutron server: what clients ask and what agents ask, each a process,
//! with a database of its own. Nobody has to log in.

use crate::environment::{clean, target, wanted};
use anyhow::{Context, Result, bail};
use hadron_sdk_testing::Client;
use hadron_test_support::{Postgres, RabbitMq, free_port};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// On a busy machine Python takes its time.
const START: Duration = Duration::from_secs(120);
/// Between two looks whether it answers.
const PAUSE: Duration = Duration::from_millis(100);

/// A running server; it ends when this is dropped.
pub struct NeutronServer {
    running: Vec<Child>,
    folder: TempDir,
    port: u16,
}

impl NeutronServer {
    /// A new one at that broker, with a new database; none where it is not
    /// installed, which is said loudly.
    pub async fn start(database: &Postgres, broker: &RabbitMq) -> Result<Option<NeutronServer>> {
        let found = target("neutron/bin/python").zip(target("neutron/template.sql"));
        let Some((python, template)) = wanted("Neutron's server", found)? else { return Ok(None) };
        let tables = std::fs::read_to_string(&template)?;
        let database =
            database.filled_database(&tables).await.replacen("postgres:", "postgresql+psycopg2:", 1);
        let broker = broker.url().replacen("amqp:", "rabbit:", 1);
        let folder = tempfile::Builder::new().prefix("hadron-neutron-").tempdir()?;
        let port = free_port().map_err(anyhow::Error::msg)?;
        let mut server = NeutronServer { running: Vec::new(), folder, port };
        for (what, port) in [("api", port.to_string()), ("rpc", String::new())] {
            let child = server.spawn(&python, &[what, &database, &broker, &port])?;
            server.running.push(child);
        }
        server.answers().await?;
        Ok(Some(server))
    }

    /// The administrator of the cloud.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::new(format!("http://127.0.0.1:{}", self.port))?)
    }

    /// What both processes printed.
    pub fn log(&self) -> String {
        let read = |what| std::fs::read_to_string(self.log_of(what)).unwrap_or_default();
        format!("{}\n{}", read("api"), read("rpc"))
    }

    fn log_of(&self, what: &str) -> PathBuf {
        self.folder.path().join(format!("{what}.log"))
    }

    fn spawn(&self, python: &Path, arguments: &[&str; 4]) -> Result<Child> {
        let [what, others @ ..] = arguments;
        let log = File::create(self.log_of(what))?;
        let mut command = Command::new(python);
        clean(&mut command)
            .args(["-B", "-W", "ignore"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("neutron/serve.py"))
            .arg(what)
            .arg(self.folder.path())
            .args(others.iter().filter(|word| !word.is_empty()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.spawn().with_context(|| format!("Neutron's {what} does not start"))
    }

    /// Waits until clients are answered. Agents wait for the other process
    /// themselves.
    async fn answers(&mut self) -> Result<()> {
        let (client, began) = (self.client()?, Instant::now());
        while client.get("/v2.0/agents").await.is_err() {
            let ended = self.running.iter_mut().find_map(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("Neutron ended: {status}\n{}", self.log());
            }
            if began.elapsed() > START {
                bail!("Neutron does not answer\n{}", self.log());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

impl Drop for NeutronServer {
    fn drop(&mut self) {
        for child in &mut self.running {
            // Its workers see that it is gone, and end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
