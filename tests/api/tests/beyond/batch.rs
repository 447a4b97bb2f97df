//! `POST /v2.0/batch`: all of it or nothing.

use super::everything;
use hadron_api_tests::world::{builder, list, postgres, sqlite, text};
use hadron_sdk_testing::{Result, Server};
use serde_json::{Value, json};

/// A network, its subnet, and so many ports.
fn cloud(name: &str, ports: usize) -> Value {
    let mut operations = vec![
        json!({"op": "create", "collection": "networks", "name": "net", "body": {"name": name}}),
        json!({"op": "create", "collection": "subnets", "name": "sub",
            "body": {"network_id": {"$ref": "net.id"}, "ip_version": 4, "cidr": "10.0.0.0/24"}}),
    ];
    for number in 0..ports {
        operations.push(json!({"op": "create", "collection": "ports", "name": format!("p{number}"),
            "body": {"network_id": {"$ref": "net.id"}, "fixed_ips": [{"subnet_id": {"$ref": "sub.id"}}]}}));
    }
    json!({"operations": operations})
}

async fn a_cloud_in_one_request(server: Server) -> Result {
    // As a member: whose network it is, policy finds inside the unit only.
    let client = server.client().member_of("p1")?;
    let before = everything(&client).await?;
    let dry = client.post("/v2.0/batch?dry_run=true", &cloud("a", 3)).await?;
    assert_eq!(dry.headers["x-hadron-dry-run"], "true");
    assert_eq!(dry.expect(200)?["results"].as_array().map(Vec::len), Some(5));
    assert_eq!(everything(&client).await?, before);

    let keyed = client.clone().header("idempotency-key", "k")?;
    let made = keyed.post("/v2.0/batch", &cloud("a", 3)).await?.expect(200)?;
    assert_eq!(keyed.post("/v2.0/batch", &cloud("a", 3)).await?.expect(200)?, made);
    assert_eq!(list(&client, "/v2.0/ports").await?.len(), 3);
    let net = text(&made, "/results/0/body/network/id")?;
    assert_eq!((&made["results"][4]["name"], &made["results"][4]["status"]), (&json!("p2"), &json!(201)));
    assert_eq!(made["results"][4]["body"]["port"]["network_id"], net);
    assert_eq!(
        made["results"][2]["body"]["port"]["fixed_ips"][0]["subnet_id"],
        made["results"][1]["body"]["subnet"]["id"]
    );

    // Changes and deletions, with the revision that was seen.
    let ports = list(&client, "/v2.0/ports").await?;
    let changes = json!({"operations": [
        {"op": "update", "collection": "ports", "id": ports[0]["id"], "body": {"name": "kept"},
            "revision_number": ports[0]["revision_number"], "name": "kept"},
        {"op": "delete", "collection": "ports", "id": ports[1]["id"]},
        {"op": "delete", "collection": "ports", "id": ports[2]["id"]},
        {"op": "update", "collection": "networks", "id": {"$ref": "kept.network_id"}, "body": {"name": "b"}},
    ]});
    let changed = client.post("/v2.0/batch", &changes).await?.expect(200)?;
    assert_eq!(
        (&changed["results"][1]["status"], &changed["results"][1]["body"]),
        (&json!(204), &Value::Null)
    );
    assert_eq!(list(&client, "/v2.0/ports?name=kept").await?.len(), 1);
    assert_eq!(list(&client, "/v2.0/ports").await?.len(), 1);
    assert_eq!(list(&client, "/v2.0/networks?name=b").await?.len(), 1);

    // The last fails, so the first did not happen.
    let before = everything(&client).await?;
    let mut bad = cloud("c", 1);
    bad["operations"]
        .as_array_mut()
        .expect("a list")
        .push(json!({"op": "delete", "collection": "networks", "id": net, "name": "last"}));
    let refused = client.post("/v2.0/batch", &bad).await?.expect(409)?;
    assert_eq!(refused["NeutronError"]["type"], "NetworkInUse");
    assert_eq!(refused["NeutronError"]["operation"], json!({"index": 3, "name": "last"}));
    // A stale revision, and what is not the caller's.
    let stale = json!({"operations": [{"op": "update", "collection": "networks", "id": net,
        "body": {"name": "x"}, "revision_number": 999}]});
    client.post("/v2.0/batch", &stale).await?.expect(412)?;
    let theirs = server.client().member_of("p2")?;
    let steal = json!({"operations": [{"op": "delete", "collection": "networks", "id": net}]});
    let refused = theirs.post("/v2.0/batch", &steal).await?.expect(404)?;
    assert_eq!(refused["NeutronError"]["operation"], json!({"index": 0, "name": null}));
    let shared =
        json!({"operations": [{"op": "create", "collection": "networks", "body": {"shared": true}}]});
    client.post("/v2.0/batch", &shared).await?.expect(403)?;
    client.post("/v2.0/batch", &json!({"operations": {}})).await?.expect(400)?;
    client.get("/v2.0/batch").await?.expect(405)?;
    assert_eq!(everything(&client).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_in_one_request_on_sqlite() -> Result {
    a_cloud_in_one_request(sqlite().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_in_one_request_on_postgres() -> Result {
    match postgres().await? {
        Some(server) => a_cloud_in_one_request(server).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_a_bound() -> Result {
    let server = builder().config("[api]\nbatch_operations = 4\n").start().await?;
    let client = server.client();
    client.post("/v2.0/batch", &cloud("a", 2)).await?.expect(200)?;
    let (_, message) = client.post("/v2.0/batch", &cloud("b", 3)).await?.expect_error(400)?;
    assert_eq!(message, "A batch has 1 to 4 operations, and this one has 5");
    Ok(())
}
