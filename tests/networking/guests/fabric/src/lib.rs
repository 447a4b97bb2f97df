//! Binds ports in two levels: over the network's own segment to a switch, and
//! from there to the host in a VLAN of `physnet1`, a dynamic segment. Of a host's
//! second level it says so only after the commit where the host is called
//! `later`, never where it is `never`, and it has none on `nowhere`.
#![deny(unsafe_code)]

use hadron_sdk::{
    BindingAnswer, BindingRequest, Bound, Context, Manifest, MechanismDriver, Operation, PartlyBound,
    PortContext, Result, Segment,
    delivery::{Outcome, Report},
};

/// The driver.
pub struct Fabric;

const LATER: &str = "later";

fn bound(segment: &Segment) -> Bound {
    Bound {
        segment_id: segment.id.clone(),
        vif_type: "fabric".into(),
        vif_details: String::new(),
        status: "ACTIVE".into(),
    }
}

/// How a port is bound that waits for it.
fn finished(port: &PortContext) -> Option<Bound> {
    let waits = port.levels.len() == 1 && port.current.binding.vif_type == "unbound";
    let vlan = port.network.segments.iter().find(|segment| segment.network_type == "vlan");
    vlan.filter(|_| waits && port.current.binding.host == LATER).map(bound)
}

fn answer(request: &BindingRequest) -> BindingAnswer {
    let below = !request.port.levels.is_empty();
    let fits = |segment: &&Segment| (segment.network_type == "vlan") == below;
    let Some(segment) = request.segments.iter().find(fits) else { return BindingAnswer::Decline };
    if below {
        return match request.port.current.binding.host.as_str() {
            LATER | "never" => BindingAnswer::Pending,
            "nowhere" => BindingAnswer::Decline,
            _ => BindingAnswer::Bound(bound(segment)),
        };
    }
    BindingAnswer::ContinueWith(PartlyBound {
        segment_id: segment.id.clone(),
        next_segments: vec![Segment {
            id: String::new(),
            network_type: "vlan".into(),
            physical_network: Some("physnet1".into()),
            segmentation_id: None,
        }],
    })
}

impl MechanismDriver for Fabric {
    fn manifest() -> Manifest {
        Manifest {
            hooks: vec!["bind-port".into(), "port-postcommit".into()],
            ..hadron_sdk::manifest!("mech-fabric", "carries ports over a fabric")
        }
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        Ok(requests.iter().map(answer).collect())
    }

    fn port_postcommit(operation: Operation, ports: Vec<PortContext>) -> Outcome {
        let bound = ports.first().filter(|_| operation != Operation::Delete).and_then(finished);
        Outcome::Done(Report { bound, ..Report::default() })
    }
}

hadron_sdk::mechanism_driver!(Fabric);
