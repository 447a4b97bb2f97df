//! Updates of provider attributes: only a VLAN network's number can change, and
//! only while no port is plugged in anywhere.
//! In Neutron: `_update_provider_network_attributes`.

use crate::document::{set, text};
use crate::segments::{
    self, COLLECTION, PHYSICAL_NETWORK, SEGMENTATION_ID, SEGMENTS, SegmentRow, TYPE, Types,
    check_update as check_segments,
};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, Segment};

/// Interface types of ports that are plugged in nowhere.
const UNPLUGGED: [&str; 2] = ["unbound", "binding_failed"];

/// Checks the provider attributes of an update and drops those that change
/// nothing; answers the new segmentation id where there is one.
pub(crate) fn check_update(current: &Document, changes: &mut Document) -> Result<Option<u32>> {
    check_segments(current, changes)?;
    if set(current, SEGMENTS).is_some() && set(changes, SEGMENTATION_ID).is_some() {
        return Err(single_segment_only());
    }
    for name in [TYPE, PHYSICAL_NETWORK] {
        if let Some(value) = set(changes, name)
            && current.get(name) != Some(value)
        {
            return Err(Error::invalid_input(format!(
                "Plugin does not support updating the following provider network attributes: {TYPE}, \
                 {PHYSICAL_NETWORK}"
            )));
        }
        changes.remove(name);
    }
    let asked = set(changes, SEGMENTATION_ID).filter(|value| value.as_u64() != Some(0)).map(segments::number);
    if asked.is_none() {
        changes.remove(SEGMENTATION_ID);
        return Ok(None);
    }
    if text(current, TYPE) != "vlan" {
        return Err(Error::invalid_input("Only VLAN type networks can be updated."));
    }
    Ok(asked.filter(|number| current.get(SEGMENTATION_ID).map(segments::number) != Some(*number)))
}

fn single_segment_only() -> Error {
    Error::invalid_input(
        "Provider network attributes can be updated only in provider networks with a single segment.",
    )
}

/// Gives a network another VLAN.
pub(crate) fn renumber(current: &Document, number: u32) -> Result<()> {
    let id = text(current, "id");
    let plugged = Query::all().equal("network_id", id).none_of("binding:vif_type", UNPLUGGED).limit(1);
    let plugged: Vec<Document> = store::find("ports", &plugged)?;
    if !plugged.is_empty() {
        return Err(Error::invalid_input(format!(
            "Provider network attribute {SEGMENTATION_ID} cannot be updated if any port in the network has not \
             the following binding:vif_type: {}",
            UNPLUGGED.join(", ")
        )));
    }
    let mut rows = segments::of_networks(&[id.to_owned()])?;
    rows.retain(|row| !row.is_dynamic());
    let [row] = rows.as_slice() else {
        return Err(single_segment_only());
    };
    let wanted = Segment { id: String::new(), segmentation_id: Some(number), ..row.record() };
    let taken = Types::loaded()?.reserve(text(current, "project_id"), &wanted)?;
    let new = SegmentRow::new(current, taken, row.position);
    let changes = hadron_sdk::serde_json::json!({
        "segmentation_id": new.segmentation_id,
        "occupied": new.occupied,
    });
    store::update::<Document>(COLLECTION, &row.id, &changes)?;
    segments::release(std::slice::from_ref(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::{Value, json};

    fn object(value: Value) -> Document {
        let Value::Object(object) = value else { unreachable!() };
        object
    }

    fn network(kind: &str) -> Document {
        object(json!({TYPE: kind, PHYSICAL_NETWORK: null, SEGMENTATION_ID: 7}))
    }

    #[test]
    fn only_vlan_networks_can_be_renumbered() {
        let mut changes = object(json!({SEGMENTATION_ID: 8}));
        assert_eq!(check_update(&network("vlan"), &mut changes).unwrap(), Some(8));
        let error = check_update(&network("vxlan"), &mut changes).unwrap_err();
        assert_eq!(
            error.fault().message,
            "Invalid input for operation: Only VLAN type networks can be updated.."
        );
        let mut same = object(json!({SEGMENTATION_ID: 7}));
        assert_eq!(check_update(&network("vlan"), &mut same).unwrap(), None);
    }

    #[test]
    fn type_and_physical_network_stay() {
        let mut same = object(json!({TYPE: "vlan"}));
        assert_eq!(check_update(&network("vlan"), &mut same).unwrap(), None);
        assert!(same.is_empty());
        let mut other = object(json!({TYPE: "flat"}));
        assert!(check_update(&network("vlan"), &mut other).is_err());
        let mut other = object(json!({PHYSICAL_NETWORK: "p"}));
        assert!(check_update(&network("vlan"), &mut other).is_err());
    }
}
