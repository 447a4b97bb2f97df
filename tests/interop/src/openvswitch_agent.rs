//! Neutron's own Open vSwitch agent, on a host of tests.

use crate::environment::{clean, target, wanted};
use anyhow::{Context, Result};
use hadron_dataplane_tests::Host;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Where the broker is for programs on the host.
const BROKER_PORT: u16 = 5672;

/// Where the host's tunnels end.
const TUNNEL_IP: &str = "192.0.2.1";

/// The agent, running, and what lets it reach the broker. All ends when this is
/// dropped.
pub struct Agent {
    running: Vec<Child>,
    folder: tempfile::TempDir,
}

impl Agent {
    /// Starts it as the agent of that host, with a broker at this port of
    /// loopback, `more` at the end of its configuration. None where it is not
    /// installed, said loudly.
    pub fn start(host: &Host, name: &str, broker: u16, more: &str) -> Result<Option<Agent>> {
        let program = target("neutron/bin/neutron-openvswitch-agent");
        let Some(program) = wanted("Neutron's Open vSwitch agent", program)? else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let mut agent = Agent { running: Vec::new(), folder };
        agent.join(host, broker)?;
        let add = format!("{TUNNEL_IP}/32");
        let added = host.inside(&["ip", "addr", "replace", &add, "dev", "lo"]).status()?;
        anyhow::ensure!(added.success(), "the host gets no address for tunnels");
        let files = agent.configure(host, name, more)?;
        let words = [&program, Path::new("--config-file"), &files.0, Path::new("--config-file"), &files.1];
        let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        let bin = program.parent().context("a program is in a folder")?.to_owned();
        let path = std::env::var("PATH").unwrap_or_default();
        let log = File::create(agent.folder.path().join("agent.log"))?;
        let mut command = host.inside(&words);
        clean(&mut command)
            .env("PATH", format!("{}:{path}", bin.display()))
            .stdout(log.try_clone()?)
            .stderr(log);
        agent.running.push(command.spawn()?);
        Ok(Some(agent))
    }

    /// What it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("agent.log")).unwrap_or_default()
    }

    /// Lets programs on the host reach the broker: a socket in the file system is
    /// found from every network namespace.
    fn join(&mut self, host: &Host, broker: u16) -> Result<()> {
        let socket = self.folder.path().join("broker.sock");
        let outside = Command::new("socat")
            .arg(format!("UNIX-LISTEN:{},fork,backlog=64", socket.display()))
            .arg(format!("TCP:127.0.0.1:{broker}"))
            .stdin(Stdio::null())
            .spawn()
            .context("socat does not start")?;
        self.running.push(outside);
        let listen = format!("TCP-LISTEN:{BROKER_PORT},bind=127.0.0.1,fork,reuseaddr,backlog=64");
        let connect = format!("UNIX-CONNECT:{}", socket.display());
        self.running.push(host.inside(&["socat", &listen, &connect]).spawn()?);
        Ok(())
    }

    fn configure(
        &self,
        host: &Host,
        name: &str,
        more: &str,
    ) -> Result<(std::path::PathBuf, std::path::PathBuf)> {
        let folder = self.folder.path();
        let files = (folder.join("neutron.conf"), folder.join("openvswitch_agent.ini"));
        std::fs::write(
            &files.0,
            format!(
                "[DEFAULT]\nhost = {name}\nstate_path = {0}/state\ndebug = false\nrpc_response_timeout = 30\n\
                 transport_url = rabbit://guest:guest@127.0.0.1:{BROKER_PORT}/\n\
                 [agent]\nroot_helper = env\nroot_helper_daemon =\nreport_interval = 5\n\
                 [oslo_concurrency]\nlock_path = {0}/lock\n",
                folder.display()
            ),
        )?;
        std::fs::write(
            &files.1,
            format!(
                "[ovs]\nlocal_ip = {TUNNEL_IP}\ndatapath_type = netdev\nbridge_mappings =\n\
                 ovsdb_connection = unix:{}\nof_listen_address = 127.0.0.1\nof_listen_port = 6633\n\
                 [agent]\ntunnel_types = vxlan,gre\npolling_interval = 1\nextensions = qos\n\
                 [securitygroup]\nfirewall_driver = openvswitch\nenable_security_group = true\n{more}",
                host.run_folder().join("db.sock").display()
            ),
        )?;
        Ok(files)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        for child in self.running.iter_mut().rev() {
            // The agent ends its children when it is asked to end.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let begun = std::time::Instant::now();
            while matches!(child.try_wait(), Ok(None)) && begun.elapsed().as_secs() < 10 {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
