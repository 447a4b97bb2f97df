//! Request bodies: bytes to documents.

use crate::error::{bad_request, too_large};
use crate::tables::Resource;
use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use bytes::Bytes;
use hadron_runtime::Refusal;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// Largest body, in bytes. A bulk request of 1,000 rows takes a tenth of it.
pub(crate) const LIMIT: usize = 8 << 20;

/// How long the rest of a body is waited for that nobody wants.
const PATIENCE: Duration = Duration::from_secs(2);

/// A body that comes back when nobody has read it to its end.
///
/// What is left of it must be taken from the connection before the answer is
/// sent. Otherwise the connection is closed over it, which resets it, and the
/// client may lose the answer: a 401, or a list, of a request that came with a
/// body.
struct Lent {
    body: Body,
    back: Option<oneshot::Sender<Body>>,
}

/// Where a body comes back to.
pub(crate) struct Rest(Option<oneshot::Receiver<Body>>);

/// Lends a request's body to whoever may read it.
pub(crate) fn lend(body: Body, headers: &HeaderMap) -> (Body, Rest) {
    // Who asks first whether to send it is not to be told to.
    if body.is_end_stream() || headers.contains_key(EXPECT) {
        return (body, Rest(None));
    }
    let (back, rest) = oneshot::channel();
    (Body::new(Lent { body, back: Some(back) }), Rest(Some(rest)))
}

impl Rest {
    /// Reads on to the end of the body, unless it is very long or slow.
    pub(crate) async fn discard(self) {
        let Some(Ok(rest)) = self.0.map(|mut rest| rest.try_recv()) else { return };
        let mut rest = Limited::new(rest, LIMIT);
        let end = async { while let Some(Ok(_)) = rest.frame().await {} };
        // Then the connection is closed over it.
        let _ = tokio::time::timeout(PATIENCE, end).await;
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.back = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take().filter(|_| !self.body.is_end_stream()) {
            // Nobody waits for it any more: the client is gone.
            let _ = back.send(std::mem::replace(&mut self.body, Body::empty()));
        }
    }
}

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
    // One and several may be called the same: several are a list.
    let one = |given: &Value| resource.name == resource.member && !given.is_array();
    if body.get(&resource.name).is_none_or(one) {
        return Ok(Bodies { documents: vec![single(body, &resource.member)?], bulk: false });
    }
    match body.remove(&resource.name) {
        Some(Value::Array(items)) if !items.is_empty() => {
            let documents = items
                .into_iter()
                .map(|item| match item {
                    Value::Object(item) if item.contains_key(&resource.member) => {
                        single(item, &resource.member)
                    }
                    Value::Object(item) => Ok(item),
                    _ => Err(holds_invalid(&resource.member)),
                })
                .collect::<Result<_, _>>()?;
            Ok(Bodies { documents, bulk: true })
        }
        None | Some(Value::Array(_) | Value::Null) => Err(bad_request("Resources required")),
        Some(_) => Err(holds_invalid(&resource.name)),
    }
}

/// The document of `{"gadget": {…}}`.
pub(crate) fn document(bytes: &[u8], resource: &Resource) -> Result<Map<String, Value>, Refusal> {
    member(bytes, &resource.member)
}

/// The object of that name in the bytes of a body.
pub(crate) fn member(bytes: &[u8], name: &str) -> Result<Map<String, Value>, Refusal> {
    single(object(bytes)?, name)
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

/// The object of that name in a body.
pub(crate) fn single(mut body: Map<String, Value>, name: &str) -> Result<Map<String, Value>, Refusal> {
    match body.remove(name) {
        Some(Value::Object(document)) => Ok(document),
        None | Some(Value::Null) => Err(bad_request(format!("Unable to find '{name}' in request body"))),
        Some(_) => Err(holds_invalid(name)),
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

    #[test]
    fn one_and_several_may_be_called_the_same() {
        let tables = tables();
        let mut named = tables.at("gadgets").unwrap().as_ref().clone();
        named.name.clone_from(&named.member);
        for (body, expected) in [
            (r#"{"gadget": {"name": "a"}}"#, Ok((1, false))),
            (r#"{"gadget": [{"name": "a"}, {"gadget": {}}]}"#, Ok((2, true))),
            (r#"{"gadget": []}"#, Err("Resources required")),
            (r#"{"gadget": null}"#, Err("Unable to find 'gadget' in request body")),
            (r#"{"gadget": 5}"#, Err("Object 'gadget' contains invalid data")),
            ("{}", Err("Unable to find 'gadget' in request body")),
        ] {
            let read = documents(body.as_bytes(), &named).map(|b| (b.documents.len(), b.bulk));
            assert_eq!(read.map_err(|r| r.message), expected.map_err(str::to_owned), "{body}");
        }
    }

    #[tokio::test]
    async fn what_nobody_read_is_read_before_the_answer() {
        let pieces = || futures::stream::iter(["a", "b", "c"].map(Ok::<_, std::io::Error>));
        let seen = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = seen.clone();
        let counted = futures::StreamExt::inspect(pieces(), move |_| {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        let (lent, rest) = lend(Body::from_stream(counted), &HeaderMap::new());
        drop(lent);
        rest.discard().await;
        assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 3);
        let (lent, rest) = lend(Body::from_stream(pieces()), &HeaderMap::new());
        assert_eq!(read(lent).await.unwrap(), "abc");
        rest.discard().await;
    }

    /// JSON in the spellings that parsers differ about.
    fn odd_json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just(r#""\ud800""#.to_owned()),
            Just(r#""\ud83d\ude00""#.to_owned()),
            Just(r#""\u0000""#.to_owned()),
            Just("1e999".to_owned()),
            Just("-0".to_owned()),
            Just("123456789012345678901234567890".to_owned()),
            Just("0.1e-400".to_owned()),
            Just("NaN".to_owned()),
            Just("null".to_owned()),
            "\"[a-zß]{0,6}\"",
        ];
        leaf.prop_recursive(6, 40, 4, |inner| {
            let key = prop_oneof![Just("gadget"), Just("gadgets"), Just("name"), Just("")];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                // Names come twice.
                prop::collection::vec((key, inner), 0..4).prop_map(|members| {
                    let members: Vec<String> = members.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            message(&bytes);
        }

        /// Whatever is sent is understood or refused as a bad request; what is
        /// understood holds nothing that a database cannot keep.
        #[test]
        fn odd_documents_are_understood_or_refused(body in odd_json()) {
            let tables = tables();
            match documents(body.as_bytes(), tables.at("gadgets").unwrap()) {
                Ok(bodies) => {
                    prop_assert!(!bodies.documents.is_empty());
                    let kept = serde_json::to_string(&bodies.documents).unwrap();
                    prop_assert!(!kept.contains("u0000"));
                    prop_assert_eq!(serde_json::from_str::<Vec<Map<String, Value>>>(&kept).unwrap(), bodies.documents);
                }
                Err(refusal) => prop_assert_eq!(refusal.status, hadron_runtime::Status::Invalid),
            }
        }
    }
}
