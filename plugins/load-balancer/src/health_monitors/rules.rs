//! What goes together in a health monitor. In Octavia: `_validate_create_hm`,
//! `_validate_update_hm`, `_validate_healthmonitor_request_for_udp_sctp`.

use crate::document::{given, is_said, number, text};
use crate::errors;
use crate::protocol::{SCTP, UDP};
use crate::settings::Settings;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result};

pub(crate) const UDP_CONNECT: &str = "UDP-CONNECT";
const PING: &str = "PING";
/// Sorts of monitors. In octavia-lib: `SUPPORTED_HEALTH_MONITOR_TYPES`.
pub(crate) const TYPES: [&str; 7] = ["HTTP", "HTTPS", PING, "TCP", "TLS-HELLO", UDP_CONNECT, SCTP];

/// What monitors of HTTP ask for, and what they ask where nothing is said.
const OF_HTTP: [(&str, &str); 3] = [("http_method", "GET"), ("url_path", "/"), ("expected_codes", "200")];

/// Whether it asks in HTTP.
fn asks_http(kind: &str) -> bool {
    matches!(kind, "HTTP" | "HTTPS")
}

/// Fills in what a monitor of HTTP asks for.
pub(crate) fn fill(monitor: &mut Document) {
    let http = asks_http(text(monitor, "type"));
    for (name, default) in OF_HTTP {
        if !is_said(monitor, name) {
            monitor.insert(name.to_owned(), if http { json!(default) } else { Value::Null });
        }
    }
}

/// Whether a monitor, as it will be, makes sense for a pool of this protocol.
pub(crate) fn check(settings: &Settings, monitor: &Document, protocol: &str) -> Result<()> {
    let kind = text(monitor, "type");
    if kind == PING && !settings.ping_monitors {
        return Err(errors::disabled("type", PING));
    }
    check_protocol(settings, kind, number(monitor, "delay").unwrap_or_default(), protocol)?;
    for (name, _) in OF_HTTP {
        if !asks_http(kind) && is_said(monitor, name) {
            return Err(errors::invalid_option(name, format!("health monitors of type {kind}")));
        }
    }
    check_domain(monitor)?;
    check_shapes(monitor)
}

fn check_protocol(settings: &Settings, kind: &str, delay: i64, protocol: &str) -> Result<()> {
    let fitting: &[&str] = match protocol {
        UDP => &[UDP_CONNECT, "TCP", "HTTP"],
        SCTP => &[SCTP, "TCP", "HTTP"],
        _ => {
            let only = match kind {
                UDP_CONNECT => UDP,
                SCTP => SCTP,
                _ => return Ok(()),
            };
            return Err(errors::validation(format!(
                "The {kind} type is only supported for pools of type {only}."
            )));
        }
    };
    if !fitting.contains(&kind) {
        return Err(errors::validation(format!(
            "The associated pool protocol is {protocol}, so only a {} health monitor is supported.",
            fitting.join("/")
        )));
    }
    if kind == UDP_CONNECT && delay < settings.udp_connect_delay {
        return Err(errors::validation(format!(
            "The request delay value {delay} should be larger than {} for {UDP_CONNECT} health monitor type.",
            settings.udp_connect_delay
        )));
    }
    Ok(())
}

/// A name is asked for in HTTP 1.1 only.
fn check_domain(monitor: &Document) -> Result<()> {
    let Some(domain) = given(monitor, "domain_name") else { return Ok(()) };
    match monitor.get("http_version").and_then(Value::as_f64) {
        None => Err(errors::validation("'http_version' must be specified when 'domain_name' is provided.")),
        Some(version) if version < 1.1 => Err(errors::invalid_option(
            format!("http_version {version:.1}"),
            "health monitors HTTP 1.1 domain name health check",
        )),
        Some(_) if is_domain(domain) => Ok(()),
        Some(_) => Err(errors::pattern("domain_name", domain, "of a domain name")),
    }
}

fn is_domain(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

/// Three digits.
fn is_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Codes with commas between them, or a range.
fn are_codes(text: &str) -> bool {
    let range = text.split_once('-').is_some_and(|(first, last)| is_code(first) && is_code(last));
    range || text.split(',').all(|code| is_code(code.trim()))
}

fn check_shapes(monitor: &Document) -> Result<()> {
    if let Some(codes) = given(monitor, "expected_codes").filter(|codes| !are_codes(codes)) {
        let pattern = r"^(\d{3}(\s*,\s*\d{3})*)$|^(\d{3}-\d{3})$";
        return Err(errors::pattern("expected_codes", codes, pattern));
    }
    let path = given(monitor, "url_path");
    match path
        .filter(|path| !path.starts_with('/') || path.starts_with("//") || path.contains(char::is_whitespace))
    {
        Some(path) => Err(errors::pattern("url_path", path, "of a URL path")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(monitor: Value, protocol: &str) -> Option<String> {
        let checked = check(&Settings::default(), monitor.as_object().unwrap(), protocol);
        checked.err().map(|error| error.fault().message.clone())
    }

    #[test]
    fn only_monitors_of_http_ask_in_http() {
        assert_eq!(
            message(json!({"type": "HTTP", "url_path": "/x", "expected_codes": "200, 204"}), "HTTP"),
            None
        );
        assert_eq!(
            message(json!({"type": "TCP", "url_path": "/x"}), "HTTP").unwrap(),
            "url_path is not a valid option for health monitors of type TCP"
        );
        let mut monitor = json!({"type": "HTTPS"}).as_object().unwrap().clone();
        fill(&mut monitor);
        assert_eq!((&monitor["http_method"], &monitor["expected_codes"]), (&json!("GET"), &json!("200")));
        let mut monitor = json!({"type": "TCP"}).as_object().unwrap().clone();
        fill(&mut monitor);
        assert_eq!(monitor["url_path"], Value::Null);
    }

    #[test]
    fn a_monitor_suits_its_pool() {
        assert!(
            message(json!({"type": UDP_CONNECT, "delay": 5}), "HTTP")
                .unwrap()
                .contains("only supported for pools")
        );
        assert!(
            message(json!({"type": SCTP, "delay": 5}), "UDP")
                .unwrap()
                .contains("only a UDP-CONNECT/TCP/HTTP")
        );
        assert!(
            message(json!({"type": UDP_CONNECT, "delay": 2}), "UDP")
                .unwrap()
                .contains("should be larger than 3")
        );
        assert_eq!(message(json!({"type": UDP_CONNECT, "delay": 3}), "UDP"), None);
        let settings = Settings { ping_monitors: false, ..Settings::default() };
        let ping = json!({"type": PING});
        assert_eq!(
            check(&settings, ping.as_object().unwrap(), "TCP").unwrap_err().fault().kind,
            "DisabledOption"
        );
    }

    #[test]
    fn names_are_asked_for_in_newer_http() {
        let with = |version: Value, name: &str| {
            message(json!({"type": "HTTP", "http_version": version, "domain_name": name}), "HTTP")
        };
        assert_eq!(with(json!(1.1), "www.example.org"), None);
        assert!(with(Value::Null, "www.example.org").unwrap().contains("must be specified"));
        assert_eq!(
            with(json!(1.0), "www.example.org").unwrap(),
            "http_version 1.0 is not a valid option for health monitors HTTP 1.1 domain name health check"
        );
        assert!(with(json!(1.1), "-bad-.x").is_some());
    }

    #[test]
    fn codes_and_paths_look_like_such() {
        for good in ["200", "200,201", "200 , 404", "200-299"] {
            assert!(are_codes(good), "{good}");
        }
        for bad in ["", "20", "2000", "200-", "200-299-300", "200;201", "2x0"] {
            assert!(!are_codes(bad), "{bad}");
        }
        assert!(message(json!({"type": "HTTP", "url_path": "x"}), "HTTP").is_some());
        assert!(message(json!({"type": "HTTP", "url_path": "//host/x"}), "HTTP").is_some());
        assert_eq!(message(json!({"type": "HTTP", "url_path": "/x?y=1"}), "HTTP"), None);
    }
}
