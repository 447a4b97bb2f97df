//! With whom policies are shared: a project that has given one to a network or
//! port keeps its access. In Neutron: `validate_rbac_policy_delete` of
//! `QosPolicy`.

use super::attributes::OBJECT_TYPE;
use super::{ACCESS_SHARED, COLLECTION};
use crate::{errors, text, users};
use hadron_sdk::events::{Event, Moment as Happened};
use hadron_sdk::manifest::{EVERY_PROJECT, Moment, Subscription};
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::store;
use hadron_sdk::{Context, Document, Error, Result, rbac};

/// Where entries about who may use what are.
pub(crate) const SHARED_BY: &str = "rbac_policies";

/// The events of entries that policies have a say in.
pub(crate) fn subscription() -> Subscription {
    Subscription {
        collection: SHARED_BY.to_owned(),
        on: vec![Moment::BeforeCreate, Moment::BeforeUpdate, Moment::BeforeDelete],
    }
}

/// An entry is about to be made, changed or removed.
pub(crate) fn heard(ctx: &Context, event: &Event) -> Result<()> {
    let mut changes = event.changes.iter();
    for document in &event.documents {
        let entry: Document = serde_json::from_str(document)?;
        let changes = changes.next().map(|text| serde_json::from_str::<Document>(text)).transpose()?;
        if text(&entry, "object_type").trim().to_lowercase() == OBJECT_TYPE
            && text(&entry, "action") == ACCESS_SHARED
        {
            check(ctx, event.moment, &entry, changes.as_ref())?;
        }
    }
    Ok(())
}

fn check(ctx: &Context, moment: Happened, entry: &Document, changes: Option<&Document>) -> Result<()> {
    let (id, target) = (text(entry, "object_id"), text(entry, "target_tenant"));
    let Some(policy) = store::get::<Document>(COLLECTION, id)? else { return Ok(()) };
    let owner = text(&policy, "project_id");
    if moment != Happened::BeforeDelete && !ctx.caller.is_admin && owner != ctx.caller.project_id {
        return Err(Error::invalid_input("Only admins can manipulate policies on objects they do not own"));
    }
    let loses = match moment {
        Happened::BeforeUpdate => {
            let new = changes.and_then(|changes| changes.get("target_tenant")).and_then(Value::as_str);
            new.is_some_and(|new| new != target)
        }
        Happened::BeforeDelete => true,
        _ => false,
    };
    if loses { check_loss(id, owner, target) } else { Ok(()) }
}

/// A project loses its access only when it has the policy nowhere, or still has
/// access for another reason.
pub(super) fn check_loss(id: &str, owner: &str, target: &str) -> Result<()> {
    // Of two entries that cover for each other one goes first.
    super::lock(id)?;
    let targets = rbac::targets(COLLECTION, id, ACCESS_SHARED)?;
    if !targets.iter().any(|other| other == target) {
        return Ok(());
    }
    let others: Vec<&String> = targets.iter().filter(|other| *other != target).collect();
    if others.iter().any(|other| *other == EVERY_PROJECT) {
        return Ok(());
    }
    users::for_each_project(id, |user| {
        let concerned = target == EVERY_PROJECT || user == target;
        let allowed = user == owner || others.iter().any(|other| *other == user);
        if concerned && !allowed { Err(errors::rbac_policy_in_use(id, target)) } else { Ok(()) }
    })
}
