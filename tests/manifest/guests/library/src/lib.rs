//! Shelves and the books on them, with as few rules as can be: what is shown is
//! what the host makes of the manifest.
#![deny(unsafe_code)]

mod declaration;

use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin, random};

/// The plugin.
pub struct Library;

/// The reader that every project has.
const ANYBODY: &str = "anybody";

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Writes down on a shelf which book came last.
fn note(shelf: &str, newest: &str) -> Result<()> {
    store::update::<Document>("library_shelves", shelf, &json!({"newest": newest})).map(drop)
}

fn ids(documents: &[Document]) -> Vec<String> {
    documents.iter().map(|document| text(document, "id").to_owned()).collect()
}

impl ServicePlugin for Library {
    fn manifest() -> Manifest {
        declaration::manifest()
    }

    fn create(_: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        store::insert(collection, &bodies)?;
        for body in &bodies {
            let name = text(body, "name");
            match collection {
                "library_shelves" => note(text(body, "id"), "none yet")?,
                "library_books" => note(text(body, "shelf_id"), name)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn act(_: &Context, collection: &str, id: &str, _: &str, _: Value) -> Result<Value> {
        let row = store::update::<Document>(collection, id, &json!({"state": "clean"}))?;
        Ok(json!({"spot": row.get("spot")}))
    }

    fn compute(_: &Context, collection: &str, documents: Vec<Document>) -> Result<Vec<Document>> {
        let letters = |document: &Document| match collection {
            "shelf_labels" => json!({"letters": text(document, "words").len()}),
            _ => json!({}),
        };
        documents.iter().map(|document| Ok(serde_json::from_value(letters(document))?)).collect()
    }

    fn first_use(_: &Context, collection: &str, project: &str) -> Result<()> {
        let anybody = Query::all().equal("project_id", project).equal("name", ANYBODY);
        match store::count(collection, &anybody)? {
            0 => {
                let row = json!({"id": random::uuid(), "project_id": project, "name": ANYBODY});
                Ok(store::insert(collection, &[row])?)
            }
            _ => Ok(()),
        }
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
