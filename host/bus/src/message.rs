//! What is said: messages, notifications, versions, errors.

use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// The class of the error that says that nobody knows the method.
pub const NO_SUCH_METHOD: &str = "NoSuchMethod";
/// The class of the error that says that nobody speaks the version.
pub const UNSUPPORTED_VERSION: &str = "UnsupportedVersion";
/// Where the peers define these two.
const DISPATCHER: &str = "oslo_messaging.rpc.dispatcher";
/// Where a plugin's errors are said to come from. No peer can load it, so each
/// tells its caller the class's name and the message.
const HERE: &str = "hadron";

/// How a message spreads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// To one consumer of the topic.
    Cast,
    /// To every consumer of the topic.
    Fanout,
}

impl Spread {
    /// In a metric's label.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Spread::Cast => "cast",
            Spread::Fanout => "fanout",
        }
    }
}

/// A version of what is spoken on a topic: a receiver of 1.4 understands 1.0 to
/// 1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Of the same major version only.
    pub major: u32,
    /// Grows with each addition.
    pub minor: u32,
}

impl Version {
    /// What is meant where none is said.
    pub const FIRST: Version = Version { major: 1, minor: 0 };

    /// Whether a receiver of this version understands a sender of that one.
    pub fn understands(self, sender: Version) -> bool {
        self.major == sender.major && self.minor >= sender.minor
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Version, String> {
        let number = |part: &str| part.parse::<u32>().map_err(|_| format!("'{text}' is no version"));
        match text.split_once('.') {
            Some((major, minor)) => Ok(Version { major: number(major)?, minor: number(minor)? }),
            None => Ok(Version { major: number(text)?, minor: 0 }),
        }
    }
}

/// A message under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Where to: a topic, or a topic at a host, `TOPIC.HOST`.
    pub topic: String,
    /// What is called.
    pub method: String,
    /// With what: a JSON object, by name.
    pub arguments: Value,
    /// What its receiver must at least speak.
    pub version: Version,
    /// Whose method it is, where a topic has several sets of them.
    pub namespace: Option<String>,
    /// Receivers drop what they have seen: a message that is sent again keeps
    /// it. 32 hexadecimal digits.
    pub id: String,
    /// The request that it comes from, `req-…`.
    pub request_id: Option<String>,
}

impl Message {
    /// A message of version 1.0 with an id of its own.
    pub fn new(topic: impl Into<String>, method: impl Into<String>, arguments: Value) -> Message {
        Message {
            topic: topic.into(),
            method: method.into(),
            arguments,
            version: Version::FIRST,
            namespace: None,
            id: unique(),
            request_id: None,
        }
    }
}

/// Something that happened, for other services.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// E.g. `thing.create.end`.
    pub event_type: String,
    /// About what.
    pub payload: Value,
    /// A notification that is sent again keeps it. 32 hexadecimal digits.
    pub id: String,
    /// The request that it comes from, `req-…`.
    pub request_id: Option<String>,
}

/// A new id for a message, a call or a queue.
pub(crate) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A message that is not out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// All consumers are slower than their queues are long.
    #[error("the consumers of topic '{0}' do not keep up")]
    Full(String),
    /// The broker cannot be reached, or takes nothing now.
    #[error("the message broker is away: {0}")]
    Away(String),
    /// Nobody ever waits where it goes to.
    #[error("there is no queue '{0}'")]
    Unroutable(String),
    /// It cannot be said on the wire, however often it is tried.
    #[error("the message cannot be sent: {0}")]
    Invalid(String),
}

/// What the other side says instead of an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{class}: {message}")]
pub struct RemoteError {
    /// The exception's class name.
    pub class: String,
    /// Where that class is defined.
    pub module: String,
    /// For people.
    pub message: String,
    /// What the exception is made of.
    pub args: Vec<Value>,
}

impl RemoteError {
    /// An error of that class.
    pub fn new(class: impl Into<String>, message: impl Into<String>) -> RemoteError {
        let message = message.into();
        RemoteError {
            class: class.into(),
            module: HERE.to_owned(),
            args: vec![message.as_str().into()],
            message,
        }
    }

    /// Nobody on the topic knows the method.
    pub fn no_such_method(topic: &str, method: &str) -> RemoteError {
        RemoteError {
            class: NO_SUCH_METHOD.to_owned(),
            module: DISPATCHER.to_owned(),
            message: format!("nobody on '{topic}' has a method '{method}'"),
            args: vec![method.into()],
        }
    }

    /// Nobody on the topic speaks the version, or in the namespace.
    pub fn unsupported_version(message: &Message) -> RemoteError {
        let Message { topic, method, version, namespace, .. } = message;
        let place = namespace.as_ref().map(|name| format!(" in the namespace '{name}'")).unwrap_or_default();
        RemoteError {
            class: UNSUPPORTED_VERSION.to_owned(),
            module: DISPATCHER.to_owned(),
            message: format!("nobody on '{topic}' speaks version {version}{place}: '{method}'"),
            args: vec![version.to_string().into(), method.as_str().into()],
        }
    }
}

/// A call without an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The other side answered with an error.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// It was not sent, or nobody listens.
    #[error(transparent)]
    NotSent(#[from] BusError),
    /// There was no answer in time.
    #[error("there was no answer in time")]
    TimedOut,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_understands_earlier_minor_versions_of_its_major_one() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("1.4").understands(version("1.0")));
        assert!(version("1.4").understands(version("1.4")));
        assert!(!version("1.4").understands(version("1.5")));
        assert!(!version("2.4").understands(version("1.0")));
        assert_eq!(version("3"), Version { major: 3, minor: 0 });
        for wrong in ["", ".", "1.", "1.x", "-1.0", "1.2.3", "99999999999.0"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
