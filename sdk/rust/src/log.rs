//! Lines in the server's log.

pub use crate::bindings::hadron::host::log::{Level, write};

/// Follows single steps.
pub fn trace(message: &str) {
    write(Level::Trace, message);
}

/// For the plugin's author.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// What an operator wants to know.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something is off, and work goes on.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Something failed.
pub fn error(message: &str) {
    write(Level::Error, message);
}
