//! `network rbac`, of every type of objects that can be shared.

use anyhow::{Context, Result, ensure};
use hadron_networking_tests::{Cli, Identity, world};
use hadron_sdk_testing::Client;
use serde_json::{Value, json};

const BOB: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
const CAROL: &str = "ca01ca01ca01ca01ca01ca01ca01ca01";

/// A type of objects, and how one of it is made.
const TYPES: [(&str, &str); 6] = [
    ("network", "network create shared"),
    ("qos_policy", "network qos policy create shared"),
    ("security_group", "security group create shared"),
    ("address_scope", "address scope create shared --ip-version 4"),
    ("subnetpool", "subnet pool create shared --pool-prefix 10.40.0.0/16 --default-prefix-length 24"),
    ("address_group", "address group create shared --address 10.0.0.0/24"),
];

/// Something of a project's own that relies on an object; its URL.
async fn used(client: &Client, kind: &str, id: &str) -> Result<String> {
    let network = async || {
        let made = client.post("/v2.0/networks", &json!({"network": {}})).await?.expect(201)?;
        anyhow::Ok(made["network"]["id"].clone())
    };
    let (path, member, document) = match kind {
        "network" => ("/v2.0/ports", "port", json!({"network_id": id})),
        "qos_policy" => ("/v2.0/networks", "network", json!({"qos_policy_id": id})),
        "security_group" => {
            ("/v2.0/ports", "port", json!({"network_id": network().await?, "security_groups": [id]}))
        }
        "address_scope" => {
            let pool = json!({"name": "own", "prefixes": ["10.50.0.0/16"], "address_scope_id": id});
            ("/v2.0/subnetpools", "subnetpool", pool)
        }
        "subnetpool" => {
            let subnet = json!({"network_id": network().await?, "ip_version": 4, "subnetpool_id": id});
            ("/v2.0/subnets", "subnet", subnet)
        }
        _ => {
            let found = client.get("/v2.0/security-groups?name=default").await?.expect(200)?;
            let group = &found["security_groups"][0]["id"];
            let rule =
                json!({"security_group_id": group, "direction": "ingress", "remote_address_group_id": id});
            ("/v2.0/security-group-rules", "security_group_rule", rule)
        }
    };
    let made = client.post(path, &json!({ member: document })).await?.expect(201)?;
    Ok(format!("{path}/{}", made[member]["id"].as_str().context("no id")?))
}

#[tokio::test(flavor = "multi_thread")]
async fn rbac_commands_of_every_type() -> Result<()> {
    let server = world::sqlite().await?;
    let identity = Identity::start().await?;
    let Some(mut cli) = Cli::beside(&server, &identity).await? else { return Ok(()) };
    let bob = server.client().member_of(BOB)?;
    for (kind, make) in TYPES {
        let object = cli.column(make, "id").await?;
        let made = cli
            .json(&format!(
                "network rbac create --type {kind} --action access_as_shared --target-project {BOB} shared"
            ))
            .await?;
        assert_eq!(
            ["object_type", "object_id", "action", "target_project_id"].map(|name| &made[name]),
            [&json!(kind), &json!(object), &json!("access_as_shared"), &json!(BOB)]
        );
        let id = made["id"].as_str().context("no id")?.to_owned();
        for filter in [format!("--type {kind}"), format!("--action access_as_shared --type {kind} --long")] {
            assert_eq!(cli.column(&format!("network rbac list {filter}"), "ID").await?, id);
        }
        ensure!(cli.run("network rbac list -f value").await?.contains(&format!("{id} {kind} {object}")));

        let relies = used(&bob, kind, &object).await?;
        let refused = cli.refused(&format!("network rbac delete {id}")).await?;
        ensure!(refused.contains("Failed to delete RBAC policy"), "{kind}: {refused}");
        let refused = cli.refused(&format!("network rbac set {id} --target-project {CAROL}")).await?;
        ensure!(refused.contains(&object) || refused.contains("depend on it"), "{kind}: {refused}");
        bob.delete(&relies).await?.expect(204)?;

        cli.run(&format!("network rbac set {id} --target-project {CAROL}")).await?;
        let shown = cli.json(&format!("network rbac show {id}")).await?;
        assert_eq!((&shown["target_project_id"], &shown["object_id"]), (&json!(CAROL), &json!(object)));
        if kind != "address_scope" {
            cli.run(&format!("network rbac delete {id}")).await?;
            ensure!(cli.refused(&format!("network rbac show {id}")).await?.contains(&id));
            let all = format!("--type {kind} --action access_as_shared --target-all-projects shared");
            let id = cli.column(&format!("network rbac create {all}"), "id").await?;
            assert_eq!(cli.column("network rbac list --target-project *", "ID").await?, id);
            cli.run(&format!("network rbac delete {id}")).await?;
        }
    }
    let external = format!(
        "network rbac create --type security_group --action access_as_external --target-project {BOB} shared"
    );
    let refused = cli.refused(&external).await?;
    ensure!(refused.contains("Valid actions: ('access_as_shared',)"), "{refused}");
    let made: Value = cli.json(&external.replace("security_group", "network")).await?;
    assert_eq!(made["action"], "access_as_external");
    Ok(())
}
