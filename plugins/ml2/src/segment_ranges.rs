//! Ranges of numbers that networks get: those of the configuration, which are
//! everybody's, and those that administrators add for everybody or for one
//! project. In Neutron: `NetworkSegmentRangePlugin`.

mod attributes;
mod errors;
mod rules;

pub(crate) use attributes::{COLLECTION, EXTENSIONS, POLICY, collection};

use crate::document::{flag, merged, row, take, text};
use crate::segments;
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Document, Error, Result, Segment, SegmentRange, drivers, random};
use rules::Range;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A range's row.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    shared: bool,
    #[serde(flatten)]
    range: Range,
}

impl Row {
    fn record(&self) -> SegmentRange {
        SegmentRange { project_id: self.project_id.clone().filter(|_| !self.shared), ..self.range.record() }
    }
}

fn of_type(network_type: &str) -> Result<Vec<Row>> {
    store::find(COLLECTION, &Query::all().equal("network_type", network_type).sort("created_at"))
}

/// Keeps the ranges of a type from other units until the end of this one: two
/// that are made at once may overlap.
fn hold(rows: &[Row]) -> Result<()> {
    match rows.iter().find(|row| row.default) {
        Some(first) => Ok(store::lock(COLLECTION, &first.id)?),
        None => Ok(()),
    }
}

/// Makes ranges.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    let ranged: BTreeSet<String> = drivers::ranged_types().into_iter().collect();
    let mut documents = Vec::with_capacity(bodies.len());
    let mut new: Vec<Row> = Vec::with_capacity(bodies.len());
    for mut body in bodies {
        let network_type = text(&body, "network_type").to_owned();
        if !ranged.contains(&network_type) {
            return Err(errors::type_not_supported(&network_type));
        }
        let range = Range::asked_for(&body)?;
        drivers::check_range(&network_type, &range.record())?;
        range.check_place()?;
        hold(&of_type(&network_type)?)?;
        let others = of_type(&network_type)?;
        check_overlap(&range, others.iter().chain(&new), None)?;
        body.insert("physical_network".to_owned(), json!(range.physical_network));
        let mut document = Document::new();
        let project = if flag(&body, "shared") { None } else { body.remove("project_id") };
        document.extend(project.map(|project| ("project_id".to_owned(), project)));
        take(&mut body, &["id", "name"], &mut document);
        document.insert("default".to_owned(), json!(false));
        let kept = ["shared", "network_type", "physical_network", "minimum", "maximum"];
        take(&mut body, &kept, &mut document);
        new.push(row(&document)?);
        documents.push(document);
    }
    store::insert(COLLECTION, &documents)?;
    apply(&new.iter().map(|row| row.range.clone()).collect::<Vec<_>>())
}

fn check_overlap<'a>(
    range: &Range,
    others: impl Iterator<Item = &'a Row>,
    except: Option<&str>,
) -> Result<()> {
    let overlapping: Vec<&str> = others
        .filter(|other| !other.default && Some(other.id.as_str()) != except && range.overlaps(&other.range))
        .map(|other| other.id.as_str())
        .collect();
    if overlapping.is_empty() { Ok(()) } else { Err(errors::overlaps(&overlapping)) }
}

/// Hands numbers out as the rows say from now on; these ranges changed.
fn apply(changed: &[Range]) -> Result<()> {
    let types: BTreeSet<&str> = changed.iter().map(|range| range.network_type.as_str()).collect();
    for network_type in types {
        let added: Vec<SegmentRange> =
            of_type(network_type)?.iter().filter(|row| !row.default).map(Row::record).collect();
        let mut taken: Vec<Segment> = Vec::new();
        for range in changed.iter().filter(|range| range.network_type == network_type) {
            for (segment, _) in segments::in_range(range.place(), network_type, range.minimum, range.maximum)?
            {
                if !taken.contains(&segment) {
                    taken.push(segment);
                }
            }
        }
        drivers::apply_ranges(network_type, &added, &taken)?;
    }
    Ok(())
}

/// Changes a range; its networks must stay in it.
pub(crate) fn update(id: &str, current: &Document, changes: &Document) -> Result<()> {
    let before: Row = row(current)?;
    if before.default {
        return Err(errors::read_only(id));
    }
    hold(&of_type(&before.range.network_type)?)?;
    let after: Row = row(&merged(current, changes))?;
    let numbers: Vec<u32> = used(&before.range)?.into_keys().collect();
    if numbers.iter().any(|number| !after.range.contains(*number)) {
        return Err(errors::referenced(id));
    }
    drivers::check_range(&after.range.network_type, &after.range.record())?;
    check_overlap(&after.range, of_type(&after.range.network_type)?.iter(), Some(id))?;
    store::update::<Document>(COLLECTION, id, changes)?;
    if after.range == before.range { Ok(()) } else { apply(&[before.range, after.range]) }
}

/// Removes ranges that no network has a number of.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let rows = documents.iter().map(row::<Row>).collect::<Result<Vec<_>>>()?;
    for row in &rows {
        if row.default {
            return Err(errors::read_only(&row.id));
        }
        hold(&of_type(&row.range.network_type)?)?;
        if !used(&row.range)?.is_empty() {
            return Err(errors::referenced(&row.id));
        }
    }
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    store::delete(COLLECTION, &ids).map_err(|error| match error {
        StoreError::NotFound => errors::range_not_found(&ids.join(",")),
        other => Error::from(other),
    })?;
    apply(&rows.into_iter().map(|row| row.range).collect::<Vec<_>>())
}

/// Numbers of a range that segments have, and whose the networks are.
fn used(range: &Range) -> Result<BTreeMap<u32, String>> {
    let segments = segments::in_range(range.place(), &range.network_type, range.minimum, range.maximum)?;
    Ok(segments
        .into_iter()
        .filter_map(|(segment, project)| Some((segment.segmentation_id?, project)))
        .collect())
}

/// What ranges show that is not kept: which numbers are used by whom, and which
/// are left.
pub(crate) fn compute(documents: &[Document]) -> Result<Vec<Document>> {
    documents
        .iter()
        .map(|document| {
            let row: Row = row(document)?;
            let used = used(&row.range)?;
            let mut computed = Document::new();
            computed.insert("available".to_owned(), json!(row.range.left(&used)));
            let used: BTreeMap<String, Value> =
                used.into_iter().map(|(number, project)| (number.to_string(), json!(project))).collect();
            computed.insert("used".to_owned(), serde_json::to_value(used)?);
            Ok(computed)
        })
        .collect()
}

/// Makes the default ranges those of the type drivers' configurations.
/// In Neutron: `initialize_network_segment_range_support`.
pub(crate) fn follow_configuration() -> Result<()> {
    let mut configured: Vec<Range> = Vec::new();
    for network_type in drivers::ranged_types() {
        let ranges = drivers::configured_ranges(&network_type)?;
        configured.extend(ranges.into_iter().map(|range| Range::configured(&network_type, range)));
    }
    let rows: Vec<Row> = store::find(COLLECTION, &Query::all().equal("default", true))?;
    let (kept, gone): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| configured.contains(&row.range));
    let new: Vec<Row> = configured
        .into_iter()
        .filter(|range| !kept.iter().any(|row| row.range == *range))
        .map(|range| Row {
            id: random::uuid(),
            project_id: None,
            name: String::new(),
            default: true,
            shared: true,
            range,
        })
        .collect();
    store::delete(COLLECTION, &gone.iter().map(|row| row.id.clone()).collect::<Vec<_>>())?;
    store::insert(COLLECTION, &new)?;
    let served = drivers::ranged_types();
    let changed = gone.into_iter().chain(new).map(|row| row.range);
    apply(&changed.filter(|range| served.contains(&range.network_type)).collect::<Vec<_>>())
}
