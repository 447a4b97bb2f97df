//! Random numbers. Inside a unit of work they come from a generator seeded by
//! the unit, so that the unit can be run again with the same outcome; other
//! sources must not be used (and there is none in the sandbox).

use crate::bindings::hadron::host::random as host;

/// All 64 bits random.
pub fn next() -> u64 {
    host::next()
}

/// A random UUID, as text.
pub fn uuid() -> String {
    host::uuid()
}

/// A number below `bound`, each as likely as the others; 0 for a bound of 0.
pub fn below(bound: u64) -> u64 {
    // The high half of the product: unlike a remainder it does not prefer small
    // numbers by more than 2^-64 of the bound.
    ((u128::from(host::next()) * u128::from(bound)) >> 64) as u64
}
