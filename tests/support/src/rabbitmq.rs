//! Starts RabbitMQ from what is installed, in a folder and on ports of its own.

use crate::programs::{NO_SKIP, free_port, run};
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A broker that takes longer to start than this does not start.
const START: Duration = Duration::from_secs(90);
/// The server's own script: the one on PATH may want to be another user.
const SCRIPT: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// File with the ids of the processes that run now.
const PIDS: &str = "pids";
const CONTROL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";

/// A running broker; stopped and removed when dropped, and by a watchdog when
/// the test's process ends without dropping it.
pub struct RabbitMq {
    folder: PathBuf,
    port: u16,
    node_port: u16,
    names_port: u16,
    /// What the nodes' names are looked up with.
    names: Mutex<Child>,
    server: Mutex<Option<Child>>,
}

impl RabbitMq {
    /// A broker; none where RabbitMQ is not installed, which is said loudly, and
    /// is a failure when `HADRON_TEST_NO_SKIP=1`.
    pub fn start() -> Option<RabbitMq> {
        RabbitMq::start_with("")
    }

    /// A broker with these lines in its configuration, too.
    pub fn start_with(more: &str) -> Option<RabbitMq> {
        match RabbitMq::try_start(more) {
            Ok(broker) => Some(broker),
            Err(why) if std::env::var(NO_SKIP).is_ok_and(|v| v == "1") => {
                panic!("RabbitMQ cannot be used in tests: {why}")
            }
            Err(why) => {
                eprintln!("\n=== SKIPPED: tests with RabbitMQ ({why}) ===\n");
                None
            }
        }
    }

    fn try_start(more: &str) -> Result<RabbitMq, String> {
        if !PathBuf::from(SCRIPT).exists() {
            return Err(format!("{SCRIPT} is not there"));
        }
        let folder = tempfile::Builder::new()
            .prefix("hadron-mq-")
            .tempdir()
            .map_err(|error| format!("no temporary folder: {error}"))?
            .keep();
        let write = |name: &str, text: String| {
            std::fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))
        };
        let (port, node_port, names_port) = (free_port()?, free_port()?, free_port()?);
        write(
            "rabbitmq.conf",
            format!(
                "listeners.tcp.local = 127.0.0.1:{port}\n\
                 vm_memory_high_watermark.absolute = 256MB\n\
                 disk_free_limit.absolute = 10MB\n{more}"
            ),
        )?;
        write("enabled_plugins", "[].\n".to_owned())?;
        let names = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &names_port.to_string()])
            .env("HOME", &folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("epmd: {error}"))?;
        let broker = RabbitMq {
            folder,
            port,
            node_port,
            names_port,
            names: Mutex::new(names),
            server: Mutex::new(None),
        };
        broker.watch()?;
        broker.restart()?;
        Ok(broker)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/", self.port)
    }

    /// The port of loopback at which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn environment(&self, command: &mut Command) {
        let path = |name: &str| self.folder.join(name).display().to_string();
        command
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("LANG", "C.UTF-8")
            // Replaces the script's shell, so that the child is the server.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("ERL_EPMD_PORT", self.names_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("hadron{}@localhost", self.port))
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.node_port.to_string())
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", path("none"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none",
            );
    }

    /// Starts it again, at the same place; waits until it listens.
    pub fn restart(&self) -> Result<(), String> {
        let log = File::create(self.folder.join("output")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new(SCRIPT);
        self.environment(&mut command);
        let mut server = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{SCRIPT}: {error}"))?;
        let names = self.names.lock().expect("nobody panics with it").id();
        std::fs::write(self.folder.join(PIDS), format!("{} {names}", server.id()))
            .map_err(|e| e.to_string())?;
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = server.try_wait().ok().flatten();
            if ended.is_some() || begun.elapsed() > START {
                let _ = server.kill();
                let said = std::fs::read_to_string(self.folder.join("output")).unwrap_or_default();
                return Err(format!("the broker does not start ({ended:?}): {said}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        *self.server.lock().expect("nobody panics with it") = Some(server);
        Ok(())
    }

    /// Stops it in good order: durable queues stay.
    pub fn stop(&self) -> Result<(), String> {
        let Some(mut server) = self.server.lock().expect("nobody panics with it").take() else {
            return Ok(());
        };
        run(Command::new("kill").args(["-TERM", &server.id().to_string()]))?;
        server.wait().map(drop).map_err(|error| error.to_string())
    }

    /// Ends it at once.
    pub fn kill(&self) {
        if let Some(mut server) = self.server.lock().expect("nobody panics with it").take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Has it stand still: it keeps its connections and says nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Has it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        if let Some(server) = &*self.server.lock().expect("nobody panics with it") {
            run(Command::new("kill").args([signal, &server.id().to_string()])).expect("it runs");
        }
    }

    /// What `rabbitmqctl` says, without headers: a line for each row, cells
    /// parted by tabs.
    pub fn ask(&self, words: &[&str]) -> Result<Vec<Vec<String>>, String> {
        let mut command = Command::new(CONTROL);
        self.environment(&mut command);
        let tables = words.first().is_some_and(|word| word.starts_with("list_"));
        let output = command
            .arg("--quiet")
            .args(tables.then_some("--no-table-headers"))
            .args(words)
            .output()
            .map_err(|error| format!("{CONTROL}: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// A shell that outlives this process by a moment: ends what was started
    /// and removes the folder. In a process group of its own, so that Ctrl-C in
    /// a terminal does not end it first.
    fn watch(&self) -> Result<(), String> {
        const WATCH: &str = "while [ -d \"/proc/$1\" ] && [ -d \"$2\" ]; do sleep 0.5; done; \
                             [ -d \"$2\" ] && { kill -KILL $(cat \"$2/pids\"); sleep 0.5; rm -rf \"$2\"; }";
        Command::new("sh")
            .args(["-c", WATCH, "watchdog", &std::process::id().to_string()])
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

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.kill();
        if let Ok(names) = self.names.get_mut() {
            let _ = names.kill();
            let _ = names.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
