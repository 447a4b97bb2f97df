//! What a rule must be for its parts to make sense together. In Neutron: the
//! validators of `firewall_v2`'s attributes, `validate_fwr_protocol_parameters`,
//! `validate_fwr_src_dst_ip_version`.

use crate::errors;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Error, Result};
use serde::Deserialize;
use std::net::IpAddr;

/// In Neutron: `FW_PROTOCOL_VALUES`.
const PROTOCOLS: [&str; 6] = ["dccp", "icmp", "ipv6-icmp", "sctp", "tcp", "udp"];
/// Those that Neutron takes ports of.
const WITH_PORTS: [&str; 2] = ["tcp", "udp"];
/// In Neutron: `FW_VALID_ACTION_VALUES`.
const ACTIONS: [&str; 3] = ["allow", "deny", "reject"];

/// What is said of a range that is none.
const NO_RANGE: &str = "Port range must be two integers separated by a colon";

/// Converts what a request says of a rule and refuses what is nothing.
pub(crate) fn convert(document: &mut Document) -> Result<()> {
    for (name, value) in document.iter_mut() {
        match name.as_str() {
            "protocol" => check_protocol(value)?,
            "action" => *value = action(value)?,
            "source_port" | "destination_port" => {
                *value = ports(value).map_err(|reason| errors::invalid_value(name, reason))?;
            }
            "source_ip_address" | "destination_ip_address" => check_address(name, value)?,
            _ => {}
        }
    }
    Ok(())
}

/// As Python prints it.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn no_text(value: &Value) -> Error {
    Error::invalid_input(format!("Input value {} must be string type", printed(value)))
}

fn not_among(attribute: &str, given: &str) -> Error {
    errors::invalid_value(attribute, format!("{given} is not in valid_values"))
}

/// A name in lower case. Other names and numbers are protocols too, but none that
/// a firewall knows.
fn check_protocol(value: &Value) -> Result<()> {
    let Value::String(given) = value else {
        return if value.is_null() { Ok(()) } else { Err(no_text(value)) };
    };
    if PROTOCOLS.contains(&given.as_str()) {
        return Ok(());
    }
    let is_one = PROTOCOLS.contains(&given.to_lowercase().as_str()) || given.parse::<u8>().is_ok();
    if is_one {
        return Err(not_among("protocol", given));
    }
    Err(Error::invalid_input(format!(
        "IP protocol '{given}' is not supported. Only protocol names and their integer representation (0 to \
         255) are supported"
    )))
}

fn action(value: &Value) -> Result<Value> {
    let given = value.as_str().ok_or_else(|| no_text(value))?.to_lowercase();
    if ACTIONS.contains(&given.as_str()) { Ok(Value::from(given)) } else { Err(not_among("action", &given)) }
}

/// A port, or the first and the last of several: `80:90`.
fn ports(value: &Value) -> Result<Value, String> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let given = printed(value);
    let parts: Vec<&str> = given.split(':').collect();
    if parts.len() > 2 {
        return Err(NO_RANGE.to_owned());
    }
    let mut numbers = Vec::with_capacity(2);
    for part in parts {
        if part.is_empty() {
            return Err(NO_RANGE.to_owned());
        }
        numbers.push(part.parse::<u16>().map_err(|_| format!("Invalid port: {part}"))?);
    }
    match numbers.as_slice() {
        [first, last] if first > last => {
            Err("First port in a port range must be lower than the second port".to_owned())
        }
        [first, last] if first < last => Ok(Value::from(format!("{first}:{last}"))),
        [first, ..] => Ok(Value::from(first.to_string())),
        [] => Ok(Value::Null),
    }
}

fn check_address(attribute: &str, value: &Value) -> Result<()> {
    if value.is_null() || value.as_str().is_some_and(|given| version(given).is_some()) {
        return Ok(());
    }
    let given = printed(value);
    Err(errors::invalid_value(
        attribute,
        format!("'{given}' is neither a valid IP address, nor is it a valid IP subnet"),
    ))
}

/// The version of an address, or of the addresses with its first bits.
fn version(given: &str) -> Option<i64> {
    let (address, length) = match given.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (given, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
    if let Some(length) = length {
        let number: u8 = length.parse().ok()?;
        if number > longest || number.to_string() != length {
            return None;
        }
    }
    Some(if address.is_ipv4() { 4 } else { 6 })
}

#[derive(Deserialize)]
struct Rule {
    protocol: Option<String>,
    ip_version: i64,
    source_ip_address: Option<String>,
    destination_ip_address: Option<String>,
    source_port: Option<String>,
    destination_port: Option<String>,
}

/// Whether the parts of a whole rule go together.
pub(crate) fn check(rule: &Document) -> Result<()> {
    let rule = Rule::deserialize(rule.clone())?;
    let with_ports = rule.source_port.is_some() || rule.destination_port.is_some();
    match rule.protocol.as_deref() {
        None if with_ports => return Err(errors::protocol_required()),
        Some(protocol) if with_ports && !WITH_PORTS.contains(&protocol) => {
            return Err(errors::ports_not_allowed());
        }
        _ => {}
    }
    let addresses = [&rule.source_ip_address, &rule.destination_ip_address];
    let versions = addresses.into_iter().flatten().filter_map(|address| version(address));
    if versions.into_iter().any(|version| version != rule.ip_version) {
        return Err(errors::address_conflict());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;
    use proptest::prelude::*;

    fn converted(name: &str, value: Value) -> Result<Value> {
        let mut document = Document::from_iter([(name.to_owned(), value)]);
        convert(&mut document)?;
        Ok(document.remove(name).unwrap())
    }

    fn refusal(name: &str, value: Value) -> (String, String) {
        let error = converted(name, value).unwrap_err();
        (error.fault().kind.clone(), error.fault().message.clone())
    }

    fn rule(more: Value) -> Document {
        let mut rule = json!({"protocol": null, "ip_version": 4, "source_ip_address": null,
            "destination_ip_address": null, "source_port": null, "destination_port": null});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule.as_object().unwrap().clone()
    }

    #[test]
    fn values_are_converted_as_neutron_does() {
        for (name, given, kept) in [
            ("action", json!("ALLOW"), json!("allow")),
            ("protocol", json!("ipv6-icmp"), json!("ipv6-icmp")),
            ("protocol", json!(null), json!(null)),
            ("source_port", json!(80), json!("80")),
            ("source_port", json!("080:90"), json!("80:90")),
            ("destination_port", json!("7:7"), json!("7")),
            ("destination_port", json!(null), json!(null)),
            ("source_ip_address", json!("10.0.0.1"), json!("10.0.0.1")),
            ("source_ip_address", json!("10.0.0.1/24"), json!("10.0.0.1/24")),
            ("destination_ip_address", json!("2001:db8::/64"), json!("2001:db8::/64")),
        ] {
            assert_eq!(converted(name, given).unwrap(), kept, "{name}");
        }
    }

    #[test]
    fn what_is_nothing_is_said_as_neutron_says_it() {
        let value = |name: &str, reason: &str| {
            ("HTTPBadRequest".to_owned(), format!("Invalid input for {name}. Reason: {reason}."))
        };
        let input =
            |reason: &str| ("InvalidInput".to_owned(), format!("Invalid input for operation: {reason}."));
        for (name, given, wrong) in [
            ("action", json!("drop"), value("action", "drop is not in valid_values")),
            ("action", json!(null), input("Input value None must be string type")),
            ("protocol", json!("TCP"), value("protocol", "TCP is not in valid_values")),
            ("protocol", json!("6"), value("protocol", "6 is not in valid_values")),
            ("protocol", json!(6), input("Input value 6 must be string type")),
            (
                "protocol",
                json!("foo"),
                input(
                    "IP protocol 'foo' is not supported. Only protocol names and their integer \
                     representation (0 to 255) are supported",
                ),
            ),
            ("source_port", json!("1:2:3"), value("source_port", NO_RANGE)),
            ("source_port", json!(":2"), value("source_port", NO_RANGE)),
            ("source_port", json!("65536"), value("source_port", "Invalid port: 65536")),
            (
                "destination_port",
                json!("90:80"),
                value("destination_port", "First port in a port range must be lower than the second port"),
            ),
            (
                "source_ip_address",
                json!("10.0.0.0/33"),
                value(
                    "source_ip_address",
                    "'10.0.0.0/33' is neither a valid IP address, nor is it a valid IP subnet",
                ),
            ),
            (
                "source_ip_address",
                json!(5),
                value("source_ip_address", "'5' is neither a valid IP address, nor is it a valid IP subnet"),
            ),
        ] {
            assert_eq!(refusal(name, given.clone()), wrong, "{name} {given}");
        }
    }

    #[test]
    fn ports_are_of_protocols_that_have_them() {
        let kind = |more: Value| check(&rule(more)).unwrap_err().fault().kind.clone();
        assert_eq!(kind(json!({"source_port": "1"})), "FirewallRuleWithPortWithoutProtocolInvalid");
        for protocol in ["icmp", "sctp"] {
            let more = json!({"protocol": protocol, "destination_port": "1"});
            assert_eq!(kind(more), "FirewallRuleInvalidICMPParameter");
        }
        check(&rule(json!({"protocol": "udp", "source_port": "1:2"}))).unwrap();
    }

    #[test]
    fn addresses_are_of_the_rules_version() {
        for (version, address, fits) in [
            (4, "10.0.0.0/8", true),
            (6, "10.0.0.1", false),
            (4, "2001:db8::1", false),
            (6, "2001:db8::/32", true),
        ] {
            for name in ["source_ip_address", "destination_ip_address"] {
                let checked = check(&rule(json!({"ip_version": version, name: address})));
                assert_eq!(checked.is_ok(), fits, "{version} {address}");
            }
        }
    }

    proptest! {
        /// Whatever is given for ports, what is kept of it is kept as it is, and
        /// means the same.
        #[test]
        fn ports_that_are_kept_are_kept_as_they_are(given in "[0-9]{0,6}(:[0-9]{0,6}){0,2}") {
            if let Ok(kept) = ports(&json!(given)) {
                prop_assert_eq!(ports(&kept), Ok(kept.clone()));
                let bounds = |text: &str| -> (u32, u32) {
                    let (first, last) = text.split_once(':').unwrap_or((text, text));
                    (first.parse().unwrap(), last.parse().unwrap())
                };
                let (first, last) = bounds(kept.as_str().unwrap());
                prop_assert!(first <= last && last <= 65535);
                prop_assert_eq!(bounds(&given), (first, last));
            }
        }

        /// Nothing that is given makes it panic.
        #[test]
        fn any_text_is_an_address_or_not(given in ".{0,20}") {
            let _ = version(&given);
        }
    }
}
