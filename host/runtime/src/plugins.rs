//! Which plugins are loaded, and where a collection belongs.

use hadron_manifest::{Collection, Extends, Manifest};
use hadron_store::CollectionId;
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

/// A plugin of a running server.
pub struct Plugin {
    /// What it says about itself.
    pub manifest: Arc<Manifest>,
    /// Its sort.
    pub kind: PluginKind,
    /// The component's sha256, hex.
    pub sha256: String,
}

impl Plugin {
    /// Where it stands now.
    pub fn state(&self) -> PluginState {
        todo!()
    }
}

/// The plugins of a server at one moment.
#[derive(Default)]
pub struct PluginSet {
    /// Those that were loaded, in order.
    pub plugins: Vec<Arc<Plugin>>,
    /// Files that were refused: path, and why.
    pub refused: Vec<(String, String)>,
    /// Goes up with every change, so that what is made from a set can be kept.
    pub generation: u64,
}

impl PluginSet {
    /// Public collections (those with a URL), with their owners.
    pub fn collections(&self) -> impl Iterator<Item = (CollectionId, &Collection)> {
        self.plugins.iter().flat_map(|plugin| {
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
        self.plugins.iter().flat_map(move |plugin| {
            plugin
                .manifest
                .extends
                .iter()
                .filter(move |e| e.collection == collection)
                .map(|e| (plugin.manifest.name.as_str(), e))
        })
    }
}
