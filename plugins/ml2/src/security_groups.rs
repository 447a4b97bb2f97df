//! Security groups: what a request does to them. In Neutron:
//! `create_security_group`, `update_security_group`, `delete_security_group` of
//! `SecurityGroupDbMixin`.

mod attributes;
mod defaults;
pub(crate) mod errors;
mod info;

pub(crate) use attributes::{DEFAULT_OF, collection};
pub(crate) use defaults::ensure as ensure_defaults;
pub(crate) use info::{METHODS, receive};

use crate::default_security_group_rules::{Of, Template, templates};
use crate::document::{differing, distinct, set, take, text};
use crate::manifest::Extension;
use crate::sharing::{self, Shareable};
use crate::{default_statefulness, security_group_rules};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use serde::Deserialize;
use std::collections::BTreeSet;

pub(crate) const COLLECTION: &str = "security_groups";

/// How policies share groups: who uses one has ports in it.
pub(crate) const SHARING: Shareable = Shareable {
    object_type: "security_group",
    collection: COLLECTION,
    users: |id| {
        let ports: Vec<Document> = store::find("ports", &of_ports(id))?;
        Ok(distinct(&ports, "project_id"))
    },
    not_found: errors::group_not_found,
};

/// Neutron's default rules.
pub(crate) const POLICY: &[(&str, &str)] = &[
    ("sg_owner", "project_id:%(security_group:project_id)s"),
    ("admin_or_sg_owner", "rule:context_is_admin or project_id:%(security_group:project_id)s"),
    ("shared_security_group", "field:security_groups:shared=True"),
    ("create_security_group", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    (
        "get_security_group",
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_security_group",
    ),
    ("update_security_group", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("delete_security_group", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("create_security_group:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    (
        "get_security_group:tags",
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_security_group",
    ),
    ("update_security_group:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("delete_security_group:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
];

/// What clients test for; of groups and their rules.
pub(crate) const EXTENSIONS: &[Extension] = &[
    ("security-group", "security-group", "The security groups extension.", "2012-10-05T10:00:00-00:00"),
    (
        "Stateful security group",
        "stateful-security-group",
        "Indicates if the security group is stateful or not",
        "2019-11-26T09:00:00-00:00",
    ),
    (
        "Normalized CIDR field for security group rules",
        "security-groups-normalized-cidr",
        "Add new field with normalized remote_ip_prefix cidr in SG rule",
        "2020-07-28T10:00:00-00:00",
    ),
    (
        "Remote address group id field for security group rules",
        "security-groups-remote-address-group",
        "Add new field of remote address group id in SG rules",
        "2020-08-25T10:00:00-00:00",
    ),
    (
        "Security group rule belongs to the project's default security group",
        "security-groups-rules-belongs-to-default-sg",
        "Flag to determine if the security group rule belongs to the project's default security group",
        "2023-05-23T10:00:00-00:00",
    ),
    (
        "Security group filtering on the shared field",
        "security-groups-shared-filtering",
        "Support filtering security groups on the shared field",
        "2021-10-05T09:00:00-00:00",
    ),
    (
        "Add security_group type to network RBAC",
        "rbac-security-groups",
        "Add security_group type to network RBAC",
        "2019-02-14T00:00:00-00:00",
    ),
    (
        "Port filtering on security groups",
        "port-security-groups-filtering",
        "Provides security groups filtering when listing ports",
        "2018-01-09T09:00:00-00:00",
    ),
];

/// A group's row, as far as rules about ports and rules need it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    #[serde(default)]
    project_id: Option<String>,
    #[serde(default)]
    pub(crate) stateful: bool,
    #[serde(default)]
    default_of: Option<String>,
}

impl Group {
    /// Whether it is a project's default group.
    pub(crate) fn is_default(&self) -> bool {
        self.default_of.is_some()
    }
}

/// The groups with these ids, which the caller must be allowed to name for rows
/// of this project. In Neutron: `_check_security_group`,
/// `_get_security_groups_on_port`.
pub(crate) fn permitted(ctx: &Context, project: &str, ids: &[&str]) -> Result<Vec<Group>> {
    let wanted: BTreeSet<&str> = ids.iter().copied().collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut groups: Vec<Group> = store::find(COLLECTION, &Query::all().any_of("id", wanted.iter().copied()))?;
    if !ctx.caller.is_admin {
        let mut allowed = Vec::with_capacity(groups.len());
        for group in groups {
            if group.project_id.as_deref() == Some(project)
                || sharing::allows_project(COLLECTION, &group.id, project)?
            {
                allowed.push(group);
            }
        }
        groups = allowed;
    }
    let missing: Vec<&str> =
        wanted.into_iter().filter(|id| !groups.iter().any(|group| group.id == *id)).collect();
    if missing.is_empty() { Ok(groups) } else { Err(errors::group_not_found(&missing.join(", "))) }
}

/// Makes groups, each with the rules that templates give it.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    if bodies.iter().any(|body| defaults::is_reserved(text(body, "name"))) {
        return Err(errors::default_exists());
    }
    let projects = distinct(&bodies, "project_id");
    let projects: Vec<&str> = projects.iter().map(String::as_str).collect();
    ensure_defaults(projects.iter().copied())?;
    let unsaid = bodies.iter().any(|body| set(body, "stateful").is_none());
    let stateful = if unsaid { default_statefulness::of(&projects)? } else { Default::default() };
    let documents: Vec<Document> = bodies
        .into_iter()
        .map(|mut body| {
            let project = text(&body, "project_id").to_owned();
            let mut document = Document::new();
            take(&mut body, &["id", "project_id", "name"], &mut document);
            let said = set(&body, "stateful").cloned();
            document
                .insert("stateful".to_owned(), said.unwrap_or_else(|| Value::Bool(stateful.of(&project))));
            take(&mut body, &["description"], &mut document);
            document
        })
        .collect();
    insert(&documents, &templates(Of::OtherGroups)?)
}

/// Adds groups with the rules of these templates.
fn insert(groups: &[Document], templates: &[Template]) -> Result<()> {
    store::insert(COLLECTION, groups)?;
    let mut rules = Vec::with_capacity(groups.len() * templates.len());
    for group in groups {
        let is_default = set(group, DEFAULT_OF).is_some();
        rules.extend(templates.iter().map(|template| template.rule(group, is_default)));
    }
    if rules.is_empty() { Ok(()) } else { security_group_rules::insert(&rules) }
}

/// Changes a group.
pub(crate) fn update(id: &str, current: &Document, changes: Document) -> Result<()> {
    if let Some(name) = set(&changes, "name").and_then(Value::as_str) {
        if defaults::is_reserved(name) {
            return Err(errors::default_exists());
        }
        if set(current, DEFAULT_OF).is_some() {
            return Err(errors::cannot_update_default());
        }
    }
    let changes = differing(current, changes);
    if changes.contains_key("stateful") {
        // A port that is about to join it has either done so by the time we hold
        // the group, or joins what we made of it.
        store::lock(COLLECTION, id)?;
        check_unused(id)?;
    }
    store::update::<Document>(COLLECTION, id, &changes).map(drop)
}

fn of_ports(id: &str) -> Query {
    Query::all().equal("security_groups.value", id)
}

fn check_unused(id: &str) -> Result<()> {
    match store::count("ports", &of_ports(id))? {
        0 => Ok(()),
        _ => Err(errors::group_in_use(id)),
    }
}

/// Removes groups with their rules, and the rules of other groups about them.
pub(crate) fn delete(ctx: &Context, documents: &[Document]) -> Result<()> {
    for document in documents {
        let id = text(document, "id");
        if set(document, DEFAULT_OF).is_some() && !ctx.caller.is_admin {
            check_unused(id)?;
            return Err(errors::cannot_remove_default());
        }
        store::delete(COLLECTION, &[id.to_owned()]).map_err(|error| match error {
            StoreError::InUse(_) => errors::group_in_use(id),
            other => Error::from(other),
        })?;
    }
    Ok(())
}
