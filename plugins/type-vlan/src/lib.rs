//! Networks that are a VLAN of a physical network. In Neutron: `type_vlan`.

mod ranges;

use hadron_sdk::serde_json::json;
use hadron_sdk::{Context, Error, Manifest, Result, Segment, TypeDriver, config};
use hadron_type_common::{Ids, key, manifest, mtu_config, nothing_left, out_of_range, physical_mtu, segment};
use ranges::{LARGEST, Ranges, SMALLEST};

const TYPE: &str = "vlan";
const KEY: &str = "network_vlan_ranges";
const DEFAULT: &str = "physnet1:1000:2999";

/// The driver.
pub struct Vlan;

fn configured() -> Result<Ranges> {
    Ranges::parse(&config::or(KEY, vec![DEFAULT.to_owned()])?)
}

fn ids(physical_network: &str) -> Ids {
    Ids::named(&format!("{TYPE}-{physical_network}"))
}

fn made(physical_network: &str, number: u32) -> Segment {
    segment(TYPE, Some(physical_network.to_owned()), Some(number))
}

/// In Neutron: `validate_provider_segment`.
fn check(wanted: &Segment, ranges: &Ranges) -> Result<()> {
    match (wanted.physical_network.as_deref(), wanted.segmentation_id) {
        (Some(name), _) if !ranges.knows(name) => {
            Err(Error::invalid_input(format!("physical_network '{name}' unknown for VLAN provider network")))
        }
        (Some(_), Some(number)) if !(SMALLEST..=LARGEST).contains(&number) => {
            Err(out_of_range(SMALLEST, LARGEST))
        }
        (None, Some(_)) => {
            Err(Error::invalid_input("segmentation_id requires physical_network for VLAN provider network"))
        }
        _ => Ok(()),
    }
}

fn in_use(physical_network: &str, number: u32) -> Error {
    Error::conflict(
        "VlanIdInUse",
        format!(
            "Unable to create the network. The VLAN {number} on physical network {physical_network} is in use."
        ),
    )
}

/// Any VLAN of one of these physical networks.
fn any<'a>(names: impl Iterator<Item = &'a str>) -> Result<Option<Segment>> {
    for name in names {
        if let Some(number) = ids(name).take()? {
            return Ok(Some(made(name, number)));
        }
    }
    Ok(None)
}

impl TypeDriver for Vlan {
    fn manifest() -> Manifest {
        let ranges = "physical networks and the VLANs of projects' networks there, as a list of NAME:FIRST:LAST; \
                      NAME alone for a physical network on which only administrators name VLANs";
        let mut config = vec![key(KEY, ranges, json!([DEFAULT]))];
        config.extend(mtu_config());
        manifest(hadron_sdk::manifest!("type-vlan", "VLANs of physical networks"), TYPE, config)
    }

    fn start(_: &Context) -> Result<()> {
        configured()?.iter().try_for_each(|(name, spans)| ids(name).define(spans, SMALLEST, LARGEST))
    }

    fn reserve(_: &Context, wanted: Segment) -> Result<Segment> {
        let wanted =
            Segment { physical_network: wanted.physical_network.filter(|name| !name.is_empty()), ..wanted };
        let ranges = configured()?;
        check(&wanted, &ranges)?;
        match (wanted.physical_network.as_deref(), wanted.segmentation_id) {
            (Some(name), Some(number)) if ids(name).take_given(number)? => Ok(made(name, number)),
            (Some(name), Some(number)) => Err(in_use(name, number)),
            (Some(name), None) => any(std::iter::once(name))?.ok_or_else(nothing_left),
            (None, _) => any(ranges.names())?.ok_or_else(nothing_left),
        }
    }

    fn allocate(_: &Context) -> Result<Option<Segment>> {
        any(configured()?.names())
    }

    fn release(_: &Context, segment: Segment) -> Result<()> {
        match (segment.physical_network, segment.segmentation_id) {
            (Some(name), Some(number)) => ids(&name).give_back(number),
            _ => Ok(()),
        }
    }

    fn mtu(_: &Context, segment: Segment) -> Result<u32> {
        physical_mtu(segment.physical_network.as_deref())
    }
}

hadron_sdk::type_driver!(Vlan);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vlan_is_asked_for_with_its_physical_network() {
        let ranges = Ranges::parse(&["physnet1:1000:2999".to_owned(), "physnet2".to_owned()]).unwrap();
        let refused = |name: Option<&str>, number: Option<u32>| {
            check(&segment(TYPE, name.map(str::to_owned), number), &ranges)
                .unwrap_err()
                .fault()
                .message
                .clone()
        };
        assert_eq!(
            refused(Some("physnet1"), Some(5000)),
            "Invalid input for operation: segmentation_id out of range (1 through 4094)."
        );
        assert_eq!(
            refused(Some("nosuch"), None),
            "Invalid input for operation: physical_network 'nosuch' unknown for VLAN provider network."
        );
        assert_eq!(
            refused(None, Some(5)),
            "Invalid input for operation: segmentation_id requires physical_network for VLAN provider network."
        );
        for (name, number) in [(Some("physnet2"), Some(7)), (Some("physnet1"), None), (None, None)] {
            check(&segment(TYPE, name.map(str::to_owned), number), &ranges).unwrap();
        }
    }

    #[test]
    fn a_taken_vlan_is_refused_with_neutrons_words() {
        assert_eq!(
            in_use("physnet1", 7).fault().message,
            "Unable to create the network. The VLAN 7 on physical network physnet1 is in use."
        );
    }
}
