//! What goes together in a pool. In Octavia: `_validate_create_pool`,
//! `_validate_pool_request_for_udp_sctp`, `check_session_persistence`.

use crate::document::{is_said, text};
use crate::errors;
use crate::protocol::is_plain;
use hadron_sdk::serde_json::{Map, Value};
use hadron_sdk::{Document, Result};

/// Sorts of session persistence. In Octavia: `SUPPORTED_SP_TYPES`.
pub(crate) const SOURCE_IP: &str = "SOURCE_IP";
pub(crate) const HTTP_COOKIE: &str = "HTTP_COOKIE";
pub(crate) const APP_COOKIE: &str = "APP_COOKIE";
/// The attribute with it.
pub(crate) const PERSISTENCE: &str = "session_persistence";

/// Whether a pool, as it will be, makes sense.
pub(crate) fn check(pool: &Document) -> Result<()> {
    if let Some(persistence) = pool.get(PERSISTENCE).and_then(Value::as_object) {
        match is_plain(text(pool, "protocol")) {
            true => check_plain(persistence)?,
            false => check_connected(persistence)?,
        }
        check_cookie(persistence)?;
    }
    if is_said(pool, "crl_container_ref") && !is_said(pool, "ca_tls_container_ref") {
        return Err(errors::validation(
            "A CA certificate reference is required to specify a revocation list.",
        ));
    }
    Ok(())
}

fn check_plain(persistence: &Map<String, Value>) -> Result<()> {
    if is_said(persistence, "cookie_name") {
        return Err(errors::validation("Cookie names are not supported for UDP/SCTP pools."));
    }
    let kind = text(persistence, "type");
    if [HTTP_COOKIE, APP_COOKIE].contains(&kind) {
        return Err(errors::validation(format!(
            "Session persistence of type {kind} is not supported for UDP/SCTP protocol pools."
        )));
    }
    Ok(())
}

fn check_connected(persistence: &Map<String, Value>) -> Result<()> {
    match ["persistence_timeout", "persistence_granularity"].iter().any(|name| is_said(persistence, name)) {
        true => Err(errors::validation(
            "persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools.",
        )),
        false => Ok(()),
    }
}

/// Characters that the name of a cookie cannot have.
fn is_bad(letter: char) -> bool {
    letter <= ' ' || letter == '\x7f' || "\"(),/:;<=>?@[\\]{}".contains(letter)
}

fn check_cookie(persistence: &Map<String, Value>) -> Result<()> {
    let (kind, name) = (text(persistence, "type"), text(persistence, "cookie_name"));
    if kind.is_empty() {
        return Err(errors::validation("Invalid session_persistence provided."));
    }
    if !name.is_empty() && kind != APP_COOKIE {
        return Err(errors::validation(
            "Field \"cookie_name\" can only be specified with session persistence of type \"APP_COOKIE\".",
        ));
    }
    if name.chars().any(is_bad) {
        return Err(errors::validation("Supplied \"cookie_name\" is invalid."));
    }
    if kind == APP_COOKIE && name.is_empty() {
        return Err(errors::validation(
            "Field \"cookie_name\" must be specified when using the \"APP_COOKIE\" session persistence type.",
        ));
    }
    Ok(())
}

/// Persistence as it is after a change: its sort stays where none is given.
pub(crate) fn changed(current: Option<&Value>, asked: &mut Value) {
    let Some(asked) = asked.as_object_mut().filter(|asked| !is_said(asked, "type")) else { return };
    if let Some(kind) = current.and_then(|current| current.get("type")) {
        asked.insert("type".to_owned(), kind.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;
    use proptest::prelude::*;

    fn message(protocol: &str, persistence: Value) -> Option<String> {
        let pool = json!({"protocol": protocol, PERSISTENCE: persistence});
        check(pool.as_object().unwrap()).err().map(|error| error.fault().message.clone())
    }

    #[test]
    fn cookies_are_named_where_an_application_sets_them() {
        assert_eq!(message("HTTP", json!({"type": "APP_COOKIE", "cookie_name": "sid"})), None);
        assert!(message("HTTP", json!({"type": "APP_COOKIE"})).unwrap().contains("must be specified"));
        let named = json!({"type": "SOURCE_IP", "cookie_name": "sid"});
        assert!(message("HTTP", named).unwrap().contains("can only be specified"));
        assert_eq!(message("HTTP", json!({"type": "SOURCE_IP", "cookie_name": null})), None);
        assert!(message("HTTP", json!({})).unwrap().contains("Invalid session_persistence"));
        assert_eq!(message("HTTP", Value::Null), None);
    }

    #[test]
    fn what_has_no_connections_persists_by_address() {
        let granular =
            json!({"type": "SOURCE_IP", "persistence_timeout": 5, "persistence_granularity": "255.255.0.0"});
        assert_eq!(message("UDP", granular.clone()), None);
        assert!(message("TCP", granular).unwrap().contains("only for UDP and SCTP"));
        assert!(
            message("SCTP", json!({"type": "HTTP_COOKIE"})).unwrap().contains("not supported for UDP/SCTP")
        );
        let named = json!({"type": "SOURCE_IP", "cookie_name": "x"});
        assert!(message("UDP", named).unwrap().contains("Cookie names are not supported"));
    }

    #[test]
    fn a_revocation_list_needs_an_authority() {
        let with = |pool: Value| check(pool.as_object().unwrap()).is_ok();
        assert!(!with(json!({"crl_container_ref": "c"})));
        assert!(with(json!({"crl_container_ref": "c", "ca_tls_container_ref": "a"})));
        assert!(with(json!({"crl_container_ref": null})));
    }

    #[test]
    fn the_sort_of_persistence_stays() {
        let mut asked = json!({"cookie_name": "new"});
        changed(Some(&json!({"type": "APP_COOKIE", "cookie_name": "old"})), &mut asked);
        assert_eq!(asked, json!({"cookie_name": "new", "type": "APP_COOKIE"}));
        let mut none = Value::Null;
        changed(Some(&json!({"type": "APP_COOKIE"})), &mut none);
        assert_eq!(none, Value::Null);
    }

    proptest! {
        /// A name that is accepted can stand in a header.
        #[test]
        fn names_that_are_accepted_are_tokens(name in "\\PC{1,12}") {
            if message("HTTP", json!({"type": "APP_COOKIE", "cookie_name": name})).is_none() {
                prop_assert!(!name.contains([' ', ';', ',', '=', '"', '\\']));
            }
        }
    }
}
