//! Binding ports: which driver plugs a port in on its host, into which segment.
//! In Neutron: `MechanismManager.bind_port`, `_process_port_binding`.

mod state;

pub(crate) use state::{
    Binding, FAILED, Level, apply, check_update, has_failed, has_host, is_due, is_unplugged, start,
};

use crate::agents;
use crate::document::text;
use crate::mechanisms::{Changed, Mechanisms, port_context};
use crate::networks::Networks;
use crate::segments::{self, SegmentRow};
use hadron_sdk::serde_json;
use hadron_sdk::{
    Agent, BindingAnswer, BindingRequest, Bound, Document, Error, Network, PortContext, Result, Segment,
    drivers, log,
};
use std::collections::BTreeSet;

/// Drivers that build on each other's segments. In Neutron:
/// `MAX_BINDING_LEVELS`.
const MAX_LEVELS: usize = 10;

/// What a binding consists of: attributes that `bind` sets.
pub(crate) const RESULT: [&str; 6] = [
    "binding:vif_type",
    "binding:vif_details",
    "binding_levels",
    "binding_pending",
    "binding_offered",
    "status",
];

/// What became of one port.
enum Outcome {
    Bound(Vec<Level>, Bound),
    /// Below these levels, with one of these segments, the driver binds it later.
    Pending(Vec<Level>, String, Vec<Segment>),
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
    let mut round = Round { names: &names, claimed: BTreeSet::new() };
    for name in &names {
        if open.is_empty() {
            break;
        }
        let (places, requests): (Vec<usize>, Vec<BindingRequest>) = open.into_iter().unzip();
        let answers = ask(name, &requests);
        open = Vec::new();
        for ((place, request), answer) in places.into_iter().zip(requests).zip(answers) {
            match round.settle(name, &request, answer, &[]) {
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
    round.release(ports)
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

/// Drivers are asked about some ports.
struct Round<'a> {
    names: &'a [&'a str],
    /// Dynamic segments that drivers asked for.
    claimed: BTreeSet<String>,
}

impl Round<'_> {
    /// What an answer means for a port that is bound by `levels` so far; none when
    /// the next driver is to be asked.
    fn settle(
        &mut self,
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
            BindingAnswer::Pending => {
                let offered = if levels.is_empty() { Vec::new() } else { request.segments.clone() };
                Some(Outcome::Pending(levels.to_vec(), driver.to_owned(), offered))
            }
            BindingAnswer::Bound(bound) if unreadable(&bound) => {
                log::warn(&format!("the driver {driver} bound a port with details that are no JSON object"));
                None
            }
            BindingAnswer::Bound(bound) => Some(Outcome::Bound(level(&bound.segment_id)?, bound)),
            BindingAnswer::ContinueWith(part) => {
                let levels = level(&part.segment_id)?;
                let segments = self.offered(driver, request, part.next_segments)?;
                self.next_level(request, levels, segments)
            }
        }
    }

    /// The segments of the next level; those without an id are dynamic ones of the
    /// network. None where one cannot be had: then another driver is asked.
    fn offered(
        &mut self,
        driver: &str,
        request: &BindingRequest,
        segments: Vec<Segment>,
    ) -> Option<Vec<Segment>> {
        let had = segments.into_iter().map(|segment| match segment.id.as_str() {
            "" => {
                let claimed = segments::claim(&request.port.network.id, &segment)?;
                self.claimed.insert(claimed.id.clone());
                Ok(claimed)
            }
            _ => Ok(segment),
        });
        match had.collect::<Result<Vec<Segment>>>() {
            Ok(segments) => Some(segments),
            Err(error) => {
                let message = &error.fault().message;
                log::warn(&format!("the driver {driver} asked for a segment that it cannot have: {message}"));
                None
            }
        }
    }

    /// Asks all drivers again, about the segments that the last level offers.
    fn next_level(
        &mut self,
        above: &BindingRequest,
        levels: Vec<Level>,
        segments: Vec<Segment>,
    ) -> Option<Outcome> {
        if levels.len() >= MAX_LEVELS {
            log::warn(&format!(
                "port {} needs more than {MAX_LEVELS} levels of binding",
                above.port.current.id
            ));
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
        for name in self.names {
            // A driver is not asked about a segment that it bound above: it would
            // offer the same again.
            let again = levels.iter().any(|level| {
                level.driver == *name && request.segments.iter().any(|s| s.id == level.segment.id)
            });
            if again {
                continue;
            }
            let answer = ask(name, std::slice::from_ref(&request)).pop().unwrap_or(BindingAnswer::Decline);
            if let Some(outcome) = self.settle(name, &request, answer, &levels) {
                return Some(outcome);
            }
        }
        None
    }

    /// Gives back what was asked for and is of no use to these ports in the end.
    fn release(mut self, ports: &[Document]) -> Result<()> {
        if self.claimed.is_empty() {
            return Ok(());
        }
        for port in ports {
            let binding = Binding::active(port)?;
            binding.segments().for_each(|id| self.claimed.retain(|claimed| claimed != id));
        }
        segments::release_unused(&self.claimed)
    }
}

fn unreadable(bound: &Bound) -> bool {
    !bound.vif_details.is_empty() && serde_json::from_str::<Document>(&bound.vif_details).is_err()
}

/// What came of asking, in the port.
fn record(port: &mut Document, outcome: Outcome) -> Result<()> {
    let mut binding = Binding::active(port)?.unbound();
    match outcome {
        Outcome::Failed => FAILED.clone_into(&mut binding.vif_type),
        Outcome::Pending(levels, driver, offered) => {
            binding.levels = levels;
            binding.pending = Some(driver);
            binding.offered = offered.into_iter().map(SegmentRow::from).collect();
        }
        Outcome::Bound(levels, bound) => binding.bound(levels, &bound)?,
    }
    binding.show(port);
    Ok(())
}

/// What a driver's report changes about a port that waited for it; nothing when
/// the port waits no longer, or for another. In Neutron: the comparison in
/// `_commit_port_binding`.
pub(crate) fn finished(port: &Document, driver: &str, bound: &Bound, network: &Network) -> Result<Document> {
    if text(port, "binding_pending") != driver {
        return Ok(Document::new());
    }
    let mut binding = Binding::active(port)?;
    let offered = match binding.levels.is_empty() {
        true => network.segments.iter().cloned().map(SegmentRow::from).collect(),
        false => std::mem::take(&mut binding.offered),
    };
    let Some(segment) = offered.into_iter().find(|segment| segment.id == bound.segment_id) else {
        return Err(Error::internal(format!(
            "the driver {driver} bound a port with a segment that it was not offered: {}",
            bound.segment_id
        )));
    };
    let mut levels = std::mem::take(&mut binding.levels);
    levels.push(Level { driver: driver.to_owned(), segment });
    binding.bound(levels, bound)?;
    let mut changes = Document::new();
    binding.show(&mut changes);
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
    fn a_report_finishes_only_the_binding_that_waits_for_it() {
        let changes = finished(&waiting(), "mech-tor", &bound("s"), &network()).unwrap();
        assert_eq!(changes.get("binding_offered"), Some(&Value::Null));
        assert_eq!(text(&changes, "binding:vif_type"), "ovs");
        assert_eq!(text(&changes, "status"), "ACTIVE");
        assert_eq!(changes.get("binding_pending"), Some(&Value::Null));
        let details = json!({"port_filter": true, "bound_drivers": {"0": "tor"}});
        assert_eq!(changes.get("binding:vif_details"), Some(&details));
        assert!(finished(&waiting(), "mech-other", &bound("s"), &network()).unwrap().is_empty());
        assert!(finished(&waiting(), "mech-tor", &bound("gone"), &network()).is_err());
    }

    fn request_of(network: Network) -> BindingRequest {
        let mut port = object(json!({"id": "P", "network_id": "N"}));
        start(&Document::new(), &mut port).unwrap();
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
        let settle = |answer, levels: &[Level]| {
            Round { names: &[], claimed: BTreeSet::new() }.settle("mech-tor", &request, answer, levels)
        };
        assert!(settle(BindingAnswer::Decline, &[]).is_none());
        let Some(Outcome::Pending(levels, driver, offered)) = settle(BindingAnswer::Pending, &[]) else {
            panic!()
        };
        assert_eq!((levels.len(), driver.as_str(), offered.len()), (0, "mech-tor", 0));
        let Some(Outcome::Bound(levels, _)) = settle(BindingAnswer::Bound(bound("s")), &[]) else { panic!() };
        let Some(Outcome::Pending(above, _, offered)) = settle(BindingAnswer::Pending, &levels) else {
            panic!()
        };
        assert_eq!((above, offered), (levels, request.segments.clone()));
    }

    #[test]
    fn a_port_that_waits_below_the_first_level_is_finished_with_what_was_offered() {
        let mut port = object(json!({"id": "P", "binding:host_id": "h"}));
        let above = vec![Level { driver: "mech-fabric".into(), segment: segment("s").into() }];
        record(&mut port, Outcome::Pending(above, "mech-tor".into(), vec![segment("d")])).unwrap();
        assert!(!is_due(&port));
        assert_eq!(port.get("binding:vif_details"), Some(&json!({})), "nobody bound it yet");
        assert_eq!(Binding::active(&port).unwrap().segments().collect::<Vec<_>>(), ["s", "d"]);
        assert!(finished(&port, "mech-tor", &bound("s"), &network()).is_err());
        let changes = finished(&port, "mech-tor", &bound("d"), &network()).unwrap();
        let details = json!({"port_filter": true, "bound_drivers": {"0": "fabric", "1": "tor"}});
        assert_eq!(changes.get("binding:vif_details"), Some(&details));
        assert_eq!(changes.get("binding_offered"), Some(&Value::Null));
    }
}
