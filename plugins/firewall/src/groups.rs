//! Groups: ports, and the policies of what may come out of them and go in. In
//! Neutron: `create_firewall_group` and its like.

pub(crate) mod status;

use crate::driver::{self, Told};
use crate::{defaults, errors, fill, merged, policies, ports, text};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use serde::Deserialize;
use status::{Aim, INACTIVE, Moved, PENDING_UPDATE};
use std::collections::BTreeMap;

pub(crate) const COLLECTION: &str = "firewall_groups";
/// The attribute with a group's ports.
pub(crate) const PORTS: &str = "ports";
/// Hidden, of a project's default group: its project. There is one.
pub(crate) const DEFAULT_OF: &str = "default_of";
/// The attributes with a group's policies.
pub(crate) const POLICIES: [&str; 2] = ["ingress_firewall_policy_id", "egress_firewall_policy_id"];
/// A default group's attributes that only administrators change.
const OF_ADMINISTRATORS: [&str; 4] =
    ["description", "admin_state_up", "ingress_firewall_policy_id", "egress_firewall_policy_id"];

/// A group's row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) project_id: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) status: String,
    pub(crate) shared: bool,
    #[serde(default)]
    default_of: Option<String>,
    #[serde(flatten)]
    pub(crate) aim: Aim,
}

impl Group {
    /// Whether it is a project's default group.
    pub(crate) fn is_default(&self) -> bool {
        self.default_of.is_some()
    }

    /// It stays as it is until agents have answered.
    pub(crate) fn check_settled(&self) -> Result<()> {
        match status::is_pending(&self.status) {
            true => Err(errors::group_pending(&self.id, &self.status)),
            false => Ok(()),
        }
    }
}

/// Groups that have one of these policies.
pub(crate) fn with_policies<'a>(policies: impl Iterator<Item = &'a str> + Clone) -> Result<Vec<Group>> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for attribute in POLICIES {
        let found: Vec<Group> = store::find(COLLECTION, &Query::all().any_of(attribute, policies.clone()))?;
        groups.extend(found.into_iter().map(|group| (group.id.clone(), group)));
    }
    Ok(groups.into_values().collect())
}

/// Groups that have one of these ports.
pub(crate) fn with_ports<'a>(ports: impl Iterator<Item = &'a str>) -> Result<Vec<Group>> {
    store::find(COLLECTION, &Query::all().any_of(PORTS, ports))
}

/// Null is no ports, as in Neutron.
fn no_ports(document: &mut Document) {
    if let Some(ports) = document.get_mut(PORTS).filter(|ports| ports.is_null()) {
        *ports = json!([]);
    }
}

fn check_name(document: &Document) -> Result<()> {
    match document.get("name").and_then(Value::as_str) {
        Some(defaults::NAME) => Err(errors::reserved_name(defaults::NAME, "Firewall Group")),
        _ => Ok(()),
    }
}

/// What a request names has to be there, of the right sort, and free.
fn check(ctx: &Context, id: &str, project: &str, document: &Document) -> Result<()> {
    for attribute in POLICIES {
        if let Some(policy) = document.get(attribute).and_then(Value::as_str) {
            policies::check_usable(ctx, policy, project)?;
        }
    }
    let Some(given) = document.get(PORTS) else { return Ok(()) };
    let given: Vec<String> = Vec::deserialize(given)?;
    ports::check(ctx, &given)?;
    let others = with_ports(given.iter().map(String::as_str))?;
    let others: Vec<&Group> = others.iter().filter(|group| group.id != id).collect();
    let taken = |port: &&String| others.iter().any(|group| group.aim.ports.contains(*port));
    let taken: Vec<&str> = given.iter().filter(taken).map(String::as_str).collect();
    if taken.is_empty() { Ok(()) } else { Err(errors::ports_in_use(taken.into_iter())) }
}

/// Makes groups, one after the other, so that each knows of those before it.
pub(crate) fn create(ctx: &Context, bodies: Vec<Document>) -> Result<()> {
    for mut body in bodies {
        no_ports(&mut body);
        fill(&mut body, &POLICIES);
        let (id, project) = (text(&body, "id").to_owned(), text(&body, "project_id").to_owned());
        check(ctx, &id, &project, &body)?;
        check_name(&body)?;
        defaults::ensure(&project)?;
        let aim = Aim::deserialize(body.clone())?;
        body.insert("status".to_owned(), Value::from(aim.at_first()));
        let group = Group::deserialize(body.clone())?;
        store::insert(COLLECTION, &[body]).map_err(|error| not_written(error, &aim))?;
        if group.status != INACTIVE {
            let moved = Moved { added: group.aim.ports.clone(), ..Moved::default() };
            driver::tell(&[(&group, Told::Created(moved))])?;
        }
    }
    Ok(())
}

/// What a refused statement means. Two units can give the same port to two
/// groups, or one delete it meanwhile; the key and the references tell.
fn not_written(error: InsertError, aim: &Aim) -> Error {
    let port = aim.ports.last().map_or("", String::as_str);
    match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            errors::ports_in_use(aim.ports.iter().map(String::as_str))
        }
        InsertError::Store(StoreError::MissingReference(name)) if name == PORTS => {
            errors::port_not_found(port)
        }
        InsertError::Store(StoreError::MissingReference(_)) => {
            errors::policy_not_found(aim.policies().first().copied().unwrap_or_default())
        }
        other => other.into(),
    }
}

/// Changes a group.
pub(crate) fn update(ctx: &Context, id: &str, current: &Document, mut changes: Document) -> Result<()> {
    no_ports(&mut changes);
    let group = Group::deserialize(current.clone())?;
    group.check_settled()?;
    check(ctx, id, &group.project_id, &changes)?;
    check_name(&changes)?;
    if group.is_default() {
        let kept: &[&str] = if ctx.caller.is_admin { &[] } else { &OF_ADMINISTRATORS };
        if changes.contains_key("name") || kept.iter().any(|name| changes.contains_key(*name)) {
            return Err(errors::default_restricted(id));
        }
    }
    write(&group, &merged(current, &changes), changes)
}

/// Writes changes and tells agents what concerns them.
fn write(group: &Group, after: &Document, mut changes: Document) -> Result<()> {
    let mut is = Group::deserialize(after.clone())?;
    let moved = status::change(&group.aim, &is.aim);
    if moved.is_some() {
        PENDING_UPDATE.clone_into(&mut is.status);
        changes.insert("status".to_owned(), Value::from(PENDING_UPDATE));
    }
    store::try_update(COLLECTION, &group.id, &changes).map_err(|error| not_written(error, &is.aim))?;
    match moved {
        Some(moved) => driver::tell(&[(&is, Told::Updated(moved))]),
        None => Ok(()),
    }
}

/// What these policies say has changed: agents hear of it wherever it is
/// enforced. In Neutron: `_rpc_update_firewall_policy`.
pub(crate) fn policies_changed<'a>(policies: impl Iterator<Item = &'a str> + Clone) -> Result<()> {
    let mut groups = with_policies(policies)?;
    groups.retain(|group| !group.aim.ports.is_empty());
    for group in &mut groups {
        set_status(group, PENDING_UPDATE)?;
    }
    let all = |group: &Group| Moved { added: group.aim.ports.clone(), ..Moved::default() };
    let told: Vec<_> = groups.iter().map(|group| (group, Told::Updated(all(group)))).collect();
    driver::tell(&told)
}

/// Says how a group is.
pub(crate) fn set_status(group: &mut Group, status: &str) -> Result<()> {
    if group.status != status {
        store::update::<Document>(COLLECTION, &group.id, &json!({ "status": status }))?;
        status.clone_into(&mut group.status);
    }
    Ok(())
}

/// Removes groups without ports.
pub(crate) fn delete(ctx: &Context, documents: &[Document]) -> Result<()> {
    for document in documents {
        let group = Group::deserialize(document.clone())?;
        if !group.aim.ports.is_empty() {
            return Err(errors::group_in_use(&group.id));
        }
        if group.is_default() && !ctx.caller.is_admin {
            return Err(errors::cannot_remove_default());
        }
        remove(&group)?;
    }
    Ok(())
}

/// A default group goes with its policies; their rules stay.
pub(crate) fn remove(group: &Group) -> Result<()> {
    store::delete(COLLECTION, std::slice::from_ref(&group.id))?;
    match group.is_default() {
        true => group.aim.policies().into_iter().try_for_each(policies::delete_one),
        false => Ok(()),
    }
}

/// Ports are about to be deleted: their groups do without. Agents need not hear
/// of it. Without ports a group waits for nobody.
pub(crate) fn lose(ports: &[String]) -> Result<()> {
    for group in with_ports(ports.iter().map(String::as_str))? {
        let left: Vec<&String> = group.aim.ports.iter().filter(|port| !ports.contains(*port)).collect();
        let mut changes = json!({ PORTS: left });
        if left.is_empty()
            && let Some(changes) = changes.as_object_mut()
        {
            changes.insert("status".to_owned(), Value::from(INACTIVE));
        }
        store::update::<Document>(COLLECTION, &group.id, &changes)?;
    }
    Ok(())
}

/// Puts a machine's port into the default group of its project, unless it is in a
/// group. In Neutron: `handle_update_port`.
pub(crate) fn adopt(port: &str, project: &str) -> Result<()> {
    if !with_ports([port].into_iter())?.is_empty() {
        return Ok(());
    }
    let id = defaults::ensure(project)?;
    let Some(current) = store::get::<Document>(COLLECTION, &id)? else { return Ok(()) };
    let group = Group::deserialize(current.clone())?;
    let ports: Vec<&str> = group.aim.ports.iter().map(String::as_str).chain([port]).collect();
    let changes = Document::from_iter([(PORTS.to_owned(), json!(ports))]);
    write(&group, &merged(&current, &changes), changes)
}
