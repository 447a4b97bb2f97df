//! The component runtime: what turns `.wasm` files into resources with rules.
//!
//! (Skeleton of the public face; the parts are written beside it.)
#![deny(unsafe_code)]

mod plugins;
mod refusal;

pub use plugins::{Plugin, PluginKind, PluginSet, PluginState};
pub use refusal::{Refusal, Status};

use hadron_bus::Bus;
use hadron_manifest::HttpGrant;
use hadron_store::{CollectionId, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Who asks: made by authentication, checked by policy, shown to plugins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// `req-` and a UUID.
    pub request_id: String,
    /// Empty when nobody logged in.
    pub user_id: String,
    /// Empty when there is none.
    pub project_id: String,
    /// E.g. `member`.
    pub roles: Vec<String>,
    /// Whether policy counts the caller as an administrator.
    pub is_admin: bool,
}

/// Limits and places of a runtime.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Units of work at the same time.
    pub units: u32,
    /// Guest time of one call inside a unit.
    pub call_limit: Duration,
    /// Guest time of a whole unit.
    pub unit_limit: Duration,
    /// Guest time and waiting of one delivery attempt.
    pub delivery_limit: Duration,
    /// How long a create waits for the first attempts before it is answered.
    pub delivery_budget: Duration,
    /// Linear memory of an instance, MiB, where the manifest asks for none.
    pub memory_mib: u32,
    /// Where compiled components are kept.
    pub cache: PathBuf,
    /// Failures in a row after which a driver is taken out of rotation, and
    /// for how long.
    pub breaker: (u32, Duration),
}

/// A plugin as the configuration names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginConfig {
    /// The component's file; a name without a folder is looked up in the
    /// folder of plugins, with `.wasm` added.
    pub path: PathBuf,
    /// What the operator grants.
    pub grants: Grants,
    /// The plugin's own configuration.
    pub config: Map<String, Value>,
}

/// What an operator grants a plugin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Endpoints it may call after the commit: `http://10.0.0.5:8080`.
    pub http: Vec<HttpGrant>,
    /// Secrets: name, and where the value comes from (`env:NAME`, `file:PATH`).
    pub secrets: BTreeMap<String, String>,
    /// Verbs on other plugins' collections: `ports = ["get", "create"]`; what
    /// the manifest asks for where absent.
    pub resources: Option<BTreeMap<String, Vec<hadron_manifest::Verb>>>,
    /// The rights of the system.
    pub system: bool,
    /// Linear memory, MiB; what the manifest asks for where absent, at most
    /// 256.
    pub memory_mib: Option<u32>,
}

/// The runtime. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {}

impl Runtime {
    /// Makes the engine. No plugin is loaded yet.
    pub async fn new(settings: Settings, store: Store, bus: Bus) -> Result<Runtime, Refusal> {
        let _ = (settings, store, bus);
        todo!()
    }

    /// Loads plugins in this order (of drivers: the order in which they are
    /// asked), then those that were added by `add` earlier. One bad file stops
    /// nothing: it is reported in the plugin's state.
    pub async fn load(&self, plugins: Vec<PluginConfig>) -> Result<(), Refusal> {
        let _ = plugins;
        todo!()
    }

    /// The plugins loaded now. Changes show in the next call.
    pub fn plugins(&self) -> Arc<PluginSet> {
        todo!()
    }

    /// The store, for reads.
    pub fn store(&self) -> &Store {
        todo!()
    }

    /// Creates resources, all or none, and makes the first attempt of what
    /// follows the commit. Bodies are validated, defaults filled in; attributes
    /// of extenders are among them. Answers the rows as a show would.
    pub async fn create(
        &self,
        caller: &Caller,
        collection: &CollectionId,
        bodies: Vec<Map<String, Value>>,
    ) -> Result<Vec<hadron_store::Row>, Refusal> {
        let _ = (caller, collection, bodies);
        todo!()
    }

    /// Changes one resource. `guard` is asked, inside the unit, about the row
    /// as it is (may the caller see it, change it; `If-Match`).
    pub async fn update(
        &self,
        caller: &Caller,
        collection: &CollectionId,
        id: &str,
        changes: Map<String, Value>,
        guard: Guard,
    ) -> Result<hadron_store::Row, Refusal> {
        let _ = (caller, collection, id, changes, guard);
        todo!()
    }

    /// Removes one resource; `guard` as in `update`.
    pub async fn delete(
        &self,
        caller: &Caller,
        collection: &CollectionId,
        id: &str,
        guard: Guard,
    ) -> Result<(), Refusal> {
        let _ = (caller, collection, id, guard);
        todo!()
    }

    /// Does an action; `guard` as in `update`.
    pub async fn act(
        &self,
        caller: &Caller,
        collection: &CollectionId,
        id: &str,
        action: &str,
        body: Value,
        guard: Guard,
    ) -> Result<Value, Refusal> {
        let _ = (caller, collection, id, action, body, guard);
        todo!()
    }

    /// Computed attributes of a page of rows: of each, the text of a JSON
    /// object. Not called for collections without computed attributes.
    pub async fn compute(
        &self,
        caller: &Caller,
        collection: &CollectionId,
        rows: &[hadron_store::Row],
    ) -> Result<Vec<String>, Refusal> {
        let _ = (caller, collection, rows);
        todo!()
    }

    /// Adds a plugin to the running server and keeps it in the database.
    /// `sync`: a mechanism driver is sent what exists.
    pub async fn add(&self, bytes: Vec<u8>, options: AddOptions) -> Result<Arc<Plugin>, Refusal> {
        let _ = (bytes, options);
        todo!()
    }
    /// Replaces a plugin's component; new calls go to the new one.
    pub async fn upgrade(&self, name: &str, bytes: Vec<u8>) -> Result<Arc<Plugin>, Refusal> {
        let _ = (name, bytes);
        todo!()
    }
    /// Removes a plugin; its data stay. Refused while journal entries wait for
    /// it, unless `drop_journal`.
    pub async fn remove(&self, name: &str, drop_journal: bool) -> Result<(), Refusal> {
        let _ = (name, drop_journal);
        todo!()
    }
    /// Takes a plugin out of rotation or back in.
    pub async fn set_enabled(&self, name: &str, enabled: bool) -> Result<Arc<Plugin>, Refusal> {
        let _ = (name, enabled);
        todo!()
    }

    /// Starts delivery of the journal, ticks and the bus's consumers; they run
    /// until `shutdown`.
    pub fn start(&self) {
        todo!()
    }
    /// Waits for units and deliveries under way, then stops.
    pub async fn shutdown(&self) {
        todo!()
    }
}

/// How a plugin is added.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddOptions {
    /// Grants.
    pub grants: Grants,
    /// Configuration.
    pub config: Map<String, Value>,
    /// Send a driver what exists already.
    pub sync: bool,
    /// Add it, but disabled.
    pub disabled: bool,
}

/// Asked inside the unit about the row as it is; `None` when it is not there.
/// May be asked again when the unit is run again.
pub type Guard = Arc<dyn Fn(Option<&hadron_store::Row>) -> Result<(), Refusal> + Send + Sync>;
