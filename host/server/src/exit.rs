//! How a command ends: one table of exit codes, and sentences for people.

use std::fmt::Display;

/// Exit codes, as `hadron --help` documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It was refused or went wrong.
    Failed = 1,
    // 2 is clap's: the command line is wrong.
    /// No server answers.
    Unreachable = 3,
    /// The configuration is wrong.
    Configuration = 4,
    /// Another server uses the data folder or the address.
    InUse = 5,
}

/// Why a command ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// With which code.
    pub(crate) exit: Exit,
    /// What was wrong, with what, and what to do.
    pub(crate) message: String,
}

impl Failure {
    /// It went wrong.
    pub(crate) fn failed(message: impl Display) -> Failure {
        Failure { exit: Exit::Failed, message: message.to_string() }
    }

    /// With a code of its own.
    pub(crate) fn new(exit: Exit, message: impl Display) -> Failure {
        Failure { exit, message: message.to_string() }
    }
}
