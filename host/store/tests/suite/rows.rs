//! Rows: written, read, found, refused.

use crate::world::*;
use futures::StreamExt;
use hadron_store::{Direction, NewRow, Predicate, Query, Row, Store, StoreError, View};
use serde_json::{Value, json};

async fn ids(store: &Store, query: Query) -> Vec<String> {
    let rows: Vec<Result<Row, StoreError>> =
        store.list(&shelves(), &query, &View::default()).await.unwrap().collect().await;
    rows.into_iter().map(|row| row.unwrap().id).collect()
}

async fn fitting(store: &Store, predicate: Predicate) -> Vec<String> {
    ids(store, Query { predicate, ..Query::default() }).await
}

on_both! {
    async fn a_row_is_written_and_read(world: World) {
        let mut row = new("s1", json!({"name": "Südwand", "height": 3, "extra": {"a": [1, null]}, "tags": ["x"]}));
        row.project_id = Some("p".into());
        row.extensions = vec![("painter".into(), object(json!({"colour": "red", "coats": 2})))];
        let written = world.add(&shelves(), vec![row]).await.remove(0);
        assert_eq!(written.revision, 0);
        let view = View { derived: true, ..View::default() };
        let read = world.store.get(&shelves(), "s1", &Predicate::always(), &view).await.unwrap().unwrap();
        assert_eq!(
            parsed(&read),
            json!({
                "id": "s1", "project_id": "p", "tenant_id": "p", "revision_number": 0,
                "created_at": written.created_at, "updated_at": written.updated_at,
                "name": "Südwand", "height": 3, "extra": {"a": [1, null]}, "tags": ["x"],
                "colour": "red", "coats": 2, "boxes": [], "description": "",
            })
        );
        assert_eq!(read.extensions.len(), 2);
        let hidden = View { hidden: vec!["extra".into(), "colour".into(), "boxes".into(), "no such".into()], derived: true, ..View::default() };
        let read = world.store.get(&shelves(), "s1", &Predicate::always(), &hidden).await.unwrap().unwrap();
        let shown = parsed(&read);
        assert_eq!(shown.get("extra"), None);
        assert_eq!(shown.get("colour"), None);
        assert_eq!(shown.get("boxes"), None);
        assert_eq!(shown["coats"], 2);
        let own = Predicate::equal("project_id", "q");
        assert_eq!(world.store.get(&shelves(), "s1", &own, &hidden).await.unwrap(), None);
        assert_eq!(world.store.get(&shelves(), "nobody", &Predicate::always(), &hidden).await.unwrap(), None);
        assert_eq!(world.store.get(&shelves(), "s\u{0}1", &Predicate::always(), &hidden).await.unwrap(), None);
    }

    async fn what_items_have_is_gathered(world: World) {
        world.add(&shelves(), vec![new("s", json!({}))]).await;
        let of_shelf = |id: &str| new(id, json!({"shelf_id": "s"}));
        world.add(&boxes(), vec![of_shelf("a"), of_shelf("b"), of_shelf("c")]).await;
        let slots = |slots: Value| json!({ "slots": slots });
        let (one, two) = (json!([{"box_id": "a", "slot": 1}]), json!([{"box_id": "a", "slot": 7}, {"box_id": "b", "slot": 2}]));
        world.add(&things(), vec![new("1", slots(one)), new("2", slots(two)), new("3", json!({}))]).await;
        let mut unit = world.begin().await;
        let mut gather = async |by: &str, values: Value, member: &str| {
            let values = values.as_array().unwrap().clone();
            let found = unit.gather(&things(), "slots", by, &values, member).await.unwrap();
            let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            let mut found: Vec<(Value, Vec<Value>)> =
                found.iter().map(|(key, list)| (parse(key), parse(list).as_array().unwrap().clone())).collect();
            found.iter_mut().for_each(|(_, list)| list.sort_by_key(Value::to_string));
            json!(found)
        };
        assert_eq!(gather("box_id", json!(["a", "b", "c", "nowhere"]), "slot").await, json!([["a", [1, 7]], ["b", [2]]]));
        assert_eq!(gather("slot", json!([7]), "box_id").await, json!([[7, ["a"]]]));
        assert_eq!(gather("slot", json!([]), "box_id").await, json!([]));
        let nothing = unit.gather(&things(), "slots", "colour", &[json!("a")], "slot").await;
        assert!(matches!(nothing, Err(StoreError::Invalid(_))), "{nothing:?}");
    }

    async fn a_sparse_attribute_without_a_value_is_no_member(world: World) {
        world.add(&shelves(), vec![new("s", json!({"name": null, "note": null, "by": null}))]).await;
        let set = async |value: Value| {
            let mut unit = world.begin().await;
            let changes = object(json!({"note": value, "by": null}));
            let row = unit.update(&shelves(), "s", changes, Vec::new()).await.unwrap();
            unit.commit(Vec::new()).await.unwrap();
            let shown = parsed(&row);
            (row.revision, shown.get("note").cloned(), shown.get("by").cloned())
        };
        assert_eq!(set(Value::Null).await, (0, None, None));
        assert_eq!(set(json!("dusty")).await, (1, Some(json!("dusty")), Some(Value::Null)));
        assert_eq!(set(Value::Null).await, (2, None, None));
        let row = world.store.get(&shelves(), "s", &Predicate::always(), &View::default()).await.unwrap().unwrap();
        assert_eq!(parsed(&row).get("note"), None);
        assert_eq!(parsed(&row).get("name"), Some(&Value::Null));
    }

    async fn a_row_is_revised_when_what_it_lists_comes_or_goes(world: World) {
        world.add(&shelves(), vec![new("s", json!({})), new("t", json!({}))]).await;
        let revisions = async || {
            let mut all = Vec::new();
            for id in ["s", "t"] {
                let row = world.store.get(&shelves(), id, &Predicate::always(), &View::default()).await.unwrap();
                all.push(row.unwrap().revision);
            }
            all
        };
        world.add(&boxes(), vec![new("1", json!({"shelf_id": "s"})), new("2", json!({"shelf_id": "s"}))]).await;
        assert_eq!(revisions().await, [1, 0]);
        let mut unit = world.begin().await;
        // What the unit knew of the shelf before still holds.
        unit.get(&shelves(), "s", &View::default()).await.unwrap();
        unit.update(&boxes(), "1", object(json!({"name": "x"})), Vec::new()).await.unwrap();
        unit.update(&boxes(), "1", object(json!({"shelf_id": "t"})), Vec::new()).await.unwrap();
        let shelf = unit.update(&shelves(), "s", object(json!({"name": "y"})), Vec::new()).await.unwrap();
        assert_eq!(shelf.revision, 3);
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(revisions().await, [3, 1]);
        let mut unit = world.begin().await;
        unit.delete(&boxes(), &["1".into(), "2".into()]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(revisions().await, [4, 2]);
    }

    async fn a_unit_that_is_dropped_or_rolled_back_leaves_nothing(world: World) {
        let mut unit = world.begin().await;
        unit.insert(&shelves(), vec![new("a", json!({}))]).await.unwrap();
        drop(unit);
        let mut unit = world.begin().await;
        unit.insert(&shelves(), vec![new("b", json!({}))]).await.unwrap();
        unit.rollback().await;
        world.add(&shelves(), vec![new("c", json!({}))]).await;
        assert_eq!(ids(&world.store, Query::default()).await, ["c"]);
    }

    async fn many_rows_are_one_insert(world: World) {
        let rows: Vec<_> = (0..100).map(|i| new(&format!("s{i:03}"), json!({"rank": i, "open": i % 2 == 0, "tags": ["t", i.to_string()]}))).collect();
        world.add(&shelves(), rows).await;
        assert_eq!(ids(&world.store, Query::default()).await.len(), 100);
        assert_eq!(fitting(&world.store, Predicate::equal("tags", "7")).await, ["s007"]);
        let mut unit = world.begin().await;
        assert_eq!(unit.count(&shelves(), &Predicate::In("open".into(), vec![true.into()])).await.unwrap(), 50);
        unit.rollback().await;
    }

    async fn an_update_merges_and_counts(world: World) {
        world.add(&shelves(), vec![new("a", json!({"name": "x", "height": 1, "tags": ["old"]}))]).await;
        let mut unit = world.begin().await;
        let row = unit.update(&shelves(), "a", object(json!({"height": 2, "rank": 5, "tags": ["new", "newer"]})),
            vec![("painter".into(), object(json!({"coats": 4})))]).await.unwrap();
        assert_eq!(row.revision, 1);
        let same = unit.update(&shelves(), "a", object(json!({"height": 2})), Vec::new()).await.unwrap();
        assert_eq!(same.revision, 1);
        let again = unit.update(&shelves(), "a", object(json!({"name": null})), Vec::new()).await.unwrap();
        assert_eq!(again.revision, 2);
        assert!(matches!(unit.update(&shelves(), "b", object(json!({})), Vec::new()).await, Err(StoreError::NotFound)));
        unit.commit(Vec::new()).await.unwrap();
        let read = world.store.get(&shelves(), "a", &Predicate::always(), &View::default()).await.unwrap().unwrap();
        let read = parsed(&read);
        assert_eq!(read["revision_number"], 2);
        assert_eq!(read["height"], 2);
        assert_eq!(read["name"], Value::Null);
        assert_eq!(read["coats"], 4);
        assert_eq!(fitting(&world.store, Predicate::equal("tags", "old")).await.len(), 0);
        assert_eq!(fitting(&world.store, Predicate::equal("tags.value", "newer")).await, ["a"]);
        assert_eq!(fitting(&world.store, Predicate::In("rank".into(), vec![5.into()])).await, ["a"]);
        assert_eq!(fitting(&world.store, Predicate::In("coats".into(), vec![4.into()])).await, ["a"]);
    }

    async fn keys_and_references_are_kept(world: World) {
        world.add(&shelves(), vec![new("s", json!({"height": 7})), new("s2", json!({}))]).await;
        world.add(&boxes(), vec![new("b", json!({"shelf_id": "s", "code": "1"})), new("n", json!({"shelf_id": "s", "code": null}))]).await;
        world.add(&boxes(), vec![new("n2", json!({"shelf_id": "s"}))]).await;

        let mut unit = world.begin().await;
        let twice = unit.insert(&boxes(), vec![new("c", json!({"shelf_id": "s", "code": "1"}))]).await;
        assert!(matches!(twice, Err(StoreError::Duplicate(key)) if key == "code"));
        assert!(matches!(unit.get(&boxes(), "b", &View::default()).await, Err(StoreError::Doomed)));
        assert!(matches!(unit.commit(Vec::new()).await, Err(StoreError::Doomed)));

        let mut unit = world.begin().await;
        let twice = unit.insert(&boxes(), vec![new("b", json!({"shelf_id": "s"}))]).await;
        assert!(matches!(twice, Err(StoreError::Duplicate(key)) if key == "id"));
        unit.rollback().await;

        let mut unit = world.begin().await;
        let lost = unit.insert(&boxes(), vec![new("d", json!({"shelf_id": "nowhere"}))]).await;
        assert!(matches!(lost, Err(StoreError::MissingReference(a)) if a == "shelf_id"));
        unit.rollback().await;

        let mut unit = world.begin().await;
        let lost = unit.update(&boxes(), "b", object(json!({"shelf_id": "nowhere"})), Vec::new()).await;
        assert!(matches!(lost, Err(StoreError::MissingReference(a)) if a == "shelf_id"));
        unit.rollback().await;

        let mut unit = world.begin().await;
        let used = unit.delete(&shelves(), &["s".into()]).await;
        assert!(matches!(used, Err(StoreError::InUse(c)) if c == "boxes"));
        unit.rollback().await;

        let labels = id("ware-house", "labels");
        world.add(&labels, vec![new("l", json!({"shelf_id": "s2"}))]).await;
        let mut unit = world.begin().await;
        unit.delete(&shelves(), &["s2".into()]).await.unwrap();
        assert_eq!(unit.get(&labels, "l", &View::default()).await.unwrap(), None);
        assert!(matches!(unit.delete(&shelves(), &["s2".into()]).await, Err(StoreError::NotFound)));
        unit.commit(Vec::new()).await.unwrap();

        let view = View { derived: true, ..View::default() };
        let shelf = world.store.get(&shelves(), "s", &Predicate::always(), &view).await.unwrap().unwrap();
        assert_eq!(parsed(&shelf)["boxes"], json!(["b", "n", "n2"]));
        let found = world.store.get(&boxes(), "b", &Predicate::always(), &view).await.unwrap().unwrap();
        assert_eq!(parsed(&found)["shelf_height"], 7);
        assert_eq!(parsed(&found)["shelf_owner"], Value::Null);
    }

    async fn a_reference_of_another_plugin_says_what_a_deletion_is_answered(world: World) {
        world.add(&things(), vec![new("t", json!({})), new("u", json!({}))]).await;
        let painted = |id: &str, model: &str| NewRow {
            extensions: vec![("painter".into(), object(json!({"colour": "red", "model_id": model})))],
            ..new(id, json!({}))
        };
        world.add(&shelves(), vec![painted("s", "t")]).await;
        let mut unit = world.begin().await;
        let lost = unit.insert(&shelves(), vec![painted("s2", "nowhere")]).await;
        assert!(matches!(lost, Err(StoreError::MissingReference(a)) if a == "model_id"));
        unit.rollback().await;

        for made_in_this_unit in [false, true] {
            let mut unit = world.begin().await;
            let goes = if made_in_this_unit { "u" } else { "t" };
            if made_in_this_unit {
                unit.insert(&shelves(), vec![painted("s2", "u")]).await.unwrap();
            }
            let used = unit.delete(&things(), &[goes.into()]).await;
            match used {
                Err(StoreError::Refused { error, message }) => {
                    assert_eq!(error, "ThingPainted");
                    let by = if made_in_this_unit { "s2" } else { "s" };
                    assert_eq!(message, format!("Thing {goes} is painted red on {by}."));
                }
                // PostgreSQL has forgotten what this unit made when it is asked.
                Err(StoreError::InUse(by)) if made_in_this_unit => assert_eq!(by, "shelves"),
                other => panic!("{other:?}"),
            }
            assert!(matches!(unit.commit(Vec::new()).await, Err(StoreError::Doomed)));
        }

        let mut unit = world.begin().await;
        let freed = vec![("painter".to_owned(), object(json!({"model_id": null})))];
        unit.update(&shelves(), "s", object(json!({})), freed).await.unwrap();
        unit.delete(&things(), &["t".into()]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
    }

    async fn lists_have_keys_and_references_too(world: World) {
        world.add(&shelves(), vec![new("s", json!({}))]).await;
        world.add(&boxes(), vec![new("b", json!({"shelf_id": "s"})), new("c", json!({"shelf_id": "s"}))]).await;
        let slot = |b: &str, n: i64| json!({"slots": [{"box_id": b, "slot": n, "note": "kept"}]});
        world.add(&things(), vec![new("t", slot("b", 1)), new("u", slot("b", 2))]).await;
        let mut unit = world.begin().await;
        let twice = unit.insert(&things(), vec![new("v", slot("b", 1))]).await;
        assert!(matches!(twice, Err(StoreError::Duplicate(key)) if key == "slots"));
        unit.rollback().await;
        let mut unit = world.begin().await;
        let lost = unit.insert(&things(), vec![new("v", slot("x", 1))]).await;
        assert!(matches!(lost, Err(StoreError::MissingReference(a)) if a == "slots"));
        unit.rollback().await;
        let mut unit = world.begin().await;
        let used = unit.delete(&boxes(), &["b".into()]).await;
        assert!(matches!(used, Err(StoreError::InUse(c)) if c == "things"));
        unit.rollback().await;
        let mut unit = world.begin().await;
        unit.update(&things(), "t", object(json!({"slots": []})), Vec::new()).await.unwrap();
        unit.insert(&things(), vec![new("v", slot("b", 1))]).await.unwrap();
        unit.delete(&things(), &["u".into(), "v".into()]).await.unwrap();
        unit.delete(&boxes(), &["b".into()]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        world.add(&things(), vec![new("w", json!({"slots": [{"box_id": "c", "slot": 1}, {"box_id": "c", "slot": 2}]}))]).await;
        let mut unit = world.begin().await;
        let item = |slot: i64| Predicate::Item("slots".into(), vec![
            Predicate::equal("box_id", "c"), Predicate::In("slot".into(), vec![slot.into()])]);
        assert_eq!(unit.count(&things(), &item(2)).await.unwrap(), 1);
        assert_eq!(unit.count(&things(), &item(3)).await.unwrap(), 0);
        assert_eq!(unit.count(&things(), &Predicate::equal("slots.box_id", "c")).await.unwrap(), 1);
        assert_eq!(unit.count(&things(), &Predicate::Greater("slots.slot".into(), 1.into())).await.unwrap(), 1);
        unit.commit(Vec::new()).await.unwrap();
    }

    async fn what_the_manifest_does_not_know_is_refused(world: World) {
        for document in [json!({"no": 1}), json!({"height": "tall"}), json!({"open": 1}), json!({"name": "a\u{0}b"}), json!({"tags": 3})] {
            let mut unit = world.begin().await;
            let refused = unit.insert(&shelves(), vec![new("x", document.clone())]).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))), "{document}: {refused:?}");
            unit.rollback().await;
        }
        let unknown = Query { predicate: Predicate::equal("no", "x"), ..Query::default() };
        assert!(matches!(world.store.list(&shelves(), &unknown, &View::default()).await.err(), Some(StoreError::Invalid(_))));
        let unknown = Query { sort: vec![("tags".into(), Direction::Ascending)], ..Query::default() };
        assert!(matches!(world.store.list(&shelves(), &unknown, &View::default()).await.err(), Some(StoreError::Invalid(_))));
    }

    async fn every_predicate_answers_the_same(world: World) {
        let mut rows = vec![
            new("a", json!({"name": "Alpha", "height": 1, "open": true, "wood:kind": "oak", "rank": 1, "tags": ["x", "y"]})),
            new("b", json!({"name": "beta", "height": 2, "open": false, "wood:kind": "ash", "tags": ["y"]})),
            new("c", json!({"name": "al%_pha", "height": null, "rank": 3, "extra": "text"})),
            new("d", json!({"name": "ä", "extra": {"deep": true}, "tags": []})),
        ];
        rows[0].project_id = Some("p".into());
        rows[1].extensions = vec![("painter".into(), object(json!({"colour": "Blue", "coats": 9})))];
        world.add(&shelves(), rows).await;
        let all = |parts: Vec<Predicate>| Predicate::All(parts);
        let within = |name: &str, values: Vec<Value>| Predicate::In(name.into(), values);
        let alike = |name: &str, texts: &[&str]| {
            Predicate::Alike(name.into(), texts.iter().map(|&text| text.to_owned()).collect())
        };
        let not = |p: Predicate| Predicate::Not(Box::new(p));
        let cases: Vec<(Predicate, &str)> = vec![
            (Predicate::always(), "abcd"),
            (Predicate::never(), ""),
            (Predicate::equal("id", "a"), "a"),
            (Predicate::equal("project_id", "p"), "a"),
            (Predicate::equal("tenant_id", "p"), "a"),
            (within("project_id", vec![Value::Null]), "bcd"),
            (within("project_id", vec![Value::Null, "p".into()]), "abcd"),
            (within("id", vec!["a".into(), "c".into(), "zz".into()]), "ac"),
            (within("id", vec![]), ""),
            (Predicate::equal("name", "beta"), "b"),
            (Predicate::equal("name", "BETA"), ""),
            (Predicate::equal("name", "be\u{0}ta"), ""),
            (Predicate::equal("wood:kind", "ash"), "b"),
            (within("height", vec![1.into(), "2".into()]), "ab"),
            (within("height", vec!["tall".into()]), ""),
            (within("height", vec![Value::Null]), "cd"),
            (within("open", vec![true.into()]), "a"),
            (within("open", vec!["False".into(), true.into()]), "ab"),
            (within("rank", vec![3.into(), Value::Null]), "bcd"),
            (within("revision_number", vec![0.into()]), "abcd"),
            (Predicate::equal("extra", "text"), "c"),
            (Predicate::equal("colour", "Blue"), "b"),
            (within("coats", vec![9.into()]), "b"),
            (within("colour", vec![Value::Null]), "acd"),
            (Predicate::Contains("name".into(), "lph".into()), "a"),
            (alike("colour", &["bLUE", "red"]), "b"),
            (alike("wood:kind", &["OAK"]), "a"),
            (alike("name", &["Ä", "a\0"]), ""),
            (alike("name", &[]), ""),
            (Predicate::Contains("name".into(), "%_".into()), "c"),
            (Predicate::Contains("wood:kind".into(), "a".into()), "ab"),
            (Predicate::StartsWith("name".into(), "al".into()), "c"),
            (Predicate::StartsWith("name".into(), "ä".into()), "d"),
            (Predicate::Less("height".into(), 2.into()), "a"),
            (Predicate::Greater("rank".into(), 1.into()), "c"),
            (Predicate::Greater("name".into(), "al".into()), "bcd"),
            (Predicate::Less("wood:kind".into(), "oak".into()), "b"),
            (Predicate::equal("tags", "y"), "ab"),
            (Predicate::equal("tags.value", "x"), "a"),
            (within("tags", vec!["x".into(), "q".into()]), "a"),
            (not(Predicate::equal("tags", "x")), "bcd"),
            (not(within("height", vec![1.into()])), "bcd"),
            (all(vec![Predicate::equal("tags", "x"), Predicate::equal("tags", "y")]), "a"),
            (Predicate::Any(vec![Predicate::equal("id", "d"), Predicate::equal("open", "true")]), "ad"),
            (not(Predicate::Any(vec![])), "abcd"),
            (Predicate::Item("tags".into(), vec![]), "ab"),
        ];
        for (predicate, expected) in cases {
            let found = fitting(&world.store, predicate.clone()).await.concat();
            assert_eq!(found, expected, "{predicate:?}");
        }
    }

    async fn a_condition_may_be_about_the_row_that_is_referred_to(world: World) {
        let mut high = new("high", json!({"name": "high", "height": 9, "open": true, "wood:kind": "oak"}));
        high.project_id = Some("p".into());
        high.extensions = vec![("painter".into(), object(json!({"colour": "red"})))];
        world.add(&shelves(), vec![high, new("low", json!({"name": "low", "height": 1, "open": false}))]).await;
        let of = |id: &str, shelf: Value| new(id, json!({"name": id, "shelf_id": shelf, "code": id}));
        let rows = vec![of("a", "high".into()), of("b", "low".into()), of("c", "high".into()), of("d", Value::Null)];
        world.add(&boxes(), rows).await;
        let on = |condition: Predicate| Predicate::Referred("shelf_id".into(), Box::new(condition));
        let not = |p: Predicate| Predicate::Not(Box::new(p));
        for (predicate, expected) in [
            (on(Predicate::equal("project_id", "p")), "ac"),
            (on(Predicate::In("open".into(), vec![true.into()])), "ac"),
            (on(Predicate::In("height".into(), vec![1.into(), 2.into()])), "b"),
            (on(Predicate::equal("wood:kind", "oak")), "ac"),
            (on(Predicate::StartsWith("name".into(), "lo".into())), "b"),
            (on(Predicate::equal("colour", "red")), "ac"),
            (on(Predicate::always()), "abc"),
            (on(Predicate::never()), ""),
            (not(on(Predicate::equal("project_id", "p"))), "bd"),
            (on(not(Predicate::equal("project_id", "p"))), "b"),
            (Predicate::Any(vec![Predicate::equal("id", "d"), on(Predicate::equal("name", "low"))]), "bd"),
        ] {
            let query = Query { predicate: predicate.clone(), ..Query::default() };
            let found = world.store.list(&boxes(), &query, &View::default()).await.unwrap();
            let found: Vec<_> = found.map(|row| row.unwrap().id).collect().await;
            assert_eq!(found.concat(), expected, "{predicate:?}");
        }
        let tags = on(Predicate::equal("tags", "x"));
        let twice = on(on(Predicate::always()));
        let plain = Predicate::Referred("name".into(), Box::new(Predicate::always()));
        for wrong in [tags, twice, plain] {
            let query = Query { predicate: wrong, ..Query::default() };
            let refused = world.store.list(&boxes(), &query, &View::default()).await.err();
            assert!(matches!(refused, Some(StoreError::Invalid(_))), "{refused:?}");
        }
    }

    async fn text_sorts_by_code_point_and_nulls_come_first(world: World) {
        let names = [Some("b"), Some("B"), Some("ä"), None, Some("a"), Some("\u{10000}"), Some("\u{ff61}")];
        let rows = names.iter().enumerate().map(|(i, name)| new(&i.to_string(), json!({"name": name, "wood:kind": name}))).collect();
        world.add(&shelves(), rows).await;
        for attribute in ["name", "wood:kind"] {
            let sorted = |direction| Query { sort: vec![(attribute.into(), direction)], ..Query::default() };
            assert_eq!(ids(&world.store, sorted(Direction::Ascending)).await.concat(), "3140265");
            assert_eq!(ids(&world.store, sorted(Direction::Descending)).await.concat(), "5620413");
        }
        let unknown = Query { marker: Some("nobody".into()), ..Query::default() };
        assert!(matches!(world.store.list(&shelves(), &unknown, &View::default()).await.err(), Some(StoreError::NotFound)));
    }
}
