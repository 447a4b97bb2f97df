//! A peer on the message bus: a program that speaks through the real
//! oslo.messaging (`agents/peer.py`), and plays stand-in agents
//! (`agents/agents.py`).

use crate::programs::NO_SKIP;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long the program may take to start, or to answer a command.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a call was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerError {
    /// The exception's class.
    pub class: String,
    /// For people.
    pub message: String,
}

/// A stand-in agent.
#[derive(Clone, Debug)]
pub struct Agent(Value);

impl Agent {
    fn new(kind: &str, host: &str) -> Agent {
        Agent(json!({"type": kind, "host": host, "configurations": {}}))
    }

    /// An Open vSwitch agent, which has every port wired that is bound at its
    /// host.
    pub fn openvswitch(host: &str) -> Agent {
        Agent::new("openvswitch", host)
    }

    /// A Linux bridge agent, which wires ports too, as do the next ones.
    pub fn linuxbridge(host: &str) -> Agent {
        Agent::new("linuxbridge", host)
    }

    /// A macvtap agent.
    pub fn macvtap(host: &str) -> Agent {
        Agent::new("macvtap", host)
    }

    /// An agent of cards with virtual functions (SR-IOV).
    pub fn sriov(host: &str) -> Agent {
        Agent::new("sriov", host)
    }

    /// A DHCP agent.
    pub fn dhcp(host: &str) -> Agent {
        Agent::new("dhcp", host)
    }

    /// An L3 agent.
    pub fn l3(host: &str) -> Agent {
        Agent::new("l3", host)
    }

    /// A metering agent.
    pub fn metering(host: &str) -> Agent {
        Agent::new("metering", host)
    }

    /// In this availability zone.
    pub fn zone(mut self, zone: &str) -> Agent {
        self.0["availability_zone"] = zone.into();
        self
    }

    /// With this configuration beside, or instead of, the usual.
    pub fn configuration(mut self, name: &str, value: impl Into<Value>) -> Agent {
        self.0["configurations"][name] = value.into();
        self
    }

    /// Wires only what it is told to wire, by `Peer::up`.
    pub fn told(mut self) -> Agent {
        self.0["by_itself"] = false.into();
        self
    }
}

/// What the program said.
#[derive(Default)]
struct Said {
    answers: HashMap<u64, Value>,
    events: Vec<Value>,
    commands: u64,
    ended: bool,
}

/// The running program; ended when dropped.
pub struct Peer {
    process: Child,
    commands: Mutex<ChildStdin>,
    said: Arc<(Mutex<Said>, Condvar)>,
}

impl Peer {
    /// A peer of the broker at this URL; none where there is no Python with
    /// oslo.messaging, which is said loudly, and is a failure when
    /// `HADRON_TEST_NO_SKIP=1`.
    pub fn start(url: &str) -> Option<Peer> {
        match Peer::try_start(url) {
            Ok(peer) => Some(peer),
            Err(why) if std::env::var(NO_SKIP).is_ok_and(|v| v == "1") => {
                panic!("oslo.messaging cannot be used in tests: {why}")
            }
            Err(why) => {
                eprintln!("\n=== SKIPPED: tests with oslo.messaging ({why}) ===\n");
                None
            }
        }
    }

    fn try_start(url: &str) -> Result<Peer, String> {
        let python = python().ok_or("`cargo xtask setup` makes target/python")?;
        let there = Command::new(&python)
            .args(["-c", "import oslo_messaging"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !there.is_ok_and(|status| status.success()) {
            return Err(
                "oslo.messaging is not in target/python; `cargo xtask setup` puts it there".to_owned()
            );
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("agents/peer.py");
        let mut process = Command::new(python)
            .args(["-B", "-W", "ignore"])
            .arg(script)
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the peer does not start: {error}"))?;
        let commands = Mutex::new(process.stdin.take().expect("it is piped"));
        let output = process.stdout.take().expect("it is piped");
        let said = Arc::new((Mutex::new(Said::default()), Condvar::new()));
        let heard = said.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
                let mut said = heard.0.lock().expect("nobody panics with it");
                match value["id"].as_u64() {
                    Some(id) => drop(said.answers.insert(id, value)),
                    None => said.events.push(value),
                }
                heard.1.notify_all();
            }
            heard.0.lock().expect("nobody panics with it").ended = true;
            heard.1.notify_all();
        });
        let peer = Peer { process, commands, said };
        peer.event(|event| event["event"] == "ready");
        Ok(peer)
    }

    /// Stand-in agents on the broker at this URL, each of which has reported
    /// once to a server.
    pub fn agents(url: &str, agents: &[Agent]) -> Option<Peer> {
        let peer = Peer::start(url)?;
        peer.play(agents);
        Some(peer)
    }

    /// Starts stand-in agents as soon as a server listens; each has reported once
    /// when this returns.
    ///
    /// # Panics
    /// When no server takes their reports.
    pub fn play(&self, agents: &[Agent]) {
        self.find_server();
        let asked: Vec<&Value> = agents.iter().map(|agent| &agent.0).collect();
        let done = self.command(json!({"do": "agents", "agents": asked, "every": 5}));
        done.unwrap_or_else(|error| panic!("the agents do not start: {error:?}"));
        for host in asked.iter().map(|agent| &agent["host"]) {
            self.event(|event| event["event"] == "reported" && event["host"] == *host);
        }
    }

    fn find_server(&self) {
        let until = Instant::now() + PATIENCE;
        let alive = json!({"do": "call", "topic": "q-reports-plugin", "method": "has_alive_neutron_server",
            "timeout": 1});
        while self.command(alive.clone()) != Ok(true.into()) {
            assert!(Instant::now() < until, "no server listens to agents");
        }
    }

    /// Has whoever wires ports at a host say that these are wired.
    pub fn up(&self, host: &str, ports: &[&str]) -> Result<Value, PeerError> {
        self.command(json!({"do": "up", "host": host, "ports": ports}))
    }

    /// Has it say that they are gone.
    pub fn down(&self, host: &str, ports: &[&str]) -> Result<Value, PeerError> {
        self.command(json!({"do": "down", "host": host, "ports": ports}))
    }

    /// The agents at a host report no more.
    pub fn silence(&self, host: &str) -> Result<Value, PeerError> {
        self.command(json!({"do": "silence", "host": host}))
    }

    /// They report again.
    pub fn speak(&self, host: &str) -> Result<Value, PeerError> {
        self.command(json!({"do": "speak", "host": host}))
    }

    /// Calls a method of a topic, and waits for its answer.
    pub fn call(&self, topic: &str, method: &str, arguments: Value) -> Result<Value, PeerError> {
        self.command(json!({"do": "call", "topic": topic, "method": method, "arguments": arguments}))
    }

    /// Any command of the program's.
    pub fn command(&self, mut command: Value) -> Result<Value, PeerError> {
        let id = {
            let mut said = self.said.0.lock().expect("nobody panics with it");
            said.commands += 1;
            said.commands
        };
        command["id"] = id.into();
        writeln!(self.commands.lock().expect("nobody panics with it"), "{command}").expect("the peer runs");
        let mut answer = self.wait(&format!("an answer to {command}"), |said| said.answers.remove(&id));
        match answer["error"].take() {
            Value::Null => Ok(answer["result"].take()),
            error => Err(PeerError {
                class: error["class"].as_str().unwrap_or_default().to_owned(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
            }),
        }
    }

    /// Waits for an event of this kind and takes it out.
    ///
    /// # Panics
    /// When there is none in a minute.
    pub fn event(&self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        self.wait("an event", |said| {
            let place = said.events.iter().position(&mut wanted)?;
            Some(said.events.remove(place))
        })
    }

    /// All events of this kind until now; they stay.
    pub fn events(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let said = self.said.0.lock().expect("nobody panics with it");
        said.events.iter().filter(|event| wanted(event)).cloned().collect()
    }

    fn wait<T>(&self, what: &str, mut look: impl FnMut(&mut Said) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let (said, news) = &*self.said;
        let mut said = said.lock().expect("nobody panics with it");
        loop {
            if let Some(found) = look(&mut said) {
                return found;
            }
            assert!(!said.ended, "the peer has ended; wanted was {what}");
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "there is not {what}; there are {:?}", said.events);
            said = news.wait_timeout(said, left).expect("nobody panics with it").0;
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Python of the tests.
fn python() -> Option<PathBuf> {
    let given = std::env::var_os("HADRON_TARGET").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    // Not canonical: a virtual environment is found by the link's own path.
    given.into_iter().chain([own]).map(|target| target.join("python/bin/python")).find(|path| path.exists())
}
