//! What TLS is asked for. In Octavia: `check_tls_version_list`,
//! `check_alpn_protocols` and their like.

use crate::document::{given, list};
use crate::errors;
use crate::settings::Settings;
use hadron_sdk::serde_json::json;
use hadron_sdk::{Document, Result};

/// Versions, oldest first. In octavia-lib: `SUPPORTED_TLS_VERSIONS`.
const VERSIONS: [&str; 5] = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
/// In Octavia: `default_listener_tls_versions`.
const DEFAULT_VERSIONS: [&str; 2] = ["TLSv1.2", "TLSv1.3"];
/// In octavia-lib: `SUPPORTED_ALPN_PROTOCOLS`.
const ALPN: [&str; 3] = ["h2", "http/1.1", "http/1.0"];
/// In Octavia: `CIPHERS_OWASP_SUITE_B`.
const CIPHERS: &str = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:\
DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:\
ECDHE-RSA-AES128-GCM-SHA256";

pub(crate) const TLS_VERSIONS: &str = "tls_versions";
pub(crate) const TLS_CIPHERS: &str = "tls_ciphers";
pub(crate) const ALPN_PROTOCOLS: &str = "alpn_protocols";

/// Fills in what was not asked for, where TLS is spoken.
pub(crate) fn fill(document: &mut Document, speaks: bool) {
    let defaults = [
        (TLS_VERSIONS, json!(DEFAULT_VERSIONS), json!([])),
        (TLS_CIPHERS, json!(CIPHERS), json!(null)),
        (ALPN_PROTOCOLS, json!(ALPN), json!([])),
    ];
    for (name, with, without) in defaults {
        if document.get(name).is_none_or(hadron_sdk::serde_json::Value::is_null) {
            document.insert(name.to_owned(), if speaks { with } else { without });
        }
    }
}

/// Checks what was asked for; `asked` are the attributes that were given.
pub(crate) fn check(settings: &Settings, asked: &Document) -> Result<()> {
    if let Some(ciphers) = given(asked, TLS_CIPHERS) {
        let rejected: Vec<&str> = ciphers
            .split(':')
            .filter(|cipher| settings.prohibited_ciphers.iter().any(|one| one == cipher))
            .collect();
        if !rejected.is_empty() {
            return Err(errors::validation(format!(
                "The following ciphers have been prohibited by an administrator: {}",
                rejected.join(", ")
            )));
        }
    }
    if asked.get(TLS_VERSIONS).is_some_and(|versions| versions.is_array()) {
        check_versions(settings, &list(asked, TLS_VERSIONS))?;
    }
    if asked.get(ALPN_PROTOCOLS).is_some_and(|protocols| protocols.is_array()) {
        check_alpn(&list(asked, ALPN_PROTOCOLS))?;
    }
    Ok(())
}

fn check_versions(settings: &Settings, versions: &[&str]) -> Result<()> {
    if versions.is_empty() {
        return Err(errors::validation(
            "Empty TLS version list. Either specify at least one TLS version or remove this parameter to use \
             the default.",
        ));
    }
    let unknown: Vec<&str> = versions.iter().filter(|version| !VERSIONS.contains(version)).copied().collect();
    if !unknown.is_empty() {
        return Err(errors::validation(format!("Invalid TLS versions: {}", unknown.join(", "))));
    }
    let Some(minimum) = &settings.minimum_tls_version else { return Ok(()) };
    let age = |version: &str| VERSIONS.iter().position(|known| *known == version);
    let older: Vec<&str> = versions.iter().filter(|version| age(version) < age(minimum)).copied().collect();
    if older.is_empty() {
        return Ok(());
    }
    Err(errors::validation(format!(
        "Requested TLS versions are less than the minimum: {} < {minimum}",
        older.join(", ")
    )))
}

fn check_alpn(protocols: &[&str]) -> Result<()> {
    if protocols.is_empty() {
        return Err(errors::validation(
            "Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to \
             use the default.",
        ));
    }
    let unknown: Vec<&str> = protocols.iter().filter(|one| !ALPN.contains(one)).copied().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(errors::validation(format!("Invalid ALPN protocol: {}", unknown.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::{Value, json};

    fn message(asked: Value) -> Option<String> {
        let settings = Settings { prohibited_ciphers: vec!["BAD".to_owned()], ..Settings::default() };
        check(&settings, asked.as_object().unwrap()).err().map(|error| error.fault().message.clone())
    }

    #[test]
    fn versions_are_known_and_new_enough() {
        assert_eq!(message(json!({"tls_versions": ["TLSv1.2", "TLSv1.3"]})), None);
        assert_eq!(message(json!({"tls_versions": null})), None);
        assert!(message(json!({"tls_versions": []})).unwrap().contains("Empty TLS version list"));
        assert!(
            message(json!({"tls_versions": ["TLSv9"]})).unwrap().ends_with("Invalid TLS versions: TLSv9")
        );
        let older = message(json!({"tls_versions": ["TLSv1", "TLSv1.3"]})).unwrap();
        assert!(older.ends_with("less than the minimum: TLSv1 < TLSv1.2"), "{older}");
    }

    #[test]
    fn ciphers_and_protocols_are_those_that_are_allowed() {
        assert!(message(json!({"tls_ciphers": "GOOD:BAD"})).unwrap().ends_with("administrator: BAD"));
        assert_eq!(message(json!({"tls_ciphers": "GOOD", "alpn_protocols": ["h2"]})), None);
        assert!(message(json!({"alpn_protocols": ["h3"]})).unwrap().ends_with("Invalid ALPN protocol: h3"));
        assert!(message(json!({"alpn_protocols": []})).is_some());
    }

    #[test]
    fn what_speaks_tls_has_defaults() {
        let mut document = Document::new();
        fill(&mut document, true);
        assert_eq!(document[TLS_VERSIONS], json!(DEFAULT_VERSIONS));
        let mut document = Document::from_iter([(TLS_VERSIONS.to_owned(), json!(["TLSv1.3"]))]);
        fill(&mut document, false);
        assert_eq!((&document[TLS_VERSIONS], &document[TLS_CIPHERS]), (&json!(["TLSv1.3"]), &json!(null)));
    }
}
