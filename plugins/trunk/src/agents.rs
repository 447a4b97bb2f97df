//! What agents say: that they plug sub-ports in where a trunk is, and how it
//! went. In Neutron: `TrunkSkeleton`.

use crate::trunks::{self, BUILD, DEGRADED, ERROR, Trunk};
use crate::{ports, text};
use hadron_sdk::manifest::Topic;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Error, Result, log, store};
use hadron_versioned_objects::fields_of;
use serde::Deserialize;

/// The topic, and the namespace of its methods.
const TOPIC: &str = "trunk";

/// Where agents speak of trunks.
pub(crate) fn topic() -> Topic {
    Topic::new(TOPIC).version("1.0").namespace(TOPIC)
}

/// A sub-port that an agent plugs in.
#[derive(Deserialize)]
struct Plugged {
    trunk_id: String,
    port_id: String,
}

/// Handles a message of an agent.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    let argument = |name: &str| arguments.get(name).cloned().unwrap_or_default();
    match method {
        "update_trunk_status" => {
            let (trunk, status) = (argument("trunk_id"), argument("status"));
            update_status(trunk.as_str().unwrap_or_default(), status.as_str().unwrap_or_default())?;
            Ok(Value::Null)
        }
        "update_subport_bindings" => {
            let sent = argument("subports");
            let sent = sent.as_array().into_iter().flatten().filter_map(fields_of);
            let plugged = sent.map(|fields| Plugged::deserialize(fields.clone()));
            plug_in(&plugged.collect::<std::result::Result<Vec<_>, _>>()?).map(Value::Object)
        }
        other => Err(Error::no_such_method(TOPIC, other)),
    }
}

/// Of a trunk that is gone an agent may not have heard yet.
fn known(id: &str) -> Result<Option<Trunk>> {
    store::get(trunks::COLLECTION, id)
}

fn update_status(id: &str, status: &str) -> Result<()> {
    match known(id)? {
        Some(trunk) => trunks::set_status(&trunk, status),
        None => Ok(()),
    }
}

/// The ports that are plugged in now, by trunk.
fn plug_in(sub_ports: &[Plugged]) -> Result<Document> {
    let mut order: Vec<&str> = sub_ports.iter().map(|sub_port| sub_port.trunk_id.as_str()).collect();
    order.dedup();
    let mut answer = Document::new();
    for id in order {
        let Some(trunk) = known(id)? else { continue };
        let ids = sub_ports.iter().filter(|sub_port| sub_port.trunk_id == id);
        let ids: Vec<&str> = ids.map(|sub_port| sub_port.port_id.as_str()).collect();
        answer.insert(id.to_owned(), Value::from(plug_into(&trunk, &ids)?));
    }
    Ok(answer)
}

/// A trunk is being built until its agent says otherwise; it is degraded when
/// ports were left out, and in error when one cannot be bound at all.
fn plug_into(trunk: &Trunk, ids: &[&str]) -> Result<Vec<Value>> {
    let found = ports::find(std::iter::once(trunk.port_id.as_str()))?;
    let Some(parent) = found.get(&trunk.port_id) else { return Ok(Vec::new()) };
    let mut plugged = Vec::with_capacity(ids.len());
    for port in ids {
        match ports::plug_in(port, parent.host_to_be()) {
            Ok(port) if text(&port, "binding:vif_type") == "binding_failed" => {
                trunks::set_status(trunk, ERROR)?;
                return Ok(Vec::new());
            }
            Ok(port) => plugged.push(Value::Object(port)),
            Err(Error::NotFound(fault)) => log::warn(&format!("of trunk {}: {}", trunk.id, fault.message)),
            Err(error) => return Err(error),
        }
    }
    trunks::set_status(trunk, if plugged.len() == ids.len() { BUILD } else { DEGRADED })?;
    Ok(plugged)
}
