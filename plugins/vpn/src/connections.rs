//! Connections: what joins the networks of a service to those of a peer. In
//! Neutron: `IPsecSiteConnection`.

pub(crate) mod rules;

use crate::attributes::{
    LARGEST, changeable, collection, description, fixed, name, nullable, one_of, or_else, part, parts,
    reference, required, shown, string,
};
use crate::endpoints::{self, Family};
use crate::policies::Kind;
use crate::services::{self, Service};
use crate::status::PENDING_CREATE;
use crate::{algorithms, driver, endpoint_groups, errors, fill, ids, outside, policies, text};
use hadron_sdk::manifest::{Attribute, Collection, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use rules::{Dpd, Sides};
use serde::{Deserialize, Serialize};

/// The collection.
pub(crate) const COLLECTION: &str = "ipsec_site_connections";
/// The attribute with the service.
const SERVICE: &str = "vpnservice_id";
/// The attributes with groups of endpoints: of this side, and of the other.
pub(crate) const SIDES: [&str; 2] = [LOCAL, PEER];
const LOCAL: &str = "local_ep_group_id";
const PEER: &str = "peer_ep_group_id";

/// A connection's row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) peer_address: String,
    pub(crate) peer_id: String,
    pub(crate) local_id: String,
    pub(crate) route_mode: String,
    pub(crate) mtu: u64,
    pub(crate) initiator: String,
    pub(crate) auth_mode: String,
    pub(crate) psk: String,
    pub(crate) dpd: Dpd,
    pub(crate) admin_state_up: bool,
    pub(crate) status: String,
    pub(crate) vpnservice_id: String,
    pub(crate) ikepolicy_id: String,
    pub(crate) ipsecpolicy_id: String,
    pub(crate) peer_cidrs: Vec<String>,
    pub(crate) local_ep_group_id: Option<String>,
    pub(crate) peer_ep_group_id: Option<String>,
}

/// A connection, if there is one.
pub(crate) fn get(id: &str) -> Result<Option<Connection>> {
    store::get(COLLECTION, id)
}

/// The connections of these services.
pub(crate) fn of_services(services: &[Service]) -> Result<Vec<Connection>> {
    if services.is_empty() {
        return Ok(Vec::new());
    }
    let services = services.iter().map(|service| service.id.as_str());
    store::find(COLLECTION, &Query::all().any_of(SERVICE, services).sort("created_at"))
}

/// A list that may be nothing.
fn list(value: Option<&Value>) -> Result<Vec<String>> {
    Ok(Option::deserialize(value.unwrap_or(&Value::Null))?.unwrap_or_default())
}

fn word(document: &Document, name: &str) -> Option<String> {
    document.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Makes a connection.
pub(crate) fn create(ctx: &Context, mut body: Document) -> Result<()> {
    let ipsec = policies::seen_by(ctx, Kind::Ipsec, text(&body, Kind::Ipsec.reference()))?;
    if ipsec.transform_protocol == algorithms::UNSUPPORTED_TRANSFORM {
        return Err(errors::unsupported("IPsec Policy", "transform_protocol", &ipsec.transform_protocol));
    }
    let service = services::seen_by(ctx, text(&body, SERVICE))?;
    policies::seen_by(ctx, Kind::Ike, text(&body, Kind::Ike.reference()))?;
    // The router is not taken from the subnets meanwhile: that waits for this lock.
    services::lock(std::iter::once(service.id.as_str()))?;
    let sides = Sides {
        peer_cidrs: list(body.get("peer_cidrs"))?,
        local_group: word(&body, LOCAL),
        peer_group: word(&body, PEER),
    };
    let dpd = Dpd::default().with(body.get("dpd"));
    check(ctx, &service, &sides, &dpd, body.get("mtu").and_then(Value::as_u64))?;
    check_peer(&service, text(&body, "peer_address"))?;
    fill(&mut body, &SIDES);
    for (name, value) in [
        ("dpd", json!(dpd)),
        ("peer_cidrs", json!(sides.peer_cidrs)),
        ("route_mode", json!("static")),
        ("auth_mode", json!("psk")),
        ("status", json!(PENDING_CREATE)),
    ] {
        body.insert(name.to_owned(), value);
    }
    store::insert(COLLECTION, std::slice::from_ref(&body)).map_err(|error| not_written(error, &body))?;
    driver::changed(&service.router_id)
}

/// What the statement was refused for went meanwhile.
fn not_written(error: InsertError, body: &Document) -> Error {
    match error {
        InsertError::Store(StoreError::MissingReference(name)) => {
            let id = text(body, &name);
            match name.as_str() {
                SERVICE => errors::service_not_found(id),
                LOCAL | PEER => errors::group_not_found(id),
                name if name == Kind::Ike.reference() => Kind::Ike.not_found(id),
                _ => Kind::Ipsec.not_found(id),
            }
        }
        other => other.into(),
    }
}

/// The sides fit each other and the service, and the rest fits them. In Neutron:
/// `validate_ipsec_conn_optional_args`, `validate_ipsec_site_connection`.
fn check(ctx: &Context, service: &Service, sides: &Sides, dpd: &Dpd, mtu: Option<u64>) -> Result<()> {
    sides.check(service.subnet_id.is_some())?;
    let family = match (&sides.local_group, &sides.peer_group) {
        (Some(local), Some(peer)) => of_groups(ctx, service, local, peer)?,
        _ => {
            let local = outside::subnets(service.subnet_id.as_deref())?;
            let local = endpoints::family(local.iter().map(|subnet| &subnet.cidr));
            let peer = rules::peer_family(&sides.peer_cidrs)?;
            rules::one_family(local.unwrap_or(peer), peer)?
        }
    };
    dpd.check()?;
    mtu.map_or(Ok(()), |mtu| rules::check_mtu(mtu, family))
}

/// The family of two groups of endpoints.
fn of_groups(ctx: &Context, service: &Service, local: &str, peer: &str) -> Result<Family> {
    let local = endpoint_groups::seen_by(ctx, local)?;
    let peer = endpoint_groups::seen_by(ctx, peer)?;
    local.check_type(endpoints::SUBNET)?;
    let subnets = outside::subnets(local.endpoints.iter().map(String::as_str))?;
    let ids: Vec<&str> = subnets.iter().map(|subnet| subnet.id.as_str()).collect();
    if let Some(subnet) = outside::not_connected(&service.router_id, &ids)? {
        return Err(errors::not_connected(subnet, &service.router_id));
    }
    let here = endpoints::family(subnets.iter().map(|subnet| &subnet.cidr))
        .ok_or_else(|| errors::mixed_endpoints(&local.id))?;
    peer.check_type(endpoints::CIDR)?;
    let ranges: Vec<_> = peer.endpoints.iter().filter_map(|endpoint| endpoint.parse().ok()).collect();
    let there = endpoints::family(ranges.iter()).ok_or_else(|| errors::mixed_endpoints(&peer.id))?;
    rules::one_family(here, there)
}

fn check_peer(service: &Service, peer: &str) -> Result<()> {
    let outside = outside::outer_addresses(&service.router_id)?;
    rules::check_peer(peer, &service.router_id, outside.into_iter())
}

/// Changes a connection. What is not said of its sides and of dead peers stays.
pub(crate) fn update(ctx: &Context, current: Document, mut changes: Document) -> Result<()> {
    let current = Connection::deserialize(current)?;
    let service = services::get(&current.vpnservice_id)?
        .ok_or_else(|| errors::service_not_found(&current.vpnservice_id))?;
    services::lock(std::iter::once(service.id.as_str()))?;
    let or = |name: &str, kept: &Option<String>| match changes.get(name) {
        Some(_) => word(&changes, name),
        None => kept.clone(),
    };
    let sides = Sides {
        peer_cidrs: match changes.get("peer_cidrs") {
            Some(given) => list(Some(given))?,
            None => current.peer_cidrs.clone(),
        },
        local_group: or(LOCAL, &current.local_ep_group_id),
        peer_group: or(PEER, &current.peer_ep_group_id),
    };
    let dpd = current.dpd.clone().with(changes.get("dpd"));
    check(ctx, &service, &sides, &dpd, changes.get("mtu").and_then(Value::as_u64))?;
    if let Some(peer) = changes.get("peer_address").and_then(Value::as_str) {
        check_peer(&service, peer)?;
    }
    services::check_settled(&current.id, &current.status)?;
    changes.insert("dpd".to_owned(), json!(dpd));
    changes.insert("peer_cidrs".to_owned(), json!(sides.peer_cidrs));
    store::try_update(COLLECTION, &current.id, &changes).map_err(|error| not_written(error, &changes))?;
    driver::changed(&service.router_id)
}

/// A connection is as an agent says.
pub(crate) fn set_status(id: &str, status: &str) -> Result<()> {
    store::update::<Document>(COLLECTION, id, &json!({ "status": status })).map(drop)
}

/// Removes connections.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    store::delete(COLLECTION, &ids(documents))?;
    for document in documents {
        if let Some(service) = services::get(text(document, SERVICE))? {
            driver::changed(&service.router_id)?;
        }
    }
    Ok(())
}

fn attributes() -> Vec<Attribute> {
    let at_least = |min: i64| Validator::Integer { min: Some(min), max: Some(LARGEST) };
    let said = |name: &str| required(changeable(fixed(name, string())));
    let row = |name: &str| Attribute { index: true, ..required(fixed(name, Validator::Uuid)) };
    let group = |name: &str| Attribute { index: true, ..changeable(nullable(fixed(name, Validator::Uuid))) };
    let ranges = Validator::List { items: Box::new(string()), unique: true };
    vec![
        name(),
        description(),
        changeable(or_else("", fixed("local_id", string()))),
        said("peer_address"),
        said("peer_id"),
        Attribute { filter: false, ..changeable(nullable(fixed("peer_cidrs", ranges))) },
        group(LOCAL),
        group(PEER),
        shown("route_mode", string()),
        changeable(or_else(1500, fixed("mtu", at_least(0)))),
        changeable(or_else("bi-directional", fixed("initiator", one_of(&algorithms::INITIATORS)))),
        shown("auth_mode", string()),
        said("psk"),
        parts(
            "dpd",
            vec![
                part("action", one_of(&algorithms::DPD_ACTIONS)),
                part("interval", at_least(0)),
                part("timeout", at_least(0)),
            ],
        ),
        changeable(or_else(true, fixed("admin_state_up", Validator::Boolean))),
        shown("status", string()),
        row(SERVICE),
        row(Kind::Ike.reference()),
        row(Kind::Ipsec.reference()),
    ]
}

/// The declaration of the collection.
pub(crate) fn declaration() -> Collection {
    let policy = |kind: Kind| {
        let (error, message) = kind.in_use();
        reference(kind.reference(), kind.collection(), &error, &message)
    };
    let group = |side: &str| {
        reference(
            side,
            endpoint_groups::COLLECTION,
            "EndpointGroupInUse",
            "Endpoint group {id} is in use and cannot be deleted",
        )
    };
    Collection {
        attributes: attributes(),
        references: vec![
            reference(SERVICE, services::COLLECTION, "VPNServiceInUse", "VPNService {id} is still in use"),
            policy(Kind::Ike),
            policy(Kind::Ipsec),
            group(LOCAL),
            group(PEER),
        ],
        not_found: Some("IPsecSiteConnectionNotFound".to_owned()),
        not_found_says: Some("ipsec_site_connection {id} not found".to_owned()),
        ..collection(COLLECTION, "ipsec_site_connection")
    }
}
