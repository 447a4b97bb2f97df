//! The routers whose traffic is counted: another plugin's, if it is loaded.

use crate::{driver, labels, text};
use hadron_sdk::events::{Event, Moment as Happened};
use hadron_sdk::manifest::{Moment, Subscription};
use hadron_sdk::serde_json;
use hadron_sdk::store::Query;
use hadron_sdk::{Document, Error, Result, resources};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// The collection of the plugin for routers.
pub(crate) const ROUTERS: &str = "routers";
/// The collection of the core plugin with their ports.
pub(crate) const PORTS: &str = "ports";

/// What agents go by, of a router: another gateway is another device to count at.
const TOLD: [&str; 4] = ["admin_state_up", "distributed", "external_gateway_info", "gw_port_id"];

/// A router, as agents are told of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Router {
    pub(crate) id: String,
    pub(crate) project_id: String,
    #[serde(default)]
    name: String,
    pub(crate) admin_state_up: bool,
    #[serde(default)]
    status: String,
    #[serde(default)]
    gw_port_id: Option<String>,
    #[serde(default, deserialize_with = "or_not")]
    distributed: bool,
}

/// Nothing said is no.
fn or_not<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Routers of a project, or of all; none where no plugin has routers.
fn find(query: &Query) -> Result<Option<Vec<Router>>> {
    match resources::find(ROUTERS, query) {
        Ok(routers) => Ok(Some(routers)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The routers that are counted under a label.
pub(crate) fn of_label(label: &labels::Label) -> Result<Vec<Router>> {
    let query = match label.shared {
        true => Query::all(),
        false => Query::all().equal("project_id", label.project_id.as_str()),
    };
    Ok(find(&query)?.unwrap_or_default())
}

/// All routers; none where no plugin has routers.
pub(crate) fn all() -> Result<Option<Vec<Router>>> {
    find(&Query::all())
}

/// The port that a router leads out by.
#[derive(Deserialize)]
struct Gateway {
    id: String,
    #[serde(default, rename = "binding:host_id")]
    host: Option<String>,
}

/// Where the traffic of routers can be counted, by their ids: where their gateways
/// are plugged in. Routers without a gateway, or with one that is plugged in
/// nowhere, have no place here.
pub(crate) fn hosts(routers: &[Router]) -> Result<HashMap<&str, String>> {
    let gateways: Vec<&str> = routers.iter().filter_map(|router| router.gw_port_id.as_deref()).collect();
    if gateways.is_empty() {
        return Ok(HashMap::new());
    }
    let gateways: Vec<Gateway> = resources::find(PORTS, &Query::all().any_of("id", gateways))?;
    let plugged = gateways.into_iter().filter_map(|port| Some((port.id, port.host?)));
    let plugged: HashMap<String, String> = plugged.filter(|(_, host)| !host.is_empty()).collect();
    let host = |router: &Router| plugged.get(router.gw_port_id.as_deref()?).cloned();
    Ok(routers.iter().filter_map(|router| Some((router.id.as_str(), host(router)?))).collect())
}

/// The events of routers that agents hear of.
pub(crate) fn subscription() -> Subscription {
    Subscription { collection: ROUTERS.to_owned(), on: vec![Moment::AfterUpdate, Moment::AfterDelete] }
}

/// Routers were changed, or are gone.
pub(crate) fn heard(event: &Event) -> Result<()> {
    let documents: Vec<Document> =
        event.documents.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>()?;
    match event.moment {
        Happened::AfterUpdate => {
            for (document, changes) in documents.iter().zip(&event.changes) {
                let changes: Document = serde_json::from_str(changes)?;
                let is_told = TOLD.iter().any(|name| changes.contains_key(*name));
                let project = BTreeSet::from([text(document, "project_id")]);
                if is_told && !labels::of_projects(&project)?.is_empty() {
                    return driver::routers_updated();
                }
            }
            Ok(())
        }
        Happened::AfterDelete => {
            documents.iter().try_for_each(|document| driver::router_deleted(text(document, "id")))
        }
        _ => Ok(()),
    }
}
