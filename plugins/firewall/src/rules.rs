//! Rules: what requests do to them. In Neutron: `create_firewall_rule` and its
//! like.

mod checks;

use crate::{errors, fill, groups, merged, policies, text};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use serde::Deserialize;
use std::collections::HashMap;

pub(crate) const COLLECTION: &str = "firewall_rules";
/// The computed attribute with the policies that a rule is in.
pub(crate) const POLICIES: &str = "firewall_policy_id";

/// Attributes of which there need not be any.
pub(crate) const PARTS: [&str; 5] =
    ["protocol", "source_ip_address", "destination_ip_address", "source_port", "destination_port"];

/// A rule, as far as policies care.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) shared: bool,
}

impl Rule {
    /// Whether a caller sees it: it is of the caller's project, or shared.
    fn is_visible(&self, ctx: &Context) -> bool {
        self.shared || ctx.caller.is_admin || self.project_id == ctx.caller.project_id
    }

    /// A policy takes its own project's rules, and shared ones.
    /// In Neutron: `_check_firewall_rule_conflict`.
    pub(crate) fn check_project(&self, project: &str) -> Result<()> {
        match self.shared || self.project_id == project {
            true => Ok(()),
            false => Err(errors::rule_conflict(&self.id, &self.project_id)),
        }
    }
}

/// The rules with these ids, in this order, all of which the caller must see.
pub(crate) fn visible(ctx: &Context, ids: &[String]) -> Result<Vec<Rule>> {
    let found: Vec<Rule> = match ids.is_empty() {
        true => Vec::new(),
        false => store::find(COLLECTION, &Query::all().any_of("id", ids.iter().cloned()))?,
    };
    let mut found: HashMap<String, Rule> = found.into_iter().map(|rule| (rule.id.clone(), rule)).collect();
    let mut rules = Vec::with_capacity(ids.len());
    for id in ids {
        let rule = found.remove(id).filter(|rule| rule.is_visible(ctx));
        rules.push(rule.ok_or_else(|| errors::rule_not_found(id))?);
    }
    Ok(rules)
}

/// Makes rules.
pub(crate) fn create(mut bodies: Vec<Document>) -> Result<()> {
    for body in &mut bodies {
        fill(body, &PARTS);
        checks::convert(body)?;
        checks::check(body)?;
    }
    Ok(store::insert(COLLECTION, &bodies)?)
}

/// Changes a rule, in all policies that it is in.
pub(crate) fn update(id: &str, current: &Document, mut changes: Document) -> Result<()> {
    let with_it = policies::with_rule(id)?;
    let project = text(current, "project_id");
    for policy in with_it.iter().filter(|policy| policy.project_id == project) {
        policy.check_settled()?;
    }
    checks::convert(&mut changes)?;
    checks::check(&merged(current, &changes))?;
    store::update::<Document>(COLLECTION, id, &changes)?;
    with_it.iter().try_for_each(policies::Policy::is_audited_no_more)?;
    groups::policies_changed(with_it.iter().map(|policy| policy.id.as_str()))
}

/// Removes rules that no policy has.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        let id = text(document, "id");
        store::delete(COLLECTION, &[id.to_owned()]).map_err(|error| match error {
            StoreError::InUse(_) => errors::rule_in_use(id),
            other => Error::from(other),
        })?;
    }
    Ok(())
}

/// The policies that rules are in; null where there are none.
pub(crate) fn compute(documents: &[Document]) -> Result<Vec<Document>> {
    let ids = documents.iter().map(|document| text(document, "id").to_owned());
    let policies = policies::with_rules(ids)?;
    let answer = |document: &Document| {
        let id = text(document, "id");
        let with_it = policies.iter().filter(|policy| policy.has(id));
        let with_it: Vec<Value> = with_it.map(|policy| Value::from(policy.id.as_str())).collect();
        let shown = if with_it.is_empty() { Value::Null } else { Value::from(with_it) };
        Document::from_iter([(POLICIES.to_owned(), shown)])
    };
    Ok(documents.iter().map(answer).collect())
}
