//! Tags: below a resource's URL, at creation, in filters; of a vendor's
//! resources too.

use hadron_api_tests::world::{create, list, network, port, postgres, sqlite, subnet, text};
use hadron_sdk_testing::{Result, Server};
use serde_json::{Value, json};

fn names(rows: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    names.sort_unstable();
    names
}

async fn revision(server: &Server, path: &str) -> Result<i64> {
    let body = server.get(path).await?.expect(200)?;
    Ok(body["network"]["revision_number"].as_i64().unwrap_or(-1))
}

async fn set_shown_and_removed(server: &Server) -> Result {
    let client = server.client();
    let id = network(&client, "a").await?;
    let path = format!("/v2.0/networks/{id}");
    let tags = format!("{path}/tags");
    let before = revision(server, &path).await?;
    assert_eq!(client.get(&tags).await?.expect(200)?, json!({"tags": []}));
    let given = json!({"tags": ["red", "blue"]});
    assert_eq!(client.put(&tags, &given).await?.expect(200)?, given);
    assert_eq!(client.put(&format!("{tags}/green"), &json!(null)).await?.expect(201)?, Value::Null);
    assert_eq!(revision(server, &path).await?, before + 2, "each change raises the revision once");
    // What is there already changes nothing.
    client.put(&format!("{tags}/green"), &json!(null)).await?.expect(201)?;
    assert_eq!(revision(server, &path).await?, before + 2);
    assert_eq!(client.get(&format!("{tags}/green")).await?.expect(204)?, Value::Null);
    let more = json!({"tags": ["red", "black/white"]});
    assert_eq!(client.post(&tags, &more).await?.expect(200)?, more);
    let all = json!(["red", "blue", "green", "black/white"]);
    assert_eq!(client.get(&path).await?.expect(200)?["network"]["tags"], all);
    assert_eq!(list(&client, "/v2.0/networks?fields=tags").await?, [json!({"tags": all})]);
    client.delete(&format!("{tags}/black%2Fwhite")).await?.expect(204)?;
    let (kind, message) = client.delete(&format!("{tags}/black%2Fwhite")).await?.expect_error(404)?;
    assert_eq!((kind.as_str(), message.as_str()), ("TagNotFound", "Tag black/white could not be found."));
    assert_eq!(client.get(&format!("{tags}/nosuch")).await?.expect_error(404)?.0, "TagNotFound");
    client.delete(&tags).await?.expect(204)?;
    assert_eq!(client.get(&tags).await?.expect(200)?, json!({"tags": []}));
    // A change of the row keeps them, and they keep the row.
    client.put(&tags, &given).await?.expect(200)?;
    client.put(&path, &json!({"network": {"name": "b"}})).await?.expect(200)?;
    let shown = client.get(&path).await?.expect(200)?;
    assert_eq!((&shown["network"]["tags"], &shown["network"]["name"]), (&given["tags"], &json!("b")));
    client.delete(&path).await?.expect(204)?;
    let (kind, message) = client.get(&tags).await?.expect_error(404)?;
    assert_eq!(
        (kind, message),
        ("TagResourceNotFound".into(), format!("Resource networks {id} could not be found."))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_set_shown_and_removed() -> Result {
    set_shown_and_removed(&sqlite().await?).await?;
    match postgres().await? {
        Some(server) => set_shown_and_removed(&server).await,
        None => Ok(()),
    }
}

async fn found(server: &Server) -> Result {
    let client = server.client();
    for (name, tags) in
        [("none", vec![]), ("r", vec!["red"]), ("b", vec!["blue"]), ("rb", vec!["red", "blue", "x"])]
    {
        let id = network(&client, name).await?;
        client.put(&format!("/v2.0/networks/{id}/tags"), &json!({"tags": tags})).await?.expect(200)?;
    }
    for (filter, expected) in [
        ("tags=red", vec!["r", "rb"]),
        ("tags=red,blue", vec!["rb"]),
        ("tags=red&tags=blue", vec!["rb"]),
        ("tags-any=red,blue", vec!["b", "r", "rb"]),
        ("tags-any=nosuch", vec![]),
        ("not-tags=red,blue", vec!["b", "none", "r"]),
        ("not-tags-any=red,blue", vec!["none"]),
        ("tags=red&not-tags-any=x", vec!["r"]),
        ("tags-any=red&name=r", vec!["r"]),
    ] {
        let rows = list(&client, &format!("/v2.0/networks?{filter}")).await?;
        assert_eq!(names(&rows), expected, "{filter}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_found_by_their_tags() -> Result {
    found(&sqlite().await?).await?;
    match postgres().await? {
        Some(server) => found(&server).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_born_with_tags_and_nothing_else_is() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    let one = create(&client, "port", json!({"network_id": net, "tags": ["a", "b"]})).await?;
    assert_eq!(one["tags"], json!(["a", "b"]));
    let bulk = json!({"ports": [{"network_id": net, "tags": ["c"]}, {"network_id": net}]});
    let bulk = client.post("/v2.0/ports", &bulk).await?.expect(201)?;
    assert_eq!((&bulk["ports"][0]["tags"], &bulk["ports"][1]["tags"]), (&json!(["c"]), &json!([])));
    assert_eq!(list(&client, "/v2.0/ports?tags-any=b,c").await?.len(), 2);
    for (document, message) in [
        (
            json!({"network_id": net, "tags": ["a", "a"]}),
            "Invalid input for tags. Reason: Duplicate items in the list: 'a'.",
        ),
        (json!({"network_id": net, "tags": "a"}), "Invalid input for tags. Reason: 'a' is not a list."),
    ] {
        let refused = client.post("/v2.0/ports", &json!({"port": document})).await?.expect_error(400)?;
        assert_eq!(refused.1, message);
    }
    let refused =
        client.post("/v2.0/networks", &json!({"network": {"tags": ["a"]}})).await?.expect_error(400)?;
    assert_eq!(refused.1, "Attribute 'tags' not allowed in POST");
    let path = format!("/v2.0/ports/{}", text(&one, "/id")?);
    let refused = client.put(&path, &json!({"port": {"tags": []}})).await?.expect_error(400)?;
    assert_eq!(refused.1, "Cannot update read-only attribute tags");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_tags_is_told_and_changes_nothing() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let id = network(&client, "a").await?;
    let tags = format!("/v2.0/networks/{id}/tags");
    for (body, message) in [
        (json!({}), "Invalid input for operation: Invalid tags body."),
        (json!([]), "Invalid input for operation: Invalid tags body."),
        (json!({"tags": "a"}), "Invalid input for operation: 'a' is not a list."),
        (json!({"tags": [5]}), "Invalid input for operation: '5' is not a valid string."),
        (json!({"tags": ["a", "a"]}), "Invalid input for operation: Duplicate items in the list: 'a'."),
    ] {
        assert_eq!(
            client.put(&tags, &body).await?.expect_error(400)?,
            ("InvalidInput".into(), message.into())
        );
    }
    let long = "x".repeat(256);
    assert_eq!(
        client.put(&format!("{tags}/{long}"), &json!(null)).await?.expect_error(400)?.0,
        "InvalidInput"
    );
    let many: Vec<String> = (0..50).map(|n| format!("t{n}")).collect();
    client.put(&tags, &json!({"tags": many})).await?.expect(200)?;
    let full = "Bad networks request: The number of tags exceed the per-resource limit of 50.";
    for refused in [
        client.put(&format!("{tags}/more"), &json!(null)).await?,
        client.post(&tags, &json!({"tags": ["more"]})).await?,
    ] {
        assert_eq!(refused.expect_error(400)?, ("BadRequest".into(), full.into()));
    }
    client.put(&format!("{tags}/t7"), &json!(null)).await?.expect(201)?;
    assert_eq!(client.get(&tags).await?.expect(200)?, json!({"tags": many}));
    let patch = client.send(reqwest::Method::PATCH, &tags, None).await?;
    assert_eq!(patch.status, 405);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_change_a_row_tag_it() -> Result {
    let server = sqlite().await?;
    let admin = server.client();
    let owner = server.client().member_of("p1")?;
    let stranger = server.client().member_of("p2")?;
    let reader = server.client().header("x-project-id", "p1")?.header("x-roles", "reader")?;
    let id = network(&owner, "a").await?;
    let tags = format!("/v2.0/networks/{id}/tags");
    owner.put(&format!("{tags}/a"), &json!(null)).await?.expect(201)?;
    assert_eq!(reader.get(&tags).await?.expect(200)?, json!({"tags": ["a"]}));
    let (kind, message) = reader.put(&format!("{tags}/b"), &json!(null)).await?.expect_error(403)?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("PolicyNotAuthorized", "rule:update_network:tags is disallowed by policy")
    );
    assert_eq!(reader.delete(&tags).await?.expect_error(403)?.0, "PolicyNotAuthorized");
    assert_eq!(stranger.get(&tags).await?.expect_error(404)?.0, "TagResourceNotFound");
    assert_eq!(stranger.delete(&tags).await?.expect_error(404)?.0, "TagResourceNotFound");
    // What everybody sees, everybody sees the tags of.
    admin.put(&format!("/v2.0/networks/{id}"), &json!({"network": {"shared": true}})).await?.expect(200)?;
    assert_eq!(list(&stranger, "/v2.0/networks?tags=a").await?[0]["tags"], json!(["a"]));
    assert_eq!(stranger.delete(&tags).await?.expect_error(403)?.0, "PolicyNotAuthorized");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn taggers_do_not_lose_each_others_tags() -> Result {
    let Some(server) = postgres().await? else { return Ok(()) };
    let id = network(&server.client(), "a").await?;
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let (client, path) = (server.client(), format!("/v2.0/networks/{id}/tags/t{n}"));
            tokio::spawn(async move { client.put(&path, &json!(null)).await?.expect(201) })
        })
        .collect();
    for task in tasks {
        task.await.expect("a tagger panicked")?;
    }
    let tags = server.get(&format!("/v2.0/networks/{id}/tags")).await?.expect(200)?;
    assert_eq!(tags["tags"].as_array().map(Vec::len), Some(16), "{tags}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tags_nothing() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let tags = format!("/v2.0/networks/{}/tags", network(&client, "a").await?);
    let given = json!({"tags": ["red"]});
    assert_eq!(client.put(&format!("{tags}?dry_run=true"), &given).await?.expect(200)?, given);
    client.put(&format!("{tags}/blue?dry_run=true"), &json!(null)).await?.expect(201)?;
    assert_eq!(client.get(&tags).await?.expect(200)?, json!({"tags": []}));
    let born = json!({"operations": [
        {"op": "create", "collection": "networks", "name": "n", "body": {"description": "d"}},
        {"op": "create", "collection": "ports", "body": {"network_id": {"$ref": "n.id"}, "tags": ["x"]}},
    ]});
    let answer = client.post("/v2.0/batch", &born).await?.expect(200)?;
    assert_eq!(answer["results"][0]["body"]["network"]["description"], "d");
    assert_eq!(answer["results"][1]["body"]["port"]["tags"], json!(["x"]));
    assert_eq!(list(&client, "/v2.0/ports?tags=x").await?.len(), 1);
    Ok(())
}

/// Subnets and ports have them too, and a restart keeps them.
#[tokio::test(flavor = "multi_thread")]
async fn every_resource_has_tags_and_they_survive_a_restart() -> Result {
    let mut server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    let sub = subnet(&client, &net, "10.0.0.0/24").await?;
    let port = text(&port(&client, &net).await?, "/id")?;
    for path in [format!("networks/{net}"), format!("subnets/{sub}"), format!("ports/{port}")] {
        client.put(&format!("/v2.0/{path}/tags"), &json!({"tags": ["kept"]})).await?.expect(200)?;
    }
    assert_eq!(server.terminate().await?, Some(0));
    server.restart().await?;
    for kind in ["networks", "subnets", "ports"] {
        let rows = list(&server.client(), &format!("/v2.0/{kind}?tags=kept")).await?;
        assert_eq!(rows.len(), 1, "{kind}");
        assert_eq!(rows[0]["tags"], json!(["kept"]), "{kind}");
    }
    Ok(())
}
