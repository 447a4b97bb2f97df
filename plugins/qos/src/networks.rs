//! The policies of networks. In Neutron: `_create_network_policy`,
//! `_update_network_policy`, `_validate_update_network_callback`.

use crate::drivers::Drivers;
use crate::users::{self, NETWORKS, POLICY};
use crate::{attribute, check_change, errors, policies, reference, rules, text};
use hadron_sdk::events::Extension;
use hadron_sdk::manifest::Extends;
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::{Context, Document, Operation, Result};

/// What the plugin adds to networks.
pub(crate) fn extends() -> Extends {
    Extends {
        collection: NETWORKS.to_owned(),
        attributes: vec![attribute()],
        references: vec![reference("network")],
        ..Extends::default()
    }
}

/// The policies that networks get: what is asked for, or their project's
/// default.
pub(crate) fn extend(ctx: &Context, operation: Operation, items: &[Extension]) -> Result<Vec<Document>> {
    let mut kept = Vec::with_capacity(items.len());
    let mut without = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let requested: Document = serde_json::from_str(&item.requested)?;
        let network: Document = serde_json::from_str(&item.document)?;
        match requested.get(POLICY).and_then(Value::as_str) {
            Some(policy) => {
                check_change(ctx, item, Some(policy))?;
                check(policy, &item.id, operation)?;
            }
            None if operation == Operation::Create => {
                let project = match text(&network, "project_id") {
                    "" => ctx.caller.project_id.as_str(),
                    given => given,
                };
                without.push((place, project.to_owned()));
            }
            None => check_change(ctx, item, None)?,
        }
        kept.push(requested);
    }
    let projects = without.iter().map(|(_, project)| project.as_str());
    let defaults = if without.is_empty() { Vec::new() } else { policies::defaults(projects)? };
    for (place, project) in &without {
        let default = defaults.iter().find(|(of, _)| of == project).map(|(_, policy)| policy.clone());
        let Some(kept) = kept.get_mut(*place) else { continue };
        if let (Some(policy), Some(item)) = (&default, items.get(*place)) {
            check(policy, &item.id, operation)?;
        }
        kept.insert(POLICY.to_owned(), default.map_or(Value::Null, Value::from));
    }
    Ok(kept)
}

/// Some driver carries the rules of a policy out, for all ports that get it with
/// their network.
fn check(policy: &str, network: &str, operation: Operation) -> Result<()> {
    let drivers = Drivers::configured()?;
    let rules = rules::of_policy(policy)?;
    if let Some((kind, _)) = rules.iter().find(|(kind, rule)| !drivers.know(*kind, rule)) {
        return Err(errors::not_supported_by_network(kind.name(), network));
    }
    if operation == Operation::Create || rules.is_empty() {
        return Ok(());
    }
    users::for_each_port_of(network, |port| drivers.check(&rules, port))
}
