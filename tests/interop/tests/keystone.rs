//! Tokens of a real Keystone.

use anyhow::Result;
use hadron_interop::cloud::Cloud;
use hadron_interop::identity::{Identity, Scope};
use hadron_sdk_testing::{Client, Server, until};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the servers of these tests believe in a token.
const CACHE_SECONDS: u32 = 2;
/// A little more than that.
const WINDOW: Duration = Duration::from_millis(2500);
/// A life that a test can wait for, and long enough for what it does meanwhile.
const SHORT_LIFE: u32 = 15;

async fn create(client: &Client, document: Value) -> Result<hadron_sdk_testing::Answer> {
    Ok(client.post("/v2.0/networks", &json!({ "network": document })).await?)
}

async fn names(client: &Client) -> Result<Vec<String>> {
    let body = client.get("/v2.0/networks?sort_key=name&sort_dir=asc").await?.expect(200)?;
    let rows = body["networks"].as_array().cloned().unwrap_or_default();
    Ok(rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_say_who_asks_until_they_are_revoked_or_nobody_can_tell() -> Result<()> {
    let builder = Server::builder().mechanism_drivers(&[]);
    let Some(mut cloud) = Cloud::start(3600, CACHE_SECONDS, builder).await? else { return Ok(()) };
    projects_and_roles(&cloud).await?;
    strangers(&cloud).await?;
    scopes(&cloud).await?;
    application_credentials(&cloud).await?;
    revocation(&cloud).await?;
    outage(&mut cloud).await
}

async fn projects_and_roles(cloud: &Cloud) -> Result<()> {
    let (member, reader) =
        (cloud.client("red-member", "red").await?, cloud.client("red-reader", "red").await?);
    let (other, admin) = (cloud.client("blue-member", "blue").await?, cloud.client("admin", "admin").await?);
    let made = create(&member, json!({"name": "red-net"})).await?.expect(201)?;
    assert_eq!(made["network"]["project_id"], cloud.project("red")?);
    assert_eq!(made["network"].get("provider:network_type"), None, "a member sees what admins may see");
    let path = format!("/v2.0/networks/{}", made["network"]["id"].as_str().unwrap_or_default());
    assert_eq!(names(&reader).await?, ["red-net"]);
    assert_eq!(names(&other).await?, Vec::<String>::new());
    assert_eq!(names(&admin).await?, ["red-net"]);
    other.get(&path).await?.expect_error(404)?;
    let (kind, _) = create(&reader, json!({"name": "no"})).await?.expect_error(403)?;
    assert_eq!(kind, "PolicyNotAuthorized");
    let foreign = json!({"name": "no", "project_id": cloud.project("blue")?});
    create(&member, foreign).await?.expect_error(400)?;
    let shown = admin.get(&path).await?.expect(200)?;
    assert!(shown["network"]["provider:network_type"].is_string());
    // What a client says of itself counts for nothing.
    let liar = other.header("x-roles", "admin")?.header("x-project-id", cloud.project("red")?)?;
    liar.get(&path).await?.expect_error(404)?;
    Ok(())
}

async fn strangers(cloud: &Cloud) -> Result<()> {
    let nobody = cloud.server.client();
    let challenge = format!("Keystone uri=\"{}\"", cloud.keystone.url());
    for client in [nobody.clone(), cloud.with("gAAAAABnonsense")?, nobody.login("admin", "secret")?] {
        let answer = client.get("/v2.0/networks").await?;
        let header = answer.headers.get("www-authenticate").and_then(|v| v.to_str().ok());
        assert_eq!(header, Some(challenge.as_str()));
        assert_eq!(
            answer.expect(401)?,
            json!({"error": {"code": 401, "title": "Unauthorized",
                "message": "The request you have made requires authentication."}})
        );
    }
    cloud.server.get("/").await?.expect(200)?;
    Ok(())
}

async fn scopes(cloud: &Cloud) -> Result<()> {
    let admin = Identity::log_in(&cloud.keystone.admin()).await?;
    admin.assign(&admin.user_id, "admin", "domains/default").await?;
    let unscoped = cloud.with(&cloud.scoped("red-member", Scope::Nothing).await?)?;
    assert_eq!(names(&unscoped).await?, Vec::<String>::new());
    create(&unscoped, json!({"name": "no"})).await?.expect_error(400)?;
    let red = cloud.project("red")?;
    create(&unscoped, json!({"name": "no", "project_id": red})).await?.expect_error(400)?;
    for scope in [Scope::Domain("default".into()), Scope::System] {
        let client = cloud.with(&cloud.scoped("admin", scope.clone()).await?)?;
        assert_eq!(names(&client).await?, ["red-net"], "{scope:?}");
        let (_, message) = create(&client, json!({"name": "no"})).await?.expect_error(400)?;
        assert_eq!(message, "Running without keystone AuthN requires that tenant_id is specified");
        let made = create(&client, json!({"name": "z", "project_id": red})).await?.expect(201)?;
        let id = made["network"]["id"].as_str().unwrap_or_default();
        client.delete(&format!("/v2.0/networks/{id}")).await?.expect(204)?;
    }
    Ok(())
}

async fn application_credentials(cloud: &Cloud) -> Result<()> {
    let member = Identity::log_in(&cloud.login("red-member", "red")).await?;
    let url = cloud.keystone.url();
    let whole = member.application_credential("whole", &[]).await?;
    let whole = cloud.with(&Identity::with_credential(&url, &whole).await?.token)?;
    assert_eq!(names(&whole).await?, ["red-net"]);
    let rule = |service: &str, path: &str| json!({"service": service, "method": "GET", "path": path});
    let rules = [rule("network", "/v2.0/networks"), rule("network", "/v2.0/ports/{port_id}")];
    let some = member.application_credential("some", &rules).await?;
    let some = cloud.with(&Identity::with_credential(&url, &some).await?.token)?;
    assert_eq!(names(&some).await?, ["red-net"]);
    let port = "/v2.0/ports/6a5b1dfd-5cf0-4f0e-b3b7-2b6a4a9c2f10";
    some.get(port).await?.expect_error(404)?;
    some.get("/v2.0/ports").await?.expect(401)?;
    create(&some, json!({"name": "no"})).await?.expect(401)?;
    // What a service does on the user's behalf is not the user's request.
    let passed = some.header("x-service-token", &cloud.token("nova", "service").await?)?;
    passed.get("/v2.0/ports").await?.expect(200)?;
    let other = member.application_credential("other", &[rule("compute", "/v2.0/networks")]).await?;
    let other = cloud.with(&Identity::with_credential(&url, &other).await?.token)?;
    other.get("/v2.0/networks").await?.expect(401)?;
    Ok(())
}

async fn revocation(cloud: &Cloud) -> Result<()> {
    let member = Identity::log_in(&cloud.login("red-member", "red")).await?;
    let client = cloud.with(&member.token)?;
    client.get("/v2.0/networks").await?.expect(200)?;
    let admin = Identity::log_in(&cloud.keystone.admin()).await?;
    admin.revoke(&member.token).await?;
    tokio::time::sleep(WINDOW).await;
    client.get("/v2.0/networks").await?.expect(401)?;
    Ok(())
}

async fn outage(cloud: &mut Cloud) -> Result<()> {
    let (known, fresh) = (cloud.client("red-member", "red").await?, cloud.client("red-reader", "red").await?);
    known.get("/v2.0/networks").await?.expect(200)?;
    cloud.keystone.stop();
    let refused = fresh.get("/v2.0/networks").await?.expect(503)?;
    assert_eq!(refused["title"], "Service Unavailable");
    assert!(refused["message"].as_str().is_some_and(|m| m.contains("The Keystone service is temporarily")));
    tokio::time::sleep(WINDOW).await;
    known.get("/v2.0/networks").await?.expect(503)?;
    cloud.server.get("/v2.0/networks").await?.expect(401)?;
    cloud.keystone.start_again().await?;
    known.get("/v2.0/networks").await?.expect(200)?;
    fresh.get("/v2.0/networks").await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_good_only_in_the_hands_of_a_service() -> Result<()> {
    let builder = Server::builder().mechanism_drivers(&[]);
    let Some(cloud) = Cloud::start(SHORT_LIFE, 300, builder).await? else { return Ok(()) };
    let token = cloud.token("red-member", "red").await?;
    let user = cloud.with(&token)?;
    create(&user, json!({"name": "red-net"})).await?.expect(201)?;
    until("the token to expire", Duration::from_secs(60), || async {
        Ok((user.get("/v2.0/networks").await?.status == 401).then_some(()))
    })
    .await?;
    let by_nova = user.clone().header("x-service-token", &cloud.token("nova", "service").await?)?;
    assert_eq!(names(&by_nova).await?, ["red-net"]);
    let made = create(&by_nova, json!({"name": "by-nova"})).await?.expect(201)?;
    assert_eq!(made["network"]["project_id"], cloud.project("red")?);
    let by_user = user.clone().header("x-service-token", &cloud.token("blue-member", "blue").await?)?;
    by_user.get("/v2.0/networks").await?.expect(401)?;
    by_user.get("/v2.0/networks").await?.expect(401)?;
    user.get("/v2.0/networks").await?.expect(401)?;
    Ok(())
}
