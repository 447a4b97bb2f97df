//! Segments that drivers ask for while they bind a port, and that go with the
//! last port that is bound with them. In Neutron: `allocate_dynamic_segment`,
//! `release_dynamic_segment`.

use super::{SegmentRow, Types, insert, of_networks, remove};
use crate::document::text;
use crate::{networks, ports};
use hadron_sdk::{Result, Segment};
use std::collections::BTreeSet;

/// The network's dynamic segment of that type and, where they are said, that
/// physical network and number: the one there is, or a new one.
pub(crate) fn claim(network_id: &str, wanted: &Segment) -> Result<Segment> {
    let ids = [network_id.to_owned()];
    // Of two units that need the same one, the second finds the first one's.
    networks::hold(network_id)?;
    let rows = of_networks(&ids)?;
    if let Some(row) = rows.iter().find(|row| row.is_dynamic() && fits(row, wanted)) {
        return Ok(row.record());
    }
    let network = networks::existing(&ids)?.into_iter().next().unwrap_or_default();
    let project = text(&network, "project_id");
    let taken = Types::loaded()?.reserve(project, wanted)?;
    let position = rows.last().map_or(0, |row| row.position + 1);
    let row = SegmentRow { dynamic: Some(true), ..SegmentRow::new(&network, taken, position) };
    insert(std::slice::from_ref(&row))?;
    Ok(row.record())
}

fn fits(row: &SegmentRow, wanted: &Segment) -> bool {
    let place = wanted.physical_network.is_none() || row.physical_network == wanted.physical_network;
    let number = wanted.segmentation_id.is_none() || row.segmentation_id == wanted.segmentation_id;
    row.network_type == wanted.network_type && place && number
}

/// Gives back those of these segments that are dynamic and that no port is
/// bound with any more.
pub(crate) fn release_unused(ids: &BTreeSet<String>) -> Result<()> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut rows = super::by_ids(&ids)?;
    rows.retain(SegmentRow::is_dynamic);
    for row in rows {
        networks::hold(&row.network_id)?;
        if ports::bound_with(&row.id, &row.network_id)? == 0 {
            remove(std::slice::from_ref(&row))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_segment_fits_what_is_said_of_it() {
        let segment = |place: Option<&str>, number: Option<u32>| Segment {
            id: String::new(),
            network_type: "vlan".into(),
            physical_network: place.map(str::to_owned),
            segmentation_id: number,
        };
        let row = SegmentRow::from(segment(Some("p"), Some(7)));
        assert!(fits(&row, &segment(None, None)));
        assert!(fits(&row, &segment(Some("p"), None)));
        assert!(!fits(&row, &segment(Some("q"), None)));
        assert!(!fits(&row, &segment(Some("p"), Some(8))));
    }
}
