//! What living agents understand and listen to: a row for each version of a kind
//! of objects and for each topic, so that whoever tells agents of something need
//! not ask about every agent. In Neutron: `VersionManager`.

use super::{COLLECTION as AGENTS, topics};
use crate::attribute::filterable;
use crate::document::{set, text};
use hadron_sdk::manifest::{Collection, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Document, Error, Result};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeSet;

const COLLECTION: &str = "understood_versions";

/// A version, `1.11`, of a kind of objects, `Port`, or of a topic's methods.
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

thread_local! {
    // An instance lives as long as one unit of work, which asks for each kind of
    // what it writes: the few rows there are are read once for all.
    static KNOWN: RefCell<Option<BTreeSet<Understood>>> = const { RefCell::new(None) };
}

/// Asks of all that is understood.
fn known<T>(look: impl FnOnce(&BTreeSet<Understood>) -> T) -> Result<T> {
    KNOWN.with_borrow_mut(|known| match known {
        Some(known) => Ok(look(known)),
        None => {
            let rows: Vec<Understood> = store::find(COLLECTION, &Query::all())?;
            Ok(look(known.insert(rows.into_iter().collect())))
        }
    })
}

fn changed() {
    KNOWN.set(None);
}

/// The versions of a kind that some living agent understands.
pub(crate) fn versions(kind: &str) -> Result<Vec<String>> {
    known(|known| known.iter().filter(|one| one.kind == kind).map(|one| one.version.clone()).collect())
}

/// Whether some living agent listens to a topic.
pub(crate) fn is_heard(topic: &str) -> Result<bool> {
    known(|known| known.iter().any(|one| one.kind == topic))
}

/// What an agent says that it understands, its `resource_versions`, and what one
/// like it listens to.
fn of(agent: &Document) -> BTreeSet<Understood> {
    let versions = agent.get("resource_versions").and_then(Value::as_object);
    let configurations = set(agent, "configurations").unwrap_or(&Value::Null);
    let hears_objects = versions.is_some_and(|versions| versions.contains_key("Port"));
    let topics = topics::of(text(agent, "agent_type"), configurations, hears_objects);
    let objects = versions.into_iter().flatten().filter_map(|(kind, version)| {
        Some(Understood { kind: kind.clone(), version: version.as_str()?.to_owned() })
    });
    let topics = topics.map(|topic| Understood { kind: topic.to_owned(), version: "1.0".to_owned() });
    objects.chain(topics).collect()
}

/// An agent is there that is like this. Rows are held, so that nobody forgets
/// them meanwhile.
pub(super) fn learn(agent: &Document) -> Result<()> {
    learn_all(&of(agent))
}

fn learn_all(wanted: &BTreeSet<Understood>) -> Result<()> {
    let mut new = Vec::new();
    for one in wanted {
        match store::lock(COLLECTION, &one.id()) {
            Ok(()) => {}
            Err(StoreError::NotFound) => new.push(one.row()),
            Err(error) => return Err(Error::from(error)),
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    changed();
    Ok(store::insert(COLLECTION, &new)?)
}

/// An agent is not any more as it was.
pub(super) fn learn_change(before: &Document, after: &Document) -> Result<()> {
    let (was, is) = (of(before), of(after));
    learn_all(&is.difference(&was).cloned().collect())?;
    if was.is_subset(&is) { Ok(()) } else { forget() }
}

/// What is understood is what living agents say, whatever was written down of it
/// by a plugin of another version.
pub(super) fn recall() -> Result<()> {
    learn_all(&living()?)
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
    if ids.is_empty() {
        return Ok(());
    }
    changed();
    Ok(store::delete(COLLECTION, &ids)?)
}

fn living() -> Result<BTreeSet<Understood>> {
    let agents: Vec<Document> = store::find(AGENTS, &Query::all().equal("alive", true))?;
    Ok(agents.iter().flat_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_understand_objects_and_listen_to_topics() {
        let agent = json!({"agent_type": "Macvtap agent", "resource_versions": {"Port": "1.11"},
            "configurations": {}});
        let kinds: Vec<String> = of(agent.as_object().unwrap()).into_iter().map(|one| one.id()).collect();
        assert_eq!(
            kinds,
            [
                "Port-1.11",
                "q-agent-notifier-network-delete-1.0",
                "q-agent-notifier-port-update-1.0",
                "q-agent-notifier-security_group-update-1.0"
            ]
        );
        assert!(kinds.iter().all(|kind| kind.len() <= 64));
    }
}
