//! Segments of networks: which network type, where, with which number.
//! In Neutron: `TypeManager` and `segments_db`.

use crate::document::{set, text};
use crate::errors;
use hadron_sdk::manifest::{Attribute, Collection, Key, OnDelete, Reference, Validator};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Document, Error, Result, Segment, config, drivers, random};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The private collection.
pub(crate) const COLLECTION: &str = "network_segments";

/// Attributes by which an administrator asks for a segment.
pub(crate) const TYPE: &str = "provider:network_type";
/// See [`TYPE`].
pub(crate) const PHYSICAL_NETWORK: &str = "provider:physical_network";
/// See [`TYPE`].
pub(crate) const SEGMENTATION_ID: &str = "provider:segmentation_id";

/// A segment's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentRow {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) network_id: String,
    pub(crate) network_type: String,
    pub(crate) physical_network: Option<String>,
    pub(crate) segmentation_id: Option<u32>,
    /// Unique over all segments; null where two networks may share one. It is
    /// the second guard behind the type drivers' pools, whose ranges can be
    /// changed while numbers are taken.
    #[serde(default)]
    pub(crate) occupied: Option<String>,
    /// Place among the network's segments.
    #[serde(default)]
    pub(crate) position: u32,
}

impl SegmentRow {
    /// A network's first segment.
    pub(crate) fn new(network_id: &str, segment: Segment) -> SegmentRow {
        let place = segment.physical_network.as_deref().unwrap_or_default();
        let occupied = match (segment.segmentation_id, segment.network_type.as_str()) {
            (Some(number), kind) => Some(format!("{kind} {place} {number}")),
            (None, "flat") => Some(format!("flat {place}")),
            (None, _) => None,
        };
        SegmentRow {
            id: random::uuid(),
            network_id: network_id.to_owned(),
            network_type: segment.network_type,
            physical_network: segment.physical_network,
            segmentation_id: segment.segmentation_id,
            occupied,
            position: 0,
        }
    }

    /// As drivers see it.
    pub(crate) fn record(&self) -> Segment {
        Segment {
            id: self.id.clone(),
            network_type: self.network_type.clone(),
            physical_network: self.physical_network.clone(),
            segmentation_id: self.segmentation_id,
        }
    }

    /// As a network's provider attributes show it.
    pub(crate) fn show(&self, network: &mut Document) {
        network.insert(TYPE.to_owned(), self.network_type.clone().into());
        network.insert(PHYSICAL_NETWORK.to_owned(), self.physical_network.clone().into());
        network.insert(SEGMENTATION_ID.to_owned(), self.segmentation_id.into());
    }
}

impl From<Segment> for SegmentRow {
    fn from(segment: Segment) -> SegmentRow {
        SegmentRow {
            id: segment.id,
            network_id: String::new(),
            network_type: segment.network_type,
            physical_network: segment.physical_network,
            segmentation_id: segment.segmentation_id,
            occupied: None,
            position: 0,
        }
    }
}

/// The declaration of the private collection.
pub(crate) fn collection() -> Collection {
    let text = |name: &str| Attribute {
        name: name.to_owned(),
        validate: Validator::String { max: Some(255) },
        nullable: true,
        ..Attribute::default()
    };
    let number = |name: &str| Attribute {
        name: name.to_owned(),
        validate: Validator::Integer { min: None, max: None },
        nullable: true,
        ..Attribute::default()
    };
    Collection {
        name: COLLECTION.to_owned(),
        member: "network_segment".to_owned(),
        private: true,
        attributes: vec![
            text("network_id"),
            text("network_type"),
            text("physical_network"),
            number("segmentation_id"),
            text("occupied"),
            number("position"),
        ],
        keys: vec![Key { name: "occupied".to_owned(), attributes: vec!["occupied".to_owned()] }],
        references: vec![Reference {
            attribute: "network_id".to_owned(),
            collection: "networks".to_owned(),
            on_delete: OnDelete::Cascade,
            ..Reference::default()
        }],
        ..Collection::default()
    }
}

/// The network types there are.
pub(crate) struct Types {
    served: BTreeSet<String>,
    tenant: Vec<String>,
}

impl Types {
    /// Asks the host and the configuration.
    pub(crate) fn loaded() -> Result<Types> {
        Ok(Types {
            served: drivers::network_types().into_iter().collect(),
            tenant: config::or("tenant_network_types", vec!["vxlan".to_owned()])?,
        })
    }

    /// Takes a segment for a new network: the one asked for by provider
    /// attributes, or one of the first tenant network type that has one.
    pub(crate) fn take(&self, body: &Document) -> Result<Segment> {
        if [TYPE, PHYSICAL_NETWORK, SEGMENTATION_ID].iter().any(|name| set(body, name).is_some()) {
            return self.reserve(&wanted(body)?);
        }
        for network_type in self.tenant.iter().filter(|network_type| self.served.contains(*network_type)) {
            if let Some(segment) = drivers::allocate(network_type)? {
                return Ok(segment);
            }
        }
        Err(errors::no_network_available())
    }

    /// Takes a segment that was asked for.
    pub(crate) fn reserve(&self, wanted: &Segment) -> Result<Segment> {
        if !self.served.contains(&wanted.network_type) {
            return Err(Error::invalid_input(format!(
                "network_type value '{}' not supported",
                wanted.network_type
            )));
        }
        drivers::reserve(wanted)
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

/// The segment that provider attributes ask for.
fn wanted(body: &Document) -> Result<Segment> {
    if set(body, TYPE).is_none() {
        return Err(Error::invalid_input("network_type required"));
    }
    Ok(Segment {
        id: String::new(),
        network_type: text(body, TYPE).to_owned(),
        physical_network: set(body, PHYSICAL_NETWORK).and_then(Value::as_str).map(str::to_owned),
        segmentation_id: set(body, SEGMENTATION_ID).map(number),
    })
}

/// A number that no record can hold is out of every driver's range, which says
/// so better than we could.
pub(crate) fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX)
}

/// Gives segments back to their type drivers; one whose driver is gone is kept
/// by nobody any more.
pub(crate) fn release(segments: &[SegmentRow]) -> Result<()> {
    let served = drivers::network_types();
    for segment in segments.iter().filter(|segment| served.contains(&segment.network_type)) {
        drivers::release(&segment.record())?;
    }
    Ok(())
}

/// The segments of these networks, in order.
pub(crate) fn of_networks(ids: &[String]) -> Result<Vec<SegmentRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    store::find(COLLECTION, &Query::all().any_of("network_id", ids.iter().cloned()).sort("position"))
}

/// Writes new segments.
pub(crate) fn insert(rows: &[SegmentRow]) -> Result<()> {
    store::insert(COLLECTION, rows).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            let keys: Vec<&str> = rows.iter().filter_map(|row| row.occupied.as_deref()).collect();
            errors::segment_in_use(&keys.join(", "))
        }
        other => other.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    fn body(value: Value) -> Document {
        let Value::Object(body) = value else { unreachable!() };
        body
    }

    #[test]
    fn a_segment_is_asked_for_by_type() {
        let error = wanted(&body(json!({"provider:segmentation_id": 5}))).unwrap_err();
        assert_eq!(error.fault().message, "Invalid input for operation: network_type required.");
        let segment =
            wanted(&body(json!({"provider:network_type": "vlan", "provider:segmentation_id": 5}))).unwrap();
        assert_eq!((segment.segmentation_id, segment.physical_network), (Some(5), None));
    }

    #[test]
    fn numbers_out_of_range_stay_out_of_range() {
        assert_eq!(number(&json!(-1)), u32::MAX);
        assert_eq!(number(&json!(5_000_000_000_u64)), u32::MAX);
        assert_eq!(number(&json!(4094)), 4094);
    }
}
