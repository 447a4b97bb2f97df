//! The component runtime: what turns `.wasm` files into resources with rules.
//!
//! `engine`, `cache`, `linker` and `component` make a plugin of a file;
//! `registry` keeps the set of them; `request`, `unit` and `operations` are the
//! path of a write, whose steps the API names in `work`; `capabilities` is what
//! plugins may ask for on it; `journal` and `background` are what happens after
//! the commit; `inbox` is what arrives over the bus; `metrics` is what is counted on the way.
#![deny(unsafe_code)]

mod background;
mod bindings;
mod breaker;
mod cache;
mod capabilities;
mod component;
mod convert;
mod engine;
mod extending;
mod failpoint;
mod first_use;
mod hand;
mod inbox;
mod instance;
mod journal;
mod limits;
mod linker;
mod metrics;
mod operations;
mod plugins;
mod refusal;
mod registry;
mod request;
mod sharing;
mod state;
mod unit;
mod work;

pub use hadron_bus::State as BusState;
pub use plugins::{Origin, Plugin, PluginKind, PluginSet, PluginState};
pub use refusal::{Refusal, Status};
pub use sharing::Hold;
pub use work::{Answered, Terms, Work};

use arc_swap::ArcSwap;
use hadron_bus::Bus;
use hadron_manifest::HttpGrant;
use hadron_store::{CollectionId, Predicate, Row, Store};
use hadron_telemetry::carried;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Who asks: made by authentication, checked by policy, shown to plugins.
///
/// Names are those of OpenStack's request context, so that rules can ask for
/// them. Texts are empty where there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Caller {
    /// `req-` and a UUID.
    pub request_id: String,
    /// Empty when nobody logged in.
    pub user_id: String,
    /// The user's domain.
    pub user_domain_id: String,
    /// The project that the token is for.
    pub project_id: String,
    /// That project's domain.
    pub project_domain_id: String,
    /// The domain that the token is for, where it is for no project.
    pub domain_id: String,
    /// `all` where the token is for the whole system.
    pub system_scope: String,
    /// E.g. `member`.
    pub roles: Vec<String>,
    /// Whether policy counts the caller as an administrator.
    pub is_admin: bool,
    /// Whether policy lets the caller see across projects.
    pub has_global_access: bool,
    /// Whether policy lets the caller make something for another project.
    pub can_set_project_id: bool,
    /// Whether the project is the one that administers the cloud; true where
    /// the identity service names no such project.
    pub is_admin_project: bool,
    /// Roles of the service that passes the user's request on.
    pub service_roles: Vec<String>,
    /// That service's user.
    pub service_user_id: String,
    /// That user's project.
    pub service_project_id: String,
}

/// What an administrator is by the usual rules of policy.
const ADMINISTRATOR: [&str; 3] = ["admin", "member", "reader"];

impl Caller {
    /// The server itself, as an administrator: what plugins do for it to each
    /// other's resources is held to the same rules as a person's. In Neutron:
    /// `get_admin_context`.
    pub(crate) fn system(request_id: &str) -> Caller {
        Caller {
            request_id: request_id.to_owned(),
            roles: ADMINISTRATOR.map(str::to_owned).into(),
            is_admin: true,
            has_global_access: true,
            can_set_project_id: true,
            ..Caller::default()
        }
    }
}

impl Default for Caller {
    fn default() -> Caller {
        Caller {
            request_id: String::new(),
            user_id: String::new(),
            user_domain_id: String::new(),
            project_id: String::new(),
            project_domain_id: String::new(),
            domain_id: String::new(),
            system_scope: String::new(),
            roles: Vec::new(),
            is_admin: false,
            has_global_access: false,
            can_set_project_id: false,
            is_admin_project: true,
            service_roles: Vec::new(),
            service_user_id: String::new(),
            service_project_id: String::new(),
        }
    }
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
    /// Limits of projects that have none of their own, at first.
    pub quotas: DefaultQuotas,
}

/// What the operator says about limits of projects that have none of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultQuotas {
    /// By a quota's name; -1 for none.
    pub named: BTreeMap<String, i64>,
    /// Of all others, instead of what manifests declare.
    pub others: Option<i64>,
}

impl DefaultQuotas {
    /// The limit of this name, where a manifest declares that one.
    pub fn of(&self, name: &str, declared: i64) -> i64 {
        self.named.get(name).copied().or(self.others).unwrap_or(declared)
    }
}

/// A plugin as the configuration names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginConfig {
    /// The component's file.
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
    /// The rights of the system; not where absent. (The server grants them to what
    /// it comes with.)
    pub system: Option<bool>,
    /// Linear memory, MiB; what the manifest asks for where absent, at most
    /// 256.
    pub memory_mib: Option<u32>,
}

/// Which rows a caller may do something to; the API's policy.
pub trait RowPolicy: Send + Sync {
    /// The rows of the collection to which the caller may do that.
    fn rows(&self, caller: &Caller, collection: &CollectionId, verb: hadron_manifest::Verb) -> Predicate;
}

/// The parts of a runtime that its modules share.
struct Core {
    settings: Settings,
    engine: wasmtime::Engine,
    linkers: linker::Linkers,
    cache: cache::Cache,
    store: Store,
    bus: Bus,
    /// For guests' requests.
    http: reqwest::Client,
    /// The plugins now.
    set: ArcSwap<PluginSet>,
    /// Held while the set is changed.
    changing: tokio::sync::Mutex<()>,
    /// Tells of each change of the set.
    changes: tokio::sync::watch::Sender<u64>,
    /// Units at the same time: taken before BEGIN, so that nothing waits for a
    /// second slot while it holds a first.
    admission: tokio::sync::Semaphore,
    /// Messages handled at the same time: fewer than units, so that however
    /// many arrive, requests are admitted beside them.
    inbox: Arc<tokio::sync::Semaphore>,
    /// Mixed into units' random seeds.
    secret: [u8; 32],
    /// Wakes the journal's worker.
    wake: tokio::sync::Notify,
    /// Entries of the journal that are queued or being attempted here.
    hand: hand::Hand,
    /// Requests that are to be done once, and are being done.
    running: work::Running,
    /// Projects that have what they have from their first use of a collection.
    first_uses: first_use::FirstUses,
    /// Everything that goes on.
    tasks: TaskTracker,
    policy: OnceLock<Arc<dyn RowPolicy>>,
    quotas: ArcSwap<DefaultQuotas>,
    metrics: metrics::Metrics,
}

impl Core {
    /// Rows to which a caller may do that: by the API's policy, and without
    /// one an administrator's all, anybody else's own project's.
    fn rows(&self, caller: &Caller, collection: &CollectionId, verb: hadron_manifest::Verb) -> Predicate {
        match self.policy.get() {
            Some(policy) => policy.rows(caller, collection, verb),
            None if caller.is_admin => Predicate::always(),
            None => Predicate::equal("project_id", &caller.project_id),
        }
    }
}

/// The runtime. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    core: Arc<Core>,
    background: Arc<parking_lot::Mutex<tokio::task::JoinSet<()>>>,
}

impl Runtime {
    /// Makes the engine. No plugin is loaded yet.
    pub async fn new(settings: Settings, store: Store, bus: Bus) -> Result<Runtime, Refusal> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Refusal::new(Status::Internal, "RuntimeError", format!("{what}: {error}"))
        };
        let (engine, allocation) =
            engine::engine(settings.units).map_err(|e| failed("the component engine cannot be made", &e))?;
        tracing::debug!(allocation, units = settings.units, "component engine ready");
        let core = Core {
            linkers: linker::Linkers::new(&engine)
                .map_err(|e| failed("the capabilities cannot be linked", &e))?,
            cache: cache::Cache::open(&settings.cache, &engine)
                .map_err(|e| failed("the cache of compiled plugins cannot be used", &e))?,
            http: capabilities::http::client().map_err(|e| failed("no HTTP client for plugins", &e))?,
            set: ArcSwap::default(),
            changing: tokio::sync::Mutex::default(),
            changes: tokio::sync::watch::Sender::new(0),
            admission: tokio::sync::Semaphore::new(settings.units.max(1) as usize),
            inbox: Arc::new(tokio::sync::Semaphore::new((settings.units as usize / 2).max(1))),
            secret: rand::random(),
            wake: tokio::sync::Notify::new(),
            hand: hand::Hand::default(),
            running: work::Running::default(),
            first_uses: first_use::FirstUses::default(),
            tasks: TaskTracker::new(),
            policy: OnceLock::new(),
            quotas: ArcSwap::from_pointee(settings.quotas.clone()),
            metrics: metrics::Metrics::new(settings.units.max(1), engine::slots(settings.units)),
            engine,
            store,
            bus,
            settings,
        };
        Ok(Runtime { core: Arc::new(core), background: Arc::default() })
    }

    /// Loads plugins in this order (of drivers: the order in which they are
    /// asked), then those that were added by `add` earlier. One bad file stops
    /// nothing: it is reported in the set's `refused`.
    pub async fn load(&self, plugins: Vec<PluginConfig>) -> Result<(), Refusal> {
        registry::load(&self.core, plugins).await
    }

    /// The plugins loaded now. Changes show in the next call.
    pub fn plugins(&self) -> Arc<PluginSet> {
        self.core.set.load_full()
    }

    /// What the operator says about limits of projects that have none of their
    /// own.
    pub fn default_quotas(&self) -> Arc<DefaultQuotas> {
        self.core.quotas.load_full()
    }

    /// Has these limits hold from the next unit of work on. Projects that are
    /// over one keep what they have.
    pub fn set_default_quotas(&self, quotas: DefaultQuotas) {
        self.core.quotas.store(Arc::new(quotas));
    }

    /// The store, for reads.
    pub fn store(&self) -> &Store {
        &self.core.store
    }

    /// How the message bus is.
    pub fn bus_state(&self) -> BusState {
        self.core.bus.state()
    }

    /// Sets the policy for what plugins do to each other's resources with a
    /// caller's rights; once.
    pub fn set_policy(&self, policy: Arc<dyn RowPolicy>) {
        if self.core.policy.set(policy).is_err() {
            tracing::error!("the policy is set already");
        }
    }

    /// Runs on a task of its own, so that a client that hangs up cancels
    /// nothing half-way.
    async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.core.tasks.spawn(carried(work)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request ended in a panic");
            Err(Refusal::new(
                Status::Internal,
                "HTTPInternalServerError",
                "Request Failed: internal server error while processing your request.",
            ))
        })
    }

    /// Attributes of a page of rows that this plugin computes: of each, the text
    /// of a JSON object. Not called for collections without computed attributes.
    pub async fn compute(
        &self,
        caller: &Caller,
        plugin: &str,
        collection: &CollectionId,
        rows: &[Row],
    ) -> Result<Vec<String>, Refusal> {
        let (core, caller, plugin) = (self.core.clone(), caller.clone(), plugin.to_owned());
        let (collection, rows) = (collection.clone(), Arc::new(rows.to_vec()));
        self.detached(async move {
            request::attempt(&core, caller, move |unit| {
                let (plugin, collection, rows) = (plugin.clone(), collection.clone(), rows.clone());
                Box::pin(async move { operations::compute(&unit, &plugin, &collection, &rows).await })
            })
            .await
            .map_err(unit::Failure::refusal)
        })
        .await
    }

    /// Takes up other grants and configuration of plugins that the configuration
    /// names; all or none. The names of those that changed.
    pub async fn reconfigure(&self, plugins: Vec<PluginConfig>) -> Result<Vec<String>, Refusal> {
        registry::reconfigure(&self.core, plugins).await
    }

    /// Adds a plugin to the running server and keeps it in the database.
    /// `sync`: a mechanism driver is sent what exists.
    pub async fn add(&self, bytes: Vec<u8>, options: AddOptions) -> Result<Arc<Plugin>, Refusal> {
        registry::add(&self.core, bytes, options).await
    }

    /// Replaces a plugin's component; new calls go to the new one.
    pub async fn upgrade(&self, name: &str, bytes: Vec<u8>) -> Result<Arc<Plugin>, Refusal> {
        registry::upgrade(&self.core, name, bytes).await
    }

    /// Removes a plugin; its data stay. Refused while journal entries wait for
    /// it, unless `drop_journal`.
    pub async fn remove(&self, name: &str, drop_journal: bool) -> Result<(), Refusal> {
        registry::remove(&self.core, name, drop_journal).await
    }

    /// Takes a plugin out of rotation or back in.
    pub async fn set_enabled(&self, name: &str, enabled: bool) -> Result<Arc<Plugin>, Refusal> {
        registry::set_enabled(&self.core, name, enabled).await
    }

    /// Starts delivery of the journal, ticks and the bus's consumers; they run
    /// until `shutdown`.
    pub fn start(&self) {
        let mut background = self.background.lock();
        background.spawn(background::deliver(self.core.clone()));
        background.spawn(background::tick(self.core.clone()));
        background.spawn(inbox::serve(self.core.clone()));
    }

    /// Waits for units and deliveries under way, at most so long, then stops.
    pub async fn shutdown(&self, patience: Duration) {
        self.background.lock().abort_all();
        self.core.tasks.close();
        if tokio::time::timeout(patience, self.core.tasks.wait()).await.is_err() {
            tracing::warn!("work that is still under way is left to the journal");
        }
        if let Err(error) = self.core.store.journal().flush().await {
            tracing::warn!(%error, "what was delivered last may be delivered again");
        }
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

/// Makes new tags of those that a row has. May be asked again when the unit is
/// run again.
pub type Retag = Arc<dyn Fn(Vec<String>) -> Result<Vec<String>, Refusal> + Send + Sync>;
