//! Networks for projects that have none, and the external network they lead to.

use hadron_networking_tests::world::{self, create, list, text};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const ALL: &str = "/v2.0/auto-allocated-topology";
const OWN: &str = "4fb4dec05f47409fa688e15287ac626a";
const OTHERS: &str = "b198a1aec1a74cb1a50c16e31efe0d26";

async fn refused(client: &Client, path: &str) -> Result<String> {
    let (kind, message) = client.get(&format!("{ALL}/{path}")).await?.expect_error(409)?;
    assert_eq!(kind, "AutoAllocationFailure");
    Ok(message)
}

/// An external network; its id.
async fn external(client: &Client, is_default: bool) -> Result<String> {
    let made = create(client, "network", json!({"router:external": true, "is_default": is_default})).await?;
    assert_eq!(made["is_default"], is_default);
    text(&made, "/id")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_topology_lacks_is_said() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let member = client.clone().member_of(OWN)?;
    let no_network = "Deployment error: No default router:external network.";
    for path in ["None", "None?fields=dry-run", OWN, "None?fields=id&fields=dry-run", "None?foo=bar"] {
        assert_eq!(refused(&member, path).await?, no_network, "{path}");
    }
    let delete = member.delete(&format!("{ALL}/{OWN}")).await?.expect_error(409)?;
    assert_eq!(delete, ("AutoAllocationFailure".to_owned(), no_network.to_owned()));
    external(&client, false).await?;
    assert_eq!(refused(&member, "None?fields=dry-run").await?, no_network);

    external(&client, true).await?;
    assert_eq!(
        refused(&member, "None?fields=dry-run").await?,
        "Deployment error: No default subnetpools defined."
    );
    assert_eq!(refused(&member, OWN).await?, "Deployment error: Unable to provide project private network.");
    // A default pool that the caller does not see is none.
    let pool = json!({"name": "p", "prefixes": ["10.0.0.0/8"], "is_default": true, "shared": true});
    create(&client, "subnetpool", pool).await?;
    for path in ["None", "None?fields=dry-run"] {
        assert_eq!(
            refused(&member, path).await?,
            "Deployment error: Unable to provide external connectivity.",
            "{path}"
        );
    }
    assert_eq!(list(&member, "/v2.0/networks?name=auto_allocated_network").await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topology_is_asked_for_by_its_project() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let member = client.clone().member_of(OWN)?;
    let not_authorized = ("NotAuthorized".to_owned(), "Not authorized.".to_owned());
    for project in [OTHERS, "null", "nobody"] {
        let path = format!("{ALL}/{project}");
        assert_eq!(member.get(&path).await?.expect_error(403)?, not_authorized);
        assert_eq!(member.delete(&path).await?.expect_error(403)?, not_authorized);
        refused(&client, project).await?;
    }
    let field = member.get(&format!("{ALL}/None?fields=id")).await?.expect_error(400)?;
    assert_eq!(field, ("BadRequest".to_owned(), "Bad auto_allocate request: Unrecognized field.".to_owned()));
    let body = json!({"auto_allocated_topology": {}});
    member.get(ALL).await?.expect(405)?;
    member.post(ALL, &body).await?.expect(405)?;
    member.put(&format!("{ALL}/None"), &body).await?.expect(405)?;
    // It is not whole without routers.
    client.get("/v2.0/extensions/auto-allocated-topology").await?.expect(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_external_network_is_the_default() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let first = external(&client, true).await?;
    let exists = (
        "DefaultExternalNetworkExists".to_owned(),
        format!("A default external network already exists: {first}."),
    );
    let another = json!({"network": {"router:external": true, "is_default": true}});
    assert_eq!(client.post("/v2.0/networks", &another).await?.expect_error(409)?, exists);
    let second = external(&client, false).await?;
    let put = async |id: &str, changes: Value| {
        client.put(&format!("/v2.0/networks/{id}"), &json!({ "network": changes })).await
    };
    let default = json!({"is_default": true});
    assert_eq!(put(&second, default.clone()).await?.expect_error(409)?, exists);
    put(&first, default.clone()).await?.expect(200)?;
    let found = list(&client, "/v2.0/networks?is_default=true&fields=id").await?;
    assert_eq!(found, [json!({"id": first})]);

    // One that leads nowhere is none.
    let inside = text(&create(&client, "network", json!({"is_default": true})).await?, "/id")?;
    assert_eq!(put(&inside, default.clone()).await?.expect(200)?["network"]["is_default"], false);
    put(&first, json!({"router:external": false})).await?.expect(200)?;
    let shown = client.get(&format!("/v2.0/networks/{first}")).await?.expect(200)?;
    assert_eq!(shown["network"]["is_default"], false);
    assert_eq!(put(&second, default.clone()).await?.expect(200)?["network"]["is_default"], true);
    let both = json!({"router:external": true, "is_default": true});
    put(&first, both).await?.expect_error(409)?;
    put(&second, json!({"is_default": false})).await?.expect(200)?;
    client.delete(&format!("/v2.0/networks/{second}")).await?.expect(204)?;
    external(&client, true).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_choose_the_default() -> Result {
    let server = world::sqlite().await?;
    let member = server.client().member_of(OWN)?;
    let ask = |is_default: Value| json!({"network": {"is_default": is_default}});
    assert_eq!(
        member.post("/v2.0/networks", &ask(json!(true))).await?.expect_error(403)?.1,
        "(rule:create_network and rule:create_network:is_default) is disallowed by policy"
    );
    let made = member.post("/v2.0/networks", &ask(json!(false))).await?.expect(201)?;
    let path = format!("/v2.0/networks/{}", text(&made, "/network/id")?);
    member.put(&path, &ask(json!(true))).await?.expect_error(403)?;
    for wrong in [Value::Null, json!("maybe")] {
        let (_, message) = member.post("/v2.0/networks", &ask(wrong)).await?.expect_error(400)?;
        assert!(message.contains("cannot be converted to boolean"), "{message}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_choose_at_once_one_does() -> Result {
    for server in [Some(world::sqlite().await?), world::postgres().await?].into_iter().flatten() {
        let client = server.client();
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let client = client.clone();
            tasks.spawn(async move {
                let body = json!({"network": {"router:external": true, "is_default": true}});
                Ok(client.post("/v2.0/networks", &body).await?.status) as Result<u16>
            });
        }
        let mut made = 0;
        while let Some(answer) = tasks.join_next().await {
            match answer.unwrap()? {
                201 => made += 1,
                status => assert_eq!(status, 409),
            }
        }
        assert_eq!(made, 1);
        assert_eq!(list(&client, "/v2.0/networks?is_default=true").await?.len(), 1);
    }
    Ok(())
}
