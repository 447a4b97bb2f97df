//! Which of Nova's events a change of a port is. In Neutron:
//! `record_port_status_changed`, `create_port_changed_event`.

use hadron_sdk::serde_json::{self, Value, json};
use serde::Deserialize;

/// Kinds of the journal's entries.
pub(crate) const CHANGED: &str = "changed";
/// The last one about a port.
pub(crate) const DELETED: &str = "deleted";

/// What drivers and agents change, and no client: of no interest by itself.
const WITHIN: [&str; 7] = [
    "status",
    "binding:vif_type",
    "binding:vif_details",
    "binding_levels",
    "binding_pending",
    "binding_offered",
    "provisioning",
];

/// By which an instance gets a port, or loses it.
const BELONGING: [&str; 2] = ["device_id", "device_owner"];

const PLUGGED: &str = "network-vif-plugged";

/// The status of a port that Nova was told nothing of.
const DOWN: &str = "DOWN";

/// What of a port matters here.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Port {
    pub(crate) id: String,
    #[serde(default)]
    device_id: String,
    #[serde(default)]
    device_owner: String,
    #[serde(default)]
    status: String,
}

/// What was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Created,
    /// These attributes were changed.
    Updated(Vec<String>),
    Deleted,
    /// It was plugged in at a host that it is not bound at, as one is that is
    /// about to move there.
    PluggedElsewhere,
}

/// What Nova is told, and the status that it knows then.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) events: Vec<Value>,
    pub(crate) status: String,
}

impl Port {
    /// Of a port's document.
    pub(crate) fn read(text: &str) -> serde_json::Result<Port> {
        serde_json::from_str(text)
    }

    /// Whether an instance has it. In Neutron: `_is_compute_port`.
    fn is_instances(&self) -> bool {
        is_uuid(&self.device_id) && self.device_owner.starts_with("compute:")
    }

    /// Whether there may be anything to tell, or to forget.
    pub(crate) fn concerns(&self, deed: &Deed) -> bool {
        match deed {
            Deed::Created => self.is_instances() && is_plugged(&self.status),
            Deed::Updated(names) => {
                self.is_instances() || names.iter().any(|name| BELONGING.contains(&name.as_str()))
            }
            Deed::Deleted | Deed::PluggedElsewhere => self.is_instances(),
        }
    }

    fn event(&self, name: &str, status: Option<&str>) -> Value {
        let mut event = json!({"name": name, "server_uuid": self.device_id, "tag": self.id});
        if let (Some(status), Some(members)) = (status, event.as_object_mut()) {
            members.insert("status".to_owned(), json!(status));
        }
        event
    }
}

/// Events of a change, where Nova knows the port by a status and wants to hear of
/// statuses, and of data.
pub(crate) fn of(port: &Port, deed: &Deed, known: Option<&str>, wanted: (bool, bool)) -> Told {
    let (statuses, data) = wanted;
    let mut events = Vec::new();
    if !port.is_instances() {
        // Whoever has it next starts anew.
        return Told { events, status: DOWN.to_owned() };
    }
    if *deed == Deed::Deleted {
        events.extend(data.then(|| port.event("network-vif-deleted", None)));
        return Told { events, status: DOWN.to_owned() };
    }
    if *deed == Deed::PluggedElsewhere {
        // How it is where it is bound stays as it was.
        events.extend(statuses.then(|| port.event(PLUGGED, Some("completed"))));
        return Told { events, status: known.unwrap_or(DOWN).to_owned() };
    }
    events.extend(
        change(known.unwrap_or(DOWN), &port.status)
            .filter(|_| statuses)
            .map(|(name, status)| port.event(name, Some(status))),
    );
    let asked = match deed {
        Deed::Updated(names) => names.iter().any(|name| !WITHIN.contains(&name.as_str())),
        Deed::Created | Deed::Deleted | Deed::PluggedElsewhere => false,
    };
    events.extend((data && asked).then(|| port.event("network-changed", None)));
    Told { events, status: port.status.clone() }
}

/// The event that a change of status is, and how Nova is to take it.
fn change(before: &str, now: &str) -> Option<(&'static str, &'static str)> {
    match (before, now) {
        ("ACTIVE", DOWN) => Some(("network-vif-unplugged", "completed")),
        (DOWN | "BUILD", "ACTIVE") => Some((PLUGGED, "completed")),
        (DOWN | "BUILD", "ERROR") => Some((PLUGGED, "failed")),
        _ => None,
    }
}

fn is_plugged(status: &str) -> bool {
    change(DOWN, status).is_some()
}

/// As Neutron reads device ids: with or without hyphens.
fn is_uuid(text: &str) -> bool {
    let digits = text.chars().filter(|c| *c != '-');
    digits.clone().count() == 32 && digits.clone().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "08e19d4f-0551-4874-bf7e-649ecef5cf86";

    fn port(owner: &str, status: &str) -> Port {
        Port { id: "P".into(), device_id: SERVER.into(), device_owner: owner.into(), status: status.into() }
    }

    fn names(port: &Port, deed: &Deed, known: Option<&str>) -> Vec<String> {
        let told = of(port, deed, known, (true, true));
        told.events.iter().map(|event| event["name"].as_str().unwrap().to_owned()).collect()
    }

    fn updated(name: &str) -> Deed {
        Deed::Updated(vec![name.to_owned()])
    }

    #[test]
    fn a_port_that_becomes_active_is_plugged_and_one_that_is_no_more_is_unplugged() {
        let of = |known, now| names(&port("compute:nova", now), &updated("status"), known);
        assert_eq!(of(None, "ACTIVE"), ["network-vif-plugged"]);
        assert_eq!(of(Some("DOWN"), "ACTIVE"), ["network-vif-plugged"]);
        assert_eq!(of(Some("BUILD"), "ERROR"), ["network-vif-plugged"]);
        assert_eq!(of(Some("ACTIVE"), "DOWN"), ["network-vif-unplugged"]);
        for (known, now) in
            [(None, "DOWN"), (Some("ACTIVE"), "ACTIVE"), (Some("ACTIVE"), "ERROR"), (None, "BUILD")]
        {
            assert_eq!(of(known, now), [] as [&str; 0], "{known:?} {now}");
        }
    }

    #[test]
    fn an_event_is_what_nova_expects() {
        let told = of(&port("compute:nova", "ERROR"), &Deed::Created, None, (true, true));
        let event =
            json!({"name": "network-vif-plugged", "server_uuid": SERVER, "tag": "P", "status": "failed"});
        assert_eq!(told, Told { events: vec![event], status: "ERROR".into() });
    }

    #[test]
    fn what_a_client_changes_is_told_and_what_drivers_change_is_not() {
        let port = port("compute:nova", "DOWN");
        assert_eq!(names(&port, &updated("name"), None), ["network-changed"]);
        assert_eq!(names(&port, &updated("binding:vif_type"), None), [] as [&str; 0]);
        assert_eq!(names(&port, &Deed::Deleted, Some("ACTIVE")), ["network-vif-deleted"]);
        assert!(of(&port, &updated("name"), None, (true, false)).events.is_empty());
    }

    #[test]
    fn a_port_that_is_plugged_in_where_it_is_not_bound_stays_as_it_was() {
        let port = port("compute:nova", "ACTIVE");
        for known in [None, Some("ACTIVE")] {
            let told = of(&port, &Deed::PluggedElsewhere, known, (true, true));
            assert_eq!((told.events.len(), told.status.as_str()), (1, known.unwrap_or("DOWN")));
            assert_eq!(
                (&told.events[0]["name"], &told.events[0]["status"]),
                (&json!(PLUGGED), &json!("completed"))
            );
        }
        assert!(of(&port, &Deed::PluggedElsewhere, None, (false, true)).events.is_empty());
    }

    #[test]
    fn only_ports_of_instances_concern_nova() {
        let router = port("network:router_interface", "ACTIVE");
        assert!(!router.concerns(&Deed::Created) && !router.concerns(&Deed::Deleted));
        assert!(!router.concerns(&updated("name")));
        assert!(router.concerns(&updated("device_owner")), "it may have been an instance's");
        assert_eq!(of(&router, &updated("device_owner"), Some("ACTIVE"), (true, true)).status, "DOWN");
        let odd = Port { device_id: "dhcp-1".into(), ..port("compute:nova", "ACTIVE") };
        assert!(!odd.concerns(&Deed::Created));
        assert!(!port("compute:nova", "DOWN").concerns(&Deed::Created), "nothing to tell, no statement");
    }
}
