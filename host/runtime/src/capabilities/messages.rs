//! What leaves the process after the commit: work for later, and messages.

use crate::bindings::rpc::{self, CallError, Dialect, RemoteError};
use crate::bindings::{types::ResourceRef, work};
use crate::journal::{MESSAGES, Message};
use crate::state::{HostState, Phase};
use hadron_bus::{BusError, Version};
use hadron_store::{CollectionId, NewEntry};
use serde_json::Value;
use std::time::Duration;

impl HostState {
    fn post(&self, entry: impl FnOnce(&crate::unit::Unit) -> NewEntry) {
        match self.unit() {
            Some(unit) => unit.post(entry(unit)),
            None => {
                tracing::warn!("the plugin wanted to send something outside a unit of work; it is dropped")
            }
        }
    }

    fn message(&self, kind: &'static str, message: Message) {
        self.post(|unit| NewEntry {
            id: unit.uuid(),
            target: MESSAGES.to_owned(),
            kind: kind.to_owned(),
            operation: String::new(),
            collection: String::new(),
            resource: String::new(),
            revision: 0,
            after: Vec::new(),
            payload: message.payload(),
        });
    }
}

/// A message in no dialect.
fn plain(topic: String, method: String, arguments: &str) -> Message {
    Message { topic, method, arguments: json(arguments), version: None, namespace: None }
}

/// A message in a dialect; an error when its version is none.
fn spoken(topic: String, dialect: Dialect, method: String, arguments: &str) -> wasmtime::Result<Message> {
    version(&dialect.version).map_err(wasmtime::Error::msg)?;
    let Dialect { version, namespace } = dialect;
    Ok(Message { version: Some(version), namespace, ..plain(topic, method, arguments) })
}

fn version(text: &str) -> Result<Version, String> {
    text.parse()
}

/// Where a guest names no time limit.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time limit a guest may name.
const LONGEST: Duration = Duration::from_secs(60);

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
        self.message("cast", plain(topic, method, &arguments));
        Ok(())
    }

    async fn fanout(&mut self, topic: String, method: String, arguments: String) -> wasmtime::Result<()> {
        self.message("fanout", plain(topic, method, &arguments));
        Ok(())
    }

    async fn notify(&mut self, event_type: String, payload: String) -> wasmtime::Result<()> {
        self.message("notify", plain(event_type.clone(), event_type, &payload));
        Ok(())
    }

    async fn cast_in(
        &mut self,
        topic: String,
        dialect: Dialect,
        method: String,
        arguments: String,
    ) -> wasmtime::Result<()> {
        self.message("cast", spoken(topic, dialect, method, &arguments)?);
        Ok(())
    }

    async fn fanout_in(
        &mut self,
        topic: String,
        dialect: Dialect,
        method: String,
        arguments: String,
    ) -> wasmtime::Result<()> {
        self.message("fanout", spoken(topic, dialect, method, &arguments)?);
        Ok(())
    }

    async fn call(
        &mut self,
        topic: String,
        dialect: Dialect,
        method: String,
        arguments: String,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<String, CallError>> {
        let Phase::Delivering(delivering) = &self.phase else {
            let why = "nobody can be called inside a unit of work, only while work is delivered";
            return Ok(Err(CallError::Denied(why.to_owned())));
        };
        let version = match version(&dialect.version) {
            Ok(version) => version,
            Err(why) => return Ok(Err(CallError::Invalid(why))),
        };
        let request_id = hadron_telemetry::Request::current().map(|request| request.outgoing_id().to_owned());
        let new = hadron_bus::Message::new(topic, method, json(&arguments));
        let message = hadron_bus::Message { version, namespace: dialect.namespace, request_id, ..new };
        let patience = match timeout_ms {
            0 => TIMEOUT,
            millis => LONGEST.min(Duration::from_millis(millis.into())),
        };
        let bus = delivering.bus.clone();
        Ok(bus.call(message, patience).await.map(|answer| answer.to_string()).map_err(told))
    }
}

/// As guests are told.
fn told(error: hadron_bus::CallError) -> CallError {
    use hadron_bus::CallError as Failed;
    match error {
        Failed::Remote(error) => {
            CallError::Remote(RemoteError { class: error.class, message: error.message })
        }
        Failed::NotSent(BusError::Invalid(why)) => CallError::Invalid(why),
        Failed::NotSent(error) => CallError::Unreachable(error.to_string()),
        Failed::TimedOut => CallError::TimedOut,
    }
}
