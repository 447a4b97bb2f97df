//! Refusals: what a REST client is told.

pub use crate::bindings::hadron::host::types::{Error, Fault};

/// What most functions of a plugin return.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

fn fault(kind: &str, message: impl Into<String>) -> Fault {
    Fault { kind: kind.to_owned(), message: message.into(), detail: String::new() }
}

/// Constructors, by HTTP status. `kind` is the exception's class name in
/// Neutron, which clients test for; `message` is for people.
impl Error {
    /// 400: the request makes no sense as it is.
    pub fn invalid(kind: &str, message: impl Into<String>) -> Error {
        Error::Invalid(fault(kind, message))
    }

    /// 403: the caller may not.
    pub fn forbidden(kind: &str, message: impl Into<String>) -> Error {
        Error::Forbidden(fault(kind, message))
    }

    /// 404: something the request names is not there.
    pub fn not_found(kind: &str, message: impl Into<String>) -> Error {
        Error::NotFound(fault(kind, message))
    }

    /// 409: it contradicts the present state.
    pub fn conflict(kind: &str, message: impl Into<String>) -> Error {
        Error::Conflict(fault(kind, message))
    }

    /// 503: not now.
    pub fn unavailable(kind: &str, message: impl Into<String>) -> Error {
        Error::Unavailable(fault(kind, message))
    }

    /// 500: the plugin is at fault.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::Internal(fault("HTTPInternalServerError", message))
    }

    /// Any other status.
    pub fn status(status: u16, kind: &str, message: impl Into<String>) -> Error {
        Error::Other((status, fault(kind, message)))
    }

    /// Neutron's `InvalidInput`: 400 with its usual beginning.
    pub fn invalid_input(reason: impl std::fmt::Display) -> Error {
        Error::invalid("InvalidInput", format!("Invalid input for operation: {reason}."))
    }

    /// Who called a method of a topic is told that there is none; the next
    /// plugin that declares the topic is asked, if there is one.
    pub fn no_such_method(topic: &str, method: &str) -> Error {
        Error::not_found("NoSuchMethod", format!("nobody on '{topic}' has a method '{method}'"))
    }

    /// What the client is told.
    pub fn fault(&self) -> &Fault {
        match self {
            Error::Invalid(fault)
            | Error::Forbidden(fault)
            | Error::NotFound(fault)
            | Error::Conflict(fault)
            | Error::Unavailable(fault)
            | Error::Internal(fault)
            | Error::Other((_, fault)) => fault,
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Error {
        Error::internal(format!("a JSON value does not have the expected shape: {error}"))
    }
}
