//! Values as Neutron's messages write them.
//!
//! Its messages are made with Python's `%s`, so clients and their tests see
//! `'True'`, `None` and `{'a': 1}` rather than JSON.

use serde_json::Value;
use std::fmt::Write;

/// What Python's `str()` gives for the value.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// What Python's `repr()` gives for the value.
pub(crate) fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(value, &mut out);
    out
}

/// What Python's `repr()` gives for a list of texts.
pub(crate) fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    repr(&Value::from(items.into_iter().map(Value::from).collect::<Vec<_>>()))
}

fn write_repr(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        // Writing into a string cannot fail.
        Value::Number(number) => drop(write!(out, "{number}")),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_repr(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (name, item)) in members.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                quote(name, out);
                out.push_str(": ");
                write_repr(item, out);
            }
            out.push('}');
        }
    }
}

fn quote(text: &str, out: &mut String) {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(mark);
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == mark => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => drop(write!(out, "\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(mark);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_as_python_writes_them() {
        assert_eq!(text(&json!("it's")), "it's");
        assert_eq!(text(&json!(true)), "True");
        assert_eq!(text(&json!(null)), "None");
        assert_eq!(text(&json!(["a", 1, {"b": false}])), "['a', 1, {'b': False}]");
        assert_eq!(repr(&json!("it's")), "\"it's\"");
        assert_eq!(list(["up"]), "['up']");
    }
}
