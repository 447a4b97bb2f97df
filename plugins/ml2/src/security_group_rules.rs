//! Rules of security groups: what a request does to them. In Neutron:
//! `create_security_group_rule`, `delete_security_group_rule` of
//! `SecurityGroupDbMixin`.

mod attributes;
mod protocol;
mod rule;

pub(crate) use attributes::{collection, of_a_rule, reference};
pub(crate) use rule::Rule;

use crate::address_groups;
use crate::document::{distinct, text};
use crate::notifier;
use crate::security_groups::{self, errors};
use attributes::IDENTITY;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use std::collections::HashSet;

pub(crate) const COLLECTION: &str = "security_group_rules";

pub(crate) const POLICY: &[(&str, &str)] = &[
    ("create_security_group_rule", "(rule:admin_only) or (role:member and rule:sg_owner)"),
    ("get_security_group_rule", "(rule:admin_only) or (role:reader and rule:sg_owner)"),
    ("delete_security_group_rule", "(rule:admin_only) or (role:member and rule:sg_owner)"),
    ("rule_default_sg", "field:security_group_rules:belongs_to_default_sg=True"),
];

/// Makes rules, all of one group. What they refer to is read once, however many
/// they are.
pub(crate) fn create(ctx: &Context, mut bodies: Vec<Document>) -> Result<()> {
    for body in &mut bodies {
        body.entry("description").or_insert_with(|| json!(""));
    }
    let groups = distinct(&bodies, "security_group_id");
    let [group_id] = groups.as_slice() else { return Err(errors::not_single_group()) };
    let projects = distinct(&bodies, "project_id");
    let [project] = projects.as_slice() else { return Err(errors::not_single_project()) };
    let rules = bodies.iter().map(Rule::asked).collect::<Result<Vec<_>>>()?;
    let identities: Vec<String> = rules.iter().map(Rule::identity).collect();

    let mut named: Vec<&str> = rules.iter().filter_map(|rule| rule.remote_group.as_deref()).collect();
    named.push(group_id);
    let found = security_groups::permitted(ctx, project, &named)?;
    let of_addresses: Vec<&str> = rules.iter().filter_map(|rule| rule.remote_addresses.as_deref()).collect();
    address_groups::check_permitted(ctx, project, &of_addresses)?;

    let mut seen = HashSet::new();
    if !identities.iter().all(|identity| seen.insert(identity.as_str())) {
        return Err(errors::duplicate_rule());
    }
    if let Some(rule) = existing(group_id, &identities)? {
        return Err(errors::rule_exists(text(&rule, "id")));
    }
    let is_default = found.iter().any(|group| group.id == *group_id && group.is_default());
    let documents: Vec<Document> =
        bodies.iter().zip(&rules).map(|(body, rule)| document(body, rule, is_default)).collect();
    insert(&documents)?;
    notifier::rules_made(&documents)
}

fn existing(group: &str, identities: &[String]) -> Result<Option<Document>> {
    let same =
        Query::all().equal("security_group_id", group).any_of(IDENTITY, identities.iter().cloned()).limit(1);
    Ok(store::find(COLLECTION, &same)?.pop())
}

/// The row of a rule: who it belongs to is what `body` says.
pub(crate) fn document(body: &Document, rule: &Rule, is_default: bool) -> Document {
    let mut document = Document::new();
    for name in ["id", "project_id", "security_group_id"] {
        document.insert(name.to_owned(), body.get(name).cloned().unwrap_or_default());
    }
    rule.write(&mut document);
    document.insert("normalized_cidr".to_owned(), json!(rule.normalized_cidr()));
    document.insert("belongs_to_default_sg".to_owned(), Value::Bool(is_default));
    document.insert("description".to_owned(), body.get("description").cloned().unwrap_or_default());
    document.insert(IDENTITY.to_owned(), json!(rule.identity()));
    document
}

/// Adds rows. The key of rules that let the same through is what two requests
/// at once meet: the host then runs the later one again, which finds the rule.
pub(crate) fn insert(documents: &[Document]) -> Result<()> {
    store::insert(COLLECTION, documents).map_err(|error| {
        let of_first = |name: &str| documents.first().map_or("", |document| text(document, name));
        match error {
            InsertError::Store(StoreError::Duplicate(_)) => errors::rule_exists("unknown"),
            InsertError::Store(StoreError::MissingReference(attribute)) => match attribute.as_str() {
                "remote_address_group_id" => address_groups::not_found(of_first(&attribute)),
                _ => errors::group_not_found(of_first(&attribute)),
            },
            error => error.into(),
        }
    })
}

/// Removes rules.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    store::delete(COLLECTION, &ids).map_err(Error::from)
}
