//! Agents of this project as an operator runs them: processes of their own.

use crate::Host;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long an agent may take to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running agent; it ends when this is dropped.
pub struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// Starts the Open vSwitch agent of a host, with a broker at this URL and these
    /// settings besides (`openvswitch.local_ip=192.0.2.1`).
    pub fn openvswitch(program: &Path, host: &Host, name: &str, broker: &str, settings: &[&str]) -> Agent {
        let run_folder = format!("openvswitch.run_folder={}", host.run_folder().display());
        let log = host.run_folder().join(format!("agent-{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(program);
        command.args(["agent", "openvswitch", "--host", name, "--log-format", "human"]);
        command.args(["--log-level", "info,hadron_agent=debug"]);
        let usual = [run_folder.as_str(), "openvswitch.datapath_type=netdev", "agents.report_interval_s=5"];
        for setting in usual.iter().chain(settings) {
            command.args(["--set", setting]);
        }
        command
            .env("HADRON_BUS__URL", broker)
            .current_dir(host.run_folder())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        Agent { child: command.spawn().unwrap(), log }
    }

    /// What it and those before it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }
}
