//! Types of networks that are carried between hosts in tunnels.
//! In Neutron: `type_tunnel`.

use crate::{Numbers, Spans, key, mtu, nothing_left, out_of_range, segment};
use hadron_sdk::manifest::ConfigKey;
use hadron_sdk::serde_json::json;
use hadron_sdk::{Error, Manifest, Result, Segment, SegmentRange, config};

/// The smallest number of every tunnel type.
const SMALLEST: u32 = 1;

/// Ranges of numbers where the operator names none.
const DEFAULT_RANGE: &str = "1:65535";

/// A tunnel type.
#[derive(Clone, Copy, Debug)]
pub struct Tunnel {
    /// E.g. `vxlan`.
    pub network_type: &'static str,
    /// The configuration key with the ranges of its numbers.
    pub ranges_key: &'static str,
    /// The largest number.
    pub largest: u32,
    /// Bytes of a frame that its headers take, without those of IP.
    pub overhead: u32,
    /// The configuration key that replaces `overhead`, where there is one.
    pub overhead_key: Option<&'static str>,
    /// The configuration key with the multicast group that hosts send what goes
    /// to all to, where there is one. It is the agents' to use.
    pub group_key: Option<&'static str>,
}

impl Tunnel {
    /// The manifest of a driver with this name and version.
    pub fn manifest(&self, named: Manifest) -> Manifest {
        let mut config: Vec<ConfigKey> = vec![
            key(
                self.ranges_key,
                "numbers of projects' networks, as a list of FIRST:LAST",
                json!([DEFAULT_RANGE]),
            ),
            key("global_physnet_mtu", "MTU of the physical networks, bytes", json!(1500)),
            key(
                "path_mtu",
                "MTU between tunnel endpoints, bytes; 0 for that of the physical networks",
                json!(0),
            ),
            key("overlay_ip_version", "4 or 6: the family of the tunnel endpoints' addresses", json!(4)),
        ];
        config.extend(self.overhead_key.map(|name| {
            key(
                name,
                "bytes that the tunnel's own headers may take, without those of IP",
                json!(self.overhead),
            )
        }));
        config.extend(self.group_key.map(|name| {
            key(
                name,
                "multicast address that agents send broadcasts to; empty where they send them to each host",
                json!(""),
            )
        }));
        crate::ranged_manifest(named, self.network_type, config)
    }

    fn numbers(&self) -> Result<Numbers> {
        let ranges: Vec<String> = config::or(self.ranges_key, vec![DEFAULT_RANGE.to_owned()])?;
        let spans = Spans::configured(self.ranges_key, &ranges, SMALLEST, self.largest)?;
        let configured = spans
            .iter()
            .map(|(minimum, maximum)| SegmentRange {
                physical_network: None,
                minimum,
                maximum,
                project_id: None,
            })
            .collect();
        Ok(Numbers {
            network_type: self.network_type,
            limits: (SMALLEST, self.largest),
            places: vec![None],
            configured,
        })
    }

    /// Sets the pools up.
    pub fn start(&self) -> Result<()> {
        self.numbers()?.start()
    }

    /// See `SegmentRanges::configured`.
    pub fn configured(&self) -> Result<Vec<SegmentRange>> {
        Ok(self.numbers()?.configured)
    }

    /// See `SegmentRanges::check_range`. In Neutron: `verify_tunnel_range`.
    pub fn check_range(&self, wanted: &SegmentRange) -> Result<()> {
        let ends = [wanted.minimum, wanted.maximum];
        let why = match ends.iter().find(|number| !(SMALLEST..=self.largest).contains(number)) {
            Some(number) => format!("{number} is not a valid {} identifier", self.network_type),
            None if wanted.maximum < wanted.minimum => {
                "End of tunnel range is less than start of tunnel range".to_owned()
            }
            None => return Ok(()),
        };
        Err(Error::invalid(
            "NetworkTunnelRangeError",
            format!("Invalid network tunnel range: '{}:{}' - {why}.", wanted.minimum, wanted.maximum),
        ))
    }

    /// See `SegmentRanges::apply`.
    pub fn apply(&self, ranges: &[SegmentRange], taken: &[Segment]) -> Result<()> {
        self.numbers()?.apply(ranges, taken)
    }

    /// See `SegmentRanges::reserve_for`.
    pub fn reserve(&self, project: &str, wanted: &Segment) -> Result<Segment> {
        self.check(wanted)?;
        match wanted.segmentation_id {
            None => self.allocate(project)?.ok_or_else(nothing_left),
            Some(number) if self.numbers()?.take_given(None, number)? => Ok(self.made(number)),
            Some(number) => Err(in_use(number)),
        }
    }

    /// See `SegmentRanges::allocate_for`.
    pub fn allocate(&self, project: &str) -> Result<Option<Segment>> {
        Ok(self.numbers()?.take(project, None)?.map(|(_, number)| self.made(number)))
    }

    /// See `TypeDriver::release`.
    pub fn release(&self, segment: &Segment) -> Result<()> {
        match segment.segmentation_id {
            Some(number) => self.numbers()?.give_back(None, number),
            None => Ok(()),
        }
    }

    /// See `TypeDriver::mtu`.
    pub fn mtu(&self) -> Result<u32> {
        let carrier = mtu::smaller(config::or("global_physnet_mtu", 1500)?, config::or("path_mtu", 0)?);
        let overhead = match self.overhead_key {
            Some(key) => config::or(key, self.overhead)?,
            None => self.overhead,
        };
        Ok(inner_mtu(carrier, config::or("overlay_ip_version", 4)?, overhead))
    }

    fn made(&self, number: u32) -> Segment {
        segment(self.network_type, None, Some(number))
    }

    /// In Neutron: `validate_provider_segment`.
    fn check(&self, wanted: &Segment) -> Result<()> {
        if wanted.physical_network.as_deref().is_some_and(|name| !name.is_empty()) {
            return Err(Error::invalid_input(format!(
                "provider:physical_network specified for {} network",
                self.network_type
            )));
        }
        match wanted.segmentation_id {
            Some(number) if !(SMALLEST..=self.largest).contains(&number) => {
                Err(out_of_range(SMALLEST, self.largest))
            }
            _ => Ok(()),
        }
    }
}

/// Makes the crate the type driver of a tunnel type: its type, a [`Tunnel`], its
/// plugin name and one sentence about it.
#[macro_export]
macro_rules! tunnel_driver {
    ($driver:ident, $tunnel:expr, $name:literal, $about:literal) => {
        /// The driver.
        pub struct $driver;

        impl ::hadron_sdk::TypeDriver for $driver {
            fn manifest() -> ::hadron_sdk::Manifest {
                $tunnel.manifest(::hadron_sdk::manifest!($name, $about))
            }
            fn start(_: &::hadron_sdk::Context) -> ::hadron_sdk::Result<()> {
                $tunnel.start()
            }
            fn reserve(
                _: &::hadron_sdk::Context,
                wanted: ::hadron_sdk::Segment,
            ) -> ::hadron_sdk::Result<::hadron_sdk::Segment> {
                $tunnel.reserve("", &wanted)
            }
            fn allocate(_: &::hadron_sdk::Context) -> ::hadron_sdk::Result<Option<::hadron_sdk::Segment>> {
                $tunnel.allocate("")
            }
            fn release(
                _: &::hadron_sdk::Context,
                segment: ::hadron_sdk::Segment,
            ) -> ::hadron_sdk::Result<()> {
                $tunnel.release(&segment)
            }
            fn mtu(_: &::hadron_sdk::Context, _: ::hadron_sdk::Segment) -> ::hadron_sdk::Result<u32> {
                $tunnel.mtu()
            }
        }

        impl ::hadron_sdk::SegmentRanges for $driver {
            fn configured(
                _: &::hadron_sdk::Context,
            ) -> ::hadron_sdk::Result<Vec<::hadron_sdk::SegmentRange>> {
                $tunnel.configured()
            }
            fn check_range(
                _: &::hadron_sdk::Context,
                wanted: ::hadron_sdk::SegmentRange,
            ) -> ::hadron_sdk::Result<()> {
                $tunnel.check_range(&wanted)
            }
            fn apply(
                _: &::hadron_sdk::Context,
                ranges: Vec<::hadron_sdk::SegmentRange>,
                taken: Vec<::hadron_sdk::Segment>,
            ) -> ::hadron_sdk::Result<()> {
                $tunnel.apply(&ranges, &taken)
            }
            fn reserve_for(
                _: &::hadron_sdk::Context,
                project_id: &str,
                wanted: ::hadron_sdk::Segment,
            ) -> ::hadron_sdk::Result<::hadron_sdk::Segment> {
                $tunnel.reserve(project_id, &wanted)
            }
            fn allocate_for(
                _: &::hadron_sdk::Context,
                project_id: &str,
            ) -> ::hadron_sdk::Result<Option<::hadron_sdk::Segment>> {
                $tunnel.allocate(project_id)
            }
        }

        ::hadron_sdk::ranged_type_driver!($driver);
    };
}

fn in_use(number: u32) -> Error {
    Error::conflict(
        "TunnelIdInUse",
        format!("Unable to create the network. The tunnel ID {number} is in use."),
    )
}

/// What is left of a frame for the network's own; 0 for no limit.
fn inner_mtu(carrier: u32, ip_version: u32, overhead: u32) -> u32 {
    let ip_header = if ip_version == 6 { 40 } else { 20 };
    if carrier == 0 { 0 } else { carrier.saturating_sub(ip_header + overhead) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VXLAN: Tunnel = Tunnel {
        network_type: "vxlan",
        ranges_key: "vni_ranges",
        largest: 16_777_215,
        overhead: 30,
        overhead_key: None,
        group_key: Some("vxlan_group"),
    };

    #[test]
    fn headers_are_taken_off_the_mtu() {
        assert_eq!(inner_mtu(1500, 4, 30), 1450);
        assert_eq!(inner_mtu(1500, 6, 30), 1430);
        assert_eq!(inner_mtu(1500, 4, 22), 1458);
        assert_eq!(inner_mtu(0, 4, 30), 0);
        assert_eq!(inner_mtu(10, 4, 30), 0);
    }

    #[test]
    fn a_tunnel_has_no_physical_network_and_a_number_that_fits() {
        let refused = |physical: Option<&str>, number: Option<u32>| {
            let wanted = segment("vxlan", physical.map(str::to_owned), number);
            VXLAN.check(&wanted).unwrap_err().fault().message.clone()
        };
        assert_eq!(
            refused(Some("physnet1"), None),
            "Invalid input for operation: provider:physical_network specified for vxlan network."
        );
        assert!(refused(None, Some(0)).contains("segmentation_id out of range (1 through 16777215)"));
        assert!(refused(None, Some(16_777_216)).contains("out of range"));
        VXLAN.check(&segment("vxlan", None, Some(5))).unwrap();
        VXLAN.check(&segment("vxlan", Some(String::new()), None)).unwrap();
    }

    #[test]
    fn ranges_of_numbers_that_there_are_not_are_refused_with_neutrons_words() {
        let refused = |minimum, maximum| {
            let range = SegmentRange { physical_network: None, minimum, maximum, project_id: None };
            VXLAN.check_range(&range).unwrap_err().fault().message.clone()
        };
        assert_eq!(
            refused(16_777_215, 16_777_216),
            "Invalid network tunnel range: '16777215:16777216' - 16777216 is not a valid vxlan identifier."
        );
        assert!(refused(9, 5).ends_with("End of tunnel range is less than start of tunnel range."));
    }

    #[test]
    fn a_taken_number_is_refused_with_neutrons_words() {
        assert_eq!(in_use(7).fault().message, "Unable to create the network. The tunnel ID 7 is in use.");
    }

    #[test]
    fn the_manifest_is_sound() {
        let manifest = VXLAN.manifest(hadron_sdk::manifest!("type-vxlan", "networks in vxlan tunnels"));
        assert_eq!(hadron_sdk::manifest::check(&manifest), Vec::<String>::new());
        assert!(manifest.config.iter().any(|key| key.name == "vxlan_group"));
    }
}
