//! `examples/batching-switch` against a slow switch: many changes, few sessions,
//! a rate that is kept, and nothing lost when the switch or the server fails.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::{Client, Plugin, Result, Server, build_guest, until};
use hadron_tests_drivers::{Pace, SlowSwitch, create, id_of, port_on};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/batching-switch");

/// Least time between two sessions.
const INTERVAL: Duration = Duration::from_millis(700);
const MOST: usize = 60;
const LIMIT: Duration = Duration::from_secs(60);

struct World {
    server: Server,
    leaf: SlowSwitch,
    other: SlowSwitch,
    network: Value,
}

impl World {
    async fn start() -> Result<World> {
        let (leaf, other) = (SlowSwitch::start().await?, SlowSwitch::start().await?);
        let driver = Plugin::new("batching-switch", build_guest(DRIVER).await?)
            .service()
            .http(leaf.url())
            .http(other.url())
            .grant("system", true)
            .config("most", MOST)
            .config("interval_ms", INTERVAL.as_millis() as u64)
            .config(
                "devices",
                json!({
                    "leaf-1": {"endpoint": leaf.endpoint(), "hosts": ["rack-1"]},
                    "leaf-2": {"endpoint": other.endpoint(), "hosts": ["rack-2"]},
                }),
            );
        let server = Server::builder().mechanism_drivers(&[]).plugin(driver).start().await?;
        let network = create(&server.client(), "network", json!({"name": "n"})).await?;
        Ok(World { server, leaf, other, network })
    }

    /// Ports on the first device's host, made by several clients, one request
    /// each; their ids.
    async fn ports(&self, count: usize) -> Result<BTreeSet<String>> {
        let mut makers = tokio::task::JoinSet::new();
        for maker in 0..8 {
            let (client, network) = (self.server.client(), self.network.clone());
            makers.spawn(async move {
                let mut ids = Vec::new();
                for number in (maker..count).step_by(8) {
                    let port = port_on(&client, &network, &format!("p{number}"), "rack-1").await?;
                    ids.push(id_of(&port).to_owned());
                }
                Result::<Vec<String>>::Ok(ids)
            });
        }
        let mut ids = BTreeSet::new();
        while let Some(made) = makers.join_next().await {
            ids.extend(made.unwrap()?);
        }
        Ok(ids)
    }

    /// What a killed server had under way is tried at once, not when its lease
    /// has ended.
    async fn restart(&mut self) -> Result {
        self.server.restart().await?;
        self.server.cli(&["journal", "retry", "--plugin", "batching-switch"]).await?.ok().map(drop)
    }

    fn client(&self) -> Client {
        self.server.client()
    }

    /// The first device has exactly these.
    async fn leaf_has(&self, ids: &BTreeSet<String>) -> Result {
        until(&format!("the switch to have {} ports", ids.len()), LIMIT, || async {
            Ok(self.leaf.ports().keys().eq(ids).then_some(()))
        })
        .await
    }
}

fn assert_apart(switch: &SlowSwitch) {
    let opened = switch.opened();
    for pair in opened.windows(2) {
        let apart = pair[1].at - pair[0].at;
        assert!(apart + Duration::from_millis(50) >= INTERVAL, "{apart:?} between sessions");
    }
    assert!(opened.iter().all(|session| session.ports.len() <= MOST));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_are_few_sessions_at_a_bounded_rate() -> Result {
    let world = World::start().await?;
    let ids = world.ports(200).await?;
    assert_eq!(ids.len(), 200);
    world.leaf_has(&ids).await?;
    let opened = world.leaf.opened();
    assert!(opened.len() < 20, "{} sessions for 200 requests", opened.len());
    assert_apart(&world.leaf);
    assert!(world.other.opened().is_empty(), "no port is on the other's host");

    let has = world.leaf.ports();
    let first = has.values().next().unwrap();
    assert_eq!(first["network"], world.network["id"]);
    assert_eq!(first["vlan"], world.network["provider:segmentation_id"]);
    assert_eq!(first["host"], "rack-1");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_told_as_it_is_by_then() -> Result {
    let world = World::start().await?;
    let port = port_on(&world.client(), &world.network, "first", "rack-1").await?;
    let path = format!("/v2.0/ports/{}", id_of(&port));
    for name in ["second", "third"] {
        world.client().put(&path, &json!({"port": {"name": name}})).await?.expect(200)?;
    }
    until("the switch to have its last name", LIMIT, || async {
        Ok(world.leaf.ports().get(id_of(&port)).is_some_and(|is| is["name"] == "third").then_some(()))
    })
    .await?;

    let moved = json!({"port": {"binding:host_id": "rack-2"}});
    world.client().put(&path, &moved).await?.expect(200)?;
    until("the port to be the other switch's", LIMIT, || async {
        let there = world.other.ports().contains_key(id_of(&port));
        Ok((there && world.leaf.ports().is_empty()).then_some(()))
    })
    .await?;
    world.client().delete(&path).await?.expect(204)?;
    until("the port to be gone", LIMIT, || async { Ok(world.other.ports().is_empty().then_some(())) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_fails_in_the_middle_is_told_again_what_ports_are_by_then() -> Result {
    let world = World::start().await?;
    world.leaf.set(Pace::Failing);
    let mut ids = world.ports(40).await?;
    until("sessions to fail", LIMIT, || async { Ok((world.leaf.opened().len() >= 2).then_some(())) }).await?;

    // Meanwhile one port is changed and another deleted.
    let (changed, gone) = (ids.first().unwrap().clone(), ids.last().unwrap().clone());
    let rename = json!({"port": {"name": "renamed"}});
    world.client().put(&format!("/v2.0/ports/{changed}"), &rename).await?.expect(200)?;
    world.client().delete(&format!("/v2.0/ports/{gone}")).await?.expect(204)?;
    ids.remove(&gone);
    world.leaf.set(Pace::Quick);
    until("the switch to have the port's last name", LIMIT, || async {
        Ok(world.leaf.ports().get(&changed).is_some_and(|is| is["name"] == "renamed").then_some(()))
    })
    .await?;
    world.leaf_has(&ids).await?;
    assert_apart(&world.leaf);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_server_is_killed() -> Result {
    let mut world = World::start().await?;
    // Before anything was told.
    let mut ids = world.ports(30).await?;
    world.server.kill9();
    world.restart().await?;
    world.leaf_has(&ids).await?;

    // In the middle of a session.
    let before = world.leaf.opened().len();
    world.leaf.set(Pace::Slow(Duration::from_secs(2)));
    ids.extend(world.ports(30).await?);
    until("a session to be under way", LIMIT, || async {
        Ok((world.leaf.opened().len() > before).then_some(()))
    })
    .await?;
    world.server.kill9();
    let cut = world.leaf.opened()[before].session.clone();
    world.leaf.set(Pace::Quick);
    world.restart().await?;
    world.leaf_has(&ids).await?;
    until("the session that was cut short to be told again", LIMIT, || async {
        let again = world.leaf.opened().iter().filter(|opened| opened.session == cut && opened.taken).count();
        Ok((again >= 1).then_some(()))
    })
    .await?;

    // And one that goes on.
    ids.extend(world.ports(5).await?);
    world.leaf_has(&ids).await
}
