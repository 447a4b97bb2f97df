//! The members of a JSON object, as slices of its text.
//!
//! Rows are kept and sent as text; where single members must be left out of a
//! row that was not read through a view, this finds them without building a
//! tree. The text comes from the database or from the runtime and is valid
//! JSON; of anything else it yields less, never a panic.

/// The members of the object's text, in order: name (as written, without
/// quotes) and value.
pub(crate) fn members(object: &str) -> Members<'_> {
    let rest = object.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or_default();
    Members { rest }
}

/// The object's text without the members of these names.
pub(crate) fn without(object: &str, hidden: &[String]) -> String {
    let mut out = String::with_capacity(object.len());
    out.push('{');
    for (name, value) in members(object).filter(|(name, _)| !hidden.iter().any(|h| h == name)) {
        if out.len() > 1 {
            out.push(',');
        }
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        out.push_str(value);
    }
    out.push('}');
    out
}

/// See [`members`].
pub(crate) struct Members<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        let text = text.strip_prefix('"')?;
        let end = string_end(text)?;
        let (name, after) = (text.get(..end)?, text.get(end + 1..)?);
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        let end = value_end(value);
        self.rest = value.get(end..).unwrap_or_default();
        Some((name, value.get(..end)?.trim_end()))
    }
}

/// Where the closing quote of a string is, whose opening one is gone.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Where the value at the start of the text ends: at a comma of its own level.
fn value_end(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0u32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            b',' if !quoted && depth == 0 => return at,
            _ => {}
        }
        escaped = quoted && byte == b'\\' && !escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    #[test]
    fn members_are_left_out_and_the_rest_is_untouched() {
        let text = r#"{"a": {"x": [1, "},\""]}, "b:c":"q\\", "d": null}"#;
        assert_eq!(without(text, &["b:c".to_owned()]), r#"{"a":{"x": [1, "},\""]},"d":null}"#);
        assert_eq!(without(text, &[]), r#"{"a":{"x": [1, "},\""]},"b:c":"q\\","d":null}"#);
        assert_eq!(without("{}", &[]), "{}");
    }

    proptest! {
        #[test]
        fn the_members_of_any_object_are_those_of_a_real_parser(pairs in prop::collection::vec(("[a-z:_]{1,6}", any::<String>(), any::<i64>()), 0..6)) {
            let object: Map<String, Value> =
                pairs.into_iter().map(|(name, text, number)| (name, json!([text, {"n": number, "t": text}]))).collect();
            let text = Value::from(object.clone()).to_string();
            let found: Map<String, Value> = members(&text)
                .map(|(name, value)| (name.to_owned(), serde_json::from_str(value).unwrap()))
                .collect();
            prop_assert_eq!(found, object);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            members(&text).count();
        }
    }
}
