//! What happens to ports that trunks are made of.

use crate::ports::PORTS;
use crate::{ids, text, trunks};
use hadron_sdk::events::{Event, Moment as Happened};
use hadron_sdk::manifest::{Moment, Subscription};
use hadron_sdk::{Document, Result, serde_json};

/// The events of ports that trunks have a say in, or hear of.
pub(crate) fn subscription() -> Subscription {
    Subscription { collection: PORTS.to_owned(), on: vec![Moment::BeforeDelete, Moment::AfterUpdate] }
}

/// A port is about to be deleted, or was changed.
pub(crate) fn heard(event: &Event) -> Result<()> {
    let parse = |texts: &[String]| -> Result<Vec<Document>> {
        texts.iter().map(|text| Ok(serde_json::from_str(text)?)).collect()
    };
    match event.moment {
        Happened::BeforeDelete => trunks::check_none_has(&ids(&parse(&event.documents)?)),
        Happened::AfterUpdate if event.changes.iter().any(|changes| changes.contains("binding:host_id")) => {
            unplugged(&parse(&event.documents)?)
        }
        _ => Ok(()),
    }
}

/// A trunk is down whose parent is plugged in nowhere any more.
/// In Neutron: `_trigger_trunk_status_change`.
fn unplugged(ports: &[Document]) -> Result<()> {
    let unbound = ports.iter().filter(|port| text(port, "binding:vif_type") == "unbound");
    let unbound: Vec<&str> = unbound.map(|port| text(port, "id")).collect();
    if unbound.is_empty() {
        return Ok(());
    }
    trunks::of_parents(unbound.into_iter())?
        .iter()
        .try_for_each(|trunk| trunks::set_status(trunk, trunks::DOWN))
}
