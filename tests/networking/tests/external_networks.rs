//! Networks that lead to the world outside.

use hadron_networking_tests::world::{self, create, list, network, subnet, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

const OTHERS: &str = "4fb4dec05f47409fa688e15287ac626a";

#[tokio::test(flavor = "multi_thread")]
async fn external_networks_are_for_everybody_to_see() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let other = client.clone().member_of(OTHERS)?;
    let made = create(&client, "network", json!({"name": "out", "router:external": true})).await?;
    assert_eq!(made["router:external"], true);
    let id = text(&made, "/id")?;
    let path = format!("/v2.0/networks/{id}");
    let inside = create(&client, "network", json!({"name": "in"})).await?;
    assert_eq!(inside["router:external"], false);
    let listed = client.get(&format!("/v2.0/rbac-policies?object_id={id}")).await?.expect(200)?;
    let policies = listed["rbac_policies"].as_array().cloned().unwrap_or_default();
    assert_eq!(policies.len(), 1);
    assert_eq!(
        (&policies[0]["action"], &policies[0]["target_tenant"]),
        (&json!("access_as_external"), &json!("*"))
    );

    subnet(&client, &id, "203.0.113.0/24").await?;
    assert_eq!(other.get(&path).await?.expect(200)?["network"]["router:external"], true);
    assert_eq!(list(&other, "/v2.0/networks?router:external=True").await?.len(), 1);
    assert_eq!(
        list(&client, "/v2.0/networks?router:external=False&fields=name").await?,
        [json!({"name": "in"})]
    );
    // To see is not to use, nor to change.
    other.post("/v2.0/ports", &json!({"port": {"network_id": id}})).await?.expect_error(403)?;
    let rename = json!({"network": {"name": "mine"}});
    assert_eq!(
        other.put(&path, &rename).await?.expect_error(403)?.1,
        "rule:update_network is disallowed by policy"
    );
    let external = json!({"network": {"router:external": true}});
    assert_eq!(
        other.post("/v2.0/networks", &external).await?.expect_error(403)?.1,
        "(rule:create_network and rule:create_network:router:external) is disallowed by policy"
    );
    let off = json!({"network": {"router:external": false}});
    // As long as a router's gateway is on it, it leads outside.
    let gateway = json!({"network_id": id, "device_owner": "network:router_gateway"});
    let gateway = text(&create(&client, "port", gateway).await?, "/id")?;
    let (kind, message) = client.put(&path, &off).await?.expect_error(409)?;
    assert_eq!(kind, "ExternalNetworkInUse");
    assert!(
        message.starts_with(&format!("External network {id} cannot be updated to be made non-external")),
        "{message}"
    );
    client.delete(&format!("/v2.0/ports/{gateway}")).await?.expect(204)?;
    assert_eq!(client.put(&path, &off).await?.expect(200)?["network"]["router:external"], false);
    other.get(&path).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_can_be_external_for_one_project() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (one, two) =
        (client.clone().member_of(OTHERS)?, client.clone().member_of("b198a1aec1a74cb1a50c16e31efe0d26")?);
    let id = text(&create(&client, "network", json!({"name": "out"})).await?, "/id")?;
    let policy = |target: &str| {
        json!({"rbac_policy": {"object_type": "network", "object_id": id, "action": "access_as_external",
            "target_tenant": target}})
    };
    let made = client.post("/v2.0/rbac-policies", &policy(OTHERS)).await?.expect(201)?;
    let path = format!("/v2.0/networks/{id}");
    assert_eq!(one.get(&path).await?.expect(200)?["network"]["router:external"], true);
    two.get(&path).await?.expect_error(404)?;
    let message = one.post("/v2.0/rbac-policies", &policy(OTHERS)).await?.expect_error(400)?.1;
    assert!(message.contains("Only admins can manipulate policies on networks they do not own"), "{message}");
    client.delete(&format!("/v2.0/rbac-policies/{}", text(&made, "/rbac_policy/id")?)).await?.expect(204)?;
    one.get(&path).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_say_whether_their_network_is_external() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let other = client.clone().member_of(OTHERS)?;
    let out = text(&create(&client, "network", json!({"router:external": true})).await?, "/id")?;
    let inside = network(&client, "in").await?;
    let body = |network: &str, cidr: &str| json!({"network_id": network, "ip_version": 4, "cidr": cidr});
    let made = create(&client, "subnet", body(&out, "203.0.113.0/24")).await?;
    assert_eq!(made["router:external"], true);
    let path = format!("/v2.0/subnets/{}", text(&made, "/id")?);
    assert_eq!(create(&client, "subnet", body(&inside, "10.0.0.0/24")).await?["router:external"], false);

    // Whoever sees the network sees its subnets, and nobody but its owner changes them.
    assert_eq!(other.get(&path).await?.expect(200)?["subnet"]["router:external"], true);
    for (query, cidrs) in [
        ("", vec!["203.0.113.0/24", "10.0.0.0/24"]),
        ("?router:external=True", vec!["203.0.113.0/24"]),
        ("?router:external=false&cidr=10.0.0.0/24", vec!["10.0.0.0/24"]),
        ("?router:external=1&router:external=0", vec!["203.0.113.0/24", "10.0.0.0/24"]),
    ] {
        let mut found: Vec<String> = Vec::new();
        for subnet in list(&client, &format!("/v2.0/subnets{query}")).await? {
            found.push(text(&subnet, "/cidr")?);
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(found, cidrs, "{query}");
    }
    let seen = list(&other, "/v2.0/subnets?fields=router:external").await?;
    assert_eq!(seen, [json!({"router:external": true})]);
    other.put(&path, &json!({"subnet": {"name": "mine"}})).await?.expect_error(403)?;
    for given in [json!({"router:external": true}), json!({"router:external": false})] {
        client.put(&path, &json!({ "subnet": given })).await?.expect_error(400)?;
    }
    let inwards = json!({"network": {"router:external": false}});
    client.put(&format!("/v2.0/networks/{out}"), &inwards).await?.expect(200)?;
    assert_eq!(client.get(&path).await?.expect(200)?["subnet"]["router:external"], false);
    other.get(&path).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn external_networks_are_of_the_type_that_is_configured() -> Result {
    let toml = "[plugin.ml2.config]\nexternal_network_type = \"vlan\"\n";
    let server = world::builder().config(toml).start().await?;
    let client = server.client();
    let kind = async |body| {
        Ok(create(&client, "network", body).await?["provider:network_type"].clone()) as Result<Value>
    };
    assert_eq!(kind(json!({"router:external": true})).await?, "vlan");
    assert_eq!(kind(json!({})).await?, "vxlan");
    assert_eq!(kind(json!({"router:external": true, "provider:network_type": "vxlan"})).await?, "vxlan");

    let toml = "[plugin.ml2.config]\nexternal_network_type = \"nosuch\"\n";
    let server = world::builder().config(toml).start().await?;
    let refused = json!({"network": {"router:external": true}});
    let (kind, _) = server.client().post("/v2.0/networks", &refused).await?.expect_error(503)?;
    assert_eq!(kind, "NoNetworkAvailable");
    Ok(())
}
