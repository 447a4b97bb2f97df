//! `network_vlan_ranges`: which physical networks there are, and which VLANs of
//! them projects get.

use hadron_sdk::{Error, Result, SegmentRange};
use hadron_type_common::{Spans, parse_range};

/// The smallest VLAN id that tags a frame.
pub(crate) const SMALLEST: u32 = 1;
/// The largest VLAN id; 4095 is reserved.
pub(crate) const LARGEST: u32 = 4094;

/// Physical networks in the order in which they are named, with their VLANs.
#[derive(Debug)]
pub(crate) struct Ranges(Vec<(String, Spans)>);

impl Ranges {
    /// Of `NAME` and `NAME:FIRST:LAST`; a name may come more than once.
    pub(crate) fn parse(texts: &[String]) -> Result<Ranges> {
        let mut named: Vec<(&str, Vec<(u32, u32)>)> = Vec::new();
        for text in texts {
            let wrong = || {
                Error::internal(format!(
                    "the configuration key 'network_vlan_ranges' has '{text}'; write NAME or NAME:FIRST:LAST with \
                     VLANs from {SMALLEST} to {LARGEST}"
                ))
            };
            let (name, range) = match text.split_once(':') {
                Some((name, range)) => (name, Some(parse_range(range).ok_or_else(wrong)?)),
                None => (text.as_str(), None),
            };
            let fits = range.is_none_or(|(first, last)| first >= SMALLEST && last <= LARGEST);
            if name.is_empty() || !fits {
                return Err(wrong());
            }
            match named.iter_mut().find(|(known, _)| *known == name) {
                Some((_, ranges)) => ranges.extend(range),
                None => named.push((name, range.into_iter().collect())),
            }
        }
        let spans = named.into_iter().map(|(name, ranges)| (name.to_owned(), Spans::new(ranges)));
        Ok(Ranges(spans.collect()))
    }

    /// The physical networks.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The VLANs that projects get.
    pub(crate) fn for_every_project(&self) -> Vec<SegmentRange> {
        let ranges = self.0.iter().flat_map(|(name, spans)| spans.iter().map(move |ends| (name, ends)));
        ranges
            .map(|(name, (minimum, maximum))| SegmentRange {
                physical_network: Some(name.clone()),
                minimum,
                maximum,
                project_id: None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(texts: &[&str]) -> Result<Ranges> {
        Ranges::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_come_with_and_without_vlans_and_more_than_once() {
        let found = ranges(&["a:10:20", "b", "a:30:40"]).unwrap();
        assert_eq!(found.names().collect::<Vec<_>>(), ["a", "b"]);
        let ends: Vec<_> = found.for_every_project().iter().map(|r| (r.minimum, r.maximum)).collect();
        assert_eq!(ends, [(10, 20), (30, 40)]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["a:0:5", "a:5:4095", "a:9:5", ":1:5", "", "a:x:y"] {
            assert!(ranges(&[text]).is_err(), "{text}");
        }
    }
}
