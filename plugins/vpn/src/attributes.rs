//! Declarations that the plugin's collections share.

use hadron_sdk::manifest::{Attribute, Collection, Quota, Reference, Refusal, Standard, Validator};
use hadron_sdk::serde_json::{Value, json};

/// Longest text, in characters, where nothing else is said: of Neutron's columns.
pub(crate) const LONGEST: u32 = 255;

/// Largest number: of Neutron's columns.
pub(crate) const LARGEST: i64 = i32::MAX as i64;

/// Given at first, and then it stays.
pub(crate) fn fixed(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, post: true, filter: true, ..Attribute::default() }
}

/// Must be given.
pub(crate) fn required(attribute: Attribute) -> Attribute {
    Attribute { required: true, ..attribute }
}

/// Can be changed.
pub(crate) fn changeable(attribute: Attribute) -> Attribute {
    Attribute { put: true, ..attribute }
}

/// With a value where none is given.
pub(crate) fn or_else(default: impl Into<Value>, attribute: Attribute) -> Attribute {
    Attribute { default: Some(default.into()), ..attribute }
}

/// May be nothing.
pub(crate) fn nullable(attribute: Attribute) -> Attribute {
    Attribute { nullable: true, ..attribute }
}

/// Only shown.
pub(crate) fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { post: false, ..fixed(name, validate) }
}

/// Text.
pub(crate) fn string() -> Validator {
    Validator::String { max: Some(LONGEST) }
}

/// One of some words.
pub(crate) fn one_of(words: &[&str]) -> Validator {
    Validator::Enum { values: words.iter().copied().map(Value::from).collect() }
}

/// A name.
pub(crate) fn name() -> Attribute {
    changeable(or_else("", fixed("name", string())))
}

/// What people say of it. Not the host's to keep: whoever may not change a row may
/// not change that either.
pub(crate) fn description() -> Attribute {
    changeable(or_else("", fixed("description", string())))
}

/// Members that can be given in parts; nothing is none of them.
pub(crate) fn parts(name: &str, members: Vec<Attribute>) -> Attribute {
    let parts = Attribute { filter: false, ..fixed(name, Validator::Object { members }) };
    changeable(nullable(or_else(json!({}), parts)))
}

/// A member of such.
pub(crate) fn part(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, ..Attribute::default() }
}

/// A row of this collection is referred to, and stays while it is.
pub(crate) fn reference(attribute: &str, collection: &str, error: &str, message: &str) -> Reference {
    Reference {
        attribute: attribute.to_owned(),
        collection: collection.to_owned(),
        refusal: Some(Refusal { error: error.to_owned(), message: message.to_owned() }),
        ..Reference::default()
    }
}

/// What all the plugin's collections have in common.
pub(crate) fn collection(name: &str, member: &str) -> Collection {
    Collection {
        name: name.to_owned(),
        member: member.to_owned(),
        path_prefix: "vpn".to_owned(),
        without: ["revision_number", "created_at", "updated_at"].map(str::to_owned).to_vec(),
        standard: Standard::NONE,
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}
