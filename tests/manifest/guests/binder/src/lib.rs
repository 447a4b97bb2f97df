//! Binds books of the library: refers to another plugin's rows by a collection of
//! its own and by an attribute that it adds.
#![deny(unsafe_code)]

use hadron_sdk::events::{Event, Extension, Moment};
use hadron_sdk::manifest::{
    self, Action, Attribute, Collection, Computed, Extends, Reference, Refusal, Subscription, Validator, Verb,
};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::{Context, Document, Json, Manifest, Operation, Result, ServicePlugin, random, store, texts};

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
        actions: vec![Action { name: "paint".into(), verb: Verb::Update, ..Action::default() }],
        references: vec![reference(
            "book_id",
            "library_books",
            "BookBound",
            "Book {id} is bound in {by.colour} by {by}.",
        )],
        ..Collection::default()
    }
}

/// What it heard of.
fn heards() -> Collection {
    Collection {
        name: "heards".into(),
        member: "heard".into(),
        attributes: ["about", "said"].map(|name| attribute(name, Validator::String { max: None })).into(),
        ..Collection::default()
    }
}

/// Colours of books.
fn of_books() -> Extends {
    let colour = Attribute { enforce: true, ..attribute("binder:colour", Validator::String { max: None }) };
    let asked = Attribute {
        post: false,
        put: false,
        default: Some(json!(false)),
        ..attribute("binder:asked", Validator::Boolean)
    };
    let computed = |name: &str, absent: bool| Computed {
        attribute: attribute(name, Validator::Integer { min: None, max: None }),
        when: vec!["binder:colour".into()],
        absent,
    };
    Extends {
        collection: "library_books".into(),
        attributes: vec![colour, asked],
        computed: vec![computed("binder:page", false), computed("binder:more", true)],
        when_given: true,
        ..Extends::default()
    }
}

impl ServicePlugin for Binder {
    fn manifest() -> Manifest {
        Manifest {
            collections: vec![bindings(), heards()],
            events: ["library_shelves", "library_books", "readers"]
                .map(|collection| Subscription {
                    collection: collection.into(),
                    on: vec![
                        manifest::Moment::AfterCreate,
                        manifest::Moment::BeforeUpdate,
                        manifest::Moment::AfterUpdate,
                    ],
                })
                .into(),
            policy: [("create_shelf_book:binder:colour".to_owned(), "role:admin".to_owned())].into(),
            extends: vec![
                of_books(),
                Extends {
                    collection: "library_shelves".into(),
                    attributes: vec![attribute("binder:sample_id", Validator::Uuid)],
                    references: vec![reference(
                        "binder:sample_id",
                        "bindings",
                        "BindingShown",
                        "Binding {id} is shown on shelf {by}.",
                    )],
                    ..Extends::default()
                },
            ],
            ..hadron_sdk::manifest!("binder", "binds books")
        }
    }

    fn act(_: &Context, _: &str, id: &str, _: &str, _: Value) -> Result<Value> {
        let Some(binding) = store::get::<Document>("bindings", id)? else { return Ok(Value::Null) };
        let book = binding.get("book_id").and_then(Value::as_str).unwrap_or_default();
        store::annotate("library_books", book, &json!({"binder:colour": binding.get("colour")}))?;
        Ok(Value::Null)
    }

    fn extend(_: &Context, collection: &str, _: Operation, items: Vec<Extension>) -> Result<Vec<Document>> {
        items
            .iter()
            .map(|item| {
                let mut values: Document = serde_json::from_str(&item.requested)?;
                if collection == "library_books" {
                    values.insert("binder:asked".into(), json!(true));
                }
                Ok(values)
            })
            .collect()
    }

    /// Says with how many other books the plugin was asked about it.
    fn compute(_: &Context, _: &str, documents: Vec<Document>) -> Result<Vec<Json>> {
        let page = json!(documents.len());
        let each =
            |_| Document::from_iter(["binder:page", "binder:more"].map(|name| (name.into(), page.clone())));
        texts(&documents.iter().map(each).collect::<Vec<_>>())
    }

    fn notify(_: &Context, event: Event) -> Result<()> {
        let mut rows = Vec::new();
        for (place, text) in event.documents.iter().enumerate() {
            let about: Document = serde_json::from_str(text)?;
            let changes: Document = match event.changes.get(place) {
                Some(changes) => serde_json::from_str(changes)?,
                None => Document::new(),
            };
            let moment = match event.moment {
                Moment::AfterCreate => "created",
                Moment::BeforeUpdate => "changing",
                _ => "updated",
            };
            let said = format!(
                "{moment} {} {}",
                event.collection,
                changes.keys().cloned().collect::<Vec<_>>().join(",")
            );
            rows.push(json!({"id": random::uuid(), "about": about.get("id"), "said": said.trim_end()}));
        }
        Ok(store::insert("heards", &rows)?)
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
