//! Which plugins there are: loading them at start, and changing the set while
//! requests are served. A change is one swap; running units keep what they have.

use crate::component::{Loaded, prepare};
use crate::instance::Instance;
use crate::limits::Budget;
use crate::plugins::{Origin, Plugin, PluginKind, PluginSet};
use crate::state::Phase;
use crate::unit::Failure;
use crate::{AddOptions, Core, Grants, PluginConfig, Refusal, Status, background, convert};
use hadron_manifest::{Action, Manifest};
use hadron_store::{EntryFilter, Installed};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;

fn refuse(status: Status, message: String) -> Refusal {
    Refusal::new(status, "PluginRefused", message)
}

fn unreadable(error: impl std::fmt::Display) -> Refusal {
    refuse(Status::Unavailable, format!("the database does not know: {error}"))
}

/// Compiles a component and asks it for its manifest.
async fn examine(
    core: &Arc<Core>,
    bytes: Vec<u8>,
    grants: Grants,
    config: Map<String, Value>,
) -> Result<Loaded, Refusal> {
    let compiler = core.clone();
    let prepared = tokio::task::spawn_blocking(move || {
        prepare(&compiler.engine, &compiler.linkers, &compiler.cache, &bytes)
    })
    .await
    .map_err(|error| refuse(Status::Internal, format!("its compilation ended early: {error}")))??;
    // To be asked anything it has to be loaded, to be loaded it has to be asked:
    // it is asked under an empty manifest, in a phase where nothing answers.
    let nameless = Manifest { name: "unnamed".to_owned(), ..Manifest::default() };
    let (kind, sha256, pre) = (prepared.kind, prepared.sha256.clone(), prepared.pre.clone());
    let blank = crate::component::Prepared { kind, sha256, pre }.described(
        nameless,
        Grants::default(),
        &Map::new(),
    )?;
    let described = async {
        let budget = Budget::new(core.settings.call_limit, core.settings.unit_limit);
        let mut instance = Instance::new(core, Arc::new(blank), Phase::Describing, budget).await?;
        instance.describe().await
    };
    let text = described
        .await
        .map_err(|error| refuse(Status::Invalid, format!("it does not describe itself: {error:#}")))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| {
        refuse(
            Status::Invalid,
            format!("its manifest does not fit the contract {}: {error}", hadron_manifest::CONTRACT),
        )
    })?;
    prepared.described(manifest, grants, &config)
}

/// Refuses what another plugin of the set already claims.
fn check_claims(others: &[Arc<Plugin>], new: &Manifest, kind: PluginKind) -> Result<(), Refusal> {
    let conflict = |message: String| Err(refuse(Status::Conflict, message));
    let others: Vec<&Arc<Plugin>> = others.iter().filter(|p| p.manifest.name != new.name).collect();
    for other in &others {
        let theirs = &other.manifest;
        if kind == PluginKind::TypeDriver && other.kind == kind && theirs.network_type == new.network_type {
            return conflict(format!(
                "plugin '{}' already serves the type '{}'",
                theirs.name,
                new.network_type.as_deref().unwrap_or("")
            ));
        }
        for collection in new.collections.iter().filter(|c| !c.private) {
            if theirs.collections.iter().any(|c| !c.private && c.name == collection.name) {
                return conflict(format!(
                    "plugin '{}' already owns the collection '{}'",
                    theirs.name, collection.name
                ));
            }
        }
    }
    for extends in &new.extends {
        let Some(owner) = others
            .iter()
            .find_map(|p| p.manifest.collections.iter().find(|c| !c.private && c.name == extends.collection))
        else {
            return conflict(format!(
                "it adds attributes to '{}', which no loaded plugin owns",
                extends.collection
            ));
        };
        for attribute in &extends.attributes {
            let taken = owner.attribute(&attribute.name).is_some()
                || others.iter().flat_map(|p| &p.manifest.extends).any(|e| {
                    e.collection == extends.collection
                        && e.attributes.iter().any(|a| a.name == attribute.name)
                });
            if taken {
                return conflict(format!(
                    "the attribute '{}' of '{}' is already claimed",
                    attribute.name, extends.collection
                ));
            }
        }
        let theirs = others.iter().flat_map(|p| &p.manifest.extends);
        let theirs = theirs.filter(|e| e.collection == extends.collection).flat_map(|e| &e.actions);
        for action in &extends.actions {
            let is_taken = |other: &Action| {
                other.name == action.name || other.path() == action.path() && other.verb == action.verb
            };
            if owner.actions.iter().chain(theirs.clone()).any(is_taken) {
                return conflict(format!(
                    "the action '{}' of '{}' is already claimed",
                    action.name, extends.collection
                ));
            }
        }
    }
    Ok(())
}

async fn migrate(core: &Core, plugins: &[Arc<Plugin>]) -> Result<(), Refusal> {
    let manifests: Vec<Arc<Manifest>> =
        plugins.iter().filter(|p| p.enabled).map(|p| p.manifest.clone()).collect();
    let done = core.store.migrate(&manifests, false).await.map_err(|error| {
        refuse(Status::Conflict, format!("the database cannot be made to fit its manifest: {error}"))
    })?;
    for step in &done.steps {
        tracing::info!(step, "migrated");
    }
    Ok(())
}

/// Calls `start` of plugins that ask for it, each in a unit of its own that
/// sees the set as it will be.
async fn start(core: &Arc<Core>, plugin: &Arc<Plugin>) -> Result<(), Refusal> {
    if !plugin.manifest.start {
        return Ok(());
    }
    let called = plugin.clone();
    background::system(core, move |unit| {
        let plugin = called.clone();
        Box::pin(async move {
            let ctx = convert::context(&unit);
            unit.call(&plugin, "start", move |instance| Box::pin(async move { instance.start(&ctx).await }))
                .await?
                .map_err(|error| Failure::Refused(convert::refusal(error)))
        })
    })
    .await
    .map_err(|failure| refuse(Status::Invalid, format!("it does not start: {failure}")))
}

fn swap(core: &Core, plugins: Vec<Arc<Plugin>>, refused: Vec<(String, String)>) {
    let generation = core.set.load().generation + 1;
    core.set.store(Arc::new(PluginSet::new(plugins, refused, generation)));
    core.changes.send_replace(generation);
}

/// The set at start: what the configuration names, then what was added.
pub(crate) async fn load(core: &Arc<Core>, configured: Vec<PluginConfig>) -> Result<(), Refusal> {
    let _changing = core.changing.lock().await;
    let installed = core.store.components().list().await.map_err(unreadable)?;
    let (disabled, installed): (Vec<_>, Vec<_>) = installed.into_iter().partition(Installed::is_mark);
    let mut sources = Vec::new();
    for plugin in configured {
        let path = plugin.path.display().to_string();
        let bytes =
            tokio::fs::read(&plugin.path).await.map_err(|error| format!("{path} cannot be read: {error}"));
        sources.push((path, bytes, plugin.grants, plugin.config, Origin::Configured, true));
    }
    for plugin in installed {
        let path = format!("the database ({})", plugin.name);
        let bytes = match core.store.components().bytes(&plugin.sha256).await {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err("its bytes are not in the database".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let grants = serde_json::from_value(plugin.grants).unwrap_or_default();
        let config = plugin.config.as_object().cloned().unwrap_or_default();
        sources.push((path, bytes, grants, config, Origin::Added, plugin.enabled));
    }
    let mut refused = Vec::new();
    let mut plugins: Vec<Arc<Plugin>> = Vec::new();
    let examined = futures::future::join_all(sources.into_iter().map(
        |(path, bytes, grants, config, origin, enabled)| async move {
            let loaded = match bytes {
                Ok(bytes) => examine(core, bytes, grants, config).await,
                Err(reason) => Err(refuse(Status::NotFound, reason)),
            };
            (path, loaded, origin, enabled)
        },
    ))
    .await;
    for (path, loaded, origin, enabled) in examined {
        let accepted = loaded.and_then(|loaded| {
            check_claims(&plugins, &loaded.manifest, loaded.kind)?;
            let marked = disabled.iter().any(|mark| mark.name == loaded.manifest.name);
            let enabled = enabled && !(marked && origin == Origin::Configured);
            Ok(Arc::new(Plugin::new(Arc::new(loaded), origin, enabled)))
        });
        match accepted {
            // One that was upgraded while serving takes the configured one's place.
            Ok(plugin) => match plugins.iter_mut().find(|p| p.manifest.name == plugin.manifest.name) {
                Some(place) => *place = plugin,
                None => plugins.push(plugin),
            },
            Err(refusal) => refused.push((path, refusal.message)),
        }
    }
    if let Err(refusal) = migrate(core, &plugins).await {
        tracing::warn!(%refusal, "the plugins do not fit the database together; they are tried one by one");
        let mut fitting: Vec<Arc<Plugin>> = Vec::new();
        for plugin in plugins {
            fitting.push(plugin.clone());
            if let Err(refusal) = migrate(core, &fitting).await {
                fitting.pop();
                refused.push((plugin.manifest.name.clone(), refusal.message));
            }
        }
        plugins = fitting;
        migrate(core, &plugins).await?;
    }
    swap(core, plugins.clone(), Vec::new());
    let mut failed = HashSet::new();
    for plugin in plugins.iter().filter(|p| p.enabled) {
        if let Err(refusal) = start(core, plugin).await {
            refused.push((plugin.manifest.name.clone(), refusal.message));
            failed.insert(plugin.manifest.name.clone());
        }
    }
    plugins.retain(|p| !failed.contains(&p.manifest.name));
    for (path, reason) in &refused {
        tracing::error!(path, reason, "a plugin was refused");
    }
    swap(core, plugins, refused);
    Ok(())
}

/// Gives configured plugins what the configuration says now; calls under way end
/// with what they had. A file that changed is not taken up: that is an upgrade.
pub(crate) async fn reconfigure(
    core: &Arc<Core>,
    configured: Vec<PluginConfig>,
) -> Result<Vec<String>, Refusal> {
    let _changing = core.changing.lock().await;
    let present = core.set.load_full();
    let mut plugins = present.plugins.clone();
    let mut changed = Vec::new();
    for PluginConfig { path, grants, config } in configured {
        // A file that is gone was reported when the plugins were loaded, or is
        // not needed before the next start.
        let Ok(bytes) = tokio::fs::read(&path).await else { continue };
        let loaded = match examine(core, bytes, grants, config).await {
            Ok(loaded) => loaded,
            Err(refusal) => return Err(refuse(Status::Invalid, format!("{}: {refusal}", path.display()))),
        };
        let Some(place) = plugins.iter_mut().find(|p| p.manifest.name == loaded.manifest.name) else {
            continue;
        };
        let same = *place.grants() == loaded.grants && *place.config() == loaded.config;
        if place.origin == Origin::Configured && place.sha256 == loaded.sha256 && !same {
            changed.push(loaded.manifest.name.clone());
            *place = Arc::new(Plugin::new(Arc::new(loaded), Origin::Configured, place.enabled));
        }
    }
    for plugin in plugins.iter().filter(|p| p.enabled && changed.contains(&p.manifest.name)) {
        start(core, plugin).await?;
    }
    if !changed.is_empty() {
        swap(core, plugins, present.refused.clone());
        core.wake.notify_one();
    }
    Ok(changed)
}

/// Adds a plugin.
pub(crate) async fn add(
    core: &Arc<Core>,
    bytes: Vec<u8>,
    options: AddOptions,
) -> Result<Arc<Plugin>, Refusal> {
    let _changing = core.changing.lock().await;
    let AddOptions { grants, config, sync, disabled } = options;
    let loaded = examine(core, bytes.clone(), grants.clone(), config.clone()).await?;
    let present = core.set.load_full();
    if present.plugins.iter().any(|p| p.manifest.name == loaded.manifest.name) {
        return Err(refuse(
            Status::Conflict,
            format!(
                "a plugin '{}' is loaded already; `hadron plugin upgrade {0}` replaces it",
                loaded.manifest.name
            ),
        ));
    }
    let mut plugins = present.plugins.clone();
    check_claims(&plugins, &loaded.manifest, loaded.kind)?;
    let plugin = Arc::new(Plugin::new(Arc::new(loaded), Origin::Added, !disabled));
    plugins.push(plugin.clone());
    migrate(core, &plugins).await?;
    if plugin.enabled {
        start(core, &plugin).await?;
    }
    let position = i64::try_from(present.generation).unwrap_or(i64::MAX);
    core.store
        .components()
        .install(&record(&plugin, position, &grants, &config), &bytes)
        .await
        .map_err(unreadable)?;
    swap(core, plugins, present.refused.clone());
    if sync && plugin.kind == PluginKind::MechanismDriver {
        send_existing(core, &plugin).await?;
    }
    Ok(plugin)
}

fn record(plugin: &Plugin, position: i64, grants: &Grants, config: &Map<String, Value>) -> Installed {
    Installed {
        name: plugin.manifest.name.clone(),
        sha256: plugin.sha256.clone(),
        enabled: plugin.enabled,
        position,
        grants: serde_json::to_value(grants).unwrap_or_default(),
        config: Value::Object(config.clone()),
    }
}

/// Has the core plugin write a create entry for everything that exists.
async fn send_existing(core: &Arc<Core>, driver: &Arc<Plugin>) -> Result<(), Refusal> {
    let Some(manager) = core.set.load().active().find(|p| p.kind == PluginKind::CorePlugin).cloned() else {
        return Ok(());
    };
    let cursor: Arc<parking_lot::Mutex<Option<String>>> = Arc::default();
    loop {
        let (manager, driver, shared) = (manager.clone(), driver.clone(), cursor.clone());
        let from = cursor.lock().clone();
        background::system(core, move |unit| {
            let (manager, driver, shared, from) =
                (manager.clone(), driver.clone(), shared.clone(), from.clone());
            Box::pin(async move {
                let ctx = convert::context(&unit);
                let next = unit
                    .call(&manager, "send-existing", move |instance| {
                        Box::pin(async move {
                            let (exports, store) = instance.manager()?;
                            let name = driver.manifest.name.as_str();
                            exports
                                .hadron_ml2_reports()
                                .call_send_existing(store, &ctx, name, from.as_deref())
                                .await
                        })
                    })
                    .await?
                    .map_err(|error| Failure::Refused(convert::refusal(error)))?;
                *shared.lock() = next;
                Ok(())
            })
        })
        .await
        .map_err(Failure::refusal)?;
        if cursor.lock().is_none() {
            return Ok(());
        }
    }
}

fn find(set: &PluginSet, name: &str) -> Result<Arc<Plugin>, Refusal> {
    set.plugins.iter().find(|p| p.manifest.name == name).cloned().ok_or_else(|| {
        let known: Vec<&str> = set.plugins.iter().map(|p| p.manifest.name.as_str()).collect();
        refuse(Status::NotFound, format!("no plugin '{name}' is loaded (loaded: {})", known.join(", ")))
    })
}

fn replaced(set: &PluginSet, new: &Arc<Plugin>) -> Vec<Arc<Plugin>> {
    set.plugins
        .iter()
        .map(|p| if p.manifest.name == new.manifest.name { new.clone() } else { p.clone() })
        .collect()
}

/// Replaces a plugin's component.
pub(crate) async fn upgrade(core: &Arc<Core>, name: &str, bytes: Vec<u8>) -> Result<Arc<Plugin>, Refusal> {
    let _changing = core.changing.lock().await;
    let present = core.set.load_full();
    let old = find(&present, name)?;
    let (grants, config) = (old.grants().clone(), given(&old));
    let loaded = examine(core, bytes.clone(), grants.clone(), config.clone()).await?;
    if loaded.manifest.name != name || loaded.kind != old.kind {
        return Err(refuse(
            Status::Invalid,
            format!(
                "it is the {} '{}', and cannot replace the {} '{name}'",
                loaded.kind.title(),
                loaded.manifest.name,
                old.kind.title()
            ),
        ));
    }
    check_claims(&present.plugins, &loaded.manifest, loaded.kind)?;
    let plugin = Arc::new(Plugin::new(Arc::new(loaded), Origin::Added, old.enabled));
    let plugins = replaced(&present, &plugin);
    migrate(core, &plugins).await?;
    if plugin.enabled {
        start(core, &plugin).await?;
    }
    let position = position(core, name).await?.unwrap_or_default();
    core.store
        .components()
        .install(&record(&plugin, position, &grants, &config), &bytes)
        .await
        .map_err(unreadable)?;
    swap(core, plugins, present.refused.clone());
    core.wake.notify_one();
    Ok(plugin)
}

/// What of a plugin's configuration the operator gave.
fn given(plugin: &Plugin) -> Map<String, Value> {
    let default = |key: &str| plugin.manifest.config.iter().find(|k| k.name == key).map(|k| &k.default);
    plugin
        .config()
        .iter()
        .filter(|(key, value)| default(key) != Some(*value))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

async fn position(core: &Core, name: &str) -> Result<Option<i64>, Refusal> {
    let installed = core.store.components().list().await.map_err(unreadable)?;
    Ok(installed.into_iter().find(|p| p.name == name).map(|p| p.position))
}

/// Removes a plugin; its rows stay.
pub(crate) async fn remove(core: &Arc<Core>, name: &str, drop_journal: bool) -> Result<(), Refusal> {
    let _changing = core.changing.lock().await;
    let present = core.set.load_full();
    let plugin = find(&present, name)?;
    if plugin.origin == Origin::Configured {
        return Err(refuse(
            Status::Conflict,
            format!(
                "the configuration names '{name}': take it out there and restart, or `hadron plugin disable {name}`"
            ),
        ));
    }
    for other in present.plugins.iter().filter(|p| p.manifest.name != name) {
        let uses = |collection: &str| plugin.manifest.collections.iter().any(|c| c.name == collection);
        let referring =
            other.manifest.collections.iter().flat_map(|c| &c.references).any(|r| uses(&r.collection));
        if referring || other.manifest.extends.iter().any(|e| uses(&e.collection)) {
            return Err(refuse(
                Status::Conflict,
                format!("plugin '{}' needs its resources; remove that first", other.manifest.name),
            ));
        }
    }
    let plugins: Vec<Arc<Plugin>> =
        present.plugins.iter().filter(|p| p.manifest.name != name).cloned().collect();
    // Out of the set first, so that no new entries come; units that still have
    // it end before the entries are counted, and those are still delivered.
    let mut leaving = PluginSet::new(plugins.clone(), present.refused.clone(), present.generation + 1);
    leaving.leaving.push(plugin.clone());
    core.set.store(Arc::new(leaving));
    core.changes.send_replace(present.generation + 1);
    let waiting = drained(core, name).await?;
    if waiting > 0 && !drop_journal {
        swap(core, present.plugins.clone(), present.refused.clone());
        return Err(refuse(
            Status::Conflict,
            format!(
                "{waiting} journal entries wait for '{name}'; deliver them first, or `--drop-journal` to lose them"
            ),
        ));
    }
    migrate(core, &plugins).await?;
    swap(core, plugins, present.refused.clone());
    if drop_journal {
        let filter = EntryFilter { target: Some(name.to_owned()), ..EntryFilter::default() };
        let entries = core.store.journal().list(&filter).await.map_err(unreadable)?;
        let ids: Vec<String> = entries.into_iter().map(|e| e.new.id).collect();
        core.store.journal().drop(&ids).await.map_err(unreadable)?;
    }
    core.store.components().remove(name).await.map_err(unreadable)?;
    Ok(())
}

/// Waits for running units, and a while for what the plugin still has to be
/// given; how many entries are left.
async fn drained(core: &Core, name: &str) -> Result<u64, Refusal> {
    let units = core.settings.units.max(1);
    drop(core.admission.acquire_many(units).await.map_err(unreadable)?);
    let patience = tokio::time::Instant::now() + core.settings.delivery_budget;
    loop {
        core.store.journal().flush().await.map_err(unreadable)?;
        let waiting = core.store.journal().pending(name).await.map_err(unreadable)?;
        if waiting == 0 || tokio::time::Instant::now() > patience {
            return Ok(waiting);
        }
        tokio::time::sleep(DRAIN_LOOK).await;
    }
}

/// How often a leaving plugin's entries are counted.
const DRAIN_LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// Takes a plugin out of rotation or back in. While it is out, what it would
/// be told after commits waits in the journal. It stays so over a restart.
pub(crate) async fn set_enabled(core: &Arc<Core>, name: &str, enabled: bool) -> Result<Arc<Plugin>, Refusal> {
    let _changing = core.changing.lock().await;
    let present = core.set.load_full();
    let plugin = Arc::new(find(&present, name)?.with_enabled(enabled));
    let plugins = replaced(&present, &plugin);
    migrate(core, &plugins).await?;
    if enabled {
        start(core, &plugin).await?;
    }
    let components = core.store.components();
    match (plugin.origin, position(core, name).await?) {
        (Origin::Added, Some(position)) => {
            let record = record(&plugin, position, plugin.grants(), &given(&plugin));
            components.update(&record).await
        }
        (Origin::Configured, Some(_)) if enabled => components.remove(name).await,
        (Origin::Configured, None) if !enabled => components.disable(name).await,
        _ => Ok(()),
    }
    .map_err(unreadable)?;
    swap(core, plugins, present.refused.clone());
    if enabled {
        // What waited for it need not wait for its next turn.
        let filter = EntryFilter { target: Some(name.to_owned()), ..EntryFilter::default() };
        core.store.journal().retry(&filter).await.map_err(unreadable)?;
    }
    core.wake.notify_one();
    Ok(plugin)
}
