//! A real Open vSwitch in a network namespace of its own, and what is plugged
//! into it; and a server whose agents serve such hosts.

mod agent;
pub mod bridged;
pub mod cloud;
pub mod dhcp;
mod picture;
mod two;
mod underlay;
mod vm;

pub use agent::Agent;
pub use picture::{picture, pictures};
pub use two::Two;
pub use underlay::{PHYSICAL_BRIDGE, join, tunnel_ip};
pub use vm::{Interface, Vm};

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A host: a namespace with a switch on private sockets. All of it goes when
/// this is dropped.
pub struct Host {
    namespace: String,
    folder: TempDir,
    running: Vec<Child>,
}

impl Host {
    /// Starts one; the name is made unique by the process's id. None where there
    /// is no Open vSwitch or no right to make namespaces, which is said loudly,
    /// and is a failure when `HADRON_TEST_NO_SKIP=1`.
    pub fn start(name: &str) -> Option<Self> {
        let Some(why) = missing() else { return Some(Self::started(name)) };
        assert!(std::env::var("HADRON_TEST_NO_SKIP").as_deref() != Ok("1"), "{why}");
        eprintln!("\n=== SKIPPED: tests with Open vSwitch ({why}) ===\n");
        None
    }

    fn started(name: &str) -> Self {
        let namespace = format!("hadron-ovs-{}-{name}", std::process::id());
        let folder = tempfile::tempdir().unwrap();
        run(Command::new("ip").args(["netns", "add", &namespace]));
        run(Command::new("ip").args(["-n", &namespace, "link", "set", "lo", "up"]));
        let mut host = Self { namespace, folder, running: Vec::new() };
        let path = |file: &str| host.run_folder().join(file).display().to_string();
        let (database, socket) = (path("conf.db"), path("db.sock"));
        run(Command::new("ovsdb-tool").args([
            "create",
            &database,
            "/usr/share/openvswitch/vswitch.ovsschema",
        ]));
        let (remote, control) = (format!("--remote=punix:{socket}"), format!("--unixctl={}", path("db.ctl")));
        let server = host.spawn(&["ovsdb-server", &database, &remote, &control, "-vconsole:off"]);
        host.running.push(server);
        host.wait_for("db.sock");
        run(Command::new("ovs-vsctl").args([&format!("--db=unix:{socket}"), "--no-wait", "init"]));
        host.start_switch();
        host
    }

    /// Starts the switch, with what its database says.
    pub fn start_switch(&mut self) {
        let socket = format!("unix:{}", self.run_folder().join("db.sock").display());
        let control = format!("--unixctl={}", self.run_folder().join("sw.ctl").display());
        let switch = self.spawn(&["ovs-vswitchd", &socket, &control, "--disable-system", "-vconsole:off"]);
        self.running.push(switch);
    }

    /// Ends the switch at once, and all its flows; the database stays.
    pub fn kill_switch(&mut self) {
        if let Some(mut switch) = self.running.pop() {
            let _ = switch.kill();
            let _ = switch.wait();
        }
    }

    /// The folder with the switch's sockets.
    pub fn run_folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a bridge has, as `ovs-ofctl` says it.
    pub fn flows(&self, bridge: &str) -> String {
        let target = format!("unix:{}", self.run_folder().join(format!("{bridge}.mgmt")).display());
        let output = Command::new("ovs-ofctl")
            .args(["-O", "OpenFlow14", "--no-stats", "dump-flows", &target])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The connections that the switch tracks, one a line.
    pub fn tracked(&self) -> String {
        let control = self.run_folder().join("sw.ctl").display().to_string();
        let output =
            Command::new("ovs-appctl").args(["-t", &control, "dpctl/dump-conntrack"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A program that is run on it and finds its switch.
    pub fn inside(&self, command: &[&str]) -> Command {
        let mut inside = Command::new("ip");
        inside
            .args(["netns", "exec", &self.namespace])
            .args(command)
            .envs(["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"].map(|v| (v, self.run_folder())))
            .stdin(Stdio::null());
        inside
    }

    /// The same, for a program that makes namespaces: others find those too, which
    /// those that `ip netns exec` runs keep to themselves.
    pub fn enter(&self, command: &[&str]) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/run/netns/{}", self.namespace)).args(command).stdin(Stdio::null());
        inside
    }

    /// Plugs a virtual machine into its integration bridge, as Nova does.
    pub fn plug(&self, interface: Interface<'_>) -> Vm {
        self.plug_at("br-int", None, interface)
    }

    /// Plugs a virtual machine into a bridge, in a VLAN or as the bridge has it.
    pub fn plug_at(&self, bridge: &str, vlan: Option<u16>, interface: Interface<'_>) -> Vm {
        let tap = format!("tap{}", &interface.port[..11]);
        let vm = Vm::start(
            format!("{}-{}", self.namespace, &interface.port[..8]),
            &self.namespace,
            &tap,
            interface,
        );
        let ids = [("iface-id", interface.port), ("attached-mac", interface.mac), ("iface-status", "active")];
        let mut words = vec!["add-port".to_owned(), bridge.to_owned(), tap.clone()];
        words.extend(vlan.map(|vlan| format!("tag={vlan}")));
        words.extend(["--", "set", "interface"].map(str::to_owned));
        words.push(tap);
        words.extend(ids.map(|(name, value)| format!("external_ids:{name}={value}")));
        self.vsctl(&words.iter().map(String::as_str).collect::<Vec<_>>());
        vm
    }

    /// Plugs interfaces of the switch's own into its integration bridge, for these
    /// ports, all at once: they are as many as wanted, and nothing is behind them.
    pub fn plug_many(&self, ports: &[&str]) {
        let mut words = vec!["--no-wait".to_owned()];
        for port in ports {
            let name = format!("tap{}", port.get(..11).unwrap_or(port));
            words.extend(
                ["--", "add-port", "br-int", &name, "--", "set", "interface", &name].map(str::to_owned),
            );
            words.extend(["type=internal".to_owned(), format!("external_ids:iface-id={port}")]);
        }
        self.vsctl(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Runs `ovs-vsctl`; what it prints.
    pub fn vsctl(&self, words: &[&str]) -> String {
        let socket = format!("--db=unix:{}", self.run_folder().join("db.sock").display());
        let output =
            Command::new("ovs-vsctl").args([socket.as_str(), "--timeout=20"]).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn spawn(&self, command: &[&str]) -> Child {
        self.inside(command).stdout(Stdio::null()).spawn().unwrap()
    }

    fn wait_for(&self, file: &str) {
        for _ in 0..200 {
            if self.run_folder().join(file).exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{file} did not appear");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for child in self.running.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// What keeps a switch from being started here.
fn missing() -> Option<String> {
    let namespaces = Command::new("ip").args(["netns", "list"]).output();
    if !namespaces.is_ok_and(|o| o.status.success()) {
        return Some("there is no `ip netns`".to_owned());
    }
    for program in ["ovsdb-server", "ovsdb-tool", "ovs-vswitchd", "ovs-ofctl", "ovs-vsctl", "ethtool"] {
        if Command::new(program).arg("--version").output().is_err() {
            return Some(format!("{program} is not installed"));
        }
    }
    let id = Command::new("id").arg("-u").output().unwrap();
    (id.stdout != b"0\n").then(|| "it needs root".to_owned())
}
