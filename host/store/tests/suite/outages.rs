//! A database that goes away and comes back.

use crate::world::*;
use hadron_store::{Location, Predicate, Settings, Store, StoreError};
use hadron_test_support::Postgres;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_restarted_is_found_again() {
    if hadron_test_support::shared().is_none() {
        return;
    }
    let server = Postgres::start().unwrap();
    let store = Store::open(Settings {
        location: Location::Postgres(server.fresh_database().await),
        units: 4,
        readers: 4,
        lease: Duration::from_secs(5),
        patience: Duration::from_millis(600),
    })
    .await
    .unwrap();
    store.migrate(&[Arc::new(warehouse()), Arc::new(painter())], false).await.unwrap();
    let unit = || uuid::Uuid::new_v4().to_string();

    // Connections that are idle when the server goes away, and one in a unit.
    let mut idle = store.begin(&unit()).await.unwrap();
    idle.insert(&shelves(), vec![new("kept", json!({}))]).await.unwrap();
    idle.commit(Vec::new()).await.unwrap();
    let mut caught = store.begin(&unit()).await.unwrap();
    caught.insert(&shelves(), vec![new("lost", json!({}))]).await.unwrap();
    server.kill().unwrap();
    let failed = caught.insert(&shelves(), vec![new("lost too", json!({}))]).await;
    assert!(matches!(failed, Err(StoreError::Retry(_))), "{failed:?}");
    caught.rollback().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.begin(&unit()).await.err(), Some(StoreError::Unavailable(_))));

    server.restart().unwrap();
    store.ping().await.unwrap();
    let mut back = store.begin(&unit()).await.unwrap();
    back.insert(&shelves(), vec![new("new", json!({}))]).await.unwrap();
    back.commit(Vec::new()).await.unwrap();
    assert_eq!(store.count(&shelves(), &Predicate::always()).await.unwrap(), 2);

    // Lost before COMMIT is sent: certainly not committed.
    let mut caught = store.begin(&unit()).await.unwrap();
    caught.insert(&shelves(), vec![new("again", json!({}))]).await.unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    let failed = caught.commit(Vec::new()).await;
    assert!(matches!(failed, Err(StoreError::Retry(_))), "{failed:?}");
    assert_eq!(store.count(&shelves(), &Predicate::always()).await.unwrap(), 2);
    store.close().await;
}
