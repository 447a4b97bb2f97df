//! A reference says what a deletion is answered that it does not allow, also to
//! the row of another plugin.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::Result;
use hadron_tests_manifest::{SHELVES, at, make, server, text};
use serde_json::json;

#[tokio::test]
async fn what_refers_says_why_a_row_must_stay() -> Result {
    let server = server().await?;
    let client = server.client();
    let shelf = make(&client, SHELVES, "shelf", json!({})).await?;
    let books = format!("{}/books", at(SHELVES, &shelf));
    let book = make(&client, &books, "book", json!({})).await?;
    let red = json!({"colour": "red", "book_id": book["id"]});
    let binding = make(&client, "/v2.0/bindings", "binding", red).await?;

    let (kind, message) = client.delete(&at(&books, &book)).await?.expect_error(409)?;
    let (book_id, binding_id) = (text(&book, "id"), text(&binding, "id"));
    assert_eq!(
        (kind.as_str(), message),
        ("BookBound", format!("Book {book_id} is bound in red by {binding_id}."))
    );
    let (kind, _) = client.delete(&at(SHELVES, &shelf)).await?.expect_error(409)?;
    assert_eq!(kind, "LibraryInUse", "the owner says so of references that say nothing");

    let show = json!({"shelf": {"binder:sample_id": binding_id}});
    client.put(&at(SHELVES, &shelf), &show).await?.expect(200)?;
    let found = client.get(&format!("{SHELVES}?binder:sample_id={binding_id}")).await?.expect(200)?;
    assert_eq!(found["wooden_shelves"][0]["id"], shelf["id"]);
    let own = at("/v2.0/bindings", &binding);
    let (kind, message) = client.delete(&own).await?.expect_error(409)?;
    let expected = format!("Binding {binding_id} is shown on shelf {}.", text(&shelf, "id"));
    assert_eq!((kind.as_str(), message), ("BindingShown", expected));

    client.put(&at(SHELVES, &shelf), &json!({"shelf": {"binder:sample_id": null}})).await?.expect(200)?;
    client.delete(&own).await?.expect(204)?;
    client.delete(&at(&books, &book)).await?.expect(204)?;
    client.delete(&at(SHELVES, &shelf)).await?.expect(204)?;
    Ok(())
}
