//! The drivers, for the core plugin: records go from its instance into theirs
//! and answers come back. What they mean, and what follows from an error, is
//! the core plugin's to say.

use crate::bindings::drivers::{Driver, Host};
use crate::bindings::ml2::{
    BindingAnswer, BindingRequest, NetworkContext, PortContext, Segment, SegmentRange, SubnetContext,
};
use crate::bindings::types::{Context, Error, Fault, Operation, ResourceRef};
use crate::convert;
use crate::journal::{self, Postcommit};
use crate::plugins::{Plugin, PluginKind, PluginState};
use crate::state::{Abort, HostState};
use crate::unit::{Failure, Unit};
use hadron_store::{CollectionId, NewEntry};
use serde::Serialize;
use std::sync::Arc;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

fn internal(kind: &str, message: String) -> Error {
    Error::Internal(Fault { kind: kind.to_owned(), message, detail: String::new() })
}

/// Takes a driver's answer to the core plugin; a driver that failed is an
/// error that names it.
///
/// A driver's own error goes to the client as it is: Neutron unwraps its
/// `MechanismDriverError` the same way. Which driver it was is in the log.
fn answer<T>(driver: &str, hook: &str, result: Result<Result<T, Error>, Failure>) -> Answer<T> {
    match result {
        Ok(Ok(answer)) => Ok(Ok(answer)),
        Ok(Err(error)) => {
            let refusal = convert::refusal(error.clone());
            tracing::warn!(driver, hook, %refusal, "a driver refused");
            Ok(Err(error))
        }
        Err(failed @ Failure::Plugin { .. }) => Ok(Err(internal("MechanismDriverError", failed.to_string()))),
        Err(failure) => Err(Abort(failure).into()),
    }
}

/// Calls one hook of one mechanism driver.
macro_rules! mechanism {
    ($state:ident, $driver:ident, $hook:literal, |$exports:ident, $store:ident, $ctx:ident| $call:expr) => {{
        match $state.mechanism(&$driver) {
            Ok((unit, plugin, $ctx)) => answer(
                &plugin.manifest.name,
                $hook,
                unit.call(&plugin, $hook, move |instance| {
                    Box::pin(async move {
                        let ($exports, $store) = instance.mechanism()?;
                        let $exports = $exports.hadron_ml2_mechanism();
                        $call.await
                    })
                })
                .await,
            ),
            Err(error) => Ok(Err(error)),
        }
    }};
}

/// Calls one hook of the type driver of a network type.
macro_rules! segment_type {
    ($state:ident, $network_type:expr, $hook:literal, |$exports:ident, $store:ident, $ctx:ident| $call:expr) => {{
        match $state.type_driver($network_type) {
            Ok((unit, plugin, $ctx)) => answer(
                &plugin.manifest.name,
                $hook,
                unit.call(&plugin, $hook, move |instance| {
                    Box::pin(async move {
                        let ($exports, $store) = instance.segment_type()?;
                        let $exports = $exports.hadron_ml2_segment_type();
                        $call.await
                    })
                })
                .await,
            ),
            Err(error) => Ok(Err(error)),
        }
    }};
}

/// Calls one function of the ranges of a network type's driver.
macro_rules! ranges {
    ($state:ident, $network_type:expr, $hook:literal, |$exports:ident, $store:ident, $ctx:ident| $call:expr) => {{
        match $state.type_driver($network_type) {
            Ok((unit, plugin, $ctx)) => answer(
                &plugin.manifest.name,
                $hook,
                unit.call(&plugin, $hook, move |instance| {
                    Box::pin(async move {
                        let ($exports, $store) = instance.ranges()?;
                        let $exports = $exports.hadron_ml2_segment_ranges();
                        $call.await
                    })
                })
                .await,
            ),
            Err(error) => Ok(Err(error)),
        }
    }};
}

impl HostState {
    fn outside(&self) -> Error {
        internal("PluginFailed", "drivers can be called inside a unit of work only".to_owned())
    }

    fn mechanism(&self, driver: &str) -> Result<(Arc<Unit>, Arc<Plugin>, Context), Error> {
        let unit = self.unit().cloned().ok_or_else(|| self.outside())?;
        let plugin = unit.set.mechanisms().find(|p| p.manifest.name == driver).cloned().ok_or_else(|| {
            internal("MechanismDriverError", format!("no mechanism driver '{driver}' is loaded"))
        })?;
        let ctx = convert::context(&unit);
        Ok((unit, plugin, ctx))
    }

    fn type_driver(&self, network_type: &str) -> Result<(Arc<Unit>, Arc<Plugin>, Context), Error> {
        let unit = self.unit().cloned().ok_or_else(|| self.outside())?;
        let plugin = unit.set.type_driver(network_type).cloned().ok_or_else(|| {
            Error::Invalid(Fault {
                kind: "InvalidInput".to_owned(),
                message: format!(
                    "Invalid input for operation: network_type value '{network_type}' not supported."
                ),
                detail: String::new(),
            })
        })?;
        let ctx = convert::context(&unit);
        Ok((unit, plugin, ctx))
    }

    fn has_ranges(&self, network_type: &str) -> bool {
        let driver = self.unit().and_then(|unit| unit.set.type_driver(network_type));
        driver.is_some_and(|plugin| plugin.loaded().has_ranges())
    }

    /// One journal entry an item.
    fn post_hooks<T: Serialize>(
        &self,
        driver: &str,
        hook: &'static str,
        collection: &'static str,
        operation: Operation,
        items: Vec<(String, T)>,
        after: Vec<Vec<ResourceRef>>,
    ) -> wasmtime::Result<()> {
        let Some(unit) = self.unit() else { return Ok(()) };
        let owner = CollectionId { plugin: self.plugin.name().into(), name: collection.into() };
        let mut after = after.into_iter();
        for (id, item) in items {
            let payload = Postcommit { contract: hadron_manifest::CONTRACT.into(), item };
            unit.post(NewEntry {
                id: unit.uuid(),
                target: driver.to_owned(),
                kind: hook.to_owned(),
                operation: journal::operation(operation).to_owned(),
                collection: collection.to_owned(),
                // A deletion comes after all changes of the row.
                revision: match operation {
                    Operation::Delete => i64::MAX,
                    _ => unit.revision(&owner, &id).unwrap_or_default(),
                },
                resource: id,
                after: after.next().unwrap_or_default().into_iter().map(|row| row.id).collect(),
                payload: serde_json::to_string(&payload)?.into(),
            });
        }
        Ok(())
    }
}

impl Host for HostState {
    async fn mechanisms(&mut self) -> wasmtime::Result<Vec<Driver>> {
        let Some(unit) = self.unit() else { return Ok(Vec::new()) };
        Ok(unit
            .set
            .mechanisms()
            .map(|plugin| Driver {
                name: plugin.manifest.name.clone(),
                hooks: match plugin.state() {
                    PluginState::Active => plugin.manifest.hooks.clone(),
                    // Out of rotation: it is not asked, but misses nothing.
                    _ => plugin
                        .manifest
                        .hooks
                        .iter()
                        .filter(|hook| hook.ends_with("-postcommit"))
                        .cloned()
                        .collect(),
                },
            })
            .collect())
    }

    async fn network_types(&mut self) -> wasmtime::Result<Vec<String>> {
        let Some(unit) = self.unit() else { return Ok(Vec::new()) };
        Ok(unit
            .set
            .active()
            .filter(|plugin| plugin.kind == PluginKind::TypeDriver)
            .filter_map(|plugin| plugin.manifest.network_type.clone())
            .collect())
    }

    async fn network_precommit(
        &mut self,
        driver: String,
        operation: Operation,
        items: Vec<NetworkContext>,
    ) -> Answer<()> {
        mechanism!(self, driver, "network-precommit", |exports, store, ctx| {
            exports.call_network_precommit(store, &ctx, operation, &items)
        })
    }

    async fn subnet_precommit(
        &mut self,
        driver: String,
        operation: Operation,
        items: Vec<SubnetContext>,
    ) -> Answer<()> {
        mechanism!(self, driver, "subnet-precommit", |exports, store, ctx| {
            exports.call_subnet_precommit(store, &ctx, operation, &items)
        })
    }

    async fn port_precommit(
        &mut self,
        driver: String,
        operation: Operation,
        items: Vec<PortContext>,
    ) -> Answer<()> {
        mechanism!(self, driver, "port-precommit", |exports, store, ctx| {
            exports.call_port_precommit(store, &ctx, operation, &items)
        })
    }

    async fn bind_port(
        &mut self,
        driver: String,
        requests: Vec<BindingRequest>,
    ) -> Answer<Vec<BindingAnswer>> {
        mechanism!(self, driver, "bind-port", |exports, store, ctx| exports
            .call_bind_port(store, &ctx, &requests))
    }

    async fn network_postcommit(
        &mut self,
        driver: String,
        operation: Operation,
        items: Vec<NetworkContext>,
        after: Vec<Vec<ResourceRef>>,
    ) -> wasmtime::Result<()> {
        let items = items.into_iter().map(|item| (item.current.id.clone(), item)).collect();
        self.post_hooks(&driver, "network-postcommit", "networks", operation, items, after)
    }

    async fn subnet_postcommit(
        &mut self,
        driver: String,
        operation: Operation,
        items: Vec<SubnetContext>,
        after: Vec<Vec<ResourceRef>>,
    ) -> wasmtime::Result<()> {
        let items = items.into_iter().map(|item| (item.current.id.clone(), item)).collect();
        self.post_hooks(&driver, "subnet-postcommit", "subnets", operation, items, after)
    }

    async fn port_postcommit(
        &mut self,
        driver: String,
        operation: Operation,
        items: Vec<PortContext>,
        after: Vec<Vec<ResourceRef>>,
    ) -> wasmtime::Result<()> {
        let items = items.into_iter().map(|item| (item.current.id.clone(), item)).collect();
        self.post_hooks(&driver, "port-postcommit", "ports", operation, items, after)
    }

    async fn reserve(&mut self, wanted: Segment) -> Answer<Segment> {
        segment_type!(self, &wanted.network_type, "reserve", |exports, store, ctx| {
            exports.call_reserve(store, &ctx, &wanted)
        })
    }

    async fn allocate(&mut self, network_type: String) -> Answer<Option<Segment>> {
        segment_type!(self, &network_type, "allocate", |exports, store, ctx| exports
            .call_allocate(store, &ctx))
    }

    async fn release(&mut self, segment: Segment) -> Answer<()> {
        segment_type!(self, &segment.network_type, "release", |exports, store, ctx| {
            exports.call_release(store, &ctx, &segment)
        })
    }

    async fn mtu(&mut self, segment: Segment) -> Answer<u32> {
        segment_type!(self, &segment.network_type, "mtu", |exports, store, ctx| {
            exports.call_mtu(store, &ctx, &segment)
        })
    }

    async fn ranged_types(&mut self) -> wasmtime::Result<Vec<String>> {
        let mut types = self.network_types().await?;
        types.retain(|network_type| self.has_ranges(network_type));
        Ok(types)
    }

    async fn configured_ranges(&mut self, network_type: String) -> Answer<Vec<SegmentRange>> {
        if !self.has_ranges(&network_type) {
            return Ok(Ok(Vec::new()));
        }
        ranges!(self, &network_type, "ranges", |exports, store, ctx| exports.call_configured(store, &ctx))
    }

    async fn check_range(&mut self, network_type: String, wanted: SegmentRange) -> Answer<()> {
        ranges!(self, &network_type, "check-range", |exports, store, ctx| {
            exports.call_check(store, &ctx, &wanted)
        })
    }

    async fn apply_ranges(
        &mut self,
        network_type: String,
        ranges: Vec<SegmentRange>,
        taken: Vec<Segment>,
    ) -> Answer<()> {
        ranges!(self, &network_type, "apply-ranges", |exports, store, ctx| {
            exports.call_apply(store, &ctx, &ranges, &taken)
        })
    }

    async fn reserve_for(&mut self, project_id: String, wanted: Segment) -> Answer<Segment> {
        if !self.has_ranges(&wanted.network_type) {
            return self.reserve(wanted).await;
        }
        ranges!(self, &wanted.network_type, "reserve", |exports, store, ctx| {
            exports.call_reserve(store, &ctx, &project_id, &wanted)
        })
    }

    async fn allocate_for(&mut self, network_type: String, project_id: String) -> Answer<Option<Segment>> {
        if !self.has_ranges(&network_type) {
            return self.allocate(network_type).await;
        }
        ranges!(self, &network_type, "allocate", |exports, store, ctx| {
            exports.call_allocate(store, &ctx, &project_id)
        })
    }
}
