//! What routers hear of ports and networks: what they need stays, and what stood
//! for what goes is told.

use crate::outside::{GATEWAY, NETWORKS, PORTS, Port};
use crate::routers::{attached, gateway};
use crate::{agents, errors, floating_ips, port_forwardings, text};
use hadron_sdk::events::{Event, Moment as Happened};
use hadron_sdk::manifest::{Moment, Subscription};
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::{Context, Document, Result};
use serde::Deserialize;

/// What is heard of.
pub(crate) fn subscriptions() -> Vec<Subscription> {
    vec![
        Subscription { collection: PORTS.to_owned(), on: vec![Moment::BeforeDelete, Moment::AfterUpdate] },
        Subscription { collection: NETWORKS.to_owned(), on: vec![Moment::BeforeDelete] },
    ]
}

/// Something happened.
pub(crate) fn heard(ctx: &Context, event: &Event) -> Result<()> {
    match (event.collection.as_str(), event.moment) {
        (PORTS, Happened::BeforeDelete) => ports_go(ctx, event),
        (PORTS, Happened::AfterUpdate) => ports_changed(event),
        (NETWORKS, Happened::BeforeDelete) => {
            let documents = documents(event)?;
            floating_ips::networks_go(
                &documents.iter().map(|network| text(network, "id")).collect::<Vec<_>>(),
            )
        }
        _ => Ok(()),
    }
}

fn documents(event: &Event) -> Result<Vec<Document>> {
    event.documents.iter().map(|text| Ok(serde_json::from_str(text)?)).collect()
}

/// A router's port goes only as a router's. In Neutron:
/// `prevent_l3_port_deletion`.
fn ports_go(ctx: &Context, event: &Event) -> Result<()> {
    let documents = documents(event)?;
    let ids: Vec<&str> = documents.iter().map(|port| text(port, "id")).collect();
    if let Some(row) = attached::among(ids.iter().copied())?.first() {
        return Err(errors::service_port_in_use(&row.port_id, &row.port_type));
    }
    floating_ips::ports_go(ctx, &ids)?;
    port_forwardings::ports_go(&ids)
}

/// Addresses of ports are others.
fn ports_changed(event: &Event) -> Result<()> {
    for (document, changes) in event.documents.iter().zip(&event.changes) {
        let changes: Document = serde_json::from_str(changes)?;
        if !changes.contains_key("fixed_ips") {
            continue;
        }
        let document: Value = serde_json::from_str(document)?;
        let port = Port::deserialize(document)?;
        floating_ips::check_kept(&port)?;
        for row in attached::among([port.id.as_str()])? {
            if row.port_type == GATEWAY {
                gateway::moved(&row, &port)?;
            }
            agents::changed(&row.router_id)?;
        }
    }
    Ok(())
}
