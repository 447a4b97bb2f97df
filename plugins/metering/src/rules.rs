//! Rules: which traffic is counted under a label, or left out of it. In Neutron:
//! `MeteringLabelRule`.

use crate::prefixes::{self, Prefixes};
use crate::{driver, errors, ids, labels, text};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};
use serde::{Deserialize, Serialize};

/// The collection.
pub(crate) const COLLECTION: &str = "metering_label_rules";
/// The attribute with a rule's label.
pub(crate) const LABEL: &str = "metering_label_id";

/// A rule, as its row and as agents are told of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) metering_label_id: String,
    direction: String,
    remote_ip_prefix: Option<String>,
    source_ip_prefix: Option<String>,
    destination_ip_prefix: Option<String>,
    excluded: bool,
}

impl Rule {
    /// What it is about remotely: the only thing that rules are compared by.
    fn remote(&self) -> Prefixes {
        let remote = self.remote_ip_prefix.as_deref().and_then(prefixes::parse);
        Prefixes { remote, ..Prefixes::default() }
    }
}

/// The rules of these labels.
pub(crate) fn of_labels<'a>(labels: impl Iterator<Item = &'a str>) -> Result<Vec<Rule>> {
    let labels: Vec<&str> = labels.collect();
    if labels.is_empty() {
        return Ok(Vec::new());
    }
    store::find(COLLECTION, &Query::all().any_of(LABEL, labels).sort("created_at"))
}

/// Makes a rule. Of one label, direction and sort no two are about the same remote
/// address.
pub(crate) fn create(ctx: &Context, mut body: Document) -> Result<()> {
    let said = Prefixes::read(|name| body.get(name).and_then(Value::as_str)).map_err(errors::invalid)?;
    let label = labels::seen_by(ctx, text(&body, LABEL))?;
    let gone = |error: StoreError| match error {
        StoreError::NotFound | StoreError::MissingReference(_) => errors::label_not_found(&label.id),
        other => other.into(),
    };
    store::lock(labels::COLLECTION, &label.id).map_err(gone)?;
    let alike = Query::all()
        .equal(LABEL, label.id.as_str())
        .equal("direction", text(&body, "direction"))
        .equal("excluded", body.get("excluded").cloned().unwrap_or_default());
    let others: Vec<Rule> = store::find(COLLECTION, &alike)?;
    if others.iter().any(|other| said.overlap(&other.remote())) {
        return Err(errors::overlaps(text(&body, prefixes::REMOTE)));
    }
    for (name, prefix) in said.named() {
        body.insert(name.to_owned(), Value::from(prefix));
    }
    store::insert(COLLECTION, std::slice::from_ref(&body)).map_err(|error| match error {
        InsertError::Store(error) => gone(error),
        other => Error::from(other),
    })?;
    driver::rule_added(&label, &Rule::deserialize(body)?)
}

/// Removes rules.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        let rule = Rule::deserialize(document.clone())?;
        if let Some(label) = store::get(labels::COLLECTION, &rule.metering_label_id)? {
            driver::rule_removed(&label, &rule)?;
        }
    }
    Ok(store::delete(COLLECTION, &ids(documents))?)
}
