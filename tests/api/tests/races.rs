//! Sixteen writers on PostgreSQL want the same thing. Whatever comes of it, it
//! is no 500, and what is left fits together. (SQLite has one writer at a time
//! and would hide all of this.)

use hadron_api_tests::world::{create, list, network, postgres, postgres_with, subnet, text};
use hadron_sdk_testing::{Answer, Client, Result, Server};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Writers at the same time.
const WRITERS: usize = 16;
/// Attempts at each race.
const ROUNDS: usize = 6;

/// All at once; what they were answered, by status.
async fn race<F>(server: &Server, mut work: impl FnMut(usize, Client) -> F) -> Result<BTreeMap<u16, usize>>
where
    F: Future<Output = Result<Answer>> + Send + 'static,
{
    let tasks: Vec<_> = (0..WRITERS).map(|number| tokio::spawn(work(number, server.client()))).collect();
    let mut answers = BTreeMap::new();
    for task in tasks {
        let answer = task.await.expect("a writer panicked")?;
        assert!(answer.status < 500 || answer.status == 503, "{} {}", answer.status, answer.body);
        if answer.status >= 400 {
            assert!(answer.body["NeutronError"]["message"].is_string(), "{}", answer.body);
        }
        *answers.entry(answer.status).or_default() += 1;
    }
    Ok(answers)
}

async fn post(client: Client, member: &'static str, document: Value) -> Result<Answer> {
    client.post(&format!("/v2.0/{member}s"), &json!({member: document})).await
}

fn count(answers: &BTreeMap<u16, usize>, status: u16) -> usize {
    answers.get(&status).copied().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_goes_to_one_port() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    let net = network(&server.client(), "a").await?;
    subnet(&server.client(), &net, "10.0.0.0/24").await?;
    for round in 0..ROUNDS {
        let fixed = json!([{"ip_address": format!("10.0.0.{}", 100 + round)}]);
        let answers =
            race(&server, |_, client| post(client, "port", json!({"network_id": net, "fixed_ips": fixed})))
                .await?;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (1, WRITERS - 1), "{answers:?}");
    }
    let ports = list(&server.client(), "/v2.0/ports").await?;
    assert_eq!(ports.len(), ROUNDS);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_take_any_address_take_different_ones_to_the_last() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    let net = network(&server.client(), "a").await?;
    subnet(&server.client(), &net, "10.0.0.0/27").await?;
    let mut made = 0;
    for _ in 0..2 {
        let answers = race(&server, |_, client| post(client, "port", json!({"network_id": net}))).await?;
        made += count(&answers, 201);
        assert_eq!(count(&answers, 201) + count(&answers, 409), WRITERS, "{answers:?}");
    }
    // 29 addresses, the gateway's aside, for 32 ports.
    assert_eq!(made, 29);
    let ports = list(&server.client(), "/v2.0/ports").await?;
    let addresses: BTreeSet<_> =
        ports.iter().filter_map(|port| port["fixed_ips"][0]["ip_address"].as_str()).collect();
    let macs: BTreeSet<_> = ports.iter().filter_map(|port| port["mac_address"].as_str()).collect();
    assert_eq!((addresses.len(), macs.len()), (29, 29));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mac_address_goes_to_one_port_of_a_network() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    let net = network(&server.client(), "a").await?;
    for round in 0..ROUNDS {
        let mac = format!("fa:16:3e:00:00:0{round}");
        let answers =
            race(&server, |_, client| post(client, "port", json!({"network_id": net, "mac_address": mac})))
                .await?;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (1, WRITERS - 1), "{answers:?}");
    }
    Ok(())
}

/// Of 65,536 addresses, so that two writers choose the same one several times.
#[tokio::test(flavor = "multi_thread")]
async fn a_mac_address_that_nobody_asked_for_is_drawn_again_when_it_is_taken() -> Result {
    let Some(server) = postgres_with("[plugin.ml2.config]\nbase_mac = \"fa:16:3e:4f:00:00\"\n").await? else {
        return Ok(());
    };
    let net = network(&server.client(), "a").await?;
    let bulk = json!({"ports": vec![json!({"network_id": net}); 10]});
    for _ in 0..2 * ROUNDS {
        let answers = race(&server, |_, client| {
            let bulk = bulk.clone();
            async move { client.post("/v2.0/ports", &bulk).await }
        })
        .await?;
        assert_eq!(count(&answers, 201), WRITERS, "{answers:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_overlapping_subnets_one_is_made() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    for _ in 0..ROUNDS {
        let net = network(&server.client(), "a").await?;
        let answers = race(&server, |number, client| {
            let cidr = format!("10.0.0.0/{}", 16 + number % 8);
            post(client, "subnet", json!({"network_id": net, "ip_version": 4, "cidr": cidr}))
        })
        .await?;
        assert_eq!((count(&answers, 201), count(&answers, 400)), (1, WRITERS - 1), "{answers:?}");
        assert_eq!(list(&server.client(), &format!("/v2.0/subnets?network_id={net}")).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_not_deleted_under_a_port_that_is_made() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    for _ in 0..ROUNDS {
        let net = network(&server.client(), "a").await?;
        subnet(&server.client(), &net, "10.0.0.0/24").await?;
        let answers = race(&server, |number, client| {
            let net = net.clone();
            async move {
                match number % 4 {
                    0 => client.delete(&format!("/v2.0/networks/{net}")).await,
                    _ => post(client, "port", json!({"network_id": net})).await,
                }
            }
        })
        .await?;
        let deleted = count(&answers, 204);
        let ports = list(&server.client(), &format!("/v2.0/ports?network_id={net}")).await?;
        assert_eq!(ports.len(), count(&answers, 201), "{answers:?}");
        assert!(deleted == 0 || ports.is_empty(), "{answers:?}");
        let there = server.get(&format!("/v2.0/networks/{net}")).await?.status == 200;
        assert_eq!(there, deleted == 0, "{answers:?}");
    }
    let subnets = list(&server.client(), "/v2.0/subnets").await?;
    let networks = list(&server.client(), "/v2.0/networks").await?;
    assert_eq!(subnets.len(), networks.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_segment_goes_to_one_network() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    for round in 0..ROUNDS {
        let flat =
            json!({"provider:network_type": "flat", "provider:physical_network": format!("flat{round}")});
        let answers = race(&server, |_, client| post(client, "network", flat.clone())).await?;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (1, WRITERS - 1), "{answers:?}");
        let vlan = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1",
            "provider:segmentation_id": 201 + round});
        let answers = race(&server, |_, client| post(client, "network", vlan.clone())).await?;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (1, WRITERS - 1), "{answers:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_one_row_follow_each_other() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    let net = create(&server.client(), "network", json!({"name": "a"})).await?;
    let id = text(&net, "/id")?;
    let answers = race(&server, |number, client| {
        let id = id.clone();
        async move {
            let change = json!({"network": {"name": format!("n{number}")}});
            client.put(&format!("/v2.0/networks/{id}"), &change).await
        }
    })
    .await?;
    assert_eq!(count(&answers, 200), WRITERS, "{answers:?}");
    let shown = server.get(&format!("/v2.0/networks/{id}")).await?.expect(200)?;
    let revision = |network: &Value| network["revision_number"].as_u64().unwrap_or_default();
    assert_eq!(revision(&shown["network"]), revision(&net) + WRITERS as u64, "each change counts once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_not_taken_from_who_is_making_use_of_it() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    let project = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
    let member = server.client().member_of(project)?;
    for round in 0..ROUNDS {
        let net = network(&server.client(), "a").await?;
        // In every other round each of two policies would be enough.
        let targets: &[&str] = if round % 2 == 0 { &[project] } else { &[project, "*"] };
        let mut policies = Vec::new();
        for target in targets {
            let policy = json!({"object_type": "network", "object_id": net, "action": "access_as_shared",
                "target_tenant": target});
            let made = server.client().post("/v2.0/rbac-policies", &json!({"rbac_policy": policy})).await?;
            policies.push(text(&made.expect(201)?, "/rbac_policy/id")?);
        }
        let answers = race(&server, |number, client| {
            let (net, member, policies) = (net.clone(), member.clone(), policies.clone());
            async move {
                match policies.get(number / 2).filter(|_| number % 2 == 1) {
                    Some(policy) => client.delete(&format!("/v2.0/rbac-policies/{policy}")).await,
                    None => post(member, "port", json!({"network_id": net})).await,
                }
            }
        })
        .await?;
        let ports = list(&server.client(), &format!("/v2.0/ports?network_id={net}")).await?;
        assert_eq!(ports.len(), count(&answers, 201), "{answers:?}");
        let left = targets.len() - count(&answers, 204);
        assert!(ports.is_empty() || left > 0, "ports without access: {answers:?}");
        let seen = member.get(&format!("/v2.0/networks/{net}")).await?.status == 200;
        assert_eq!(seen, left > 0, "{answers:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_does_not_get_past_its_limit() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    for round in 0..ROUNDS {
        let project = format!("p{round}");
        let limit = json!({"quota": {"network": 5}});
        server.client().put(&format!("/v2.0/quotas/{project}"), &limit).await?.expect(200)?;
        let answers =
            race(&server, |_, client| post(client, "network", json!({"project_id": project}))).await?;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (5, WRITERS - 5), "{answers:?}");
        let details = server.get(&format!("/v2.0/quotas/{project}/details")).await?.expect(200)?;
        assert_eq!(details["quota"]["network"]["used"], 5);
    }
    // Without a limit everything is counted, whoever was at it at the same time.
    race(&server, |_, client| post(client, "network", json!({"project_id": "free"}))).await?;
    let details = server.get("/v2.0/quotas/free/details").await?.expect(200)?;
    assert_eq!(details["quota"]["network"], json!({"limit": -1, "used": WRITERS, "reserved": 0}));
    Ok(())
}
