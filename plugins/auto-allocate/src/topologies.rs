//! Topologies: what a project asks for by its id, and gets when all that it
//! needs is there. In Neutron: `AutoAllocatedTopologyMixin`.

use crate::{errors, networks};
use hadron_sdk::manifest::{Called, Collection, Standard};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::Query;
use hadron_sdk::{Context, Document, Error, Result, resources};

/// The collection.
pub(crate) const COLLECTION: &str = "auto_allocated_topologies";
/// What the host asks for.
pub(crate) const SHOW: &str = "show";
/// Collection of subnet pools.
pub(crate) const POOLS: &str = "subnetpools";

/// The field that asks whether there could be a topology.
const DRY_RUN: &str = "dry-run";
/// The project that asks, as Python writes none.
const OWN: &str = "None";

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: COLLECTION.to_owned(),
        member: "auto_allocated_topology".to_owned(),
        called: Some(Called {
            collection: "auto-allocated-topology".to_owned(),
            member: "auto_allocated_topology".to_owned(),
        }),
        on_demand: true,
        without: ["revision_number", "created_at", "updated_at"].map(str::to_owned).to_vec(),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

/// The topology of a project; with the field `dry-run` only whether it can have
/// one.
pub(crate) fn show(ctx: &Context, project: &str, query: &Value) -> Result<Value> {
    let caller = &ctx.caller;
    let project = if project == OWN { caller.project_id.as_str() } else { project };
    if !caller.is_admin && project != caller.project_id {
        return Err(errors::not_authorized());
    }
    Err(match asked(query)? {
        Asked::Check => missing("No default subnetpools defined")?,
        Asked::Topology => missing("Unable to provide project private network")?,
    })
}

/// What is asked for.
#[derive(Debug, PartialEq)]
enum Asked {
    /// A topology.
    Topology,
    /// Whether there could be one.
    Check,
}

fn asked(query: &Value) -> Result<Asked> {
    let fields: Vec<&str> = match query.get("fields") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut named = fields.into_iter().filter(|field| !field.is_empty()).peekable();
    match (named.peek().is_some(), named.any(|field| field == DRY_RUN)) {
        (_, true) => Ok(Asked::Check),
        (true, false) => Err(errors::unrecognized_field()),
        (false, false) => Ok(Asked::Topology),
    }
}

/// What a topology lacks first: the default external network, default pools (in
/// these words), and a way to join a router in any case.
fn missing(without_pools: &str) -> Result<Error> {
    if networks::default()?.is_none() {
        return Ok(errors::failure("No default router:external network"));
    }
    let pools = Query::all().equal("is_default", true).limit(1);
    let pools: Vec<Document> = resources::find(POOLS, &pools)?;
    Ok(errors::failure(match pools.is_empty() {
        true => without_pools,
        false => "Unable to provide external connectivity",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    #[test]
    fn a_check_is_a_field() {
        let asked = |query: Value| asked(&query).map_err(|error| error.fault().message.clone());
        assert_eq!(asked(json!({})), Ok(Asked::Topology));
        assert_eq!(asked(json!({"fields": "", "foo": "bar"})), Ok(Asked::Topology));
        assert_eq!(asked(json!({"fields": "dry-run"})), Ok(Asked::Check));
        assert_eq!(asked(json!({"fields": ["id", "dry-run"]})), Ok(Asked::Check));
        let refused = Err("Bad auto_allocate request: Unrecognized field.".to_owned());
        assert_eq!(asked(json!({"fields": "id"})), refused);
    }
}
