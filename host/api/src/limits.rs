//! What clients may do at most; the operator may change it while serving.

use crate::rate::{Limiter, RateLimit};
use std::sync::Arc;

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most operations of a batch.
    pub batch: usize,
    /// A limit on the requests of each project.
    pub rate: Option<RateLimit>,
}

/// The settings, as they are kept.
pub(crate) struct Limits {
    pub(crate) batch: usize,
    pub(crate) rate: Option<Arc<Limiter>>,
}

impl Limits {
    /// A limiter that keeps the same limit goes on counting.
    pub(crate) fn new(settings: Settings, limiter: Option<Arc<Limiter>>) -> Limits {
        let rate = settings.rate.map(|limit| match limiter {
            Some(limiter) if *limiter.limit() == limit => limiter,
            _ => Arc::new(Limiter::new(limit)),
        });
        Limits { batch: settings.batch, rate }
    }
}
