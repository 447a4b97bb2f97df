//! A row shows the rows that refer to it as they show themselves.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::Result;
use hadron_tests_manifest::{SHELVES, at, make, server};
use serde_json::json;

#[tokio::test]
async fn a_shelf_shows_its_books() -> Result {
    let server = server().await?;
    let client = server.client();
    let shelf = make(&client, SHELVES, "shelf", json!({})).await?;
    assert_eq!(shelf["books"], json!([]));
    let own = at(SHELVES, &shelf);
    let books = format!("{own}/books");
    let book = make(&client, &books, "book", json!({"name": "b", "description": "d"})).await?;
    let before = client.get(&own).await?.expect(200)?["shelf"]["revision_number"].as_i64().unwrap();
    client.put(&format!("{}/tags", at(&books, &book)), &json!({"tags": ["red"]})).await?.expect(200)?;
    let mut book = client.get(&at(&books, &book)).await?.expect(200)?["book"].take();
    // What is computed is asked for where a row is shown itself.
    book.as_object_mut().unwrap().remove("binder:page");
    let now = client.get(&own).await?.expect(200)?["shelf"].take();
    assert_eq!(now["books"], json!([book]));
    assert_eq!(book["tags"], json!(["red"]));
    assert_eq!(now["revision_number"], before + 1, "one of its books changed");
    let listed = client.get(&format!("{SHELVES}?fields=books")).await?.expect(200)?;
    assert_eq!(listed["wooden_shelves"], json!([{"books": [book]}]));
    Ok(())
}
