//! Labels: what traffic is counted under. In Neutron: `MeteringLabel`.

use crate::{driver, errors, ids};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Context, Document, Result};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The collection.
pub(crate) const COLLECTION: &str = "metering_labels";

/// A label's row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Label {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) name: String,
    /// For routers of every project, not only those of its own.
    pub(crate) shared: bool,
}

impl Label {
    /// Whether a router of that project is counted under it.
    pub(crate) fn counts(&self, project: &str) -> bool {
        self.shared || self.project_id == project
    }
}

/// The label of a rule that the caller makes, if it is the caller's to see.
pub(crate) fn seen_by(ctx: &Context, id: &str) -> Result<Label> {
    let label: Option<Label> = store::get(COLLECTION, id)?;
    let is_seen = |label: &Label| ctx.caller.is_admin || label.project_id == ctx.caller.project_id;
    label.filter(is_seen).ok_or_else(|| errors::label_not_found(id))
}

/// The labels that routers of these projects are counted under.
pub(crate) fn of_projects(projects: &BTreeSet<&str>) -> Result<Vec<Label>> {
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    let own = Query::all().any_of("project_id", projects.iter().copied()).equal("shared", false);
    let mut labels: Vec<Label> = store::find(COLLECTION, &Query::all().equal("shared", true))?;
    labels.extend(store::find::<Label>(COLLECTION, &own)?);
    Ok(labels)
}

/// All labels.
pub(crate) fn all() -> Result<Vec<Label>> {
    store::find(COLLECTION, &Query::all())
}

/// Makes labels.
pub(crate) fn create(bodies: &[Document]) -> Result<()> {
    store::insert(COLLECTION, bodies)?;
    for body in bodies {
        driver::label_added(&Label::deserialize(body.clone())?)?;
    }
    Ok(())
}

/// Removes labels; their rules go with them.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        driver::label_removed(&Label::deserialize(document.clone())?)?;
    }
    Ok(store::delete(COLLECTION, &ids(documents))?)
}
