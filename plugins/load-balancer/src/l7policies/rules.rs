//! What a policy does, and where it stands. In Octavia:
//! `sanitize_l7policy_api_args`, `L7PolicyRepository._validate_l7policy_pool_data`.

use crate::document::{given, number};
use crate::errors;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result};

const TO_URL: &str = "REDIRECT_TO_URL";
const TO_POOL: &str = "REDIRECT_TO_POOL";
const TO_PREFIX: &str = "REDIRECT_PREFIX";
const REJECT: &str = "REJECT";
/// In Octavia: `SUPPORTED_L7POLICY_ACTIONS`.
pub(crate) const ACTIONS: [&str; 4] = [REJECT, TO_POOL, TO_PREFIX, TO_URL];
/// In Octavia: `SUPPORTED_L7POLICY_REDIRECT_HTTP_CODES`.
pub(crate) const CODES: [i64; 5] = [301, 302, 303, 307, 308];
/// Where a policy stands of which nothing else is said: at the end.
pub(crate) const LAST: i64 = i32::MAX as i64;

/// What each action needs.
const TARGETS: [(&str, &str); 3] =
    [(TO_URL, "redirect_url"), (TO_POOL, "redirect_pool_id"), (TO_PREFIX, "redirect_prefix")];
const CODE: &str = "redirect_http_code";

/// Makes what is asked for whole: a target stands for its action where none is
/// said, an action must have its target, and targets of others go.
pub(crate) fn settle(asked: &mut Document) -> Result<()> {
    if given(asked, "redirect_pool_id").is_some() && given(asked, "redirect_url").is_some() {
        return Err(errors::policy_arguments(
            "Cannot specify redirect_pool_id and redirect_url at the same time",
        ));
    }
    let action = match given(asked, "action") {
        Some(action) => Some(action.to_owned()),
        None => TARGETS
            .iter()
            .find(|(_, target)| given(asked, target).is_some())
            .map(|(action, _)| (*action).to_owned()),
    };
    let Some(action) = action else { return Ok(()) };
    for (of, target) in TARGETS {
        match given(asked, target) {
            Some(url) if of == action => {
                if target != "redirect_pool_id" && !is_url(url) {
                    return Err(errors::pattern(target, url, "of a URL"));
                }
            }
            None if of == action => {
                let named =
                    if target == "redirect_pool_id" { "redirect_pool_id or redirect_pool" } else { target };
                return Err(errors::policy_arguments(&format!("{named} must not be None")));
            }
            _ => {
                asked.insert(target.to_owned(), Value::Null);
            }
        }
    }
    match [TO_URL, TO_PREFIX].contains(&action.as_str()) {
        true if number(asked, CODE).is_none() => asked.insert(CODE.to_owned(), json!(302)),
        true => None,
        false => asked.insert(CODE.to_owned(), Value::Null),
    };
    asked.insert("action".to_owned(), Value::from(action));
    Ok(())
}

/// Whether it is absolute and of HTTP.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && !text.contains(char::is_whitespace)
    })
}

/// The order of policies in which this one stands at that place, counted from 1,
/// or at the end where that is nearer.
pub(crate) fn placed(others: &[String], id: &str, position: i64) -> Vec<String> {
    let mut order: Vec<String> = others.iter().filter(|other| *other != id).cloned().collect();
    let place = usize::try_from(position.max(1) - 1).unwrap_or(usize::MAX).min(order.len());
    order.insert(place, id.to_owned());
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settled(asked: Value) -> Result<Value, String> {
        let mut asked = asked.as_object().unwrap().clone();
        settle(&mut asked).map_err(|error| error.fault().message.clone())?;
        Ok(Value::Object(asked))
    }

    #[test]
    fn redirects_need_their_target_and_lose_others() {
        let made =
            settled(json!({"action": TO_URL, "redirect_url": "http://x/", "redirect_prefix": "http://y"}));
        assert_eq!(
            made.unwrap(),
            json!({"action": TO_URL, "redirect_url": "http://x/", "redirect_prefix": null,
                "redirect_pool_id": null, CODE: 302})
        );
        let rejects = settled(json!({"action": REJECT, "redirect_url": "http://x/", CODE: 301})).unwrap();
        assert_eq!((&rejects["redirect_url"], &rejects[CODE]), (&Value::Null, &Value::Null));
        for (action, message) in [
            (TO_URL, "redirect_url must not be None"),
            (TO_POOL, "redirect_pool_id or redirect_pool must not be None"),
            (TO_PREFIX, "redirect_prefix must not be None"),
        ] {
            let refused = settled(json!({ "action": action })).unwrap_err();
            assert_eq!(refused, format!("Invalid L7 Policy arguments: {message}"));
        }
        assert!(settled(json!({"redirect_pool_id": "p", "redirect_url": "http://x"})).is_err());
    }

    #[test]
    fn a_target_stands_for_its_action() {
        assert_eq!(settled(json!({"redirect_pool_id": "p"})).unwrap()["action"], TO_POOL);
        assert_eq!(settled(json!({"name": "x"})).unwrap(), json!({"name": "x"}));
    }

    #[test]
    fn urls_are_absolute() {
        for good in ["http://x", "https://example.org/a?b#c"] {
            assert!(is_url(good), "{good}");
        }
        for bad in ["", "/x", "ftp://x", "http://", "http://a b", "example.org"] {
            assert!(!is_url(bad), "{bad}");
        }
    }

    proptest! {
        /// A policy stands where it is asked to, or at the end; the others keep
        /// their order.
        #[test]
        fn policies_keep_their_order(count in 0..8_usize, own in 0..10_usize, position in -2..12_i64) {
            let others: Vec<String> = (0..count).map(|id| id.to_string()).collect();
            let id = own.to_string();
            let order = placed(&others, &id, position);
            let rest: Vec<&String> = order.iter().filter(|one| **one != id).collect();
            prop_assert_eq!(&rest, &others.iter().filter(|one| **one != id).collect::<Vec<_>>());
            let place = order.iter().position(|one| *one == id).unwrap() as i64 + 1;
            prop_assert_eq!(place, position.clamp(1, order.len() as i64));
        }
    }
}
