//! A network that a gadget protects is not deleted.

use crate::gadgets::text;
use hadron_sdk::events::{Event, Moment};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, serde_json};

/// Vetoes the deletion of networks.
pub(crate) fn before_delete(event: &Event) -> Result<()> {
    if event.collection != "networks" || event.moment != Moment::BeforeDelete {
        return Ok(());
    }
    for text_of_network in &event.documents {
        let network: Document = serde_json::from_str(text_of_network)?;
        let id = text(&network, "id");
        let guards = Query::all().equal("network_id", id).equal("protects", true).limit(1);
        if let Some(gadget) = store::find::<Document>("gadgets", &guards)?.first() {
            return Err(Error::conflict(
                "NetworkProtected",
                format!("Network {id} cannot be deleted: gadget {} protects it.", text(gadget, "id")),
            ));
        }
    }
    Ok(())
}
