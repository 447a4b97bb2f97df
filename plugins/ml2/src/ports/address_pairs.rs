//! Addresses besides its own that a port may send from: values in, values out.
//! In Neutron: `_validate_allowed_address_pairs`.

use crate::net::{Cidr, Mac, Prefix};
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt::Display;
use std::net::IpAddr;

/// A pair as it is kept: both as the client wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) mac_address: String,
    pub(crate) ip_address: String,
}

/// A pair of a request; without a MAC address it has the port's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    mac_address: Option<String>,
    ip_address: String,
}

fn refused(message: impl Into<String>) -> Error {
    Error::invalid("HTTPBadRequest", message)
}

fn duplicate(mac: impl Display, ip: impl Display) -> Error {
    Error::invalid(
        "DuplicateAddressPairInRequest",
        format!("Request contains duplicate address pair: mac_address {mac} ip_address {ip}."),
    )
}

fn exhausted(limit: usize) -> Error {
    Error::invalid(
        "AllowedAddressPairExhausted",
        format!("The number of allowed address pair exceeds the maximum {limit}."),
    )
}

fn without_address() -> Error {
    Error::invalid("AllowedAddressPairsMissingIP", "AllowedAddressPair must contain ip_address")
}

/// The pairs of a request, of which there may be so many.
pub(crate) fn asked(given: &[Document], limit: usize) -> Result<Vec<Asked>> {
    if given.len() > limit {
        return Err(exhausted(limit));
    }
    let mut seen = HashSet::new();
    let mut pairs = Vec::with_capacity(given.len());
    for pair in given {
        let mac = pair.get("mac_address").map(hardware_address).transpose()?;
        let ip = pair.get("ip_address").ok_or_else(without_address)?;
        let ip = ip.as_str().ok_or_else(|| refused(format!("'{}' is not a valid IP address", python(ip))))?;
        let asked = Asked { mac_address: mac.map(|(text, _)| text), ip_address: ip.to_owned() };
        if !seen.insert(asked.clone()) {
            return Err(duplicate(asked.mac_address.as_deref().unwrap_or("None"), ip));
        }
        check_names(pair)?;
        check_address(ip)?;
        if let Some((text, _)) =
            pair.get("mac_address").map(hardware_address).transpose()?.filter(|(_, mac)| mac.is_multicast())
        {
            return Err(refused(format!(
                "MAC address {text} is a multicast address, which is not supported."
            )));
        }
        pairs.push(asked);
    }
    Ok(pairs)
}

fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn hardware_address(value: &Value) -> Result<(String, Mac)> {
    let parsed = value.as_str().and_then(|text| Some((text.to_owned(), Mac::parse(text)?)));
    parsed.ok_or_else(|| refused(format!("'{}' is not a valid MAC address", python(value))))
}

fn check_names(pair: &Document) -> Result<()> {
    let mut unknown: Vec<&str> = pair
        .keys()
        .map(String::as_str)
        .filter(|name| !["mac_address", "ip_address"].contains(name))
        .collect();
    unknown.sort_unstable();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(refused(format!("Unrecognized attribute(s) '{}'", unknown.join(", "))))
}

/// An address, or a network with its length, and no multicast.
fn check_address(text: &str) -> Result<()> {
    if !text.contains('/') {
        let address: IpAddr =
            text.parse().map_err(|_| refused(format!("'{text}' is not a valid IP address")))?;
        return match address.is_multicast() {
            true => Err(refused(format!("IP {text} is a multicast address, which is not supported."))),
            false => Ok(()),
        };
    }
    let prefix = Prefix::parse(text).ok_or_else(|| refused(format!("'{text}' is not a valid IP subnet")))?;
    let network = prefix.network();
    // Everything is meant to be everything but multicast.
    let overlapped = MULTICAST
        .into_iter()
        .filter(|_| network.prefix() > 0)
        .find(|range| Cidr::parse(range).is_some_and(|range| range.overlaps(&network)));
    match overlapped {
        None => Ok(()),
        Some(range) => Err(refused(format!(
            "Subnet {text} overlaps with multicast range {range}, which is not supported."
        ))),
    }
}

/// Addresses of groups of receivers, IPv4 and IPv6.
const MULTICAST: [&str; 2] = ["224.0.0.0/4", "ff00::/8"];

/// The pairs of a port with this MAC address; none twice now that all have one.
pub(crate) fn of_port(asked: Vec<Asked>, mac: &str) -> Result<Vec<Pair>> {
    let mut seen = HashSet::new();
    let mut pairs = Vec::with_capacity(asked.len());
    for Asked { mac_address, ip_address } in asked {
        let pair = Pair { mac_address: mac_address.unwrap_or_else(|| mac.to_owned()), ip_address };
        if !seen.insert(pair.clone()) {
            return Err(duplicate(pair.mac_address, pair.ip_address));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;
    use proptest::prelude::*;

    const LIMIT: usize = 10;
    const PORT: &str = "fa:16:3e:00:00:01";

    fn pairs(given: Value) -> Result<Vec<Pair>> {
        let given: Vec<Document> = hadron_sdk::serde_json::from_value(given).unwrap();
        of_port(asked(&given, LIMIT)?, PORT)
    }

    fn message(given: Value) -> String {
        pairs(given).unwrap_err().fault().message.clone()
    }

    #[test]
    fn a_pair_without_mac_address_has_the_ports_and_text_is_kept() {
        let made = pairs(json!([
            {"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.1/32"}, {"ip_address": "2001:DB8::1/64"},
            {"ip_address": "0.0.0.0/0", "mac_address": "00-11-22-33-44-55"}, {"ip_address": "::/0"}
        ]))
        .unwrap();
        let shown: Vec<(&str, &str)> =
            made.iter().map(|p| (p.mac_address.as_str(), p.ip_address.as_str())).collect();
        assert_eq!(
            shown,
            [
                (PORT, "10.0.0.1"),
                (PORT, "10.0.0.1/32"),
                (PORT, "2001:DB8::1/64"),
                ("00-11-22-33-44-55", "0.0.0.0/0"),
                (PORT, "::/0")
            ]
        );
    }

    #[test]
    fn neutrons_refusals_have_its_words() {
        for (given, says) in [
            (json!([{"mac_address": PORT}]), "AllowedAddressPair must contain ip_address"),
            (json!([{"ip_address": "10.0.0.1", "mac_address": "x"}]), "'x' is not a valid MAC address"),
            (json!([{"ip_address": "10.0.0.1", "mac_address": null}]), "'None' is not a valid MAC address"),
            (json!([{"ip_address": "x"}]), "'x' is not a valid IP address"),
            (json!([{"ip_address": 5}]), "'5' is not a valid IP address"),
            (json!([{"ip_address": "x/24"}]), "'x/24' is not a valid IP subnet"),
            (
                json!([{"ip_address": "224.0.0.5"}]),
                "IP 224.0.0.5 is a multicast address, which is not supported.",
            ),
            (
                json!([{"ip_address": "192.0.0.0/2"}]),
                "Subnet 192.0.0.0/2 overlaps with multicast range 224.0.0.0/4, which is not supported.",
            ),
            (
                json!([{"ip_address": "10.0.0.1", "mac_address": "01:00:5e:00:00:01"}]),
                "MAC address 01:00:5e:00:00:01 is a multicast address, which is not supported.",
            ),
            (json!([{"ip_address": "10.0.0.1", "foo": 1, "bar": 2}]), "Unrecognized attribute(s) 'bar, foo'"),
            (
                json!([{"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.1"}]),
                "Request contains duplicate address pair: mac_address None ip_address 10.0.0.1.",
            ),
            (
                json!([{"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.1", "mac_address": PORT}]),
                "Request contains duplicate address pair: mac_address fa:16:3e:00:00:01 ip_address 10.0.0.1.",
            ),
        ] {
            assert_eq!(message(given), says);
        }
        let many: Vec<Value> = (0..=LIMIT).map(|n| json!({"ip_address": format!("10.0.0.{n}")})).collect();
        assert_eq!(message(json!(many)), "The number of allowed address pair exceeds the maximum 10.");
    }

    proptest! {
        #[test]
        fn pairs_that_were_accepted_are_accepted_again_and_stay(
            given in prop::collection::vec((any::<[u8; 6]>(), any::<bool>(), any::<IpAddr>(), prop::option::of(1..=128_u8)), 0..12)
        ) {
            let given: Vec<Value> = given.into_iter().map(|(mac, has, ip, length)| {
                let mac = mac.map(|octet| format!("{octet:02x}")).join(":");
                let longest = if ip.is_ipv4() { 32 } else { 128 };
                let ip = length.map_or(ip.to_string(), |length| format!("{ip}/{}", length.min(longest)));
                if has { json!({"mac_address": mac, "ip_address": ip}) } else { json!({"ip_address": ip}) }
            }).collect();
            if let Ok(made) = pairs(json!(given)) {
                prop_assert!(made.len() <= LIMIT);
                prop_assert_eq!(pairs(json!(made)).unwrap(), made);
            }
        }
    }
}
