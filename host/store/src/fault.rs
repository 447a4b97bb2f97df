//! What an error of a database means, before anyone knows which statement of
//! which collection it was.

use crate::StoreError;
use sqlx::error::ErrorKind;

/// Sorts of errors.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// A unique key, as the database names it: a constraint's name
    /// (PostgreSQL), or the columns (SQLite).
    #[error("the key '{0}' is taken")]
    Unique(String),
    /// A foreign key: the constraint's name, which SQLite does not tell.
    #[error("a reference does not hold")]
    Reference(Option<String>, Option<String>),
    /// Running the transaction again may help.
    #[error("{0}")]
    Again(String),
    /// The connection is gone, or cannot be made.
    #[error("{0}")]
    Lost(String),
    /// An earlier statement of the transaction failed.
    #[error("an earlier statement of the transaction failed")]
    Doomed,
    /// The store's own refusal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Fault {
        of(error)
    }
}

/// SQLite's primary result codes.
const SQLITE_BUSY: i64 = 5;
const SQLITE_LOCKED: i64 = 6;

pub(crate) fn of(error: sqlx::Error) -> Fault {
    let database = match error {
        sqlx::Error::Database(database) => database,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => return Fault::Lost(error.to_string()),
        other => return Fault::Other(other.to_string()),
    };
    let message = database.message().to_owned();
    let constraint = database.constraint().map(str::to_owned);
    match database.kind() {
        ErrorKind::UniqueViolation => {
            let columns = message.strip_prefix("UNIQUE constraint failed: ").unwrap_or(&message);
            return Fault::Unique(constraint.unwrap_or_else(|| columns.to_owned()));
        }
        ErrorKind::ForeignKeyViolation => {
            return Fault::Reference(constraint, database.table().map(str::to_owned));
        }
        _ => {}
    }
    if message.contains("FOREIGN KEY constraint failed") {
        return Fault::Reference(None, None);
    }
    let code = database.code().unwrap_or_default().into_owned();
    match code.as_str() {
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => return Fault::Again(message),
        "25P02" => return Fault::Doomed,
        // The server stops, starts, has no room, or ended our session.
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" => return Fault::Lost(message),
        // A character that text cannot hold.
        "22021" | "22P05" => return Fault::Store(StoreError::Invalid(message)),
        _ => {}
    }
    // Connection exceptions.
    if code.starts_with("08") {
        return Fault::Lost(message);
    }
    match code.parse::<i64>().map(|code| code & 0xff) {
        Ok(SQLITE_BUSY | SQLITE_LOCKED) if code.len() <= 4 => Fault::Again(message),
        _ => Fault::Other(message),
    }
}

impl Fault {
    /// Outside a unit: nothing is run again, and nothing was begun.
    pub(crate) fn outside(self) -> StoreError {
        match self {
            Fault::Store(error) => error,
            Fault::Lost(why) | Fault::Again(why) => StoreError::Unavailable(why),
            Fault::Unique(key) => StoreError::Duplicate(key),
            other => StoreError::Database(other.to_string()),
        }
    }

    /// Inside a unit, where a lost connection is as good as a rollback.
    pub(crate) fn inside(self) -> StoreError {
        match self {
            Fault::Store(error) => error,
            Fault::Lost(why) | Fault::Again(why) => StoreError::Retry(why),
            Fault::Doomed => StoreError::Doomed,
            Fault::Unique(key) => StoreError::Duplicate(key),
            other => StoreError::Database(other.to_string()),
        }
    }
}
