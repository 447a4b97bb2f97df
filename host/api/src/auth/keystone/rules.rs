//! Access rules: what an application credential is restricted to.

use serde::Deserialize;

/// One thing that may be asked for.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AccessRule {
    /// The type of service in the catalogue: `network`.
    service: String,
    /// `GET`.
    method: String,
    /// `/v2.0/ports/*`; see `matches`.
    path: String,
}

impl AccessRule {
    /// Whether it allows this request to the service of that type.
    pub(super) fn allows(&self, service: &str, method: &str, path: &str) -> bool {
        self.service == service && self.method == method && matches(&self.path, path)
    }
}

/// A part of a pattern.
enum Piece<'a> {
    /// Exactly this.
    Text(&'a str),
    /// `*` or `{name}`: something, without a slash.
    Name,
    /// `**`: anything, or nothing.
    Rest,
}

/// Whether a path is as the pattern says, whole. Follows all places that the
/// pieces up to now can end at, so that no pattern takes long.
fn matches(pattern: &str, path: &str) -> bool {
    let bytes = path.as_bytes();
    let mut ends = vec![false; bytes.len() + 1];
    if let Some(start) = ends.first_mut() {
        *start = true;
    }
    for piece in pieces(pattern) {
        let mut next = vec![false; ends.len()];
        match piece {
            Piece::Text(text) => {
                for (end, _) in ends.iter().enumerate().filter(|(_, reached)| **reached) {
                    let fits = bytes.get(end..).is_some_and(|rest| rest.starts_with(text.as_bytes()));
                    if let Some(end) = next.get_mut(end + text.len()).filter(|_| fits) {
                        *end = true;
                    }
                }
            }
            Piece::Name => {
                let mut inside = false;
                for ((byte, reached), end) in bytes.iter().zip(&ends).zip(next.iter_mut().skip(1)) {
                    inside = (inside || *reached) && *byte != b'/';
                    *end = inside;
                }
            }
            Piece::Rest => {
                let mut inside = false;
                for (reached, end) in ends.iter().zip(next.iter_mut()) {
                    inside |= *reached;
                    *end = inside;
                }
            }
        }
        ends = next;
    }
    ends.last().copied().unwrap_or(false)
}

fn pieces(pattern: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        let (piece, length) = match rest.as_bytes() {
            [] => return None,
            [b'*', b'*', ..] => (Piece::Rest, 2),
            [b'*', ..] => (Piece::Name, 1),
            [b'{', ..] if rest.contains('}') => (Piece::Name, rest.find('}').unwrap_or_default() + 1),
            _ => {
                // At least one byte, so that a brace that nothing closes is a
                // text.
                let end = rest.bytes().skip(1).position(|b| b == b'*' || b == b'{');
                let length = end.map_or(rest.len(), |end| end + 1);
                (Piece::Text(rest.get(..length).unwrap_or(rest)), length)
            }
        };
        rest = rest.get(length..).unwrap_or_default();
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_and_names_are_one_part_and_two_stars_are_anything() {
        for (pattern, path, expected) in [
            ("/v2.0/ports", "/v2.0/ports", true),
            ("/v2.0/ports", "/v2.0/ports/1", false),
            ("/v2.0/ports", "/v2x0/ports", false),
            ("/v2.0/ports/*", "/v2.0/ports/1", true),
            ("/v2.0/ports/*", "/v2.0/ports/", false),
            ("/v2.0/ports/*", "/v2.0/ports/1/tags", false),
            ("/v2.0/ports/{port_id}/tags", "/v2.0/ports/1/tags", true),
            ("/v2.0/*/1", "/v2.0/ports/1", true),
            ("/v2.0/**", "/v2.0/ports/1/tags", true),
            ("/v2.0/**", "/v2.0/", true),
            ("**", "", true),
            ("/v2.0**/tags", "/v2.0/ports/1/tags", true),
            ("/a{b", "/a{b", true),
            ("", "/", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_rule_is_for_one_service_and_one_method() {
        let rule = AccessRule { service: "network".into(), method: "GET".into(), path: "/v2.0/**".into() };
        assert!(rule.allows("network", "GET", "/v2.0/ports"));
        assert!(!rule.allows("network", "POST", "/v2.0/ports"));
        assert!(!rule.allows("compute", "GET", "/v2.0/ports"));
    }

    proptest! {
        #[test]
        fn whatever_the_pattern_is_texts_match_themselves(text in "[a-z/.{é]{0,20}", pattern in "[a/*{}é]{0,40}") {
            prop_assume!(!text.contains('}'));
            prop_assert!(matches(&text, &text));
            prop_assert!(matches("**", &text));
            matches(&pattern, &text);
        }
    }
}
