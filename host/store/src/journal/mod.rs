//! The journal: what must leave the process after a commit.
//!
//! Entries are written in the transaction they belong to, already claimed by
//! this server with a lease, so that a crash at any instant loses none and
//! sends none for a transaction that was rolled back.

use std::collections::HashSet;
use std::sync::Arc;

/// An entry to be written with a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEntry {
    /// UUID, made by the caller.
    pub id: String,
    /// Who delivers it: a plugin's name, or `rpc` for messages.
    pub target: String,
    /// How: a driver's hook (`port-postcommit`), a kind of work, or
    /// `cast` / `fanout` / `notify`.
    pub kind: String,
    /// `create`, `update`, `delete`, or empty.
    pub operation: String,
    /// The row it is about.
    pub collection: String,
    /// The row's id.
    pub resource: String,
    /// The row's revision after the change.
    pub revision: i64,
    /// Ids of rows that `resource` refers to: entries of the same target about
    /// them (deletions aside) go first, and this one goes before a deletion of
    /// any of them.
    pub after: Vec<String>,
    /// The call as it was made: JSON.
    pub payload: Arc<str>,
}

/// What a commit knows about the order of its unit's journal entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstAttempts {
    /// Nothing goes before any of them: they may be attempted in the order in
    /// which they were given.
    Now,
    /// `Journal::ready` tells which may be attempted.
    #[default]
    Ask,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What was written.
    pub new: NewEntry,
    /// The unit of work that wrote it.
    pub unit: String,
    /// Where it stands.
    pub state: EntryState,
    /// Attempts so far.
    pub attempts: u32,
    /// What the last attempt said, when it failed.
    pub error: Option<String>,
    /// RFC 3339 UTC.
    pub created_at: String,
    /// RFC 3339 UTC: not before.
    pub due_at: String,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// Waits for its turn, or is being delivered.
    Pending,
    /// Failed at least once; tried again when due.
    Failing,
    /// Refused for good; waits for the operator (`hadron journal retry|drop`).
    Refused,
}

/// Entries of one target that stand alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Backlog {
    /// A plugin's name, or `rpc`.
    pub target: String,
    /// Where they stand.
    pub state: EntryState,
    /// How many.
    pub entries: u64,
    /// How long the oldest has been there.
    pub oldest: std::time::Duration,
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Of this target.
    pub target: Option<String>,
    /// About this row.
    pub resource: Option<String>,
    /// Most entries; 0 for all.
    pub limit: u32,
}

/// Whether the order of a unit's entries depends on each other: two are about
/// one row, or one comes after the row of another.
pub(crate) fn interdependent(entries: &[NewEntry]) -> bool {
    let rows: HashSet<(&str, &str)> =
        entries.iter().map(|e| (e.target.as_str(), e.resource.as_str())).collect();
    rows.len() < entries.len()
        || entries.iter().any(|e| {
            e.after.iter().any(|row| *row != e.resource && rows.contains(&(e.target.as_str(), row.as_str())))
        })
}

mod desk;

pub use desk::Journal;
pub(crate) use desk::{Desk, complete_in_steps};
