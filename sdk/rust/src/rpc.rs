//! Messages to agents and to other plugins, sent after the commit, and calls of
//! agents, made while work is delivered.

use crate::bindings::hadron::host::rpc as host;
use crate::{Result, convert};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

pub use host::{CallError, RemoteError};

/// To one consumer of a topic.
pub fn cast(topic: &str, method: &str, arguments: &impl Serialize) -> Result<()> {
    host::cast(topic, method, &convert::print(arguments)?);
    Ok(())
}

/// To every consumer of a topic.
pub fn fanout(topic: &str, method: &str, arguments: &impl Serialize) -> Result<()> {
    host::fanout(topic, method, &convert::print(arguments)?);
    Ok(())
}

/// Receivers of a topic, of version 1.0 and in no namespace where nothing else is
/// said.
///
/// ```ignore
/// rpc::to("gadget-agents.host1").version("1.3").cast("paint", &json!({"colour": "red"}))?;
/// ```
#[derive(Clone, Debug)]
pub struct To {
    topic: String,
    dialect: host::Dialect,
}

/// Receivers of a topic, or of a topic at a host: `TOPIC.HOST`.
pub fn to(topic: &str) -> To {
    To { topic: topic.to_owned(), dialect: host::Dialect { version: "1.0".to_owned(), namespace: None } }
}

impl To {
    /// Those that understand this version, as `1.4`.
    pub fn version(mut self, version: &str) -> To {
        version.clone_into(&mut self.dialect.version);
        self
    }

    /// Those in this namespace.
    pub fn namespace(mut self, namespace: &str) -> To {
        self.dialect.namespace = Some(namespace.to_owned());
        self
    }

    /// To one of them, after the commit.
    pub fn cast(&self, method: &str, arguments: &impl Serialize) -> Result<()> {
        host::cast_in(&self.topic, &self.dialect, method, &convert::print(arguments)?);
        Ok(())
    }

    /// To all of them, after the commit.
    pub fn fanout(&self, method: &str, arguments: &impl Serialize) -> Result<()> {
        host::fanout_in(&self.topic, &self.dialect, method, &convert::print(arguments)?);
        Ok(())
    }

    /// Asks one of them and waits for the answer so many milliseconds, 0 for the
    /// host's default. Only in `deliver`: in a unit of work it is denied.
    pub fn call(
        &self,
        method: &str,
        arguments: &impl Serialize,
        timeout_ms: u32,
    ) -> std::result::Result<Value, CallError> {
        let invalid = |error: &dyn fmt::Display| CallError::Invalid(error.to_string());
        let arguments = serde_json::to_string(arguments).map_err(|error| invalid(&error))?;
        let answer = host::call(&self.topic, &self.dialect, method, &arguments, timeout_ms)?;
        serde_json::from_str(&answer).map_err(|error| invalid(&error))
    }
}

/// A notification for other services, e.g. `port.create.end`.
pub fn notify(event_type: &str, payload: &impl Serialize) -> Result<()> {
    host::notify(event_type, &convert::print(payload)?);
    Ok(())
}
