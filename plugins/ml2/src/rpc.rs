//! What agents ask and tell, by topic and method. In Neutron: the endpoints of
//! `q-plugin` and `q-reports-plugin`.

use crate::{agents, devices, dhcp, dvr, networks, objects, security_groups, tunnels};
use hadron_sdk::manifest::Topic;
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::Query;
use hadron_sdk::{Error, Result};

/// State reports. In Neutron: `topics.REPORTS`.
const REPORTS: &str = "q-reports-plugin";

/// Everything else. In Neutron: `topics.PLUGIN`.
const PLUGIN: &str = "q-plugin";

/// The topics that are listened to.
pub(crate) fn topics() -> Vec<Topic> {
    let reading = [networks::METHODS.as_slice(), &devices::READS, &dvr::READS, &security_groups::METHODS];
    let plugin = reading.into_iter().fold(objects::topic(), Topic::reads);
    vec![Topic::new(REPORTS), Topic::new(objects::RELAY), plugin]
}

/// Answers one of some methods.
type Receive = fn(&str, &Value) -> Result<Value>;

/// Who answers what on [`PLUGIN`].
const ANSWERED: [(&[&str], Receive); 6] = [
    (&networks::METHODS, networks::receive),
    (&devices::METHODS, devices::receive),
    (&dhcp::METHODS, dhcp::receive),
    (&dvr::METHODS, dvr::receive),
    (&security_groups::METHODS, security_groups::receive),
    (&tunnels::METHODS, tunnels::receive),
];

/// Answers a message. State reports are understood on both topics, as in
/// Neutron.
pub(crate) fn receive(topic: &str, method: &str, arguments: &Value) -> Result<Value> {
    if topic == objects::RELAY {
        return objects::relayed(arguments);
    }
    if objects::is_asking(topic, method) {
        return objects::receive(method, arguments);
    }
    let answered = ANSWERED.iter().filter(|_| topic == PLUGIN);
    let receive =
        answered.filter(|(methods, _)| methods.contains(&method)).map(|(_, receive)| *receive).next();
    receive.unwrap_or(agents::receive)(method, arguments)
}

/// In oslo.messaging: `NoSuchMethod`.
pub(crate) fn no_such_method(method: &str) -> Error {
    Error::no_such_method(PLUGIN, method)
}

/// A text among the arguments; empty where there is none.
pub(crate) fn word<'a>(arguments: &'a Value, name: &str) -> &'a str {
    arguments.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The rows that `filters` among the arguments ask for: of each attribute a list
/// of values, one of which must fit, or of members of a list's items the same.
pub(crate) fn filtered(arguments: &Value) -> Result<Query> {
    let mut query = Query::all();
    let filters = arguments.get("filters").and_then(Value::as_object);
    for (name, wanted) in filters.into_iter().flatten() {
        match wanted {
            Value::Null => {}
            Value::Object(members) => {
                for (member, wanted) in members {
                    query = query.any_of(&format!("{name}.{member}"), values(wanted));
                }
            }
            wanted => query = query.any_of(name, values(wanted)),
        }
    }
    Ok(query)
}

fn values(wanted: &Value) -> Vec<Value> {
    wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    #[test]
    fn filters_are_read_as_neutron_writes_them() {
        let asked = json!({"filters": {"network_id": ["a", "b"], "name": "x", "status": null,
            "fixed_ips": {"ip_address": ["10.0.0.2"]}}});
        let query = filtered(&asked).unwrap();
        let read: Vec<_> = query.conditions.iter().map(|c| (c.attribute.as_str(), c.values.len())).collect();
        let mut read = read;
        read.sort_unstable();
        assert_eq!(read, [("fixed_ips.ip_address", 1), ("name", 1), ("network_id", 2)]);
        assert!(filtered(&json!({})).unwrap().conditions.is_empty());
    }
}
