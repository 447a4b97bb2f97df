//! Request bodies: bytes to documents.

use crate::error::{bad_request, too_large};
use crate::tables::Resource;
use axum::body::Body;
use bytes::Bytes;
use hadron_runtime::Refusal;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

/// Largest body, in bytes. A bulk request of 1,000 rows takes a tenth of it.
pub(crate) const LIMIT: usize = 8 << 20;

/// What a create asks for.
pub(crate) struct Bodies {
    /// The documents.
    pub(crate) documents: Vec<Map<String, Value>>,
    /// Whether they came as a list.
    pub(crate) bulk: bool,
}

/// Reads the body to its end.
pub(crate) async fn read(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, LIMIT).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(LIMIT)),
        Err(error) => {
            tracing::debug!(%error, "the request's body ended early");
            Err(invalid())
        }
    }
}

/// The documents of `{"gadget": {…}}` or `{"gadgets": [{…}, …]}`.
pub(crate) fn documents(bytes: &[u8], resource: &Resource) -> Result<Bodies, Refusal> {
    let mut body = object(bytes)?;
    match body.remove(&resource.name) {
        None => Ok(Bodies { documents: vec![single(body, resource)?], bulk: false }),
        Some(Value::Array(items)) if !items.is_empty() => {
            let documents = items
                .into_iter()
                .map(|item| match item {
                    Value::Object(item) if item.contains_key(&resource.member) => single(item, resource),
                    Value::Object(item) => Ok(item),
                    _ => Err(holds_invalid(&resource.member)),
                })
                .collect::<Result<_, _>>()?;
            Ok(Bodies { documents, bulk: true })
        }
        Some(Value::Array(_) | Value::Null) => Err(bad_request("Resources required")),
        Some(_) => Err(holds_invalid(&resource.name)),
    }
}

/// The document of `{"gadget": {…}}`.
pub(crate) fn document(bytes: &[u8], resource: &Resource) -> Result<Map<String, Value>, Refusal> {
    single(object(bytes)?, resource)
}

/// Any JSON; an empty body is an empty object.
pub(crate) fn anything(bytes: &[u8]) -> Result<Value, Refusal> {
    if bytes.is_empty() {
        return Ok(Value::from(Map::new()));
    }
    // Deeper than 128 levels is refused by the parser; what is not UTF-8, too.
    let value: Value = serde_json::from_slice(bytes).map_err(|_| invalid())?;
    // No database keeps a NUL in text. The search for its escape is cheap and
    // nearly always in vain.
    if bytes.windows(5).any(|w| w == b"u0000") && holds_nul(&value) {
        return Err(invalid());
    }
    Ok(value)
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match anything(bytes)? {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        _ => Err(invalid()),
    }
}

fn single(mut body: Map<String, Value>, resource: &Resource) -> Result<Map<String, Value>, Refusal> {
    match body.remove(&resource.member) {
        Some(Value::Object(document)) => Ok(document),
        None | Some(Value::Null) => {
            Err(bad_request(format!("Unable to find '{}' in request body", resource.member)))
        }
        Some(_) => Err(holds_invalid(&resource.member)),
    }
}

fn invalid() -> Refusal {
    bad_request("Body contains invalid data")
}

fn holds_invalid(name: &str) -> Refusal {
    bad_request(format!("Object '{name}' contains invalid data"))
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, item)| name.contains('\0') || holds_nul(item)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::tables;
    use proptest::prelude::*;

    fn message(body: &[u8]) -> String {
        let tables = tables();
        documents(body, tables.at("gadgets").unwrap())
            .map(|b| b.documents.len().to_string())
            .unwrap_or_else(|r| r.message)
    }

    #[test]
    fn bodies_that_cannot_be_used_are_told_as_neutron_tells_them() {
        for (body, expected) in [
            ("{bad", "Body contains invalid data"),
            ("", "Unable to find 'gadget' in request body"),
            ("null", "Unable to find 'gadget' in request body"),
            ("<a/>", "Body contains invalid data"),
            ("[]", "Body contains invalid data"),
            ("1e999", "Body contains invalid data"),
            (r#"{"thing": {}}"#, "Unable to find 'gadget' in request body"),
            (r#"{"gadget": []}"#, "Object 'gadget' contains invalid data"),
            (r#"{"gadgets": []}"#, "Resources required"),
            (r#"{"gadgets": {}}"#, "Object 'gadgets' contains invalid data"),
            (r#"{"gadgets": [5]}"#, "Object 'gadget' contains invalid data"),
            (r#"{"gadget": {"name": "a\u0000b"}}"#, "Body contains invalid data"),
            (r#"{"gadget": {"name": "\\u0000"}}"#, "1"),
            (r#"{"gadgets": [{}, {"gadget": {}}]}"#, "2"),
        ] {
            assert_eq!(message(body.as_bytes()), expected, "{body}");
        }
        assert_eq!(message(&[b'"', 0xff, b'"']), "Body contains invalid data");
        assert_eq!(message("[".repeat(100_000).as_bytes()), "Body contains invalid data");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            message(&bytes);
        }
    }
}
