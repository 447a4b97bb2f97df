//! Rows of a collection under another URL and other names.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::Result;
use hadron_tests_manifest::{SHELVES, at, make, server, text};
use serde_json::json;

const LABELS: &str = "/v2.0/shelf-labels";
const TITLES: &str = "/v2.0/book-titles";

#[tokio::test]
async fn a_view_shows_rows_under_its_own_names() -> Result {
    let server = server().await?;
    let client = server.client();
    let shelf = make(&client, SHELVES, "shelf", json!({"name": "poems", "project_id": "p1"})).await?;
    let other = make(&client, SHELVES, "shelf", json!({"name": "plays", "project_id": "p2"})).await?;
    client.put(&format!("{}/tags", at(SHELVES, &shelf)), &json!({"tags": ["red"]})).await?.expect(200)?;
    let label = json!({
        "shelf_id": shelf["id"], "words": "poems", "marks": ["red"], "letters": 5,
        "project_id": "p1", "tenant_id": "p1",
    });
    let own = at(LABELS, &shelf);
    assert_eq!(client.get(&own).await?.expect(200)?["shelf_label"], label);
    let member = client.clone().member_of("p1")?;
    assert_eq!(member.get(LABELS).await?.expect(200)?["shelf_labels"], json!([label]));
    member.get(&at(LABELS, &other)).await?.expect(404)?;
    for query in ["words=plays".to_owned(), format!("shelf_id={}", text(&other, "id"))] {
        let found =
            client.get(&format!("{LABELS}?{query}&fields=words&fields=letters")).await?.expect(200)?;
        assert_eq!(found["shelf_labels"], json!([{"words": "plays", "letters": 5}]), "{query}");
    }
    for (query, words) in [
        ("at_least=6", vec![]),
        ("at_least=5", vec!["poems", "plays"]),
        ("at_least=9&at_least=1&words=plays", vec!["plays"]),
    ] {
        let found = client.get(&format!("{LABELS}?{query}&fields=words")).await?.expect(200)?;
        let mut words: Vec<_> = words.iter().map(|words| json!({ "words": words })).collect();
        let mut found = found["shelf_labels"].as_array().cloned().unwrap_or_default();
        words.sort_by_key(ToString::to_string);
        found.sort_by_key(ToString::to_string);
        assert_eq!(found, words, "{query}");
    }
    // A page of which nothing fits still says where the next one begins.
    let page = client.get(&format!("{LABELS}?at_least=6&limit=1")).await?.expect(200)?;
    assert_eq!((&page["shelf_labels"], &page["shelf_labels_links"][0]["rel"]), (&json!([]), &json!("next")));
    assert_eq!(client.get(&format!("{LABELS}?at_least=x")).await?.status, 400);
    let sorted = client.get(&format!("{LABELS}?sort_key=words&sort_dir=asc&limit=1")).await?.expect(200)?;
    assert_eq!(sorted["shelf_labels"][0]["words"], "plays");

    client.post(LABELS, &json!({"shelf_label": {"words": "x"}})).await?.expect(405)?;
    client.put(&own, &json!({"shelf_label": {"words": "x"}})).await?.expect(405)?;
    client.delete(&own).await?.expect(405)?;
    let step = json!({"operations": [{"op": "delete", "collection": "shelf-labels", "id": shelf["id"]}]});
    client.post("/v2.0/batch", &step).await?.expect(400)?;
    Ok(())
}

#[tokio::test]
async fn a_view_that_writes_changes_the_rows_it_is_of() -> Result {
    let server = server().await?;
    let client = server.client();
    let shelf = make(&client, SHELVES, "shelf", json!({"project_id": "p1"})).await?;
    let books = format!("{}/books", at(SHELVES, &shelf));
    let book = make(&client, &books, "book", json!({"name": "b", "project_id": "p1"})).await?;
    let own = at(TITLES, &book);
    let title = client.get(&own).await?.expect(200)?["book_title"].take();
    assert_eq!((&title["title"], &title["on"]), (&json!("b"), &shelf["id"]));
    let one = client.clone().member_of("p1")?;
    let put = one.put(&own, &json!({"book_title": {"title": "c"}})).await?.expect(200)?;
    assert_eq!(
        (&put["book_title"]["title"], &put["book_title"]["revision_number"]),
        (&json!("c"), &json!(1))
    );
    assert_eq!(client.get(&at(&books, &book)).await?.expect(200)?["book"]["name"], "c");
    let two = client.clone().member_of("p2")?;
    two.get(&own).await?.expect(404)?;
    two.put(&own, &json!({"book_title": {"title": "d"}})).await?.expect(404)?;
    client.put(&own, &json!({"book_title": {"name": "d"}})).await?.expect(400)?;
    one.delete(&own).await?.expect(204)?;
    client.get(&at(&books, &book)).await?.expect(404)?;
    Ok(())
}
