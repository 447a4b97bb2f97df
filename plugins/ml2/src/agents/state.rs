//! What an agent says about itself, and what follows from it.

use crate::document::{differing, flag};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Error, Result};
use serde::Deserialize;

/// Serves addresses. In Neutron: `AGENT_TYPE_DHCP`.
pub(crate) const DHCP: &str = "DHCP agent";

/// Routes. In Neutron: `AGENT_TYPE_L3`.
pub(crate) const L3: &str = "L3 agent";

/// Counts. In Neutron: `AGENT_TYPE_METERING`.
pub(super) const METERING: &str = "Metering agent";

/// In Neutron: `AGENT_TYPE_OVS`.
pub(super) const OPEN_VSWITCH: &str = "Open vSwitch agent";

/// Agents that ports are bound with.
const WIRING: [&str; 4] = [OPEN_VSWITCH, "Linux bridge agent", "Macvtap agent", "NIC Switch agent"];

/// Before every id.
const FIRST: &str = "0";

/// Whether such an agent plugs ports in, so that those that could not be bound
/// may be with it. In Neutron: `_rebind_on_revive_agent_types`.
pub(crate) fn wires(agent_type: &str) -> bool {
    WIRING.contains(&agent_type)
}

/// How far the rows that waited for such an agent were looked through when it
/// comes alive; null where none do.
pub(super) fn begin(agent_type: &str) -> Value {
    if wires(agent_type) || agent_type == DHCP { json!(FIRST) } else { Value::Null }
}

/// One report.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct State {
    pub(super) agent_type: String,
    pub(super) host: String,
    pub(super) binary: String,
    pub(super) topic: String,
    #[serde(default)]
    pub(super) availability_zone: Option<String>,
    #[serde(default)]
    configurations: Document,
    #[serde(default)]
    resource_versions: Option<Value>,
    #[serde(default)]
    start_flag: Option<bool>,
}

/// What the reporting agent is told about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Never heard of.
    New,
    /// As ever.
    Alive,
    /// It was thought dead: it has to ask for everything again.
    Revived,
}

impl Status {
    /// In Neutron: `AGENT_NEW`, `AGENT_ALIVE`, `AGENT_REVIVED`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Status::New => "new",
            Status::Alive => "alive",
            Status::Revived => "revived",
        }
    }
}

impl State {
    /// The state in the arguments of `report_state`.
    pub(super) fn of(arguments: &Value) -> Result<State> {
        let given = arguments.pointer("/agent_state/agent_state").unwrap_or(&Value::Null);
        State::deserialize(given).map_err(|error| {
            Error::invalid("InvalidInput", format!("The agent's state cannot be read: {error}."))
        })
    }

    /// The row of an agent that nobody heard of.
    pub(super) fn new_row(&self, id: &str, enabled: bool, now: &str) -> Document {
        let mut row = Document::new();
        for (name, value) in [
            ("id", json!(id)),
            ("agent_type", json!(self.agent_type)),
            ("binary", json!(self.binary)),
            ("topic", json!(self.topic)),
            ("host", json!(self.host)),
            ("admin_state_up", json!(enabled)),
            ("started_at", json!(now)),
            ("description", Value::Null),
            ("resources_synced", Value::Null),
            ("availability_zone", json!(self.availability_zone)),
            ("alive", json!(true)),
            ("configurations", json!(self.configurations)),
            ("resource_versions", self.resource_versions.clone().unwrap_or_else(|| json!({}))),
            ("heartbeat", json!(id)),
            ("looked_up_to", begin(&self.agent_type)),
        ] {
            row.insert(name.to_owned(), value);
        }
        row
    }

    /// What a report changes of an agent's row, beside the heartbeat: nothing,
    /// mostly.
    pub(super) fn changes(&self, row: &Document, now: &str) -> (Status, Document) {
        let status = if flag(row, "alive") { Status::Alive } else { Status::Revived };
        let mut said = Document::new();
        for (name, value) in [
            ("binary", json!(self.binary)),
            ("topic", json!(self.topic)),
            ("configurations", json!(self.configurations)),
            ("alive", json!(true)),
        ] {
            said.insert(name.to_owned(), value);
        }
        if self.availability_zone.is_some() {
            said.insert("availability_zone".to_owned(), json!(self.availability_zone));
        }
        let versions = self.resource_versions.iter().find(|versions| **versions != json!({}));
        if let Some(versions) = versions.filter(|versions| !versions.is_null()) {
            said.insert("resource_versions".to_owned(), versions.clone());
        }
        if self.start_flag == Some(true) {
            said.insert("started_at".to_owned(), json!(now));
        }
        if status == Status::Revived {
            said.insert("looked_up_to".to_owned(), begin(&self.agent_type));
        }
        (status, differing(row, said))
    }
}

/// Whether a report was under way so long that it shows no life any more;
/// `sent` is the agent's time, `2026-01-31T12:00:00.123456`.
pub(super) fn is_stale(sent: &str, oldest: &str) -> bool {
    let sent = sent.get(..oldest.len()).unwrap_or_default().replace('T', " ");
    !sent.is_empty() && sent.as_str() < oldest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(more: Value) -> State {
        let mut state = json!({"agent_type": DHCP, "host": "h", "binary": "b", "topic": "dhcp_agent",
            "configurations": {"networks": 1}, "availability_zone": "nova"});
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        State::of(&json!({"agent_state": {"agent_state": state}})).unwrap()
    }

    #[test]
    fn a_heartbeat_that_says_nothing_new_changes_nothing() {
        let row = report(json!({"resource_versions": {"Port": "1.9"}})).new_row("A", true, "then");
        let (status, changes) = report(json!({})).changes(&row, "now");
        assert_eq!((status, changes), (Status::Alive, Document::new()));
        assert_eq!(status.word(), "alive");
        // Versions are told once, and kept.
        let (_, changes) = report(json!({"resource_versions": {}})).changes(&row, "now");
        assert!(changes.is_empty());
        let (_, changes) = report(json!({"start_flag": true})).changes(&row, "now");
        assert_eq!(Value::Object(changes), json!({"started_at": "now"}));
        let (_, changes) = report(json!({"configurations": {"networks": 2}})).changes(&row, "now");
        assert_eq!(Value::Object(changes), json!({"configurations": {"networks": 2}}));
    }

    #[test]
    fn a_dead_agent_that_reports_is_revived_and_what_waited_for_it_is_looked_at() {
        let mut row = report(json!({})).new_row("A", true, "then");
        row.insert("alive".into(), json!(false));
        row.insert("looked_up_to".into(), Value::Null);
        let (status, changes) = report(json!({})).changes(&row, "now");
        assert_eq!(status, Status::Revived);
        assert_eq!(Value::Object(changes), json!({"alive": true, "looked_up_to": FIRST}));
    }

    #[test]
    fn a_state_without_type_or_host_is_refused() {
        for wrong in [json!({}), json!({"agent_state": {"agent_state": {"host": "h"}}})] {
            assert!(State::of(&wrong).unwrap_err().fault().message.starts_with("The agent's state"));
        }
    }

    #[test]
    fn reports_that_were_long_under_way_show_no_life() {
        let oldest = "2026-11-23 11:36:42";
        assert!(is_stale("2026-11-23T11:36:41.999999", oldest));
        assert!(!is_stale("2026-11-23T11:36:42.000000", oldest));
        assert!(!is_stale("", oldest));
    }
}
