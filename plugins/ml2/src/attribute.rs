//! Kinds of attributes that several collections have.

use hadron_sdk::Document;
use hadron_sdk::manifest::{Attribute, Collection, Validator};
use hadron_sdk::serde_json::json;

/// Shown and accepted in filters; set by the plugin.
pub(crate) fn filterable(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, filter: true, ..Attribute::default() }
}

/// Text that clients set; empty by default.
pub(crate) fn text(name: &str, max: u32) -> Attribute {
    Attribute {
        post: true,
        put: true,
        default: Some(json!("")),
        ..filterable(name, Validator::String { max: Some(max) })
    }
}

/// A switch that clients set.
pub(crate) fn boolean(name: &str, default: bool) -> Attribute {
    Attribute { post: true, put: true, default: Some(json!(default)), ..filterable(name, Validator::Boolean) }
}

/// The id of another row, given once.
pub(crate) fn owner(name: &str) -> Attribute {
    Attribute { post: true, required: true, ..filterable(name, Validator::Uuid) }
}

/// The plugin's own bookkeeping, never shown.
pub(crate) fn hidden(name: &str) -> Attribute {
    Attribute { name: name.to_owned(), nullable: true, hidden: true, ..Attribute::default() }
}

/// An index over one attribute.
pub(crate) fn column(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

/// A document as the API shows it: without the plugin's own bookkeeping.
pub(crate) fn shown(collection: &Collection, mut document: Document) -> Document {
    for attribute in collection.attributes.iter().filter(|attribute| attribute.hidden) {
        document.remove(&attribute.name);
    }
    document
}
