//! A virtual machine, as far as its network goes: a namespace with one
//! interface.

use crate::run;
use std::process::Command;

/// One, plugged into a host's integration bridge. It goes with its interface
/// when this is dropped.
pub struct Vm {
    namespace: String,
}

/// What a virtual machine is plugged in with.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    /// The port's id, by which agents know it.
    pub port: &'a str,
    /// Its MAC address.
    pub mac: &'a str,
    /// Its address with the length of its prefix, as `10.0.0.5/24`; empty for
    /// none yet.
    pub address: &'a str,
}

impl Vm {
    /// Makes the namespace and its `eth0`, whose other end is `tap` in the host's
    /// namespace.
    pub(crate) fn start(namespace: String, host: &str, tap: &str, interface: Interface<'_>) -> Vm {
        run(Command::new("ip").args(["netns", "add", &namespace]));
        let vm = Vm { namespace };
        let peer = ["type", "veth", "peer", "name", "eth0", "netns", &vm.namespace];
        run(Command::new("ip").args(["link", "add", tap, "netns", host]).args(peer));
        run(&mut vm.inside(&["ip", "link", "set", "lo", "up"]));
        // A switch in user space computes no checksums that are left to hardware.
        run(&mut vm.inside(&["ethtool", "-K", "eth0", "tx", "off"]));
        run(&mut vm.inside(&["ip", "link", "set", "eth0", "address", interface.mac, "up"]));
        if !interface.address.is_empty() {
            run(&mut vm.inside(&["ip", "addr", "add", interface.address, "dev", "eth0"]));
        }
        run(Command::new("ip").args(["-n", host, "link", "set", tap, "up"]));
        vm
    }

    /// A program that is run in it.
    pub fn inside(&self, command: &[&str]) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.namespace]).args(command);
        inside
    }

    /// Whether an address answers one of two pings within two seconds each.
    pub fn reaches(&self, address: &str) -> bool {
        let ping = self.inside(&["ping", "-c", "2", "-i", "0.3", "-W", "2", address]).output().unwrap();
        ping.status.success()
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}
