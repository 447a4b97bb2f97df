//! Versions of objects.

use std::fmt;

/// A version of a kind of objects. The first number is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u32);

impl Version {
    /// Reads `1.11`; nothing where it is no version 1.
    pub fn parse(text: &str) -> Option<Version> {
        text.strip_prefix("1.")?.parse().ok().map(Version)
    }

    /// The second number.
    pub fn minor(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "1.{}", self.0)
    }
}
