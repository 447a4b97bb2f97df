//! Providers: who carries load balancers out, as the operator configures. In
//! Octavia: `ProviderController`.

use crate::attribute::{shown, string};
use crate::document::{ids, text};
use crate::settings::Settings;
use hadron_sdk::manifest::{Action, Called, Collection, Standard, Verb};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result};

pub(crate) const COLLECTION: &str = "load_balancer_providers";
/// Actions: what a flavor, and a zone, can ask of a provider.
pub(crate) const FLAVOR_CAPABILITIES: &str = "flavor_capabilities";
/// See [`FLAVOR_CAPABILITIES`].
pub(crate) const ZONE_CAPABILITIES: &str = "availability_zone_capabilities";

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let action = |name: &str| Action { name: name.to_owned(), verb: Verb::Get, path: None, takes: None };
    Collection {
        name: COLLECTION.to_owned(),
        member: "provider".to_owned(),
        called: Some(Called { collection: "providers".to_owned(), member: "provider".to_owned() }),
        path_prefix: crate::manifest::PREFIX.to_owned(),
        attributes: vec![shown("name", string(64)), shown("description", string(255))],
        actions: vec![action(FLAVOR_CAPABILITIES), action(ZONE_CAPABILITIES)],
        without: ["id", "project_id", "tenant_id", "revision_number", "created_at", "updated_at"]
            .map(str::to_owned)
            .to_vec(),
        not_found: Some("ProviderNotEnabledError".to_owned()),
        not_found_says: Some("Provider '{id}' is not enabled.".to_owned()),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

/// Makes the rows those of the configuration; a provider's name is its id.
pub(crate) fn refresh() -> Result<()> {
    let there: Vec<Document> = store::find(COLLECTION, &Query::all())?;
    let wanted = Settings::load()?.providers;
    let same =
        |row: &Document| wanted.get(text(row, "id")).is_some_and(|said| said == text(row, "description"));
    let gone: Vec<Document> = there.iter().filter(|row| !same(row)).cloned().collect();
    store::delete(COLLECTION, &ids(&gone)).map_err(Error::from)?;
    let kept: Vec<&str> = there.iter().filter(|row| same(row)).map(|row| text(row, "id")).collect();
    let fresh = wanted.iter().filter(|(name, _)| !kept.contains(&name.as_str()));
    let fresh: Vec<Value> = fresh
        .map(|(name, description)| json!({"id": name, "name": name, "description": description}))
        .collect();
    if fresh.is_empty() { Ok(()) } else { Ok(store::insert(COLLECTION, &fresh)?) }
}

/// What a provider can be asked for by flavors and zones is opaque here: those
/// that carry load balancers out read it, and none declares anything.
pub(crate) fn act(action: &str) -> Result<Value> {
    Ok(json!({ action: [] }))
}
