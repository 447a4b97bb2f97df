//! Types of networks that are carried between hosts in tunnels.
//! In Neutron: `type_tunnel`.

use crate::{Ids, Spans, key, mtu, nothing_left, out_of_range, segment};
use hadron_sdk::manifest::ConfigKey;
use hadron_sdk::serde_json::json;
use hadron_sdk::{Error, Manifest, Result, Segment, config};

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
        let overhead = self.overhead_key.map(|name| {
            key(
                name,
                "bytes that the tunnel's own headers may take, without those of IP",
                json!(self.overhead),
            )
        });
        config.extend(overhead);
        crate::manifest(named, self.network_type, config)
    }

    /// Sets the pools up.
    pub fn start(&self) -> Result<()> {
        let ranges: Vec<String> = config::or(self.ranges_key, vec![DEFAULT_RANGE.to_owned()])?;
        let spans = Spans::configured(self.ranges_key, &ranges, SMALLEST, self.largest)?;
        self.ids().define(&spans, SMALLEST, self.largest)
    }

    /// See `TypeDriver::reserve`.
    pub fn reserve(&self, wanted: Segment) -> Result<Segment> {
        self.check(&wanted)?;
        let number = match wanted.segmentation_id {
            None => self.ids().take()?.ok_or_else(nothing_left)?,
            Some(number) if self.ids().take_given(number)? => number,
            Some(number) => return Err(in_use(number)),
        };
        Ok(segment(self.network_type, None, Some(number)))
    }

    /// See `TypeDriver::allocate`.
    pub fn allocate(&self) -> Result<Option<Segment>> {
        Ok(self.ids().take()?.map(|number| segment(self.network_type, None, Some(number))))
    }

    /// See `TypeDriver::release`.
    pub fn release(&self, segment: &Segment) -> Result<()> {
        segment.segmentation_id.map_or(Ok(()), |number| self.ids().give_back(number))
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

    fn ids(&self) -> Ids {
        Ids::named(self.network_type)
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
        assert_eq!(
            refused(None, Some(0)),
            "Invalid input for operation: segmentation_id out of range (1 through 16777215)."
        );
        assert_eq!(in_use(7).fault().message, "Unable to create the network. The tunnel ID 7 is in use.");
        VXLAN.check(&segment("vxlan", None, Some(7))).unwrap();
    }

    #[test]
    fn the_manifest_names_the_type_and_its_keys() {
        let manifest = VXLAN.manifest(hadron_sdk::manifest!("type-vxlan", "x"));
        assert_eq!(manifest.network_type.as_deref(), Some("vxlan"));
        assert!(manifest.start && manifest.config.iter().any(|key| key.name == "vni_ranges"));
        assert!(hadron_sdk::manifest::check(&manifest).is_empty());
    }
}
