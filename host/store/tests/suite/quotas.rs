//! Limits of projects, and counts of what they use.

use crate::world::*;
use hadron_store::{NewRow, Numbers, StoreError};
use serde_json::json;
use std::time::Duration;

fn owned(id: &str, project: &str) -> NewRow {
    NewRow { project_id: Some(project.into()), ..new(id, json!({})) }
}

fn label(id: &str, shelf: &str) -> NewRow {
    NewRow { project_id: Some("p".into()), ..new(id, json!({"shelf_id": shelf})) }
}

async fn used(world: &World, project: &str, quota: &str) -> i64 {
    world.store.quotas().usage(project).await.unwrap().get(quota).copied().unwrap_or_default()
}

on_both! {
    async fn rows_are_counted_as_they_come_and_go(world: World) {
        world.add(&things(), vec![owned("a", "p"), owned("b", "p"), owned("c", "q"), new("d", json!({}))]).await;
        assert_eq!((used(&world, "p", "thing").await, used(&world, "q", "thing").await), (2, 1));
        let mut unit = world.begin().await;
        unit.delete(&things(), &["a".into(), "c".into()]).await.unwrap();
        assert_eq!(used(&world, "p", "thing").await, 2, "what is not committed does not count");
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!((used(&world, "p", "thing").await, used(&world, "q", "thing").await), (1, 0));
        let mut unit = world.begin().await;
        unit.insert(&things(), vec![owned("e", "p")]).await.unwrap();
        unit.rollback().await;
        assert_eq!(used(&world, "p", "thing").await, 1);
    }

    async fn rows_that_go_with_others_are_counted_too(world: World) {
        let labels = id("ware-house", "labels");
        world.add(&shelves(), vec![owned("s", "p"), owned("t", "p")]).await;
        world.add(&labels, vec![label("1", "s"), label("2", "s"), label("3", "t")]).await;
        assert_eq!(used(&world, "p", "label").await, 3);
        let mut unit = world.begin().await;
        unit.delete(&shelves(), &["s".into()]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        assert_eq!(used(&world, "p", "label").await, 1);
    }

    async fn counts_stay_what_they_are_when_they_are_folded(world: World) {
        for number in 0..20 {
            world.add(&things(), vec![owned(&format!("t{number}"), "p")]).await;
        }
        // At least once on PostgreSQL, where it is done every second.
        for _ in 0..8 {
            assert_eq!(used(&world, "p", "thing").await, 20);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn limits_of_projects_are_set_and_taken_away(world: World) {
        let quotas = world.store.quotas();
        assert!(quotas.all().await.unwrap().is_empty());
        quotas.set("p", &Numbers::from([("thing".into(), 5), ("label".into(), -1)])).await.unwrap();
        quotas.set("p", &Numbers::from([("thing".into(), 2)])).await.unwrap();
        assert_eq!(quotas.limits("p").await.unwrap(), Numbers::from([("label".into(), -1), ("thing".into(), 2)]));
        assert_eq!(quotas.all().await.unwrap().len(), 1);
        quotas.clear("p").await.unwrap();
        assert!(quotas.limits("p").await.unwrap().is_empty());
        assert!(matches!(quotas.clear("p").await, Err(StoreError::NotFound)));
    }

    async fn a_unit_gets_what_its_project_may_have_and_no_more(world: World) {
        world.store.quotas().set("p", &Numbers::from([("thing".into(), 2)])).await.unwrap();
        let mut unit = world.begin().await;
        unit.admit("p", "thing", 2, -1).await.unwrap();
        unit.insert(&things(), vec![owned("a", "p"), owned("b", "p")]).await.unwrap();
        unit.commit(Vec::new()).await.unwrap();
        let mut unit = world.begin().await;
        assert!(matches!(unit.admit("p", "thing", 1, -1).await, Err(StoreError::OverQuota(name)) if name == "thing"));
        unit.rollback().await;
        // Where a project has none of its own the default holds.
        let mut unit = world.begin().await;
        unit.admit("q", "thing", 3, 3).await.unwrap();
        assert!(matches!(unit.admit("q", "thing", 1, 3).await, Err(StoreError::OverQuota(_))));
        unit.rollback().await;
    }

    async fn sixteen_creators_do_not_get_past_a_limit(world: World) {
        world.store.quotas().set("p", &Numbers::from([("thing".into(), 5)])).await.unwrap();
        let creators: Vec<_> = (0..16)
            .map(|number| {
                let store = world.store.clone();
                tokio::spawn(async move {
                    let mut unit = store.begin(&uuid::Uuid::new_v4().to_string()).await.unwrap();
                    unit.admit("p", "thing", 1, -1).await?;
                    unit.insert(&things(), vec![owned(&format!("t{number}"), "p")]).await.unwrap();
                    unit.commit(Vec::new()).await
                })
            })
            .collect();
        let mut made = 0;
        for creator in creators {
            match creator.await.unwrap() {
                Ok(_) => made += 1,
                Err(StoreError::OverQuota(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((made, used(&world, "p", "thing").await), (5, 5));
    }

    async fn rows_of_before_there_was_a_quota_are_counted_once(world: World) {
        world.add(&boxes(), vec![owned("a", "p"), owned("b", "p")]).await;
        assert_eq!(used(&world, "p", "box").await, 0);
        let mut counted = warehouse();
        counted.collections[1].quota = Some(hadron_manifest::Quota { default: 10 });
        let manifests = [std::sync::Arc::new(counted), std::sync::Arc::new(painter())];
        let steps = world.store.migrate(&manifests, false).await.unwrap().steps;
        assert_eq!(steps, ["count the rows of 'boxes' of each project"]);
        assert_eq!(used(&world, "p", "box").await, 2);
        assert!(world.store.migrate(&manifests, false).await.unwrap().steps.is_empty());
        world.add(&boxes(), vec![owned("c", "p")]).await;
        assert_eq!(used(&world, "p", "box").await, 3);
    }
}
