//! Parameters: in paths, in query strings, in headers.

use super::schema;
use crate::listing::{self, Kind, SUBSTRING};
use crate::tables::Resource;
use crate::view::Mask;
use hadron_manifest::{Attribute, Column, ListTable, Validator};
use serde_json::{Value, json};

/// An id in a path; what it is called there.
pub(super) fn id(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
}

/// `fields`, which shows and lists have.
pub(super) fn fields(resource: &Resource) -> Value {
    let description = "Only these attributes; repeated for each. Names that nobody knows leave nothing.";
    json!({
        "name": "fields", "in": "query", "description": description,
        "schema": {"type": "array", "items": {"type": "string", "examples": resource.shown}},
    })
}

/// The revision a change is bound to.
pub(super) fn if_match() -> Value {
    json!({
        "name": "If-Match", "in": "header",
        "description": "`revision_number=N`, or the `ETag` of a show: only if the row is still that one, else 412. Anything else is passed over.",
        "schema": {"anyOf": [{"type": "string", "pattern": "^revision_number=[0-9]{1,9}$"}, {"type": "string"}]},
    })
}

/// What a list can be asked: pages, order, attributes, filters.
pub(super) fn of_list(resource: &Resource) -> Vec<Value> {
    let sortable: Vec<&str> = resource
        .shown
        .iter()
        .map(String::as_str)
        .filter(|name| listing::sortable(resource, &Mask::default(), name).is_some())
        .collect();
    let query = |name: &str, schema: Value, description: &str| json!({"name": name, "in": "query", "schema": schema, "description": description});
    let mut all = vec![
        query(
            "limit",
            json!({"type": "string", "pattern": "^(\\s*\\+?[0-9]+\\s*)?$"}),
            "Rows of a page; 0 is all. With it the answer has links to the pages before and after.",
        ),
        query("marker", json!({"type": "string"}), "The id of the row before the page."),
        query("page_reverse", json!({"type": "string"}), "`true`: the page before the marker instead."),
        query(
            "sort_key",
            json!({"type": "array", "items": {"enum": sortable}}),
            "Attributes to sort by, the first one first; each needs a `sort_dir`.",
        ),
        query(
            "sort_dir",
            json!({"type": "array", "items": {"enum": ["asc", "desc"]}}),
            "The direction of each `sort_key`.",
        ),
        fields(resource),
    ];
    all.extend(listing::filterable(resource).map(|(name, kind)| {
        let (item, description) = filter(&kind);
        query(name, json!({"type": "array", "items": item}), &description)
    }));
    all
}

/// What the values of a filter are like, and what it does.
fn filter(kind: &Kind<'_>) -> (Value, String) {
    let equal = "Rows with one of these values.".to_owned();
    match kind {
        Kind::Standard(_, Column::Integer) => {
            (json!({"type": "string", "pattern": "^\\s*[+-]?[0-9]+\\s*$"}), equal)
        }
        Kind::Above(_, _, Column::Integer) => {
            (json!({"type": "string", "pattern": "^\\s*[+-]?[0-9]+\\s*$"}), equal)
        }
        Kind::Above(_, _, Column::Boolean) => (schema::asked(&Validator::Boolean), equal),
        Kind::Above(..) | Kind::Standard(..) => (json!({"type": "string"}), equal),
        Kind::Asked(attribute) | Kind::Scalar(attribute) => (schema::asked(&attribute.validate), equal),
        Kind::Scalars(item) => (schema::asked(item), "Rows whose list has one of these items.".to_owned()),
        Kind::Items(members, table) => nested(members, table),
        Kind::Tags { all, none } => {
            let which = if *all { "all" } else { "one" };
            let have = if *none { "do not have" } else { "have" };
            (
                json!({"type": "string"}),
                format!("Rows that {have} {which} of these tags, separated by commas."),
            )
        }
    }
}

/// `room=1`: of the members of one item.
fn nested(members: &[Attribute], table: &ListTable) -> (Value, String) {
    let known = |name: &str| members.iter().any(|m| m.name == name);
    let names: Vec<&str> =
        table.columns.iter().filter(|c| c.filter && known(&c.name)).map(|c| c.name.as_str()).collect();
    let description = format!(
        "Rows with an item of which `MEMBER=VALUE` holds; MEMBER is one of {}, or with `{SUBSTRING}` behind it \
         for a value that only contains VALUE.",
        names.join(", ")
    );
    let pattern = format!("^\\s*({})({SUBSTRING})?\\s*=", names.join("|"));
    (json!({"type": "string", "pattern": pattern}), description)
}
