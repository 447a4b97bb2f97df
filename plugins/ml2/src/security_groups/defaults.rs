//! A project's default group, made on the project's first use of the network.
//! In Neutron: `_ensure_default_security_group`.

use super::DEFAULT_OF;
use super::{COLLECTION, insert};
use crate::default_security_group_rules::{Of, templates};
use crate::default_statefulness;
use crate::document::text;
use hadron_sdk::serde_json::{self, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result, random};
use std::collections::BTreeMap;

/// Its name, which no other group can have.
pub(crate) const NAME: &str = "default";

/// Whether a name is that of default groups, in any spelling.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.to_lowercase() == NAME
}

/// The ids of the default groups of these projects: one lookup for all of them,
/// and nothing else where they exist.
pub(crate) fn ensure<'a>(projects: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<String, String>> {
    let mut wanted: Vec<&str> = projects.into_iter().filter(|project| !project.is_empty()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found: Vec<Document> =
        store::find(COLLECTION, &Query::all().any_of(DEFAULT_OF, wanted.iter().copied()))?;
    let mut ids: BTreeMap<String, String> = found
        .iter()
        .map(|group| (text(group, "project_id").to_owned(), text(group, "id").to_owned()))
        .collect();
    wanted.retain(|project| !ids.contains_key(*project));
    if wanted.is_empty() {
        return Ok(ids);
    }
    let stateful = default_statefulness::of(&wanted)?;
    let mut groups = Vec::with_capacity(wanted.len());
    for project in wanted {
        let id = random::uuid();
        let group = json!({
            "id": id, "project_id": project, "name": NAME,
            "stateful": stateful.of(project), "description": "Default security group", DEFAULT_OF: project,
        });
        groups.push(serde_json::from_value(group)?);
        ids.insert(project.to_owned(), id);
    }
    insert(&groups, &templates(Of::DefaultGroups)?)?;
    Ok(ids)
}
