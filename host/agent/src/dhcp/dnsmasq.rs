//! A network's dnsmasq: what it is told when it starts, and its process, which
//! outlives the agent and is found again by the next one.

use super::Settings;
use super::commands::{self, run};
use super::files::subnet_tag;
use super::network::{Network, Subnet};
use ipnet::IpNet;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PROGRAM: &str = "dnsmasq";

/// How long it may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// Where `ip netns` has namespaces.
const NAMESPACES: &str = "/run/netns";

/// The files of a network's dnsmasq.
#[derive(Clone, Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Those of a network.
    pub(super) fn of(settings: &Settings, network_id: &str) -> Files {
        Files { folder: settings.folder().join(network_id) }
    }

    /// The folder with all of them.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// `--dhcp-hostsfile`.
    pub(super) fn hosts(&self) -> PathBuf {
        self.folder.join("host")
    }

    /// `--addn-hosts`.
    pub(super) fn addn_hosts(&self) -> PathBuf {
        self.folder.join("addn_hosts")
    }

    /// `--dhcp-optsfile`.
    pub(super) fn opts(&self) -> PathBuf {
        self.folder.join("opts")
    }

    /// `--dhcp-leasefile`.
    pub(super) fn leases(&self) -> PathBuf {
        self.folder.join("leases")
    }

    /// The name of its interface: after a start of the machine the namespace is gone
    /// and the bridge has its port still.
    pub(super) fn interface(&self) -> PathBuf {
        self.folder.join("interface")
    }

    /// `--pid-file`.
    pub(super) fn pid(&self) -> PathBuf {
        self.folder.join("pid")
    }
}

/// The arguments for a network, the program's name first. In Neutron:
/// `_build_cmdline_callback`.
pub(super) fn arguments(settings: &Settings, network: &Network, files: &Files) -> Vec<String> {
    let file = |option: &str, path: PathBuf| format!("--{option}={}", path.display());
    let mut arguments = vec![PROGRAM.to_owned(), "--no-hosts".to_owned()];
    if !settings.dnsmasq_dns_servers.is_empty() || !settings.dnsmasq_local_resolv {
        arguments.push("--no-resolv".to_owned());
    }
    arguments.extend([
        file("pid-file", files.pid()),
        file("dhcp-hostsfile", files.hosts()),
        file("addn-hosts", files.addn_hosts()),
        file("dhcp-optsfile", files.opts()),
        file("dhcp-leasefile", files.leases()),
        "--dhcp-match=set:ipxe,175".to_owned(),
        "--dhcp-userclass=set:ipxe6,iPXE".to_owned(),
        "--local-service".to_owned(),
        "--bind-dynamic".to_owned(),
    ]);
    let lease = settings.dhcp_lease_duration.map_or("infinite".to_owned(), |seconds| format!("{seconds}s"));
    let ranges: Vec<&Subnet> = network.served().filter(|subnet| is_ranged(subnet)).collect();
    // Only machines that the hosts file names are given an address.
    arguments.extend(ranges.iter().map(|subnet| {
        let extent = match subnet.cidr {
            IpNet::V4(cidr) => cidr.netmask().to_string(),
            IpNet::V6(cidr) => cidr.prefix_len().to_string(),
        };
        format!("--dhcp-range=set:{},{},static,{extent},{lease}", subnet_tag(subnet), subnet.cidr.network())
    }));
    if network.mtu > 0 {
        arguments.push(format!("--dhcp-option-force=option:mtu,{}", network.mtu));
    }
    let possible = ranges.iter().fold(0_u64, |sum, subnet| sum.saturating_add(size(subnet.cidr)));
    arguments.push(format!("--dhcp-lease-max={}", possible.min(u64::from(settings.dnsmasq_lease_max))));
    for (option, seconds) in [("T1", settings.dhcp_renewal_time), ("T2", settings.dhcp_rebinding_time)] {
        if seconds > 0 {
            arguments.push(format!("--dhcp-option-force=option:{option},{seconds}s"));
        }
    }
    let configured = settings.dnsmasq_config_file.as_deref().unwrap_or(Path::new("/dev/null"));
    arguments.push(format!("--conf-file={}", configured.display()));
    arguments.extend(settings.dnsmasq_dns_servers.iter().map(|server| format!("--server={server}")));
    if !settings.dns_domain.is_empty() {
        arguments.push(format!("--domain={}", settings.dns_domain));
    }
    if settings.dhcp_broadcast_reply {
        arguments.push("--dhcp-broadcast".to_owned());
    }
    arguments
}

/// Whether dnsmasq is told of a subnet. It takes none of IPv6 that is larger than
/// what machines can make addresses in.
fn is_ranged(subnet: &Subnet) -> bool {
    subnet.is_asked() && (!subnet.is_v6() || subnet.cidr.prefix_len() >= 64)
}

/// How many addresses there are.
fn size(cidr: IpNet) -> u64 {
    let bits = u32::from(cidr.max_prefix_len() - cidr.prefix_len());
    1_u64.checked_shl(bits).unwrap_or(u64::MAX)
}

/// The process, if it runs: with which arguments, and where.
pub(super) struct Running {
    pid: Pid,
    arguments: Vec<String>,
}

/// Finds a network's dnsmasq.
pub(super) fn running(files: &Files) -> Option<Running> {
    let pid = std::fs::read_to_string(files.pid()).ok()?;
    let pid = Pid::from_raw(pid.trim().parse().ok()?)?;
    let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let arguments: Vec<String> = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    // The id may be another program's by now.
    arguments.contains(&format!("--pid-file={}", files.pid().display())).then_some(Running { pid, arguments })
}

impl Running {
    /// Whether it was started with these arguments in that namespace as it is now.
    pub(super) fn is(&self, arguments: &[String], namespace: &str) -> bool {
        let inode = |path: String| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        let own = inode(format!("/proc/{}/ns/net", self.pid.as_raw_nonzero()));
        self.arguments == arguments && own.is_some() && own == inode(format!("{NAMESPACES}/{namespace}"))
    }

    /// Has it read its files again.
    pub(super) fn reload(&self) {
        // It may just have ended, which is noticed soon.
        let _ = kill_process(self.pid, Signal::HUP);
    }

    /// Ends it and waits until it has.
    pub(super) async fn stop(self, files: &Files) {
        let _ = kill_process(self.pid, Signal::TERM);
        let begun = tokio::time::Instant::now();
        while running(files).is_some_and(|other| other.pid == self.pid) {
            if begun.elapsed() > PATIENCE {
                tracing::warn!(pid = ?self.pid, "dnsmasq does not end and is killed");
                let _ = kill_process(self.pid, Signal::KILL);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Starts it in a namespace. It has read its files and listens when this returns.
///
/// # Errors
/// What it says if it does not start.
pub(super) async fn start(namespace: &str, arguments: &[String]) -> Result<(), commands::Error> {
    let inside = ["netns", "exec", namespace];
    let words: Vec<&str> = inside.into_iter().chain(arguments.iter().map(String::as_str)).collect();
    run("ip", &words, "").await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(settings: &Settings, subnets: Value) -> Vec<String> {
        let network: Network = serde_json::from_value(
            json!({"id": "n", "admin_state_up": true, "mtu": 1442, "subnets": subnets}),
        )
        .unwrap();
        arguments(settings, &network, &Files::of(settings, "n"))
    }

    fn ranges(arguments: &[String]) -> Vec<&str> {
        arguments.iter().filter_map(|argument| argument.strip_prefix("--dhcp-range=")).collect()
    }

    fn six(id: &str, mode: Value, cidr: &str) -> Value {
        json!({"id": id, "cidr": cidr, "enable_dhcp": true, "ipv6_address_mode": mode, "ipv6_ra_mode": mode})
    }

    #[test]
    fn each_subnet_that_is_served_has_a_range_of_known_machines() {
        let settings = Settings::new("h");
        let four = json!({"id": "a", "cidr": "10.0.0.0/24", "enable_dhcp": true});
        let silent = json!({"id": "b", "cidr": "10.1.0.0/24", "enable_dhcp": false});
        let arguments = told(
            &settings,
            json!([
                four,
                silent,
                six("c", json!("dhcpv6-stateful"), "2001:db8:1::/64"),
                six("d", json!("dhcpv6-stateless"), "2001:db8:2::/64"),
                six("e", json!("slaac"), "2001:db8:3::/64"),
                six("f", Value::Null, "2001:db8:4::/64"),
                six("g", Value::Null, "2001:db8::/48")
            ]),
        );
        assert_eq!(
            ranges(&arguments),
            [
                "set:subnet-a,10.0.0.0,static,255.255.255.0,86400s",
                "set:subnet-c,2001:db8:1::,static,64,86400s",
                "set:subnet-d,2001:db8:2::,static,64,86400s",
                "set:subnet-f,2001:db8:4::,static,64,86400s",
            ]
        );
        assert!(arguments.contains(&"--dhcp-lease-max=16777216".to_owned()), "{arguments:?}");
        assert!(arguments.contains(&"--dhcp-option-force=option:mtu,1442".to_owned()), "{arguments:?}");
        assert!(arguments.contains(&"--no-resolv".to_owned()), "{arguments:?}");
    }

    #[test]
    fn settings_are_passed_on() {
        let settings = Settings {
            dns_domain: "cloud.test".into(),
            dnsmasq_dns_servers: vec!["192.0.2.3".into()],
            dnsmasq_local_resolv: true,
            dhcp_lease_duration: None,
            dhcp_renewal_time: 60,
            dhcp_broadcast_reply: true,
            dnsmasq_config_file: Some("/etc/x".into()),
            ..Settings::new("h")
        };
        let arguments = told(&settings, json!([{"id": "a", "cidr": "10.0.0.0/24", "enable_dhcp": true}]));
        assert_eq!(ranges(&arguments), ["set:subnet-a,10.0.0.0,static,255.255.255.0,infinite"]);
        for wanted in [
            "--no-resolv",
            "--server=192.0.2.3",
            "--domain=cloud.test",
            "--dhcp-option-force=option:T1,60s",
            "--dhcp-broadcast",
            "--conf-file=/etc/x",
            "--dhcp-lease-max=256",
        ] {
            assert!(arguments.iter().any(|argument| argument == wanted), "{wanted}: {arguments:?}");
        }
    }

    #[test]
    fn another_program_with_the_same_id_is_not_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { state_path: folder.path().to_owned(), ..Settings::new("h") };
        let files = Files::of(&settings, "n");
        assert!(running(&files).is_none());
        std::fs::create_dir_all(files.folder()).unwrap();
        std::fs::write(files.pid(), std::process::id().to_string()).unwrap();
        assert!(running(&files).is_none());
        std::fs::write(files.pid(), "nonsense").unwrap();
        assert!(running(&files).is_none());
    }
}
