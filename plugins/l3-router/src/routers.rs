//! Routers: what requests do to them. In Neutron: `L3_NAT_dbonly_mixin`.

pub(crate) mod attached;
pub(crate) mod attributes;
pub(crate) mod gateway;
pub(crate) mod interfaces;
pub(crate) mod routes;

pub(crate) use attributes::ROUTERS;

use crate::{agents, errors, text};
use attached::Ports;
use attributes::{ADD_INTERFACE, ADD_ROUTES, REMOVE_INTERFACE, REMOVE_ROUTES};
use gateway::Info;
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::{Context, Document, Error, Result, config, store};
use interfaces::Listed;
use routes::Route;
use serde::Deserialize;

/// The attribute with the way out.
const GATEWAY_INFO: &str = "external_gateway_info";

/// How many routes a router may have.
pub(crate) const MOST_ROUTES: &str = "quota_router_route";
/// In Neutron: `quota_router_route`.
pub(crate) const ROUTES: usize = 30;

/// A router's row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Router {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) project_id: String,
    #[serde(default)]
    pub(crate) routes: Vec<Route>,
}

/// A router that is there.
pub(crate) fn get(id: &str) -> Result<Router> {
    store::get(ROUTERS, id)?.ok_or_else(|| errors::router_not_found(id))
}

/// Makes routers. One after the other, so that each knows of those before it.
pub(crate) fn create(ctx: &Context, bodies: Vec<Document>) -> Result<()> {
    bodies.into_iter().try_for_each(|body| create_one(ctx, body))
}

fn create_one(ctx: &Context, mut body: Document) -> Result<()> {
    check_kind(&body)?;
    let info = Info::read(body.remove(GATEWAY_INFO))?;
    let mut document = Document::new();
    for name in [
        "id",
        "project_id",
        "name",
        "admin_state_up",
        "distributed",
        "ha",
        "availability_zone_hints",
        "flavor_id",
    ] {
        document.insert(name.to_owned(), body.remove(name).unwrap_or_default());
    }
    // Neutron's routers are from the first, whoever serves them.
    document.insert("status".to_owned(), json!("ACTIVE"));
    document.insert("routes".to_owned(), json!([]));
    document.insert("availability_zones".to_owned(), json!([]));
    document.insert("enable_snat".to_owned(), json!(config::or(gateway::SNAT, true)?));
    let id = text(&document, "id").to_owned();
    store::insert(ROUTERS, &[document])?;
    match info {
        Some(info) => {
            gateway::set(ctx, &get(&id)?, Some(&info))?;
            agents::changed(&id)
        }
        None => Ok(()),
    }
}

/// Changes a router.
pub(crate) fn update(ctx: &Context, id: &str, mut changes: Document) -> Result<()> {
    store::lock(ROUTERS, id)?;
    check_kind(&changes)?;
    if changes.contains_key("routes") {
        let routes: Option<Vec<Route>> =
            serde_json::from_value(changes.remove("routes").unwrap_or_default())?;
        let routes = routes.unwrap_or_default();
        check_routes(id, &routes)?;
        changes.insert("routes".to_owned(), json!(routes));
    }
    let info = changes.remove(GATEWAY_INFO);
    if !changes.is_empty() {
        store::update::<Document>(ROUTERS, id, &changes)?;
    }
    if let Some(info) = info {
        gateway::set(ctx, &get(id)?, Info::read(Some(info))?.as_ref())?;
    }
    agents::changed(id)
}

/// There are routers of one kind: on one host, and without a spare.
fn check_kind(given: &Document) -> Result<()> {
    let kinds = [("distributed", "Distributed"), ("ha", "Highly available")];
    match kinds.into_iter().find(|(name, _)| given.get(*name) == Some(&Value::Bool(true))) {
        Some((_, kind)) => Err(errors::bad_router(format!("{kind} routers are not supported"))),
        None => Ok(()),
    }
}

fn check_routes(router: &str, routes: &[Route]) -> Result<()> {
    let most: usize = config::or(MOST_ROUTES, ROUTES)?;
    let (cidrs, own) = Ports::of(router)?.reach(|_| true);
    routes::check(routes, &cidrs, &own)?;
    if routes.len() > most { Err(errors::routes_exhausted()) } else { Ok(()) }
}

/// Removes routers that nothing is joined to; their way out goes with them.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    documents.iter().try_for_each(|document| {
        let id = text(document, "id");
        store::lock(ROUTERS, id)?;
        let ports = Ports::of(id)?;
        let left: Vec<&str> = ports.interfaces().map(|(row, _)| row.port_id.as_str()).collect();
        if !left.is_empty() {
            return Err(errors::router_in_use(id, &left));
        }
        if let Some((row, _)) = ports.gateway() {
            if crate::floating_ips::any_by(id)? {
                return Err(errors::gateway_needed(id, &row.network_id));
            }
            store::update::<Document>(ROUTERS, id, &json!({"gw_port_id": null}))?;
            attached::remove(row)?;
        }
        agents::gone(id)?;
        Ok(store::delete(ROUTERS, &[id.to_owned()])?)
    })
}

/// Does what a router is told.
pub(crate) fn act(ctx: &Context, id: &str, action: &str, given: &Value) -> Result<Value> {
    if action == agents::LIST_AGENTS {
        return agents::agents_of(id);
    }
    let answer = match action {
        ADD_INTERFACE => interfaces::add(ctx, id, given)?,
        REMOVE_INTERFACE => interfaces::remove(ctx, id, given)?,
        ADD_ROUTES => reroute(id, given, routes::with)?,
        REMOVE_ROUTES => reroute(id, given, routes::without)?,
        other => return Err(Error::internal(format!("'{other}' is no action of routers"))),
    };
    agents::changed(id)?;
    Ok(answer)
}

/// Changes some routes and leaves the others as they are, whoever else changes
/// some at the same time.
fn reroute(id: &str, given: &Value, changed: fn(&[Route], &[Route]) -> Vec<Route>) -> Result<Value> {
    store::lock(ROUTERS, id)?;
    let Listed { routes } = Listed::deserialize(given)?;
    let routes = changed(&get(id)?.routes, &routes);
    check_routes(id, &routes)?;
    store::update::<Document>(ROUTERS, id, &json!({ "routes": routes }))?;
    Ok(json!({ "router": store::get::<Document>(ROUTERS, id)? }))
}
