//! Declaring attributes.

use crate::document::object;
use hadron_sdk::Document;
use hadron_sdk::manifest::{Attribute, ListTable, ListTableColumn, Validator};
use hadron_sdk::serde_json::{Value, json};

/// What the host keeps of every row and Octavia does not show.
pub(crate) const WITHOUT: [&str; 2] = ["tenant_id", "revision_number"];

/// How something is set up.
pub(crate) const PROVISIONING: &str = "provisioning_status";
/// How it works.
pub(crate) const OPERATING: &str = "operating_status";

/// As [`WITHOUT`], to be declared.
pub(crate) fn without() -> Vec<String> {
    WITHOUT.map(str::to_owned).to_vec()
}

fn scalar(validate: &Validator) -> bool {
    !matches!(validate, Validator::Any | Validator::List { .. } | Validator::Object { .. } | Validator::Dict)
}

/// Only shown.
pub(crate) fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), filter: scalar(&validate), validate, ..Attribute::default() }
}

/// The plugin's own.
pub(crate) fn hidden(name: &str, validate: Validator) -> Attribute {
    Attribute { hidden: true, filter: false, ..shown(name, validate) }
}

/// May be given once.
pub(crate) fn once(name: &str, validate: Validator, default: Value) -> Attribute {
    Attribute { post: true, nullable: true, default: Some(default), ..shown(name, validate) }
}

/// Must be given, once.
pub(crate) fn needed(name: &str, validate: Validator) -> Attribute {
    Attribute { post: true, required: true, ..shown(name, validate) }
}

/// May be given and changed; null stands for the default.
pub(crate) fn set(name: &str, validate: Validator, default: Value) -> Attribute {
    Attribute { put: true, ..once(name, validate, default) }
}

/// Must be given, and may be changed.
pub(crate) fn needed_set(name: &str, validate: Validator) -> Attribute {
    Attribute { put: true, ..needed(name, validate) }
}

/// Asked for when something is made, and kept nowhere.
pub(crate) fn asked(name: &str, validate: Validator) -> Attribute {
    Attribute {
        sparse: Some(name.to_owned()),
        post: true,
        nullable: true,
        filter: false,
        ..shown(name, validate)
    }
}

/// Text of so many characters.
pub(crate) fn string(max: u32) -> Validator {
    Validator::String { max: Some(max) }
}

/// One of these texts.
pub(crate) fn one_of(values: &[&str]) -> Validator {
    Validator::Enum { values: values.iter().map(|value| json!(value)).collect() }
}

/// A number from `min` to `max`.
pub(crate) fn between(min: i64, max: i64) -> Validator {
    Validator::Integer { min: Some(min), max: Some(max) }
}

/// A list of these.
pub(crate) fn list(items: Validator) -> Validator {
    Validator::List { items: Box::new(items), unique: false }
}

/// A port of TCP or its like. In Octavia: `MIN_PORT_NUMBER`, `MAX_PORT_NUMBER`.
pub(crate) fn port() -> Validator {
    between(1, 65_535)
}

pub(crate) fn name() -> Attribute {
    set("name", string(255), json!(""))
}

pub(crate) fn description() -> Attribute {
    set("description", string(255), json!(""))
}

pub(crate) fn admin_state_up() -> Attribute {
    set("admin_state_up", Validator::Boolean, json!(true))
}

/// Octavia changes them with the row.
pub(crate) fn tags() -> Attribute {
    let column = ListTableColumn { name: "value".to_owned(), references: None, filter: true };
    Attribute {
        filter: true,
        list: Some(ListTable { columns: vec![column], keys: Vec::new() }),
        ..set("tags", Validator::List { items: Box::new(string(255)), unique: true }, json!([]))
    }
}

/// What agents report.
pub(crate) fn statuses() -> [Attribute; 2] {
    [PROVISIONING, OPERATING].map(|name| shown(name, string(16)))
}

/// The load balancer that something is a part of; not shown of all parts.
pub(crate) fn load_balancer() -> Attribute {
    hidden("loadbalancer_id", Validator::Uuid)
}

/// A list of objects with an id each.
pub(crate) fn id_list(name: &str) -> Attribute {
    shown(name, list(Validator::Dict))
}

/// An object with the attributes that may be given to something new.
pub(crate) fn nested(attributes: &[Attribute]) -> Validator {
    let members = attributes.iter().filter(|attribute| attribute.post).cloned().collect();
    Validator::Object { members }
}

/// Of what may be given later: nothing must be, and what is not given stays.
pub(crate) fn changes(attributes: &[Attribute]) -> Vec<Attribute> {
    let change = |attribute: &Attribute| Attribute { required: false, default: None, ..attribute.clone() };
    attributes.iter().filter(|attribute| attribute.put).map(change).collect()
}

/// The same of what may be given first; what must be given must be.
pub(crate) fn without_defaults(attributes: &[Attribute]) -> Vec<Attribute> {
    let bare = |attribute: &Attribute| Attribute { default: None, ..attribute.clone() };
    attributes.iter().filter(|attribute| attribute.post).map(bare).collect()
}

/// Null stands for the default, of what is given.
pub(crate) fn restore(attributes: &[Attribute], document: &mut Document) {
    for attribute in attributes {
        let (Some(value), Some(default)) = (document.get_mut(&attribute.name), &attribute.default) else {
            continue;
        };
        if value.is_null() {
            value.clone_from(default);
        }
    }
}

/// As [`restore`], and what is not given is the default.
pub(crate) fn fill(attributes: &[Attribute], document: &mut Document) {
    for attribute in attributes {
        if let (false, Some(default)) = (document.contains_key(&attribute.name), &attribute.default) {
            document.insert(attribute.name.clone(), default.clone());
        }
    }
    restore(attributes, document);
}

/// What of a row is shown where the host does not show it: its own attributes and
/// those that all have.
pub(crate) fn show(attributes: &[Attribute], row: &Document) -> Document {
    let kept = ["id", "project_id", "created_at", "updated_at"].into_iter();
    let own = attributes.iter().filter(|attribute| !attribute.hidden && attribute.sparse.is_none());
    let names = kept.chain(own.map(|attribute| attribute.name.as_str()));
    names.map(|name| (name.to_owned(), row.get(name).cloned().unwrap_or_default())).collect()
}

/// Takes a list of objects out of a document.
pub(crate) fn take_objects(document: &mut Document, name: &str) -> Vec<Document> {
    crate::document::objects(document.shift_remove(name))
}

/// Takes an object out of a document.
pub(crate) fn take_object(document: &mut Document, name: &str) -> Option<Document> {
    document.shift_remove(name).and_then(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(value: Value) -> Document {
        object(value).unwrap()
    }

    #[test]
    fn null_stands_for_the_default() {
        let attributes =
            [name(), set("weight", between(0, 256), json!(1)), set("key", string(9), Value::Null)];
        let mut changes = document(json!({"name": null, "key": null}));
        restore(&attributes, &mut changes);
        assert_eq!(changes, document(json!({"name": "", "key": null})));
        let mut new = document(json!({"name": "x", "weight": null}));
        fill(&attributes, &mut new);
        assert_eq!(new, document(json!({"name": "x", "weight": 1, "key": null})));
    }

    #[test]
    fn what_is_nested_is_what_can_be_given_first() {
        let attributes = [name(), shown("status", string(9)), needed("port", port())];
        let Validator::Object { members } = nested(&attributes) else { panic!("it is an object") };
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["name", "port"]);
        assert_eq!(changes(&attributes).len(), 1);
    }
}
