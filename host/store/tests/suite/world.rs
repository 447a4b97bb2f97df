//! A store with the collections of an invented trade: shelves, boxes on them,
//! and things in boxes.

use hadron_manifest::{
    Attribute, Collection, Derived, DerivedFrom, Extends, Key, ListTable, ListTableColumn, Manifest,
    OnDelete, Quota, Reference, Refusal, Validator,
};
use hadron_store::{CollectionId, Keep, Location, NewRow, Row, Settings, Store};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// Runs a test on both databases.
macro_rules! on_both {
    ($($(#[$more:meta])* async fn $name:ident($world:ident: World) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($world: World) $body

            $(#[$more])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check(World::on_sqlite().await).await;
            }

            $(#[$more])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                if let Some(world) = World::on_postgres().await {
                    check(world).await;
                }
            }
        }
    )*};
}
pub(crate) use on_both;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    _folder: Option<tempfile::TempDir>,
}

fn settings(location: Location) -> Settings {
    Settings {
        location,
        units: 16,
        readers: 8,
        lease: Duration::from_secs(30),
        patience: Duration::from_secs(20),
        keep: Keep::default(),
    }
}

impl World {
    pub(crate) async fn on_sqlite() -> World {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(Location::Sqlite(folder.path().join("deep/er/store.db")));
        World::open(settings, Some(folder)).await
    }

    pub(crate) async fn on_postgres() -> Option<World> {
        let server = hadron_test_support::shared()?;
        Some(World::open(settings(Location::Postgres(server.fresh_database().await)), None).await)
    }

    async fn open(settings: Settings, folder: Option<tempfile::TempDir>) -> World {
        let store = Store::open(settings.clone()).await.unwrap();
        store.migrate(&[Arc::new(warehouse()), Arc::new(painter())], false).await.unwrap();
        World { store, settings, _folder: folder }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.settings.location, Location::Postgres(_))
    }

    /// Adds rows in a unit of their own.
    pub(crate) async fn add(&self, collection: &CollectionId, rows: Vec<NewRow>) -> Vec<Row> {
        let mut unit = self.store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap();
        let rows = unit.insert(collection, rows).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        rows
    }

    pub(crate) async fn begin(&self) -> hadron_store::Transaction {
        self.store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap()
    }
}

pub(crate) fn id(plugin: &str, name: &str) -> CollectionId {
    CollectionId { plugin: plugin.into(), name: name.into() }
}
pub(crate) fn shelves() -> CollectionId {
    id("ware-house", "shelves")
}
pub(crate) fn boxes() -> CollectionId {
    id("ware-house", "boxes")
}
pub(crate) fn things() -> CollectionId {
    id("ware-house", "things")
}

pub(crate) fn attribute(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.into(), validate, ..Attribute::default() }
}

pub(crate) fn text(name: &str) -> Attribute {
    attribute(name, Validator::String { max: None })
}

pub(crate) fn indexed(attribute: Attribute) -> Attribute {
    Attribute { index: true, ..attribute }
}

/// Shelves hold boxes (restrict) and labels (cascade); things lie in slots of
/// boxes, each slot of a box once.
pub(crate) fn warehouse() -> Manifest {
    let column = |name: &str, references: Option<&str>| ListTableColumn {
        name: name.into(),
        references: references.map(Into::into),
        filter: true,
    };
    let slots = Attribute {
        list: Some(ListTable {
            columns: vec![column("box_id", Some("boxes")), column("slot", None)],
            keys: vec![vec!["box_id".into(), "slot".into()]],
        }),
        ..attribute(
            "slots",
            Validator::List {
                items: Box::new(Validator::Object {
                    members: vec![
                        attribute("box_id", Validator::Uuid),
                        attribute("slot", Validator::Integer { min: None, max: None }),
                    ],
                }),
                unique: false,
            },
        )
    };
    let tags = Attribute {
        list: Some(ListTable { columns: vec![column("value", None)], keys: Vec::new() }),
        ..attribute(
            "tags",
            Validator::List { items: Box::new(Validator::String { max: None }), unique: true },
        )
    };
    Manifest {
        name: "ware-house".into(),
        collections: vec![
            Collection {
                name: "shelves".into(),
                member: "shelf".into(),
                attributes: vec![
                    text("name"),
                    attribute("height", Validator::Integer { min: None, max: None }),
                    attribute("open", Validator::Boolean),
                    indexed(text("wood:kind")),
                    indexed(attribute("rank", Validator::Integer { min: None, max: None })),
                    attribute("extra", Validator::Any),
                    Attribute { sparse: Some("note".into()), ..text("note") },
                    Attribute { sparse: Some("note".into()), ..text("by") },
                    tags,
                ],
                derived: vec![Derived {
                    name: "boxes".into(),
                    from: DerivedFrom::Referring { collection: "boxes".into(), attribute: "shelf_id".into() },
                }],
                ..Collection::default()
            },
            Collection {
                name: "boxes".into(),
                member: "box".into(),
                attributes: vec![text("name"), attribute("shelf_id", Validator::Uuid), text("code")],
                keys: vec![Key { name: "code".into(), attributes: vec!["shelf_id".into(), "code".into()] }],
                references: vec![Reference {
                    attribute: "shelf_id".into(),
                    collection: "shelves".into(),
                    ..Reference::default()
                }],
                derived: vec![
                    Derived {
                        name: "shelf_height".into(),
                        from: DerivedFrom::Parent {
                            reference: "shelf_id".into(),
                            attribute: "height".into(),
                            filter: false,
                        },
                    },
                    Derived {
                        name: "shelf_owner".into(),
                        from: DerivedFrom::Parent {
                            reference: "shelf_id".into(),
                            attribute: "project_id".into(),
                            filter: false,
                        },
                    },
                ],
                ..Collection::default()
            },
            Collection {
                name: "things".into(),
                member: "thing".into(),
                quota: Some(Quota { default: -1 }),
                attributes: vec![text("name"), slots],
                ..Collection::default()
            },
            Collection {
                name: "labels".into(),
                member: "label".into(),
                private: true,
                quota: Some(Quota { default: -1 }),
                attributes: vec![attribute("shelf_id", Validator::Uuid), text("text")],
                references: vec![Reference {
                    attribute: "shelf_id".into(),
                    collection: "shelves".into(),
                    on_delete: OnDelete::Cascade,
                    ..Reference::default()
                }],
                ..Collection::default()
            },
        ],
        ..Manifest::default()
    }
}

/// Gives shelves a colour.
pub(crate) fn painter() -> Manifest {
    Manifest {
        name: "painter".into(),
        extends: vec![Extends {
            collection: "shelves".into(),
            attributes: vec![
                text("colour"),
                indexed(attribute("coats", Validator::Integer { min: None, max: None })),
                attribute("model_id", Validator::Uuid),
            ],
            references: vec![Reference {
                attribute: "model_id".into(),
                collection: "things".into(),
                refusal: Some(Refusal {
                    error: "ThingPainted".into(),
                    message: "Thing {id} is painted {by.colour} on {by}.".into(),
                }),
                ..Reference::default()
            }],
            ..Extends::default()
        }],
        ..Manifest::default()
    }
}

pub(crate) fn new(id: &str, document: Value) -> NewRow {
    NewRow { id: id.into(), document: object(document), ..NewRow::default() }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

pub(crate) fn parsed(row: &Row) -> Value {
    serde_json::from_str(&row.json()).unwrap()
}
