//! Shelves and the books on them, with as few rules as can be: what is shown is
//! what the host makes of the manifest.
#![deny(unsafe_code)]

mod declaration;

use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, StoreError};
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin};

/// The plugin.
pub struct Library;

fn ids(documents: &[Document]) -> Vec<String> {
    let ids = documents.iter().filter_map(|document| document.get("id").and_then(Value::as_str));
    ids.map(str::to_owned).collect()
}

impl ServicePlugin for Library {
    fn manifest() -> Manifest {
        declaration::manifest()
    }

    fn create(_: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        Ok(store::insert(collection, &bodies)?)
    }

    fn update(_: &Context, collection: &str, id: &str, _: Document, changes: Document) -> Result<()> {
        store::update::<Document>(collection, id, &changes).map(drop)
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        store::delete(collection, &ids(&documents)).map_err(|error| match error {
            StoreError::InUse(_) => Error::conflict("LibraryInUse", "Something is still there."),
            other => other.into(),
        })
    }
}

hadron_sdk::service_plugin!(Library);
