//! RBAC entries: what they can be about, and about the plugin's own rows.

use super::store::Answer;
use crate::bindings::rbac::{Host, Kind};
use crate::state::HostState;

impl Host for HostState {
    async fn kinds(&mut self) -> wasmtime::Result<Vec<Kind>> {
        let Some(unit) = self.unit() else { return Ok(Vec::new()) };
        let kinds = unit.set.collections().filter_map(|(_, collection)| collection.rbac.clone());
        Ok(kinds.map(|rbac| Kind { object_type: rbac.object_type, actions: rbac.actions }).collect())
    }

    async fn targets(&mut self, collection: String, id: String, action: String) -> Answer<Vec<String>> {
        let collection = self.own(&collection);
        self.rows(move |t| Box::pin(async move { t.targets(&collection, &id, &action).await })).await
    }
}
