//! Changing manifests while there are rows.

use crate::world::*;
use hadron_manifest::{
    Collection, Key, ListTable, ListTableColumn, Manifest, Reference, Standard, Validator,
};
use hadron_store::{KEPT_BY_HOST, Predicate, Query, Store, StoreError, View};
use serde_json::{Value, json};
use std::sync::Arc;

async fn migrate(store: &Store, manifests: Vec<Manifest>) -> Result<Vec<String>, StoreError> {
    let manifests: Vec<Arc<Manifest>> = manifests.into_iter().map(Arc::new).collect();
    store.migrate(&manifests, false).await.map(|migration| migration.steps)
}

fn shelf(manifest: &mut Manifest) -> &mut Collection {
    &mut manifest.collections[0]
}

async fn fitting(store: &Store, predicate: Predicate) -> u64 {
    store.count(&shelves(), &predicate).await.unwrap()
}

on_both! {
    async fn the_same_manifests_change_nothing(world: World) {
        assert_eq!(migrate(&world.store, vec![warehouse(), painter()]).await.unwrap(), Vec::<String>::new());
        assert_eq!(migrate(&world.store, vec![painter(), warehouse()]).await.unwrap(), Vec::<String>::new());
    }

    async fn a_dry_migration_only_tells(world: World) {
        let mut more = warehouse();
        more.collections.push(Collection { name: "crates".into(), member: "crate".into(), ..Collection::default() });
        let manifests = [Arc::new(more), Arc::new(painter())];
        let told = world.store.migrate(&manifests, true).await.unwrap().steps;
        assert!(told[0].contains("crates"), "{told:?}");
        assert!(world.store.count(&id("ware-house", "crates"), &Predicate::always()).await.is_err());
        assert_eq!(world.store.migrate(&manifests, false).await.unwrap().steps, told);
        assert_eq!(world.store.count(&id("ware-house", "crates"), &Predicate::always()).await.unwrap(), 0);
    }

    async fn columns_indexes_keys_and_lists_are_added_and_filled(world: World) {
        world.add(&shelves(), vec![
            new("a", json!({"name": "x", "height": 4, "open": true, "extra": ["p", "q"]})),
            new("b", json!({"name": "y"})),
        ]).await;
        let mut more = warehouse();
        for attribute in &mut shelf(&mut more).attributes {
            match attribute.name.as_str() {
                "height" | "open" => attribute.index = true,
                "extra" => {
                    attribute.validate = Validator::List { items: Box::new(Validator::String { max: None }), unique: false };
                    attribute.list = Some(ListTable {
                        columns: vec![ListTableColumn { name: "value".into(), references: None, filter: true }],
                        keys: Vec::new(),
                    });
                }
                _ => {}
            }
        }
        shelf(&mut more).attributes.push(text("fresh"));
        shelf(&mut more).attributes.push(attribute("twin_id", Validator::Uuid));
        shelf(&mut more).keys.push(Key { name: "name".into(), attributes: vec!["name".into()] });
        shelf(&mut more).references.push(Reference {
            attribute: "twin_id".into(), collection: "shelves".into(), ..Reference::default() });
        let steps = migrate(&world.store, vec![more.clone(), painter()]).await.unwrap();
        assert!(steps.iter().any(|s| s.contains("'height'")), "{steps:?}");
        assert_eq!(fitting(&world.store, Predicate::In("height".into(), vec![4.into()])).await, 1);
        assert_eq!(fitting(&world.store, Predicate::In("open".into(), vec![true.into()])).await, 1);
        assert_eq!(fitting(&world.store, Predicate::equal("extra", "q")).await, 1);
        assert_eq!(fitting(&world.store, Predicate::equal("name", "y")).await, 1);
        let mut unit = world.begin().await;
        let twice = unit.insert(&shelves(), vec![new("c", json!({"name": "x", "fresh": "!"}))]).await;
        assert!(matches!(twice, Err(StoreError::Duplicate(key)) if key == "name"));
        unit.rollback().await;
        world.add(&shelves(), vec![new("c", json!({"twin_id": "a", "fresh": "!"}))]).await;
        let mut unit = world.begin().await;
        let lost = unit.insert(&shelves(), vec![new("d", json!({"twin_id": "nobody"}))]).await;
        assert!(matches!(lost, Err(StoreError::MissingReference(a)) if a == "twin_id"));
        unit.rollback().await;
        let mut unit = world.begin().await;
        assert!(matches!(unit.delete(&shelves(), &["a".into()]).await, Err(StoreError::InUse(c)) if c == "shelves"));
        unit.rollback().await;
        let mut unit = world.begin().await;
        unit.delete(&shelves(), &["a".into(), "c".into()]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(migrate(&world.store, vec![more, painter()]).await.unwrap(), Vec::<String>::new());
    }

    async fn a_key_that_rows_already_break_is_refused(world: World) {
        world.add(&shelves(), vec![new("a", json!({"name": "x"})), new("b", json!({"name": "x"}))]).await;
        let mut more = warehouse();
        shelf(&mut more).keys.push(Key { name: "name".into(), attributes: vec!["name".into()] });
        let refused = migrate(&world.store, vec![more, painter()]).await;
        assert!(matches!(&refused, Err(StoreError::Invalid(why)) if why.contains("'name'")), "{refused:?}");
        // Nothing is half done.
        world.add(&shelves(), vec![new("c", json!({"name": "x"}))]).await;
        assert_eq!(migrate(&world.store, vec![warehouse(), painter()]).await.unwrap(), Vec::<String>::new());
    }

    async fn what_would_lose_data_is_refused(world: World) {
        world.add(&shelves(), vec![new("a", json!({"name": "x"}))]).await;
        let mut row = new("b", json!({}));
        row.extensions = vec![("painter".into(), object(json!({"colour": "red"})))];
        world.add(&shelves(), vec![row]).await;
        let mut cases: Vec<(&str, Vec<Manifest>)> = Vec::new();
        let mut less = warehouse();
        shelf(&mut less).attributes.retain(|a| a.name != "name");
        cases.push(("'name'", vec![less, painter()]));
        let mut less = warehouse();
        less.collections.retain(|c| c.name != "shelves");
        less.collections.clear();
        cases.push(("'shelves'", vec![less]));
        let mut other = warehouse();
        shelf(&mut other).attributes[1].validate = Validator::Boolean;
        cases.push(("whole numbers to booleans", vec![other, painter()]));
        let mut other = warehouse();
        other.collections[1].keys.clear();
        cases.push(("the key 'code'", vec![other, painter()]));
        let mut other = warehouse();
        other.collections[1].references.clear();
        other.collections[0].derived.clear();
        other.collections[1].derived.clear();
        cases.push(("the reference 'shelf_id'", vec![other, painter()]));
        let mut other = painter();
        other.extends[0].attributes.retain(|a| a.name != "colour");
        cases.push(("'colour'", vec![warehouse(), other]));
        for (word, manifests) in cases {
            let refused = migrate(&world.store, manifests).await;
            assert!(matches!(&refused, Err(StoreError::Invalid(why)) if why.contains(word)), "{word}: {refused:?}");
        }
    }

    async fn manifests_that_contradict_each_other_are_refused(world: World) {
        let mut twice = painter();
        twice.name = "plasterer".into();
        let refused = migrate(&world.store, vec![warehouse(), painter(), twice]).await;
        assert!(matches!(&refused, Err(StoreError::Invalid(why)) if why.contains("'colour'")), "{refused:?}");
        let refused = migrate(&world.store, vec![painter()]).await;
        assert!(matches!(&refused, Err(StoreError::Invalid(why)) if why.contains("no plugin declares")), "{refused:?}");
        let mut astray = warehouse();
        astray.collections[1].references[0].collection = "nowhere".into();
        assert!(matches!(migrate(&world.store, vec![astray]).await, Err(StoreError::Invalid(_))));
    }

    async fn a_removed_extender_hides_its_values_and_keeps_them(world: World) {
        let mut row = new("a", json!({"name": "x"}));
        row.extensions = vec![("painter".into(), object(json!({"colour": "red", "coats": 1})))];
        world.add(&shelves(), vec![row]).await;
        migrate(&world.store, vec![warehouse()]).await.unwrap();
        let read = world.store.get(&shelves(), "a", &Predicate::always(), &View::default()).await.unwrap().unwrap();
        assert!(read.extensions.iter().all(|(plugin, _)| plugin == KEPT_BY_HOST));
        let coats = Predicate::In("coats".into(), vec![1.into()]);
        assert!(world.store.count(&shelves(), &coats).await.is_err());
        let mut unit = world.begin().await;
        unit.update(&shelves(), "a", object(json!({"name": "y"})), Vec::new()).await.unwrap();
        unit.insert(&shelves(), vec![new("b", json!({}))]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(migrate(&world.store, vec![warehouse(), painter()]).await.unwrap(), Vec::<String>::new());
        assert_eq!(world.store.count(&shelves(), &coats).await.unwrap(), 1);
        let read = world.store.get(&shelves(), "a", &Predicate::always(), &View::default()).await.unwrap().unwrap();
        let extension: Value = serde_json::from_str(&read.extensions.iter().find(|(plugin, _)| plugin == "painter").unwrap().1).unwrap();
        assert_eq!(extension, json!({"colour": "red", "coats": 1}));
    }

    async fn an_extender_is_added_while_units_run(world: World) {
        let running = tokio::spawn({
            let store = world.store.clone();
            async move {
                for i in 0..200 {
                    loop {
                        let mut unit = store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap();
                        let id = format!("r{i}");
                        let written = unit.insert(&shelves(), vec![new(&id, json!({"rank": i}))]).await;
                        match written {
                            Ok(_) => match unit.commit(Vec::new()).await {
                                Ok(_) => break,
                                Err(StoreError::Retry(_)) => {}
                                Err(error) => panic!("{error}"),
                            },
                            Err(StoreError::Retry(_)) => unit.rollback().await,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            }
        });
        for n in 0..4 {
            let mut manifests = vec![warehouse(), painter()];
            for k in 0..=n {
                let mut extender = painter();
                extender.name = format!("extender-{k}");
                for attribute in &mut extender.extends[0].attributes {
                    attribute.name = format!("{}{k}", attribute.name);
                }
                for reference in &mut extender.extends[0].references {
                    reference.attribute = format!("{}{k}", reference.attribute);
                }
                manifests.push(extender);
            }
            migrate(&world.store, manifests).await.unwrap();
        }
        running.await.unwrap();
        assert_eq!(world.store.count(&shelves(), &Predicate::always()).await.unwrap(), 200);
        let query = Query { predicate: Predicate::In("rank".into(), vec![7.into()]), ..Query::default() };
        let mut unit = world.begin().await;
        assert_eq!(unit.find(&shelves(), &query, &View::default()).await.unwrap().len(), 1);
        unit.rollback().await;
    }

    async fn two_servers_migrate_at_once(world: World) {
        let mut settings = world.settings.clone();
        settings.units = 4;
        let other = Store::open(settings).await.unwrap();
        let mut more = warehouse();
        for i in 0..5 {
            more.collections.push(Collection {
                name: format!("c{i}"),
                member: format!("m{i}"),
                standard: Standard::NONE,
                ..Collection::default()
            });
        }
        let (one, two) = tokio::join!(
            migrate(&world.store, vec![more.clone(), painter()]),
            migrate(&other, vec![more.clone(), painter()])
        );
        let steps = one.unwrap().len() + two.unwrap().len();
        assert_eq!(steps, 10, "each table and its index once");
    }
}
