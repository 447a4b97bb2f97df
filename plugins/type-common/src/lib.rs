//! What type drivers share: ranges of numbers, MTUs, and all of a tunnel type
//! but its name and its limits.
#![forbid(unsafe_code)]

mod mtu;
mod numbers;
mod shares;
mod spans;
mod tunnel;

pub use mtu::{config_keys as mtu_config, physical as physical_mtu};
pub use numbers::Numbers;
pub use spans::{Spans, parse as parse_range};
pub use tunnel::Tunnel;

use hadron_sdk::manifest::ConfigKey;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Error, Manifest, Segment};

/// A configuration key.
pub fn key(name: &str, description: &str, default: Value) -> ConfigKey {
    ConfigKey { name: name.to_owned(), description: description.to_owned(), default }
}

/// The manifest of a type driver that has something to set up.
pub fn manifest(manifest: Manifest, network_type: &str, config: Vec<ConfigKey>) -> Manifest {
    Manifest { network_type: Some(network_type.to_owned()), start: true, config, ..manifest }
}

/// The manifest of a type driver whose segments have numbers from ranges.
pub fn ranged_manifest(named: Manifest, network_type: &str, config: Vec<ConfigKey>) -> Manifest {
    Manifest { collections: vec![numbers::collection()], ..manifest(named, network_type, config) }
}

/// A segment that has not been given an id yet.
pub fn segment(
    network_type: &str,
    physical_network: Option<String>,
    segmentation_id: Option<u32>,
) -> Segment {
    Segment { id: String::new(), network_type: network_type.to_owned(), physical_network, segmentation_id }
}

/// The refusal when nothing is left for a request that leaves a choice.
pub fn nothing_left() -> Error {
    Error::unavailable(
        "NoNetworkAvailable",
        "Unable to create the network. No project network is available for allocation.",
    )
}

/// The refusal of an attribute that the type does not have.
pub fn prohibited(attribute: &str, network_type: &str) -> Error {
    Error::invalid_input(format!("{attribute} prohibited for {network_type} provider network"))
}

/// The refusal of a number that no segment of the type can have.
pub fn out_of_range(smallest: u32, largest: u32) -> Error {
    Error::invalid_input(format!("segmentation_id out of range ({smallest} through {largest})"))
}
