//! Policies: what requests do to them. In Neutron: `create_policy` and its like
//! of `QoSPlugin`.

mod attributes;
pub(crate) mod objects;
mod sharing;

pub(crate) use attributes::collection;
pub(crate) use sharing::{SHARED_BY, heard, subscription};

use crate::{errors, text};
use hadron_sdk::manifest::EVERY_PROJECT;
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result, rbac};

pub(crate) const COLLECTION: &str = "qos_policies";
/// The hidden attribute with the project whose default a policy is: unique.
const DEFAULT_OF: &str = "default_of";
/// The action that makes `shared` true.
pub(crate) const ACCESS_SHARED: &str = "access_as_shared";

/// Makes policies.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    for mut body in bodies {
        let project = text(&body, "project_id").to_owned();
        body.insert(DEFAULT_OF.to_owned(), default_of(&body, &project));
        store::insert(COLLECTION, &[body]).map_err(|error| not_written(error, &project))?;
    }
    Ok(())
}

/// The project whose default a policy says it is.
fn default_of(document: &Document, project: &str) -> Value {
    match document.get("is_default").and_then(Value::as_bool) {
        Some(true) => Value::from(project),
        _ => Value::Null,
    }
}

fn not_written(error: InsertError, project: &str) -> Error {
    match error {
        InsertError::Store(StoreError::Duplicate(_)) => errors::default_exists(project),
        other => other.into(),
    }
}

/// Changes a policy.
pub(crate) fn update(id: &str, current: &Document, mut changes: Document) -> Result<()> {
    let project = text(current, "project_id");
    if changes.contains_key("is_default") {
        let default = default_of(&changes, project);
        changes.insert(DEFAULT_OF.to_owned(), default);
    }
    if changes.get("shared").and_then(Value::as_bool) == Some(false) {
        sharing::check_loss(id, project, EVERY_PROJECT)?;
    }
    store::try_update(COLLECTION, id, &changes).map_err(|error| not_written(error, project)).map(drop)
}

/// Removes policies that nobody has, with their rules.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    Ok(store::delete(COLLECTION, &ids)?)
}

/// Holds a policy, for rules over all that is in it.
pub(crate) fn lock(id: &str) -> Result<()> {
    store::lock(COLLECTION, id).map_err(|error| match error {
        StoreError::NotFound => errors::policy_not_found(id),
        other => other.into(),
    })
}

/// A policy that the caller may see: its own project's, or one that is shared
/// with it.
pub(crate) fn visible(ctx: &Context, id: &str) -> Result<()> {
    if is_visible(ctx, id)? { Ok(()) } else { Err(errors::policy_not_found(id)) }
}

/// Whether there is such a policy, and the caller may see it.
/// In Neutron: `is_accessible`.
pub(crate) fn is_visible(ctx: &Context, id: &str) -> Result<bool> {
    let Some(policy) = store::get::<Document>(COLLECTION, id)? else { return Ok(false) };
    let caller = &ctx.caller;
    if caller.is_admin || text(&policy, "project_id") == caller.project_id {
        return Ok(true);
    }
    let targets = rbac::targets(COLLECTION, id, ACCESS_SHARED)?;
    Ok(targets.iter().any(|target| target == EVERY_PROJECT || *target == caller.project_id))
}

/// The default policies of these projects: project, policy.
pub(crate) fn defaults<'a>(projects: impl Iterator<Item = &'a str>) -> Result<Vec<(String, String)>> {
    let found: Vec<Document> = store::find(COLLECTION, &Query::all().any_of(DEFAULT_OF, projects))?;
    Ok(found.iter().map(|row| (text(row, DEFAULT_OF).to_owned(), text(row, "id").to_owned())).collect())
}
