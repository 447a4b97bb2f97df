//! What a store knows while its guest runs.

use crate::component::Loaded;
use crate::limits::{MemoryLimit, Meter};
use crate::unit::Unit;
use std::sync::Arc;

/// Data of one instance's store.
pub(crate) struct HostState {
    /// Whose instance it is.
    pub(crate) plugin: Arc<Loaded>,
    /// What it may do now.
    pub(crate) phase: Phase,
    /// Its time.
    pub(crate) meter: Meter,
    /// Its memory.
    pub(crate) memory: MemoryLimit,
    /// Lines it wrote in this call.
    pub(crate) lines: u32,
    /// Bytes it wrote in this call.
    pub(crate) line_bytes: usize,
    /// The last warning or error among them, not longer than operators read.
    pub(crate) complaint: Option<String>,
}

/// Grants go by phase: what a plugin may do depends on where its request is.
#[derive(Clone)]
pub(crate) enum Phase {
    /// It is being asked for its manifest: nothing answers.
    Describing,
    /// Inside a unit of work: the store, and nothing beyond the process.
    Unit(Arc<Unit>),
    /// After the commit: granted endpoints, and no store.
    Delivering(Arc<Delivering>),
}

/// After the commit.
pub(crate) struct Delivering {
    /// For requests to granted endpoints.
    pub(crate) http: reqwest::Client,
    /// For calls of agents.
    pub(crate) bus: hadron_bus::Bus,
}

/// Ends the guest from within a host call and takes the reason to the unit's
/// runner; the guest cannot catch it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Abort(pub(crate) crate::unit::Failure);

impl HostState {
    /// The unit of work, when there is one.
    pub(crate) fn unit(&self) -> Option<&Arc<Unit>> {
        match &self.phase {
            Phase::Unit(unit) => Some(unit),
            _ => None,
        }
    }
}
