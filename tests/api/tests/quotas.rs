//! How many of a resource a project may have.

use hadron_api_tests::world::{builder, create, list, network, postgres, sqlite, subnet};
use hadron_sdk_testing::{Result, Server};
use serde_json::{Value, json};

const OVER: &str = "Quota exceeded for resources: ['network'].";

async fn set(server: &Server, project: &str, limits: Value) -> Result<Value> {
    let body = json!({ "quota": limits });
    let answer = server.client().put(&format!("/v2.0/quotas/{project}"), &body).await?.expect(200)?;
    Ok(answer["quota"].clone())
}

async fn kept(server: &Server) -> Result {
    let member = server.client().member_of("p1")?;
    let body = json!({"network": {}});
    assert_eq!(set(server, "p1", json!({"network": 3})).await?["network"], 3);
    network(&member, "a").await?;
    let many = json!({"networks": [{}, {}, {}]});
    let refused = member.post("/v2.0/networks", &many).await?.expect_error(409)?;
    assert_eq!(refused, ("OverQuota".to_owned(), OVER.to_owned()));
    assert_eq!(list(&member, "/v2.0/networks").await?.len(), 1, "a bulk counts as a whole");
    let two = json!({"networks": [{}, {}]});
    member.post("/v2.0/networks", &two).await?.expect(201)?;
    assert_eq!(member.post("/v2.0/networks", &body).await?.expect_error(409)?.0, "OverQuota");
    // Other projects, and other resources, have limits of their own.
    network(&server.client().member_of("p2")?, "b").await?;
    let first = list(&member, "/v2.0/networks").await?[0]["id"].as_str().unwrap_or_default().to_owned();
    subnet(&member, &first, "10.0.0.0/24").await?;
    // What is gone makes room.
    member.delete(&format!("/v2.0/networks/{first}")).await?.expect(204)?;
    member.post("/v2.0/networks", &body).await?.expect(201)?;
    // An administrator who makes something for a project uses that project's.
    let theirs = json!({"network": {"project_id": "p1"}});
    assert_eq!(server.client().post("/v2.0/networks", &theirs).await?.expect_error(409)?.1, OVER);
    let details = server.get("/v2.0/quotas/p1/details").await?.expect(200)?;
    assert_eq!(details["quota"]["network"], json!({"limit": 3, "used": 3, "reserved": 0}));
    assert_eq!(details["quota"]["subnet"]["used"], 0, "it went with its network");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_gets_what_it_may_have_and_no_more() -> Result {
    kept(&sqlite().await?).await?;
    match postgres().await? {
        Some(server) => kept(&server).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_shown_set_checked_and_taken_away() -> Result {
    let server = builder().config("[quota]\nlimits = ['network=7']\n").start().await?;
    let client = server.client();
    let path = "/v2.0/quotas/p1";
    let defaults = client.get(&format!("{path}/default")).await?.expect(200)?;
    for (name, limit) in
        [("network", 7), ("subnet", 100), ("port", 500), ("rbac_policy", 10), ("security_group", 10)]
    {
        assert_eq!(defaults["quota"][name], limit, "{name}");
    }
    assert_eq!(client.get(path).await?.expect(200)?, defaults);
    assert_eq!(client.get("/v2.0/quotas").await?.expect(200)?, json!({"quotas": []}));
    assert_eq!(client.delete(path).await?.expect_error(404)?.0, "TenantQuotaNotFound");

    let mut limits = set(&server, "p1", json!({"network": 2, "port": "-1"})).await?;
    let mut wanted = defaults["quota"].clone();
    wanted["network"] = json!(2);
    wanted["port"] = json!(-1);
    assert_eq!(limits, wanted);
    let all = client.get("/v2.0/quotas").await?.expect(200)?;
    for name in ["project_id", "tenant_id"] {
        limits[name] = json!("p1");
    }
    assert_eq!(all, json!({ "quotas": [limits] }));

    for _ in 0..2 {
        create(&client, "network", json!({"project_id": "p1"})).await?;
    }
    let below = json!({"quota": {"network": 1, "subnet": 5}});
    let refused = client.put(path, &below).await?.expect_error(400)?;
    let message = "Quota limit 1 for network must be greater than or equal to already used 2";
    assert_eq!(refused, ("HTTPBadRequest".to_owned(), message.to_owned()));
    assert_eq!(client.get(path).await?.expect(200)?["quota"]["subnet"], 100, "all of it or nothing");
    let forced = json!({"quota": {"network": 1, "force": true}});
    assert_eq!(client.put(path, &forced).await?.expect(200)?["quota"]["network"], 1);
    set(&server, "p1", json!({"network": 2, "check_limit": true})).await?;

    for (body, message) in [
        (json!({"quota": {"nosuch": 1}}), "Unrecognized attribute(s) 'nosuch'"),
        (
            json!({"quota": {"port": -2}}),
            "Invalid input for port. Reason: '-2' is too small - must be at least '-1'.",
        ),
        (json!({"quota": {"port": "x"}}), "Invalid input for operation: 'x' is not an integer."),
        (json!({"quota": []}), "Object 'quota' contains invalid data"),
        (json!({}), "Unable to find 'quota' in request body"),
    ] {
        assert_eq!(client.put(path, &body).await?.expect_error(400)?.1, message);
    }
    client.delete(path).await?.expect(204)?;
    assert_eq!(client.get(path).await?.expect(200)?, defaults);
    assert_eq!(client.post("/v2.0/quotas", &json!({})).await?.status, 405);
    assert_eq!(client.put("/v2.0/quotas", &json!({})).await?.status, 405);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_for_administrators_and_looking_is_for_the_own_project() -> Result {
    let server = sqlite().await?;
    let member = server.client().member_of("p1")?;
    let manager = server.client().header("x-project-id", "p1")?.header("x-roles", "manager,member,reader")?;
    for path in ["/v2.0/quotas/p1", "/v2.0/quotas/p1/default", "/v2.0/quotas/p1/details.json"] {
        member.get(path).await?.expect(200)?;
    }
    assert_eq!(member.get("/v2.0/quotas/tenant").await?.expect(200)?, json!({"tenant": {"tenant_id": "p1"}}));
    assert_eq!(
        member.get("/v2.0/quotas/project").await?.expect(200)?,
        json!({"project": {"project_id": "p1"}})
    );
    let refused = "rule:get_quota is disallowed by policy";
    for path in ["/v2.0/quotas", "/v2.0/quotas/p2", "/v2.0/quotas/p2/default", "/v2.0/quotas/p2/details"] {
        assert_eq!(member.get(path).await?.expect_error(403)?.1, refused, "{path}");
    }
    let body = json!({"quota": {"network": -1}});
    for client in [&member, &manager] {
        let refused = client.put("/v2.0/quotas/p1", &body).await?.expect_error(403)?;
        assert_eq!(refused.1, "rule:update_quota is disallowed by policy");
        let refused = client.delete("/v2.0/quotas/p1").await?.expect_error(403)?;
        assert_eq!(refused.1, "rule:delete_quota is disallowed by policy");
    }
    set(&server, "p1", json!({"network": 5})).await?;
    set(&server, "p2", json!({"network": 5})).await?;
    let seen = manager.get("/v2.0/quotas").await?.expect(200)?;
    assert_eq!(seen["quotas"].as_array().map(Vec::len), Some(1), "{seen}");
    Ok(())
}

async fn kept_by_batches(server: &Server) -> Result {
    let member = server.client().member_of("p1")?;
    set(server, "p1", json!({"network": 2})).await?;
    let make = json!({"op": "create", "collection": "networks", "body": {}});
    let many = json!({"operations": [make, make, make]});
    let refused = member.post("/v2.0/batch", &many).await?.expect_error(409)?;
    assert_eq!(refused, ("OverQuota".to_owned(), OVER.to_owned()));
    assert_eq!(list(&member, "/v2.0/networks").await?.len(), 0);
    let two = json!({"operations": [make, make]});
    member.post("/v2.0/batch?dry_run=true", &two).await?.expect(200)?;
    member.post("/v2.0/batch", &two).await?.expect(200)?;
    let one = json!({"network": {}});
    assert_eq!(member.post("/v2.0/networks?dry_run=true", &one).await?.expect_error(409)?.1, OVER);
    let limit = json!({"quota": {"network": 5}});
    server.client().put("/v2.0/quotas/p1?dry_run=true", &limit).await?.expect_error(400)?;
    server.client().delete("/v2.0/quotas/p1?dry_run=true").await?.expect_error(400)?;
    let details = server.get("/v2.0/quotas/p1/details").await?.expect(200)?;
    assert_eq!(details["quota"]["network"], json!({"limit": 2, "used": 2, "reserved": 0}));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_checked_as_a_whole_and_a_dry_run_counts_nothing() -> Result {
    kept_by_batches(&sqlite().await?).await?;
    match postgres().await? {
        Some(server) => kept_by_batches(&server).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_what_was_there_before_it_and_survives_a_restart() -> Result {
    let mut server = sqlite().await?;
    let member = server.client().member_of("p1")?;
    for name in ["a", "b"] {
        network(&member, name).await?;
    }
    set(&server, "p1", json!({"network": 2})).await?;
    assert_eq!(server.terminate().await?, Some(0));
    server.restart().await?;
    let refused = member.post("/v2.0/networks", &json!({"network": {}})).await?.expect_error(409)?;
    assert_eq!(refused.1, OVER);
    Ok(())
}
