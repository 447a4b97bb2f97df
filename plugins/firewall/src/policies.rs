//! Policies: rules in an order. In Neutron: `create_firewall_policy` and its
//! like.

mod order;

use crate::rules::{self, Rule};
use crate::{errors, groups, text};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use order::Place;
use serde::Deserialize;

pub(crate) const COLLECTION: &str = "firewall_policies";
/// The attribute with a policy's rules, in their order.
pub(crate) const RULES: &str = "firewall_rules";
/// Actions.
pub(crate) const INSERT: &str = "insert_rule";
/// See [`INSERT`].
pub(crate) const REMOVE: &str = "remove_rule";
/// Names of the policies that a project has from the first, which no other
/// policy can have. In Neutron: `DEFAULT_FWP_INGRESS`, `DEFAULT_FWP_EGRESS`.
pub(crate) const DEFAULT_INGRESS: &str = "default ingress";
/// See [`DEFAULT_INGRESS`].
pub(crate) const DEFAULT_EGRESS: &str = "default egress";

/// A policy's row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) project_id: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) shared: bool,
    #[serde(default)]
    pub(crate) audited: bool,
    pub(crate) firewall_rules: Vec<String>,
}

impl Policy {
    fn is_default(&self) -> bool {
        is_reserved(&self.name)
    }

    /// Whether a rule is in it.
    pub(crate) fn has(&self, rule: &str) -> bool {
        self.firewall_rules.iter().any(|other| other == rule)
    }

    /// While agents are being told of a project's group, its policies stay as they
    /// are. In Neutron: `_ensure_update_firewall_policy`.
    pub(crate) fn check_settled(&self) -> Result<()> {
        let groups = groups::with_policies([self.id.as_str()].into_iter())?;
        groups
            .iter()
            .filter(|group| group.project_id == self.project_id)
            .try_for_each(groups::Group::check_settled)
    }

    /// Whoever has audited it has not seen it as it is now.
    pub(crate) fn is_audited_no_more(&self) -> Result<()> {
        match self.audited {
            true => store::update::<Document>(COLLECTION, &self.id, &json!({"audited": false})).map(drop),
            false => Ok(()),
        }
    }

    /// A shared policy has shared rules only, another those of its project too.
    /// In Neutron: `_check_rules_for_policy_is_valid`.
    fn check_rules(&self, rules: &[Rule]) -> Result<()> {
        rules.iter().try_for_each(|rule| match self.shared {
            true if !rule.shared => Err(errors::rule_sharing_conflict(&self.id, &rule.id)),
            _ => rule.check_project(&self.project_id),
        })
    }
}

fn is_reserved(name: &str) -> bool {
    [DEFAULT_INGRESS, DEFAULT_EGRESS].contains(&name)
}

fn check_name(document: &Document) -> Result<()> {
    let name = text(document, "name");
    if is_reserved(name) { Err(errors::reserved_name(name, "Firewall Policy")) } else { Ok(()) }
}

fn get(id: &str) -> Result<Policy> {
    store::get(COLLECTION, id)?.ok_or_else(|| errors::policy_not_found(id))
}

/// Holds a policy and reads it.
fn hold(id: &str) -> Result<Policy> {
    store::lock(COLLECTION, id).map_err(|error| match error {
        StoreError::NotFound => errors::policy_not_found(id),
        other => other.into(),
    })?;
    get(id)
}

/// A policy that a group of this project is to have: one that the caller sees, of
/// that project or shared. In Neutron:
/// `_validate_firewall_policies_for_firewall_group`.
pub(crate) fn check_usable(ctx: &Context, id: &str, project: &str) -> Result<()> {
    let policy = get(id)?;
    if policy.project_id == project {
        return Ok(());
    }
    // Whoever ceases to share it has either done so by now, or finds the group.
    let policy = hold(id)?;
    let sees = ctx.caller.is_admin || policy.project_id == ctx.caller.project_id;
    match policy.shared {
        true => Ok(()),
        false if sees => Err(errors::policy_conflict(id)),
        false => Err(errors::policy_not_found(id)),
    }
}

/// Policies that this rule is in.
pub(crate) fn with_rule(rule: &str) -> Result<Vec<Policy>> {
    with_rules([rule.to_owned()])
}

/// Policies that one of these rules is in.
pub(crate) fn with_rules(rules: impl IntoIterator<Item = String>) -> Result<Vec<Policy>> {
    store::find(COLLECTION, &Query::all().any_of(RULES, rules).sort("created_at"))
}

/// What a refused statement means: a rule went away meanwhile.
fn not_written(error: InsertError, rules: &[String]) -> Error {
    match error {
        InsertError::Store(StoreError::MissingReference(_)) => {
            errors::rule_not_found(rules.last().map_or("", String::as_str))
        }
        other => other.into(),
    }
}

/// Null is no rules, as in Neutron.
fn no_rules(document: &mut Document) {
    if let Some(rules) = document.get_mut(RULES).filter(|rules| rules.is_null()) {
        *rules = json!([]);
    }
}

/// Makes policies.
pub(crate) fn create(ctx: &Context, bodies: Vec<Document>) -> Result<()> {
    for mut body in bodies {
        no_rules(&mut body);
        check_name(&body)?;
        let policy = Policy::deserialize(body.clone())?;
        policy.check_rules(&rules::visible(ctx, &policy.firewall_rules)?)?;
        store::insert(COLLECTION, &[body]).map_err(|error| not_written(error, &policy.firewall_rules))?;
    }
    Ok(())
}

/// Changes a policy. Unless the request says so it is audited no more.
pub(crate) fn update(ctx: &Context, id: &str, mut changes: Document) -> Result<()> {
    no_rules(&mut changes);
    let current = hold(id)?;
    current.check_settled()?;
    if current.is_default() {
        return Err(errors::default_restricted(id));
    }
    check_name(&changes)?;
    let shared = changes.get("shared").and_then(Value::as_bool);
    if shared == Some(false) {
        let groups = groups::with_policies([id].into_iter())?;
        if groups.iter().any(|group| group.project_id != current.project_id) {
            return Err(errors::policy_in_use(id));
        }
    }
    let policy = Policy { shared: shared.unwrap_or(current.shared), ..current };
    match changes.get(RULES).map(Vec::deserialize).transpose()? {
        Some(given) => policy.check_rules(&rules::visible(ctx, &given)?)?,
        None if shared == Some(true) => check_rules_are_shared(&policy)?,
        None => {}
    }
    if !changes.contains_key("audited") {
        changes.insert("audited".to_owned(), Value::from(false));
    }
    write(&policy, &changes)?;
    groups::policies_changed([id].into_iter())
}

/// In Neutron: `_check_if_rules_shared_for_policy_shared`.
fn check_rules_are_shared(policy: &Policy) -> Result<()> {
    let ids = policy.firewall_rules.iter().cloned();
    let rules: Vec<Rule> = store::find(rules::COLLECTION, &Query::all().any_of("id", ids))?;
    match rules.iter().find(|rule| !rule.shared) {
        Some(rule) => Err(errors::policy_sharing_conflict(&policy.id, &rule.id)),
        None => Ok(()),
    }
}

fn write(policy: &Policy, changes: &Document) -> Result<String> {
    let rules: Vec<String> = changes.get(RULES).map(Vec::deserialize).transpose()?.unwrap_or_default();
    store::try_update(COLLECTION, &policy.id, changes).map_err(|error| not_written(error, &rules))
}

/// Removes policies that no group has. Their rules stay.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    documents.iter().try_for_each(|document| delete_one(text(document, "id")))
}

/// See [`delete`].
pub(crate) fn delete_one(id: &str) -> Result<()> {
    store::delete(COLLECTION, &[id.to_owned()]).map_err(|error| match error {
        StoreError::InUse(_) => errors::policy_in_use(id),
        StoreError::NotFound => errors::policy_not_found(id),
        other => other.into(),
    })
}

/// The rule that an action is about.
fn rule_of(given: &Value) -> Result<&str> {
    let id = given.get("firewall_rule_id").ok_or_else(errors::rule_info_missing)?;
    id.as_str().filter(|id| !id.is_empty()).ok_or_else(|| {
        let id = if id.is_null() { "None".to_owned() } else { id.to_string() };
        errors::rule_not_found(id.trim_matches('"'))
    })
}

/// Puts a rule into a policy: before or after another one, or before all.
pub(crate) fn insert(ctx: &Context, id: &str, given: &Value) -> Result<Value> {
    let policy = hold(id)?;
    policy.check_settled()?;
    let rule = rule_of(given)?;
    if policy.has(rule) {
        return Err(errors::rule_already_associated(rule, id));
    }
    for known in rules::visible(ctx, &[rule.to_owned()])? {
        known.check_project(&policy.project_id)?;
    }
    let said = |name: &str| given.get(name).and_then(Value::as_str);
    let place = Place::of(said("insert_before"), said("insert_after"));
    let rules = order::with(&policy.firewall_rules, rule, place).ok_or_else(|| {
        let (Place::Before(other) | Place::After(other)) = place else { return errors::rule_not_found(rule) };
        errors::rule_not_associated(other, id)
    })?;
    reorder(&policy, &rules)
}

/// Takes a rule out of a policy.
pub(crate) fn remove(ctx: &Context, id: &str, given: &Value) -> Result<Value> {
    let policy = hold(id)?;
    policy.check_settled()?;
    let rule = rule_of(given)?;
    rules::visible(ctx, &[rule.to_owned()])?;
    let rules =
        order::without(&policy.firewall_rules, rule).ok_or_else(|| errors::rule_not_associated(rule, id))?;
    reorder(&policy, &rules)
}

fn reorder(policy: &Policy, rules: &[String]) -> Result<Value> {
    let changes =
        Document::from_iter([(RULES.to_owned(), json!(rules)), ("audited".to_owned(), Value::from(false))]);
    let written = write(policy, &changes)?;
    groups::policies_changed([policy.id.as_str()].into_iter())?;
    Ok(serde_json::from_str(&written)?)
}
