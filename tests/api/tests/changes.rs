//! Changes: on a condition, without effect, not allowed, in the way of others.

use hadron_api_tests::world::{create, network, port, postgres, sqlite, subnet, text};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};

fn at(client: &Client, revision: &str) -> Result<Client> {
    client.clone().header("if-match", revision)
}

async fn shown(client: &Client, path: &str, member: &str) -> Result<Value> {
    Ok(client.get(path).await?.expect(200)?[member].clone())
}

async fn on_a_revision(server: &Server) -> Result {
    let client = server.client();
    let path = format!("/v2.0/networks/{}", network(&client, "a").await?);
    let revision = shown(&client, &path, "network").await?["revision_number"].as_i64().unwrap_or(-1);
    let (right, stale) = (format!("revision_number={revision}"), format!("revision_number={}", revision + 7));
    let rename = |name: &str| json!({"network": {"name": name}});
    let (kind, message) = at(&client, &stale)?.put(&path, &rename("b")).await?.expect_error(412)?;
    assert_eq!(kind, "RevisionNumberConstraintFailed");
    assert_eq!(message, format!("Constrained to {}, but current revision is {revision}", revision + 7));
    assert_eq!(at(&client, &stale)?.delete(&path).await?.expect_error(412)?.0, kind);
    assert_eq!(shown(&client, &path, "network").await?["name"], "a");
    let changed = at(&client, &right)?.put(&path, &rename("b")).await?.expect(200)?;
    assert_eq!(changed["network"]["revision_number"], revision + 1);
    assert_eq!(at(&client, &right)?.put(&path, &rename("c")).await?.expect_error(412)?.0, kind);
    at(&client, "nonsense")?.put(&path, &rename("c")).await?.expect(200)?;
    at(&client, &format!("revision_number={}", revision + 2))?.delete(&path).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_can_be_bound_to_the_revision_that_was_seen() -> Result {
    on_a_revision(&sqlite().await?).await?;
    match postgres().await? {
        Some(server) => on_a_revision(&server).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_leaves_the_revision_alone() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    let sub = subnet(&client, &net, "10.0.0.0/24").await?;
    let port = text(&port(&client, &net).await?, "/id")?;
    for (kind, member, id) in
        [("networks", "network", &net), ("subnets", "subnet", &sub), ("ports", "port", &port)]
    {
        let path = format!("/v2.0/{kind}/{id}");
        let before = shown(&client, &path, member).await?;
        let same = json!({"name": before["name"], "description": before["description"]});
        for body in [json!({}), same] {
            let after = client.put(&path, &json!({ member: body })).await?.expect(200)?;
            assert_eq!(after[member], before, "{kind}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_revised_when_a_subnet_of_it_comes_or_goes() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    let path = format!("/v2.0/networks/{net}");
    let revision = async || -> Result<i64> {
        Ok(shown(&client, &path, "network").await?["revision_number"].as_i64().unwrap_or(-1))
    };
    let before = revision().await?;
    let sub = subnet(&client, &net, "10.0.0.0/24").await?;
    assert_eq!(revision().await?, before + 1);
    let renamed = json!({"subnet": {"name": "x"}});
    let changed = client.put(&format!("/v2.0/subnets/{sub}"), &renamed).await?.expect(200)?;
    assert_eq!(changed["subnet"]["revision_number"], 1);
    assert_eq!(revision().await?, before + 1, "it shows which subnets it has, not what they are called");
    client.delete(&format!("/v2.0/subnets/{sub}")).await?.expect(204)?;
    assert_eq!(revision().await?, before + 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn some_attributes_are_for_administrators_only() -> Result {
    let server = sqlite().await?;
    let member = server.client().member_of("p1")?;
    let net = network(&member, "a").await?;
    let path = format!("/v2.0/networks/{net}");
    for (attribute, value) in [
        ("shared", json!(true)),
        ("provider:network_type", json!("vlan")),
        ("provider:segmentation_id", json!(5)),
    ] {
        let body = json!({"network": {attribute: value}});
        let refused = member.post("/v2.0/networks", &body).await?.expect_error(403)?;
        let rules = |verb: &str| {
            format!("(rule:{verb}_network and rule:{verb}_network:{attribute}) is disallowed by policy")
        };
        assert_eq!(refused, ("PolicyNotAuthorized".to_owned(), rules("create")));
        assert_eq!(member.put(&path, &body).await?.expect_error(403)?.1, rules("update"));
        assert!(shown(&member, &path, "network").await?.get("provider:network_type").is_none());
    }
    // What is the default anyway is nobody's privilege.
    create(&member, "network", json!({"shared": false})).await?;
    server.client().put(&path, &json!({"network": {"shared": true}})).await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_need_is_not_deleted_and_neutrons_words_say_why() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    let sub = subnet(&client, &net, "10.0.0.0/24").await?;
    let one = port(&client, &net).await?;
    let refused = client.delete(&format!("/v2.0/networks/{net}")).await?.expect_error(409)?;
    assert_eq!(refused.0, "NetworkInUse");
    assert!(refused.1.contains(&net), "{}", refused.1);
    let refused = client.delete(&format!("/v2.0/subnets/{sub}")).await?.expect_error(409)?;
    assert_eq!(refused.0, "SubnetInUse");
    let address = one["fixed_ips"][0]["ip_address"].clone();
    let taken = json!({"port": {"network_id": net, "fixed_ips": [{"ip_address": address}]}});
    assert_eq!(client.post("/v2.0/ports", &taken).await?.expect_error(409)?.0, "IpAddressAlreadyAllocated");
    let mac = json!({"port": {"network_id": net, "mac_address": one["mac_address"]}});
    assert_eq!(client.post("/v2.0/ports", &mac).await?.expect_error(409)?.0, "MacAddressInUse");
    for (path, kind) in
        [("networks", "NetworkNotFound"), ("subnets", "SubnetNotFound"), ("ports", "PortNotFound")]
    {
        let path = format!("/v2.0/{path}/bcd78dd8-5969-43f9-a319-78457bf5e280");
        assert_eq!(client.delete(&path).await?.expect_error(404)?.0, kind);
    }
    Ok(())
}
