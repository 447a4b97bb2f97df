//! `GET /docs`: a page that reads the description and shows it.
//!
//! It is one file without outside resources. What may run in it is named by
//! hash in its Content-Security-Policy, so that a text of a plugin which found
//! its way into the page could do nothing there.

use super::Served;
use axum::http::HeaderValue;
use base64::Engine;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

/// The page.
pub(crate) fn page() -> Served {
    let policy = format!(
        "default-src 'none'; connect-src 'self'; script-src {}; style-src {}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(between("<script>", "</script>")),
        hash(between("<style>", "</style>")),
    );
    Served { policy: HeaderValue::from_str(&policy).ok(), ..Served::new("text/html; charset=utf-8", PAGE) }
}

fn between(start: &str, end: &str) -> &'static str {
    let inner = PAGE.split_once(start).and_then(|(_, rest)| rest.split_once(end));
    inner.map_or("", |(inner, _)| inner)
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_asks_nobody_else() {
        assert!(PAGE.len() < 30_000, "{} bytes", PAGE.len());
        for outside in ["http://", "https://", "src=", "@import", "url(", "<link", "style=\"", "onclick"] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
        assert!(between("<script>", "</script>").len() > 1000);
        assert!(between("<style>", "</style>").len() > 500);
    }

    #[test]
    fn only_what_is_named_by_hash_may_run() {
        let policy = page().policy.unwrap();
        let policy = policy.to_str().unwrap();
        assert_eq!(policy.matches("'sha256-").count(), 2);
        assert!(!policy.contains("unsafe"));
    }
}
