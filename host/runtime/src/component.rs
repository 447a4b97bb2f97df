//! From a file's bytes to a plugin that can be called.

use crate::bindings::{manager, mechanism, ranges, segment_type, service};
use crate::cache::{Cache, sha256};
use crate::linker::Linkers;
use crate::plugins::PluginKind;
use crate::state::HostState;
use crate::{Grants, Refusal, Status};
use hadron_manifest::Manifest;
use serde_json::{Map, Value};
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

/// A component, linked, with what the operator gave it. Immutable: an upgrade
/// makes a new one, and running units keep the old.
pub(crate) struct Loaded {
    /// What it says about itself.
    pub(crate) manifest: Arc<Manifest>,
    /// Its world.
    pub(crate) kind: PluginKind,
    /// Hex.
    pub(crate) sha256: String,
    /// Ready to be instantiated.
    pub(crate) pre: InstancePre<HostState>,
    /// Where its exports are.
    pub(crate) exports: ExportIndices,
    /// What it may do.
    pub(crate) grants: Grants,
    /// The operator's values over the manifest's defaults.
    pub(crate) config: Map<String, Value>,
}

/// Places of the exports, by world.
pub(crate) enum ExportIndices {
    /// A service plugin.
    Service(service::ServicePluginIndices),
    /// A service plugin that has drivers.
    Core(service::ServicePluginIndices, manager::DriverManagerIndices),
    /// A mechanism driver.
    Mechanism(mechanism::MechanismDriverIndices),
    /// A type driver, perhaps with ranges.
    Type(segment_type::TypeDriverIndices, Option<ranges::RangesIndices>),
}

impl Loaded {
    /// The plugin's name.
    pub(crate) fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Whether it is a type driver with ranges.
    pub(crate) fn has_ranges(&self) -> bool {
        matches!(&self.exports, ExportIndices::Type(_, Some(_)))
    }

    /// Linear memory it may have, MiB.
    pub(crate) fn memory_mib(&self, default: u32) -> u32 {
        let asked =
            if self.manifest.requests.memory_mib == 0 { default } else { self.manifest.requests.memory_mib };
        self.grants.memory_mib.unwrap_or(asked).clamp(1, crate::engine::MOST_MEMORY_MIB)
    }
}

/// Compiles and links a component. Blocks while it compiles.
pub(crate) fn prepare(
    engine: &Engine,
    linkers: &Linkers,
    cache: &Cache,
    bytes: &[u8],
) -> Result<Prepared, Refusal> {
    let bytes = as_component(bytes)?;
    let digest = sha256(&bytes);
    let component = cache
        .component(engine, &digest, &bytes)
        .map_err(|error| refuse(format!("it cannot be compiled: {error:#}")))?;
    let kind = kind(engine, &component)?;
    let pre = linkers
        .link(kind, &component)
        .map_err(|error| refuse(format!("it imports what a {} is not given: {error:#}", kind.title())))?;
    Ok(Prepared { kind, sha256: digest, pre })
}

/// Linked, but not yet asked for its manifest.
pub(crate) struct Prepared {
    pub(crate) kind: PluginKind,
    pub(crate) sha256: String,
    pub(crate) pre: InstancePre<HostState>,
}

impl Prepared {
    /// With its manifest, checked.
    pub(crate) fn described(
        self,
        manifest: Manifest,
        grants: Grants,
        config: &Map<String, Value>,
    ) -> Result<Loaded, Refusal> {
        let problems = hadron_manifest::check(&manifest);
        if !problems.is_empty() {
            return Err(refuse(format!("its manifest is not sound: {}", problems.join("; "))));
        }
        for key in config.keys() {
            if !manifest.config.iter().any(|known| known.name == *key) {
                let known: Vec<&str> = manifest.config.iter().map(|k| k.name.as_str()).collect();
                return Err(refuse(format!(
                    "the plugin '{}' reads no configuration key '{key}' (it reads: {})",
                    manifest.name,
                    known.join(", ")
                )));
            }
        }
        let exports = indices(&self.pre, self.kind).map_err(|e| refused(&e))?;
        let config = merged(&manifest, config);
        Ok(Loaded {
            manifest: Arc::new(manifest),
            kind: self.kind,
            sha256: self.sha256,
            pre: self.pre,
            exports,
            grants,
            config,
        })
    }
}

fn merged(manifest: &Manifest, given: &Map<String, Value>) -> Map<String, Value> {
    let mut config: Map<String, Value> = manifest
        .config
        .iter()
        .filter(|key| !key.default.is_null())
        .map(|key| (key.name.clone(), key.default.clone()))
        .collect();
    config.extend(given.iter().map(|(key, value)| (key.clone(), value.clone())));
    config
}

fn indices(pre: &InstancePre<HostState>, kind: PluginKind) -> wasmtime::Result<ExportIndices> {
    Ok(match kind {
        PluginKind::ServicePlugin => ExportIndices::Service(service::ServicePluginIndices::new(pre)?),
        PluginKind::CorePlugin => ExportIndices::Core(
            service::ServicePluginIndices::new(pre)?,
            manager::DriverManagerIndices::new(pre)?,
        ),
        PluginKind::MechanismDriver => ExportIndices::Mechanism(mechanism::MechanismDriverIndices::new(pre)?),
        PluginKind::TypeDriver => {
            // Drivers built before there were ranges do not have them.
            ExportIndices::Type(
                segment_type::TypeDriverIndices::new(pre)?,
                ranges::RangesIndices::new(pre).ok(),
            )
        }
    })
}

/// Accepts a component, or a core module that carries its component type.
fn as_component(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    if wasmparser::Parser::is_component(bytes) {
        return Ok(bytes.to_vec());
    }
    if !wasmparser::Parser::is_core_wasm(bytes) {
        return Err(refuse("it is not WebAssembly (neither a component nor a module)".to_owned()));
    }
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| refuse(format!("it is a core module that cannot be made a component: {error:#}")))
}

/// The world, from what the component exports.
fn kind(engine: &Engine, component: &Component) -> Result<PluginKind, Refusal> {
    let component_type = component.component_type();
    let exports: Vec<String> = component_type.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let has = |interface: &str| exports.iter().any(|name| name.split('@').next() == Some(interface));
    if !has("hadron:host/plugin") {
        return Err(refuse(format!(
            "it exports no hadron:host/plugin@{}, so it is no plugin (it exports: {})",
            hadron_manifest::CONTRACT,
            if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
        )));
    }
    Ok(match (has("hadron:ml2/mechanism"), has("hadron:ml2/segment-type"), has("hadron:ml2/reports")) {
        (true, _, _) => PluginKind::MechanismDriver,
        (_, true, _) => PluginKind::TypeDriver,
        (_, _, true) => PluginKind::CorePlugin,
        _ => PluginKind::ServicePlugin,
    })
}

fn refuse(message: String) -> Refusal {
    Refusal::new(Status::Invalid, "PluginRefused", message)
}

fn refused(error: &wasmtime::Error) -> Refusal {
    refuse(format!("its exports do not fit the contract {}: {error:#}", hadron_manifest::CONTRACT))
}
