//! Taking segments from the type drivers. In Neutron: `TypeManager`.

use super::{PHYSICAL_NETWORK, SEGMENTATION_ID, SEGMENTS, TYPE, errors};
use crate::document::{flag, set, text};
use crate::networks;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Error, Result, Segment, config, drivers};
use std::collections::BTreeSet;

/// The key of the configuration: the type of external networks that are made
/// without provider attributes.
pub(crate) const EXTERNAL_TYPE: &str = "external_network_type";

/// Types whose networks are in tunnels between hosts.
const TUNNELS: [&str; 3] = ["gre", "vxlan", "geneve"];

/// The network types there are.
pub(crate) struct Types {
    served: BTreeSet<String>,
    tenant: Vec<String>,
    external: String,
}

impl Types {
    /// Asks the host and the configuration.
    pub(crate) fn loaded() -> Result<Types> {
        Ok(Types {
            served: drivers::network_types().into_iter().collect(),
            tenant: config::or("tenant_network_types", vec!["vxlan".to_owned()])?,
            external: config::or(EXTERNAL_TYPE, String::new())?,
        })
    }

    /// Whether networks of that type are in tunnels between hosts.
    pub(crate) fn has_tunnels(&self, network_type: &str) -> bool {
        TUNNELS.contains(&network_type) && self.served.contains(network_type)
    }

    /// Takes segments for a new network: those asked for, or one of the first
    /// tenant network type that has one; of the type for external networks where
    /// the network is one. In Neutron: `create_network_segments`.
    pub(crate) fn take(&self, network: &Document) -> Result<Vec<Segment>> {
        let project = text(network, "project_id");
        let wanted = asked_for(network, &drivers::ranged_types())?;
        if !wanted.is_empty() {
            return wanted.iter().map(|wanted| self.reserve(project, wanted)).collect();
        }
        let types = match flag(network, networks::EXTERNAL) && !self.external.is_empty() {
            true => std::slice::from_ref(&self.external),
            false => &self.tenant,
        };
        for network_type in types.iter().filter(|network_type| self.served.contains(*network_type)) {
            if let Some(segment) = drivers::allocate_for(network_type, project)? {
                return Ok(vec![segment]);
            }
        }
        Err(crate::errors::no_network_available())
    }

    /// Takes a segment that was asked for.
    pub(crate) fn reserve(&self, project: &str, wanted: &Segment) -> Result<Segment> {
        if !self.served.contains(&wanted.network_type) {
            return Err(Error::invalid_input(format!(
                "network_type value '{}' not supported",
                wanted.network_type
            )));
        }
        drivers::reserve_for(project, wanted)
    }

    /// Largest MTU of a network on these segments; without any limit the one
    /// of the physical networks. In Neutron: `_get_network_mtu`.
    pub(crate) fn largest_mtu(&self, segments: &[Segment]) -> Result<u32> {
        let mut smallest = None;
        for segment in segments.iter().filter(|segment| self.served.contains(&segment.network_type)) {
            let mtu = drivers::mtu(segment)?;
            if mtu > 0 {
                smallest = Some(smallest.map_or(mtu, |least: u32| least.min(mtu)));
            }
        }
        smallest.map_or_else(|| config::or("global_physnet_mtu", 1500), Ok)
    }
}

/// The segments that a request asks for: one by provider attributes or some by
/// `segments`. In Neutron: `_process_provider_create`.
fn asked_for(network: &Document, ranged: &[String]) -> Result<Vec<Segment>> {
    let provider = has_provider(network);
    let several = set(network, SEGMENTS).and_then(Value::as_array).filter(|list| !list.is_empty());
    let Some(several) = several else {
        return if provider { Ok(vec![wanted(network)?]) } else { Ok(Vec::new()) };
    };
    if provider {
        return Err(errors::with_providers());
    }
    let wanted = several
        .iter()
        .map(|segment| segment.as_object().map_or_else(|| wanted(&Document::new()), wanted))
        .collect::<Result<Vec<Segment>>>()?;
    // What the type driver chooses will not be the same.
    let is_open =
        |segment: &&Segment| segment.segmentation_id.is_none() && ranged.contains(&segment.network_type);
    let said: Vec<&Segment> = wanted.iter().filter(|segment| !is_open(segment)).collect();
    let twice = |(place, segment): (usize, &&Segment)| said.iter().take(place).any(|other| other == segment);
    if said.iter().enumerate().any(twice) {
        return Err(errors::duplicate_entry());
    }
    Ok(wanted)
}

/// Whether a request has provider attributes.
fn has_provider(network: &Document) -> bool {
    [TYPE, PHYSICAL_NETWORK, SEGMENTATION_ID].iter().any(|name| set(network, name).is_some())
}

/// Checks `segments` of an update: they are changed by way of the segments
/// themselves.
pub(crate) fn check_update(current: &Document, changes: &mut Document) -> Result<()> {
    let Some(asked) = changes.remove(SEGMENTS) else { return Ok(()) };
    if asked.as_array().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    if has_provider(changes) {
        return Err(errors::with_providers());
    }
    match current.get(SEGMENTS) == Some(&asked) {
        true => Ok(()),
        false => Err(Error::invalid_input(format!(
            "Plugin does not support updating the following provider network attributes: {SEGMENTS}"
        ))),
    }
}

/// The segment that provider attributes ask for.
fn wanted(attributes: &Document) -> Result<Segment> {
    if set(attributes, TYPE).is_none() {
        return Err(Error::invalid_input("network_type required"));
    }
    Ok(Segment {
        id: String::new(),
        network_type: text(attributes, TYPE).to_owned(),
        physical_network: set(attributes, PHYSICAL_NETWORK).and_then(Value::as_str).map(str::to_owned),
        segmentation_id: set(attributes, SEGMENTATION_ID).map(number),
    })
}

/// A number that no record can hold is out of every driver's range, which says
/// so better than we could.
pub(crate) fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    fn body(value: Value) -> Document {
        let Value::Object(body) = value else { unreachable!() };
        body
    }

    fn asked(value: Value) -> Result<Vec<Segment>> {
        asked_for(&body(value), &["vlan".to_owned(), "vxlan".to_owned()])
    }

    fn refusal(value: Value) -> String {
        asked(value).unwrap_err().fault().kind.clone()
    }

    #[test]
    fn a_segment_is_asked_for_by_type() {
        let error = wanted(&body(json!({SEGMENTATION_ID: 5}))).unwrap_err();
        assert_eq!(error.fault().message, "Invalid input for operation: network_type required.");
        let segment = wanted(&body(json!({TYPE: "vlan", SEGMENTATION_ID: 5}))).unwrap();
        assert_eq!((segment.segmentation_id, segment.physical_network), (Some(5), None));
    }

    #[test]
    fn numbers_out_of_range_stay_out_of_range() {
        assert_eq!(number(&json!(-1)), u32::MAX);
        assert_eq!(number(&json!(5_000_000_000_u64)), u32::MAX);
        assert_eq!(number(&json!(4094)), 4094);
    }

    #[test]
    fn one_or_several_segments_are_asked_for_and_not_both() {
        assert_eq!(asked(json!({})).unwrap(), []);
        assert_eq!(asked(json!({SEGMENTS: []})).unwrap(), []);
        assert_eq!(asked(json!({SEGMENTS: [], TYPE: "vlan"})).unwrap().len(), 1);
        assert_eq!(asked(json!({SEGMENTS: [{TYPE: "vlan"}, {TYPE: "vxlan"}]})).unwrap().len(), 2);
        assert_eq!(
            refusal(json!({SEGMENTS: [{TYPE: "vlan"}], TYPE: "vlan"})),
            "SegmentsSetInConjunctionWithProviders"
        );
        assert_eq!(refusal(json!({SEGMENTS: [{TYPE: "vlan"}, {}]})), "InvalidInput");
    }

    #[test]
    fn the_same_segment_is_not_asked_for_twice() {
        let said = json!({TYPE: "vlan", PHYSICAL_NETWORK: "p", SEGMENTATION_ID: 7});
        assert_eq!(refusal(json!({SEGMENTS: [said, said]})), "SegmentsContainDuplicateEntry");
        let open = json!({TYPE: "vlan", PHYSICAL_NETWORK: "p"});
        assert_eq!(asked(json!({SEGMENTS: [open, open]})).unwrap().len(), 2);
        let flat = json!({TYPE: "flat", PHYSICAL_NETWORK: "p"});
        assert_eq!(refusal(json!({SEGMENTS: [flat, flat]})), "SegmentsContainDuplicateEntry");
    }

    #[test]
    fn segments_are_not_changed_through_their_network() {
        let current = body(json!({SEGMENTS: [{TYPE: "vlan"}]}));
        let mut same = current.clone();
        check_update(&current, &mut same).unwrap();
        assert!(same.is_empty());
        check_update(&current, &mut body(json!({SEGMENTS: []}))).unwrap();
        assert!(check_update(&current, &mut body(json!({SEGMENTS: [{TYPE: "gre"}]}))).is_err());
        let both = check_update(&current, &mut body(json!({SEGMENTS: [{TYPE: "vlan"}], TYPE: "vlan"})));
        assert_eq!(both.unwrap_err().fault().kind, "SegmentsSetInConjunctionWithProviders");
    }
}
