//! Neutron's `field:…=~PATTERN`: a regular expression that a text must match
//! from its start.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::literal::{ExtractKind, Extractor};

/// Memory of a compiled pattern, bytes: rules are written by people.
const SIZE: usize = 1 << 20;

/// A pattern, with the starts it comes down to where those are few: databases
/// can look for a start, but have no regular expressions in common.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    regex: Regex,
    starts: Option<Vec<String>>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// Reads a pattern; the error is a sentence.
    pub(crate) fn new(text: &str) -> Result<Pattern, String> {
        let regex = RegexBuilder::new(&format!("^(?:{text})")).size_limit(SIZE).build();
        let regex = regex.map_err(|_| format!("'{text}' is no regular expression that can be matched"))?;
        Ok(Pattern { text: text.to_owned(), regex, starts: starts(text) })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text begins with a match.
    pub(crate) fn fits(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The texts one of which a text must begin with, and need do no more.
    pub(crate) fn starts(&self) -> Option<&[String]> {
        self.starts.as_deref()
    }
}

fn starts(text: &str) -> Option<Vec<String>> {
    // Matching begins at the start anyway.
    let hir = regex_syntax::parse(text.strip_prefix('^').unwrap_or(text)).ok()?;
    if !hir.properties().look_set().is_empty() {
        return None;
    }
    let found = Extractor::new().kind(ExtractKind::Prefix).extract(&hir);
    if !found.is_exact() {
        return None;
    }
    found.literals()?.iter().map(|l| String::from_utf8(l.as_bytes().to_vec()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_starts_is_known_for_one() {
        let starts = |text: &str| Pattern::new(text).unwrap().starts().map(<[String]>::to_vec);
        assert_eq!(starts("^gadget:"), Some(vec!["gadget:".to_owned()]));
        assert_eq!(starts("(gadget|widget):"), Some(vec!["gadget:".to_owned(), "widget:".to_owned()]));
        for more in ["a$", ".*b", "a+", "a|^b"] {
            assert_eq!(starts(more), None, "{more}");
        }
    }

    #[test]
    fn a_pattern_is_matched_from_the_start() {
        let fits = |pattern: &str, text: &str| Pattern::new(pattern).unwrap().fits(text);
        assert!(fits("^gadget:", "gadget:7") && !fits("gadget:", "a gadget:7"));
        assert!(fits("a|b", "bc") && !fits("a|b", "cb"));
        assert!(fits(".*b$", "ab") && !fits(".*b$", "abc"));
        assert!(Pattern::new("(").is_err() && Pattern::new("(?=a)").is_err());
    }
}
