//! Starts PostgreSQL from what is installed, in a folder of its own.

use crate::programs::{NO_SKIP, free_port, is_root, run};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A server that takes longer to start than this does not start.
const START: Duration = Duration::from_secs(60);

/// The server of this test process; none where PostgreSQL is not installed,
/// which is said loudly, and is a failure when `HADRON_TEST_NO_SKIP=1`.
pub fn shared() -> Option<&'static Postgres> {
    static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
    SERVER
        .get_or_init(|| match Postgres::start() {
            Ok(server) => Some(server),
            Err(why) if std::env::var(NO_SKIP).is_ok_and(|v| v == "1") => {
                panic!("PostgreSQL cannot be used in tests: {why}")
            }
            Err(why) => {
                eprintln!("\n=== SKIPPED: tests on PostgreSQL ({why}) ===\n");
                None
            }
        })
        .as_ref()
}

/// A running server.
pub struct Postgres {
    bin: PathBuf,
    /// Removed by the watchdog, after the server has stopped.
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// Makes a database cluster and starts a server on it.
    pub fn start() -> Result<Postgres, String> {
        let bin = find_bin().ok_or("initdb is neither on PATH nor in /usr/lib/postgresql/*/bin")?;
        let folder = tempfile::Builder::new()
            .prefix("hadron-pg-")
            .tempdir()
            .map_err(|error| format!("no temporary folder: {error}"))?
            .keep();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let server = Postgres { bin, port: free_port()?, folder, databases: AtomicU32::new(0) };
        let data = server.data();
        run(server.command("initdb").args([
            "-D",
            &data,
            "-U",
            "hadron",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-instructions",
        ]))?;
        server.restart()?;
        server.watch()?;
        Ok(server)
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// A program of PostgreSQL's, as a user that it accepts.
    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir("/");
        command
    }

    /// The URL of the maintenance database.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://hadron@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a new, empty database.
    pub async fn fresh_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url()).await.expect("the server answers");
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .expect("a database can be made");
        connection.close().await.expect("the connection closes");
        self.url_of(&name)
    }

    /// The URL of a new database in which these statements were carried out.
    pub async fn filled_database(&self, statements: &str) -> String {
        let url = self.fresh_database().await;
        let mut connection = PgConnection::connect(&url).await.expect("the server answers");
        let text = AssertSqlSafe(statements.to_owned());
        sqlx::raw_sql(text).execute(&mut connection).await.expect("the statements are SQL");
        connection.close().await.expect("the connection closes");
        url
    }

    /// Stops the server in good order; clients are cut off.
    pub fn stop(&self) -> Result<(), String> {
        run(self.command("pg_ctl").args(["-D", &self.data(), "-m", "fast", "-w", "stop"]))
    }

    /// Stops it as a power cut would: nothing is written any more.
    pub fn kill(&self) -> Result<(), String> {
        run(self.command("pg_ctl").args(["-D", &self.data(), "-m", "immediate", "-w", "stop"]))
    }

    /// Starts it again, at the same place.
    pub fn restart(&self) -> Result<(), String> {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c max_connections=200",
            self.port,
            self.folder.display()
        );
        let log = self.folder.join("log").display().to_string();
        run(self.command("pg_ctl").args(["-D", &self.data(), "-l", &log, "-o", &options, "-w", "start"]))?;
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if begun.elapsed() > START {
                return Err("the server does not listen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// A shell that outlives this process by a moment: stops the server and
    /// removes the folder. In a process group of its own, so that Ctrl-C in a
    /// terminal does not end it first.
    fn watch(&self) -> Result<(), String> {
        use std::os::unix::process::CommandExt as _;
        const SCRIPT: &str = "while kill -0 \"$1\" 2>/dev/null; do sleep 0.5; done; \
                              \"$2\" -D \"$3/data\" -m immediate stop; rm -rf \"$3\"";
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        // `kill -0` of a process of somebody else's is not permitted: look
        // whether it is there instead.
        let script = SCRIPT.replace("kill -0 \"$1\" 2>/dev/null", "[ -d \"/proc/$1\" ]");
        let script = if Path::new("/proc/self").exists() { script } else { SCRIPT.to_owned() };
        command
            .args(["-c", &script, "watchdog", &std::process::id().to_string()])
            .arg(self.bin.join("pg_ctl"))
            .arg(&self.folder)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(drop)
            .map_err(|error| format!("no watchdog: {error}"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The watchdog does it otherwise; what fails here fails there too.
        let _ = self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The newest installed release.
fn find_bin() -> Option<PathBuf> {
    let installed =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path());
    let number =
        |path: &PathBuf| path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u32>().ok());
    let mut releases: Vec<PathBuf> = installed.filter(|path| path.join("bin/initdb").exists()).collect();
    releases.sort_by_key(number);
    let newest = releases.pop().map(|path| path.join("bin"));
    newest.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    })
}
