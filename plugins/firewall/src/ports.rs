//! Ports that can be in a group: those of machines, and of routers into networks.

use crate::{driver, errors, groups, text};
use hadron_sdk::events::{Event, Moment as Happened};
use hadron_sdk::manifest::{Moment, Subscription};
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::store::Query;
use hadron_sdk::{Context, Document, Result, resources};
use serde::Deserialize;
use std::collections::HashMap;

/// The core plugin's collection.
pub(crate) const COLLECTION: &str = "ports";

/// Owners of a router's ports into networks. In Neutron:
/// `ROUTER_INTERFACE_OWNERS`.
const OF_ROUTERS: [&str; 3] = [
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
];
/// What owners of machines' ports begin with.
/// In Neutron: `DEVICE_OWNER_COMPUTE_PREFIX`.
const OF_MACHINES: &str = "compute:";

/// A port, as far as groups, their driver and its agents care.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Port {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) network_id: String,
    pub(crate) device_owner: String,
    pub(crate) status: String,
    pub(crate) fixed_ips: Value,
    pub(crate) allowed_address_pairs: Value,
    pub(crate) port_security_enabled: Option<bool>,
    #[serde(rename = "binding:host_id")]
    pub(crate) host: Option<String>,
    #[serde(rename = "binding:vif_type")]
    pub(crate) vif_type: Option<String>,
    #[serde(rename = "binding:vif_details")]
    pub(crate) vif_details: Value,
}

impl Port {
    /// Whether it is a machine's.
    pub(crate) fn is_of_machine(&self) -> bool {
        self.device_owner.starts_with(OF_MACHINES)
    }

    fn is_of_router(&self) -> bool {
        OF_ROUTERS.contains(&self.device_owner.as_str())
    }

    /// In Neutron: `_validate_ports_for_firewall_group`.
    fn check(&self) -> Result<()> {
        match self.is_of_router() || self.is_of_machine() {
            false => Err(errors::port_invalid(&self.id)),
            true if self.is_of_machine() && !driver::supports(self) => {
                Err(errors::port_not_supported(&self.id, driver::NAME))
            }
            true => Ok(()),
        }
    }
}

/// The ports with these ids, by id.
pub(crate) fn find<'a>(ids: impl Iterator<Item = &'a str>) -> Result<HashMap<String, Port>> {
    let ids: Vec<&str> = ids.collect();
    let found: Vec<Port> = match ids.is_empty() {
        true => Vec::new(),
        false => resources::find(COLLECTION, &Query::all().any_of("id", ids))?,
    };
    Ok(found.into_iter().map(|port| (port.id.clone(), port)).collect())
}

/// Whether a group can have these ports, all of which the caller must see.
pub(crate) fn check(ctx: &Context, ids: &[String]) -> Result<()> {
    let found = find(ids.iter().map(String::as_str))?;
    let sees = |port: &&Port| ctx.caller.is_admin || port.project_id == ctx.caller.project_id;
    ids.iter().try_for_each(|id| match found.get(id).filter(sees) {
        Some(port) => port.check(),
        None => Err(errors::port_not_found(id)),
    })
}

/// The events of ports that groups hear of.
pub(crate) fn subscription() -> Subscription {
    Subscription { collection: COLLECTION.to_owned(), on: vec![Moment::BeforeDelete, Moment::AfterUpdate] }
}

/// Ports are about to be deleted, or were changed.
pub(crate) fn heard(event: &Event) -> Result<()> {
    match event.moment {
        Happened::BeforeDelete => {
            let documents = event.documents.iter().map(|text| Ok(serde_json::from_str(text)?));
            let documents = documents.collect::<Result<Vec<Document>>>()?;
            let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
            groups::lose(&ids)
        }
        Happened::AfterUpdate => {
            event.documents.iter().zip(&event.changes).try_for_each(|(port, changes)| changed(port, changes))
        }
        _ => Ok(()),
    }
}

/// A machine that is plugged in is behind its project's default firewall. Where a
/// port was before is not known here: it is now plugged in for a machine when the
/// same request gives it one.
fn changed(port: &str, changes: &str) -> Result<()> {
    if !changes.contains("device_id") {
        return Ok(());
    }
    let changes: Document = serde_json::from_str(changes)?;
    if text(&changes, "device_id").is_empty() {
        return Ok(());
    }
    let port: Port = serde_json::from_str(port)?;
    match port.is_of_machine() && driver::supports(&port) {
        true => groups::adopt(&port.id, &port.project_id),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    fn refusal(port: Value) -> Option<String> {
        let port: Port = serde_json::from_value(port).unwrap();
        port.check().err().map(|error| error.fault().kind.clone())
    }

    #[test]
    fn ports_of_routers_and_of_machines_that_are_plugged_in_can_be_in_groups() {
        for owner in OF_ROUTERS {
            assert_eq!(refusal(json!({"device_owner": owner})), None, "{owner}");
        }
        for owner in ["", "network:dhcp", "network:router_gateway", "network:router_centralized_snat"] {
            assert_eq!(refusal(json!({"device_owner": owner})).as_deref(), Some("FirewallGroupPortInvalid"));
        }
        let of_machine = |vif_type: &str| json!({"device_owner": "compute:x", "binding:vif_type": vif_type});
        assert_eq!(refusal(of_machine("ovs")), None);
        for vif_type in ["unbound", "binding_failed", "bridge"] {
            let refused = refusal(of_machine(vif_type));
            assert_eq!(refused.as_deref(), Some("FirewallGroupPortNotSupported"), "{vif_type}");
        }
    }
}
