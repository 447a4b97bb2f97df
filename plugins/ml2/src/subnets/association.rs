//! Subnets on segments: a network whose subnets are on segments is routed.
//! In Neutron: `_validate_segment`.

use super::Subnet;
use crate::segments::{self, SegmentRow};
use hadron_sdk::Result;
use std::collections::BTreeSet;

/// All subnets of a network are on segments or none is.
/// `associations` has an item for each subnet.
fn check_all_or_none(network: &str, associations: &[Option<&str>]) -> Result<()> {
    let different: BTreeSet<&Option<&str>> = associations.iter().collect();
    match different.contains(&None) && different.len() > 1 {
        true => Err(segments::not_all_associated(network)),
        false => Ok(()),
    }
}

/// A subnet can be on this segment, which was looked for by its id.
fn check_segment(network: &str, id: &str, found: Option<&SegmentRow>) -> Result<()> {
    let segment = found.ok_or_else(|| segments::segment_not_found(id))?;
    if segment.network_id != network {
        return Err(segments::network_mismatch(network, id));
    }
    if segment.is_dynamic() { Err(segments::no_dynamic_segment()) } else { Ok(()) }
}

/// Checks where a new subnet of a network is to be, beside those that the
/// network has.
pub(crate) fn check_create(
    network: &str,
    wanted: Option<&str>,
    present: &[Option<String>],
    known: &[SegmentRow],
) -> Result<()> {
    let found = wanted.map(|id| (id, known.iter().find(|segment| segment.id == id)));
    if let Some((id, None)) = found {
        return Err(segments::segment_not_found(id));
    }
    let associations: Vec<Option<&str>> =
        present.iter().map(Option::as_deref).chain(std::iter::once(wanted)).collect();
    check_all_or_none(network, &associations)?;
    found.map_or(Ok(()), |(id, segment)| check_segment(network, id, segment))
}

/// Checks where a subnet is to be from now on: only the one subnet of a network
/// with one segment can be put on it.
pub(crate) fn check_update(
    subnet: &Subnet,
    wanted: Option<&str>,
    present: &[Option<String>],
    known: &[SegmentRow],
) -> Result<()> {
    let network = subnet.network_id.as_str();
    let associations: Vec<Option<&str>> = present.iter().map(Option::as_deref).collect();
    check_all_or_none(network, &associations)?;
    if present.len() > 1 {
        return Err(segments::not_all_associated(network));
    }
    if !associations.contains(&None) && !associations.contains(&wanted) {
        return Err(segments::association_fixed());
    }
    if known.iter().filter(|segment| segment.network_id == network && !segment.is_dynamic()).count() > 1 {
        return Err(segments::several_segments(network));
    }
    wanted.map_or(Ok(()), |id| check_segment(network, id, known.iter().find(|segment| segment.id == id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::Segment;
    use hadron_sdk::serde_json::{from_value, json};

    fn segment(id: &str, network: &str) -> SegmentRow {
        let segment = Segment {
            id: id.into(),
            network_type: "vlan".into(),
            physical_network: None,
            segmentation_id: None,
        };
        SegmentRow { network_id: network.into(), ..segment.into() }
    }

    fn on(ids: &[Option<&str>]) -> Vec<Option<String>> {
        ids.iter().map(|id| id.map(str::to_owned)).collect()
    }

    fn kind(result: Result<()>) -> String {
        result.map_or_else(|error| error.fault().kind.clone(), |()| "fine".into())
    }

    #[test]
    fn all_subnets_of_a_network_are_on_segments_or_none_is() {
        let known = [segment("a", "N"), segment("b", "N"), segment("c", "M")];
        let create = |wanted, present: &[Option<&str>]| kind(check_create("N", wanted, &on(present), &known));
        assert_eq!(create(None, &[]), "fine");
        assert_eq!(create(None, &[None]), "fine");
        assert_eq!(create(Some("a"), &[]), "fine");
        assert_eq!(create(Some("a"), &[Some("b")]), "fine");
        assert_eq!(create(Some("a"), &[None]), "SubnetsNotAllAssociatedWithSegments");
        assert_eq!(create(None, &[Some("a")]), "SubnetsNotAllAssociatedWithSegments");
        assert_eq!(create(Some("z"), &[None]), "SegmentNotFound");
        assert_eq!(create(Some("c"), &[]), "NetworkIdsDontMatch");
        let dynamic = [SegmentRow { dynamic: Some(true), ..segment("a", "N") }];
        assert_eq!(kind(check_create("N", Some("a"), &[], &dynamic)), "SubnetCantAssociateToDynamicSegment");
    }

    #[test]
    fn the_only_subnet_can_be_put_on_the_only_segment() {
        let subnet: Subnet =
            from_value(json!({"id": "s", "network_id": "N", "cidr": "10.0.0.0/24"})).unwrap();
        let one = [segment("a", "N"), segment("c", "M")];
        let update =
            |wanted, present: &[Option<&str>]| kind(check_update(&subnet, wanted, &on(present), &one));
        assert_eq!(update(Some("a"), &[None]), "fine");
        assert_eq!(update(Some("c"), &[None]), "NetworkIdsDontMatch");
        assert_eq!(update(None, &[Some("a")]), "SubnetSegmentAssociationChangeNotAllowed");
        assert_eq!(update(Some("c"), &[Some("a")]), "SubnetSegmentAssociationChangeNotAllowed");
        assert_eq!(update(Some("a"), &[None, None]), "SubnetsNotAllAssociatedWithSegments");
        let two = [segment("a", "N"), segment("b", "N")];
        let several = check_update(&subnet, Some("a"), &on(&[None]), &two);
        assert_eq!(kind(several), "NoUpdateSubnetWhenMultipleSegmentsOnNetwork");
    }
}
