//! Writers on PostgreSQL who meet at a group.

use super::{ALICE, GROUPS, RULES, ask, group};
use hadron_networking_tests::world::{self, list, network, text};
use hadron_sdk_testing::{Answer, Client, Result};
use serde_json::json;
use tokio::task::JoinSet;

const ROUNDS: usize = 6;

/// Half of them do one thing, half the other; what each half was answered.
async fn at_once<A, B>(
    client: &Client,
    one: impl Fn(Client) -> A,
    other: impl Fn(Client) -> B,
) -> Result<[Vec<Answer>; 2]>
where
    A: Future<Output = Result<Answer>> + Send + 'static,
    B: Future<Output = Result<Answer>> + Send + 'static,
{
    let (mut ones, mut others) = (JoinSet::new(), JoinSet::new());
    for _ in 0..8 {
        ones.spawn(one(client.clone()));
        others.spawn(other(client.clone()));
    }
    let mut answers = [Vec::new(), Vec::new()];
    for (set, answers) in [&mut ones, &mut others].into_iter().zip(&mut answers) {
        while let Some(answer) = set.join_next().await {
            let answer = answer.unwrap()?;
            assert!(answer.status < 500, "{} {}", answer.status, answer.body);
            answers.push(answer);
        }
    }
    Ok(answers)
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut all: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_deleted_or_used() -> Result {
    let Some(server) = world::postgres().await? else { return Ok(()) };
    let alice = server.client().member_of(ALICE)?;
    let net = network(&alice, "a").await?;
    for _ in 0..ROUNDS {
        let id = text(&group(&alice, "web").await?, "/id")?;
        let wanted = json!({"port": {"network_id": net, "security_groups": [id]}});
        let own = format!("{GROUPS}/{id}");
        let [made, deleted] = at_once(
            &alice,
            |client| {
                let wanted = wanted.clone();
                async move { client.post("/v2.0/ports", &wanted).await }
            },
            |client| {
                let own = own.clone();
                async move { client.delete(&own).await }
            },
        )
        .await?;
        assert!(made.iter().all(|answer| [201, 404].contains(&answer.status)), "{:?}", statuses(&made));
        let gone = deleted.iter().filter(|answer| answer.status == 204).count();
        assert!(gone <= 1 && statuses(&deleted).iter().all(|status| [204, 404, 409].contains(status)));
        let used = made.iter().filter(|answer| answer.status == 201).count();
        assert!(gone == 0 || used == 0, "deleted, and {used} ports in it");
        assert_eq!(alice.get(&own).await?.status == 404, gone == 1);
    }
    let ports = list(&alice, "/v2.0/ports").await?;
    assert!(ports.iter().all(|port| port["security_groups"].as_array().map(Vec::len) == Some(1)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_group_is_deleted_with_the_rules_about_it() -> Result {
    let Some(server) = world::postgres().await? else { return Ok(()) };
    let alice = server.client().member_of(ALICE)?;
    let own = text(&group(&alice, "web").await?, "/id")?;
    for _ in 0..ROUNDS {
        let remote = text(&group(&alice, "remote").await?, "/id")?;
        let (path, wanted) = (format!("{GROUPS}/{remote}"), ask(&own, &json!({"remote_group_id": remote})));
        let [made, deleted] = at_once(
            &alice,
            |client| {
                let wanted = wanted.clone();
                async move { client.post(RULES, &wanted).await }
            },
            |client| {
                let path = path.clone();
                async move { client.delete(&path).await }
            },
        )
        .await?;
        assert!(
            statuses(&made).iter().all(|status| [201, 404, 409].contains(status)),
            "{:?}",
            statuses(&made)
        );
        assert_eq!(statuses(&deleted), [204, 404]);
        let about = format!("/v2.0/security_group_rules?remote_group_id={remote}");
        assert!(list(&alice, &about).await?.is_empty());
    }
    Ok(())
}
