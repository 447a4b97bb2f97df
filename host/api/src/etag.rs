//! Entity tags: a client that has an answer already is told so instead of
//! getting it again.
//!
//! A tag is a hash of the very text. Nothing less would do: what a row shows
//! depends on the caller, on `fields`, and on other rows (the ids of those that
//! refer to it), whose changes leave its revision as it is.

use crate::error::text_answer;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use sha2::{Digest, Sha256};

/// Bytes of the hash that a tag shows.
const SHOWN: usize = 16;

/// The tag of a body.
pub(crate) fn of(body: &str) -> String {
    let hash = Sha256::digest(body.as_bytes());
    format!("\"{}\"", hex::encode(hash.get(..SHOWN).unwrap_or_default()))
}

/// The answer to a look: the body, or 304 where the client has it.
pub(crate) fn answer(headers: &HeaderMap, body: String) -> Response {
    let tag = of(&body);
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut response = if known.flat_map(tags).any(|known| known == "*" || known == tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        text_answer(StatusCode::OK, body)
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The tags that `If-Match` names; none where it names none, as in Neutron's
/// own form, `revision_number=N`.
pub(crate) fn required(headers: &HeaderMap) -> Option<Vec<String>> {
    let given = headers.get(header::IF_MATCH)?.to_str().ok()?;
    let named: Vec<String> = tags(given).filter(|tag| tag.starts_with('"')).map(str::to_owned).collect();
    (!named.is_empty()).then_some(named)
}

/// The tags of a header, the mark of weak ones taken off: a proxy that packs an
/// answer makes its tag weak.
fn tags(header: &str) -> impl Iterator<Item = &str> {
    header.split(',').map(|tag| tag.trim().trim_start_matches("W/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let tag = of("{}");
        let status = |known: &str| answer(&asked(header::IF_NONE_MATCH, known), "{}".to_owned()).status();
        for known in [tag.as_str(), "*", &format!("\"x\", {tag}"), &format!("W/{tag}")] {
            assert_eq!(status(known), StatusCode::NOT_MODIFIED, "{known}");
        }
        for other in ["\"x\"", tag.trim_matches('"'), ""] {
            assert_eq!(status(other), StatusCode::OK, "{other}");
        }
        let first = answer(&HeaderMap::new(), "{}".to_owned());
        assert_eq!(
            (first.status(), first.headers()[header::ETAG].to_str().unwrap()),
            (StatusCode::OK, &*tag)
        );
    }

    #[test]
    fn only_quoted_tags_are_required() {
        let named = |value: &str| required(&asked(header::IF_MATCH, value));
        assert_eq!(named("\"a\", W/\"b\""), Some(vec!["\"a\"".to_owned(), "\"b\"".to_owned()]));
        for other in ["revision_number=3", "nonsense", "*"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
