//! Binding ports: which driver plugs a port in on its host, into which segment.
//! In Neutron: `MechanismManager.bind_port`, `_process_port_binding`.

use crate::agents;
use crate::document::{set, text, typed};
use crate::errors;
use crate::mechanisms::{Changed, Mechanisms, port_context};
use crate::networks::Networks;
use crate::segments::{self, SegmentRow};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::{
    Agent, BindingAnswer, BindingRequest, Bound, Document, Error, Network, PortContext, Result, Segment,
    drivers, log,
};
use serde::{Deserialize, Serialize};

/// Nobody has been asked, or nobody has to be.
const UNBOUND: &str = "unbound";

/// Everybody was asked and nobody binds it.
const FAILED: &str = "binding_failed";

/// Drivers that build on each other's segments. In Neutron:
/// `MAX_BINDING_LEVELS`.
const MAX_LEVELS: usize = 10;

/// Longest profile, as JSON text. In Neutron: `BINDING_PROFILE_LEN`.
const MAX_PROFILE: usize = 4095;

/// What a binding consists of: attributes that `bind` sets.
pub(crate) const RESULT: [&str; 5] =
    ["binding:vif_type", "binding:vif_details", "binding_levels", "binding_pending", "status"];

/// What a binding follows from: it is made anew when one of these changes.
const INPUT: [&str; 3] = ["binding:host_id", "binding:vnic_type", "binding:profile"];

/// A level of a binding, as it is kept with the port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Level {
    pub(crate) driver: String,
    pub(crate) segment: SegmentRow,
}

/// Whether a request names a host.
pub(crate) fn has_host(document: &Document) -> bool {
    !text(document, "binding:host_id").is_empty()
}

/// Whether a port with that kind of interface is plugged in nowhere.
pub(crate) fn is_unplugged(vif_type: &str) -> bool {
    [UNBOUND, FAILED].contains(&vif_type)
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

/// The binding attributes of a new port.
pub(crate) fn unbound(body: &Document, document: &mut Document) -> Result<()> {
    let vnic_type = set(body, "binding:vnic_type").cloned().unwrap_or_else(|| json!("normal"));
    document.insert("binding:vnic_type".to_owned(), vnic_type);
    document.insert("binding:profile".to_owned(), profile(body.get("binding:profile"))?);
    document.insert("binding:host_id".to_owned(), json!(text(body, "binding:host_id")));
    reset(document);
    Ok(())
}

fn profile(given: Option<&Value>) -> Result<Value> {
    let profile = given.filter(|value| !value.is_null()).cloned().unwrap_or_else(|| json!({}));
    if profile.to_string().len() > MAX_PROFILE {
        return Err(Error::invalid_input("binding:profile value too large"));
    }
    Ok(profile)
}

fn reset(document: &mut Document) {
    document.insert("binding:vif_type".to_owned(), json!(UNBOUND));
    document.insert("binding:vif_details".to_owned(), json!({}));
    document.insert("binding_levels".to_owned(), Value::Null);
    document.insert("binding_pending".to_owned(), Value::Null);
}

/// Refuses another kind of card for a port that is plugged in.
/// In Neutron: `_validate_port_update`.
pub(crate) fn check_update(current: &Document, changes: &Document) -> Result<()> {
    let other =
        set(changes, "binding:vnic_type").is_some_and(|v| current.get("binding:vnic_type") != Some(v));
    if other && text(current, "binding:vif_type") != UNBOUND {
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
    let differs = |name: &&str| changes.get(*name).is_some_and(|value| current.get(*name) != Some(value));
    if INPUT.iter().any(differs) {
        reset(changes);
        changes.insert("status".to_owned(), json!("DOWN"));
    }
    Ok(())
}

/// What became of one port.
enum Outcome {
    Bound(Vec<Level>, Bound),
    Pending(String),
    Failed,
}

/// Asks drivers about the ports that are due, in the operator's order, each
/// driver about all that are left at once. `originals` are the ports before an
/// update, or none.
pub(crate) fn bind(
    mechanisms: &Mechanisms,
    ports: &mut [Document],
    originals: &[&Document],
    networks: &Networks,
) -> Result<()> {
    let due: Vec<usize> =
        ports.iter().enumerate().filter(|(_, port)| is_due(port)).map(|(place, _)| place).collect();
    if due.is_empty() {
        return Ok(());
    }
    let names = mechanisms.with_hook("bind-port");
    let hosts: Vec<String> = due
        .iter()
        .filter_map(|place| ports.get(*place))
        .map(|p| text(p, "binding:host_id").to_owned())
        .collect();
    let agents = if names.is_empty() { Vec::new() } else { agents::of_hosts(&hosts)? };

    let mut open: Vec<(usize, BindingRequest)> = Vec::with_capacity(due.len());
    for place in due {
        let Some(port) = ports.get(place) else { continue };
        let original = originals.get(place).copied();
        let context = port_context(Changed { current: port, original }, networks)?;
        // A network without segments is not plugged in anywhere by drivers.
        if !context.network.segments.is_empty() {
            open.push((place, request(context, &agents)));
        }
    }
    let mut outcomes: Vec<(usize, Outcome)> = Vec::with_capacity(open.len());
    for name in &names {
        if open.is_empty() {
            break;
        }
        let (places, requests): (Vec<usize>, Vec<BindingRequest>) = open.into_iter().unzip();
        let answers = ask(name, &requests);
        open = Vec::new();
        for ((place, request), answer) in places.into_iter().zip(requests).zip(answers) {
            match settle(&names, name, &request, answer, &[]) {
                Some(outcome) => outcomes.push((place, outcome)),
                None => open.push((place, request)),
            }
        }
    }
    outcomes.extend(open.into_iter().map(|(place, _)| (place, Outcome::Failed)));
    for (place, outcome) in outcomes {
        if let Some(port) = ports.get_mut(place) {
            record(port, outcome)?;
        }
    }
    Ok(())
}

fn request(port: PortContext, agents: &[Agent]) -> BindingRequest {
    let host = port.current.binding.host.clone();
    BindingRequest {
        segments: port.network.segments.clone(),
        agents: agents.iter().filter(|agent| agent.host == host).cloned().collect(),
        port,
    }
}

/// A driver's answers, one for each request. A driver that fails is passed
/// over, as in Neutron: another may bind the port.
fn ask(driver: &str, requests: &[BindingRequest]) -> Vec<BindingAnswer> {
    let mut answers = drivers::bind_port(driver, requests).unwrap_or_else(|error| {
        let fault = error.fault();
        log::warn(&format!("the driver {driver} failed to bind ports: {}: {}", fault.kind, fault.message));
        Vec::new()
    });
    answers.resize_with(requests.len(), || BindingAnswer::Decline);
    answers
}

/// What an answer means for a port that is bound by `levels` so far; none when
/// the next driver is to be asked.
fn settle(
    names: &[&str],
    driver: &str,
    request: &BindingRequest,
    answer: BindingAnswer,
    levels: &[Level],
) -> Option<Outcome> {
    let level = |segment_id: &str| {
        let segment = request.segments.iter().find(|segment| segment.id == segment_id);
        if segment.is_none() {
            log::warn(&format!(
                "the driver {driver} bound a port with a segment it was not offered: {segment_id}"
            ));
        }
        let mut levels = levels.to_vec();
        levels.push(Level { driver: driver.to_owned(), segment: segment?.clone().into() });
        Some(levels)
    };
    match answer {
        BindingAnswer::Decline => None,
        BindingAnswer::Pending => Some(Outcome::Pending(driver.to_owned())),
        BindingAnswer::Bound(bound) if unreadable(&bound) => {
            log::warn(&format!("the driver {driver} bound a port with details that are no JSON object"));
            None
        }
        BindingAnswer::Bound(bound) => Some(Outcome::Bound(level(&bound.segment_id)?, bound)),
        BindingAnswer::ContinueWith(part) => {
            let levels = level(&part.segment_id)?;
            next_level(names, request, levels, offered(driver, request, part.next_segments)?)
        }
    }
}

/// The segments of the next level; those without an id are dynamic ones of the
/// network. None where one cannot be had: then another driver is asked.
fn offered(driver: &str, request: &BindingRequest, segments: Vec<Segment>) -> Option<Vec<Segment>> {
    let claimed = segments.into_iter().map(|segment| match segment.id.as_str() {
        "" => segments::claim(&request.port.network.id, &segment),
        _ => Ok(segment),
    });
    match claimed.collect::<Result<Vec<Segment>>>() {
        Ok(segments) => Some(segments),
        Err(error) => {
            let message = &error.fault().message;
            log::warn(&format!("the driver {driver} asked for a segment that it cannot have: {message}"));
            None
        }
    }
}

fn unreadable(bound: &Bound) -> bool {
    !bound.vif_details.is_empty() && serde_json::from_str::<Document>(&bound.vif_details).is_err()
}

/// Asks all drivers again, about the segments that the last level offers.
fn next_level(
    names: &[&str],
    above: &BindingRequest,
    levels: Vec<Level>,
    segments: Vec<Segment>,
) -> Option<Outcome> {
    if levels.len() >= MAX_LEVELS {
        log::warn(&format!("port {} needs more than {MAX_LEVELS} levels of binding", above.port.current.id));
        return None;
    }
    let mut request = BindingRequest { segments, ..above.clone() };
    request.port.levels = levels
        .iter()
        .map(|level| hadron_sdk::BindingLevel {
            driver: level.driver.clone(),
            segment: level.segment.record(),
        })
        .collect();
    for name in names {
        // A driver is not asked about a segment that it bound above: it would
        // offer the same again.
        let again = levels
            .iter()
            .any(|level| level.driver == *name && request.segments.iter().any(|s| s.id == level.segment.id));
        if again {
            continue;
        }
        let answer = ask(name, std::slice::from_ref(&request)).pop().unwrap_or(BindingAnswer::Decline);
        if let Some(outcome) = settle(names, name, &request, answer, &levels) {
            return Some(outcome);
        }
    }
    None
}

fn record(port: &mut Document, outcome: Outcome) -> Result<()> {
    reset(port);
    match outcome {
        Outcome::Failed => {
            port.insert("binding:vif_type".to_owned(), json!(FAILED));
        }
        Outcome::Pending(driver) => {
            port.insert("binding_pending".to_owned(), json!(driver));
        }
        Outcome::Bound(levels, bound) => {
            port.insert("binding:vif_type".to_owned(), json!(bound.vif_type));
            port.insert("binding:vif_details".to_owned(), details(&bound, &levels)?);
            port.insert("binding_levels".to_owned(), json!(levels));
            if !bound.status.is_empty() {
                port.insert("status".to_owned(), json!(bound.status));
            }
        }
    }
    Ok(())
}

/// The driver's details, and which drivers bound the port, by level.
fn details(bound: &Bound, levels: &[Level]) -> Result<Value> {
    let mut details: Document = match bound.vif_details.as_str() {
        "" => Document::new(),
        text => serde_json::from_str(text)?,
    };
    let names: Document = levels
        .iter()
        .enumerate()
        .map(|(level, one)| {
            let name = one.driver.strip_prefix("mech-").unwrap_or(&one.driver);
            (level.to_string(), json!(name))
        })
        .collect();
    details.insert("bound_drivers".to_owned(), Value::Object(names));
    Ok(Value::Object(details))
}

/// What a driver's report changes about a port that waited for it; nothing when
/// the port waits no longer, or for another. In Neutron: the comparison in
/// `_commit_port_binding`.
pub(crate) fn finished(port: &Document, driver: &str, bound: &Bound, network: &Network) -> Result<Document> {
    if text(port, "binding_pending") != driver {
        return Ok(Document::new());
    }
    let Some(segment) = network.segments.iter().find(|segment| segment.id == bound.segment_id) else {
        return Err(Error::internal(format!(
            "the driver {driver} bound a port with a segment that its network does not have: {}",
            bound.segment_id
        )));
    };
    let mut levels: Vec<Level> = typed(port, "binding_levels")?;
    levels.push(Level { driver: driver.to_owned(), segment: segment.clone().into() });
    let mut changes = Document::new();
    record(&mut changes, Outcome::Bound(levels, bound.clone()))?;
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Document {
        let Value::Object(object) = value else { unreachable!() };
        object
    }

    fn bound(segment: &str) -> Bound {
        Bound {
            segment_id: segment.into(),
            vif_type: "ovs".into(),
            vif_details: r#"{"port_filter":true}"#.into(),
            status: "ACTIVE".into(),
        }
    }

    fn segment(id: &str) -> Segment {
        Segment {
            id: id.into(),
            network_type: "vxlan".into(),
            physical_network: None,
            segmentation_id: Some(5),
        }
    }

    fn waiting() -> Document {
        object(json!({"binding:host_id": "h", "binding:vif_type": "unbound", "binding_pending": "mech-tor"}))
    }

    fn network() -> Network {
        Network {
            id: "N".into(),
            project_id: String::new(),
            name: String::new(),
            admin_state_up: true,
            status: "ACTIVE".into(),
            mtu: 1450,
            shared: false,
            segments: vec![segment("s")],
            more: Vec::new(),
        }
    }

    #[test]
    fn a_port_without_a_host_is_unbound() {
        let mut port = Document::new();
        unbound(&Document::new(), &mut port).unwrap();
        assert_eq!(text(&port, "binding:vif_type"), "unbound");
        assert_eq!(port.get("binding:profile"), Some(&json!({})));
        assert!(!is_due(&port));
        port.insert("binding:host_id".into(), json!("h"));
        assert!(is_due(&port));
        assert!(!is_due(&waiting()));
    }

    #[test]
    fn a_report_finishes_only_the_binding_that_waits_for_it() {
        let changes = finished(&waiting(), "mech-tor", &bound("s"), &network()).unwrap();
        assert_eq!(text(&changes, "binding:vif_type"), "ovs");
        assert_eq!(text(&changes, "status"), "ACTIVE");
        assert_eq!(changes.get("binding_pending"), Some(&Value::Null));
        let details = json!({"port_filter": true, "bound_drivers": {"0": "tor"}});
        assert_eq!(changes.get("binding:vif_details"), Some(&details));
        assert!(finished(&waiting(), "mech-other", &bound("s"), &network()).unwrap().is_empty());
        assert!(finished(&waiting(), "mech-tor", &bound("gone"), &network()).is_err());
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

    fn request_of(network: Network) -> BindingRequest {
        let mut port = object(json!({"id": "P", "network_id": "N"}));
        unbound(&Document::new(), &mut port).unwrap();
        BindingRequest {
            segments: network.segments.clone(),
            agents: Vec::new(),
            port: PortContext {
                current: crate::records::port(&port).unwrap(),
                original: None,
                network,
                levels: Vec::new(),
                original_levels: Vec::new(),
            },
        }
    }

    #[test]
    fn an_answer_settles_a_port_or_leaves_it_to_the_next() {
        let request = request_of(network());
        let settle = |answer| settle(&[], "mech-tor", &request, answer, &[]);
        assert!(settle(BindingAnswer::Decline).is_none());
        assert!(
            matches!(settle(BindingAnswer::Pending), Some(Outcome::Pending(driver)) if driver == "mech-tor")
        );
        let Some(Outcome::Bound(levels, _)) = settle(BindingAnswer::Bound(bound("s"))) else { panic!() };
        assert_eq!(levels.len(), 1);
    }
}
