//! What there is.

use hadron_sdk::Manifest;
use hadron_sdk::manifest::{
    Attribute, Called, Collection, Derived, DerivedFrom, Key, Parent, Reference, RowsOf, Validator,
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

pub(crate) fn manifest() -> Manifest {
    Manifest {
        collections: vec![shelves(), books(), readers()],
        policy: [("create_shelf_book", "role:admin or role:librarian"), ("create_shelf", "role:admin")]
            .map(|(name, rule)| (name.to_owned(), rule.to_owned()))
            .into(),
        ..hadron_sdk::manifest!("library", "shelves, and the books on them")
    }
}
