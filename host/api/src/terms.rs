//! What a write's request says about how it is to be done, and what its answer
//! says about how it was.

use crate::error::{bad_request, invalid_input, text_answer};
use crate::listing;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use hadron_runtime::{Answered, Caller, Refusal, Terms};
use hadron_store::Once;
use sha2::{Digest, Sha256};

/// Says that nothing was done, and that ids in the answer are made up.
const DRY_RUN: HeaderName = HeaderName::from_static("x-hadron-dry-run");

/// Names a request that is to be done once.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that the answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Longest key, in bytes.
const KEY_LENGTH: usize = 255;

/// A hash of what a request asks for.
#[derive(Clone)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Of a request that has no body yet.
    pub(crate) fn new(method: &Method, uri: &Uri) -> Fingerprint {
        let mut hash = Sha256::new();
        hash.update(method.as_str());
        hash.update(" ");
        hash.update(uri.path_and_query().map_or("/", |path| path.as_str()));
        hash.update("\n");
        Fingerprint(hash)
    }

    /// And now with its body.
    pub(crate) fn body(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

/// The terms of a request.
pub(crate) fn of(
    query: &str,
    headers: &HeaderMap,
    caller: &Caller,
    fingerprint: Fingerprint,
) -> Result<Terms, Refusal> {
    let once = key(headers)?.map(|key| Once {
        project: caller.project_id.clone(),
        user: caller.user_id.clone(),
        key,
        fingerprint: hex::encode(fingerprint.0.finalize()),
    });
    Ok(Terms { dry_run: dry_run(query)?, once })
}

fn dry_run(query: &str) -> Result<bool, Refusal> {
    let parameters = listing::parameters(query)?;
    let mut given = parameters.iter().filter(|(name, _)| name == "dry_run").map(|(_, value)| value);
    let Some(value) = given.next() else { return Ok(false) };
    if given.next().is_some() {
        return Err(bad_request("dry_run is given twice"));
    }
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(invalid_input(&format!("'{value}' cannot be converted to boolean"))),
    }
}

/// The key, which may stand in quotes.
fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut given = headers.get_all(KEY).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    if text.is_empty() || text.len() > KEY_LENGTH || given.next().is_some() {
        return Err(bad_request(format!(
            "An Idempotency-Key is 1 to {KEY_LENGTH} printable characters, given once"
        )));
    }
    Ok(Some(text.to_owned()))
}

/// The answer over HTTP.
pub(crate) fn answer(answered: Answered, dry_run: bool) -> Response {
    let Answered { answer, replayed } = answered;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = if answer.body.is_empty() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response
    } else {
        text_answer(status, answer.body)
    };
    for (name, _) in [(DRY_RUN, dry_run), (REPLAYED, replayed)].into_iter().filter(|(_, says)| *says) {
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_is_asked_for_clearly_or_not_at_all() {
        let asked = |query: &str| dry_run(query).map_err(|refusal| refusal.message);
        assert_eq!(asked(""), Ok(false));
        assert_eq!(asked("a=b&dry_run=True"), Ok(true));
        assert_eq!(asked("dry_run=0"), Ok(false));
        assert_eq!(
            asked("dry_run=yes"),
            Err("Invalid input for operation: 'yes' cannot be converted to boolean.".to_owned())
        );
        assert_eq!(asked("dry_run=1&dry_run=0"), Err("dry_run is given twice".to_owned()));
    }

    #[test]
    fn keys_are_short_texts() {
        let asked = |value: &str| key(&HeaderMap::from_iter([(KEY, HeaderValue::from_str(value).unwrap())]));
        assert_eq!(asked("abc").unwrap().as_deref(), Some("abc"));
        assert_eq!(asked("\"a b\"").unwrap().as_deref(), Some("a b"));
        for bad in ["", "\"\"", "é", &"k".repeat(256)] {
            assert!(asked(bad).is_err(), "{bad}");
        }
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn method_path_query_and_body_all_count() {
        let print = |method: Method, uri: &'static str, body: &str| {
            let mut fingerprint = Fingerprint::new(&method, &Uri::from_static(uri));
            fingerprint.body(body.as_bytes());
            hex::encode(fingerprint.0.finalize())
        };
        let one = print(Method::POST, "/v2.0/gadgets", "{}");
        assert_eq!(one, print(Method::POST, "/v2.0/gadgets", "{}"));
        assert_ne!(one, print(Method::PUT, "/v2.0/gadgets", "{}"));
        assert_ne!(one, print(Method::POST, "/v2.0/gadgets?a=b", "{}"));
        assert_ne!(one, print(Method::POST, "/v2.0/gadgets", "{} "));
    }
}
