//! What a plugin asks for. It gets what it asks for *and* the operator grants.

use crate::Verb;
use serde::{Deserialize, Serialize};

/// Requests of a plugin; also, in the operator's configuration, the grants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requests {
    /// Whether it wants to call HTTP endpoints after the commit. Which ones is
    /// for the operator to say.
    pub http: bool,
    /// Names of secrets it wants the host to put into headers.
    pub secrets: Vec<String>,
    /// Other plugins' collections.
    pub resources: Vec<ResourceRequest>,
    /// Calls to other plugins run with the rights of the system instead of the
    /// caller's.
    pub system: bool,
    /// Linear memory, MiB; the host's default (32) where 0.
    pub memory_mib: u32,
}

/// Verbs on a collection of another plugin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResourceRequest {
    /// The collection's name.
    pub collection: String,
    /// What it wants to do there.
    pub verbs: Vec<Verb>,
}

/// An endpoint an operator allows: scheme, host and port; any path below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HttpGrant(pub String);
