//! What every message is wrapped in.

use crate::Version;
use serde_json::{Map, Value, json};

const VERSION_KEY: &str = "oslo.version";
const MESSAGE_KEY: &str = "oslo.message";
/// The version spoken here.
const VERSION: Version = Version { major: 2, minor: 0 };

/// Bytes that are no message: a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(super) String);

pub(super) fn malformed(why: impl Into<String>) -> Malformed {
    Malformed(why.into())
}

/// Wraps a message.
pub(super) fn wrap(message: &Value) -> Vec<u8> {
    json!({VERSION_KEY: VERSION.to_string(), MESSAGE_KEY: message.to_string()}).to_string().into_bytes()
}

/// Takes a message out of what it is wrapped in. A body that is no envelope is
/// the message itself.
pub(super) fn unwrap(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    let mut outer: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| malformed(format!("it is no JSON object: {error}")))?;
    if !(outer.contains_key(VERSION_KEY) && outer.contains_key(MESSAGE_KEY)) {
        return Ok(outer);
    }
    let version = outer.get(VERSION_KEY).and_then(Value::as_str).unwrap_or_default();
    if !version.parse().is_ok_and(|sender| VERSION.understands(sender)) {
        return Err(malformed(format!("its envelope is of version '{version}', not of {VERSION}")));
    }
    match outer.remove(MESSAGE_KEY) {
        Some(Value::String(text)) => serde_json::from_str(&text)
            .map_err(|error| malformed(format!("what is in the envelope is no JSON object: {error}"))),
        _ => Err(malformed("what is in the envelope is no text")),
    }
}

/// A text of a message, or what stands for one where it is absent or null.
pub(super) fn text(message: &mut Map<String, Value>, key: &str) -> Result<Option<String>, Malformed> {
    match message.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(malformed(format!("'{key}' is no text"))),
    }
}
