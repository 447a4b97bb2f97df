//! The MTU of a network.

use crate::errors;
use crate::net::Version;
use crate::subnets::Subnet;
use hadron_sdk::{Error, Result};

/// Least MTUs with which hosts can speak IPv4 and IPv6.
const MIN_V4: u32 = 68;
const MIN_V6: u32 = 1280;

/// The MTU asked for (0: none), which must not be larger than the segments can
/// carry, or that. In Neutron: `_get_network_mtu`.
pub(crate) fn choose(asked: u32, largest: u32) -> Result<u32> {
    if asked > largest && largest > 0 {
        return Err(Error::invalid_input(format!("Requested MTU is too big, maximum is {largest}")));
    }
    Ok(if asked == 0 { largest } else { asked })
}

/// Refuses an MTU too small for the network's subnets, which are read only
/// where it could be. In Neutron: `_validate_change_network_mtu`.
pub(crate) fn check_subnets(
    network: &str,
    asked: u32,
    subnets: impl FnOnce() -> Result<Vec<Subnet>>,
) -> Result<()> {
    if asked >= MIN_V6 {
        return Ok(());
    }
    let subnets = subnets()?;
    if subnets.is_empty() {
        return Ok(());
    }
    if asked < MIN_V4 {
        return Err(errors::mtu_conflict(network, MIN_V4));
    }
    if subnets.iter().any(|subnet| subnet.cidr.version() == Version::V6) {
        return Err(errors::mtu_conflict(network, MIN_V6));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_taken_unless_less_is_asked_for() {
        assert_eq!(choose(0, 1450).unwrap(), 1450);
        assert_eq!(choose(10, 1450).unwrap(), 10);
        assert_eq!(
            choose(1500, 1450).unwrap_err().fault().message,
            "Invalid input for operation: Requested MTU is too big, maximum is 1450."
        );
    }

    #[test]
    fn subnets_set_a_lower_bound() {
        let none = || Ok(Vec::new());
        check_subnets("N", 10, none).unwrap();
        let v6 = || {
            let row = hadron_sdk::serde_json::json!({"id": "s", "network_id": "N", "cidr": "fd00::/64"});
            Ok(vec![hadron_sdk::serde_json::from_value(row).unwrap()])
        };
        assert!(check_subnets("N", 67, v6).unwrap_err().fault().message.ends_with("minimum of 68"));
        assert!(check_subnets("N", 1279, v6).unwrap_err().fault().message.ends_with("minimum of 1280"));
        check_subnets("N", 1280, v6).unwrap();
    }
}
