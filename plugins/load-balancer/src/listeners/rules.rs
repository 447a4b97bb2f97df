//! What goes together in a listener. In Octavia: `_validate_create_listener`,
//! `_validate_listener_PUT`.

use crate::document::{is_said, is_true, list, number, text};
use crate::errors;
use crate::protocol::{PROMETHEUS, TERMINATED_HTTPS, is_plain, reads_http};
use crate::settings::Settings;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Result};
use std::net::IpAddr;

/// Headers that a listener can add. In Octavia: `SUPPORTED_HTTP_HEADERS`.
const HEADERS: [&str; 3] = ["X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"];
/// Those that tell of a client's certificate. In Octavia: `SUPPORTED_SSL_HEADERS`.
const TLS_HEADERS: [&str; 8] = [
    "X-SSL-Client-Verify",
    "X-SSL-Client-Has-Cert",
    "X-SSL-Client-DN",
    "X-SSL-Client-CN",
    "X-SSL-Issuer",
    "X-SSL-Client-SHA1",
    "X-SSL-Client-Not-Before",
    "X-SSL-Client-Not-After",
];

/// Longest value of a header, in characters.
const HEADER_LENGTH: usize = 255;

/// A load balancer, as far as its listeners care.
pub(crate) struct Around<'a> {
    /// Its addresses.
    pub(crate) addresses: &'a [&'a str],
    /// Whether it has security groups of its own.
    pub(crate) has_groups: bool,
}

/// Whether a listener, as it will be, makes sense.
pub(crate) fn check(settings: &Settings, listener: &Document, around: &Around<'_>) -> Result<()> {
    let protocol = text(listener, "protocol");
    if protocol == PROMETHEUS && is_said(listener, "default_pool_id") {
        return Err(errors::no_children(PROMETHEUS));
    }
    check_headers(listener, protocol)?;
    check_certificates(settings, listener, protocol)?;
    check_hsts(listener, protocol)?;
    check_cidrs(&list(listener, "allowed_cidrs"), around)
}

fn check_headers(listener: &Document, protocol: &str) -> Result<()> {
    let Some(headers) = listener.get("insert_headers").and_then(Value::as_object) else { return Ok(()) };
    if headers.is_empty() {
        return Ok(());
    }
    if is_plain(protocol) {
        return Err(errors::validation(format!(
            "{protocol} protocol listener does not support TLS or header insertion."
        )));
    }
    if !reads_http(protocol) {
        return Err(errors::invalid_option("insert-headers", format!("a {protocol} protocol listener.")));
    }
    for (name, value) in headers {
        let tells_of_tls = TLS_HEADERS.contains(&name.as_str());
        if !tells_of_tls && !HEADERS.contains(&name.as_str()) {
            return Err(errors::invalid_option(format!("['{name}']"), "insert_headers"));
        }
        if tells_of_tls && protocol != TERMINATED_HTTPS {
            return Err(errors::invalid_option(
                format!("['{name}']"),
                format!("{protocol} protocol listener."),
            ));
        }
        if value.as_str().is_none_or(|text| text.chars().count() > HEADER_LENGTH) {
            return Err(errors::invalid_option(value, format!("insert_headers {name}")));
        }
    }
    Ok(())
}

fn check_certificates(settings: &Settings, listener: &Document, protocol: &str) -> Result<()> {
    let has = |name: &str| is_said(listener, name);
    let base = has("default_tls_container_ref") || has("sni_container_refs");
    let authority = has("client_ca_tls_container_ref");
    if is_plain(protocol) && (base || authority) {
        return Err(errors::validation(format!(
            "{protocol} protocol listener does not support TLS or header insertion."
        )));
    }
    if protocol == TERMINATED_HTTPS && !settings.terminated_listeners {
        return Err(errors::disabled("protocol", TERMINATED_HTTPS));
    }
    if protocol != TERMINATED_HTTPS && (base || authority) {
        return Err(errors::validation(format!(
            "Certificate container references are only allowed on {TERMINATED_HTTPS} protocol listeners."
        )));
    }
    if protocol == TERMINATED_HTTPS && !base {
        return Err(errors::validation(format!(
            "An SNI or default certificate container reference must be provided for {TERMINATED_HTTPS} \
             protocol listeners."
        )));
    }
    let asks = text(listener, "client_authentication");
    if !["", "NONE"].contains(&asks) && !authority {
        return Err(errors::validation(format!(
            "Client authentication setting {asks} requires a client CA container reference."
        )));
    }
    if has("client_crl_container_ref") && !authority {
        return Err(errors::validation(
            "A client authentication CA reference is required to specify a client authentication revocation \
             list.",
        ));
    }
    Ok(())
}

fn check_hsts(listener: &Document, protocol: &str) -> Result<()> {
    let age = number(listener, "hsts_max_age").is_some();
    if !age && (is_true(listener, "hsts_include_subdomains") || is_true(listener, "hsts_preload")) {
        return Err(errors::validation(
            "HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if \
             hsts_max_age is set as well.",
        ));
    }
    if age && protocol != TERMINATED_HTTPS {
        return Err(errors::validation(format!(
            "The HSTS feature can only be used for listeners using the {TERMINATED_HTTPS} protocol."
        )));
    }
    Ok(())
}

/// Packets of a family that no address has are never let in.
fn check_cidrs(cidrs: &[&str], around: &Around<'_>) -> Result<()> {
    if !cidrs.is_empty() && around.has_groups {
        return Err(errors::validation(
            "Allowed CIDRs are not allowed when using custom VIP Security Groups.",
        ));
    }
    let is_six = |address: &str| address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
    for cidr in cidrs {
        let six = cidr.contains(':');
        if !around.addresses.iter().any(|address| is_six(address) == six) {
            let vip = around.addresses.first().copied().unwrap_or_default();
            return Err(errors::validation(format!(
                "CIDR {cidr} IP version incompatible with VIP {vip} IP version."
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    fn message(listener: Value) -> Option<String> {
        let around = Around { addresses: &["10.0.0.1"], has_groups: false };
        let checked = check(&Settings::default(), listener.as_object().unwrap(), &around);
        checked.err().map(|error| error.fault().message.clone())
    }

    #[test]
    fn headers_are_added_where_http_is_read() {
        let with = |protocol: &str, header: &str| {
            message(
                json!({"protocol": protocol, "default_tls_container_ref": if protocol == TERMINATED_HTTPS { "ref" } else { "" },
                "insert_headers": {header: "true"}}),
            )
        };
        assert_eq!(with("HTTP", "X-Forwarded-For"), None);
        assert_eq!(with(TERMINATED_HTTPS, "X-SSL-Client-DN"), None);
        assert_eq!(
            with("TCP", "X-Forwarded-For").unwrap(),
            "insert-headers is not a valid option for a TCP protocol listener."
        );
        assert!(with("UDP", "X-Forwarded-For").unwrap().contains("does not support TLS or header insertion"));
        assert!(with("HTTP", "X-Nosuch").unwrap().contains("insert_headers"));
        assert!(with("HTTP", "X-SSL-Client-DN").unwrap().ends_with("HTTP protocol listener."));
    }

    #[test]
    fn certificates_come_with_terminated_tls() {
        assert!(message(json!({"protocol": TERMINATED_HTTPS})).unwrap().contains("must be provided"));
        assert_eq!(message(json!({"protocol": TERMINATED_HTTPS, "sni_container_refs": ["r"]})), None);
        let with = json!({"protocol": "HTTP", "default_tls_container_ref": "r"});
        assert!(message(with).unwrap().contains("only allowed on TERMINATED_HTTPS"));
        let with = json!({"protocol": TERMINATED_HTTPS, "sni_container_refs": ["r"], "client_authentication": "MANDATORY"});
        assert!(message(with).unwrap().contains("setting MANDATORY requires a client CA"));
        let with = json!({"protocol": TERMINATED_HTTPS, "sni_container_refs": ["r"], "client_crl_container_ref": "c"});
        assert!(message(with).unwrap().contains("revocation list"));
        assert!(message(json!({"protocol": "UDP", "default_tls_container_ref": "r"})).is_some());
    }

    #[test]
    fn terminated_tls_can_be_switched_off() {
        let settings = Settings { terminated_listeners: false, ..Settings::default() };
        let around = Around { addresses: &[], has_groups: false };
        let listener = json!({"protocol": TERMINATED_HTTPS, "sni_container_refs": ["r"]});
        let refused = check(&settings, listener.as_object().unwrap(), &around).unwrap_err();
        assert_eq!(refused.fault().kind, "DisabledOption");
    }

    #[test]
    fn strict_transport_is_for_terminated_tls() {
        assert!(message(json!({"protocol": "HTTP", "hsts_max_age": 1})).unwrap().contains("HSTS feature"));
        let with = json!({"protocol": TERMINATED_HTTPS, "sni_container_refs": ["r"], "hsts_preload": true});
        assert!(message(with).unwrap().contains("hsts_max_age is set"));
    }

    #[test]
    fn networks_are_of_the_family_of_an_address() {
        let with = |cidr: &str| message(json!({"protocol": "TCP", "allowed_cidrs": [cidr]}));
        assert_eq!(with("10.0.0.0/8"), None);
        assert_eq!(
            with("2001:db8::/32").unwrap(),
            "Validation failure: CIDR 2001:db8::/32 IP version incompatible with VIP 10.0.0.1 IP version."
        );
        let around = Around { addresses: &["10.0.0.1"], has_groups: true };
        let listener = json!({"protocol": "TCP", "allowed_cidrs": ["10.0.0.0/8"]});
        assert!(check(&Settings::default(), listener.as_object().unwrap(), &around).is_err());
    }

    #[test]
    fn metrics_have_no_pool() {
        let with = json!({"protocol": PROMETHEUS, "default_pool_id": "p"});
        assert!(message(with).unwrap().contains("can not have child objects"));
    }
}
