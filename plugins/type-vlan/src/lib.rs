//! Networks that are a VLAN of a physical network. In Neutron: `type_vlan`.

mod ranges;

use hadron_sdk::serde_json::json;
use hadron_sdk::{
    Context, Error, Manifest, Result, Segment, SegmentRange, SegmentRanges, TypeDriver, config,
};
use hadron_type_common::{
    Numbers, key, mtu_config, nothing_left, out_of_range, physical_mtu, ranged_manifest, segment,
};
use ranges::{LARGEST, Ranges, SMALLEST};

const TYPE: &str = "vlan";
const KEY: &str = "network_vlan_ranges";
const DEFAULT: &str = "physnet1:1000:2999";

/// The driver.
pub struct Vlan;

fn numbers() -> Result<Numbers> {
    let ranges = Ranges::parse(&config::or(KEY, vec![DEFAULT.to_owned()])?)?;
    Ok(Numbers {
        network_type: TYPE,
        limits: (SMALLEST, LARGEST),
        places: ranges.names().map(|name| Some(name.to_owned())).collect(),
        configured: ranges.for_every_project(),
    })
}

fn made(physical_network: Option<String>, number: u32) -> Segment {
    segment(TYPE, physical_network, Some(number))
}

/// In Neutron: `validate_provider_segment`.
fn check(wanted: &Segment, knows: impl Fn(&str) -> Result<bool>) -> Result<()> {
    match (wanted.physical_network.as_deref(), wanted.segmentation_id) {
        (Some(name), _) if !knows(name)? => {
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

/// In Neutron: `verify_vlan_range`.
fn check_range(wanted: &SegmentRange) -> Result<()> {
    let ends = [wanted.minimum, wanted.maximum];
    let why = match ends.iter().find(|number| !(SMALLEST..=LARGEST).contains(number)) {
        Some(number) => format!("{number} is not a valid VLAN tag"),
        None if wanted.maximum < wanted.minimum => {
            "End of VLAN range is less than start of VLAN range".to_owned()
        }
        None => return Ok(()),
    };
    Err(Error::invalid(
        "NetworkVlanRangeError",
        format!("Invalid network VLAN range: '{}:{}' - '{why}'.", wanted.minimum, wanted.maximum),
    ))
}

fn in_use(physical_network: &str, number: u32) -> Error {
    Error::conflict(
        "VlanIdInUse",
        format!(
            "Unable to create the network. The VLAN {number} on physical network {physical_network} is in use."
        ),
    )
}

impl TypeDriver for Vlan {
    fn manifest() -> Manifest {
        let ranges = "physical networks and the VLANs of projects' networks there, as a list of NAME:FIRST:LAST; \
                      NAME alone for a physical network on which only administrators name VLANs";
        let mut config = vec![key(KEY, ranges, json!([DEFAULT]))];
        config.extend(mtu_config());
        ranged_manifest(hadron_sdk::manifest!("type-vlan", "VLANs of physical networks"), TYPE, config)
    }

    fn start(_: &Context) -> Result<()> {
        numbers()?.start()
    }

    fn reserve(ctx: &Context, wanted: Segment) -> Result<Segment> {
        Vlan::reserve_for(ctx, "", wanted)
    }

    fn allocate(ctx: &Context) -> Result<Option<Segment>> {
        Vlan::allocate_for(ctx, "")
    }

    fn release(_: &Context, segment: Segment) -> Result<()> {
        match (segment.physical_network, segment.segmentation_id) {
            (Some(name), Some(number)) => numbers()?.give_back(Some(&name), number),
            _ => Ok(()),
        }
    }

    fn mtu(_: &Context, segment: Segment) -> Result<u32> {
        physical_mtu(segment.physical_network.as_deref())
    }
}

impl SegmentRanges for Vlan {
    fn configured(_: &Context) -> Result<Vec<SegmentRange>> {
        Ok(numbers()?.configured)
    }

    fn check_range(_: &Context, wanted: SegmentRange) -> Result<()> {
        check_range(&wanted)
    }

    fn apply(_: &Context, ranges: Vec<SegmentRange>, taken: Vec<Segment>) -> Result<()> {
        numbers()?.apply(&ranges, &taken)
    }

    fn reserve_for(_: &Context, project_id: &str, wanted: Segment) -> Result<Segment> {
        let wanted =
            Segment { physical_network: wanted.physical_network.filter(|name| !name.is_empty()), ..wanted };
        let numbers = numbers()?;
        check(&wanted, |name| numbers.knows(name))?;
        match (wanted.physical_network, wanted.segmentation_id) {
            (Some(name), Some(number)) if numbers.take_given(Some(&name), number)? => {
                Ok(made(Some(name), number))
            }
            (Some(name), Some(number)) => Err(in_use(&name, number)),
            (name, _) => {
                let taken = numbers.take(project_id, name.as_deref())?;
                taken.map(|(name, number)| made(name, number)).ok_or_else(nothing_left)
            }
        }
    }

    fn allocate_for(_: &Context, project_id: &str) -> Result<Option<Segment>> {
        Ok(numbers()?.take(project_id, None)?.map(|(name, number)| made(name, number)))
    }
}

hadron_sdk::ranged_type_driver!(Vlan);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vlan_is_asked_for_with_its_physical_network() {
        let ranges = Ranges::parse(&["physnet1:1000:2999".to_owned(), "physnet2".to_owned()]).unwrap();
        let refused = |name: Option<&str>, number: Option<u32>| {
            check(&segment(TYPE, name.map(str::to_owned), number), |name| {
                Ok(ranges.names().any(|known| known == name))
            })
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
            check(&segment(TYPE, name.map(str::to_owned), number), |name| {
                Ok(ranges.names().any(|known| known == name))
            })
            .unwrap();
        }
    }

    #[test]
    fn a_taken_vlan_is_refused_with_neutrons_words() {
        assert_eq!(
            in_use("physnet1", 7).fault().message,
            "Unable to create the network. The VLAN 7 on physical network physnet1 is in use."
        );
    }

    #[test]
    fn ranges_of_vlans_that_there_are_not_are_refused_with_neutrons_words() {
        let refused = |minimum, maximum| {
            let range = SegmentRange { physical_network: None, minimum, maximum, project_id: None };
            check_range(&range).unwrap_err().fault().message.clone()
        };
        assert_eq!(
            refused(4000, 4095),
            "Invalid network VLAN range: '4000:4095' - '4095 is not a valid VLAN tag'."
        );
        assert_eq!(
            refused(30, 20),
            "Invalid network VLAN range: '30:20' - 'End of VLAN range is less than start of VLAN range'."
        );
    }

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&Vlan::manifest()), Vec::<String>::new());
    }
}
