//! Entries that give projects access to single rows.

use crate::world::*;
use futures::StreamExt;
use hadron_manifest::{Collection, Entries, Key, Manifest, Rbac, Validator};
use hadron_store::{CollectionId, Direction, Predicate, Query, Store, StoreError, View};
use serde_json::{Value, json};
use std::sync::Arc;

fn books() -> CollectionId {
    id("library", "books")
}

fn cards() -> CollectionId {
    id("desk", "cards")
}

/// Books that can be lent.
fn library() -> Manifest {
    let lent = hadron_manifest::Attribute {
        rbac: Some("read".into()),
        default: Some(json!(false)),
        ..attribute("lent", Validator::Boolean)
    };
    Manifest {
        name: "library".into(),
        collections: vec![Collection {
            name: "books".into(),
            member: "book".into(),
            attributes: vec![text("title"), lent],
            rbac: Some(Rbac { object_type: "book".into(), actions: vec!["read".into(), "keep".into()] }),
            ..Collection::default()
        }],
        ..Manifest::default()
    }
}

/// Who has lent which book.
fn desk() -> Manifest {
    let names = Entries {
        object_type: "kind".into(),
        object_id: "object".into(),
        action: "action".into(),
        target: "reader".into(),
    };
    Manifest {
        name: "desk".into(),
        collections: vec![Collection {
            name: "cards".into(),
            member: "card".into(),
            attributes: names.attributes().map(text).to_vec(),
            keys: vec![Key {
                name: "card".into(),
                attributes: names.attributes().map(String::from).to_vec(),
            }],
            entries: Some(names),
            ..Collection::default()
        }],
        ..Manifest::default()
    }
}

async fn migrate(store: &Store, manifests: Vec<Manifest>) -> Result<Vec<String>, StoreError> {
    let manifests: Vec<Arc<Manifest>> = manifests.into_iter().map(Arc::new).collect();
    store.migrate(&manifests, false).await.map(|migration| migration.steps)
}

fn card(id: &str, book: &str, action: &str, reader: &str) -> hadron_store::NewRow {
    new(id, json!({"kind": "book", "object": book, "action": action, "reader": reader}))
}

/// Three books: one for everybody, one for `p`, one for nobody (that `p` may
/// keep, which is another thing).
async fn lend(world: &World) {
    migrate(&world.store, vec![library(), desk()]).await.unwrap();
    world
        .add(
            &books(),
            vec![new("a", json!({"title": "A", "lent": false})), new("b", json!({})), new("c", json!({}))],
        )
        .await;
    world
        .add(
            &cards(),
            vec![card("1", "a", "read", "*"), card("2", "b", "read", "p"), card("3", "c", "keep", "p")],
        )
        .await;
}

fn for_project(project: &str) -> View {
    View { project: Some(project.into()), ..View::default() }
}

async fn list(store: &Store, project: &str, query: Query) -> Vec<(String, Value)> {
    let rows: Vec<_> = store.list(&books(), &query, &for_project(project)).await.unwrap().collect().await;
    rows.into_iter()
        .map(|row| row.unwrap())
        .map(|row| (row.id.clone(), parsed(&row)["lent"].clone()))
        .collect()
}

fn ids(rows: Vec<(String, Value)>) -> Vec<String> {
    rows.into_iter().map(|(id, _)| id).collect()
}

fn where_lent(values: &[bool]) -> Query {
    let values = values.iter().map(|v| json!(v)).collect();
    Query { predicate: Predicate::In("lent".into(), values), ..Query::default() }
}

on_both! {
    async fn an_attribute_is_answered_for_who_asks_by_the_same_query(world: World) {
        lend(&world).await;
        let before = world.store.statements();
        let seen = list(&world.store, "p", Query::default()).await;
        assert_eq!(world.store.statements() - before, 1);
        assert_eq!(seen, [("a".into(), json!(true)), ("b".into(), json!(true)), ("c".into(), json!(false))]);
        let seen = list(&world.store, "q", Query::default()).await;
        assert_eq!(seen, [("a".into(), json!(true)), ("b".into(), json!(false)), ("c".into(), json!(false))]);
        let row = world.store.get(&books(), "a", &Predicate::always(), &View::default()).await.unwrap().unwrap();
        assert_eq!(parsed(&row).get("lent"), None);
        let hidden = View { hidden: vec!["lent".into()], ..for_project("p") };
        let row = world.store.get(&books(), "a", &Predicate::always(), &hidden).await.unwrap().unwrap();
        assert_eq!(parsed(&row).get("lent"), None);
    }

    async fn rows_are_filtered_and_sorted_by_it(world: World) {
        lend(&world).await;
        let store = &world.store;
        assert_eq!(ids(list(store, "p", where_lent(&[true])).await), ["a", "b"]);
        assert_eq!(ids(list(store, "q", where_lent(&[true])).await), ["a"]);
        assert_eq!(ids(list(store, "q", where_lent(&[false])).await), ["b", "c"]);
        assert_eq!(ids(list(store, "q", where_lent(&[false, true])).await), ["a", "b", "c"]);
        assert_eq!(ids(list(store, "q", where_lent(&[])).await), Vec::<String>::new());
        let not = Predicate::Not(Box::new(where_lent(&[true]).predicate));
        assert_eq!(ids(list(store, "p", Query { predicate: not, ..Query::default() }).await), ["c"]);
        let sorted = Query { sort: vec![("lent".into(), Direction::Ascending)], ..Query::default() };
        assert_eq!(ids(list(store, "q", sorted.clone()).await), ["b", "c", "a"]);
        let after = Query { marker: Some("b".into()), ..sorted.clone() };
        assert_eq!(ids(list(store, "q", after).await), ["c", "a"]);
        let before = Query { marker: Some("a".into()), reverse: true, limit: Some(1), ..sorted };
        assert_eq!(ids(list(store, "q", before).await), ["c"]);
        assert_eq!(store.count(&books(), &where_lent(&[true]).predicate).await.unwrap(), 1);
    }

    async fn an_entry_needs_its_object_and_goes_with_it(world: World) {
        lend(&world).await;
        let mut unit = world.begin().await;
        let lost = unit.insert(&cards(), vec![card("4", "nobody", "read", "q")]).await;
        assert!(matches!(lost, Err(StoreError::MissingReference(a)) if a == "object"));
        unit.rollback().await;
        let mut unit = world.begin().await;
        let twice = unit.insert(&cards(), vec![card("4", "a", "read", "*")]).await;
        assert!(matches!(twice, Err(StoreError::Duplicate(key)) if key == "card"));
        unit.rollback().await;
        let mut unit = world.begin().await;
        unit.delete(&books(), &["a".into()]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(world.store.count(&cards(), &Predicate::always()).await.unwrap(), 2);
    }

    async fn a_changed_target_is_another_project(world: World) {
        lend(&world).await;
        let mut unit = world.begin().await;
        unit.update(&cards(), "2", object(json!({"reader": "q"})), Vec::new()).await.unwrap();
        // What entries decide is never written, and so never a change.
        let row = unit.update(&books(), "c", object(json!({"lent": true})), Vec::new()).await.unwrap();
        assert_eq!(row.revision, 0);
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(ids(list(&world.store, "p", where_lent(&[true])).await), ["a"]);
        assert_eq!(ids(list(&world.store, "q", where_lent(&[true])).await), ["a", "b"]);
    }

    async fn entries_are_told_and_held(world: World) {
        lend(&world).await;
        let mut unit = world.begin().await;
        assert_eq!(unit.targets(&books(), "b", "read").await.unwrap(), ["p"]);
        assert_eq!(unit.targets(&books(), "c", "read").await.unwrap(), Vec::<String>::new());
        assert!(unit.hold(&books(), "b", "read", "p").await.unwrap());
        assert!(unit.hold(&books(), "a", "read", "q").await.unwrap());
        assert!(!unit.hold(&books(), "b", "read", "q").await.unwrap());
        assert!(!unit.hold(&books(), "b\0", "read", "q").await.unwrap());
        if world.is_postgres() {
            let mut other = world.begin().await;
            let patience = std::time::Duration::from_millis(300);
            let waits = tokio::time::timeout(patience, other.lock(&cards(), "2")).await;
            assert!(waits.is_err(), "an entry was removed under who holds it");
            drop(other);
        }
        unit.rollback().await;
    }

    async fn what_rows_held_before_becomes_entries(world: World) {
        let mut before = library();
        before.collections[0].rbac = None;
        for attribute in &mut before.collections[0].attributes {
            attribute.rbac = None;
        }
        migrate(&world.store, vec![before.clone()]).await.unwrap();
        let mut a = new("a", json!({"title": "A", "lent": true}));
        a.project_id = Some("owner".into());
        world.add(&books(), vec![a, new("b", json!({"lent": false})), new("c", json!({}))]).await;
        let refused = migrate(&world.store, vec![library()]).await;
        assert!(matches!(refused, Err(StoreError::Invalid(why)) if why.contains("no loaded plugin holds entries")));

        let steps = migrate(&world.store, vec![library(), desk()]).await.unwrap();
        assert!(steps.iter().any(|s| s == "keep 'lent' of 'books' as entries of 'cards'"), "{steps:?}");
        assert_eq!(migrate(&world.store, vec![library(), desk()]).await.unwrap(), Vec::<String>::new());
        assert_eq!(
            list(&world.store, "q", Query::default()).await,
            [("a".into(), json!(true)), ("b".into(), json!(false)), ("c".into(), json!(false))]
        );
        let row = world.store.get(&books(), "a", &Predicate::always(), &View::default()).await.unwrap().unwrap();
        assert_eq!((row.document.contains("lent"), row.revision), (false, 0));
        let mut unit = world.begin().await;
        let cards = unit.find(&cards(), &Query::default(), &View::default()).await.unwrap();
        let made = parsed(&cards[0]);
        assert_eq!((cards.len(), &made["project_id"], &made["object"]), (1, &json!("owner"), &json!("a")));
        assert_eq!((&made["kind"], &made["action"], &made["reader"]), (&json!("book"), &json!("read"), &json!("*")));
        assert!(uuid::Uuid::parse_str(made["id"].as_str().unwrap()).unwrap().get_version_num() == 4, "{made}");
        unit.rollback().await;
    }

    async fn without_entries_nothing_is_shared(world: World) {
        migrate(&world.store, vec![library()]).await.unwrap();
        world.add(&books(), vec![new("a", json!({"lent": true}))]).await;
        assert_eq!(list(&world.store, "p", Query::default()).await, [("a".into(), json!(false))]);
        assert_eq!(ids(list(&world.store, "p", where_lent(&[true])).await), Vec::<String>::new());
        let mut unit = world.begin().await;
        assert!(!unit.hold(&books(), "a", "read", "p").await.unwrap());
        assert_eq!(unit.targets(&books(), "a", "read").await.unwrap(), Vec::<String>::new());
        unit.rollback().await;
    }
}

#[test]
fn two_collections_of_entries_are_too_many() {
    let mut other = desk();
    other.name = "other".into();
    other.collections[0].name = "slips".into();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let world = World::on_sqlite().await;
        let refused = migrate(&world.store, vec![library(), desk(), other]).await;
        assert!(matches!(refused, Err(StoreError::Invalid(why)) if why.contains("both hold entries")));
    });
}
