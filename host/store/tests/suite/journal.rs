//! Which journal entry may be delivered when.

use crate::world::*;
use hadron_store::{Entry, EntryFilter, EntryState, FirstAttempts, NewEntry, Store};
use serde_json::json;
use std::time::Duration;

const LATER: Duration = Duration::from_secs(3600);

fn entry(id: &str, operation: &str, resource: &str, revision: i64, after: &[&str]) -> NewEntry {
    NewEntry {
        id: id.into(),
        target: "driver".into(),
        kind: "hook".into(),
        operation: operation.into(),
        collection: "things".into(),
        resource: resource.into(),
        revision,
        after: after.iter().map(|a| (*a).to_owned()).collect(),
        payload: json!({"of": id}).to_string().into(),
    }
}

async fn write(store: &Store, entries: Vec<NewEntry>) {
    let unit = store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap();
    unit.commit(entries).await.unwrap();
}

/// What its commit says of the entries.
async fn first(store: &Store, entries: Vec<NewEntry>) -> FirstAttempts {
    store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap().commit(entries).await.unwrap()
}

async fn ready(store: &Store, ids: &[&str]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    store.journal().ready(&ids).await.unwrap().join(" ")
}

async fn release(store: &Store, ids: &[&str]) {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    store.journal().release(&ids).await.unwrap();
}

fn named(entries: &[Entry]) -> String {
    let mut ids: Vec<&str> = entries.iter().map(|e| e.new.id.as_str()).collect();
    ids.sort_unstable();
    ids.join(" ")
}

async fn claim(store: &Store) -> String {
    named(&store.journal().claim(100).await.unwrap())
}

on_both! {
    async fn the_backlog_tells_how_much_waits_and_for_how_long(world: World) {
        let journal = world.store.journal();
        assert_eq!(journal.backlog().await.unwrap(), []);
        let of = |id: &str, resource: &str| entry(id, "create", resource, 1, &[]);
        write(&world.store, vec![of("a", "r"), of("b", "s"), of("c", "t")]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        journal.refused("b", "no").await.unwrap();
        journal.failed("c", "later", LATER).await.unwrap();
        let mut backlog = journal.backlog().await.unwrap();
        assert!(backlog.iter().all(|b| b.oldest >= Duration::from_millis(15) && b.target == "driver"));
        backlog.sort_by_key(|b| format!("{:?}", b.state));
        let told: Vec<_> = backlog.iter().map(|b| (b.state, b.entries)).collect();
        assert_eq!(told, [(EntryState::Failing, 1), (EntryState::Pending, 1), (EntryState::Refused, 1)]);
    }

    async fn an_entry_is_kept_as_it_was_written(world: World) {
        let journal = world.store.journal();
        let unit = "11111111-1111-1111-1111-111111111111";
        let written = entry("e", "create", "r", 3, &["b", "a"]);
        world.store.begin(unit).await.unwrap().commit(vec![written.clone()]).await.unwrap();
        let read = journal.show("e").await.unwrap().unwrap();
        assert_eq!(read.new.payload, written.payload);
        assert_eq!(read.new.after, ["a", "b"]);
        assert_eq!((read.unit.as_str(), read.state, read.attempts, read.error), (unit, EntryState::Pending, 0, None));
        assert_eq!(read.created_at.len(), 20);
        journal.failed("e", "no\u{0}pe", LATER).await.unwrap();
        let read = journal.show("e").await.unwrap().unwrap();
        assert_eq!((read.state, read.attempts, read.error.as_deref()), (EntryState::Failing, 1, Some("no pe")));
        assert!(read.due_at > read.created_at);
        assert_eq!(journal.pending("driver").await.unwrap(), 1);
        assert_eq!(journal.pending("other").await.unwrap(), 0);
        let mine = EntryFilter { target: Some("driver".into()), resource: Some("r".into()), limit: 5 };
        assert_eq!(journal.list(&mine).await.unwrap().len(), 1);
        assert_eq!(claim(&world.store).await, "");
        assert_eq!(journal.retry(&mine).await.unwrap(), 1);
        assert_eq!(claim(&world.store).await, "e");
        journal.refused("e", "never").await.unwrap();
        assert_eq!(claim(&world.store).await, "");
        assert_eq!(journal.show("e").await.unwrap().unwrap().state, EntryState::Refused);
        assert_eq!(journal.drop(&["e".into()]).await.unwrap(), 1);
        assert_eq!(journal.show("e").await.unwrap(), None);
    }

    async fn changes_of_a_row_go_in_the_order_of_its_revisions(world: World) {
        let store = &world.store;
        write(store, vec![entry("c", "create", "r", 0, &[])]).await;
        write(store, vec![entry("u", "update", "r", 1, &[]), entry("o", "update", "other", 1, &[])]).await;
        assert_eq!(ready(store, &["c", "u", "o"]).await, "c o");
        // Claimed by this server since they were written: not claimed again.
        assert_eq!(claim(store).await, "");
        release(store, &["u"]).await;
        assert_eq!(claim(store).await, "");
        store.journal().done("c");
        // At once, though it may not be written yet.
        assert_eq!(claim(store).await, "u");
        store.journal().done("u");
        store.journal().done("o");
        store.journal().flush().await.unwrap();
        assert_eq!(store.journal().pending("driver").await.unwrap(), 0);
    }

    async fn rows_go_after_those_they_refer_to_and_before_their_deletion(world: World) {
        let store = &world.store;
        write(store, vec![entry("n", "create", "net", 0, &[])]).await;
        write(store, vec![entry("p", "create", "port", 0, &["net"])]).await;
        assert_eq!(ready(store, &["n", "p"]).await, "n");
        store.journal().done("n");
        assert_eq!(ready(store, &["p"]).await, "p");
        write(store, vec![entry("pd", "delete", "port", 1, &["net"])]).await;
        write(store, vec![entry("nd", "delete", "net", 1, &[])]).await;
        assert_eq!(ready(store, &["pd", "nd"]).await, "");
        store.journal().done("p");
        assert_eq!(ready(store, &["pd", "nd"]).await, "pd");
        store.journal().done("pd");
        assert_eq!(ready(store, &["nd"]).await, "nd");
        // Another target has an order of its own.
        let other = NewEntry { target: "rpc".into(), ..entry("x", "delete", "net", 1, &[]) };
        write(store, vec![entry("q", "update", "net", 2, &[]), other]).await;
        assert_eq!(ready(store, &["q", "x"]).await, "x");
    }

    async fn a_commit_tells_whether_anything_may_go_before(world: World) {
        let store = &world.store;
        let (now, ask) = (FirstAttempts::Now, FirstAttempts::Ask);
        assert_eq!(first(store, vec![entry("n", "create", "net", 0, &[]), entry("m", "create", "net2", 0, &[])]).await, now);
        // What it comes after is still under way; for another target nothing is.
        assert_eq!(first(store, vec![entry("p", "create", "port", 0, &["net"])]).await, ask);
        let other = NewEntry { target: "other".into(), ..entry("po", "create", "port", 0, &["net"]) };
        assert_eq!(first(store, vec![other]).await, now);
        store.journal().done("n");
        store.journal().flush().await.unwrap();
        assert_eq!(first(store, vec![entry("q", "create", "port2", 0, &["net"])]).await, now);
        // Changes of one row, and of rows of one unit that refer to each other.
        assert_eq!(first(store, vec![entry("qu", "update", "port2", 1, &["net"])]).await, ask);
        let own = vec![entry("k", "create", "net3", 0, &[]), entry("kp", "create", "port3", 0, &["net3"])];
        assert_eq!(first(store, own).await, ask);
        // A deletion goes after what refers to the row, also where that failed.
        store.journal().failed("p", "down", LATER).await.unwrap();
        store.journal().done("q");
        store.journal().done("qu");
        assert_eq!(first(store, vec![entry("nd", "delete", "net", 2, &[])]).await, ask);
        assert_eq!(first(store, vec![entry("pd", "delete", "port", 2, &["net2"])]).await, ask);
        assert_eq!(first(store, vec![entry("qd", "delete", "port2", 2, &["net"])]).await, ask);
        store.journal().done("nd");
        store.journal().flush().await.unwrap();
        assert_eq!(first(store, vec![entry("qe", "delete", "port4", 2, &["net"])]).await, now);
        store.journal().flush().await.unwrap();
        let left = named(&store.journal().list(&EntryFilter::default()).await.unwrap());
        assert_eq!(left, "k kp m p pd po qd qe");
    }

    async fn many_entries_of_one_unit_are_all_written(world: World) {
        let entries: Vec<NewEntry> =
            (0..50).map(|i| entry(&format!("e{i:02}"), "create", &format!("r{i}"), 0, &["net", "subnet"])).collect();
        assert_eq!(first(&world.store, entries.clone()).await, FirstAttempts::Now);
        let mut written: Vec<NewEntry> =
            world.store.journal().list(&EntryFilter::default()).await.unwrap().into_iter().map(|e| e.new).collect();
        written.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(written, entries);
        entries.iter().for_each(|e| world.store.journal().done(&e.id));
        world.store.journal().flush().await.unwrap();
        assert_eq!(world.store.journal().pending("driver").await.unwrap(), 0);
    }

    async fn a_deletion_passes_what_keeps_failing_and_removes_it(world: World) {
        let store = &world.store;
        write(store, vec![entry("c", "create", "r", 0, &[])]).await;
        write(store, vec![entry("u", "update", "r", 1, &[])]).await;
        store.journal().failed("c", "down", Duration::ZERO).await.unwrap();
        assert_eq!(ready(store, &["u"]).await, "");
        write(store, vec![entry("d", "delete", "r", 2, &[])]).await;
        // The update was not even tried: it might still be on its way.
        assert_eq!(ready(store, &["d"]).await, "");
        store.journal().failed("u", "down", Duration::ZERO).await.unwrap();
        assert_eq!(ready(store, &["d"]).await, "d");
        // While the deletion is claimed, the others are not tried again.
        assert_eq!(claim(store).await, "");
        store.journal().done("d");
        store.journal().flush().await.unwrap();
        assert_eq!(store.journal().list(&EntryFilter::default()).await.unwrap(), []);
    }

    async fn a_failure_blocks_only_what_depends_on_it(world: World) {
        let store = &world.store;
        write(store, vec![entry("n", "create", "net", 0, &[])]).await;
        write(store, vec![entry("p", "create", "port", 0, &["net"])]).await;
        write(store, vec![entry("m", "create", "net2", 0, &[]), entry("q", "create", "port2", 0, &["net2"])]).await;
        store.journal().refused("n", "no").await.unwrap();
        assert_eq!(ready(store, &["p", "m", "q"]).await, "m");
        store.journal().done("m");
        release(store, &["p", "q"]).await;
        assert_eq!(claim(store).await, "q");
        store.journal().drop(&["n".into()]).await.unwrap();
        assert_eq!(claim(store).await, "p");
    }

    async fn a_lease_that_ran_out_is_claimed_by_another_server(world: World) {
        let mut settings = world.settings.clone();
        settings.lease = Duration::from_millis(300);
        let dead = Store::open(settings).await.unwrap();
        write(&dead, vec![entry("e", "create", "r", 0, &[])]).await;
        assert_eq!(ready(&dead, &["e"]).await, "e");
        assert_eq!(ready(&world.store, &["e"]).await, "");
        assert_eq!(claim(&world.store).await, "");
        dead.close().await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(claim(&world.store).await, "e");
        assert_eq!(claim(&world.store).await, "");
    }

    async fn an_entry_is_claimed_by_one(world: World) {
        let entries = (0..60).map(|i| entry(&format!("e{i}"), "create", &format!("r{i}"), 0, &[])).collect();
        write(&world.store, entries).await;
        let ids: Vec<String> = (0..60).map(|i| format!("e{i}")).collect();
        world.store.journal().release(&ids).await.unwrap();
        let mut claimers = Vec::new();
        for _ in 0..8 {
            let journal = world.store.journal();
            claimers.push(tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let some = journal.claim(5).await.unwrap();
                    if some.is_empty() {
                        return mine;
                    }
                    mine.extend(some.into_iter().map(|e| e.new.id));
                }
            }));
        }
        let mut all = Vec::new();
        for claimer in claimers {
            all.extend(claimer.await.unwrap());
        }
        all.sort();
        let mut expected = ids.clone();
        expected.sort();
        assert_eq!(all, expected);
    }

    async fn entries_belong_to_their_unit(world: World) {
        let mut unit = world.begin().await;
        unit.insert(&shelves(), vec![new("s", json!({}))]).await.unwrap();
        drop(unit);
        let mut unit = world.begin().await;
        let _ = unit.insert(&boxes(), vec![new("b", json!({"shelf_id": "s"}))]).await.unwrap_err();
        unit.commit(vec![entry("lost", "create", "b", 0, &[])]).await.unwrap_err();
        assert_eq!(world.store.journal().show("lost").await.unwrap(), None);
        write(&world.store, vec![entry("e", "create", "s", 0, &["z"]), entry("f", "delete", "g", 4, &[])]).await;
        world.store.journal().failed("e", "x", Duration::ZERO).await.unwrap();
        let mut unit = world.begin().await;
        unit.complete("e").await.unwrap();
        unit.rollback().await;
        assert!(world.store.journal().show("e").await.unwrap().is_some());
        let mut unit = world.begin().await;
        unit.complete("e").await.unwrap();
        unit.complete("f").await.unwrap();
        unit.complete("gone already").await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(world.store.journal().list(&EntryFilter::default()).await.unwrap(), []);
    }
}
