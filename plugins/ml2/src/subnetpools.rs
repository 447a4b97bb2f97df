//! Subnet pools: prefixes that subnets are taken from. In Neutron: `SubnetPool`,
//! `subnet_alloc`.

mod attributes;
mod errors;
mod prefix_ops;
mod rules;

pub(crate) use attributes::{EXTENSIONS, POLICY, collection};
pub(crate) use errors::scope_affinity;
pub(crate) use prefix_ops::act;
pub(crate) use rules::SubnetPool;

use crate::document::{distinct, row, set, text};
use crate::net::{Cidr, Prefixes};
use crate::sharing::{self, ACCESS_SHARED, Shareable};
use crate::subnets::Subnet;
use crate::{address_scopes, networks};
use hadron_sdk::manifest::EVERY_PROJECT;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result, rbac};
use rules::Lengths;

const COLLECTION: &str = "subnetpools";

/// How policies share subnet pools.
pub(crate) const SHARING: Shareable = Shareable {
    object_type: "subnetpool",
    collection: COLLECTION,
    users: projects_with_subnets,
    not_found: errors::not_found,
};

/// Makes pools.
pub(crate) fn create(ctx: &Context, bodies: Vec<Document>) -> Result<()> {
    for mut body in bodies {
        rules::check_name(&body)?;
        let prefixes = rules::prefixes(&body, "prefixes")?;
        let version = rules::version(&prefixes)?;
        let lengths = Lengths::of(&body, version, None)?;
        lengths.check(version)?;
        let pool = Prefixes::of(version, &prefixes);
        if let Some(scope) = set(&body, "address_scope_id").and_then(Value::as_str) {
            check_scope(ctx, text(&body, "id"), &pool, scope)?;
        }
        body.insert("ip_version".to_owned(), json!(version.number()));
        lengths.show(&mut body);
        body.insert("prefixes".to_owned(), rules::shown(&pool));
        for absent in ["default_quota", "address_scope_id"] {
            body.entry(absent).or_insert(Value::Null);
        }
        let is_default = body.get("is_default") == Some(&Value::Bool(true));
        body.insert("default_of".to_owned(), json!(is_default.then(|| version.number())));
        store::insert(COLLECTION, &[body]).map_err(not_written)?;
    }
    Ok(())
}

/// There is one default pool of a family: the key tells the second one.
fn not_written(error: InsertError) -> Error {
    match error {
        InsertError::Store(StoreError::Duplicate(_)) => errors::second_default(),
        other => other.into(),
    }
}

/// Changes a pool. Prefixes are only ever added here.
pub(crate) fn update(ctx: &Context, id: &str, current: &Document, changes: Document) -> Result<()> {
    rules::check_name(&changes)?;
    let before: SubnetPool = row(current)?;
    // Subnets are taken from the pool, and find its scope, before this or after.
    store::lock(COLLECTION, id)?;
    let mut changes = changes;
    let mut prefixes = before.prefixes();
    if changes.contains_key("prefixes") {
        let asked = rules::prefixes(&changes, "prefixes")?;
        prefixes = rules::extended(&before, &asked)?;
        changes.insert("prefixes".to_owned(), rules::shown(&prefixes));
    }
    let lengths = Lengths::of(&changes, before.version(), Some(&before.lengths))?;
    lengths.check(before.version())?;
    lengths.show(&mut changes);
    if let Some(is_default) = changes.get("is_default").and_then(Value::as_bool) {
        changes.insert("default_of".to_owned(), json!(is_default.then_some(before.ip_version)));
    }
    if let Some(scope) = &before.address_scope_id
        && !address_scopes::is_owned(ctx, scope)?
    {
        return Err(errors::illegal_update(format!(
            "subnetpool {id} cannot be updated when associated with shared address scope {scope}"
        )));
    }
    let scope = match changes.get("address_scope_id") {
        None => before.address_scope_id.clone(),
        Some(scope) => scope.as_str().map(str::to_owned),
    };
    if let Some(scope) = &scope {
        check_scope(ctx, id, &prefixes, scope)?;
    }
    if scope != before.address_scope_id {
        rescope(&before, scope.as_deref())?;
    }
    store::try_update(COLLECTION, id, &changes).map_err(not_written).map(drop)
}

/// The networks with subnets of the pool are in another scope from now on; all
/// of a network's subnets of a family are.
/// In Neutron: `_check_subnetpool_address_scope_network_affinity`.
fn rescope(pool: &SubnetPool, scope: Option<&str>) -> Result<()> {
    let own: Vec<Document> = store::find("subnets", &of_pool(&pool.id))?;
    let networks = distinct(&own, "network_id");
    if scope.is_some() && !networks.is_empty() {
        let all =
            Query::all().any_of("network_id", networks.iter().cloned()).equal("ip_version", pool.ip_version);
        if store::count("subnets", &all)? > own.len() as u64 {
            return Err(scope_affinity());
        }
    }
    networks.iter().try_for_each(|id| networks::set_scope(id, pool.version(), scope))
}

/// A pool joins a scope of its own family that the caller sees, and no other
/// pool there has one of its addresses. In Neutron: `_validate_address_scope_id`.
fn check_scope(ctx: &Context, id: &str, prefixes: &Prefixes, scope_id: &str) -> Result<()> {
    let scope = address_scopes::held(ctx, scope_id)?;
    if prefixes.version() != scope.version() {
        return Err(errors::foreign_scope(id, &scope.id, scope.version()));
    }
    let others: Vec<SubnetPool> =
        store::find(COLLECTION, &Query::all().equal("address_scope_id", scope_id).none_of("id", [id]))?;
    match others.iter().any(|other| other.prefixes().overlaps(prefixes)) {
        true => Err(errors::prefix_conflict()),
        false => Ok(()),
    }
}

/// Removes pools that no subnet is of.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        let id = text(document, "id");
        store::lock(COLLECTION, id)?;
        if store::count("subnets", &of_pool(id))? > 0 {
            return Err(errors::in_use());
        }
        store::delete(COLLECTION, &[id.to_owned()])?;
    }
    Ok(())
}

fn of_pool(id: &str) -> Query {
    Query::all().equal("subnetpool_id", id)
}

fn projects_with_subnets(id: &str) -> Result<Vec<String>> {
    let subnets: Vec<Document> = store::find("subnets", &of_pool(id))?;
    Ok(distinct(&subnets, "project_id"))
}

/// The projects that have a pool in an address scope.
pub(crate) fn projects_in_scope(scope: &str) -> Result<Vec<String>> {
    let pools: Vec<Document> = store::find(COLLECTION, &Query::all().equal("address_scope_id", scope))?;
    Ok(distinct(&pools, "project_id"))
}

/// Who gets to see a pool must see its address scope.
/// In Neutron: `SubnetPool.validate_rbac_policy_create`.
pub(crate) fn check_target(pool: &Document, target: &str) -> Result<()> {
    let Some(scope) = set(pool, "address_scope_id").and_then(Value::as_str) else { return Ok(()) };
    let targets = rbac::targets(address_scopes::SHARING.collection, scope, ACCESS_SHARED)?;
    match targets.iter().any(|to| to == EVERY_PROJECT || to == target) {
        true => Ok(()),
        false => Err(errors::scope_unseen(text(pool, "id"))),
    }
}

/// A pool that subnets are about to be taken from, one unit after another.
pub(crate) struct Held {
    pub(crate) pool: SubnetPool,
    /// Its subnets: of each, the project and the network.
    used: Vec<(String, Cidr)>,
}

impl Held {
    /// The pool of that id, which the caller must see.
    pub(crate) fn of(ctx: &Context, id: &str) -> Result<Held> {
        let pool: SubnetPool = row(&sharing::held(ctx, &SHARING, id)?)?;
        let subnets: Vec<Subnet> = store::find("subnets", &of_pool(id))?;
        let used =
            subnets.into_iter().map(|subnet| (subnet.project_id.unwrap_or_default(), subnet.cidr)).collect();
        Ok(Held { pool, used })
    }

    /// Takes a network for a project's subnet: a given one, or any of a size.
    pub(crate) fn take(&mut self, project: &str, given: Option<Cidr>, prefix: u8) -> Result<Cidr> {
        let cidr = self.pool.choose(&self.used, project, given, prefix)?;
        self.used.push((project.to_owned(), cidr));
        Ok(cidr)
    }
}

/// The default pool of a family, if the caller sees it.
/// In Neutron: `get_default_subnetpool`.
pub(crate) fn default_of(ctx: &Context, version: u8) -> Result<Option<String>> {
    let found: Vec<Document> = store::find(COLLECTION, &Query::all().equal("default_of", version))?;
    let Some(pool) = found.first() else { return Ok(None) };
    let id = text(pool, "id");
    let own = ctx.caller.is_admin || text(pool, "project_id") == ctx.caller.project_id;
    let seen = own || sharing::allows(ctx, COLLECTION, id)?;
    Ok(seen.then(|| id.to_owned()))
}
