//! The operator's file of rules: YAML, or JSON, which is YAML too.

use super::parse::{Check, Written};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;

/// A rule of the operator's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Override {
    /// Its name.
    pub(crate) name: String,
    /// Where it stands, from 1.
    pub(crate) line: u64,
    /// As read.
    pub(crate) check: Check,
    rule: Written,
}

impl Override {
    /// As it was written; a rule in the older form as JSON.
    pub(crate) fn written(&self) -> String {
        match &self.rule {
            Written::Text(text) => text.clone(),
            list => serde_json::to_string(list).unwrap_or_default(),
        }
    }
}

/// Reads a file's text. The error is a sentence for each thing that is wrong,
/// with its line.
pub(crate) fn read(text: &str) -> Result<Vec<Override>, String> {
    // Neither format knows a document without content.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let rules: Option<Rules> = serde_saphyr::from_str(text).map_err(|e| sentence(&e))?;
    let mut problems = Vec::new();
    let mut overrides = Vec::new();
    for (name, Spanned { value, referenced, .. }) in rules.unwrap_or_default().0 {
        let line = referenced.line();
        let rule = match value {
            Some(rule) => rule,
            None => {
                problems.push(format!(
                    "line {line}: '{name}' has no rule: write \"\" or \"@\" to allow everybody"
                ));
                continue;
            }
        };
        match rule.parse() {
            Ok(check) => overrides.push(Override { name, line, check, rule }),
            Err(problem) => problems.push(format!("line {line}: '{name}': {problem}")),
        }
    }
    if problems.is_empty() { Ok(overrides) } else { Err(problems.join("; ")) }
}

/// The first line of what the reader says, which names the line.
fn sentence(error: &serde_saphyr::Error) -> String {
    let place = error.location().map_or(String::new(), |l| format!("line {}: ", l.line()));
    let said = error.without_snippet().to_string();
    format!("{place}{}", said.lines().next().unwrap_or_default())
}

#[derive(Default)]
struct Rules(Vec<(String, Spanned<Option<Written>>)>);

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rules, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Rules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("rules by name, as `get_thing: \"role:reader\"`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rules, A::Error> {
                let mut rules = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    rules.push(entry);
                }
                Ok(Rules(rules))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<(String, u64, String)> {
        let read = read(text).unwrap().into_iter();
        read.map(|one| (one.name, one.line, one.check.to_string())).collect()
    }

    #[test]
    fn rules_come_from_yaml_and_from_json() {
        let own =
            |line| ("get_gadget".to_owned(), line, "(role:reader and project_id:%(project_id)s)".to_owned());
        let text = "# mine\n\"get_gadget\": \"role:reader and project_id:%(project_id)s\"\n";
        assert_eq!(lines(text), [own(2)]);
        let json = "{\n  \"get_gadget\": \"role:reader and project_id:%(project_id)s\",\n  \"x\": \"!\"\n}";
        assert_eq!(lines(json), [own(2), ("x".to_owned(), 3, "!".to_owned())]);
        let old = "get_gadget: [[\"role:reader\", \"project_id:%(project_id)s\"]]";
        assert_eq!(lines(old), [own(1)]);
        assert_eq!(lines("# nothing\n\n"), []);
        assert_eq!(lines("{}"), []);
        assert_eq!(lines("a: \"\""), [("a".to_owned(), 1, "@".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, said) in [
            ("a: '@'\nb: 'role:'x\n", "line 2"),
            ("a: '@'\nb: 'role:x and'\n", "line 2: 'b': the policy rule ends too early"),
            ("a: '@'\n\nb:\n", "'b' has no rule"),
            ("a: '@'\na: '!'\n", "line 2"),
            ("- a\n", "line 1"),
            ("a: 7\n", "line 1"),
            ("a: 'http://x/%(y)s'\n", "would ask a remote server"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(said), "{text:?}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[a-c:'\"\\[\\]{}&*!|>#%@, \n-]{0,60}") {
            drop(read(&text));
        }
    }

    #[test]
    fn no_depth_makes_the_reader_overflow() {
        for text in ["[".repeat(100_000), "a: ".to_owned() + &"[".repeat(100_000), "{a: ".repeat(100_000)] {
            assert!(read(&text).is_err());
        }
    }
}
