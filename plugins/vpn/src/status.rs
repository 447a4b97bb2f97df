//! How services and connections are, as agents say. In Neutron:
//! `update_status_by_agent`.

use hadron_sdk::Result;
use hadron_sdk::serde_json::Value;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Until an agent has heard of it.
pub(crate) const PENDING_CREATE: &str = "PENDING_CREATE";

/// Ways in which something waits for an agent. In Neutron: `in_pending_status`.
const PENDING: [&str; 3] = [PENDING_CREATE, "PENDING_UPDATE", "PENDING_DELETE"];

/// Whether it waits for an agent.
pub(crate) fn is_pending(status: &str) -> bool {
    PENDING.contains(&status)
}

/// What an agent says of one thing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Said {
    status: Option<String>,
    /// It says so of the change that is waited for.
    #[serde(default)]
    updated_pending_status: bool,
}

impl Said {
    /// How the thing is then, if not as before: what waits is waited for until an
    /// agent says something of that.
    pub(crate) fn becomes(&self, current: &str) -> Option<&str> {
        let status = self.status.as_deref()?;
        let counts = self.updated_pending_status || !is_pending(current);
        Some(status).filter(|status| counts && *status != current)
    }
}

/// What an agent says of a service and its connections.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) said: Said,
    #[serde(default)]
    pub(crate) ipsec_site_connections: BTreeMap<String, Said>,
}

/// What an agent's message says.
pub(crate) fn read(status: &Value) -> Result<Vec<Report>> {
    Ok(Option::deserialize(status)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    fn becomes(current: &str, status: &str, updated: bool) -> Option<String> {
        let said: Said =
            hadron_sdk::serde_json::from_value(json!({"status": status, "updated_pending_status": updated}))
                .unwrap();
        said.becomes(current).map(str::to_owned)
    }

    #[test]
    fn what_waits_is_waited_for_until_an_agent_says_something_of_that() {
        assert_eq!(becomes("PENDING_CREATE", "DOWN", false), None);
        assert_eq!(becomes("PENDING_CREATE", "DOWN", true).as_deref(), Some("DOWN"));
        assert_eq!(becomes("DOWN", "ACTIVE", false).as_deref(), Some("ACTIVE"));
        assert_eq!(becomes("ACTIVE", "ACTIVE", true), None);
    }

    #[test]
    fn reports_are_read_as_agents_send_them() {
        let connection = json!({"status": "ACTIVE", "updated_pending_status": true});
        let sent = json!([
            {"id": "s", "status": "ACTIVE", "updated_pending_status": true, "ipsec_site_connections": {"c": connection}},
            {"id": "t", "status": null, "updated_pending_status": false, "ipsec_site_connections": {}},
        ]);
        let read = read(&sent).unwrap();
        assert_eq!(read[0].said.becomes(PENDING_CREATE), Some("ACTIVE"));
        assert_eq!(read[0].ipsec_site_connections["c"].becomes("DOWN"), Some("ACTIVE"));
        assert_eq!(read[1].said.becomes("DOWN"), None);
        assert!(super::read(&json!(null)).unwrap().is_empty());
        assert!(super::read(&json!("x")).is_err());
    }
}
