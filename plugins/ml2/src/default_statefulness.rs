//! Whether a project's new groups keep state where nobody says so: what the
//! project's setting says, or that of all. In Neutron:
//! `SecurityGroupDefaultStatefulnessMixin`.

use crate::attribute::{boolean, column, hidden};
use crate::document::text;
use hadron_sdk::manifest::{Collection, Key, Standard};
use hadron_sdk::serde_json::json;
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Document, Error, Result};
use std::collections::BTreeMap;

pub(crate) const COLLECTION: &str = "security_groups_default_statefulness";

/// The project, in a key of its own.
const OF: &str = "setting_of";

pub(crate) const POLICY: &[(&str, &str)] = &[
    (
        "create_security_groups_default_statefulness",
        "(rule:admin_only) or (role:manager and project_id:%(project_id)s)",
    ),
    (
        "get_security_groups_default_statefulness",
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s)",
    ),
    (
        "update_security_groups_default_statefulness",
        "(rule:admin_only) or (role:manager and project_id:%(project_id)s)",
    ),
    (
        "delete_security_groups_default_statefulness",
        "(rule:admin_only) or (role:manager and project_id:%(project_id)s)",
    ),
];

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: COLLECTION.to_owned(),
        member: COLLECTION.to_owned(),
        attributes: vec![boolean("stateful", true), hidden(OF)],
        keys: vec![Key { name: OF.to_owned(), attributes: column(OF) }],
        standard: Standard::NONE,
        without: ["revision_number", "created_at", "updated_at"].map(str::to_owned).to_vec(),
        not_found: Some("SecurityGroupDefaultStatefulnessNotFound".to_owned()),
        not_found_says: Some("Security group default statefulness {id} could not be found.".to_owned()),
        ..Collection::default()
    }
}

/// What holds for some projects.
#[derive(Default)]
pub(crate) struct Stateful(BTreeMap<String, bool>);

impl Stateful {
    /// What holds for a project; that groups keep state where nothing is set.
    pub(crate) fn of(&self, project: &str) -> bool {
        self.0.get(project).copied().unwrap_or(true)
    }
}

/// What holds for these projects, in one query.
/// In Neutron: `get_default_stateful_for_project`.
pub(crate) fn of(projects: &[&str]) -> Result<Stateful> {
    let rows: Vec<Document> = store::find(COLLECTION, &Query::all().any_of(OF, projects.iter().copied()))?;
    Ok(Stateful(
        rows.iter().map(|row| (text(row, OF).to_owned(), crate::document::flag(row, "stateful"))).collect(),
    ))
}

/// Makes settings, one a project.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    let mut documents = bodies;
    for document in &mut documents {
        let project = text(document, "project_id").to_owned();
        document.insert(OF.to_owned(), json!(project));
    }
    store::insert(COLLECTION, &documents).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            exists(documents.first().map_or("", |document| text(document, "project_id")))
        }
        error => error.into(),
    })
}

fn exists(project: &str) -> Error {
    Error::conflict(
        "SecurityGroupDefaultStatefulnessAlreadyExists",
        format!("A security group default statefulness setting already exists for project '{project}'."),
    )
}

/// Changes a setting.
pub(crate) fn update(id: &str, changes: &Document) -> Result<()> {
    store::update::<Document>(COLLECTION, id, changes).map(drop)
}

/// Removes settings.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    store::delete(COLLECTION, &ids).map_err(Error::from)
}
