//! Units of work side by side.

use crate::world::*;
use hadron_store::{NewEntry, Predicate, Query, StoreError, Transaction, View};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn unit_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

async fn number(unit: &mut Transaction) -> Result<i64, StoreError> {
    let row = unit.get(&shelves(), "s", &View::default()).await?.ok_or(StoreError::NotFound)?;
    Ok(parsed(&row)["height"].as_i64().unwrap())
}

on_both! {
    async fn a_unit_that_reads_waits_for_no_writer_and_cannot_write(world: World) {
        world.add(&shelves(), vec![new("s", json!({"height": 1}))]).await;
        let mut writer = world.begin().await;
        writer.update(&shelves(), "s", object(json!({"height": 2})), Vec::new()).await.unwrap();
        let mut reader = world.store.begin_reading(&unit_id()).await.unwrap();
        assert_eq!(number(&mut reader).await.unwrap(), 1);
        writer.commit(Vec::new()).await.unwrap();
        // All that it sees is of one moment.
        assert_eq!(number(&mut reader).await.unwrap(), 1);
        assert!(reader.insert(&shelves(), vec![new("t", json!({}))]).await.is_err());
        reader.rollback().await;
        let mut reader = world.store.begin_reading(&unit_id()).await.unwrap();
        assert_eq!(number(&mut reader).await.unwrap(), 2);
        assert_eq!(reader.count(&shelves(), &Predicate::always()).await.unwrap(), 1);
        assert!(reader.delete(&shelves(), &["s".to_owned()]).await.is_err());
        reader.rollback().await;
        // The connections are of use to others afterwards.
        let mut unit = world.begin().await;
        assert_eq!(number(&mut unit).await.unwrap(), 2);
        unit.rollback().await;
        assert_eq!(world.store.count(&shelves(), &Predicate::always()).await.unwrap(), 1);
    }

    async fn no_update_is_lost_among_sixteen_writers(world: World) {
        world.add(&shelves(), vec![new("s", json!({"height": 0}))]).await;
        let retries = Arc::new(AtomicU64::new(0));
        let mut writers = Vec::new();
        for writer in 0..16 {
            let (store, retries) = (world.store.clone(), retries.clone());
            writers.push(tokio::spawn(async move {
                for _ in 0..5 {
                    loop {
                        let mut unit = store.begin(&unit_id()).await.unwrap();
                        // Half of them lock first.
                        if writer % 2 == 0 {
                            unit.lock(&shelves(), "s").await.unwrap();
                        }
                        let before = number(&mut unit).await.unwrap();
                        let changes = object(json!({"height": before + 1}));
                        match unit.update(&shelves(), "s", changes, Vec::new()).await {
                            Ok(_) => {
                                unit.commit(Vec::new()).await.unwrap();
                                break;
                            }
                            Err(StoreError::Retry(_)) => {
                                retries.fetch_add(1, Ordering::Relaxed);
                                unit.rollback().await;
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let mut unit = world.begin().await;
        assert_eq!(number(&mut unit).await.unwrap(), 80);
        unit.rollback().await;
        println!("retries: {}", retries.load(Ordering::Relaxed));
    }

    async fn a_key_has_one_winner_among_sixteen_writers(world: World) {
        world.add(&shelves(), vec![new("s", json!({}))]).await;
        for round in 0..5 {
            let mut writers = Vec::new();
            for writer in 0..16 {
                let store = world.store.clone();
                writers.push(tokio::spawn(async move {
                    let mut unit = store.begin(&unit_id()).await.unwrap();
                    let row = new(&format!("b{round}-{writer}"), json!({"shelf_id": "s", "code": round.to_string()}));
                    match unit.insert(&boxes(), vec![row]).await {
                        Ok(_) => {
                            unit.commit(Vec::new()).await.unwrap();
                            1
                        }
                        Err(StoreError::Duplicate(key)) if key == "code" => {
                            unit.rollback().await;
                            0
                        }
                        Err(error) => panic!("{error}"),
                    }
                }));
            }
            let mut winners = 0;
            for writer in writers {
                winners += writer.await.unwrap();
            }
            assert_eq!(winners, 1);
        }
    }

    async fn a_row_that_is_referred_to_does_not_go_away(world: World) {
        for round in 0..10 {
            let shelf = format!("s{round}");
            world.add(&shelves(), vec![new(&shelf, json!({}))]).await;
            let mut writers = Vec::new();
            for writer in 0..8 {
                let (store, shelf) = (world.store.clone(), shelf.clone());
                writers.push(tokio::spawn(async move {
                    let mut unit = store.begin(&unit_id()).await.unwrap();
                    let done = if writer == 4 {
                        unit.delete(&shelves(), &[shelf]).await
                    } else {
                        let row = new(&format!("b{round}-{writer}"), json!({"shelf_id": shelf}));
                        unit.insert(&boxes(), vec![row]).await.map(drop)
                    };
                    match done {
                        Ok(()) => drop(unit.commit(Vec::new()).await.unwrap()),
                        Err(StoreError::InUse(_) | StoreError::MissingReference(_) | StoreError::Retry(_)) => {
                            unit.rollback().await;
                        }
                        Err(error) => panic!("{error}"),
                    }
                }));
            }
            for writer in writers {
                writer.await.unwrap();
            }
            let here = world.store.count(&shelves(), &Predicate::equal("id", &shelf)).await.unwrap();
            let held = world.store.count(&boxes(), &Predicate::equal("shelf_id", &shelf)).await.unwrap();
            assert!(here == 1 || held == 0, "{held} boxes on a shelf that is gone");
        }
    }

    async fn what_is_committed_is_seen_at_once(world: World) {
        let mut writers = Vec::new();
        for writer in 0..16 {
            let store = world.store.clone();
            writers.push(tokio::spawn(async move {
                for i in 0..10 {
                    let row = format!("{writer}-{i}");
                    let mut unit = store.begin(&unit_id()).await.unwrap();
                    unit.insert(&shelves(), vec![new(&row, json!({}))]).await.unwrap();
                    unit.commit(Vec::new()).await.unwrap();
                    let read = store.get(&shelves(), &row, &Predicate::always(), &View::default()).await.unwrap();
                    assert!(read.is_some());
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
    }

    async fn a_unit_that_fails_takes_no_other_with_it(world: World) {
        let mut units = Vec::new();
        for n in 0..40 {
            let store = world.store.clone();
            units.push(tokio::spawn(async move {
                let mut unit = store.begin(&unit_id()).await.unwrap();
                unit.insert(&shelves(), vec![new(&format!("{n:02}"), json!({}))]).await.unwrap();
                match n % 4 {
                    0 => drop(unit),
                    1 => unit.rollback().await,
                    2 => {
                        unit.insert(&shelves(), vec![new(&format!("{n:02}"), json!({}))]).await.unwrap_err();
                        drop(unit);
                    }
                    _ => drop(unit.commit(Vec::new()).await.unwrap()),
                }
            }));
        }
        for unit in units {
            unit.await.unwrap();
        }
        let mut unit = world.begin().await;
        let rows = unit.find(&shelves(), &Query::default(), &View::default()).await.unwrap();
        let kept: Vec<usize> = rows.iter().map(|row| row.id.parse().unwrap()).collect();
        assert_eq!(kept, (0..40).filter(|n| n % 4 == 3).collect::<Vec<_>>());
        unit.rollback().await;
    }

    async fn a_create_needs_few_statements(world: World) {
        world.add(&shelves(), vec![new("s", json!({}))]).await;
        let entry = |n: &str| NewEntry {
            id: n.into(), target: "t".into(), kind: "k".into(), operation: "create".into(),
            collection: "boxes".into(), resource: "b".into(), revision: 0,
            after: vec!["s".into()], payload: "{}".into(),
        };
        let before = world.store.statements();
        let mut unit = world.begin().await;
        unit.get(&shelves(), "s", &View::default()).await.unwrap();
        unit.insert(&boxes(), vec![new("b", json!({"shelf_id": "s"}))]).await.unwrap();
        unit.update(&boxes(), "b", object(json!({"code": "1"})), Vec::new()).await.unwrap();
        unit.commit(vec![entry("e"), entry("f")]).await.unwrap();
        let sent = world.store.statements() - before;
        // BEGIN, three statements and one that revises the shelf, which lists its
        // boxes, entries, COMMIT; on SQLite also a savepoint, the changes, and the
        // entries' rows.
        assert_eq!(sent, if world.is_postgres() { 7 } else { 11 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_share_commits_on_sqlite() {
    let world = World::on_sqlite().await;
    let before = world.store.commits();
    let mut units = Vec::new();
    for n in 0..320 {
        let store = world.store.clone();
        units.push(tokio::spawn(async move {
            let mut unit = store.begin(&unit_id()).await.unwrap();
            unit.insert(&shelves(), vec![new(&n.to_string(), json!({}))]).await.unwrap();
            unit.commit(Vec::new()).await.unwrap();
        }));
    }
    for unit in units {
        unit.await.unwrap();
    }
    let commits = world.store.commits() - before;
    assert!(commits <= 80, "320 units needed {commits} commits");
    // Nobody waits for company.
    let before = world.store.commits();
    world.add(&shelves(), vec![new("alone", json!({}))]).await;
    assert_eq!(world.store.commits() - before, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_does_not_come_in_time_is_given_up_on_sqlite() {
    let world = World::on_sqlite().await;
    let mut settings = world.settings.clone();
    settings.patience = Duration::from_millis(200);
    let store = hadron_store::Store::open(settings).await.unwrap();
    let first = store.begin(&unit_id()).await.unwrap();
    assert!(matches!(store.begin(&unit_id()).await.err(), Some(StoreError::Unavailable(_))));
    drop(first);
    store.begin(&unit_id()).await.unwrap().rollback().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_revision_runs_the_unit_again_on_postgres() {
    let Some(world) = World::on_postgres().await else { return };
    world.add(&shelves(), vec![new("s", json!({"height": 0}))]).await;
    let mut slow = world.begin().await;
    number(&mut slow).await.unwrap();
    let mut fast = world.begin().await;
    fast.update(&shelves(), "s", object(json!({"height": 5})), Vec::new()).await.unwrap();
    fast.commit(Vec::new()).await.unwrap();
    // What was read first counts, even if it is read again.
    assert_eq!(number(&mut slow).await.unwrap(), 5);
    let stale = slow.update(&shelves(), "s", object(json!({"height": 1})), Vec::new()).await;
    assert!(matches!(stale, Err(StoreError::Retry(_))), "{stale:?}");
    slow.rollback().await;
    let mut slow = world.begin().await;
    number(&mut slow).await.unwrap();
    let mut fast = world.begin().await;
    fast.delete(&shelves(), &["s".into()]).await.unwrap();
    fast.commit(Vec::new()).await.unwrap();
    let gone = slow.update(&shelves(), "s", object(json!({"height": 1})), Vec::new()).await;
    assert!(matches!(gone, Err(StoreError::Retry(_))), "{gone:?}");
    slow.rollback().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_runs_one_unit_again_on_postgres() {
    let Some(world) = World::on_postgres().await else { return };
    world.add(&shelves(), vec![new("a", json!({})), new("b", json!({}))]).await;
    let mut one = world.begin().await;
    let mut two = world.begin().await;
    one.lock(&shelves(), "a").await.unwrap();
    two.lock(&shelves(), "b").await.unwrap();
    let (shelf_a, shelf_b) = (shelves(), shelves());
    let (first, second) = tokio::join!(one.lock(&shelf_a, "b"), async {
        let outcome = two.lock(&shelf_b, "a").await;
        two.rollback().await;
        outcome
    });
    let lost = [first, second].iter().filter(|o| matches!(o, Err(StoreError::Retry(_)))).count();
    assert_eq!(lost, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_comes_to_refer_to_a_locked_row_on_postgres() {
    let Some(world) = World::on_postgres().await else { return };
    world.add(&shelves(), vec![new("s", json!({}))]).await;
    let mut holder = world.begin().await;
    holder.lock(&shelves(), "s").await.unwrap();
    let mut other = world.begin().await;
    let boxes_of_shelves = boxes();
    let joins = other.insert(&boxes_of_shelves, vec![new("b", json!({"shelf_id": "s"}))]);
    tokio::pin!(joins);
    let patience = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, &mut joins).await.is_err(), "a row came to refer to a locked one");
    assert_eq!(holder.count(&boxes(), &Predicate::always()).await.unwrap(), 0);
    holder.commit(Vec::new()).await.unwrap();
    joins.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_is_committed_once_on_postgres() {
    let Some(world) = World::on_postgres().await else { return };
    let id = unit_id();
    for run in ["first", "second"] {
        let mut unit = world.store.begin(&id).await.unwrap();
        unit.insert(&shelves(), vec![new(run, json!({}))]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
    }
    assert_eq!(world.store.count(&shelves(), &Predicate::always()).await.unwrap(), 1);
}
