//! Flavors: what clients choose when they ask for a service, and the profiles
//! behind them that name a provider's driver. In Neutron: `FlavorsDbMixin`.
#![deny(unsafe_code)]

mod errors;
mod flavors;
mod manifest;
mod profiles;

use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin};

/// The plugin.
pub struct Flavors;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn ids(documents: &[Document]) -> Vec<String> {
    documents.iter().map(|document| text(document, "id").to_owned()).collect()
}

/// What is neither enabled nor disabled is enabled, as in Neutron.
fn settle_enabled(document: &mut Document) {
    if let Some(enabled) = document.get_mut("enabled").filter(|enabled| enabled.is_null()) {
        *enabled = Value::Bool(true);
    }
}

fn unknown(what: &str) -> Error {
    Error::internal(format!("'{what}' is nothing this plugin declares"))
}

impl ServicePlugin for Flavors {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn create(_: &Context, collection: &str, mut bodies: Vec<Document>) -> Result<()> {
        bodies.iter_mut().for_each(settle_enabled);
        match collection {
            flavors::COLLECTION => flavors::create(&bodies),
            profiles::COLLECTION => profiles::create(&bodies),
            other => Err(unknown(other)),
        }
    }

    fn update(_: &Context, collection: &str, id: &str, _: Document, mut changes: Document) -> Result<()> {
        settle_enabled(&mut changes);
        match collection {
            flavors::COLLECTION => flavors::update(id, &changes),
            profiles::COLLECTION => profiles::update(id, &changes),
            other => Err(unknown(other)),
        }
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        match collection {
            flavors::COLLECTION => flavors::delete(&ids(&documents)),
            profiles::COLLECTION => profiles::delete(&ids(&documents)),
            other => Err(unknown(other)),
        }
    }

    fn act(_: &Context, _: &str, id: &str, action: &str, given: Value) -> Result<Value> {
        let profile = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
        match action {
            flavors::PUT_PROFILE => flavors::put_profile(id, profile("id")),
            flavors::GET_PROFILE => flavors::get_profile(id, profile("service_profile_id")),
            flavors::TAKE_PROFILE => flavors::take_profile(id, profile("service_profile_id")),
            flavors::NEXT_PROVIDER => flavors::next_provider(id),
            other => Err(unknown(other)),
        }
    }
}

hadron_sdk::service_plugin!(Flavors);

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    #[test]
    fn what_is_not_said_to_be_disabled_is_enabled() {
        for (given, kept) in [
            (json!({"enabled": null}), json!({"enabled": true})),
            (json!({"enabled": false}), json!({"enabled": false})),
            (json!({}), json!({})),
        ] {
            let mut document = given.as_object().unwrap().clone();
            settle_enabled(&mut document);
            assert_eq!(Value::from(document), kept);
        }
    }
}
