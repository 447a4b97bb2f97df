//! What there is.

use hadron_sdk::Manifest;
use hadron_sdk::manifest::{
    Action, Attribute, Called, Collection, Derived, DerivedFrom, Key, OnDelete, Parent, Reference, RowsOf,
    Validator, Verb,
};
use hadron_sdk::serde_json::json;

fn text(name: &str) -> Attribute {
    Attribute {
        name: name.into(),
        validate: Validator::String { max: Some(255) },
        post: true,
        put: true,
        filter: true,
        default: Some(json!("")),
        ..Attribute::default()
    }
}

fn id(name: &str) -> Attribute {
    Attribute { name: name.into(), validate: Validator::Uuid, ..Attribute::default() }
}

fn called(collection: &str, member: &str) -> Option<Called> {
    Some(Called { collection: collection.into(), member: member.into() })
}

/// `/v2.0/library/wooden_shelves`.
fn shelves() -> Collection {
    Collection {
        name: "library_shelves".into(),
        member: "library_shelf".into(),
        called: called("wooden_shelves", "shelf"),
        path_prefix: "library".into(),
        attributes: vec![text("name"), Attribute { put: false, post: false, ..text("newest") }],
        derived: vec![Derived {
            name: "books".into(),
            from: DerivedFrom::Rows(vec![RowsOf {
                collection: "library_books".into(),
                attribute: "shelf_id".into(),
                ..RowsOf::default()
            }]),
        }],
        ..Collection::default()
    }
}

/// `/v2.0/library/wooden_shelves/{shelf_id}/books`.
fn books() -> Collection {
    Collection {
        name: "library_books".into(),
        member: "library_book".into(),
        called: called("books", "book"),
        parent: Some(Parent { collection: "library_shelves".into(), attribute: "shelf_id".into() }),
        attributes: vec![text("name"), id("shelf_id")],
        references: vec![Reference {
            attribute: "shelf_id".into(),
            collection: "library_shelves".into(),
            ..Reference::default()
        }],
        ..Collection::default()
    }
}

/// Every project has a reader `anybody`.
fn readers() -> Collection {
    Collection {
        name: "readers".into(),
        member: "reader".into(),
        attributes: vec![text("name")],
        keys: vec![Key { name: "name".into(), attributes: vec!["project_id".into(), "name".into()] }],
        first_use: true,
        ..Collection::default()
    }
}

/// `/v2.0/deer`: one is called as several are, and wild ones are nobody's.
fn deer() -> Collection {
    Collection {
        name: "deer".into(),
        member: "deer".into(),
        attributes: vec![text("name")],
        ownerless: true,
        ..Collection::default()
    }
}

/// `/v2.0/library/wooden_shelves/{shelf_id}/places/{place}`.
fn places() -> Collection {
    Collection {
        name: "library_places".into(),
        member: "library_place".into(),
        called: called("places", "place"),
        parent: Some(Parent { collection: "library_shelves".into(), attribute: "shelf_id".into() }),
        named_by: Some("spot".into()),
        without: ["id", "project_id", "tenant_id"].map(Into::into).into(),
        not_found: Some("PlaceNotFound".into()),
        not_found_says: Some("Shelf {parent} has no place {id}.".into()),
        attributes: vec![
            Attribute { put: false, required: true, default: None, ..text("spot") },
            text("state"),
            Attribute { hidden: true, ..id("shelf_id") },
        ],
        keys: vec![Key { name: "spot".into(), attributes: vec!["shelf_id".into(), "spot".into()] }],
        references: vec![Reference {
            attribute: "shelf_id".into(),
            collection: "library_shelves".into(),
            on_delete: OnDelete::Cascade,
            ..Reference::default()
        }],
        actions: vec![Action { name: "clean".into(), verb: Verb::Update, ..Action::default() }],
        ..Collection::default()
    }
}

/// `/v2.0/shelf_labels`: of shelves, to be read.
fn labels() -> Collection {
    Collection {
        name: "shelf_labels".into(),
        member: "shelf_label".into(),
        of: Some("library_shelves".into()),
        without: ["id", "revision_number", "created_at", "updated_at"].map(Into::into).into(),
        attributes: vec![
            Attribute { of: Some("id".into()), filter: true, ..id("shelf_id") },
            Attribute { of: Some("name".into()), ..text("words") },
            Attribute { of: Some("tags".into()), ..Attribute::default() }.named("marks"),
        ],
        computed: vec![
            Attribute { validate: Validator::Integer { min: None, max: None }, ..Attribute::default() }
                .named("letters")
                .into(),
        ],
        asks: vec![
            Attribute { validate: Validator::Integer { min: None, max: None }, ..Attribute::default() }
                .named("at_least"),
        ],
        ..Collection::default()
    }
}

/// `/v2.0/book_titles/{id}`: of books, without their shelf.
fn titles() -> Collection {
    Collection {
        name: "book_titles".into(),
        member: "book_title".into(),
        of: Some("library_books".into()),
        writes: true,
        attributes: vec![
            Attribute { of: Some("name".into()), ..text("title") },
            Attribute { of: Some("shelf_id".into()), ..id("on") },
        ],
        ..Collection::default()
    }
}

/// `/v2.0/tickets/{reader}`: made when they are looked at.
fn tickets() -> Collection {
    Collection {
        name: "tickets".into(),
        member: "ticket".into(),
        attributes: vec![Attribute { hidden: true, ..text("reader") }],
        on_demand: true,
        ..Collection::default()
    }
}

trait Named {
    fn named(self, name: &str) -> Self;
}

impl Named for Attribute {
    fn named(self, name: &str) -> Attribute {
        Attribute { name: name.into(), ..self }
    }
}

pub(crate) fn manifest() -> Manifest {
    Manifest {
        collections: vec![shelves(), books(), readers(), deer(), places(), labels(), titles(), tickets()],
        policy: [
            ("create_shelf_book", "role:admin or role:librarian"),
            ("create_shelf", "role:admin"),
            ("get_ticket", "role:admin or project_id:%(project_id)s"),
            ("delete_ticket", "role:librarian and project_id:%(project_id)s"),
            ("update_book_title", "role:admin or project_id:%(ext_parent:project_id)s"),
            ("get_book_title", "role:admin or project_id:%(ext_parent:project_id)s"),
        ]
        .map(|(name, rule)| (name.to_owned(), rule.to_owned()))
        .into(),
        ..hadron_sdk::manifest!("library", "shelves, and the books on them")
    }
}
