//! The log of changes.

use crate::world::*;
use hadron_store::{CollectionId, Happened, Keep, Location, Settings, Store, StoreError};
use serde_json::json;
use sqlx::Connection;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn labels() -> CollectionId {
    id("ware-house", "labels")
}

/// Reads on from the cursor; what was told, and the new cursor.
async fn told(store: &Store, cursor: i64) -> (Vec<(String, Happened, i64)>, i64) {
    let read = store
        .changes()
        .after(cursor, &[shelves(), boxes(), things(), labels()], "p", 1000)
        .await
        .unwrap()
        .unwrap();
    (read.changes.into_iter().map(|c| (c.id, c.happened, c.revision)).collect(), read.next)
}

on_both! {
    async fn a_unit_is_told_of_once_it_is_committed(world: World) {
        let start = world.store.changes().horizon().await.unwrap();
        let mut unit = world.begin().await;
        unit.insert(&shelves(), vec![new("s", json!({"height": 1})), new("t", json!({}))]).await.unwrap();
        unit.update(&shelves(), "s", object(json!({"height": 2})), Vec::new()).await.unwrap();
        assert_eq!(told(&world.store, start).await, (vec![], start));
        unit.commit(Vec::new()).await.unwrap();
        let (changes, next) = told(&world.store, start).await;
        assert_eq!(changes, [("s".into(), Happened::Created, 1), ("t".into(), Happened::Created, 0)]);

        let mut unit = world.begin().await;
        unit.update(&shelves(), "s", object(json!({"height": 2})), Vec::new()).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(told(&world.store, next).await.0, [], "a change of nothing is no change");

        let mut unit = world.begin().await;
        unit.update(&shelves(), "s", object(json!({"height": 3})), Vec::new()).await.unwrap();
        unit.rollback().await;
        let mut unit = world.begin().await;
        unit.delete(&shelves(), &["s".to_owned()]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        let read = world.store.changes().after(next, &[shelves()], "p", 10).await.unwrap().unwrap();
        assert_eq!(read.changes.len(), 1);
        let gone = &read.changes[0];
        assert_eq!((gone.happened, gone.revision), (Happened::Deleted, 1));
        assert_eq!(parsed(gone.row.as_ref().unwrap())["height"], 2);
        let rows = world.store.changes().removed(&shelves(), vec!["s".into(), "t".into()], "p").await.unwrap();
        assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["s"]);
    }

    async fn a_page_is_read_on_from_its_end(world: World) {
        let start = world.store.changes().horizon().await.unwrap();
        for name in ["a", "b", "c"] {
            world.add(&shelves(), vec![new(name, json!({}))]).await;
        }
        let mut cursor = start;
        let mut seen = Vec::new();
        loop {
            let read = world.store.changes().after(cursor, &[shelves()], "p", 2).await.unwrap().unwrap();
            seen.extend(read.changes.iter().map(|change| change.id.clone()));
            cursor = read.next;
            if !read.more {
                break;
            }
        }
        assert_eq!(seen, ["a", "b", "c"]);
        assert!(world.store.changes().after(cursor + 100, &[shelves()], "p", 2).await.unwrap().is_none());
    }

    async fn what_is_forgotten_is_said_to_be(world: World) {
        let keep = Keep { changes: Duration::from_secs(3600), most_changes: 2, ..Keep::default() };
        let start = world.store.changes().horizon().await.unwrap();
        for name in ["a", "b", "c", "d"] {
            world.add(&shelves(), vec![new(name, json!({}))]).await;
        }
        let log = world.store.changes();
        let all = log.after(start, &[shelves()], "p", 10).await.unwrap().unwrap().changes;
        let other = Store::open(Settings { keep, ..world.settings.clone() }).await.unwrap();
        other.forget().await;
        assert!(log.after(start, &[shelves()], "p", 10).await.unwrap().is_none());
        let left = log.after(all[1].cursor, &[shelves()], "p", 10).await.unwrap().unwrap();
        assert_eq!(left.changes.iter().map(|change| change.id.as_str()).collect::<Vec<_>>(), ["c", "d"]);
        other.close().await;
        let short = Keep { changes: Duration::ZERO, ..Keep::default() };
        let other = Store::open(Settings { keep: short, ..world.settings.clone() }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        other.forget().await;
        assert!(log.after(all[1].cursor, &[shelves()], "p", 10).await.unwrap().is_none());
        assert!(log.after(log.horizon().await.unwrap(), &[shelves()], "p", 10).await.unwrap().is_some());
        other.close().await;
    }

    /// Sixteen writers change eight rows, with pauses before and after they
    /// write; a reader that now and then forgets all but its cursor is told of
    /// each revision of each row once, in order.
    async fn no_change_is_missed_among_sixteen_writers(world: World) {
        let start = world.store.changes().horizon().await.unwrap();
        let rows = (0..8).map(|row| new(&format!("s{row}"), json!({"height": 0}))).collect();
        world.add(&shelves(), rows).await;
        let done = Arc::new(AtomicBool::new(false));
        let reader = {
            let (store, done) = (world.store.clone(), done.clone());
            tokio::spawn(async move {
                let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
                let (mut cursor, mut news, mut round) = (start, store.changes().news(), 0u64);
                loop {
                    let last = done.load(Ordering::SeqCst);
                    let limit = [1, 3, 1000][(round % 3) as usize];
                    let read = store.changes().after(cursor, &[shelves()], "p", limit).await.unwrap().unwrap();
                    // A client that was cut off in the middle of a page.
                    let kept = if round % 5 == 0 { read.changes.len() / 2 } else { read.changes.len() };
                    for change in &read.changes[..kept] {
                        seen.entry(change.id.clone()).or_default().push(change.revision);
                        cursor = change.cursor;
                    }
                    if kept == read.changes.len() {
                        cursor = read.next;
                        if last && !read.more {
                            return seen;
                        }
                    }
                    round += 1;
                    if !read.more {
                        let _ = tokio::time::timeout(Duration::from_millis(5), news.wait()).await;
                    }
                }
            })
        };
        let mut writers = Vec::new();
        for writer in 0..16u64 {
            let store = world.store.clone();
            writers.push(tokio::spawn(async move {
                let mut made = 0;
                for step in 0..12u64 {
                    // No two alike, and the same in every run of the test.
                    let pause = |salt: u64| Duration::from_millis((writer * 7 + step * 13 + salt * 5) % 11);
                    let row = format!("s{}", (writer * 5 + step * 3) % 8);
                    loop {
                        let mut unit = store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap();
                        // A transaction gets its number from PostgreSQL here.
                        let own = format!("w{writer}-{step}");
                        unit.insert(&boxes(), vec![new(&own, json!({}))]).await.unwrap();
                        if writer % 3 != 0 {
                            tokio::time::sleep(pause(1)).await;
                        }
                        let changes = object(json!({"height": writer * 100 + step + 1}));
                        let changed = unit.update(&shelves(), &row, changes, Vec::new()).await;
                        if writer % 3 != 1 {
                            tokio::time::sleep(pause(2)).await;
                        }
                        match changed {
                            Ok(_) => {
                                unit.commit(Vec::new()).await.unwrap();
                                made += 1;
                                break;
                            }
                            Err(_) => unit.rollback().await,
                        }
                    }
                }
                made
            }));
        }
        let mut made = 0;
        for writer in writers {
            made += writer.await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        let seen = reader.await.unwrap();
        assert_eq!(seen.values().map(Vec::len).sum::<usize>(), made + 8);
        for (row, revisions) in seen {
            let expected: Vec<i64> = (0..revisions.len() as i64).collect();
            assert_eq!(revisions, expected, "{row}");
        }
    }

    /// What a deletion takes along is told of, and a row that shows others changes
    /// when one of them comes or goes.
    async fn what_goes_along_is_told_of(world: World) {
        world.add(&shelves(), vec![new("s", json!({}))]).await;
        world.add(&labels(), vec![new("l", json!({"shelf_id": "s"}))]).await;
        let start = world.store.changes().horizon().await.unwrap();
        world.add(&boxes(), vec![new("b", json!({"shelf_id": "s"}))]).await;
        let (changes, next) = told(&world.store, start).await;
        assert_eq!(changes, [("s".into(), Happened::Updated, 1), ("b".into(), Happened::Created, 0)]);
        let mut unit = world.begin().await;
        unit.delete(&boxes(), &["b".to_owned()]).await.unwrap();
        unit.delete(&shelves(), &["s".to_owned()]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        let (changes, _) = told(&world.store, next).await;
        let gone: Vec<_> = changes.iter().map(|(id, happened, _)| (id.as_str(), *happened)).collect();
        // Labels are nobody's but their plugin's.
        assert_eq!(gone, [("b", Happened::Deleted), ("s", Happened::Deleted)]);
    }
}

/// A unit whose place in the log comes before that of another, and whose COMMIT
/// ends after the other's, is not passed over: readers stay before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_is_being_committed_is_not_passed() {
    let Some(world) = World::on_postgres().await else { return };
    let Location::Postgres(url) = &world.settings.location else { return };
    let mut gate = sqlx::PgConnection::connect(url).await.unwrap();
    // A COMMIT of the row 'slow' waits for the gate; by then it has its place.
    let trigger = "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS \
                   'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END'; \
                   CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON hadron_changes DEFERRABLE INITIALLY DEFERRED \
                   FOR EACH ROW WHEN (NEW.resource = 'slow') EXECUTE FUNCTION pass(); \
                   SELECT pg_advisory_lock(7)";
    sqlx::raw_sql(trigger).execute(&mut gate).await.unwrap();
    let start = world.store.changes().horizon().await.unwrap();
    let store = world.store.clone();
    let slow = tokio::spawn(async move {
        let mut unit = store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap();
        unit.insert(&shelves(), vec![new("slow", json!({}))]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = \
                 (SELECT oid FROM pg_database WHERE datname = current_database())";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut gate).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.add(&shelves(), vec![new("fast", json!({}))]).await;
    assert_eq!(told(&world.store, start).await, (vec![], start));
    // One that knows of no earlier place cannot tell where it is.
    let other = Store::open(world.settings.clone()).await.unwrap();
    assert!(matches!(other.changes().horizon().await, Err(StoreError::Unavailable(_))));
    sqlx::raw_sql("SELECT pg_advisory_unlock(7)").execute(&mut gate).await.unwrap();
    slow.await.unwrap();
    let (changes, _) = told(&world.store, start).await;
    let ids: Vec<&str> = changes.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(ids, ["slow", "fast"]);
    other.close().await;
}
