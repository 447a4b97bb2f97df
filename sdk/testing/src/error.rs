//! One sentence, with what helps to find the cause below it.

use std::fmt;

/// Why a step of a test could not be taken. Shown as text also by `{:?}`, which
/// is what a test that returns it, or unwraps it, prints: logs stay readable.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(String);

/// What the functions of this crate return.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says this.
    pub fn new(message: impl fmt::Display) -> Error {
        Error(message.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
