//! Who has a policy: networks, and ports.

use crate::drivers::Card;
use hadron_sdk::events::Extension;
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::store::{Comparison, Query};
use hadron_sdk::{Document, Result, resources};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The collections of the core plugin.
pub(crate) const NETWORKS: &str = "networks";
/// See [`NETWORKS`].
pub(crate) const PORTS: &str = "ports";
/// The attribute that names the policy of a network or port.
pub(crate) const POLICY: &str = "qos_policy_id";

/// Rows that are read at once.
const PAGE: u32 = 500;

/// A port, as far as its policy is concerned.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Port {
    pub(crate) id: String,
    pub(crate) network_id: String,
    device_owner: String,
    qos_policy_id: Option<String>,
    #[serde(rename = "binding:vnic_type")]
    vnic_type: Option<String>,
    #[serde(rename = "binding:vif_type")]
    vif_type: Option<String>,
}

impl Port {
    /// A port that is about to be written.
    pub(crate) fn of(item: &Extension) -> Result<Port> {
        Ok(Port { id: item.id.clone(), ..serde_json::from_str(&item.document)? })
    }

    /// Its network card.
    pub(crate) fn card(&self) -> Card<'_> {
        Card {
            vnic_type: self.vnic_type.as_deref().unwrap_or("normal"),
            vif_type: self.vif_type.as_deref().unwrap_or_default(),
        }
    }

    /// Whether it is a virtual machine's.
    pub(crate) fn is_of_compute(&self) -> bool {
        self.device_owner.starts_with("compute:")
    }
}

/// Calls `each` for all rows that fit, a page at a time.
fn for_each<T: DeserializeOwned>(
    collection: &str,
    query: impl Fn() -> Query,
    mut each: impl FnMut(&T) -> Result<()>,
) -> Result<()> {
    let mut last = String::new();
    loop {
        let page = query().condition("id", Comparison::Greater, [last.as_str()]).sort("id").limit(PAGE);
        let rows: Vec<Document> = resources::find(collection, &page)?;
        for row in &rows {
            each(&T::deserialize(row.clone())?)?;
        }
        match rows.last().and_then(|row| row.get("id")).and_then(Value::as_str) {
            Some(id) if rows.len() >= PAGE as usize => last = id.to_owned(),
            _ => return Ok(()),
        }
    }
}

/// Calls `each` for all ports to which the rules of a policy apply: those that
/// have it, and those of networks that have it unless they have one of their
/// own. In Neutron: `_get_ports_with_policy`.
pub(crate) fn for_each_port(policy: &str, mut each: impl FnMut(&Port) -> Result<()>) -> Result<()> {
    for_each(PORTS, || Query::all().equal(POLICY, policy), &mut each)?;
    for_each(
        NETWORKS,
        || Query::all().equal(POLICY, policy),
        |network: &Row| for_each_port_of(&network.id, &mut each),
    )
}

/// Calls `each` for all ports of a network that have no policy of their own.
pub(crate) fn for_each_port_of(network: &str, mut each: impl FnMut(&Port) -> Result<()>) -> Result<()> {
    for_each(
        PORTS,
        || Query::all().equal("network_id", network),
        |port: &Port| match port.qos_policy_id {
            None => each(port),
            Some(_) => Ok(()),
        },
    )
}

/// A network or port, and whose it is.
#[derive(Deserialize)]
struct Row {
    id: String,
    #[serde(default)]
    project_id: Option<String>,
}

/// Calls `each` with the project of every network and port that has a policy.
/// In Neutron: `get_bound_project_ids`.
pub(crate) fn for_each_project(policy: &str, mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
    for collection in [NETWORKS, PORTS] {
        for_each(
            collection,
            || Query::all().equal(POLICY, policy),
            |row: &Row| each(row.project_id.as_deref().unwrap_or_default()),
        )?;
    }
    Ok(())
}
