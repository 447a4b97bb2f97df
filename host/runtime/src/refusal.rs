//! Why a request was not done, free of HTTP.

/// A refusal as the client sees it; its context goes to the log.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Refusal {
    /// What sort it is; HTTP status follows from it, in one place of the API.
    pub status: Status,
    /// Neutron's exception class: `NetworkInUse`.
    pub kind: String,
    /// For the client.
    pub message: String,
}

/// Sorts of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 400.
    Invalid,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 412.
    Precondition,
    /// 503.
    Unavailable,
    /// 500.
    Internal,
    /// Any other.
    Other(u16),
}

impl Refusal {
    /// A refusal of that sort.
    pub fn new(status: Status, kind: impl Into<String>, message: impl Into<String>) -> Refusal {
        Refusal { status, kind: kind.into(), message: message.into() }
    }
}
