//! Why a statement, a commit or a change of schema failed.

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The unit lost against another one (serialization failure, deadlock,
    /// stale revision, connection lost before COMMIT): running the whole unit
    /// again may succeed. Never shown to a caller.
    #[error("the unit of work has to be run again: {0}")]
    Retry(String),
    /// A row that was to be changed is not there.
    #[error("no such row")]
    NotFound,
    /// A unique key is taken: the key's name in the manifest, or the list
    /// attribute's name.
    #[error("the key '{0}' is taken")]
    Duplicate(String),
    /// A reference attribute names a row that does not exist.
    #[error("'{0}' names a row that does not exist")]
    MissingReference(String),
    /// Rows of this collection refer to the row.
    #[error("rows of '{0}' refer to it")]
    InUse(String),
    /// A row refers to the row, and its reference says what is answered then: the
    /// error's class, and the sentence.
    #[error("{message}")]
    Refused {
        /// The class.
        error: String,
        /// The sentence.
        message: String,
    },
    /// A project has as many rows as it may have: the quota's name.
    #[error("the quota of '{0}' is exceeded")]
    OverQuota(String),
    /// A document or query does not fit the manifest.
    #[error("{0}")]
    Invalid(String),
    /// The unit already failed; it can only be rolled back.
    #[error("the unit of work failed earlier and can only be rolled back")]
    Doomed,
    /// The database cannot be reached, or not in time.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// Anything else the database says.
    #[error("the database refused a statement: {0}")]
    Database(String),
}

/// What a pool answers.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Nothing is free.
    #[error("the pool is exhausted")]
    Exhausted,
    /// That number is taken or not in the pool's ranges.
    #[error("the number is not free")]
    Taken,
    /// There is no such pool.
    #[error("there is no such pool")]
    Unknown,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}
