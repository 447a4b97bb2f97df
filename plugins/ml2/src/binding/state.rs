//! What a binding is: where a port is plugged in, how, and what came of it. The
//! active one is what the port shows; others wait for their host to take over
//! (`bindings`).

use crate::document::{set, text, typed};
use crate::segments::SegmentRow;
use crate::{errors, owners};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Bound, Document, Error, Result, serde_json};
use serde::{Deserialize, Serialize};

/// Nobody has been asked, or nobody has to be.
pub(crate) const UNBOUND: &str = "unbound";

/// Everybody was asked and nobody binds it.
pub(crate) const FAILED: &str = "binding_failed";

/// On every host of a distributed router: bound to none.
pub(crate) const DISTRIBUTED: &str = "distributed";

/// The kind of card of a port that asks for none.
const NORMAL: &str = "normal";

/// Longest profile, as JSON text. In Neutron: `BINDING_PROFILE_LEN`.
const MAX_PROFILE: usize = 4095;

/// The detail by which a port, not a binding, names the drivers of its levels.
const BOUND_DRIVERS: &str = "bound_drivers";

/// What a binding follows from: it is made anew when one of these changes.
const INPUT: [&str; 3] = ["binding:host_id", "binding:vnic_type", "binding:profile"];

/// A level of a binding: the driver and the segment that it bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Level {
    pub(crate) driver: String,
    pub(crate) segment: SegmentRow,
}

/// A binding. In Neutron: `ml2_port_bindings` and `ml2_port_binding_levels`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Binding {
    /// Empty where there is none.
    pub(crate) host: String,
    pub(crate) vnic_type: String,
    /// From whoever plugs the port in.
    pub(crate) profile: Value,
    pub(crate) vif_type: String,
    /// For whoever plugs the port in.
    pub(crate) vif_details: Document,
    /// The top one first.
    pub(crate) levels: Vec<Level>,
    /// The driver that finishes it after the commit.
    pub(crate) pending: Option<String>,
    /// The segments of which that driver takes one, where it builds on levels.
    #[serde(default)]
    pub(crate) offered: Vec<SegmentRow>,
    /// The port's status once this binding is active, where its driver decides
    /// that.
    pub(crate) port_status: Option<String>,
}

impl Binding {
    /// A wish that nobody has been asked about.
    pub(crate) fn wished(host: &str, vnic_type: Option<&str>, given: Option<&Value>) -> Result<Binding> {
        Ok(Binding {
            host: host.to_owned(),
            vnic_type: vnic_type.unwrap_or(NORMAL).to_owned(),
            profile: profile(given)?,
            vif_type: UNBOUND.to_owned(),
            vif_details: Document::new(),
            levels: Vec::new(),
            pending: None,
            offered: Vec::new(),
            port_status: None,
        })
    }

    /// The active binding, as the port shows it.
    pub(crate) fn active(port: &Document) -> Result<Binding> {
        let mut vif_details: Document = typed(port, "binding:vif_details")?;
        vif_details.remove(BOUND_DRIVERS);
        Ok(Binding {
            host: text(port, "binding:host_id").to_owned(),
            vnic_type: text(port, "binding:vnic_type").to_owned(),
            profile: set(port, "binding:profile").cloned().unwrap_or_else(|| json!({})),
            vif_type: text(port, "binding:vif_type").to_owned(),
            vif_details,
            levels: typed(port, "binding_levels")?,
            pending: typed(port, "binding_pending")?,
            offered: typed(port, "binding_offered")?,
            port_status: None,
        })
    }

    /// The same wish, as before anybody was asked.
    pub(crate) fn unbound(&self) -> Binding {
        let nothing = Binding { vif_details: Document::new(), levels: Vec::new(), ..self.clone() };
        let vif_type = UNBOUND.to_owned();
        Binding { vif_type, pending: None, offered: Vec::new(), port_status: None, ..nothing }
    }

    /// Segments that it consists of, the top one first, and those that it may
    /// come to consist of.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        let levels = self.levels.iter().map(|level| &level.segment);
        levels.chain(&self.offered).map(|segment| segment.id.as_str())
    }

    /// As drivers of these levels bound it.
    pub(crate) fn bound(&mut self, levels: Vec<Level>, bound: &Bound) -> Result<()> {
        self.vif_details = match bound.vif_details.as_str() {
            "" => Document::new(),
            text => serde_json::from_str(text)?,
        };
        self.vif_type.clone_from(&bound.vif_type);
        self.levels = levels;
        self.pending = None;
        self.offered = Vec::new();
        self.port_status = Some(bound.status.clone()).filter(|status| !status.is_empty());
        Ok(())
    }

    /// Makes it what the port shows.
    pub(crate) fn show(self, port: &mut Document) {
        let mut details = self.vif_details;
        if !self.levels.is_empty() && self.pending.is_none() {
            details.insert(BOUND_DRIVERS.to_owned(), drivers(&self.levels));
        }
        let levels = if self.levels.is_empty() { Value::Null } else { json!(self.levels) };
        let offered = if self.offered.is_empty() { Value::Null } else { json!(self.offered) };
        for (name, value) in [
            ("binding:vnic_type", json!(self.vnic_type)),
            ("binding:profile", self.profile),
            ("binding:host_id", json!(self.host)),
            ("binding:vif_type", json!(self.vif_type)),
            ("binding:vif_details", Value::Object(details)),
            ("binding_levels", levels),
            ("binding_pending", json!(self.pending)),
            ("binding_offered", offered),
        ] {
            port.insert(name.to_owned(), value);
        }
        if let Some(status) = self.port_status {
            port.insert("status".to_owned(), json!(status));
        }
    }
}

/// Which drivers bound a port, by level.
fn drivers(levels: &[Level]) -> Value {
    let name = |driver: &str| json!(driver.strip_prefix("mech-").unwrap_or(driver));
    let names = levels.iter().enumerate().map(|(level, one)| (level.to_string(), name(&one.driver)));
    Value::Object(names.collect())
}

/// Null clears it, as in Neutron.
fn profile(given: Option<&Value>) -> Result<Value> {
    let profile = given.filter(|value| !value.is_null()).cloned().unwrap_or_else(|| json!({}));
    if profile.to_string().len() > MAX_PROFILE {
        return Err(Error::invalid_input("binding:profile value too large"));
    }
    Ok(profile)
}

/// Whether a request names a host.
pub(crate) fn has_host(document: &Document) -> bool {
    !text(document, "binding:host_id").is_empty()
}

/// Whether a port with that kind of interface is plugged in nowhere.
pub(crate) fn is_unplugged(vif_type: &str) -> bool {
    [UNBOUND, FAILED, DISTRIBUTED].contains(&vif_type)
}

/// Whether everybody was asked and nobody binds the port.
pub(crate) fn has_failed(port: &Document) -> bool {
    text(port, "binding:vif_type") == FAILED
}

/// Whether drivers have to be asked: it has a host, and nobody binds it or is
/// about to. In Neutron: `_should_bind_port`.
pub(crate) fn is_due(port: &Document) -> bool {
    has_host(port) && is_unplugged(text(port, "binding:vif_type")) && text(port, "binding_pending").is_empty()
}

/// Gives a new port its binding attributes. One that is on every host of a
/// distributed router is on none in particular.
pub(crate) fn start(body: &Document, document: &mut Document) -> Result<()> {
    let vnic_type = set(body, "binding:vnic_type").and_then(Value::as_str);
    let wished = Binding::wished(text(body, "binding:host_id"), vnic_type, body.get("binding:profile"))?;
    wished.show(document);
    if owners::is_distributed(text(document, "device_owner")) {
        distribute(document);
    }
    Ok(())
}

fn distribute(document: &mut Document) {
    document.insert("binding:host_id".to_owned(), json!(""));
    document.insert("binding:vif_type".to_owned(), json!(DISTRIBUTED));
}

/// Takes the results of a binding back.
fn reset(document: &mut Document) {
    document.insert("binding:vif_type".to_owned(), json!(UNBOUND));
    document.insert("binding:vif_details".to_owned(), json!({}));
    document.insert("binding_levels".to_owned(), Value::Null);
    document.insert("binding_pending".to_owned(), Value::Null);
    document.insert("binding_offered".to_owned(), Value::Null);
}

/// Refuses another kind of card for a port that is plugged in.
/// In Neutron: `_validate_port_update`.
pub(crate) fn check_update(current: &Document, changes: &Document) -> Result<()> {
    let other =
        set(changes, "binding:vnic_type").is_some_and(|v| current.get("binding:vnic_type") != Some(v));
    if other && ![UNBOUND, DISTRIBUTED].contains(&text(current, "binding:vif_type")) {
        return Err(errors::port_in_use(
            text(current, "id"),
            text(current, "network_id"),
            text(current, "device_id"),
        ));
    }
    Ok(())
}

/// Takes a binding back when what it follows from changes.
/// In Neutron: `_process_port_binding`.
pub(crate) fn apply(current: &Document, changes: &mut Document) -> Result<()> {
    if changes.contains_key("binding:host_id") {
        let host = text(changes, "binding:host_id").to_owned();
        changes.insert("binding:host_id".to_owned(), json!(host));
    }
    if changes.contains_key("binding:profile") {
        let profile = profile(changes.get("binding:profile"))?;
        changes.insert("binding:profile".to_owned(), profile);
    }
    let owner = |document: &Document| owners::is_distributed(text(document, "device_owner"));
    let was = owner(current);
    let is = if changes.contains_key("device_owner") { owner(changes) } else { was };
    let differs = |name: &&str| changes.get(*name).is_some_and(|value| current.get(*name) != Some(value));
    if was != is || (!is && INPUT.iter().any(differs)) {
        reset(changes);
        changes.insert("status".to_owned(), json!("DOWN"));
    }
    if is {
        distribute(changes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::merged;
    use proptest::prelude::*;

    fn object(value: Value) -> Document {
        let Value::Object(object) = value else { unreachable!() };
        object
    }

    fn level(driver: &str) -> Level {
        let segment =
            json!({"id": "s", "network_type": "vlan", "physical_network": "p", "segmentation_id": 5});
        Level { driver: driver.to_owned(), segment: serde_json::from_value(segment).unwrap() }
    }

    #[test]
    fn a_port_without_a_host_is_unbound() {
        let mut port = Document::new();
        start(&Document::new(), &mut port).unwrap();
        assert_eq!(text(&port, "binding:vif_type"), "unbound");
        assert_eq!(port.get("binding:profile"), Some(&json!({})));
        assert!(!is_due(&port));
        port.insert("binding:host_id".into(), json!("h"));
        assert!(is_due(&port));
        port.insert("binding_pending".into(), json!("mech-tor"));
        assert!(!is_due(&port));
    }

    #[test]
    fn a_distributed_port_has_no_host_until_it_is_somebody_elses() {
        let body = object(json!({
            "device_owner": "network:router_interface_distributed", "binding:host_id": "h",
        }));
        let mut port = body.clone();
        start(&body, &mut port).unwrap();
        assert_eq!((text(&port, "binding:vif_type"), text(&port, "binding:host_id")), ("distributed", ""));
        assert!(!is_due(&port));
        let mut moved = object(json!({"binding:host_id": "other"}));
        apply(&port, &mut moved).unwrap();
        assert!(!is_due(&merged(&port, &moved)));
        let mut freed = object(json!({"device_owner": "", "binding:host_id": "h"}));
        apply(&port, &mut freed).unwrap();
        assert!(is_due(&merged(&port, &freed)));
    }

    #[test]
    fn what_a_binding_follows_from_takes_it_back() {
        let current = object(json!({
            "binding:host_id": "h", "binding:vnic_type": "normal", "binding:profile": {}, "binding:vif_type": "ovs",
        }));
        let mut same = object(json!({"binding:host_id": "h", "name": "x"}));
        apply(&current, &mut same).unwrap();
        assert_eq!(same.get("binding:vif_type"), None);
        let mut moved = object(json!({"binding:host_id": null}));
        apply(&current, &mut moved).unwrap();
        assert_eq!(text(&moved, "binding:vif_type"), "unbound");
        assert_eq!(text(&moved, "status"), "DOWN");
        assert_eq!(moved.get("binding:host_id"), Some(&json!("")));
    }

    #[test]
    fn a_plugged_card_keeps_its_kind() {
        let current = object(json!({"id": "P", "network_id": "N", "device_id": "D",
            "binding:vnic_type": "normal", "binding:vif_type": "ovs"}));
        let changes = object(json!({"binding:vnic_type": "direct"}));
        assert_eq!(
            check_update(&current, &changes).unwrap_err().fault().message,
            "Unable to complete operation on port P for network N. Port already has an attached device D."
        );
    }

    #[test]
    fn a_profile_has_a_limit() {
        let long = json!({"x": "y".repeat(5000)});
        assert!(profile(Some(&long)).is_err());
        assert_eq!(profile(Some(&Value::Null)).unwrap(), json!({}));
    }

    #[test]
    fn a_port_names_the_drivers_of_its_levels_and_a_binding_does_not() {
        let bound = Bound {
            segment_id: "s".into(),
            vif_type: "ovs".into(),
            vif_details: r#"{"port_filter":true}"#.into(),
            status: "ACTIVE".into(),
        };
        let mut binding = Binding::wished("h", None, None).unwrap();
        binding.bound(vec![level("mech-tor"), level("acme")], &bound).unwrap();
        let mut port = Document::new();
        binding.clone().show(&mut port);
        let drivers = json!({"port_filter": true, "bound_drivers": {"0": "tor", "1": "acme"}});
        assert_eq!(port.get("binding:vif_details"), Some(&drivers));
        assert_eq!(text(&port, "status"), "ACTIVE");
        assert_eq!(Binding { port_status: None, ..binding }, Binding::active(&port).unwrap());
    }

    proptest! {
        #[test]
        fn what_a_port_shows_is_the_binding_that_was_shown(
            host in "[a-z]{0,3}", vif in "unbound|ovs|binding_failed", drivers in prop::collection::vec("[a-z]{1,4}", 0..4),
            pending in proptest::option::of("[a-z]{1,4}"),
        ) {
            let mut binding = Binding::wished(&host, Some("direct"), Some(&json!({"a": 1}))).unwrap();
            binding.vif_type = vif;
            binding.levels = drivers.iter().map(|driver| level(driver)).collect();
            binding.pending = pending;
            let mut port = Document::new();
            binding.clone().show(&mut port);
            prop_assert_eq!(Binding::active(&port).unwrap(), binding.clone());
            let again = binding.unbound();
            prop_assert!(again.levels.is_empty() && again.pending.is_none());
            prop_assert_eq!(again.unbound(), again);
        }
    }
}
