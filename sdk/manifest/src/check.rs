//! Rules a manifest must keep, so that everything made from it is sound.

use crate::{Attribute, Collection, Manifest, Validator};
use std::collections::HashSet;

/// What is wrong with a manifest, as one sentence.
pub type Problem = String;

/// Attributes every collection has, kept by the host.
pub const STANDARD: [&str; 6] =
    ["id", "project_id", "tenant_id", "revision_number", "created_at", "updated_at"];

/// All problems of a manifest; empty when it can be loaded.
pub fn check(manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !is_word(&manifest.name, "-") {
        problems.push(format!(
            "the plugin's name '{}' is not made of lower case letters, digits and '-'",
            manifest.name
        ));
    }
    let mut names = HashSet::new();
    for collection in &manifest.collections {
        if !names.insert(collection.name.as_str()) {
            problems.push(format!("collection '{}' is declared twice", collection.name));
        }
        check_collection(collection, &mut problems);
    }
    for extends in &manifest.extends {
        check_attributes(&extends.collection, &extends.attributes, &mut problems);
    }
    for tick in &manifest.ticks {
        if tick.every_seconds == 0 {
            problems.push(format!("tick '{}' must be at least a second apart", tick.name));
        }
    }
    problems
}

fn check_collection(collection: &Collection, problems: &mut Vec<Problem>) {
    let name = &collection.name;
    if !is_word(name, "_") || !is_word(&collection.member, "_") {
        problems.push(format!(
            "collection '{name}' and its member '{}' must be lower case letters, digits and '_'",
            collection.member
        ));
    }
    check_attributes(name, &collection.attributes, problems);
    let declared: HashSet<&str> =
        collection.attributes.iter().map(|a| a.name.as_str()).chain(["project_id"]).collect();
    let mut need = |what: &str, attribute: &str| {
        if !declared.contains(attribute) {
            problems
                .push(format!("{what} of '{name}' names the attribute '{attribute}', which is not declared"));
        }
    };
    for key in &collection.keys {
        key.attributes.iter().for_each(|a| need("a key", a));
    }
    for index in &collection.indexes {
        index.iter().for_each(|a| need("an index", a));
    }
    for reference in &collection.references {
        need("a reference", &reference.attribute);
    }
    if let Some(parent) = &collection.parent {
        need("the parent", &parent.attribute);
        if !collection.references.iter().any(|r| r.attribute == parent.attribute) {
            problems.push(format!(
                "the parent attribute '{}' of '{name}' is not declared as a reference",
                parent.attribute
            ));
        }
    }
}

fn check_attributes(collection: &str, attributes: &[Attribute], problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for attribute in attributes {
        let name = attribute.name.as_str();
        if name.is_empty()
            || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:-".contains(c))
        {
            problems.push(format!(
                "attribute '{name}' of '{collection}' must be lower case letters, digits, '_', '-' and ':'"
            ));
        }
        if STANDARD.contains(&name) {
            problems.push(format!(
                "attribute '{name}' of '{collection}' is kept by the host and must not be declared"
            ));
        }
        if !seen.insert(name) {
            problems.push(format!("attribute '{name}' of '{collection}' is declared twice"));
        }
        if attribute.list.is_some() && !matches!(attribute.validate, Validator::List { .. }) {
            problems.push(format!("attribute '{name}' of '{collection}' has a list table but is no list"));
        }
    }
}

fn is_word(text: &str, also: &str) -> bool {
    !text.is_empty()
        && text.len() <= 48
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || also.contains(c))
}
