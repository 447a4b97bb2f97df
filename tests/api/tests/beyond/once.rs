//! `Idempotency-Key`: what comes twice is done once.

use hadron_api_tests::world::{builder, list, network, postgres, sqlite};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};

fn keyed(client: &Client, key: &str) -> Result<Client> {
    client.clone().header("idempotency-key", key)
}

fn body(name: &str) -> Value {
    json!({"network": {"name": name}})
}

async fn the_same_answer_twice(server: Server) -> Result {
    let client = server.client();
    let one = keyed(&client, "k-1")?;
    let first = one.post("/v2.0/networks", &body("a")).await?;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let first = first.expect(201)?;
    let second = one.post("/v2.0/networks", &body("a")).await?;
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(second.headers["content-type"], "application/json");
    assert_eq!(second.expect(201)?, first);
    assert_eq!(list(&client, "/v2.0/networks").await?.len(), 1);

    let (kind, _) = one.post("/v2.0/networks", &body("b")).await?.expect_error(422)?;
    assert_eq!(kind, "IdempotencyKeyReused");
    one.post("/v2.0/networks?dry_run=true", &body("a")).await?.expect(422)?;
    // Keys belong to a project and a user.
    let others = keyed(&client.clone().header("x-user-id", "other")?, "k-1")?;
    others.post("/v2.0/networks", &body("b")).await?.expect(201)?;
    let others = keyed(&client.clone().header("x-project-id", "other")?, "k-1")?;
    others.post("/v2.0/networks", &body("b")).await?.expect(201)?;

    // What was refused is tried anew, and a dry run keeps no answer.
    let two = keyed(&client, "k-2")?;
    two.post("/v2.0/networks", &json!({"network": {"nosuch": 1}})).await?.expect(400)?;
    two.post("/v2.0/networks?dry_run=true", &body("c")).await?.expect(201)?;
    two.post("/v2.0/networks", &body("c")).await?.expect(201)?;

    // A deletion that comes again is not a 404.
    let path = format!("/v2.0/networks/{}", network(&client, "d").await?);
    keyed(&client, "k-3")?.delete(&path).await?.expect(204)?;
    keyed(&client, "k-3")?.delete(&path).await?.expect(204)?;
    keyed(&client, "")?.post("/v2.0/networks", &body("e")).await?.expect(400)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answer_twice_on_sqlite() -> Result {
    the_same_answer_twice(sqlite().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answer_twice_on_postgres() -> Result {
    match postgres().await? {
        Some(server) => the_same_answer_twice(server).await,
        None => Ok(()),
    }
}

/// Two servers on one database, sixteen clients, one key.
#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_at_once_one_is_done() -> Result {
    let Some(postgres) = hadron_test_support::shared() else { return Ok(()) };
    let database = postgres.fresh_database().await;
    let servers =
        [builder().database(&database).start().await?, builder().database(&database).start().await?];
    for round in 0..5 {
        let name = format!("n{round}");
        let tasks: Vec<_> = (0..16)
            .map(|number| {
                let client = keyed(&servers[number % 2].client(), &name);
                let body = body(&name);
                tokio::spawn(async move { client?.post("/v2.0/networks", &body).await })
            })
            .collect();
        let mut done = Vec::new();
        for task in tasks {
            let answer = task.await.expect("a client panicked")?;
            match answer.status {
                409 => assert_eq!(answer.expect_error(409)?.0, "IdempotencyKeyInUse"),
                _ => done.push(answer.expect(201)?),
            }
        }
        assert!(!done.is_empty());
        assert!(done.iter().all(|body| *body == done[0]), "{done:?}");
        let client = servers[round % 2].client();
        assert_eq!(list(&client, &format!("/v2.0/networks?name={name}")).await?.len(), 1);
    }
    Ok(())
}

/// The server dies before and after the commit; the client, which was not
/// answered, asks again.
#[tokio::test(flavor = "multi_thread")]
async fn done_once_whenever_the_server_dies() -> Result {
    for (instant, survives) in [("before-commit", false), ("after-commit", true)] {
        let mut server = builder().start().await?;
        server.set_environment("HADRON_TEST_FAILPOINT", Some(&format!("{instant}:30")));
        server.restart().await?;
        let mut number = 0;
        while keyed(&server.client(), &format!("k{number}"))?.post("/v2.0/networks", &body("c")).await.is_ok()
        {
            number += 1;
            assert!(number < 30, "the server did not die");
        }
        server.set_environment("HADRON_TEST_FAILPOINT", None);
        server.restart().await?;
        let asked = keyed(&server.client(), &format!("k{number}"))?;
        let again = asked.post("/v2.0/networks", &body("c")).await?;
        assert_eq!(again.headers.contains_key("idempotency-replayed"), survives, "{instant}");
        let id = again.expect(201)?["network"]["id"].clone();
        let there = list(&server.client(), "/v2.0/networks").await?;
        assert_eq!(there.len(), number + 1, "{instant}");
        assert!(there.iter().any(|network| network["id"] == id), "{instant}");
    }
    Ok(())
}
