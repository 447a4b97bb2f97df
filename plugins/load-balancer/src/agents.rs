//! What those that carry load balancers out ask and report. The counterparts of
//! this contract are octavia-lib's `DriverLibrary` (what is reported) and
//! neutron-lbaas' `LoadBalancerCallbacks` (that agents pull).

use crate::attribute::{OPERATING, PROVISIONING};
use crate::document::{given, number, object, objects as list, text, typed};
use crate::kind::Kind;
use crate::load_balancers::LoadBalancer;
use crate::objects::WHOLE;
use crate::status::{self, DELETED};
use crate::tree::Tree;
use crate::{
    flavors, health_monitors, l7policies, l7rules, listeners, load_balancers, members, pools, statistics,
    vip, zones,
};
use hadron_sdk::manifest::Topic;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result};

/// The topic that agents speak on.
const TOPIC: &str = "lbaas-plugin";

/// Where agents speak of load balancers.
pub(crate) fn topic() -> Topic {
    Topic::new(TOPIC).version("1.0").reads(&["get_load_balancers"])
}

/// Handles a message of an agent.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    let argument = |name: &str| arguments.get(name).cloned().unwrap_or_default();
    let told = |name: &str| argument(name).as_str().unwrap_or_default().to_owned();
    match method {
        "get_load_balancers" => served(&told("host"), &told("provider")),
        "get_load_balancer" => whole(&told("loadbalancer_id"), &told("host")),
        "plug_vip" => plug(&told("loadbalancer_id"), &told("host")),
        "update_statuses" => {
            let statuses = object(argument("statuses")).unwrap_or_default();
            update_statuses(&told("host"), statuses).map(|()| Value::Null)
        }
        "update_statistics" => {
            let reported = object(argument("statistics")).unwrap_or_default();
            let listeners = list(reported.get(Kind::Listener.reported()).cloned());
            listeners.iter().try_for_each(statistics::report).map(|()| Value::Null)
        }
        other => Err(Error::no_such_method(TOPIC, other)),
    }
}

/// Load balancers of a provider that an agent serves, and those that nobody does.
fn served(host: &str, provider: &str) -> Result<Value> {
    let query = Query::all().equal("provider", provider).sort("created_at");
    let rows: Vec<Document> = store::find(Kind::LoadBalancer.collection(), &query)?;
    let mine = rows.iter().filter(|row| given(row, "host").is_none_or(|serving| serving == host));
    let names = ["id", PROVISIONING, "revision_number", "host"];
    let told = |row: &Document| -> Value {
        names.iter().map(|name| ((*name).to_owned(), row.get(*name).cloned().unwrap_or_default())).collect()
    };
    Ok(mine.map(told).collect())
}

/// A load balancer with all it is made of. Whoever asks first of one that nobody
/// serves serves it from then on; others get nothing.
fn whole(id: &str, host: &str) -> Result<Value> {
    if !claims(id, host)? {
        return Ok(Value::Null);
    }
    let Some(tree) = Tree::load(id)? else { return Ok(Value::Null) };
    let row = &tree.load_balancer;
    let (port, subnets) = vip::told(row)?;
    let flavor = given(row, "flavor_id").map(flavors::told).transpose()?;
    let zone = given(row, "availability_zone").map(zones::told).transpose()?;
    Ok(json!({"loadbalancer": tree.whole(), "revision_number": number(row, "revision_number"),
        "vip_port": port, "subnets": subnets, "flavor": flavor, "availability_zone": zone}))
}

/// Whether an agent serves a load balancer, or does now.
fn claims(id: &str, host: &str) -> Result<bool> {
    match store::lock(Kind::LoadBalancer.collection(), id) {
        Err(store::StoreError::NotFound) => return Ok(false),
        other => other.map_err(Error::from)?,
    }
    let Some(row) = store::get::<Document>(Kind::LoadBalancer.collection(), id)? else { return Ok(false) };
    match given(&row, "host") {
        Some(serving) => Ok(serving == host),
        None if host.is_empty() => Ok(false),
        None => {
            store::update::<Document>(Kind::LoadBalancer.collection(), id, &json!({ "host": host }))?;
            Ok(true)
        }
    }
}

/// The port with the addresses is plugged in where an agent serves it; the port.
fn plug(id: &str, host: &str) -> Result<Value> {
    if !claims(id, host)? {
        return Ok(Value::Null);
    }
    let row = store::get::<Document>(Kind::LoadBalancer.collection(), id)?.unwrap_or_default();
    vip::plug(text(&row, "vip_port_id"), host).map(Value::Object)
}

/// Notes how far things are set up, and how they work. Of what is gone an agent may
/// not have heard yet; what another agent serves is that one's to report.
fn update_statuses(host: &str, statuses: Document) -> Result<()> {
    for kind in Kind::ALL {
        for reported in list(statuses.get(kind.reported()).cloned()) {
            let changes = reported_changes(&reported)?;
            let id = text(&reported, "id");
            let Some(row) = store::get::<Document>(kind.collection(), id)? else { continue };
            if !is_served(kind, &row, host)? {
                continue;
            }
            if text(&changes, PROVISIONING) == DELETED {
                removed(kind, id)?;
            } else if changes.iter().any(|(name, value)| row.get(name) != Some(value)) {
                store::update::<Document>(kind.collection(), id, &changes)?;
            }
        }
    }
    Ok(())
}

fn is_served(kind: Kind, row: &Document, host: &str) -> Result<bool> {
    let whole = match kind {
        Kind::LoadBalancer => Some(row.clone()),
        _ => store::get(Kind::LoadBalancer.collection(), text(row, WHOLE))?,
    };
    let Some(whole) = whole else { return Ok(false) };
    let held: LoadBalancer = typed(whole)?;
    Ok(host.is_empty() || held.host.as_deref().is_none_or(|serving| serving == host))
}

/// What is reported of one thing, if it is known what that means.
fn reported_changes(reported: &Document) -> Result<Document> {
    let mut changes = Document::new();
    for (name, known) in [(PROVISIONING, &status::PROVISIONING[..]), (OPERATING, &status::OPERATING[..])] {
        let Some(value) = given(reported, name) else { continue };
        if !known.contains(&value) {
            return Err(Error::invalid_input(format!("'{value}' is no {name}")));
        }
        changes.insert(name.to_owned(), Value::from(value));
    }
    Ok(changes)
}

fn removed(kind: Kind, id: &str) -> Result<()> {
    match kind {
        Kind::LoadBalancer => load_balancers::removed(id),
        Kind::Listener => listeners::removed(id),
        Kind::Pool => pools::removed(id),
        Kind::Member => members::removed(id),
        Kind::HealthMonitor => health_monitors::removed(id),
        Kind::L7Policy => l7policies::removed(id),
        Kind::L7Rule => l7rules::removed(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_statuses_are_reported() {
        let changes = |reported: Value| reported_changes(reported.as_object().unwrap());
        let good = changes(json!({"id": "x", "provisioning_status": "ACTIVE", "operating_status": "ONLINE"}));
        assert_eq!(good.unwrap().len(), 2);
        assert!(changes(json!({"provisioning_status": "PENDING_UPDATE"})).is_err());
        assert!(changes(json!({"operating_status": "FINE"})).is_err());
        assert!(changes(json!({"id": "x"})).unwrap().is_empty());
    }
}
