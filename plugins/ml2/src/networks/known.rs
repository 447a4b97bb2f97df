//! Networks that were read because drivers want to see them.

use crate::document::text;
use crate::segments;
use crate::{errors, networks, records};
use hadron_sdk::{Document, Network, Result};
use std::collections::HashMap;

/// Networks with their segments, by id.
#[derive(Default)]
pub(crate) struct Networks(HashMap<String, Network>);

impl Networks {
    /// Reads these networks, which must exist, and their segments: two queries
    /// however many there are.
    pub(crate) fn load(ids: &[String]) -> Result<Networks> {
        Networks::of(&networks::existing(ids)?)
    }

    /// Of documents that were read already.
    pub(crate) fn of(documents: &[Document]) -> Result<Networks> {
        let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
        let rows = segments::of_networks(&ids)?;
        let mut known = HashMap::new();
        for (document, id) in documents.iter().zip(ids) {
            let own: Vec<_> = rows.iter().filter(|row| row.network_id == id).cloned().collect();
            known.insert(id, records::network(document, &own)?);
        }
        Ok(Networks(known))
    }

    /// The record of one.
    pub(crate) fn record(&self, id: &str) -> Result<Network> {
        self.get(id).cloned()
    }

    /// As `record`, without a copy.
    pub(crate) fn get(&self, id: &str) -> Result<&Network> {
        self.0.get(id).ok_or_else(|| errors::network_not_found(id))
    }
}
