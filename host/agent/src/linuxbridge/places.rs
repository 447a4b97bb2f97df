//! Which bridge a port belongs to, and what leads from it to other hosts.

use super::Settings;
use crate::objects::Segment;

/// How long a link's name may be. In Linux: `IFNAMSIZ`, less the end's zero.
const LONGEST: usize = 15;

/// How much of an id is in a link's name. In Neutron: `RESOURCE_ID_LENGTH`.
const OF_ID: usize = 11;

/// Why a port has no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The host is not connected to it.
    #[error("the physical network '{0}' has neither an interface nor a bridge here")]
    NotConnected(String),
    /// Networks of that type are not carried.
    #[error("networks of the type '{0}' are not carried here")]
    NotCarried(String),
    /// A segment lacks its number.
    #[error("a segment of the type '{0}' has no valid number")]
    NoNumber(String),
}

/// A network's bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub bridge: String,
    /// Whether the agent makes it, or an operator.
    pub is_made: bool,
    /// What is plugged into it besides taps.
    pub uplink: Uplink,
}

/// What leads to other hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uplink {
    /// Nothing, or what an operator plugged in.
    Nothing,
    /// An interface.
    Interface(String),
    /// A VLAN of an interface.
    Vlan {
        /// The interface.
        parent: String,
        /// The VLAN.
        vlan: u16,
    },
    /// A tunnel with this number.
    Vxlan(u32),
}

/// Where a network with this segment belongs.
///
/// # Errors
/// Where the host cannot carry it.
pub fn place(settings: &Settings, network: &str, segment: &Segment) -> Result<Place, Error> {
    let kind = segment.network_type.as_str();
    let no_number = || Error::NoNumber(kind.to_owned());
    let bridge = format!("brq{}", network.get(..OF_ID).unwrap_or(network));
    let physical = segment.physical_network.clone().unwrap_or_default();
    let interface = settings.physical_interface_mappings.get(&physical);
    let given = settings.bridge_mappings.get(&physical);
    let uplink = match kind {
        "local" => Uplink::Nothing,
        "flat" => match (given, interface) {
            (Some(bridge), _) => {
                return Ok(Place { bridge: bridge.clone(), is_made: false, uplink: Uplink::Nothing });
            }
            (None, Some(interface)) => Uplink::Interface(interface.clone()),
            (None, None) => return Err(Error::NotConnected(physical)),
        },
        "vlan" => {
            // A bridge is an interface, too.
            let parent = interface.or(given).ok_or(Error::NotConnected(physical))?.clone();
            let vlan = segment.segmentation_id.and_then(|number| u16::try_from(number).ok());
            Uplink::Vlan { parent, vlan: vlan.filter(|vlan| *vlan < 4096).ok_or_else(no_number)? }
        }
        "vxlan" if settings.tunnel_ip().is_some() => {
            Uplink::Vxlan(segment.segmentation_id.filter(|vni| *vni < 1 << 24).ok_or_else(no_number)?)
        }
        _ => return Err(Error::NotCarried(kind.to_owned())),
    };
    Ok(Place { bridge, is_made: true, uplink })
}

/// The name of the link for a VLAN of an interface, which has this number. In
/// Neutron: `get_subinterface_name`.
#[must_use]
pub fn vlan_name(parent: &str, index: u32, vlan: u16) -> String {
    let name = format!("{parent}.{vlan}");
    // Two long names may begin alike.
    if name.len() <= LONGEST { name } else { format!("v{index:x}.{vlan}") }
}

/// The name of a tunnel. In Neutron: `get_vxlan_device_name`.
#[must_use]
pub fn vxlan_name(vni: u32) -> String {
    format!("vxlan-{vni}")
}

/// The beginning of a port's id, of the name of its tap; nothing of what is no
/// port's tap.
#[must_use]
pub fn of_tap(name: &str) -> Option<&str> {
    let id = name.strip_prefix("tap")?;
    let is_id = id.len() == OF_ID && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    is_id.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::net::IpAddr;
    use std::time::Duration;

    fn settings() -> Settings {
        let mapping = |physical: &str, link: &str| BTreeMap::from([(physical.to_owned(), link.to_owned())]);
        Settings {
            host: "h".into(),
            physical_interface_mappings: mapping("p", "eth1"),
            bridge_mappings: mapping("q", "br-q"),
            enable_vxlan: true,
            local_ip: Some(IpAddr::from([192, 0, 2, 1])),
            vxlan_group: None,
            ttl: None,
            udp_dstport: super::super::VXLAN_PORT,
            report_interval: Duration::from_secs(30),
        }
    }

    fn placed(kind: &str, physical: Option<&str>, number: Option<u32>) -> Result<Place, Error> {
        let segment = Segment {
            network_type: kind.into(),
            physical_network: physical.map(str::to_owned),
            segmentation_id: number,
        };
        place(&settings(), "0f1e2d3c-4b5a-6978", &segment)
    }

    #[test]
    fn networks_have_bridges_of_their_own_or_an_operators() {
        let made = |uplink| Ok(Place { bridge: "brq0f1e2d3c-4b".into(), is_made: true, uplink });
        assert_eq!(placed("local", None, None), made(Uplink::Nothing));
        assert_eq!(placed("flat", Some("p"), None), made(Uplink::Interface("eth1".into())));
        let given = Place { bridge: "br-q".into(), is_made: false, uplink: Uplink::Nothing };
        assert_eq!(placed("flat", Some("q"), None), Ok(given));
        assert_eq!(placed("flat", Some("r"), None), Err(Error::NotConnected("r".into())));
        let vlan = |parent: &str| Uplink::Vlan { parent: parent.into(), vlan: 7 };
        assert_eq!(placed("vlan", Some("p"), Some(7)), made(vlan("eth1")));
        assert_eq!(placed("vlan", Some("q"), Some(7)), made(vlan("br-q")));
        assert_eq!(placed("vlan", Some("p"), Some(5000)), Err(Error::NoNumber("vlan".into())));
        assert_eq!(placed("vxlan", None, Some(7)), made(Uplink::Vxlan(7)));
        assert_eq!(placed("vxlan", None, None), Err(Error::NoNumber("vxlan".into())));
        assert_eq!(placed("gre", None, Some(7)), Err(Error::NotCarried("gre".into())));
    }

    #[test]
    fn names_fit() {
        assert_eq!(vlan_name("eth1", 5, 100), "eth1.100");
        assert_eq!(vlan_name("enp129s0f0np0", 0xffff, 4095), "vffff.4095");
        assert_eq!(vxlan_name((1 << 24) - 1).len(), 14);
        assert_eq!(of_tap("tap2d5b421d-07"), Some("2d5b421d-07"));
        assert_eq!(of_tap("tap0"), None);
        assert_eq!(of_tap("qvo2d5b421d-07"), None);
    }
}
