//! Binds books of the library: refers to another plugin's rows by a collection of
//! its own and by an attribute that it adds.
#![deny(unsafe_code)]

use hadron_sdk::manifest::{Attribute, Collection, Extends, Reference, Refusal, Validator};
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Context, Document, Manifest, Result, ServicePlugin, store};

/// The plugin.
pub struct Binder;

fn attribute(name: &str, validate: Validator) -> Attribute {
    Attribute {
        name: name.into(),
        validate,
        nullable: true,
        post: true,
        put: true,
        filter: true,
        default: Some(Value::Null),
        ..Attribute::default()
    }
}

fn reference(attribute: &str, collection: &str, error: &str, message: &str) -> Reference {
    Reference {
        attribute: attribute.into(),
        collection: collection.into(),
        refusal: Some(Refusal { error: error.into(), message: message.into() }),
        ..Reference::default()
    }
}

/// What a book is bound in; one copy is the model of others.
fn bindings() -> Collection {
    Collection {
        name: "bindings".into(),
        member: "binding".into(),
        attributes: vec![
            attribute("colour", Validator::String { max: None }),
            attribute("book_id", Validator::Uuid),
        ],
        references: vec![reference(
            "book_id",
            "library_books",
            "BookBound",
            "Book {id} is bound in {by.colour} by {by}.",
        )],
        ..Collection::default()
    }
}

impl ServicePlugin for Binder {
    fn manifest() -> Manifest {
        Manifest {
            collections: vec![bindings()],
            extends: vec![Extends {
                collection: "library_shelves".into(),
                attributes: vec![attribute("binder:sample_id", Validator::Uuid)],
                references: vec![reference(
                    "binder:sample_id",
                    "bindings",
                    "BindingShown",
                    "Binding {id} is shown on shelf {by}.",
                )],
                ..Extends::default()
            }],
            ..hadron_sdk::manifest!("binder", "binds books")
        }
    }

    fn create(_: &Context, collection: &str, bodies: Vec<Document>) -> Result<()> {
        Ok(store::insert(collection, &bodies)?)
    }

    fn update(_: &Context, collection: &str, id: &str, _: Document, changes: Document) -> Result<()> {
        store::update::<Document>(collection, id, &changes).map(drop)
    }

    fn delete(_: &Context, collection: &str, documents: Vec<Document>) -> Result<()> {
        let ids = documents.iter().filter_map(|document| document.get("id").and_then(Value::as_str));
        Ok(store::delete(collection, &ids.map(str::to_owned).collect::<Vec<_>>())?)
    }
}

hadron_sdk::service_plugin!(Binder);
