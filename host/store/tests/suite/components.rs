//! Installed plugins, their bytes, and ticks.

use crate::world::*;
use hadron_store::{Installed, StoreError};
use serde_json::json;
use std::time::Duration;

fn installed(name: &str, sha256: &str, position: i64) -> Installed {
    Installed {
        name: name.into(),
        sha256: sha256.into(),
        enabled: true,
        position,
        grants: json!({"http": ["http://10.0.0.1"]}),
        config: json!({}),
    }
}

on_both! {
    async fn plugins_are_kept_with_their_bytes(world: World) {
        let components = world.store.components();
        components.install(&installed("b", "hash1", 1), b"one").await.unwrap();
        components.install(&installed("a", "hash1", 1), b"one").await.unwrap();
        components.install(&installed("c", "hash2", 0), &[0, 255, 1]).await.unwrap();
        let names: Vec<String> = components.list().await.unwrap().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["c", "a", "b"]);
        assert_eq!(components.bytes("hash2").await.unwrap().unwrap(), [0, 255, 1]);
        let mut changed = installed("a", "hash1", 5);
        changed.enabled = false;
        components.update(&changed).await.unwrap();
        assert_eq!(components.list().await.unwrap().pop().unwrap(), changed);
        components.remove("a").await.unwrap();
        assert!(components.bytes("hash1").await.unwrap().is_some());
        components.install(&installed("b", "hash3", 1), b"three").await.unwrap();
        assert_eq!(components.bytes("hash1").await.unwrap(), None);
        assert!(matches!(components.remove("a").await, Err(StoreError::NotFound)));
        assert!(matches!(components.update(&changed).await, Err(StoreError::NotFound)));
    }

    async fn a_mark_keeps_a_configured_plugin_out_and_is_no_plugin(world: World) {
        let components = world.store.components();
        components.install(&installed("a", "hash1", 1), b"one").await.unwrap();
        components.disable("ml2").await.unwrap();
        components.disable("ml2").await.unwrap();
        let marks: Vec<_> = components.list().await.unwrap().into_iter().filter(Installed::is_mark).collect();
        assert_eq!(marks.iter().map(|m| (m.name.as_str(), m.enabled)).collect::<Vec<_>>(), [("ml2", false)]);
        components.remove("ml2").await.unwrap();
        assert!(components.list().await.unwrap().iter().all(|p| !p.is_mark()));
        assert!(components.bytes("hash1").await.unwrap().is_some());
    }

    async fn a_tick_has_one_caller_in_a_period(world: World) {
        let mut callers = Vec::new();
        for _ in 0..16 {
            let components = world.store.components();
            callers.push(tokio::spawn(async move {
                components.claim_tick("p", "t", Duration::from_millis(400)).await.unwrap()
            }));
        }
        let mut claimed = 0;
        for caller in callers {
            claimed += usize::from(caller.await.unwrap());
        }
        assert_eq!(claimed, 1);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(world.store.components().claim_tick("p", "t", Duration::from_secs(60)).await.unwrap());
        assert!(!world.store.components().claim_tick("p", "t", Duration::from_secs(60)).await.unwrap());
        assert!(world.store.components().claim_tick("p", "u", Duration::from_secs(60)).await.unwrap());
    }
}
