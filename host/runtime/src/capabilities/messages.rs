//! What leaves the process after the commit: work for later, and messages.

use crate::bindings::{rpc, types::ResourceRef, work};
use crate::journal::{MESSAGES, Message};
use crate::state::HostState;
use hadron_store::{CollectionId, NewEntry};
use serde_json::Value;

impl HostState {
    fn post(&self, entry: impl FnOnce(&crate::unit::Unit) -> NewEntry) {
        match self.unit() {
            Some(unit) => unit.post(entry(unit)),
            None => {
                tracing::warn!("the plugin wanted to send something outside a unit of work; it is dropped")
            }
        }
    }

    fn message(&self, kind: &'static str, topic: String, method: String, arguments: &str) {
        let arguments = json(arguments);
        self.post(|unit| NewEntry {
            id: unit.uuid(),
            target: MESSAGES.to_owned(),
            kind: kind.to_owned(),
            operation: String::new(),
            collection: String::new(),
            resource: String::new(),
            revision: 0,
            after: Vec::new(),
            payload: Message { topic, method, arguments }.payload(),
        });
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

impl work::Host for HostState {
    async fn later(
        &mut self,
        about: ResourceRef,
        after: Vec<ResourceRef>,
        kind: String,
        payload: String,
    ) -> wasmtime::Result<()> {
        let plugin = self.plugin.name().to_owned();
        let payload = json(&payload).to_string().into();
        self.post(|unit| {
            let collection =
                CollectionId { plugin: plugin.as_str().into(), name: about.collection.as_str().into() };
            NewEntry {
                id: unit.uuid(),
                target: plugin,
                kind,
                operation: String::new(),
                revision: unit.revision(&collection, &about.id).unwrap_or_default(),
                collection: about.collection,
                resource: about.id,
                after: after.into_iter().map(|row| row.id).collect(),
                payload,
            }
        });
        Ok(())
    }
}

impl rpc::Host for HostState {
    async fn cast(&mut self, topic: String, method: String, arguments: String) -> wasmtime::Result<()> {
        self.message("cast", topic, method, &arguments);
        Ok(())
    }

    async fn fanout(&mut self, topic: String, method: String, arguments: String) -> wasmtime::Result<()> {
        self.message("fanout", topic, method, &arguments);
        Ok(())
    }

    async fn notify(&mut self, event_type: String, payload: String) -> wasmtime::Result<()> {
        self.message("notify", event_type.clone(), event_type, &payload);
        Ok(())
    }
}
