//! Services: routers by which networks are joined to those of peers. In Neutron:
//! `VPNService`.

use crate::attributes::{
    changeable, collection, description, fixed, name, nullable, or_else, reference, required, shown, string,
};
use crate::outside::{Port, ROUTERS, SUBNETS};
use crate::status::{self, PENDING_CREATE};
use crate::{driver, errors, fill, flavors, ids, outside, text};
use hadron_sdk::manifest::{Attribute, Collection, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The collection.
pub(crate) const COLLECTION: &str = "vpnservices";

/// A service's row, as agents are told of it too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) project_id: String,
    name: String,
    #[serde(default)]
    description: String,
    /// What it joins; where it is not said, each connection says so.
    pub(crate) subnet_id: Option<String>,
    pub(crate) router_id: String,
    flavor_id: Option<String>,
    admin_state_up: bool,
    pub(crate) external_v4_ip: Option<String>,
    pub(crate) external_v6_ip: Option<String>,
    pub(crate) status: String,
}

/// A service that the caller sees.
pub(crate) fn seen_by(ctx: &Context, id: &str) -> Result<Service> {
    let service: Option<Service> = store::get(COLLECTION, id)?;
    let is_seen = |service: &Service| ctx.caller.is_admin || service.project_id == ctx.caller.project_id;
    service.filter(is_seen).ok_or_else(|| errors::service_not_found(id))
}

/// A service, if there is one.
pub(crate) fn get(id: &str) -> Result<Option<Service>> {
    store::get(COLLECTION, id)
}

/// The services of these routers.
pub(crate) fn of_routers(routers: &[String]) -> Result<Vec<Service>> {
    if routers.is_empty() {
        return Ok(Vec::new());
    }
    store::find(COLLECTION, &Query::all().any_of("router_id", routers.iter().cloned()).sort("created_at"))
}

/// The services of a flavor.
pub(crate) fn any_of_flavor(flavor: &str) -> Result<bool> {
    Ok(store::count(COLLECTION, &Query::all().equal("flavor_id", flavor))? > 0)
}

/// The way out of a router that is to have a service, of a subnet if that is said.
fn way_out(ctx: &Context, router: &str, subnet: Option<&str>) -> Result<Port> {
    let router = outside::seen_router(ctx, router)?;
    let gateway = outside::gateway(&router)?.ok_or_else(|| errors::not_external(&router.id))?;
    match subnet {
        Some(subnet) if outside::not_connected(&router.id, &[subnet])?.is_some() => {
            Err(errors::not_connected(subnet, &router.id))
        }
        _ => Ok(gateway),
    }
}

/// Makes a service, of a router that leads out.
pub(crate) fn create(ctx: &Context, mut body: Document) -> Result<()> {
    if let Some(flavor) = body.get("flavor_id").and_then(Value::as_str) {
        flavors::check(flavor)?;
    }
    fill(&mut body, &["subnet_id", "flavor_id"]);
    let (router, subnet) = (text(&body, "router_id").to_owned(), body.get("subnet_id").cloned());
    let subnet = subnet.as_ref().and_then(Value::as_str);
    let gateway = way_out(ctx, &router, subnet)?;
    let first = |of: fn(&IpAddr) -> bool| gateway.addresses().find(of).map(|address| address.to_string());
    body.insert("external_v4_ip".to_owned(), json!(first(IpAddr::is_ipv4)));
    body.insert("external_v6_ip".to_owned(), json!(first(IpAddr::is_ipv6)));
    body.insert("status".to_owned(), json!(PENDING_CREATE));
    store::insert(COLLECTION, &[body]).map_err(|error| match error {
        InsertError::Store(StoreError::MissingReference(name)) if name == "router_id" => {
            errors::router_not_found(&router)
        }
        InsertError::Store(StoreError::MissingReference(_)) => {
            errors::not_connected(subnet.unwrap_or_default(), &router)
        }
        other => other.into(),
    })?;
    // Whoever takes the way out from here on waits for this unit and finds the
    // service; whoever did before is seen now.
    way_out(ctx, &router, subnet).map(drop)
}

/// Keeps services as they are, and what is said of them, until the end of the unit.
pub(crate) fn lock<'a>(services: impl Iterator<Item = &'a str>) -> Result<()> {
    // In one order, whoever locks them.
    let ids: BTreeSet<&str> = services.collect();
    ids.into_iter().try_for_each(|id| Ok(store::lock(COLLECTION, id)?))
}

/// What waits for an agent is not changed. In Neutron: `assert_update_allowed`.
pub(crate) fn check_settled(id: &str, current: &str) -> Result<()> {
    match status::is_pending(current) {
        true => Err(errors::state_invalid(id, current)),
        false => Ok(()),
    }
}

/// Changes a service.
pub(crate) fn update(current: Document, changes: &Document) -> Result<()> {
    let service = Service::deserialize(current)?;
    check_settled(&service.id, &service.status)?;
    store::update::<Document>(COLLECTION, &service.id, changes)?;
    driver::changed(&service.router_id)
}

/// A service is as an agent says.
pub(crate) fn set_status(id: &str, status: &str) -> Result<()> {
    store::update::<Document>(COLLECTION, id, &json!({ "status": status })).map(drop)
}

/// Removes services that have no connections: references say so.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    store::delete(COLLECTION, &ids(documents)).map_err(Error::from)?;
    documents.iter().try_for_each(|document| driver::changed(text(document, "router_id")))
}

/// The declaration of the collection.
pub(crate) fn declaration() -> Collection {
    let id = |name: &str| fixed(name, Validator::Uuid);
    let address = |name: &str| Attribute { nullable: true, ..shown(name, Validator::IpAddress) };
    Collection {
        attributes: vec![
            name(),
            description(),
            nullable(id("subnet_id")),
            Attribute { index: true, ..required(id("router_id")) },
            Attribute { index: true, ..nullable(id("flavor_id")) },
            changeable(or_else(true, fixed("admin_state_up", Validator::Boolean))),
            address("external_v4_ip"),
            address("external_v6_ip"),
            shown("status", string()),
        ],
        references: vec![
            reference(
                "router_id",
                ROUTERS,
                "RouterInUse",
                "Router {id} is currently used by VPN service ({by})",
            ),
            reference(
                "subnet_id",
                SUBNETS,
                "SubnetInUseByVPNService",
                "Subnet {id} is used by VPNService {by}",
            ),
        ],
        not_found: Some("VPNServiceNotFound".to_owned()),
        not_found_says: Some("VPNService {id} could not be found".to_owned()),
        ..collection(COLLECTION, "vpnservice")
    }
}
