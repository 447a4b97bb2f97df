//! Subscribers hear of rows that a plugin writes besides what it was asked for,
//! and of those that it was asked for once.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::{Client, Result};
use hadron_tests_manifest::{SHELVES, at, make, server, text};
use serde_json::{Value, json};

async fn heard(client: &Client, row: &Value) -> Result<Vec<String>> {
    let path = format!("/v2.0/heards?about={}", text(row, "id"));
    let rows = client.get(&path).await?.expect(200)?;
    let rows = rows["heards"].as_array().cloned().unwrap_or_default();
    let mut said: Vec<String> = rows.iter().map(|row| text(row, "said").to_owned()).collect();
    said.sort();
    Ok(said)
}

#[tokio::test]
async fn what_is_written_besides_is_told_and_what_was_asked_for_once() -> Result {
    let server = server().await?;
    let client = server.client();
    let shelf = make(&client, SHELVES, "shelf", json!({})).await?;
    assert_eq!(heard(&client, &shelf).await?, ["created library_shelves"], "though it was changed too");
    let books = format!("{}/books", at(SHELVES, &shelf));
    let book = make(&client, &books, "book", json!({"name": "b"})).await?;
    assert_eq!(heard(&client, &book).await?, ["created library_books"]);
    let noted =
        ["changing library_shelves newest", "created library_shelves", "updated library_shelves newest"];
    assert_eq!(heard(&client, &shelf).await?, noted);
    make(&client, &books, "book", json!({"name": "b"})).await?;
    assert_eq!(heard(&client, &shelf).await?, noted, "a change of nothing is none");
    client.put(&at(&books, &book), &json!({"book": {"name": "c"}})).await?.expect(200)?;
    let renamed = ["changing library_books name", "created library_books", "updated library_books name"];
    assert_eq!(heard(&client, &book).await?, renamed);

    let batch = json!({"operations": [
        {"op": "create", "collection": "library/wooden_shelves", "name": "s", "body": {}},
        {"op": "create", "collection": "library/wooden_shelves/books", "parent": {"$ref": "s.id"}, "body": {"name": "x"}},
    ]});
    let done = client.post("/v2.0/batch", &batch).await?.expect(200)?;
    assert_eq!(heard(&client, &done["results"][0]["body"]["shelf"]).await?, noted);
    let member = client.clone().member_of("p")?;
    let readers = member.get("/v2.0/readers").await?.expect(200)?;
    assert_eq!(heard(&client, &readers["readers"][0]).await?, ["created readers"]);
    Ok(())
}
