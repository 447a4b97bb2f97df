//! The DHCP agent of a host, as a process there; and machines' DHCP clients.

use crate::{Host, Vm};
use anyhow::{Context, Result, ensure};
use hadron_test_support::RabbitMq;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where the broker is for programs on the host.
const BROKER_PORT: u16 = 5672;

/// The client's scripts: they set the interface up and write down what the server
/// said.
const FOUR: &str = r#"#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip -4 addr flush dev $interface
ip addr add $ip/$mask dev $interface
env > "$SAID"
"#;
const SIX: &str = r#"#!/bin/sh
[ "$reason" = BOUND6 ] && env > "$SAID"
[ -n "$new_ip6_address" ] && ip addr replace $new_ip6_address/128 dev $interface
exit 0
"#;

/// What a DHCP server said, by the names that the client gives it.
pub type Said = BTreeMap<String, String>;

/// The agent and its files. It ends when this is dropped, and so does all that it
/// left running.
pub struct Agent {
    folder: TempDir,
    relays: Vec<Child>,
    agent: Option<Child>,
}

impl Agent {
    /// Starts it on a host with that name.
    pub fn start(host: &Host, name: &str, broker: &RabbitMq) -> Result<Agent> {
        // dnsmasq reads its files as a user of its own.
        let folder = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir()?;
        let relays = relay(folder.path(), host, broker.port())?;
        let mut agent = Agent { folder, relays, agent: None };
        agent.again(host, name)?;
        Ok(agent)
    }

    /// Starts it again, after it was killed.
    pub fn again(&mut self, host: &Host, name: &str) -> Result<()> {
        let log = std::fs::File::options().append(true).create(true).open(self.log_file())?;
        let program = hadron_sdk_testing::binary()?.display().to_string();
        let mut command = host.enter(&[&program, "agent", "dhcp", "--host", name]);
        for setting in [
            format!("dhcp.state_path={}", self.folder.path().display()),
            format!("openvswitch.run_folder={}", host.run_folder().display()),
            "dhcp.dns_domain=cloud.test".to_owned(),
            "dhcp.resync_interval_s=1".to_owned(),
            "agents.report_interval_s=5".to_owned(),
        ] {
            command.args(["--set", &setting]);
        }
        command
            .args(["--log-format", "human", "--log-level", "info,hadron_agent=debug"])
            .env("HADRON_BUS__URL", format!("amqp://guest:guest@127.0.0.1:{BROKER_PORT}/"))
            .current_dir(self.folder.path())
            .stderr(log);
        self.agent = Some(command.spawn().with_context(|| format!("cannot run {program}"))?);
        Ok(())
    }

    /// Kills it. What it started goes on.
    pub fn kill(&mut self) -> Result<()> {
        let mut agent = self.agent.take().context("it does not run")?;
        agent.kill()?;
        agent.wait()?;
        Ok(())
    }

    /// What it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// One of a network's files; empty where there is none.
    pub fn file(&self, network: &str, name: &str) -> String {
        let path = self.folder.path().join("dhcp").join(network).join(name);
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// The process of a network's dnsmasq, with its arguments; none if it has ended.
    pub fn dnsmasq(&self, network: &str) -> Option<(u32, Vec<String>)> {
        let id: u32 = self.file(network, "pid").trim().parse().ok()?;
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
        let words: Vec<String> = line.split_terminator('\0').map(str::to_owned).collect();
        words.first().is_some_and(|word| word == "dnsmasq").then_some((id, words))
    }

    fn log_file(&self) -> std::path::PathBuf {
        self.folder.path().join("agent.log")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let children = self.agent.iter_mut().chain(&mut self.relays);
        children.for_each(|child| drop(child.kill().and_then(|()| child.wait())));
        for network in std::fs::read_dir(self.folder.path().join("dhcp")).into_iter().flatten().flatten() {
            let network = network.file_name().to_string_lossy().into_owned();
            if let Some((id, _)) = self.dnsmasq(&network) {
                let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
            }
            let _ = Command::new("ip").args(["netns", "del", &namespace(&network)]).status();
        }
    }
}

/// The namespace of a network's dnsmasq.
pub fn namespace(network: &str) -> String {
    format!("qdhcp-{network}")
}

/// Whether there is a namespace of that name.
pub fn is_namespace(name: &str) -> bool {
    Path::new("/run/netns").join(name).exists()
}

/// Lets programs on the host reach the broker: a socket in the file system is found
/// from every network namespace.
fn relay(folder: &Path, host: &Host, broker: u16) -> Result<Vec<Child>> {
    let socket = folder.join("broker.sock").display().to_string();
    let outside = Command::new("socat")
        .arg(format!("UNIX-LISTEN:{socket},fork,backlog=64"))
        .arg(format!("TCP:127.0.0.1:{broker}"))
        .stdin(Stdio::null())
        .spawn()
        .context("socat does not start")?;
    let listen = format!("TCP-LISTEN:{BROKER_PORT},bind=127.0.0.1,fork,reuseaddr,backlog=64");
    let inside = host.enter(&["socat", &listen, &format!("UNIX-CONNECT:{socket}")]).spawn()?;
    Ok(vec![outside, inside])
}

impl Vm {
    /// Asks for an IPv4 address as machines do, this many times a second apart, and
    /// sets its interface up with it. None where no server gives it one.
    pub fn lease(&self, times: u32) -> Result<Option<Said>> {
        let folder = tempfile::tempdir()?;
        let (script, said) = (script(folder.path(), FOUR)?, folder.path().join("said"));
        let times = times.to_string();
        let mut words =
            vec!["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", &times, "-T", "1", "-s", &script];
        for option in ["mtu", "121", "249", "ntpsrv", "dns", "router", "domain", "hostname"] {
            words.extend(["-O", option]);
        }
        let output = self.inside(&words).env("SAID", &said).output()?;
        match said.exists() {
            true => Ok(Some(read(&said)?)),
            false => {
                ensure!(!output.status.success(), "udhcpc had a lease and said nothing: {output:?}");
                Ok(None)
            }
        }
    }

    /// The same for an IPv6 address.
    pub fn lease6(&self, patience: Duration) -> Result<Option<Said>> {
        let folder = tempfile::tempdir()?;
        let (script, said) = (script(folder.path(), SIX)?, folder.path().join("said"));
        let file = |name: &str| folder.path().join(name).display().to_string();
        let (leases, pid) = (file("leases"), file("pid"));
        let words = ["dhclient", "-6", "-d", "-1", "-lf", &leases, "-pf", &pid, "-sf", &script, "-e"];
        let variable = format!("SAID={}", said.display());
        let begun = Instant::now();
        // As long as another machine might have the interface's own address, the
        // client ends at once.
        while !said.exists() && begun.elapsed() < patience {
            let mut command = self.inside(&[&words[..], &[&variable, "eth0"]].concat());
            let mut client = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            while !said.exists() && begun.elapsed() < patience && client.try_wait()?.is_none() {
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = client.kill();
            client.wait()?;
        }
        if said.exists() { Ok(Some(read(&said)?)) } else { Ok(None) }
    }
}

fn script(folder: &Path, text: &str) -> Result<String> {
    let path = folder.join("script");
    std::fs::write(&path, text)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
    Ok(path.display().to_string())
}

fn read(said: &Path) -> Result<Said> {
    let text = std::fs::read_to_string(said)?;
    let lines = text.lines().filter_map(|line| line.split_once('='));
    Ok(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
