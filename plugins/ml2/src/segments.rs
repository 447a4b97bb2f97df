//! Segments of networks: which network type, where, with which number.
//! In Neutron: `TypeManager`, `segments_db` and the segments plugin.

mod attributes;
mod dynamic;
mod errors;
mod hosts;
mod types;

pub(crate) use attributes::{COLLECTION, EXTENSIONS, POLICY, collection};
pub(crate) use dynamic::{claim, release_unused};
pub(crate) use errors::{
    association_fixed, different_segments, host_not_compatible, host_not_connected, network_mismatch,
    no_dynamic_segment, not_all_associated, segment_not_found, several_segments,
};
pub(crate) use hosts::Reach;
pub(crate) use types::{EXTERNAL_TYPE, Types, check_update, number};

use crate::document::{set, text};
use crate::mechanisms::Mechanisms;
use crate::{networks, ports};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Comparison, InsertError, Query, StoreError};
use hadron_sdk::{Document, Error, Operation, Result, Segment, drivers, random};
use serde::{Deserialize, Serialize};

/// Attributes by which an administrator asks for a segment.
pub(crate) const TYPE: &str = "provider:network_type";
/// See [`TYPE`].
pub(crate) const PHYSICAL_NETWORK: &str = "provider:physical_network";
/// See [`TYPE`].
pub(crate) const SEGMENTATION_ID: &str = "provider:segmentation_id";
/// Several segments at once; excludes the others.
pub(crate) const SEGMENTS: &str = "segments";

/// A segment's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentRow {
    pub(crate) id: String,
    /// The network's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project_id: Option<String>,
    #[serde(default)]
    pub(crate) network_id: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
    pub(crate) physical_network: Option<String>,
    pub(crate) network_type: String,
    pub(crate) segmentation_id: Option<u32>,
    /// Unique over all segments; null where two networks may share one. It is
    /// the second guard behind the type drivers' pools, whose ranges can be
    /// changed while numbers are taken.
    #[serde(default)]
    pub(crate) occupied: Option<String>,
    /// Place among the network's segments.
    #[serde(default)]
    pub(crate) position: u32,
    /// Made because a driver asked for it, and gone with its last port.
    #[serde(default)]
    pub(crate) dynamic: Option<bool>,
}

impl SegmentRow {
    /// A segment of this network of that owner, in that place.
    pub(crate) fn new(network: &Document, segment: Segment, position: u32) -> SegmentRow {
        let place = segment.physical_network.as_deref().unwrap_or_default();
        let occupied = match (segment.segmentation_id, segment.network_type.as_str()) {
            (Some(number), kind) => Some(format!("{kind} {place} {number}")),
            (None, "flat") => Some(format!("flat {place}")),
            (None, _) => None,
        };
        SegmentRow {
            id: random::uuid(),
            project_id: Some(text(network, "project_id").to_owned()),
            network_id: text(network, "id").to_owned(),
            name: None,
            description: None,
            network_type: segment.network_type,
            physical_network: segment.physical_network,
            segmentation_id: segment.segmentation_id,
            occupied,
            position,
            dynamic: None,
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

    /// Whether a driver asked for it.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.dynamic == Some(true)
    }

    fn shown(&self) -> [(&'static str, Value); 3] {
        [
            (TYPE, json!(self.network_type)),
            (PHYSICAL_NETWORK, json!(self.physical_network)),
            (SEGMENTATION_ID, json!(self.segmentation_id)),
        ]
    }
}

impl From<Segment> for SegmentRow {
    fn from(segment: Segment) -> SegmentRow {
        SegmentRow {
            id: segment.id,
            project_id: None,
            network_id: String::new(),
            name: None,
            description: None,
            network_type: segment.network_type,
            physical_network: segment.physical_network,
            segmentation_id: segment.segmentation_id,
            occupied: None,
            position: 0,
            dynamic: None,
        }
    }
}

/// How a network shows its segments: the only one in provider attributes,
/// several in a list, none in neither. In Neutron:
/// `extend_network_with_provider_segments`, which counts no dynamic ones.
pub(crate) fn show(rows: &[SegmentRow], network: &mut Document) {
    for name in [TYPE, PHYSICAL_NETWORK, SEGMENTATION_ID, SEGMENTS] {
        network.insert(name.to_owned(), Value::Null);
    }
    let fixed: Vec<&SegmentRow> = rows.iter().filter(|row| !row.is_dynamic()).collect();
    match fixed.as_slice() {
        [] => {}
        [row] => network.extend(row.shown().map(|(name, value)| (name.to_owned(), value))),
        several => {
            let items = several.iter().map(|row| {
                Value::Object(row.shown().map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
            });
            network.insert(SEGMENTS.to_owned(), items.collect());
        }
    }
}

/// Makes segments of networks that exist. In Neutron: `create_segment`.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    let types = Types::loaded()?;
    for body in bodies {
        let before = held(text(&body, "network_id"))?;
        let position = before.rows.last().map_or(0, |row| row.position + 1);
        let wanted = Segment {
            id: String::new(),
            network_type: text(&body, "network_type").to_owned(),
            physical_network: set(&body, "physical_network").and_then(Value::as_str).map(str::to_owned),
            segmentation_id: set(&body, "segmentation_id").map(number),
        };
        let taken = types.reserve(text(&before.network, "project_id"), &wanted)?;
        let row = SegmentRow {
            id: text(&body, "id").to_owned(),
            name: set(&body, "name").and_then(Value::as_str).map(str::to_owned),
            description: Some(text(&body, "description").to_owned()),
            ..SegmentRow::new(&before.network, taken, position)
        };
        let mut rows = before.rows.clone();
        rows.push(row.clone());
        networks::check_mtu(&before.network, &types, &rows)?;
        insert(std::slice::from_ref(&row))?;
        before.become_with(&rows)?;
    }
    Ok(())
}

/// A network that nobody else changes until the end of the unit.
struct Held {
    network: Document,
    rows: Vec<SegmentRow>,
}

fn held(network_id: &str) -> Result<Held> {
    networks::hold(network_id)?;
    let ids = [network_id.to_owned()];
    let network = networks::existing(&ids)?.into_iter().next().unwrap_or_default();
    Ok(Held { network, rows: of_networks(&ids)? })
}

impl Held {
    /// The network has these segments from now on: its row shows them, and
    /// drivers are told.
    fn become_with(&self, rows: &[SegmentRow]) -> Result<()> {
        let mut changes = Document::new();
        show(rows, &mut changes);
        let updated: Document = store::update(networks::COLLECTION, text(&self.network, "id"), &changes)?;
        let mechanisms = Mechanisms::loaded();
        if mechanisms.want("network") {
            let context = networks::context_between(&updated, rows, (&self.network, &self.rows))?;
            mechanisms.networks(Operation::Update, &[context])?;
        }
        Ok(())
    }
}

/// Changes what people call a segment.
pub(crate) fn update(id: &str, changes: &Document) -> Result<()> {
    store::update::<Document>(COLLECTION, id, changes)?;
    Ok(())
}

/// Removes segments that no subnet is on and no port is bound with.
/// In Neutron: `delete_segment`.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        let id = text(document, "id");
        let before = held(text(document, "network_id"))?;
        let bound = ports::bound_with(id, text(document, "network_id"))?;
        let subnets: Vec<Document> = store::find("subnets", &Query::all().equal("segment_id", id))?;
        let subnets: Vec<&str> = subnets.iter().map(|subnet| text(subnet, "id")).collect();
        errors::check_unused(id, bound, &subnets)?;
        let (gone, left): (Vec<SegmentRow>, Vec<SegmentRow>) =
            before.rows.iter().cloned().partition(|row| row.id == id);
        remove(&gone)?;
        before.become_with(&left)?;
    }
    Ok(())
}

fn remove(rows: &[SegmentRow]) -> Result<()> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    store::delete(COLLECTION, &ids)?;
    release(rows)
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

/// Segments of a type with a number of this range, and whose network each is
/// of.
pub(crate) fn in_range(
    physical_network: Option<&str>,
    network_type: &str,
    minimum: u32,
    maximum: u32,
) -> Result<Vec<(Segment, String)>> {
    let query = Query::all()
        .equal("network_type", network_type)
        .condition("segmentation_id", Comparison::Greater, [i64::from(minimum) - 1])
        .condition("segmentation_id", Comparison::Less, [i64::from(maximum) + 1]);
    let mut rows: Vec<SegmentRow> = store::find(COLLECTION, &query)?;
    rows.retain(|row| row.physical_network.as_deref() == physical_network);
    Ok(rows.into_iter().map(|row| (row.record(), row.project_id.unwrap_or_default())).collect())
}

/// Segments with these ids.
pub(crate) fn by_ids(ids: &[&str]) -> Result<Vec<SegmentRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    store::find(COLLECTION, &Query::all().any_of("id", ids.iter().copied()))
}

/// Writes new segments.
pub(crate) fn insert(rows: &[SegmentRow]) -> Result<()> {
    store::insert(COLLECTION, rows).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            let keys: Vec<&str> = rows.iter().filter_map(|row| row.occupied.as_deref()).collect();
            crate::errors::segment_in_use(&keys.join(", "))
        }
        InsertError::Store(StoreError::MissingReference(_)) => {
            crate::errors::network_not_found(rows.first().map_or("", |row| row.network_id.as_str()))
        }
        other => Error::from(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: &str, number: u32, dynamic: bool) -> SegmentRow {
        let segment = Segment {
            id: "s".into(),
            network_type: kind.into(),
            physical_network: None,
            segmentation_id: Some(number),
        };
        SegmentRow { dynamic: Some(dynamic), ..segment.into() }
    }

    #[test]
    fn one_segment_is_shown_in_provider_attributes_and_several_in_a_list() {
        let shown = |rows: &[SegmentRow]| {
            let mut network = Document::new();
            show(rows, &mut network);
            (network.get(TYPE).cloned(), network.get(SEGMENTS).cloned())
        };
        assert_eq!(shown(&[]), (Some(Value::Null), Some(Value::Null)));
        let one = [row("vxlan", 5, false), row("vlan", 7, true)];
        assert_eq!(shown(&one), (Some(json!("vxlan")), Some(Value::Null)));
        let (kind, list) = shown(&[row("vxlan", 5, false), row("gre", 7, false)]);
        assert_eq!(kind, Some(Value::Null));
        assert_eq!(
            list,
            Some(json!([
                {TYPE: "vxlan", PHYSICAL_NETWORK: null, SEGMENTATION_ID: 5},
                {TYPE: "gre", PHYSICAL_NETWORK: null, SEGMENTATION_ID: 7},
            ]))
        );
    }
}
