//! The databases that are measured: SQLite files, and a PostgreSQL of the
//! benchmark's own with the durability of production (fsync on,
//! synchronous_commit on).

use crate::floor::Place;
use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where databases are made.
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres(Cluster),
}

impl Database {
    /// Files in this folder.
    pub(crate) fn sqlite(folder: &Path) -> Result<Database> {
        Ok(Database::Sqlite(folder.to_owned()))
    }

    /// Starts a PostgreSQL.
    pub(crate) async fn postgres() -> Result<Database> {
        Ok(Database::Postgres(Cluster::start().await?))
    }

    /// For people and JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// Makes an empty database; its URL for the server.
    pub(crate) async fn make(&self, name: &str) -> Result<String> {
        match self {
            Database::Sqlite(folder) => Ok(format!("sqlite:{}", file(folder, name).display())),
            Database::Postgres(cluster) => {
                cluster.run(&format!("CREATE DATABASE {name}")).await?;
                Ok(cluster.url(name))
            }
        }
    }

    /// Copies a database that nobody uses; the copy's name.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<String> {
        match self {
            Database::Sqlite(folder) => {
                let (from, to) = (file(folder, from), file(folder, to));
                for suffix in ["", "-wal"] {
                    let part = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
                    if part(&from).is_file() {
                        std::fs::copy(part(&from), part(&to))
                            .with_context(|| format!("cannot copy {}", part(&from).display()))?;
                    }
                }
            }
            Database::Postgres(cluster) => {
                cluster.run(&format!("CREATE DATABASE {to} TEMPLATE {from}")).await?;
                // What the copying left to write is not the next load's.
                cluster.run("CHECKPOINT").await?;
            }
        }
        Ok(to.to_owned())
    }

    /// How the bare client reaches a database.
    pub(crate) fn place(&self, name: &str) -> Place {
        match self {
            Database::Sqlite(folder) => Place::Sqlite(file(folder, name)),
            Database::Postgres(cluster) => Place::Postgres(cluster.url(name)),
        }
    }
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.db"))
}

/// A PostgreSQL server in a folder of its own; stopped when dropped.
pub(crate) struct Cluster {
    server: Child,
    port: u16,
    /// Removed when dropped.
    _folder: tempfile::TempDir,
}

/// PostgreSQL refuses to run as root.
const USER: &str = "postgres";

impl Cluster {
    async fn start() -> Result<Cluster> {
        let folder = tempfile::Builder::new().prefix("hadron-bench-pg").tempdir()?;
        let as_root = std::fs::metadata("/proc/self").map(|m| is_root(&m)).unwrap_or(false);
        if as_root {
            let owned = Command::new("chown").arg(USER).arg(folder.path()).status()?;
            if !owned.success() {
                bail!("there is no user '{USER}' to run PostgreSQL as: install postgresql");
            }
        }
        let data = folder.path().join("data");
        let made = command("initdb", as_root)
            .args(["--auth=trust", "--username=hadron", "--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .context("initdb could not be started: run `cargo xtask setup`")?;
        if !made.success() {
            bail!("initdb failed in {}", data.display());
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = command("postgres", as_root);
        server.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-p", &port.to_string()]);
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        let server = server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("postgres could not be started")?;
        let cluster = Cluster { server, port, _folder: folder };
        let began = Instant::now();
        while let Err(error) = cluster.run("SELECT 1").await {
            if began.elapsed() > Duration::from_secs(30) {
                return Err(error.context("PostgreSQL did not get ready"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(cluster)
    }

    fn url(&self, name: &str) -> String {
        format!("postgres://hadron@127.0.0.1:{}/{name}", self.port)
    }

    async fn run(&self, text: &str) -> Result<()> {
        let options: PgConnectOptions = self.url("postgres").parse()?;
        let mut connection = options.disable_statement_logging().connect().await?;
        // Made from names in this crate alone.
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await?;
        Ok(())
    }
}

/// Production's durability; memory as an operator would give it on a small
/// machine; room for every connection of the load.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "fsync=on",
    "synchronous_commit=on",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "max_connections=200",
];

fn is_root(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == 0
}

/// A program of PostgreSQL, where it is on PATH or where Debian puts it.
fn command(name: &str, as_root: bool) -> Command {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let program = debian
        .map(|version| version.path().join("bin").join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| PathBuf::from(name));
    if !as_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"]).arg(program);
    // The current folder may be one that user may not enter.
    command.current_dir("/");
    command
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A database that nobody will read again needs no orderly end.
        let _ = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
    }
}
