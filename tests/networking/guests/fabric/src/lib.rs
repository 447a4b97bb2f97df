//! Binds ports in two levels: over the network's own segment to a switch, and
//! from there to the host in a VLAN of `physnet1`, a dynamic segment.
#![deny(unsafe_code)]

use hadron_sdk::{
    BindingAnswer, BindingRequest, Bound, Context, Manifest, MechanismDriver, PartlyBound, Result, Segment,
};

/// The driver.
pub struct Fabric;

fn answer(request: &BindingRequest) -> BindingAnswer {
    let below = !request.port.levels.is_empty();
    let fits = |segment: &&Segment| (segment.network_type == "vlan") == below;
    let Some(segment) = request.segments.iter().find(fits) else { return BindingAnswer::Decline };
    if below {
        return BindingAnswer::Bound(Bound {
            segment_id: segment.id.clone(),
            vif_type: "fabric".into(),
            vif_details: String::new(),
            status: "ACTIVE".into(),
        });
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
            hooks: vec!["bind-port".into()],
            ..hadron_sdk::manifest!("mech-fabric", "carries ports over a fabric")
        }
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        Ok(requests.iter().map(answer).collect())
    }
}

hadron_sdk::mechanism_driver!(Fabric);
