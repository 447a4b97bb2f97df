//! Write Hadron plugins and drivers in Rust.
//!
//! A plugin is a type that implements the trait of its world and is registered
//! with that world's macro:
//!
//! | what it is | trait | macro |
//! |---|---|---|
//! | a vendor's mechanism driver | [`MechanismDriver`] | [`mechanism_driver!`] |
//! | a type driver | [`TypeDriver`] | [`type_driver!`] |
//! | … with ranges of numbers | [`TypeDriver`] and [`SegmentRanges`] | [`ranged_type_driver!`] |
//! | resources of its own | [`ServicePlugin`] | [`service_plugin!`] |
//! | the core plugin | [`ServicePlugin`] and [`CorePlugin`] | [`core_plugin!`] |
//!
//! Every method but `manifest` has a default, and the host calls only what the
//! manifest asks for. A whole driver:
//!
//! ```
//! use hadron_sdk::{Context, Manifest, MechanismDriver, NetworkContext, Operation, Result, log};
//!
//! pub struct Greeter;
//!
//! impl MechanismDriver for Greeter {
//!     fn manifest() -> Manifest {
//!         Manifest {
//!             hooks: vec!["network-precommit".into()],
//!             ..hadron_sdk::manifest!("mech-greeter", "says hello to every network")
//!         }
//!     }
//!
//!     fn network_precommit(_: &Context, _: Operation, networks: Vec<NetworkContext>) -> Result<()> {
//!         for network in networks {
//!             log::info(&format!("hello, {}", network.current.name));
//!         }
//!         Ok(())
//!     }
//! }
//!
//! hadron_sdk::mechanism_driver!(Greeter);
//! ```
//!
//! Built for `wasm32-unknown-unknown` as a `cdylib`, that is the plugin.
//! Outside Wasm the macros register nothing and functions of the host end the
//! program: keep rules in functions of their own and test those.
#![deny(unsafe_code)]

pub mod bindings;

pub mod config;
pub mod drivers;
pub mod http;
pub mod log;
pub mod pools;
pub mod random;
pub mod rbac;
pub mod resources;
pub mod rpc;
pub mod store;

mod convert;
mod fault;
mod mechanism;
mod panics;
mod register;
mod segment_type;
mod service;
#[doc(hidden)]
pub mod worlds;

pub use convert::texts;
pub use fault::{Error, Fault, Result};
pub use hadron_manifest as manifest;
pub use hadron_manifest::Manifest;
pub use mechanism::MechanismDriver;
pub use segment_type::{SegmentRanges, TypeDriver};
pub use service::{CorePlugin, Document, ServicePlugin};
pub use {serde, serde_json};

pub use bindings::hadron::host::clock::now;
pub use bindings::hadron::host::types::{Caller, Context, Json, Operation, ResourceRef};
pub use bindings::hadron::host::work::later;
pub use bindings::hadron::ml2::types::{
    AddressRange, Agent, Binding, BindingAnswer, BindingLevel, BindingRequest, Bound, Extra, FixedIp,
    HostRoute, Network, NetworkContext, PartlyBound, Port, PortContext, Segment, SegmentRange, Subnet,
    SubnetContext,
};

/// Types of work delivered after the commit, and of a driver's answer to it.
pub mod delivery {
    pub use crate::bindings::exports::hadron::host::delivery::{Entry, Outcome as WorkOutcome};
    pub use crate::bindings::exports::hadron::ml2::mechanism::{Outcome, Report};
    pub use crate::bindings::hadron::host::types::Change;
}

/// Types of the event and extender interfaces.
pub mod events {
    pub use crate::bindings::exports::hadron::host::extender::Extension;
    pub use crate::bindings::exports::hadron::host::subscriber::{Event, Moment};
}

/// Secrets the operator granted; a plugin never sees their values.
pub mod secrets {
    pub use crate::bindings::hadron::host::secrets::available;
}
