//! Prefixes that are added to a pool and taken out again, and subnets that join
//! it with theirs. In Neutron: `add_prefixes`, `remove_prefixes`,
//! `onboard_network_subnets`.

use super::{COLLECTION, SubnetPool, errors, of_pool, rules, update};
use crate::document::{row, text};
use crate::errors::network_not_found;
use crate::net::{Cidr, Prefixes};
use crate::networks;
use crate::subnets::Subnet;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Context, Document, Error, Result};

/// Does what the pool is told.
pub(crate) fn act(ctx: &Context, id: &str, action: &str, body: &Value) -> Result<Value> {
    let body = body.as_object().ok_or_else(errors::bad_body)?;
    match action {
        "add_prefixes" => add(ctx, id, rules::operands(body)?),
        "remove_prefixes" => remove(id, &rules::operands(body)?),
        "onboard_network_subnets" => onboard(ctx, id, body),
        other => Err(Error::internal(format!("subnet pools do not know '{other}'"))),
    }
}

fn held(id: &str) -> Result<(Document, SubnetPool)> {
    store::lock(COLLECTION, id)?;
    let document = store::get::<Document>(COLLECTION, id)?.ok_or_else(|| errors::not_found(id))?;
    let pool = row(&document)?;
    Ok((document, pool))
}

fn add(ctx: &Context, id: &str, more: Vec<Cidr>) -> Result<Value> {
    let (current, pool) = held(id)?;
    let all: Vec<Cidr> = pool.prefixes().cidrs().into_iter().chain(more).collect();
    rules::version(&all)?;
    let prefixes = rules::shown(&Prefixes::of(pool.version(), &all));
    let mut changes = Document::new();
    let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
    changes.insert("prefixes".to_owned(), json!(texts));
    update(ctx, id, &current, changes)?;
    Ok(json!({ "prefixes": prefixes }))
}

fn remove(id: &str, removed: &[Cidr]) -> Result<Value> {
    let (_, pool) = held(id)?;
    let (before, removed) = (pool.prefixes(), Prefixes::of(pool.version(), removed));
    if !before.overlaps(&removed) {
        return Ok(json!({ "prefixes": rules::shown(&before) }));
    }
    let subnets: Vec<Subnet> = store::find("subnets", &of_pool(id))?;
    let used: Vec<Cidr> = subnets.iter().map(|subnet| subnet.cidr).collect();
    if Prefixes::of(pool.version(), &used).overlaps(&removed) {
        return Err(errors::prefix_update("One or more the prefixes to be removed is in use by a subnet."));
    }
    let prefixes = json!({ "prefixes": rules::shown(&before.without(&removed)) });
    store::update::<Document>(COLLECTION, id, &prefixes)?;
    Ok(prefixes)
}

/// All subnets of a network, of the pool's family, are the pool's from now on.
fn onboard(ctx: &Context, id: &str, body: &Document) -> Result<Value> {
    let network_id = text(body, "network_id");
    if network_id.is_empty() {
        return Err(Error::invalid_input("network_id must be specified."));
    }
    let missing = || network_not_found(network_id);
    store::lock("networks", network_id).map_err(|_| missing())?;
    let network = store::get::<Document>("networks", network_id)?.ok_or_else(missing)?;
    if !ctx.caller.is_admin && text(&network, "project_id") != ctx.caller.project_id {
        return Err(missing());
    }
    let (current, pool) = held(id)?;
    let subnets: Vec<Subnet> = store::find(
        "subnets",
        &Query::all().equal("network_id", network_id).equal("ip_version", pool.ip_version),
    )?;
    let own: Vec<Subnet> = store::find("subnets", &of_pool(id))?;
    let clash = subnets.iter().find(|new| own.iter().any(|old| old.cidr.overlaps(&new.cidr)));
    if let Some(subnet) = clash {
        return Err(errors::illegal_update(format!(
            "Onboarding subnet {}: {} conflicts with allocated prefixes in subnet pool {id}",
            subnet.id, subnet.cidr
        )));
    }
    let all = pool.prefixes().cidrs().into_iter().chain(subnets.iter().map(|subnet| subnet.cidr));
    let mut changes = Document::new();
    changes.insert("prefixes".to_owned(), json!(all.map(|cidr| cidr.to_string()).collect::<Vec<_>>()));
    update(ctx, id, &current, changes)?;
    for subnet in &subnets {
        store::update::<Document>("subnets", &subnet.id, &json!({ "subnetpool_id": id }))?;
    }
    if !subnets.is_empty() {
        networks::set_scope(network_id, pool.version(), pool.address_scope_id.as_deref())?;
    }
    Ok(subnets.iter().map(|subnet| json!({"id": subnet.id, "cidr": subnet.cidr.to_string()})).collect())
}
