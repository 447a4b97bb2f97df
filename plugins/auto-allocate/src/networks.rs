//! The external network that topologies lead to: one of them at most is the
//! default. In Neutron: `_ensure_external_network_default_value_callback`.

use crate::{errors, text};
use hadron_sdk::events::{Event, Extension, Moment};
use hadron_sdk::manifest::{Attribute, Collection, Extends, Key, Subscription, Validator};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result, random, resources};

/// Collection of networks.
pub(crate) const NETWORKS: &str = "networks";
/// Whether a network is the default.
const IS_DEFAULT: &str = "is_default";
/// Whether a network leads outside.
const EXTERNAL: &str = "router:external";

/// Which network was chosen last: a row that two who choose at the same time
/// both write, so that one of them is told. What is the default now, networks
/// say themselves.
const CHOSEN: &str = "default_external_networks";
/// What it is chosen for.
const PURPOSE: &str = "purpose";

/// What the plugin adds to networks.
pub(crate) fn extends() -> Extends {
    Extends {
        collection: NETWORKS.to_owned(),
        attributes: vec![Attribute {
            name: IS_DEFAULT.to_owned(),
            validate: Validator::Boolean,
            post: true,
            put: true,
            enforce: true,
            filter: true,
            default: Some(json!(false)),
            ..Attribute::default()
        }],
        when_given: true,
        ..Extends::default()
    }
}

/// The declaration of the private collection.
pub(crate) fn chosen() -> Collection {
    let attribute = |name: &str| Attribute {
        name: name.to_owned(),
        validate: Validator::String { max: Some(36) },
        ..Attribute::default()
    };
    Collection {
        name: CHOSEN.to_owned(),
        member: "default_external_network".to_owned(),
        private: true,
        attributes: vec![attribute(PURPOSE), attribute("network_id")],
        keys: vec![Key { name: PURPOSE.to_owned(), attributes: vec![PURPOSE.to_owned()] }],
        ..Collection::default()
    }
}

/// Networks may turn from external ones into others.
pub(crate) fn subscription() -> Subscription {
    Subscription { collection: NETWORKS.to_owned(), on: vec![hadron_sdk::manifest::Moment::AfterUpdate] }
}

/// The default external network, if the caller sees one.
pub(crate) fn default() -> Result<Option<String>> {
    let found = Query::all().equal(IS_DEFAULT, true).equal(EXTERNAL, true).limit(1);
    let found: Vec<Document> = resources::find(NETWORKS, &found)?;
    Ok(found.first().map(|network| text(network, "id").to_owned()))
}

/// Of a network that is to be the default, or no longer. One that leads nowhere
/// is none, whatever is asked for.
pub(crate) fn extend(item: &Extension) -> Result<Document> {
    let requested: Document = serde_json::from_str(&item.requested)?;
    let asked = requested.get(IS_DEFAULT) == Some(&Value::Bool(true));
    let becomes = asked && is_external(item)?;
    if becomes {
        if let Some(other) = default()?.filter(|other| *other != item.id) {
            return Err(errors::default_exists(&other));
        }
        choose(&item.id)?;
    }
    Ok(Document::from_iter([(IS_DEFAULT.to_owned(), Value::Bool(becomes))]))
}

fn is_external(item: &Extension) -> Result<bool> {
    let network: Document = serde_json::from_str(&item.document)?;
    let known = match network.get(EXTERNAL) {
        Some(known) => Some(known.clone()),
        None => resources::get::<Document>(NETWORKS, &item.id)?.and_then(|mut row| row.remove(EXTERNAL)),
    };
    Ok(known == Some(Value::Bool(true)))
}

/// Writes down that this one is chosen.
fn choose(network: &str) -> Result<()> {
    let there: Vec<Document> = store::find(CHOSEN, &Query::all())?;
    match there.first() {
        Some(row) => {
            store::update::<Document>(CHOSEN, text(row, "id"), &json!({"network_id": network})).map(drop)
        }
        None => {
            let row = json!({"id": random::uuid(), PURPOSE: EXTERNAL, "network_id": network});
            Ok(store::insert(CHOSEN, &[row])?)
        }
    }
}

/// A network that is external no longer is not the default either.
pub(crate) fn changed(event: &Event) -> Result<()> {
    if event.moment != Moment::AfterUpdate {
        return Ok(());
    }
    for (network, changes) in event.documents.iter().zip(&event.changes) {
        let changes: Document = serde_json::from_str(changes)?;
        if changes.get(EXTERNAL) != Some(&Value::Bool(false)) {
            continue;
        }
        let network: Document = serde_json::from_str(network)?;
        if network.get(IS_DEFAULT) == Some(&Value::Bool(true)) {
            store::annotate(NETWORKS, text(&network, "id"), &json!({ IS_DEFAULT: false }))?;
        }
    }
    Ok(())
}
