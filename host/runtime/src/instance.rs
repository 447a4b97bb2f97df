//! A live instance of a plugin: one request's, never older than it, and dead
//! after a trap.

use crate::Core;
use crate::bindings::{manager, mechanism, ranges, segment_type, service};
use crate::component::{ExportIndices, Loaded};
use crate::limits::{Budget, MemoryLimit, Meter};
use crate::state::{HostState, Phase};
use hadron_telemetry::{Up, spent};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Store;

/// An instance and its store.
pub(crate) struct Instance {
    /// The store.
    pub(crate) store: Store<HostState>,
    /// What it exports.
    exports: Exports,
    _counted: Up,
}

enum Exports {
    Service(service::ServicePlugin),
    Core(service::ServicePlugin, manager::DriverManager),
    Mechanism(mechanism::MechanismDriver),
    Type(segment_type::TypeDriver, Option<ranges::Ranges>),
}

/// A call of a hook that a component of this kind does not have: a mistake of
/// the host's.
#[derive(Debug, thiserror::Error)]
#[error("the plugin is of another kind than the call needs")]
pub(crate) struct WrongKind;

impl Instance {
    /// A fresh instance.
    pub(crate) async fn new(
        core: &Core,
        plugin: Arc<Loaded>,
        phase: Phase,
        budget: Budget,
    ) -> wasmtime::Result<Instance> {
        let meter = Meter::new(budget);
        let memory = MemoryLimit::mib(plugin.memory_mib(core.settings.memory_mib));
        let state = HostState {
            plugin: plugin.clone(),
            phase,
            meter: meter.clone(),
            memory,
            lines: 0,
            line_bytes: 0,
            complaint: None,
        };
        let mut store = Store::new(&core.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(MOST_ARGUMENT_BYTES);
        meter.watch(&mut store);
        let counted = Up::new(&core.metrics.instances);
        let instance = plugin.pre.instantiate_async(&mut store).await?;
        meter.pause();
        let exports = match &plugin.exports {
            ExportIndices::Service(indices) => Exports::Service(indices.load(&mut store, &instance)?),
            ExportIndices::Core(indices, manager) => {
                Exports::Core(indices.load(&mut store, &instance)?, manager.load(&mut store, &instance)?)
            }
            ExportIndices::Mechanism(indices) => Exports::Mechanism(indices.load(&mut store, &instance)?),
            ExportIndices::Type(indices, ranges) => {
                let ranges = match ranges {
                    Some(ranges) => Some(ranges.load(&mut store, &instance)?),
                    None => None,
                };
                Exports::Type(indices.load(&mut store, &instance)?, ranges)
            }
        };
        Ok(Instance { store, exports, _counted: counted })
    }

    /// Guest time of the last call: on the request's bill, and the answer.
    pub(crate) fn guest_time(&self) -> Duration {
        let time = self.store.data().meter.called();
        spent::in_plugins(time);
        time
    }

    /// Before each call: its time and its log lines start anew.
    pub(crate) fn next_call(&mut self) {
        let state = self.store.data_mut();
        state.lines = 0;
        state.line_bytes = 0;
        state.complaint = None;
        state.meter.next_call();
        self.store.set_epoch_deadline(1);
    }

    /// After each call: its time is over.
    pub(crate) fn rest(&self) {
        self.store.data().meter.pause();
    }

    /// Lets the instance go on after the commit: with egress, without the store.
    pub(crate) fn deliver(&mut self, phase: Phase, limit: Duration) {
        let state = self.store.data_mut();
        state.phase = phase;
        state.lines = 0;
        state.line_bytes = 0;
        state.complaint = None;
        state.meter.restart(Budget::new(limit, limit));
        self.store.set_epoch_deadline(1);
    }

    /// The last warning or error that it logged in this call.
    pub(crate) fn complaint(&mut self) -> Option<String> {
        self.store.data_mut().complaint.take()
    }

    /// The exports of a service or core plugin, and the store to call them in.
    pub(crate) fn service(&mut self) -> wasmtime::Result<(&service::ServicePlugin, &mut Store<HostState>)> {
        match &self.exports {
            Exports::Service(exports) | Exports::Core(exports, _) => Ok((exports, &mut self.store)),
            _ => Err(WrongKind.into()),
        }
    }

    /// The exports of a core plugin.
    pub(crate) fn manager(&mut self) -> wasmtime::Result<(&manager::DriverManager, &mut Store<HostState>)> {
        match &self.exports {
            Exports::Core(_, exports) => Ok((exports, &mut self.store)),
            _ => Err(WrongKind.into()),
        }
    }

    /// The exports of a mechanism driver.
    pub(crate) fn mechanism(
        &mut self,
    ) -> wasmtime::Result<(&mechanism::MechanismDriver, &mut Store<HostState>)> {
        match &self.exports {
            Exports::Mechanism(exports) => Ok((exports, &mut self.store)),
            _ => Err(WrongKind.into()),
        }
    }

    /// The exports of a type driver.
    pub(crate) fn segment_type(
        &mut self,
    ) -> wasmtime::Result<(&segment_type::TypeDriver, &mut Store<HostState>)> {
        match &self.exports {
            Exports::Type(exports, _) => Ok((exports, &mut self.store)),
            _ => Err(WrongKind.into()),
        }
    }

    /// The ranges of a type driver that has them.
    pub(crate) fn ranges(&mut self) -> wasmtime::Result<(&ranges::Ranges, &mut Store<HostState>)> {
        match &self.exports {
            Exports::Type(_, Some(exports)) => Ok((exports, &mut self.store)),
            _ => Err(WrongKind.into()),
        }
    }

    /// The manifest, as text.
    pub(crate) async fn describe(&mut self) -> wasmtime::Result<String> {
        self.next_call();
        let store = &mut self.store;
        match &self.exports {
            Exports::Service(exports) | Exports::Core(exports, _) => {
                exports.hadron_host_plugin().call_describe(store).await
            }
            Exports::Mechanism(exports) => exports.hadron_host_plugin().call_describe(store).await,
            Exports::Type(exports, _) => exports.hadron_host_plugin().call_describe(store).await,
        }
    }

    /// The plugin's `start`.
    pub(crate) async fn start(
        &mut self,
        context: &crate::bindings::types::Context,
    ) -> wasmtime::Result<Result<(), crate::bindings::types::Error>> {
        let store = &mut self.store;
        match &self.exports {
            Exports::Service(exports) | Exports::Core(exports, _) => {
                exports.hadron_host_plugin().call_start(store, context).await
            }
            Exports::Mechanism(exports) => exports.hadron_host_plugin().call_start(store, context).await,
            Exports::Type(exports, _) => exports.hadron_host_plugin().call_start(store, context).await,
        }
    }
}

/// Bytes a guest may hand to one host call: the default, 128 MiB, would let one
/// call take the memory of many.
const MOST_ARGUMENT_BYTES: usize = 8 * 1024 * 1024;
