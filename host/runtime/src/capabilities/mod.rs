//! What a plugin may ask of the host: one module an interface of `wit/`.
//!
//! Each function first looks at the phase: the store answers inside a unit of
//! work only, outgoing HTTP after the commit only.

mod drivers;
pub(crate) mod http;
mod messages;
pub(crate) mod plain;
mod pools;
mod rbac;
mod resources;
mod store;
