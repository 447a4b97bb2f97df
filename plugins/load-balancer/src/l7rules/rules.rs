//! What a rule can compare. In Octavia: `octavia.common.validate.l7rule_data`.

use crate::document::text;
use crate::errors;
use hadron_sdk::{Document, Error, Result};
use regex_syntax::ast::ErrorKind;
use regex_syntax::ast::parse::Parser;

const REGEX: &str = "REGEX";
const EQUAL_TO: &str = "EQUAL_TO";
const HAS_CERT: &str = "SSL_CONN_HAS_CERT";
const VERIFY_RESULT: &str = "SSL_VERIFY_RESULT";
const DN_FIELD: &str = "SSL_DN_FIELD";
/// In Octavia: `SUPPORTED_L7RULE_TYPES`.
pub(crate) const TYPES: [&str; 8] =
    ["COOKIE", "FILE_TYPE", "HEADER", "HOST_NAME", "PATH", HAS_CERT, VERIFY_RESULT, DN_FIELD];
/// In Octavia: `SUPPORTED_L7RULE_COMPARE_TYPES`.
pub(crate) const COMPARISONS: [&str; 5] = ["CONTAINS", "ENDS_WITH", EQUAL_TO, REGEX, "STARTS_WITH"];
/// Most rules of a policy. In Octavia: `MAX_L7RULES_PER_L7POLICY`.
pub(crate) const MOST: usize = 50;

fn invalid(message: impl std::fmt::Display) -> Error {
    errors::rule(format!("Invalid L7 Rule: {message}"))
}

/// Whether a rule, as it will be, makes sense.
pub(crate) fn check(rule: &Document) -> Result<()> {
    let (kind, comparison) = (text(rule, "type"), text(rule, "compare_type"));
    let (key, value) = (text(rule, "key"), text(rule, "value"));
    if [key, value].iter().any(|text| text.contains(['\r', '\n'])) {
        return Err(errors::pattern("value", value, r"^[^\r\n]*$"));
    }
    match kind {
        "HEADER" | "COOKIE" => {
            if key.is_empty() {
                return Err(invalid("L7 rule type requires a key"));
            }
            if !key.chars().all(is_token) {
                return Err(errors::rule("Invalid characters in key"));
            }
            let cookie = kind == "COOKIE";
            let what = if cookie { "cookie value" } else { "header value" };
            check_value(comparison, value, cookie, what)
        }
        "FILE_TYPE" if ![REGEX, EQUAL_TO].contains(&comparison) => {
            Err(invalid("invalid comparison type for rule type"))
        }
        "HOST_NAME" | "PATH" | "FILE_TYPE" => check_value(comparison, value, false, "comparison value"),
        _ => check_certificate(kind, comparison, key, value),
    }
}

/// Characters of names of headers (RFC 9110, `token`). In Octavia:
/// `HTTP_HEADER_NAME_REGEX`.
fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter)
}

fn check_value(comparison: &str, value: &str, cookie: bool, what: &str) -> Result<()> {
    if comparison == REGEX {
        return check_regex(value);
    }
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let quoted = value.len() > 2
        && value.starts_with('"')
        && value.ends_with('"')
        && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let fits = match cookie {
        true => plain(value) && !value.contains(['"', ',', ';', '\\']),
        false => plain(value) || quoted,
    };
    if fits { Ok(()) } else { Err(errors::rule(format!("Invalid characters in {what}"))) }
}

/// Whoever carries a rule out also knows expressions that look around and back.
fn check_regex(pattern: &str) -> Result<()> {
    match Parser::new().parse(pattern) {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::UnsupportedLookAround | ErrorKind::UnsupportedBackreference
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(errors::rule(format!("Unable to parse regular expression: {}", error.kind()))),
    }
}

/// In Octavia: `validate_l7rule_ssl_types`.
fn check_certificate(kind: &str, comparison: &str, key: &str, value: &str) -> Result<()> {
    if kind == DN_FIELD {
        if key.is_empty() || value.is_empty() {
            return Err(invalid(format!("L7rule type {kind} needs to specify a key and a value.")));
        }
        let name = key.starts_with(|first: char| first.is_ascii_alphabetic())
            && key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        if !name {
            return Err(invalid("Invalid L7rule distinguished name field."));
        }
        return if comparison == REGEX { check_regex(value) } else { Ok(()) };
    }
    if !key.is_empty() {
        return Err(invalid(format!("L7rule type {kind} does not use the \"key\" field.")));
    }
    if kind == HAS_CERT && !value.eq_ignore_ascii_case("true") {
        return Err(invalid(format!("L7rule value {value} is not a boolean True string.")));
    }
    if kind == VERIFY_RESULT && value.parse::<u32>().is_err() {
        return Err(invalid(format!("L7rule type {kind} needs a int value, which is >= 0")));
    }
    match comparison {
        EQUAL_TO => Ok(()),
        _ => Err(invalid(format!("L7rule type {kind} only supports the {EQUAL_TO} compare type."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;
    use proptest::prelude::*;

    fn message(kind: &str, comparison: &str, key: &str, value: &str) -> Option<String> {
        let rule = json!({"type": kind, "compare_type": comparison, "key": key, "value": value});
        check(rule.as_object().unwrap()).err().map(|error| error.fault().message.clone())
    }

    #[test]
    fn headers_and_cookies_have_a_key() {
        for kind in ["HEADER", "COOKIE"] {
            assert_eq!(message(kind, EQUAL_TO, "some-key", "value"), None);
            assert_eq!(
                message(kind, EQUAL_TO, "", "value").unwrap(),
                "Error parsing L7Rule: Invalid L7 Rule: L7 rule type requires a key"
            );
            assert!(message(kind, EQUAL_TO, "bad key", "value").unwrap().ends_with("characters in key"));
        }
        assert!(message("COOKIE", EQUAL_TO, "k", "a;b").unwrap().ends_with("cookie value"));
        assert_eq!(message("HEADER", EQUAL_TO, "k", "\"a b\""), None);
        assert!(message("HEADER", EQUAL_TO, "k", "a b").is_some());
    }

    #[test]
    fn expressions_are_such() {
        assert_eq!(message("PATH", REGEX, "", "^/a(b|c)+$"), None);
        assert_eq!(message("PATH", REGEX, "", "(?=a)b"), None);
        assert!(message("PATH", REGEX, "", "(").unwrap().contains("regular expression"));
    }

    #[test]
    fn endings_of_files_are_equal_or_fit_an_expression() {
        assert_eq!(message("FILE_TYPE", EQUAL_TO, "", "jpg"), None);
        assert!(message("FILE_TYPE", "STARTS_WITH", "", "jpg").unwrap().contains("invalid comparison type"));
    }

    #[test]
    fn what_is_known_of_certificates_is_compared_in_one_way() {
        assert_eq!(message(HAS_CERT, EQUAL_TO, "", "True"), None);
        assert!(message(HAS_CERT, EQUAL_TO, "", "no").unwrap().contains("not a boolean True"));
        assert!(message(HAS_CERT, EQUAL_TO, "k", "True").unwrap().contains("does not use"));
        assert!(message(HAS_CERT, REGEX, "", "True").unwrap().contains("only supports the EQUAL_TO"));
        assert_eq!(message(VERIFY_RESULT, EQUAL_TO, "", "0"), None);
        assert!(message(VERIFY_RESULT, EQUAL_TO, "", "-1").unwrap().contains(">= 0"));
        assert_eq!(message(DN_FIELD, "CONTAINS", "CN", "x"), None);
        assert!(message(DN_FIELD, EQUAL_TO, "1CN", "x").unwrap().contains("distinguished name"));
        assert!(message(DN_FIELD, EQUAL_TO, "", "x").unwrap().contains("a key and a value"));
    }

    proptest! {
        /// No rule that is accepted can break out of the line that it is written to.
        #[test]
        fn rules_are_one_line(kind in prop::sample::select(TYPES.to_vec()),
            comparison in prop::sample::select(COMPARISONS.to_vec()), key in "\\PC{0,6}", value in "(?s).{0,12}") {
            if message(kind, comparison, &key, &value).is_none() {
                prop_assert!(!value.contains(['\r', '\n']) && !key.contains(['\r', '\n']));
            }
        }
    }
}
