//! Shelves and the books on them, with as few rules as can be: what is shown is
//! what the host makes of the manifest.
#![deny(unsafe_code)]

mod declaration;

use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Json, Manifest, Result, ServicePlugin, random, texts};

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

/// How many letters a label has, if it has at least as many as are asked for.
fn label(document: &Document) -> Value {
    let letters = text(document, "words").len();
    let fits = |least: &Value| least.as_u64().is_some_and(|least| letters as u64 >= least);
    match document.get("at_least").and_then(Value::as_array) {
        Some(asked) if !asked.iter().any(fits) => json!({}),
        _ => json!({"letters": letters}),
    }
}

/// The ticket of the reader of that name, which is made when it is first shown.
fn ticket(ctx: &Context, reader: &str, asked: &Value) -> Result<Value> {
    if reader == "nobody" {
        return Err(Error::conflict("NoTicket", "Nobody has no ticket."));
    }
    let of_reader = Query::all().equal("reader", reader);
    let row = match store::find::<Document>("tickets", &of_reader)?.pop() {
        Some(row) => row,
        None => {
            let project = ctx.caller.project_id.as_str();
            let row = json!({"id": random::uuid(), "project_id": project, "reader": reader});
            store::insert("tickets", &[&row])?;
            serde_json::from_value(row)?
        }
    };
    let shown = |name: &str| row.get(name).cloned().unwrap_or_default();
    Ok(json!({"id": shown("id"), "project_id": shown("project_id"), "asked": asked}))
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

    fn act(ctx: &Context, collection: &str, id: &str, action: &str, given: Value) -> Result<Value> {
        match (collection, action) {
            ("tickets", "show") => return ticket(ctx, id, &given),
            ("tickets", "delete") => {
                let row = given.get("id").and_then(Value::as_str).unwrap_or_default();
                store::delete(collection, &[row.to_owned()])?;
                return Ok(Value::Null);
            }
            _ => {}
        }
        let row = store::update::<Document>(collection, id, &json!({"state": "clean"}))?;
        Ok(json!({"spot": row.get("spot")}))
    }

    fn compute(_: &Context, collection: &str, documents: Vec<Document>) -> Result<Vec<Json>> {
        let computed = documents.iter().map(|document| match collection {
            "shelf_labels" => label(document),
            _ => json!({}),
        });
        texts(&computed.collect::<Vec<Value>>())
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
