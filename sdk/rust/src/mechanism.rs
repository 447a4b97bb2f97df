//! Mechanism drivers.

use crate::bindings::exports::hadron::host::plugin;
use crate::bindings::exports::hadron::ml2::mechanism::{Guest, Outcome, Report};
use crate::worlds::{Component, describe};
use crate::{
    BindingAnswer, BindingRequest, Context, Json, Manifest, NetworkContext, Operation, PortContext, Result,
    SubnetContext, panics,
};

/// A mechanism driver. Register it with [`mechanism_driver!`](crate::mechanism_driver).
///
/// A hook is called only when the manifest's `hooks` names it. Precommit hooks
/// run inside the unit of work: an error vetoes the request, and nobody may be
/// talked to. Postcommit hooks run after the commit, at least once: they may
/// send HTTP requests, cannot use the store, and must be idempotent.
pub trait MechanismDriver: 'static {
    /// What the driver says about itself.
    fn manifest() -> Manifest;

    /// Called in a unit of work when the driver was loaded or its configuration
    /// changed, if the manifest says `start`.
    fn start(_ctx: &Context) -> Result<()> {
        Ok(())
    }

    /// Networks are being written.
    fn network_precommit(_ctx: &Context, _op: Operation, _items: Vec<NetworkContext>) -> Result<()> {
        Ok(())
    }
    /// Networks have been written.
    fn network_postcommit(_op: Operation, _items: Vec<NetworkContext>) -> Outcome {
        Outcome::ok()
    }

    /// Subnets are being written.
    fn subnet_precommit(_ctx: &Context, _op: Operation, _items: Vec<SubnetContext>) -> Result<()> {
        Ok(())
    }
    /// Subnets have been written.
    fn subnet_postcommit(_op: Operation, _items: Vec<SubnetContext>) -> Outcome {
        Outcome::ok()
    }

    /// Ports are being written.
    fn port_precommit(_ctx: &Context, _op: Operation, _items: Vec<PortContext>) -> Result<()> {
        Ok(())
    }
    /// Ports have been written.
    fn port_postcommit(_op: Operation, _items: Vec<PortContext>) -> Outcome {
        Outcome::ok()
    }

    /// Ports want to be bound; an answer for each.
    fn bind_port(_ctx: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        Ok(requests.iter().map(|_| BindingAnswer::Decline).collect())
    }
}

impl Outcome {
    /// Done, with nothing to report.
    pub fn ok() -> Outcome {
        Outcome::Done(Report::default())
    }

    /// Done, and the resource has this status now.
    pub fn status(status: &str) -> Outcome {
        Outcome::Done(Report { status: Some(status.to_owned()), ..Report::default() })
    }
}

// The type is generated: there is no place to derive it.
#[allow(clippy::derivable_impls)]
impl Default for Report {
    fn default() -> Report {
        Report { status: None, bound: None, changes: Vec::new() }
    }
}

/// Marks the world.
#[doc(hidden)]
pub struct Mechanism;

impl<D: MechanismDriver> plugin::Guest for Component<D, Mechanism> {
    fn describe() -> Json {
        describe(D::manifest)
    }
    fn start(ctx: Context) -> Result<()> {
        panics::install();
        D::start(&ctx)
    }
}

impl<D: MechanismDriver> Guest for Component<D, Mechanism> {
    fn network_precommit(ctx: Context, operation: Operation, items: Vec<NetworkContext>) -> Result<()> {
        panics::install();
        D::network_precommit(&ctx, operation, items)
    }
    fn network_postcommit(operation: Operation, items: Vec<NetworkContext>) -> Outcome {
        panics::install();
        D::network_postcommit(operation, items)
    }
    fn subnet_precommit(ctx: Context, operation: Operation, items: Vec<SubnetContext>) -> Result<()> {
        panics::install();
        D::subnet_precommit(&ctx, operation, items)
    }
    fn subnet_postcommit(operation: Operation, items: Vec<SubnetContext>) -> Outcome {
        panics::install();
        D::subnet_postcommit(operation, items)
    }
    fn port_precommit(ctx: Context, operation: Operation, items: Vec<PortContext>) -> Result<()> {
        panics::install();
        D::port_precommit(&ctx, operation, items)
    }
    fn port_postcommit(operation: Operation, items: Vec<PortContext>) -> Outcome {
        panics::install();
        D::port_postcommit(operation, items)
    }
    fn bind_port(ctx: Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        panics::install();
        D::bind_port(&ctx, requests)
    }
}
