//! Logs of what security groups let through and hold back.

use hadron_networking_tests::world::{self, create, network, text};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";
const LOGS: &str = "/v2.0/log/logs";

/// A log; its id.
async fn log(client: &Client, document: Value) -> Result<String> {
    text(&client.post(LOGS, &json!({ "log": document })).await?.expect(201)?, "/log/id")
}

/// A group, a port that has it, and one that has none; their ids.
async fn world_of(client: &Client) -> Result<[String; 3]> {
    let blue = network(client, "blue").await?;
    let group = client.post("/v2.0/security-groups", &json!({"security_group": {"name": "g"}})).await?;
    let group = text(&group.expect(201)?, "/security_group/id")?;
    let port = |groups: Value| json!({"network_id": blue, "security_groups": groups});
    let has = text(&create(client, "port", port(json!([group]))).await?, "/id")?;
    let lacks = text(&create(client, "port", port(json!([]))).await?, "/id")?;
    Ok([group, has, lacks])
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_about_groups_and_ports_that_are_there() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let [group, has, lacks] = world_of(&client).await?;
    let about = |more: Value| {
        let mut document = json!({"resource_type": "security_group"});
        document
            .as_object_mut()
            .into_iter()
            .for_each(|d| d.extend(more.as_object().cloned().unwrap_or_default()));
        document
    };
    let kinds = client.get("/v2.0/log/loggable-resources").await?.expect(200)?;
    assert_eq!(kinds, json!({"loggable_resources": [{"type": "security_group"}]}));
    for (document, status, kind, message) in [
        (
            json!({}),
            400,
            "HTTPBadRequest",
            "Failed to parse request. Required attribute 'resource_type' not specified".to_owned(),
        ),
        (
            json!({"resource_type": "x"}),
            400,
            "InvalidLogResourceType",
            "Invalid log resource_type: x.".to_owned(),
        ),
        (
            about(json!({"resource_id": NOBODY})),
            404,
            "ResourceNotFound",
            format!("Resource {NOBODY} could not be found."),
        ),
        (
            about(json!({"target_id": NOBODY})),
            404,
            "TargetResourceNotFound",
            format!("Target resource {NOBODY} could not be found."),
        ),
        (
            about(json!({"event": "x"})),
            400,
            "HTTPBadRequest",
            "Invalid input for event. Reason: x is not in valid_values.".to_owned(),
        ),
        (
            about(json!({"resource_id": group, "target_id": lacks})),
            400,
            "InvalidResourceConstraint",
            format!(
                "Invalid resource constraint between resource (security_group {group}) and target resource (port \
                 {lacks})."
            ),
        ),
    ] {
        let refused = client.post(LOGS, &json!({ "log": document })).await?.expect_error(status)?;
        assert_eq!(refused, (kind.to_owned(), message), "{document}");
    }
    let asked = about(json!({"name": "l", "resource_id": group, "target_id": has, "event": "DROP"}));
    let made = client.post(LOGS, &json!({ "log": asked })).await?.expect(201)?["log"].clone();
    assert_eq!(
        (&made["resource_id"], &made["target_id"], &made["event"], &made["enabled"], made.get("only_port")),
        (&json!(group), &json!(has), &json!("DROP"), &json!(true), None)
    );
    let own = format!("{LOGS}/{}", text(&made, "/id")?);
    let put = client.put(&own, &json!({"log": {"name": "m", "enabled": false}})).await?.expect(200)?;
    assert_eq!((&put["log"]["name"], &put["log"]["enabled"]), (&json!("m"), &json!(false)));
    let fixed = client.put(&own, &json!({"log": {"event": "ALL"}})).await?.expect_error(400)?;
    assert_eq!(fixed.1, "Cannot update read-only attribute event");
    client.delete(&own).await?.expect(204)?;
    assert_eq!(client.get(&own).await?.expect_error(404)?.0, "LogResourceNotFound");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_goes_with_what_it_is_about_alone() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let [group, has, _] = world_of(&client).await?;
    let kind = "security_group";
    let all = log(&client, json!({"resource_type": kind})).await?;
    let both = log(&client, json!({"resource_type": kind, "resource_id": group, "target_id": has})).await?;
    let of_group = log(&client, json!({"resource_type": kind, "resource_id": group})).await?;
    let of_port = log(&client, json!({"resource_type": kind, "target_id": has})).await?;
    client.delete(&format!("/v2.0/ports/{has}")).await?.expect(204)?;
    client.get(&format!("{LOGS}/{of_port}")).await?.expect(404)?;
    client.get(&format!("{LOGS}/{of_group}")).await?.expect(200)?;
    client.delete(&format!("/v2.0/security-groups/{group}")).await?.expect(204)?;
    client.get(&format!("{LOGS}/{of_group}")).await?.expect(404)?;
    for left in [all, both] {
        client.get(&format!("{LOGS}/{left}")).await?.expect(200)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_for_managers() -> Result {
    let server = world::sqlite().await?;
    let member = server.client().member_of("p1")?;
    let manager = server.client().header("x-project-id", "p1")?.header("x-roles", "manager,member,reader")?;
    let body = json!({"log": {"resource_type": "security_group"}});
    assert_eq!(member.post(LOGS, &body).await?.expect_error(403)?.0, "PolicyNotAuthorized");
    let id = text(&manager.post(LOGS, &body).await?.expect(201)?, "/log/id")?;
    assert_eq!(member.get(LOGS).await?.expect(200)?, json!({"logs": []}));
    assert_eq!(member.delete(&format!("{LOGS}/{id}")).await?.expect_error(404)?.0, "LogResourceNotFound");
    manager.delete(&format!("{LOGS}/{id}")).await?.expect(204)?;
    Ok(())
}
