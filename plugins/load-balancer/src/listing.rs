//! Lists of rows that the host does not list: filters, order, pages and fields, as
//! its own lists have them.

use crate::errors;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Error, Result};
use std::cmp::Ordering;

/// The values of a parameter; it may be repeated.
fn values<'a>(asked: &'a Document, name: &str) -> Vec<&'a str> {
    match asked.get(name) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A value as a query string writes it.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_ascii_lowercase(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What is no filter.
const OTHERS: [&str; 6] = ["fields", "limit", "marker", "sort_key", "sort_dir", "page_reverse"];

fn fits(row: &Document, asked: &Document) -> bool {
    asked.iter().filter(|(name, _)| !OTHERS.contains(&name.as_str())).all(|(name, _)| {
        let wanted = values(asked, name);
        let fits = |value: &Value| wanted.iter().any(|text| text.to_ascii_lowercase() == written(value));
        match row.get(name) {
            Some(Value::Array(items)) => items.iter().any(fits),
            Some(value) => fits(value),
            None => false,
        }
    })
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => written(one).cmp(&written(other)),
    }
}

/// The rows that are asked for; `known` are the names of attributes.
pub(crate) fn page(mut rows: Vec<Document>, known: &[String], asked: &Document) -> Result<Vec<Document>> {
    let is_known = |name: &str| known.iter().any(|known| known == name);
    if let Some(name) = asked.keys().find(|name| !OTHERS.contains(&name.as_str()) && !is_known(name.as_str()))
    {
        return Err(Error::invalid(
            "HTTPBadRequest",
            format!("['{name}'] is invalid attribute for filtering"),
        ));
    }
    rows.retain(|row| fits(row, asked));
    let (keys, directions) = (values(asked, "sort_key"), values(asked, "sort_dir"));
    for (place, key) in keys.iter().enumerate().rev() {
        if !is_known(key) {
            return Err(errors::invalid_option(key, "sort_key"));
        }
        let value = |row: &Document| row.get(*key).cloned().unwrap_or_default();
        rows.sort_by(|one, other| compare(&value(one), &value(other)));
        if directions.get(place).is_some_and(|direction| *direction == "desc") {
            rows.reverse();
        }
    }
    if values(asked, "page_reverse").iter().any(|text| text.eq_ignore_ascii_case("true")) {
        rows.reverse();
    }
    if let Some(marker) = values(asked, "marker").first() {
        let place = rows.iter().position(|row| row.get("id") == Some(&json!(marker)));
        let place = place.ok_or_else(|| errors::not_found("Member", marker))?;
        rows.drain(..=place);
    }
    if let Some(limit) = values(asked, "limit").first() {
        let limit: usize = limit.parse().map_err(|_| errors::invalid_option(limit, "limit"))?;
        rows.truncate(if limit == 0 { rows.len() } else { limit });
    }
    Ok(rows.into_iter().map(|row| cut(row, asked)).collect())
}

/// Of a row the fields that are asked for.
pub(crate) fn cut(mut row: Document, asked: &Document) -> Document {
    let fields: Vec<&str> = values(asked, "fields");
    if !fields.is_empty() {
        row.retain(|name, _| fields.contains(&name.as_str()));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Document> {
        let row = |id: &str, weight: i64, tags: Value| {
            json!({"id": id, "weight": weight, "backup": weight > 1, "tags": tags})
                .as_object()
                .unwrap()
                .clone()
        };
        vec![row("a", 10, json!(["x"])), row("b", 9, json!([])), row("c", 1, json!(["x", "y"]))]
    }

    fn ids(asked: Value) -> Result<String, String> {
        let known = ["id", "weight", "backup", "tags"].map(str::to_owned);
        let found =
            page(rows(), &known, asked.as_object().unwrap()).map_err(|e| e.fault().message.clone())?;
        Ok(found.iter().filter_map(|row| row.get("id").and_then(Value::as_str)).collect())
    }

    #[test]
    fn rows_are_found_sorted_and_cut() {
        for (asked, found) in [
            (json!({}), "abc"),
            (json!({"id": ["a", "c"]}), "ac"),
            (json!({"weight": "9"}), "b"),
            (json!({"backup": "True"}), "ab"),
            (json!({"tags": "x"}), "ac"),
            (json!({"sort_key": "weight"}), "cba"),
            (json!({"sort_key": "weight", "sort_dir": "desc", "limit": "2"}), "ab"),
            (json!({"marker": "a", "limit": "1"}), "b"),
            (json!({"limit": "0"}), "abc"),
            (json!({"page_reverse": "True"}), "cba"),
            (json!({"fields": "weight"}), ""),
        ] {
            assert_eq!(ids(asked.clone()).unwrap(), found, "{asked}");
        }
        assert!(ids(json!({"nosuch": "1"})).unwrap_err().contains("invalid attribute for filtering"));
        assert!(ids(json!({"marker": "z"})).is_err() && ids(json!({"limit": "x"})).is_err());
        assert!(ids(json!({"sort_key": "nosuch"})).is_err());
    }
}
