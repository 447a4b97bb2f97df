//! The REST API: the machinery of Neutron's API v2.0 over whatever resources
//! the loaded plugins declare.
//!
//! A request goes one way: authenticate, route, validate, ask policy, act,
//! show. Each step is a module; `resources` holds the requests themselves.
//! Nothing here names a resource: routes, attributes, filters and rules come
//! from the manifests, read once for each set of plugins (`tables`).
#![forbid(unsafe_code)]

mod access;
mod actions;
mod auth;
mod batch;
mod body;
mod documents;
mod error;
mod etag;
mod examine;
mod exchange;
mod extensions;
mod health;
mod limits;
mod links;
mod listing;
mod metrics;
mod openapi;
mod operation;
mod policy;
mod python;
mod quotas;
mod rate;
mod resources;
mod routes;
mod rule_file;
mod source;
mod splice;
mod stream;
mod tables;
mod tags;
mod terms;
mod validate;
mod view;
mod watch;

pub use auth::{Auth, DEFAULT_PROJECT, Htpasswd, HtpasswdError, Keystone, KeystoneError, KeystoneSettings};
pub use examine::{Question, RuleView, Verdict};
pub use limits::Settings;
pub use policy::Finding;
pub use rate::RateLimit;
pub use rule_file::check_policy_file;
pub use watch::WatchSettings;

use access::Access;
use arc_swap::ArcSwap;
use auth::Denial;
use axum::Router; // not networking: of HTTP requests
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::uri::Scheme;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use exchange::{Exchange, routed};
use futures::FutureExt;
use hadron_manifest::Verb;
use hadron_runtime::{Caller, PluginSet, Refusal, RowPolicy, Runtime};
use hadron_store::{CollectionId, Predicate};
use limits::Limits;
use metrics::Metrics;
use policy::Complaints;
use prometheus_client::registry::Registry;
use resources::Asked;
use routes::Meaning;
use rule_file::{Overrides, RuleFile};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tables::Tables;
use terms::Fingerprint;
use watch::{Watchers, Who};

/// How often it is looked whether the policy file has changed.
const LOOK: Duration = Duration::from_secs(1);

/// The API of one server. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    runtime: Runtime,
    auth: ArcSwap<Auth>,
    limits: ArcSwap<Limits>,
    watchers: Watchers,
    current: Arc<Current>,
    page: openapi::Served,
    metrics: Metrics,
    draining: AtomicBool,
}

/// The tables of the set of plugins that was seen last, under the operator's
/// rules.
struct Current {
    tables: ArcSwap<Tables>,
    overrides: ArcSwap<Overrides>,
    file: Option<RuleFile>,
}

impl Current {
    fn new(set: &PluginSet, file: Option<&Path>) -> Result<Current, String> {
        let file = file.map(RuleFile::new);
        let rules = file.as_ref().map_or(Ok(Vec::new()), RuleFile::read)?;
        let overrides = Overrides { version: 0, rules };
        let (tables, complaints) = Tables::new(set, &overrides);
        refuse(&complaints)?;
        tell(&complaints);
        Ok(Current {
            tables: ArcSwap::from_pointee(tables),
            overrides: ArcSwap::from_pointee(overrides),
            file,
        })
    }

    /// The tables of this set.
    fn of(&self, set: &PluginSet) -> Arc<Tables> {
        let (tables, overrides) = (self.tables.load_full(), self.overrides.load_full());
        if tables.generation == set.generation && tables.version == overrides.version {
            return tables;
        }
        let (tables, complaints) = Tables::new(set, &overrides);
        tell(&complaints);
        let tables = Arc::new(tables);
        self.tables.store(tables.clone());
        tables
    }

    /// Reads the policy file again; on an error the rules stay as they were.
    fn reload(&self, set: &PluginSet) -> Result<(), String> {
        let Some(file) = &self.file else { return Ok(()) };
        let rules = file.read()?;
        let overrides = Overrides { version: self.overrides.load().version + 1, rules };
        let (tables, complaints) = Tables::new(set, &overrides);
        refuse(&complaints)?;
        tell(&complaints);
        tracing::info!(rules = overrides.rules.len(), "policy file read");
        self.overrides.store(Arc::new(overrides));
        self.tables.store(Arc::new(tables));
        Ok(())
    }
}

fn refuse(complaints: &Complaints) -> Result<(), String> {
    match complaints.refused.is_empty() {
        true => Ok(()),
        false => Err(format!("the policy file cannot be used: {}", complaints.refused.join("; "))),
    }
}

/// Logs what is wrong with rules. Refused ones are left where a plugin came
/// after the policy file: then they allow nobody.
fn tell(complaints: &Complaints) {
    for complaint in complaints.manifests.iter().chain(&complaints.refused) {
        tracing::warn!("{complaint}");
    }
    for remark in &complaints.remarks {
        tracing::warn!("policy file: {remark}");
    }
}

impl RowPolicy for Current {
    /// What plugins may do to each other's rows with the caller's rights. A
    /// collection that came with a set of plugins the API has not seen yet has
    /// no rules here, and nobody but an administrator gets at it.
    fn rows(&self, caller: &Caller, collection: &CollectionId, verb: Verb) -> Predicate {
        let access = Access { tables: self.tables.load_full(), caller: Arc::new(caller.clone()) };
        match access.tables.of_collection(collection) {
            Some(resource) => access.rows(resource, verb),
            None if caller.is_admin => Predicate::always(),
            None => Predicate::never(),
        }
    }
}

impl Api {
    /// The API over a runtime's plugins; plugins that come and go later show in
    /// the next request. The operator's rules are those of `policy_file`, which
    /// is read again when it changes; the error says what is wrong with it.
    pub fn new(
        runtime: Runtime,
        auth: Auth,
        policy_file: Option<&Path>,
        settings: Settings,
        watch: WatchSettings,
    ) -> Result<Api, String> {
        let current = Arc::new(Current::new(&runtime.plugins(), policy_file)?);
        runtime.set_policy(current.clone());
        let api = Api(Arc::new(Inner {
            runtime,
            auth: ArcSwap::from_pointee(auth),
            limits: ArcSwap::from_pointee(Limits::new(settings, None)),
            watchers: Watchers::new(watch),
            current,
            page: openapi::page(),
            metrics: Metrics::default(),
            draining: AtomicBool::new(false),
        }));
        if policy_file.is_some() {
            tokio::spawn(keep_reloading(Arc::downgrade(&api.0)));
        }
        Ok(api)
    }

    /// Reads the policy file again, where there is one; on an error the rules
    /// stay as they were.
    pub fn reload_policy(&self) -> Result<(), String> {
        self.0.current.reload(&self.0.runtime.plugins())
    }

    /// Keeps these limits from the next request on.
    pub fn set_limits(&self, settings: Settings) {
        let limiter = self.0.limits.load().rate.clone();
        self.0.limits.store(Arc::new(Limits::new(settings, limiter)));
    }

    /// Lets these users in from the next request on, where logins are of an
    /// htpasswd file; elsewhere nothing changes.
    pub fn set_users(&self, users: Htpasswd) {
        if matches!(**self.0.auth.load(), Auth::HttpBasic(_)) {
            self.0.auth.store(Arc::new(Auth::HttpBasic(users)));
        }
    }

    /// The rules in force, by name.
    pub fn rules(&self) -> Vec<RuleView> {
        examine::rules(&self.0.current.of(&self.0.runtime.plugins()))
    }

    /// Whether the rules in force would allow a caller something, and why.
    pub async fn examine(&self, question: Question) -> Result<Verdict, Refusal> {
        let tables = self.0.current.of(&self.0.runtime.plugins());
        examine::examine(tables, &self.0.runtime, question).await
    }

    /// From now on `/readyz` says that the server stops; requests are answered
    /// as before.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Adds the counters of the API to what is scraped.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.0.metrics.register(registry);
    }

    async fn answer(&self, request: Request, request_id: &str) -> Result<Response, Refusal> {
        let own = request.extensions().get::<Scheme>().map_or("http", Scheme::as_str);
        let base = base(request.uri(), request.headers(), own);
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        match request.uri().path() {
            path @ ("/" | "" | "/healthcheck" | "/healthz" | "/readyz" | "/openapi.json" | "/docs"
            | "/docs/") => {
                routed(path);
                match path {
                    _ if !reads => Err(error::method_not_allowed()),
                    "/healthcheck" => Ok(health::neutron(self.0.runtime.store()).await),
                    "/healthz" => Ok(health::alive()),
                    "/readyz" => {
                        Ok(health::ready(&self.0.runtime, self.0.draining.load(Ordering::Relaxed)).await)
                    }
                    "/openapi.json" => {
                        let tables = self.0.current.of(&self.0.runtime.plugins());
                        let described = tables
                            .described
                            .get_or_init(|| openapi::description(&tables, &self.0.auth.load()));
                        Ok(described.answer(request.headers()))
                    }
                    "/docs" | "/docs/" => Ok(self.0.page.answer(request.headers())),
                    _ => Ok(documents::versions(&base)),
                }
            }
            path if path == "/v2.0" || path.starts_with("/v2.0/") => self.v2(request, request_id, base).await,
            _ => Ok(documents::unknown_version()),
        }
    }

    async fn v2(&self, request: Request, request_id: &str, base: String) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        let auth = self.0.auth.load_full();
        let caller = match auth.authenticate(&parts, request_id).await {
            Ok(caller) => caller,
            Err(Denial::Nobody) => return Ok(error::unauthorized(auth.challenge())),
            Err(Denial::Unavailable) => return Ok(error::identity_unavailable()),
            Err(Denial::Header(name)) => {
                return Err(error::bad_request(format!("The header '{name}' cannot be read")));
            }
        };
        tracing::Span::current().record("project", &caller.project_id).record("user", &caller.user_id);
        let limits = self.0.limits.load_full();
        if let Some(Err(wait)) = limits.rate.as_ref().map(|limiter| limiter.admit(&caller)) {
            return Ok(rate::refused(wait));
        }
        let tables = self.0.current.of(&self.0.runtime.plugins());
        let caller = tables.policy.settle(caller);
        let path = parts.uri.path();
        let meaning = routes::meaning(&tables, path).ok_or_else(error::no_such_path)?;
        routed(routes::template(&tables, path));
        if let Meaning::Watch = meaning {
            let access = Access { tables, caller: Arc::new(caller) };
            return self.watch(parts, access, request_id).await;
        }
        let fingerprint = Fingerprint::new(&parts.method, &parts.uri);
        let asked = Asked {
            access: Access { tables: tables.clone(), caller: Arc::new(caller) },
            runtime: self.0.runtime.clone(),
            url: format!("{base}{path}"),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
            fingerprint,
        };
        // Neutron answers OPTIONS as if it were GET.
        let method = if parts.method == Method::OPTIONS { Method::GET } else { parts.method };
        match (meaning, method) {
            (Meaning::Index, Method::GET) => Ok(documents::index(&tables, &base)),
            (Meaning::Extensions, Method::GET) => Ok(documents::extensions(&tables)),
            (Meaning::Extension(alias), Method::GET) => Ok(documents::extension(&tables, &alias)),
            (Meaning::Batch, Method::POST) => asked.batch(limits.batch).await,
            (Meaning::Quotas, Method::GET) => asked.quotas().await,
            (Meaning::Quota(project), Method::GET) => asked.quota(&project).await,
            (Meaning::Quota(project), Method::PUT) => asked.set_quota(&project).await,
            (Meaning::Quota(project), Method::DELETE) => asked.delete_quota(&project).await,
            (Meaning::DefaultQuota(project), Method::GET) => asked.default_quota(&project).await,
            (Meaning::QuotaDetails(project), Method::GET) => asked.quota_details(&project).await,
            (Meaning::OwnProject(word), Method::GET) => asked.own_project(&word).await,
            (Meaning::Collection(place), Method::GET) if !place.resource.on_demand => asked.list(place).await,
            (Meaning::Collection(place), Method::POST) if place.resource.creates() => {
                asked.create(place).await
            }
            // Neutron looks for a row whose id was not given.
            (Meaning::Collection(place), Method::PUT | Method::DELETE) => {
                Err(place.resource.no_such_row("None"))
            }
            (Meaning::Item(place, id), Method::GET) => asked.show(place, &id).await,
            (Meaning::Item(place, id), Method::PUT) if place.resource.changes() => {
                asked.update(place, id).await
            }
            (Meaning::Item(place, id), Method::DELETE) if place.resource.deletes() => {
                asked.delete(place, id).await
            }
            (Meaning::Action(place, id, told), method) => asked.act(place, id, &told, &method).await,
            (Meaning::Tags(place, id), Method::GET) => asked.tags(place, &id).await,
            (Meaning::Tags(place, id), Method::PUT) => asked.replace_tags(place, id).await,
            (Meaning::Tags(place, id), Method::POST) => asked.add_tags(place, id).await,
            (Meaning::Tags(place, id), Method::DELETE) => asked.remove_tags(place, id).await,
            (Meaning::Tag(place, id, tag), Method::GET) => asked.has_tag(place, &id, &tag).await,
            (Meaning::Tag(place, id, tag), Method::PUT) => asked.add_tag(place, id, tag).await,
            (Meaning::Tag(place, id, tag), Method::DELETE) => asked.remove_tag(place, id, tag).await,
            _ => Err(error::method_not_allowed()),
        }
    }

    async fn watch(&self, request: Parts, access: Access, request_id: &str) -> Result<Response, Refusal> {
        if request.method != Method::GET {
            return Err(error::method_not_allowed());
        }
        let (runtime, current) = (self.0.runtime.clone(), self.0.current.clone());
        let who = Who { api: self.clone(), request, id: request_id.to_owned() };
        self.0.watchers.answer(runtime, current, who, access).await
    }
}

/// Reads the policy file again whenever it has changed, as long as the API is
/// there.
async fn keep_reloading(api: std::sync::Weak<Inner>) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let Some(api) = api.upgrade() else { return };
        let look = move || {
            if api.current.file.as_ref().is_some_and(RuleFile::changed)
                && let Err(problem) = api.current.reload(&api.runtime.plugins())
            {
                tracing::error!("{problem}; the rules stay as they were");
            }
        };
        if tokio::task::spawn_blocking(look).await.is_err() {
            tracing::error!("the policy file could not be looked at");
        }
    }
}

/// The service for an HTTP server.
#[rustfmt::skip]
pub fn router(api: Api) -> Router { // not networking: of HTTP requests
    Router::new().fallback(handle).with_state(api) // not networking: of HTTP requests
}

async fn handle(State(api): State<Api>, request: Request) -> Response {
    let exchange = Exchange::begin(&request, &api.0.metrics);
    // A bug met by one request must not take the connection, and what else is
    // asked on it, down.
    let (parts, body) = request.into_parts();
    let (body, rest) = body::lend(body, &parts.headers);
    let request = Request::from_parts(parts, body);
    let answer = AssertUnwindSafe(api.answer(request, exchange.id())).catch_unwind();
    let response = exchange.scope(async {
        let answer = answer.await;
        rest.discard().await;
        match answer {
            Ok(Ok(response)) => response,
            Ok(Err(refusal)) => error::answer(&refusal),
            Err(_) => error::answer(&error::internal(&"the handler of the request panicked")),
        }
    });
    let response = response.await;
    exchange.end(response)
}

/// Scheme and host as the client wrote them, for links; `own` is the scheme that
/// this server was reached by.
fn base(uri: &Uri, headers: &HeaderMap, own: &str) -> String {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = named.or_else(|| uri.authority().map(|a| a.as_str())).unwrap_or("localhost");
    let behind = headers.get("x-forwarded-proto").and_then(|p| p.to_str().ok());
    let scheme = behind.filter(|p| ["http", "https"].contains(p)).unwrap_or(own);
    format!("{scheme}://{host}")
}
