//! A database that goes away and comes back.

use crate::world::*;
use hadron_store::{Keep, Location, Predicate, Settings, Store, StoreError};
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
        keep: Keep::default(),
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

/// What a proxy does with the next COMMIT it sees.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    Nothing,
    /// Cuts the connection before the server hears of it.
    BeforeCommit,
    /// Cuts the connection before the client hears of the outcome.
    AfterCommit,
}

/// Stands between a store and its server; answers where it listens.
async fn proxy(server: String, cut: Arc<std::sync::Mutex<Cut>>) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = tokio::net::TcpStream::connect(&server).await.unwrap();
            let cut = cut.clone();
            tokio::spawn(async move {
                let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
                loop {
                    tokio::select! {
                        Ok(n) = client.read(&mut up) => {
                            let commit = up[..n].windows(6).any(|word| word == b"COMMIT");
                            let what = if commit {
                                std::mem::replace(&mut *cut.lock().unwrap(), Cut::Nothing)
                            } else {
                                Cut::Nothing
                            };
                            if n == 0 || what == Cut::BeforeCommit {
                                return;
                            }
                            server.write_all(&up[..n]).await.unwrap();
                            if what == Cut::AfterCommit {
                                let _ = server.read(&mut down).await;
                                return;
                            }
                        }
                        Ok(n) = server.read(&mut down) => {
                            if n == 0 || client.write_all(&down[..n]).await.is_err() {
                                return;
                            }
                        }
                        else => return,
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_during_commit_is_looked_into() {
    let Some(server) = hadron_test_support::shared() else { return };
    let url = server.fresh_database().await;
    let host = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
    let cut = Arc::new(std::sync::Mutex::new(Cut::Nothing));
    let between = proxy(host.clone(), cut.clone()).await;
    let store = Store::open(Settings {
        location: Location::Postgres(url.replace(&host, &between)),
        units: 4,
        readers: 4,
        lease: Duration::from_secs(5),
        patience: Duration::from_secs(5),
        keep: Keep::default(),
    })
    .await
    .unwrap();
    store.migrate(&[Arc::new(warehouse()), Arc::new(painter())], false).await.unwrap();
    for (how, there) in [(Cut::AfterCommit, 1), (Cut::BeforeCommit, 0), (Cut::Nothing, 1)] {
        let mut unit = store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap();
        unit.insert(&shelves(), vec![new("s", json!({}))]).await.unwrap();
        *cut.lock().unwrap() = how;
        let outcome = unit.commit(Vec::new()).await;
        assert_eq!(store.count(&shelves(), &Predicate::always()).await.unwrap(), there);
        if there == 1 {
            outcome.unwrap();
            let mut unit = store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap();
            unit.delete(&shelves(), &["s".into()]).await.unwrap();
            unit.commit(Vec::new()).await.unwrap();
        } else {
            assert!(matches!(outcome, Err(StoreError::Retry(_))), "{outcome:?}");
        }
    }
}
