//! Who gets which numbers: each number belongs to one project, to all of them,
//! or to nobody who does not ask for it by name. In Neutron: the queries
//! `get_segments_for_project` and `get_segments_shared`.

use crate::Spans;
use hadron_sdk::SegmentRange;
use std::collections::BTreeMap;

/// How the numbers of one place are shared out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shares {
    /// The physical network they are numbers of, where there is one.
    pub(crate) place: Option<String>,
    /// Handed out to every project.
    pub(crate) shared: Spans,
    /// Handed out to one project only.
    pub(crate) own: BTreeMap<String, Spans>,
    /// Handed out to nobody, but an administrator can name one.
    pub(crate) others: Spans,
}

/// A part of the numbers of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share<'a> {
    Shared,
    Of(&'a str),
    Others,
}

impl Shares {
    /// Of all ranges of this place, out of the numbers `all`. What is a
    /// project's own is nobody else's, though a range of everybody holds it.
    pub(crate) fn new(place: Option<&str>, ranges: &[SegmentRange], all: &Spans) -> Shares {
        let here = || ranges.iter().filter(|range| range.physical_network.as_deref() == place);
        let mut owned: BTreeMap<String, Vec<(u32, u32)>> = BTreeMap::new();
        let mut everybodys = Vec::new();
        for range in here() {
            let ends = (range.minimum, range.maximum);
            match &range.project_id {
                Some(project) => owned.entry(project.clone()).or_default().push(ends),
                None => everybodys.push(ends),
            }
        }
        let all_owned = Spans::new(owned.values().flatten().copied().collect());
        let shared = Spans::new(everybodys).without(&all_owned);
        let others = all.without(&shared).without(&all_owned);
        Shares {
            place: place.map(str::to_owned),
            shared,
            own: owned.into_iter().map(|(project, ranges)| (project, Spans::new(ranges))).collect(),
            others,
        }
    }

    /// Of all places: those named, in that order, then others that ranges name.
    pub(crate) fn of_places(named: &[Option<&str>], ranges: &[SegmentRange], all: &Spans) -> Vec<Shares> {
        let mut places = named.to_vec();
        for range in ranges {
            let place = range.physical_network.as_deref();
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places.into_iter().map(|place| Shares::new(place, ranges, all)).collect()
    }

    /// To which share a number belongs; none of a number that the type does not
    /// have.
    pub(crate) fn of_number(&self, number: u32) -> Option<Share<'_>> {
        if self.shared.contains(number) {
            return Some(Share::Shared);
        }
        let owner = self.own.iter().find(|(_, spans)| spans.contains(number));
        match owner {
            Some((project, _)) => Some(Share::Of(project)),
            None => self.others.contains(number).then_some(Share::Others),
        }
    }

    /// All shares with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Share<'_>, &Spans)> {
        let own = self.own.iter().map(|(project, spans)| (Share::Of(project.as_str()), spans));
        [(Share::Shared, &self.shared), (Share::Others, &self.others)].into_iter().chain(own)
    }

    /// Name of the host's pool with the numbers of a share.
    pub(crate) fn pool(&self, network_type: &str, share: Share<'_>) -> String {
        let base = match &self.place {
            Some(place) => format!("{network_type}-{place}"),
            None => network_type.to_owned(),
        };
        match share {
            Share::Shared => format!("{base}-ids"),
            Share::Others => format!("{base}-other-ids"),
            Share::Of(project) => format!("{base}-ids-of-{project}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(place: Option<&str>, ends: (u32, u32), project: Option<&str>) -> SegmentRange {
        SegmentRange {
            physical_network: place.map(str::to_owned),
            minimum: ends.0,
            maximum: ends.1,
            project_id: project.map(str::to_owned),
        }
    }

    #[test]
    fn a_projects_numbers_are_nobody_elses() {
        let ranges = [range(None, (1, 100), None), range(None, (20, 29), Some("p"))];
        let shares = Shares::new(None, &ranges, &Spans::new(vec![(1, 200)]));
        assert_eq!(shares.of_number(19), Some(Share::Shared));
        assert_eq!(shares.of_number(20), Some(Share::Of("p")));
        assert_eq!(shares.of_number(101), Some(Share::Others));
        assert_eq!(shares.of_number(201), None);
        assert_eq!(shares.pool("vxlan", Share::Of("p")), "vxlan-ids-of-p");
    }

    #[test]
    fn places_come_in_the_order_of_the_configuration() {
        let ranges = [range(Some("c"), (1, 1), None), range(Some("a"), (1, 1), None)];
        let all = Spans::new(vec![(1, 9)]);
        let shares = Shares::of_places(&[Some("a"), Some("b")], &ranges, &all);
        let places: Vec<_> = shares.iter().filter_map(|shares| shares.place.as_deref()).collect();
        assert_eq!(places, ["a", "b", "c"]);
        assert!(shares[1].shared.is_empty());
        assert_eq!(shares[0].pool("vlan", Share::Others), "vlan-a-other-ids");
    }

    proptest! {
        #[test]
        fn every_number_is_in_one_share_exactly(
            ranges in prop::collection::vec((1..60_u32, 0..20_u32, prop::option::of("[pq]")), 0..6),
        ) {
            let ranges: Vec<SegmentRange> = ranges
                .iter()
                .map(|(first, length, project)| range(None, (*first, first + length), project.as_deref()))
                .collect();
            let shares = Shares::new(None, &ranges, &Spans::new(vec![(1, 90)]));
            for number in 1..=90 {
                let holding = ranges.iter().filter(|r| (r.minimum..=r.maximum).contains(&number));
                let owners: Vec<_> = holding.clone().filter_map(|r| r.project_id.as_deref()).collect();
                let expected = match (holding.count(), owners.is_empty()) {
                    (0, _) => vec![Share::Others],
                    (_, true) => vec![Share::Shared],
                    (_, false) => owners.into_iter().map(Share::Of).collect(),
                };
                prop_assert!(expected.contains(&shares.of_number(number).unwrap()));
                let parts = shares.iter().filter(|(_, spans)| spans.contains(number)).count();
                // Ranges of two projects do not overlap: the core plugin sees to it.
                prop_assert!(parts == 1 || expected.len() > 1);
            }
        }
    }
}
