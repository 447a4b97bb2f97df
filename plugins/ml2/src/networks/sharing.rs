//! With whom networks are shared: RBAC policies about networks that are made,
//! changed and removed, and `shared` that is taken back.
//! In Neutron: `validate_network_rbac_policy_change`, `_validate_shared_update`.

use super::COLLECTION;
use crate::document::text;
use crate::sharing::{ACCESS_SHARED, Policy};
use crate::{errors, owners, subnets};
use hadron_sdk::events::Moment;
use hadron_sdk::manifest::EVERY_PROJECT;
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Context, Document, Error, Result, rbac};
use std::collections::BTreeSet;

/// What policies call networks.
pub(crate) const OBJECT_TYPE: &str = "network";
/// Whether networks lead to the world outside: what policies of
/// `access_as_external` make true.
pub(crate) const EXTERNAL: &str = "router:external";
/// The action that makes it true.
pub(super) const ACCESS_EXTERNAL: &str = "access_as_external";

/// A network leads to the world as long as a router's gateway is on it.
/// In Neutron: `_process_l3_update`.
pub(super) fn check_external(id: &str, changes: &Document) -> Result<()> {
    if changes.get(EXTERNAL) != Some(&Value::Bool(false)) {
        return Ok(());
    }
    let gateways = Query::all().equal("network_id", id).equal("device_owner", owners::ROUTER_GATEWAY);
    match store::count("ports", &gateways)? {
        0 => Ok(()),
        _ => Err(Error::conflict(
            "ExternalNetworkInUse",
            format!(
                "External network {id} cannot be updated to be made non-external, since it has existing gateway ports."
            ),
        )),
    }
}

/// A policy about a network is about to be made, changed or removed.
/// In Neutron: `validate_network_rbac_policy_change`.
pub(crate) fn policy(ctx: &Context, policy: &Policy<'_>) -> Result<()> {
    let id = policy.object();
    let Some(network) = store::get::<Document>(COLLECTION, id)? else {
        return Err(Error::invalid_input(format!("Network {id} could not be found")));
    };
    let owner = text(&network, "project_id");
    if policy.moment != Moment::BeforeDelete && !ctx.caller.is_admin && owner != ctx.caller.project_id {
        return Err(Error::invalid_input("Only admins can manipulate policies on networks they do not own"));
    }
    let shares = policy.action() == ACCESS_SHARED;
    match shares && policy.is_withdrawn() && policy.target() != owner {
        true => check_unused(id, owner, policy.target()),
        false => Ok(()),
    }
}

/// A project loses its access only when it has no ports on the network that
/// nothing else allows.
fn check_unused(id: &str, owner: &str, target: &str) -> Result<()> {
    // Of two policies that cover for each other one goes first.
    store::lock(COLLECTION, id)?;
    let others: Vec<String> =
        rbac::targets(COLLECTION, id, ACCESS_SHARED)?.into_iter().filter(|t| t != target).collect();
    let ports = Query::all().equal("network_id", id);
    let ports = if target == EVERY_PROJECT {
        // Ports of no project are those of routers and floating IPs.
        let allowed = others.into_iter().chain([owner.to_owned(), String::new()]);
        ports.none_of("project_id", allowed)
    } else if others.iter().any(|other| other == EVERY_PROJECT) {
        return Ok(());
    } else {
        ports.equal("project_id", target)
    };
    match store::count("ports", &ports)? {
        0 => Ok(()),
        _ => Err(errors::rbac_policy_in_use(id)),
    }
}

/// `shared` is taken back only when nobody is on the network who has no other
/// access to it.
pub(super) fn check_update(id: &str, current: &Document) -> Result<()> {
    let targets = rbac::targets(COLLECTION, id, ACCESS_SHARED)?;
    if !targets.iter().any(|target| target == EVERY_PROJECT) {
        return Ok(());
    }
    let ports: Vec<Document> = store::find("ports", &Query::all().equal("network_id", id))?;
    let ports = ports.iter().filter(|port| !text(port, "device_owner").starts_with(owners::NETWORK_PREFIX));
    let subnets = subnets::of_networks(&[id.to_owned()])?;
    let owner = text(current, "project_id");
    let users: BTreeSet<&str> = ports
        .map(|port| text(port, "project_id"))
        .chain(subnets.iter().map(|subnet| subnet.project_id.as_deref().unwrap_or_default()))
        .collect();
    match users.iter().all(|user| *user == owner || targets.iter().any(|target| target == user)) {
        true => Ok(()),
        false => Err(errors::invalid_shared_setting(text(current, "name"))),
    }
}
