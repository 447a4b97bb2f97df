//! Rows that are shown with the row they refer to.

use crate::world::*;
use hadron_manifest::{
    Attribute, Collection, Derived, DerivedFrom, Extends, Manifest, Reference, RowsOf, Validator,
};
use hadron_store::{CollectionId, Predicate, Row, StoreError, View};
use serde_json::{Value, json};
use std::sync::Arc;

fn racks() -> CollectionId {
    id("rail", "racks")
}

fn hooks() -> CollectionId {
    id("rail", "hooks")
}

fn pegs() -> CollectionId {
    id("rail", "pegs")
}

fn referring(name: &str, member: &str, private: bool) -> Collection {
    Collection {
        name: name.into(),
        member: member.into(),
        private,
        attributes: vec![
            attribute("rack_id", Validator::Uuid),
            text("name"),
            attribute("strong", Validator::Boolean),
            Attribute { hidden: true, ..text("secret") },
        ],
        references: vec![Reference {
            attribute: "rack_id".into(),
            collection: "racks".into(),
            ..Reference::default()
        }],
        ..Collection::default()
    }
}

fn rows(collection: &str, show: &[&str], add: Value) -> RowsOf {
    RowsOf {
        collection: collection.into(),
        attribute: "rack_id".into(),
        show: show.iter().map(|name| (*name).to_owned()).collect(),
        add: object(add),
    }
}

/// Racks show their hooks whole, and of both hooks and pegs a little.
fn rail() -> Manifest {
    let mut hook = referring("hooks", "hook", false);
    hook.derived = vec![Derived {
        name: "rack_name".into(),
        from: DerivedFrom::Parent { reference: "rack_id".into(), attribute: "name".into(), filter: false },
    }];
    let derived =
        |name: &str, rows: Vec<RowsOf>| Derived { name: name.into(), from: DerivedFrom::Rows(rows) };
    let rack = Collection {
        name: "racks".into(),
        member: "rack".into(),
        attributes: vec![text("name"), attribute("shelf_id", Validator::Uuid)],
        references: vec![Reference {
            attribute: "shelf_id".into(),
            collection: "shelves".into(),
            ..Reference::default()
        }],
        derived: vec![
            derived("hooks", vec![rows("hooks", &[], json!({}))]),
            derived(
                "all",
                vec![
                    rows("pegs", &["name"], json!({"sort": "peg", "more": [1, "o'", {"a": null}]})),
                    rows("hooks", &["id", "strong"], json!({"sort": "hook"})),
                ],
            ),
        ],
        ..Collection::default()
    };
    Manifest {
        name: "rail".into(),
        collections: vec![rack, hook, referring("pegs", "peg", true)],
        ..Manifest::default()
    }
}

/// Says which colour the shelf of a rack has, which is a third plugin's.
fn sign() -> Manifest {
    let colour = Derived {
        name: "shelf_colour".into(),
        from: DerivedFrom::Parent { reference: "shelf_id".into(), attribute: "colour".into(), filter: false },
    };
    let extends = Extends { collection: "racks".into(), derived: vec![colour], ..Extends::default() };
    Manifest { name: "sign".into(), extends: vec![extends], ..Manifest::default() }
}

async fn with_rails(world: &World) {
    let manifests = [warehouse(), painter(), rail(), sign()].map(Arc::new);
    world.store.migrate(&manifests, false).await.unwrap();
}

async fn shown(world: &World, id: &str) -> (Row, Value) {
    let view = View { derived: true, project: Some("p".into()), ..View::default() };
    let row = world.store.get(&racks(), id, &Predicate::always(), &view).await.unwrap().unwrap();
    let document = parsed(&row);
    (row, document)
}

on_both! {
    async fn a_row_shown_looks_as_it_does_by_itself(world: World) {
        with_rails(&world).await;
        world.add(&shelves(), vec![hadron_store::NewRow {
            extensions: vec![("painter".into(), object(json!({"colour": "red"})))], ..new("s", json!({})) }]).await;
        world.add(&racks(), vec![new("r", json!({"name": "R", "shelf_id": "s"})), new("empty", json!({}))]).await;
        let hook = |id: &str, name: &str| hadron_store::NewRow {
            project_id: Some("p".into()),
            ..new(id, json!({"rack_id": "r", "name": name, "strong": true, "secret": "x"}))
        };
        world.add(&hooks(), vec![hook("h1", "it's"), hook("h2", "\"")]).await;
        world.add(&pegs(), vec![new("p1", json!({"rack_id": "r", "name": "P", "strong": null}))]).await;
        let (_, rack) = shown(&world, "r").await;
        let view = View { derived: true, hidden: vec!["secret".into()], project: Some("p".into()) };
        let alone = world.store.get(&hooks(), "h1", &Predicate::always(), &view).await.unwrap().unwrap();
        assert_eq!(rack["hooks"][0], parsed(&alone));
        assert_eq!(rack["hooks"][0]["rack_name"], "R");
        assert_eq!(rack["hooks"][1]["name"], "\"");
        assert_eq!(rack["all"], json!([
            {"name": "P", "sort": "peg", "more": [1, "o'", {"a": null}]},
            {"id": "h1", "strong": true, "sort": "hook"},
            {"id": "h2", "strong": true, "sort": "hook"},
        ]));
        assert_eq!(rack["shelf_colour"], "red");
        let (_, empty) = shown(&world, "empty").await;
        assert_eq!((&empty["hooks"], &empty["all"], &empty["shelf_colour"]), (&json!([]), &json!([]), &Value::Null));
    }

    async fn it_changes_with_what_it_shows(world: World) {
        with_rails(&world).await;
        world.add(&racks(), vec![new("r", json!({})), new("q", json!({}))]).await;
        world.add(&pegs(), vec![new("p", json!({"rack_id": "r"}))]).await;
        let revisions = async |world: &World| (shown(world, "r").await.0.revision, shown(world, "q").await.0.revision);
        assert_eq!(revisions(&world).await, (1, 0));
        for (changes, expected) in [
            (json!({"name": "n"}), (2, 0)),
            (json!({"name": "n"}), (2, 0)),
            (json!({"rack_id": "q"}), (3, 1)),
        ] {
            let mut unit = world.begin().await;
            unit.update(&pegs(), "p", object(changes), Vec::new()).await.unwrap();
            unit.commit(Vec::new()).await.unwrap();
            assert_eq!(revisions(&world).await, expected);
        }
        let mut unit = world.begin().await;
        unit.delete(&pegs(), &["p".into()]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(revisions(&world).await, (3, 2));
    }

    async fn a_view_is_of_the_same_rows(world: World) {
        let mut rail = rail();
        let named = |name: &str, of: &str, validate: Validator| Attribute { of: Some(of.into()), ..attribute(name, validate) };
        rail.collections.push(Collection {
            name: "hook_looks".into(),
            member: "hook_look".into(),
            of: Some("hooks".into()),
            attributes: vec![
                named("hook_id", "id", Validator::Uuid),
                named("called", "name", Validator::String { max: None }),
                named("rack", "rack_id", Validator::Uuid),
                named("rack_called", "rack_name", Validator::String { max: None }),
                named("marks", "tags", Validator::Any),
            ],
            ..Collection::default()
        });
        let looks = id("rail", "hook_looks");
        world.store.migrate(&[warehouse(), painter(), rail].map(Arc::new), false).await.unwrap();
        world.add(&racks(), vec![new("r", json!({"name": "R"}))]).await;
        let hook = |id: &str, name: &str| new(id, json!({"rack_id": "r", "name": name}));
        world.add(&hooks(), vec![hook("h1", "one"), hook("h2", "two")]).await;
        let view = View { derived: true, hidden: vec!["rack".into()], project: Some("p".into()) };
        let get = async |predicate: Predicate| {
            let row = world.store.get(&looks, "h2", &predicate, &view).await.unwrap();
            row.map(|row| parsed(&row))
        };
        let seen = get(Predicate::always()).await.unwrap();
        assert_eq!((&seen["hook_id"], &seen["called"], &seen["rack_called"]), (&json!("h2"), &json!("two"), &json!("R")));
        assert_eq!((&seen["marks"], seen.get("rack"), seen.get("name")), (&json!([]), None, None));
        for (predicate, fits) in [
            (Predicate::equal("called", "two"), true),
            (Predicate::equal("called", "one"), false),
            (Predicate::equal("hook_id", "h2"), true),
            (Predicate::equal("rack", "r"), true),
            (Predicate::Referred("rack".into(), Box::new(Predicate::equal("name", "R"))), true),
            (Predicate::Referred("rack".into(), Box::new(Predicate::equal("name", "Q"))), false),
        ] {
            assert_eq!(get(predicate.clone()).await.is_some(), fits, "{predicate:?}");
        }
        let mut unit = world.begin().await;
        let written = unit.insert(&looks, vec![new("x", json!({"called": "x"}))]).await;
        assert!(matches!(written, Err(StoreError::Invalid(why)) if why == "'hook_looks' keeps no rows"));
    }

    async fn what_is_not_there_cannot_be_shown(world: World) {
        for (show, attribute) in [("nosuch", "rack_id"), ("name", "name"), ("id", "nosuch")] {
            let mut rail = rail();
            rail.collections[0].derived.push(Derived {
                name: "bad".into(),
                from: DerivedFrom::Rows(vec![RowsOf { attribute: attribute.into(), ..rows("pegs", &[show], json!({})) }]),
            });
            let manifests = [warehouse(), painter(), rail].map(Arc::new);
            let refused = world.store.migrate(&manifests, false).await;
            assert!(matches!(refused, Err(StoreError::Invalid(why)) if why.contains("'bad' of 'racks'")), "{show}");
        }
    }
}
