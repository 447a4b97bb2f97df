//! Agents: which run in the server's process, and how each is set up.

use super::Config;
use hadron_agent::{dhcp, linuxbridge, openvswitch};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The agents that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Has the host's Open vSwitch carry the ports that are bound to the host
    Openvswitch,
    /// Serves machines their addresses, beside the agent for Open vSwitch
    Dhcp,
    /// Has the kernel's bridges carry the ports that are bound to the host
    Linuxbridge,
}

impl Kind {
    /// As it is named on the command line and in `agents.with`.
    pub(crate) fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn find(name: &str) -> Result<Kind, String> {
        <Kind as clap::ValueEnum>::from_str(name, false).map_err(|_| {
            format!("agents.with: there is no agent '{name}'; there are: openvswitch, dhcp, linuxbridge")
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agents {
    with: Vec<String>,
    report_interval_s: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenVswitch {
    run_folder: PathBuf,
    integration_bridge: String,
    tunnel_bridge: String,
    bridge_mappings: Vec<String>,
    datapath_type: String,
    local_ip: String,
    tunnel_types: Vec<String>,
    l2_population: bool,
    arp_responder: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dhcp {
    state_path: PathBuf,
    dns_domain: String,
    dnsmasq_dns_servers: Vec<String>,
    dnsmasq_local_resolv: bool,
    dnsmasq_config_file: PathBuf,
    dnsmasq_lease_max: u32,
    dhcp_lease_duration: i64,
    dhcp_renewal_time: u32,
    dhcp_rebinding_time: u32,
    dhcp_broadcast_reply: bool,
    resync_interval_s: u64,
    num_sync_threads: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinuxBridge {
    physical_interface_mappings: Vec<String>,
    bridge_mappings: Vec<String>,
    enable_vxlan: bool,
    local_ip: String,
    vxlan_group: String,
    ttl: u8,
    udp_dstport: u16,
}

/// Types of tunnels that Open vSwitch makes.
const TUNNELS: [&str; 3] = ["vxlan", "gre", "geneve"];

impl Config {
    /// The agents that the server's process runs, each once; what is wrong with
    /// the first name that is none's.
    pub(crate) fn with_agents(&self) -> Result<Vec<Kind>, String> {
        let mut kinds =
            self.agents.with.iter().map(|name| Kind::find(name)).collect::<Result<Vec<_>, _>>()?;
        kinds.sort_unstable();
        kinds.dedup();
        Ok(kinds)
    }

    /// What is wrong with an agent's settings.
    pub(crate) fn agent_problems(&self, kind: Kind) -> Vec<String> {
        match kind {
            Kind::Openvswitch => self.openvswitch().err().unwrap_or_default(),
            Kind::Dhcp => Vec::new(),
            Kind::Linuxbridge => self.linuxbridge().err().unwrap_or_default(),
        }
    }

    /// For the Open vSwitch agent; all that is wrong.
    pub(crate) fn openvswitch(&self) -> Result<openvswitch::Settings, Vec<String>> {
        let section = &self.openvswitch;
        let mut problems = Vec::new();
        let local_ip = address("openvswitch.local_ip", &section.local_ip, &mut problems);
        for kind in section.tunnel_types.iter().filter(|kind| !TUNNELS.contains(&kind.as_str())) {
            problems.push(format!("openvswitch.tunnel_types: '{kind}' is not one of {}", TUNNELS.join(", ")));
        }
        if section.local_ip.is_empty() && !section.tunnel_types.is_empty() {
            problems
                .push("openvswitch.tunnel_types needs openvswitch.local_ip, where tunnels end".to_owned());
        }
        let bridge_mappings = mappings("openvswitch.bridge_mappings", &section.bridge_mappings)
            .map_err(|wrong| problems.push(wrong))
            .unwrap_or_default();
        if section.arp_responder && !section.l2_population {
            problems.push("openvswitch.arp_responder needs openvswitch.l2_population".to_owned());
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(openvswitch::Settings {
            host: self.bus.host(),
            run_folder: section.run_folder.clone(),
            integration_bridge: section.integration_bridge.clone(),
            tunnel_bridge: section.tunnel_bridge.clone(),
            bridge_mappings,
            datapath_type: section.datapath_type.clone(),
            local_ip,
            tunnel_types: section.tunnel_types.iter().cloned().collect(),
            l2_population: section.l2_population,
            arp_responder: section.arp_responder,
            report_interval: self.report_interval(),
        })
    }

    /// For the DHCP agent. Its switch is that of the agent beside it.
    pub(crate) fn dhcp(&self) -> dhcp::Settings {
        let section = self.dhcp.clone();
        dhcp::Settings {
            host: self.bus.host(),
            state_path: section.state_path,
            run_folder: self.openvswitch.run_folder.clone(),
            integration_bridge: self.openvswitch.integration_bridge.clone(),
            dns_domain: section.dns_domain,
            dnsmasq_dns_servers: section.dnsmasq_dns_servers,
            dnsmasq_local_resolv: section.dnsmasq_local_resolv,
            dnsmasq_config_file: Some(section.dnsmasq_config_file).filter(|f| !f.as_os_str().is_empty()),
            dnsmasq_lease_max: section.dnsmasq_lease_max,
            // -1, for ever, is none.
            dhcp_lease_duration: u32::try_from(section.dhcp_lease_duration).ok(),
            dhcp_renewal_time: section.dhcp_renewal_time,
            dhcp_rebinding_time: section.dhcp_rebinding_time,
            dhcp_broadcast_reply: section.dhcp_broadcast_reply,
            resync_interval: Duration::from_secs(section.resync_interval_s),
            num_sync_threads: section.num_sync_threads,
            report_interval: self.report_interval(),
        }
    }

    /// For the Linux bridge agent; all that is wrong.
    pub(crate) fn linuxbridge(&self) -> Result<linuxbridge::Settings, Vec<String>> {
        let section = &self.linuxbridge;
        let mut problems = Vec::new();
        let local_ip = address("linuxbridge.local_ip", &section.local_ip, &mut problems);
        let vxlan_group = address("linuxbridge.vxlan_group", &section.vxlan_group, &mut problems);
        if vxlan_group.is_some_and(|group| !group.is_multicast()) {
            problems.push(format!("linuxbridge.vxlan_group: {} is no multicast group", section.vxlan_group));
        }
        let mut pairs = |setting: &str, given: &[String]| {
            mappings(setting, given).map_err(|wrong| problems.push(wrong)).unwrap_or_default()
        };
        let physical_interface_mappings =
            pairs("linuxbridge.physical_interface_mappings", &section.physical_interface_mappings);
        let bridge_mappings = pairs("linuxbridge.bridge_mappings", &section.bridge_mappings);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(linuxbridge::Settings {
            host: self.bus.host(),
            physical_interface_mappings,
            bridge_mappings,
            enable_vxlan: section.enable_vxlan,
            local_ip,
            vxlan_group,
            ttl: Some(section.ttl).filter(|ttl| *ttl > 0),
            udp_dstport: section.udp_dstport,
            report_interval: self.report_interval(),
        })
    }

    fn report_interval(&self) -> Duration {
        Duration::from_secs(self.agents.report_interval_s)
    }
}

/// An address; none where none is given, or what is given is none.
fn address(setting: &str, text: &str, problems: &mut Vec<String>) -> Option<IpAddr> {
    if text.is_empty() {
        return None;
    }
    let parsed = text.parse();
    if parsed.is_err() {
        problems.push(format!("{setting}: '{text}' is not an IP address"));
    }
    parsed.ok()
}

/// Pairs `NETWORK:DEVICE`; both are unique.
fn mappings(setting: &str, pairs: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut mappings = BTreeMap::new();
    for text in pairs {
        let pair = text.split_once(':').map(|(network, device)| (network.trim(), device.trim()));
        let Some((network, device)) = pair.filter(|(n, d)| !n.is_empty() && !d.is_empty()) else {
            return Err(format!("{setting}: '{text}' is not of the form physnet1:br-eth1"));
        };
        if mappings.values().any(|known| known == device) {
            return Err(format!("{setting}: {device} is named twice"));
        }
        if mappings.insert(network.to_owned(), device.to_owned()).is_some() {
            return Err(format!("{setting}: {network} is named twice"));
        }
    }
    Ok(mappings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layers, Sources};

    fn with(flags: &[(&str, &str)]) -> Config {
        let flags = flags.iter().map(|(k, v)| ((*k).into(), (*v).into(), "--set".into())).collect();
        Layers::gather(&Sources { flags, ..Sources::default() }).unwrap().config().unwrap()
    }

    #[test]
    fn agents_are_named_and_each_runs_once() {
        assert_eq!(with(&[]).with_agents(), Ok(Vec::new()));
        let twice = with(&[("agents.with", "openvswitch,openvswitch")]);
        assert_eq!(twice.with_agents(), Ok(vec![Kind::Openvswitch]));
        let odd = with(&[("agents.with", "ovs")]).with_agents().unwrap_err();
        assert!(odd.contains("there is no agent 'ovs'"), "{odd}");
    }

    #[test]
    fn a_switch_s_settings_are_read_and_checked_all_at_once() {
        let good = with(&[
            ("openvswitch.local_ip", "192.0.2.1"),
            ("openvswitch.tunnel_types", "vxlan,gre"),
            ("openvswitch.bridge_mappings", "physnet1:br-eth1,physnet2:br-eth2"),
        ]);
        let settings = good.openvswitch().unwrap();
        assert_eq!(settings.local_ip, Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(settings.bridge_mappings["physnet2"], "br-eth2");
        let bad = with(&[
            ("openvswitch.local_ip", "here"),
            ("openvswitch.tunnel_types", "ipip"),
            ("openvswitch.bridge_mappings", "physnet1"),
        ]);
        let problems = bad.agent_problems(Kind::Openvswitch).join("\n");
        for part in [
            "local_ip: 'here' is not an IP address",
            "tunnel_types: 'ipip' is not one of vxlan, gre, geneve",
            "bridge_mappings: 'physnet1' is not of the form",
        ] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
        let nowhere = with(&[("openvswitch.tunnel_types", "vxlan")]).agent_problems(Kind::Openvswitch);
        assert!(nowhere[0].contains("needs openvswitch.local_ip"), "{nowhere:?}");
    }

    #[test]
    fn a_host_s_bridges_and_its_dhcp_agent_are_set_up() {
        let good = with(&[
            ("linuxbridge.physical_interface_mappings", "physnet1:eth1"),
            ("linuxbridge.local_ip", "192.0.2.1"),
            ("linuxbridge.vxlan_group", "239.1.1.1"),
            ("dhcp.dhcp_lease_duration", "-1"),
        ]);
        let settings = good.linuxbridge().unwrap();
        assert_eq!((settings.ttl, settings.udp_dstport), (None, linuxbridge::VXLAN_PORT));
        assert_eq!(good.dhcp().dhcp_lease_duration, None);
        let usual = dhcp::Settings::new(&good.bus.host());
        let here = with(&[]).dhcp();
        assert_eq!(format!("{usual:?}"), format!("{here:?}"), "defaults are the agent's");
        let bad = with(&[("linuxbridge.vxlan_group", "192.0.2.1"), ("linuxbridge.local_ip", "x")]);
        let problems = bad.agent_problems(Kind::Linuxbridge);
        assert!(problems[0].contains("'x' is not an IP address"), "{problems:?}");
        assert!(problems[1].contains("no multicast group"), "{problems:?}");
    }

    #[test]
    fn a_bridge_is_of_one_network() {
        let pairs =
            |texts: &[&str]| mappings("m", &texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert!(pairs(&["a:x", "b:x"]).unwrap_err().contains("x is named twice"));
        assert!(pairs(&["a:x", "a:y"]).unwrap_err().contains("a is named twice"));
        assert!(pairs(&[":x"]).is_err() && pairs(&["a:"]).is_err());
    }
}
