//! What agents ask: which routers are counted under which labels. In Neutron:
//! `MeteringRpcCallbacks`.

use crate::routers::Router;
use crate::{labels, routers, rules, views};
use hadron_sdk::manifest::Topic;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Error, Result};

/// Where agents ask.
const TOPIC: &str = "q-metering-plugin";
/// The one thing they ask.
const SYNC: &str = "get_sync_data_metering";

/// Where agents ask.
pub(crate) fn topic() -> Topic {
    Topic::new(TOPIC).version("1.0").reads(&[SYNC])
}

/// Answers an agent: nothing where no plugin has routers, as in Neutron, else the
/// routers of its host and those that are of none.
pub(crate) fn receive(topic: &str, method: &str, arguments: &Value) -> Result<Value> {
    if method != SYNC {
        return Err(Error::no_such_method(topic, method));
    }
    let Some(mut routers) = routers::all()? else { return Ok(Value::Null) };
    if let Some(host) = arguments.get("host").and_then(Value::as_str) {
        let hosts = routers::hosts(&routers)?;
        let is_here = |router: &Router| hosts.get(router.id.as_str()).is_none_or(|of| of == host);
        routers = routers.iter().filter(|router| is_here(router)).cloned().collect();
    }
    let labels = labels::all()?;
    let rules = rules::of_labels(labels.iter().map(|label| label.id.as_str()))?;
    Ok(Value::Array(views::counted(&routers, &labels, &rules)?))
}
