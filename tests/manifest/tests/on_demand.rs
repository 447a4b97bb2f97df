//! Rows that their plugin finds, or makes, when a client asks for them.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::Result;
use hadron_tests_manifest::{server, text};
use serde_json::json;

const TICKETS: &str = "/v2.0/tickets";

#[tokio::test]
async fn a_row_is_made_when_it_is_first_asked_for() -> Result {
    let server = server().await?;
    let client = server.client();
    let one = client.clone().member_of("p1")?;
    let own = format!("{TICKETS}/ann");
    let made = one.get(&format!("{own}?fields=id&fields=b&c=d")).await?.expect(200)?;
    assert_eq!(made["ticket"]["asked"], json!({"fields": ["id", "b"], "c": "d"}));
    let id = text(&made["ticket"], "id").to_owned();
    assert_eq!(client.get(&own).await?.expect(200)?["ticket"]["id"], id);

    // What the plugin says counts for the rules.
    let other = client.clone().member_of("p2")?;
    other.get(&own).await?.expect(404)?;
    other.delete(&own).await?.expect(404)?;
    one.delete(&own).await?.expect(403)?;
    let librarian = client.clone().header("x-project-id", "p1")?.header("x-roles", "reader,librarian")?;
    librarian.delete(&own).await?.expect(204)?;
    assert_ne!(one.get(&own).await?.expect(200)?["ticket"]["id"], id);
    let (kind, _) = one.get(&format!("{TICKETS}/nobody")).await?.expect_error(409)?;
    assert_eq!(kind, "NoTicket");
    one.delete(&format!("{TICKETS}/nobody")).await?.expect_error(409)?;
    Ok(())
}

#[tokio::test]
async fn nothing_else_is_done_with_such_rows() -> Result {
    let server = server().await?;
    let client = server.client();
    let body = json!({"ticket": {}});
    client.get(TICKETS).await?.expect(405)?;
    client.post(TICKETS, &body).await?.expect(405)?;
    client.put(&format!("{TICKETS}/ann"), &body).await?.expect(405)?;
    let step = json!({"operations": [{"op": "update", "collection": "tickets", "id": "ann", "body": {}}]});
    client.post("/v2.0/batch", &step).await?.expect(400)?;
    let described = client.get("/openapi.json").await?.expect(200)?;
    let paths = described["paths"].as_object().unwrap();
    assert!(!paths.contains_key(TICKETS));
    let own: Vec<&String> = paths[&format!("{TICKETS}/{{ticket_id}}")].as_object().unwrap().keys().collect();
    assert!(["get", "delete"].iter().all(|verb| own.iter().any(|known| known == verb)), "{own:?}");
    assert!(!own.iter().any(|verb| *verb == "put"), "{own:?}");
    Ok(())
}
