//! Taking numbers and giving them back. Each share of a place is a pool of the
//! host's, so that no number is given twice, and none is handed out that has to
//! be asked for.

use crate::shares::{Share, Shares};
use crate::{Spans, segment};
use hadron_sdk::manifest::{Attribute, Collection, Validator};
use hadron_sdk::pools::{self, PoolError};
use hadron_sdk::serde_json::json;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Result, Segment, SegmentRange, random};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Ranges that were added to those of the configuration.
const COLLECTION: &str = "segment_ranges";

#[derive(Deserialize)]
struct Row {
    id: String,
    physical_network: Option<String>,
    minimum: u32,
    maximum: u32,
    of_project: Option<String>,
}

/// The declaration of the private collection.
pub(crate) fn collection() -> Collection {
    let attribute = |name: &str, validate| Attribute {
        name: name.to_owned(),
        validate,
        nullable: true,
        ..Attribute::default()
    };
    let number = || Validator::Integer { min: None, max: None };
    let text = || Validator::String { max: Some(255) };
    Collection {
        name: COLLECTION.to_owned(),
        member: "segment_range".to_owned(),
        private: true,
        attributes: vec![
            attribute("physical_network", text()),
            attribute("minimum", number()),
            attribute("maximum", number()),
            attribute("of_project", text()),
        ],
        ..Collection::default()
    }
}

/// A physical network and a number that were taken.
pub(crate) type Taken = (Option<String>, u32);

/// The numbers of a type.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// E.g. `vlan`.
    pub network_type: &'static str,
    /// The smallest and the largest there is.
    pub limits: (u32, u32),
    /// Places that the configuration names; one without a name where the type
    /// has no physical networks.
    pub places: Vec<Option<String>>,
    /// Ranges of the configuration.
    pub configured: Vec<SegmentRange>,
}

impl Numbers {
    fn rows() -> Result<Vec<Row>> {
        store::find(COLLECTION, &Query::all())
    }

    fn shares_of(&self, rows: &[Row]) -> Vec<Shares> {
        let added = rows.iter().map(|row| SegmentRange {
            physical_network: row.physical_network.clone(),
            minimum: row.minimum,
            maximum: row.maximum,
            project_id: row.of_project.clone(),
        });
        let ranges: Vec<SegmentRange> = self.configured.iter().cloned().chain(added).collect();
        let places: Vec<Option<&str>> = self.places.iter().map(Option::as_deref).collect();
        Shares::of_places(&places, &ranges, &Spans::new(vec![self.limits]))
    }

    fn shares(&self) -> Result<Vec<Shares>> {
        Ok(self.shares_of(&Numbers::rows()?))
    }

    fn define(&self, shares: &[Shares]) -> Result<()> {
        for shares in shares {
            for (share, spans) in shares.iter() {
                pools::define(&shares.pool(self.network_type, share), &spans.for_pool())?;
            }
        }
        Ok(())
    }

    /// Sets the pools up.
    pub fn start(&self) -> Result<()> {
        self.define(&self.shares()?)
    }

    /// Hands numbers out from these ranges too, and no longer from those that
    /// were added before. Taken numbers go along to the pools they belong to
    /// now.
    pub fn apply(&self, ranges: &[SegmentRange], taken: &[Segment]) -> Result<()> {
        let rows = Numbers::rows()?;
        let before = self.shares_of(&rows);
        let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
        store::delete(COLLECTION, &ids)?;
        let new: Vec<_> = ranges
            .iter()
            .map(|range| {
                json!({
                    "id": random::uuid(),
                    "physical_network": range.physical_network,
                    "minimum": range.minimum,
                    "maximum": range.maximum,
                    "of_project": range.project_id,
                })
            })
            .collect();
        store::insert(COLLECTION, &new)?;
        let after = self.shares()?;
        self.give_back_all(before.iter().chain(&after), taken)?;
        self.define(&after)?;
        for old in &before {
            let new = after.iter().find(|new| new.place == old.place);
            let gone = |(share, _): &(Share<'_>, &Spans)| match (share, new) {
                (_, None) => true,
                (Share::Of(project), Some(new)) => !new.own.contains_key(*project),
                _ => false,
            };
            for (share, _) in old.iter().filter(gone) {
                pools::drop(&old.pool(self.network_type, share))?;
            }
        }
        for segment in taken {
            if let Some(number) = segment.segmentation_id
                && let Some(shares) = after.iter().find(|shares| shares.place == segment.physical_network)
            {
                self.take_from(shares, number)?;
            }
        }
        Ok(())
    }

    fn give_back_all<'a>(&self, all: impl Iterator<Item = &'a Shares>, taken: &[Segment]) -> Result<()> {
        let mut of_place: BTreeMap<Option<&str>, Vec<u64>> = BTreeMap::new();
        for segment in taken {
            let numbers = of_place.entry(segment.physical_network.as_deref()).or_default();
            numbers.extend(segment.segmentation_id.map(u64::from));
        }
        for shares in all {
            let Some(numbers) = of_place.get(&shares.place.as_deref()) else { continue };
            for (share, _) in shares.iter() {
                match pools::give_back(&shares.pool(self.network_type, share), numbers) {
                    // Nothing was ever taken from a pool that is not there.
                    Ok(()) | Err(PoolError::Unknown) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn take_from(&self, shares: &Shares, number: u32) -> Result<bool> {
        let Some(share) = shares.of_number(number) else { return Ok(false) };
        match pools::take_given(&shares.pool(self.network_type, share), number.into()) {
            Ok(()) => Ok(true),
            Err(PoolError::Taken) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Any number for a network of that project, of one place or of any: one of
    /// its own first.
    pub fn take(&self, project: &str, place: Option<&str>) -> Result<Option<Taken>> {
        let mut shares = self.shares()?;
        shares.retain(|shares| place.is_none() || shares.place.as_deref() == place);
        let own = shares.iter().filter(|shares| shares.own.contains_key(project));
        let own = own.map(|shares| (shares, Share::Of(project)));
        let shared = shares.iter().filter(|shares| !shares.shared.is_empty());
        let shared = shared.map(|shares| (shares, Share::Shared));
        for (shares, share) in own.chain(shared) {
            match pools::take(&shares.pool(self.network_type, share)) {
                Ok(number) => return Ok(u32::try_from(number).ok().map(|n| (shares.place.clone(), n))),
                Err(PoolError::Exhausted) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// This very number, from within the ranges or not; false when it is taken.
    pub fn take_given(&self, place: Option<&str>, number: u32) -> Result<bool> {
        let shares = self.shares()?;
        match shares.iter().find(|shares| shares.place.as_deref() == place) {
            Some(shares) => self.take_from(shares, number),
            None => Ok(false),
        }
    }

    /// Whether there is such a physical network, by configuration or by a range.
    pub fn knows(&self, place: &str) -> Result<bool> {
        let named = self.places.iter().any(|known| known.as_deref() == Some(place));
        Ok(named || Numbers::rows()?.iter().any(|row| row.physical_network.as_deref() == Some(place)))
    }

    /// Gives a number back.
    pub fn give_back(&self, place: Option<&str>, number: u32) -> Result<()> {
        let taken = segment(self.network_type, place.map(str::to_owned), Some(number));
        let shares = self.shares()?;
        self.give_back_all(shares.iter(), &[taken])
    }
}
