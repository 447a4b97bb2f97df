//! MTUs of networks. In Neutron: `get_mtu` of the type drivers.

use crate::key;
use hadron_sdk::manifest::ConfigKey;
use hadron_sdk::serde_json::json;
use hadron_sdk::{Result, config};
use std::collections::BTreeMap;

/// The keys that [`physical`] reads.
pub fn config_keys() -> Vec<ConfigKey> {
    vec![
        key("global_physnet_mtu", "MTU of the physical networks, bytes", json!(1500)),
        key(
            "physical_network_mtus",
            "MTUs of physical networks that have another one, bytes, by name",
            json!({}),
        ),
    ]
}

/// The MTU of a physical network, bytes; 0 where there is no limit.
pub fn physical(physical_network: Option<&str>) -> Result<u32> {
    let global: u32 = config::or("global_physnet_mtu", 1500)?;
    let own: BTreeMap<String, u32> = config::or("physical_network_mtus", BTreeMap::new())?;
    let own = physical_network.and_then(|name| own.get(name)).copied().unwrap_or(0);
    Ok(smaller(global, own))
}

/// The smaller of two limits, of which 0 is none.
pub(crate) fn smaller(one: u32, other: u32) -> u32 {
    match (one, other) {
        (0, limit) | (limit, 0) => limit,
        (one, other) => one.min(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_not_the_smallest_one() {
        assert_eq!(smaller(0, 1500), 1500);
        assert_eq!(smaller(9000, 0), 9000);
        assert_eq!(smaller(9000, 1500), 1500);
        assert_eq!(smaller(0, 0), 0);
    }
}
