//! Ports that are a whole physical card (`direct-physical`): the card cannot be
//! given another MAC address, so the port takes that of the card, which Nova
//! names in the profile. In Neutron: `_reset_mac_for_direct_physical`,
//! `_commit_port_binding`.

use super::mac;
use crate::document::{merged, text};
use crate::net::Mac;
use crate::{binding, errors};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result};

/// Extensions of the API.
pub(super) const EXTENSIONS: &[(&str, &str, &str, &str)] = &[(
    "Neutron Port MAC address override",
    "port-mac-override",
    "Allow overriding the MAC address of a direct-physical Port via the active binding profile",
    "2022-03-18T10:00:00-00:00",
)];

/// What of the port makes this true.
fn is_physical(port: &Document) -> bool {
    text(port, "binding:vnic_type") == "direct-physical"
}

/// The card's MAC address, of a port that has a host.
pub(super) fn mac(port: &Document) -> Result<Option<Mac>> {
    if !is_physical(port) || !binding::has_host(port) {
        return Ok(None);
    }
    let named = port.get("binding:profile").and_then(|profile| profile.get("device_mac_address"));
    let parse = |text: &str| {
        let wrong =
            || errors::bad_attribute("binding:profile", format!("'{text}' is not a valid MAC address"));
        Mac::parse(text).ok_or_else(wrong)
    };
    named.and_then(Value::as_str).map(parse).transpose()
}

/// A port takes its card's address, and gives it up with the card, so that
/// another port can have it.
pub(super) fn update(current: &Document, changes: &mut Document) -> Result<()> {
    let after = merged(current, changes);
    if !is_physical(current) && !is_physical(&after) || changes.contains_key("mac_address") {
        return Ok(());
    }
    let had = mac(current)?;
    let has = mac(&after)?;
    let freed = |name: &str| changes.get(name) == Some(&json!(""));
    let released = freed("device_id") && freed("device_owner") && !text(current, "device_id").is_empty();
    let shown = text(current, "mac_address");
    let loses = has.is_none() && had.is_some_and(|had| had.to_string() == shown);
    let new = match has {
        Some(mac) => Some(mac),
        None if loses || released => {
            let request = mac::Request { network_id: text(current, "network_id"), given: None };
            mac::choose(&[request])?.first().copied()
        }
        None => None,
    };
    if let Some(new) = new.map(|mac| mac.to_string()).filter(|new| new != shown) {
        changes.insert("mac_address".to_owned(), json!(new));
    }
    Ok(())
}
