//! Attributes that a plugin adds to another's rows: asked about only when they
//! are given, set at other times, computed.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::Result;
use hadron_tests_manifest::{SHELVES, at, make, server};
use serde_json::{Value, json};

#[tokio::test]
async fn an_extender_is_asked_when_its_attributes_are_given() -> Result {
    let server = server().await?;
    let client = server.client();
    let shelf = make(&client, SHELVES, "shelf", json!({})).await?;
    let books = format!("{}/books", at(SHELVES, &shelf));
    let colour = |row: &Value| (row["binder:colour"].clone(), row["binder:asked"].clone());
    let bulk = json!({"books": [{"name": "plain"}, {"name": "red", "binder:colour": "red"}]});
    let made = client.post(&books, &bulk).await?.expect(201)?;
    assert_eq!(colour(&made["books"][0]), (Value::Null, json!(false)));
    assert_eq!(colour(&made["books"][1]), (json!("red"), json!(true)));

    let plain = at(&books, &made["books"][0]);
    let put =
        async |body: Value| Ok(client.put(&plain, &json!({"book": body})).await?.expect(200)?["book"].take());
    let same: Result<Value> = put(json!({"name": "x", "binder:colour": null})).await;
    let same = same?;
    assert_eq!((colour(&same), &same["name"]), ((Value::Null, json!(false)), &json!("x")));
    let blue: Result<Value> = put(json!({"binder:colour": "blue"})).await;
    assert_eq!(colour(&blue?), (json!("blue"), json!(true)));

    let found = client.get(&format!("{books}?binder:colour=blue")).await?.expect(200)?;
    assert_eq!(found["books"].as_array().map(Vec::len), Some(1));
    let librarian = client.clone().header("x-roles", "librarian,member,reader")?;
    let asked = json!({"book": {"binder:colour": "gold"}});
    let (_, message) = librarian.post(&books, &asked).await?.expect_error(403)?;
    assert!(message.contains("rule:create_shelf_book:binder:colour"), "{message}");
    Ok(())
}

#[tokio::test]
async fn its_attributes_are_set_later_and_computed_where_they_are_set() -> Result {
    let server = server().await?;
    let client = server.client();
    let shelf = make(&client, SHELVES, "shelf", json!({})).await?;
    let books = format!("{}/books", at(SHELVES, &shelf));
    let book = make(&client, &books, "book", json!({"name": "b"})).await?;
    make(&client, &books, "book", json!({"name": "c"})).await?;
    assert_eq!((&book["binder:page"], book.get("binder:more")), (&Value::Null, None));

    let green = json!({"colour": "green", "book_id": book["id"]});
    let binding = make(&client, "/v2.0/bindings", "binding", green).await?;
    client.put(&format!("{}/paint", at("/v2.0/bindings", &binding)), &json!({})).await?.expect(200)?;
    let now = client.get(&at(&books, &book)).await?.expect(200)?["book"].take();
    assert_eq!((&now["binder:colour"], &now["binder:asked"]), (&json!("green"), &json!(false)));
    assert_eq!(now["revision_number"], 1);
    assert_eq!((&now["binder:page"], &now["binder:more"]), (&json!(1), &json!(1)));
    let path = format!("/v2.0/heards?about={}", book["id"].as_str().unwrap());
    let said = client.get(&path).await?.expect(200)?;
    assert!(said["heards"].to_string().contains("updated library_books binder:colour"), "{said}");

    let all = client.get(&format!("{books}?sort_key=name&sort_dir=asc")).await?.expect(200)?;
    assert_eq!((&all["books"][0]["binder:page"], &all["books"][1]["binder:page"]), (&json!(1), &Value::Null));
    assert_eq!(all["books"][1].get("binder:more"), None);
    let some = client.get(&format!("{books}?fields=name&sort_key=name&sort_dir=asc")).await?.expect(200)?;
    assert_eq!(some["books"][0], json!({"name": "b"}));

    let lost = json!({"colour": "red", "book_id": null});
    let lost = make(&client, "/v2.0/bindings", "binding", lost).await?;
    client.put(&format!("{}/paint", at("/v2.0/bindings", &lost)), &json!({})).await?.expect(404)?;
    Ok(())
}
