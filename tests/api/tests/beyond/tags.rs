//! Entity tags on show and list.

use hadron_api_tests::world::{network, sqlite, subnet};
use hadron_sdk_testing::{Answer, Client, Result};
use serde_json::json;

fn tag(answer: &Answer) -> String {
    let tag = answer.headers.get("etag").expect("a tag").to_str().expect("text").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    tag
}

async fn again(client: &Client, path: &str, known: &str) -> Result<u16> {
    let answer = client.clone().header("if-none-match", known)?.get(path).await?;
    assert_eq!(answer.status == 304, answer.body.is_null(), "a body only where there is news");
    Ok(answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_not_sent_again() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    let path = format!("/v2.0/networks/{net}");
    let shown = tag(&client.get(&path).await?);
    let listed = tag(&client.get("/v2.0/networks").await?);
    assert_eq!(again(&client, &path, &shown).await?, 304);
    assert_eq!(again(&client, "/v2.0/networks", &listed).await?, 304);
    assert_eq!(again(&client, &path, "\"other\"").await?, 200);

    // A subnet changes what a network shows.
    subnet(&client, &net, "10.0.0.0/24").await?;
    assert_eq!(again(&client, &path, &shown).await?, 200);
    assert_eq!(again(&client, "/v2.0/networks", &listed).await?, 200);

    // So does a policy that shares it, though not its revision.
    let before = client.get(&path).await?;
    let policy = json!({"rbac_policy": {"object_type": "network", "object_id": net,
        "action": "access_as_shared", "target_tenant": "*"}});
    client.post("/v2.0/rbac-policies", &policy).await?.expect(201)?;
    let after = client.get(&path).await?;
    assert_ne!(tag(&before), tag(&after));
    let revision = |answer: &Answer| answer.body["network"]["revision_number"].clone();
    assert_eq!(revision(&before), revision(&after));

    // Other attributes, other callers: other tags.
    let whole = tag(&client.get(&path).await?);
    assert_ne!(whole, tag(&client.get(&format!("{path}?fields=name")).await?));
    let member = client.clone().member_of("00000000000000000000000000000000")?;
    assert_ne!(whole, tag(&member.get(&path).await?));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_may_require_what_the_client_saw() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let path = format!("/v2.0/networks/{}", network(&client, "a").await?);
    let first = tag(&client.get(&path).await?);
    let seeing = |tag: &str| client.clone().header("if-match", tag);
    let name = |name: &str| json!({"network": {"name": name}});
    seeing(&first)?.put(&path, &name("b")).await?.expect(200)?;
    let (kind, _) = seeing(&first)?.put(&path, &name("c")).await?.expect_error(412)?;
    assert_eq!(kind, "PreconditionFailed");
    seeing(&first)?.delete(&path).await?.expect(412)?;
    seeing("revision_number=99")?.put(&path, &name("c")).await?.expect(412)?;
    assert_eq!(client.get(&path).await?.expect(200)?["network"]["name"], "b");
    let second = tag(&client.get(&path).await?);
    seeing(&format!("{first}, {second}"))?.delete(&path).await?.expect(204)?;
    Ok(())
}
