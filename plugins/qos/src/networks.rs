//! The policies of networks. In Neutron: `_create_network_policy`,
//! `_update_network_policy`, `_validate_update_network_callback`.

use crate::drivers::Drivers;
use crate::users::{self, NETWORKS, POLICY};
use crate::{attribute, check_change, errors, policies, reference, rules, text};
use hadron_sdk::events::Extension;
use hadron_sdk::manifest::Extends;
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::store::Query;
use hadron_sdk::{Context, Document, Operation, Result, resources};
use std::collections::{BTreeSet, HashMap};

/// Where a segment is.
const PHYSICAL: &str = "provider:physical_network";

/// What the plugin adds to networks.
pub(crate) fn extends() -> Extends {
    Extends {
        collection: NETWORKS.to_owned(),
        attributes: vec![attribute()],
        references: vec![reference("network")],
        ..Extends::default()
    }
}

/// The physical networks of the first segments of these networks, by id; none
/// of a tunnel.
pub(crate) fn physical<'a>(ids: impl Iterator<Item = &'a str>) -> Result<HashMap<String, Option<String>>> {
    let found: Vec<Document> = resources::find(NETWORKS, &Query::all().any_of("id", ids))?;
    let first = |network: &Document| match network.get("segments").and_then(Value::as_array) {
        Some(segments) if !segments.is_empty() => segments.first().and_then(|one| one.get(PHYSICAL)).cloned(),
        _ => network.get(PHYSICAL).cloned(),
    };
    let name = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    Ok(found.iter().map(|network| (text(network, "id").to_owned(), name(first(network)))).collect())
}

/// The policies of these networks, by their ids.
pub(crate) fn policies_of<'a>(ids: impl Iterator<Item = &'a str>) -> Result<HashMap<String, String>> {
    let ids: BTreeSet<&str> = ids.collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<Document> = resources::find(NETWORKS, &Query::all().any_of("id", ids))?;
    let has = |network: &&Document| !text(network, POLICY).is_empty();
    let policy = |network: &Document| (text(network, "id").to_owned(), text(network, POLICY).to_owned());
    Ok(found.iter().filter(has).map(policy).collect())
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
                without.push((place, text(&network, "project_id").to_owned()));
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
