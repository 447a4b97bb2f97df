//! Who provides routers, firewalls and the like: a list that the operator
//! configures and clients read. In Neutron: `ServiceTypeManager`.
#![deny(unsafe_code)]

mod provider;

use hadron_sdk::manifest::{ApiExtension, Attribute, Collection, ConfigKey, Standard, Validator};
use hadron_sdk::serde_json::json;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin, config};

const COLLECTION: &str = "service_providers";
const KEY: &str = "service_provider";

/// The plugin.
pub struct ServiceProviders;

fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, filter: true, ..Attribute::default() }
}

/// Only the operator makes and changes providers.
fn read_only() -> Error {
    Error::not_found("HTTPNotFound", "The resource could not be found.")
}

impl ServicePlugin for ServiceProviders {
    fn manifest() -> Manifest {
        let text = || Validator::String { max: None };
        Manifest {
            collections: vec![Collection {
                name: COLLECTION.to_owned(),
                member: "service_provider".to_owned(),
                attributes: vec![
                    shown("service_type", text()),
                    shown("name", text()),
                    shown("default", Validator::Boolean),
                    Attribute { hidden: true, ..shown("driver", text()) },
                ],
                without: ["id", "project_id", "tenant_id", "revision_number", "created_at", "updated_at"]
                    .map(str::to_owned)
                    .to_vec(),
                standard: Standard::NONE,
                ..Collection::default()
            }],
            extensions: vec![ApiExtension {
                name: "Neutron Service Type Management".to_owned(),
                alias: "service-type".to_owned(),
                description: "API for retrieving service providers for Neutron advanced services".to_owned(),
                updated: "2013-01-20T00:00:00-00:00".to_owned(),
            }],
            policy: [("get_service_provider".to_owned(), "role:reader".to_owned())].into(),
            config: vec![ConfigKey {
                name: KEY.to_owned(),
                description: "providers in the order in which they are listed, each \
                              SERVICE_TYPE:NAME:DRIVER or SERVICE_TYPE:NAME:DRIVER:default"
                    .to_owned(),
                default: json!([]),
            }],
            start: true,
            ..hadron_sdk::manifest!("service-providers", "providers of services, from the configuration")
        }
    }

    /// Makes the rows those of the configuration.
    fn start(_: &Context) -> Result<()> {
        let wanted = provider::parse(&config::or(KEY, Vec::<String>::new())?)?;
        let there: Vec<Document> = store::find(COLLECTION, &Query::all())?;
        let id = |document: &Document| document.get("id").and_then(|id| id.as_str()).map(str::to_owned);
        let rows = wanted.iter().enumerate().map(|(place, provider)| provider.document(place));
        let rows: Vec<Document> = rows.collect();
        let same =
            |row: &Document, old: &Document| row.iter().all(|(name, value)| old.get(name) == Some(value));
        let kept = |old: &Document| rows.iter().any(|row| same(row, old));
        let gone: Vec<String> = there.iter().filter(|old| !kept(old)).filter_map(id).collect();
        store::delete(COLLECTION, &gone)?;
        let fresh: Vec<&Document> =
            rows.iter().filter(|row| !there.iter().any(|old| same(row, old))).collect();
        if fresh.is_empty() { Ok(()) } else { Ok(store::insert(COLLECTION, &fresh)?) }
    }

    fn create(_: &Context, _: &str, _: Vec<Document>) -> Result<()> {
        Err(read_only())
    }

    fn update(_: &Context, _: &str, _: &str, _: Document, _: Document) -> Result<()> {
        Err(read_only())
    }

    fn delete(_: &Context, _: &str, _: Vec<Document>) -> Result<()> {
        Err(read_only())
    }
}

hadron_sdk::service_plugin!(ServiceProviders);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&ServiceProviders::manifest()), Vec::<String>::new());
    }
}
