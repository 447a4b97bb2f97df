//! Messages to agents and to other plugins, sent after the commit.

use crate::bindings::hadron::host::rpc as host;
use crate::{Result, convert};
use serde::Serialize;

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

/// A notification for other services, e.g. `port.create.end`.
pub fn notify(event_type: &str, payload: &impl Serialize) -> Result<()> {
    host::notify(event_type, &convert::print(payload)?);
    Ok(())
}
