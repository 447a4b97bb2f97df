//! Which plugins are loaded, and where a collection belongs.

use crate::breaker::Breaker;
use crate::component::Loaded;
use hadron_manifest::{Collection, Extends, Manifest, Moment};
use hadron_store::CollectionId;
use std::collections::HashMap;
use std::sync::Arc;

/// What sort of component a plugin is, by the world it was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// A service plugin with drivers.
    CorePlugin,
    /// Owns resources.
    ServicePlugin,
    /// Serves a network type.
    TypeDriver,
    /// Takes part in what ML2 does.
    MechanismDriver,
}

impl PluginKind {
    /// As people write it.
    pub fn title(self) -> &'static str {
        match self {
            PluginKind::CorePlugin => "core plugin",
            PluginKind::ServicePlugin => "service plugin",
            PluginKind::TypeDriver => "type driver",
            PluginKind::MechanismDriver => "mechanism driver",
        }
    }
}

/// Where a plugin stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum PluginState {
    /// Takes part.
    Active,
    /// The operator took it out.
    Disabled,
    /// Failed too often in a row; tried again after a while.
    Broken(String),
    /// Could not be loaded.
    Refused(String),
}

/// Where a plugin comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The configuration names it.
    Configured,
    /// An operator added it; its bytes are in the database.
    Added,
}

/// A plugin of a running server, as it is until the next change.
pub struct Plugin {
    /// What it says about itself.
    pub manifest: Arc<Manifest>,
    /// Its sort.
    pub kind: PluginKind,
    /// The component's sha256, hex.
    pub sha256: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether the operator lets it take part.
    pub enabled: bool,
    loaded: Arc<Loaded>,
    breaker: Arc<Breaker>,
}

impl Plugin {
    pub(crate) fn new(loaded: Arc<Loaded>, origin: Origin, enabled: bool) -> Plugin {
        Plugin {
            manifest: loaded.manifest.clone(),
            kind: loaded.kind,
            sha256: loaded.sha256.clone(),
            origin,
            enabled,
            loaded,
            breaker: Arc::default(),
        }
    }

    /// The same plugin, in or out of rotation.
    pub(crate) fn with_enabled(&self, enabled: bool) -> Plugin {
        Plugin { breaker: self.breaker.clone(), ..Plugin::new(self.loaded.clone(), self.origin, enabled) }
    }

    /// Where it stands now.
    pub fn state(&self) -> PluginState {
        if !self.enabled {
            return PluginState::Disabled;
        }
        match self.breaker.open() {
            Some(left) => PluginState::Broken(format!(
                "failed {} times in a row; tried again in {} s",
                self.breaker.failures(),
                left.as_secs() + 1
            )),
            None => PluginState::Active,
        }
    }

    /// What the operator granted.
    pub fn grants(&self) -> &crate::Grants {
        &self.loaded.grants
    }

    /// Its configuration, defaults included.
    pub fn config(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.loaded.config
    }

    pub(crate) fn loaded(&self) -> Arc<Loaded> {
        self.loaded.clone()
    }

    pub(crate) fn breaker(&self) -> &Breaker {
        &self.breaker
    }
}

/// The plugins of a server at one moment.
#[derive(Default)]
pub struct PluginSet {
    /// Those that were loaded, in order; disabled ones too.
    pub plugins: Vec<Arc<Plugin>>,
    /// Files that were refused: path, and why.
    pub refused: Vec<(String, String)>,
    /// Goes up with every change, so that what is made from a set can be kept.
    pub generation: u64,
    /// Plugins that are being removed: not asked any more, but still given
    /// what waits for them.
    pub(crate) leaving: Vec<Arc<Plugin>>,
    /// Public collections by name.
    public: HashMap<String, (CollectionId, Arc<Plugin>)>,
}

impl PluginSet {
    /// A set; of two claims of one name the earlier plugin's counts (`load`
    /// refuses the later plugin before it comes to that).
    pub(crate) fn new(
        plugins: Vec<Arc<Plugin>>,
        refused: Vec<(String, String)>,
        generation: u64,
    ) -> PluginSet {
        let mut public = HashMap::new();
        for plugin in plugins.iter().filter(|p| p.enabled) {
            for collection in plugin.manifest.collections.iter().filter(|c| !c.private) {
                let id = CollectionId {
                    plugin: plugin.manifest.name.as_str().into(),
                    name: collection.name.as_str().into(),
                };
                public.entry(collection.name.clone()).or_insert((id, plugin.clone()));
            }
        }
        PluginSet { plugins, refused, generation, leaving: Vec::new(), public }
    }

    /// Plugins that take part.
    pub fn active(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.iter().filter(|p| p.enabled)
    }

    /// Public collections (those with a URL), with their owners.
    pub fn collections(&self) -> impl Iterator<Item = (CollectionId, &Collection)> {
        self.active().flat_map(|plugin| {
            plugin.manifest.collections.iter().filter(|c| !c.private).map(|c| {
                (
                    CollectionId {
                        plugin: plugin.manifest.name.as_str().into(),
                        name: c.name.as_str().into(),
                    },
                    c,
                )
            })
        })
    }

    /// Attributes that plugins add to a public collection: the plugin's name
    /// and what it adds.
    pub fn extenders<'a>(&'a self, collection: &'a str) -> impl Iterator<Item = (&'a str, &'a Extends)> {
        self.active().flat_map(move |plugin| {
            plugin
                .manifest
                .extends
                .iter()
                .filter(move |e| e.collection == collection)
                .map(|e| (plugin.manifest.name.as_str(), e))
        })
    }

    /// The plugin that adds an action to a collection of another's.
    pub(crate) fn doer(&self, collection: &str, action: &str) -> Option<&Arc<Plugin>> {
        self.active().find(|plugin| {
            let extends = plugin.manifest.extends.iter().filter(|e| e.collection == collection);
            extends.flat_map(|e| &e.actions).any(|a| a.name == action)
        })
    }

    /// Whether a row of the collection as it was written is not all there is to
    /// show of it.
    pub(crate) fn is_answered_by_query(&self, collection: &Collection) -> bool {
        collection.is_answered_by_query()
            || self.extenders(&collection.name).any(|(_, extends)| !extends.derived.is_empty())
    }

    /// The plugin of that name, if it takes part.
    pub fn plugin(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.active().find(|p| p.manifest.name == name)
    }

    /// A public collection by name, and its owner.
    pub(crate) fn public(&self, name: &str) -> Option<&(CollectionId, Arc<Plugin>)> {
        self.public.get(name)
    }

    /// A collection's declaration and its owner.
    pub(crate) fn owner(&self, id: &CollectionId) -> Option<(&Arc<Plugin>, &Collection)> {
        let plugin = self.plugin(&id.plugin)?;
        let collection = plugin.manifest.collections.iter().find(|c| *c.name == *id.name)?;
        Some((plugin, collection))
    }

    /// Plugins that want to hear of a moment of a collection.
    pub(crate) fn subscribers(&self, collection: &str, moment: Moment) -> Vec<Arc<Plugin>> {
        self.active()
            .filter(|p| {
                p.manifest.events.iter().any(|s| s.collection == collection && s.on.contains(&moment))
            })
            .cloned()
            .collect()
    }

    /// The plugin of that name, where it can be given work: taking part, or
    /// being removed.
    pub(crate) fn recipient(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.active().chain(&self.leaving).find(|p| p.manifest.name == name)
    }

    /// Mechanism drivers in order; those out of rotation too, since what they
    /// miss is kept for them in the journal.
    pub(crate) fn mechanisms(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.iter().filter(|p| p.kind == PluginKind::MechanismDriver)
    }

    /// The type driver that serves a network type.
    pub(crate) fn type_driver(&self, network_type: &str) -> Option<&Arc<Plugin>> {
        self.active().find(|p| {
            p.kind == PluginKind::TypeDriver && p.manifest.network_type.as_deref() == Some(network_type)
        })
    }
}
