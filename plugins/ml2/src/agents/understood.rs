//! Which versions of which objects living agents understand: a row for each, so
//! that whoever tells agents of something need not ask about every agent.
//! In Neutron: `VersionManager`.

use super::COLLECTION as AGENTS;
use crate::attribute::filterable;
use hadron_sdk::manifest::{Collection, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Document, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const COLLECTION: &str = "understood_versions";

/// A version, `1.11`, of a kind of objects, `Port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Understood {
    kind: String,
    version: String,
}

impl Understood {
    fn id(&self) -> String {
        format!("{}-{}", self.kind, self.version)
    }

    fn row(&self) -> Value {
        json!({"id": self.id(), "kind": self.kind, "version": self.version})
    }
}

pub(super) fn collection() -> Collection {
    Collection {
        name: COLLECTION.to_owned(),
        member: "understood_version".to_owned(),
        private: true,
        attributes: ["kind", "version"]
            .map(|name| filterable(name, Validator::String { max: Some(64) }))
            .to_vec(),
        indexes: vec![vec!["kind".to_owned()]],
        ..Collection::default()
    }
}

/// The versions of a kind that some living agent understands.
pub(crate) fn versions(kind: &str) -> Result<Vec<String>> {
    let rows: Vec<Understood> = store::find(COLLECTION, &Query::all().equal("kind", kind))?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// What an agent reports, its `resource_versions`.
fn reported(versions: Option<&Value>) -> impl Iterator<Item = Understood> {
    let versions = versions.and_then(Value::as_object).into_iter().flatten();
    versions.filter_map(|(kind, version)| {
        Some(Understood { kind: kind.clone(), version: version.as_str()?.to_owned() })
    })
}

/// An agent is there that understands these. Rows are held, so that nobody
/// forgets them meanwhile.
pub(super) fn learn(versions: Option<&Value>) -> Result<()> {
    let mut new = Vec::new();
    for one in reported(versions) {
        match store::lock(COLLECTION, &one.id()) {
            Ok(()) => {}
            Err(StoreError::NotFound) => new.push(one.row()),
            Err(error) => return Err(Error::from(error)),
        }
    }
    if new.is_empty() { Ok(()) } else { Ok(store::insert(COLLECTION, &new)?) }
}

/// Agents are gone: what only they understood is nobody's any more.
pub(super) fn forget() -> Result<()> {
    let rows: Vec<Understood> = store::find(COLLECTION, &Query::all())?;
    let mut left: BTreeSet<&Understood> = rows.iter().collect();
    for one in living()? {
        left.remove(&one);
    }
    let ids: Vec<String> = left.iter().map(|one| one.id()).collect();
    for id in &ids {
        store::lock(COLLECTION, id)?;
    }
    // An agent may have come until we held them.
    let living = if ids.is_empty() { BTreeSet::new() } else { living()? };
    let ids: Vec<String> = left.iter().filter(|one| !living.contains(*one)).map(|one| one.id()).collect();
    if ids.is_empty() { Ok(()) } else { Ok(store::delete(COLLECTION, &ids)?) }
}

fn living() -> Result<BTreeSet<Understood>> {
    let agents: Vec<Document> = store::find(AGENTS, &Query::all().equal("alive", true))?;
    Ok(agents.iter().flat_map(|agent| reported(agent.get("resource_versions"))).collect())
}
