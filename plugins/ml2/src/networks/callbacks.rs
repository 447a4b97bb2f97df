//! What agents ask about networks.

use super::{COLLECTION, collection};
use crate::attribute::shown;
use crate::errors;
use crate::rpc::{no_such_method, word};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::Query;
use hadron_sdk::{Document, Result, resources};

/// What is understood; it changes nothing.
pub(crate) const METHODS: [&str; 1] = ["get_network_details"];

/// Answers one of them.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    match method {
        "get_network_details" => details(word(arguments, "network")),
        other => Err(no_such_method(other)),
    }
}

/// A network as the API shows it. In Neutron: `get_network_details`.
fn details(id: &str) -> Result<Value> {
    let mut found: Vec<Document> = resources::find(COLLECTION, &Query::all().equal("id", id))?;
    let network = found.pop().ok_or_else(|| errors::network_not_found(id))?;
    Ok(json!(shown(&collection(), network)))
}
