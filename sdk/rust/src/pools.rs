//! Pools of numbers of which each is given to one taker: VLAN ids, VNIs,
//! offsets of addresses. Numbers are below 2^63.

use crate::bindings::hadron::host::pools as host;
use crate::{Error, Result};

pub use host::{PoolError, Range};

/// Makes the pool hold exactly these ranges (both ends included). Numbers taken
/// stay taken.
pub fn define(pool: &str, ranges: &[Range]) -> Result<(), PoolError> {
    host::define(pool, ranges)
}

/// Forgets a pool; that it is unknown is no error.
pub fn drop(pool: &str) -> Result<(), PoolError> {
    match host::drop(pool) {
        Err(PoolError::Unknown) => Ok(()),
        other => other,
    }
}

/// Takes one free number.
pub fn take(pool: &str) -> Result<u64, PoolError> {
    take_many(pool, 1)?.first().copied().ok_or(PoolError::Exhausted)
}

/// Takes that many free numbers, or none.
pub fn take_many(pool: &str, count: u32) -> Result<Vec<u64>, PoolError> {
    host::take(pool, count)
}

/// Takes this very number; `Taken` also when it is not in the pool's ranges.
pub fn take_given(pool: &str, number: u64) -> Result<(), PoolError> {
    host::take_given(pool, number)
}

/// Gives numbers back; numbers that are free, or not in the pool, are ignored.
pub fn give_back(pool: &str, numbers: &[u64]) -> Result<(), PoolError> {
    host::give_back(pool, numbers)
}

/// For the cases a plugin has no better message for.
impl From<PoolError> for Error {
    fn from(error: PoolError) -> Error {
        match error {
            PoolError::Exhausted => Error::unavailable("ResourceExhausted", "Nothing is free in the pool."),
            PoolError::Taken => Error::conflict("Conflict", "The number is in use."),
            PoolError::Unknown => Error::internal("a pool was used before it was defined"),
            PoolError::Unavailable => Error::internal("pools can only be used inside a unit of work"),
        }
    }
}
