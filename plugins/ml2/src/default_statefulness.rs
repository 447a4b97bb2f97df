//! Whether a project's new groups keep state where nobody says so: what the
//! project's setting says, or that of all. In Neutron:
//! `SecurityGroupDefaultStatefulnessMixin`.

use crate::attribute::{boolean, column, hidden};
use crate::document::{flag, text};
use crate::manifest::Extension;
use hadron_sdk::manifest::{Collection, Key, Standard};
use hadron_sdk::serde_json::json;
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Document, Error, Result};
use std::collections::BTreeMap;

pub(crate) const COLLECTION: &str = "security_groups_default_statefulness";

/// The project, in a key of its own; the setting of all projects is nobody's.
const OF: &str = "setting_of";
const NOBODY: &str = "";

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

pub(crate) const EXTENSIONS: &[Extension] = &[(
    "Security Groups Default Statefulness",
    "security-groups-default-statefulness",
    "Allows configuring the default value of the 'stateful' attribute for new security groups, on a per-project \
     or system-wide basis",
    "2026-04-13T00:00:00-00:00",
)];

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: COLLECTION.to_owned(),
        member: COLLECTION.to_owned(),
        attributes: vec![boolean("stateful", true), hidden(OF)],
        keys: vec![Key { name: OF.to_owned(), attributes: column(OF) }],
        standard: Standard::NONE,
        ownerless: true,
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
        self.0.get(project).or_else(|| self.0.get(NOBODY)).copied().unwrap_or(true)
    }
}

/// What holds for these projects, in one query.
/// In Neutron: `get_default_stateful_for_project`.
pub(crate) fn of(projects: &[&str]) -> Result<Stateful> {
    let whose = projects.iter().copied().chain([NOBODY]);
    let rows: Vec<Document> = store::find(COLLECTION, &Query::all().any_of(OF, whose))?;
    Ok(Stateful(rows.iter().map(|row| (text(row, OF).to_owned(), flag(row, "stateful"))).collect()))
}

/// Makes settings, one a project and one of all projects.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    let mut documents = bodies;
    for document in &mut documents {
        let project = text(document, "project_id").to_owned();
        document.insert(OF.to_owned(), json!(project));
    }
    store::insert(COLLECTION, &documents).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            exists(documents.first().map_or(NOBODY, |document| text(document, OF)))
        }
        error => error.into(),
    })
}

fn exists(project: &str) -> Error {
    let project = if project == NOBODY { "system-wide" } else { project };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projects_setting_goes_before_that_of_all() {
        let none = Stateful::default();
        assert!(none.of("one"));
        let of_all = Stateful(BTreeMap::from([(NOBODY.to_owned(), false), ("one".to_owned(), true)]));
        assert!(of_all.of("one") && !of_all.of("two"));
    }
}
