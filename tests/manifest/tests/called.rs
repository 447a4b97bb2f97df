//! A collection is called in URLs, bodies and rules what its manifest says.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::Result;
use hadron_tests_manifest::{SHELVES, at, make, server};
use serde_json::{Value, json};

#[tokio::test]
async fn urls_bodies_and_rules_have_its_words() -> Result {
    let server = server().await?;
    let client = server.client();
    let shelf = make(&client, SHELVES, "shelf", json!({"name": "s"})).await?;
    let (own, books) = (at(SHELVES, &shelf), format!("{}/books", at(SHELVES, &shelf)));
    assert_eq!(client.get(&own).await?.expect(200)?["shelf"]["name"], "s");
    let bulk = json!({"wooden_shelves": [{"name": "t"}, {"name": "u"}]});
    let made = client.post(SHELVES, &bulk).await?.expect(201)?;
    assert_eq!(made["wooden_shelves"].as_array().map(Vec::len), Some(2));
    let page = client.get(&format!("{SHELVES}?limit=1&sort_key=name&sort_dir=asc")).await?.expect(200)?;
    assert_eq!(
        (&page["wooden_shelves"][0]["name"], page["wooden_shelves_links"].is_array()),
        (&json!("s"), true)
    );
    for other in ["/v2.0/library/library-shelves", "/v2.0/library/library_shelves", "/v2.0/wooden_shelves"] {
        client.get(other).await?.expect(404)?;
    }
    let (kind, message) = client.get(&format!("{SHELVES}/nosuch")).await?.expect_error(404)?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("LibraryShelfNotFound", "Library shelf nosuch could not be found.")
    );

    let member = client.clone().member_of("p1")?;
    let (_, message) = member.post(SHELVES, &json!({"shelf": {}})).await?.expect_error(403)?;
    assert!(message.contains("rule:create_shelf "), "{message}");
    let mine = json!({"shelf": {"project_id": "p1"}});
    let mine = client.post(SHELVES, &mine).await?.expect(201)?["shelf"].take();
    let theirs = format!("{}/books", at(SHELVES, &mine));
    let (_, message) = member.post(&theirs, &json!({"book": {}})).await?.expect_error(403)?;
    assert!(message.contains("rule:create_shelf_book "), "{message}");
    let librarian =
        server.client().header("x-project-id", "p1")?.header("x-roles", "librarian,member,reader")?;
    make(&librarian, &theirs, "book", json!({"name": "b"})).await?;
    make(&client, &books, "book", json!({"name": "c"})).await?;
    assert_eq!(client.get(&books).await?.expect(200)?["books"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn tags_batches_watches_and_openapi_find_it() -> Result {
    let server = server().await?;
    let client = server.client();
    let shelf = make(&client, SHELVES, "shelf", json!({"name": "s"})).await?;
    let tags = json!({"tags": ["red"]});
    client.put(&format!("{}/tags", at(SHELVES, &shelf)), &tags).await?.expect(200)?;
    let short = format!("{}/tags", at("/v2.0/wooden_shelves", &shelf));
    assert_eq!(client.get(&short).await?.expect(200)?, tags);
    let batch = json!({"operations": [
        {"op": "create", "collection": "library/wooden_shelves", "name": "s", "body": {"name": "x"}},
        {"op": "create", "collection": "library/wooden_shelves/books", "parent": {"$ref": "s.id"}, "body": {"name": "y"}},
    ]});
    let done = client.post("/v2.0/batch", &batch).await?.expect(200)?;
    assert_eq!(done["results"][1]["body"]["book"]["name"], "y");
    client.get("/v2.0/watch?collections=wooden_shelves").await?.expect(400)?;

    let document = client.get("/openapi.json").await?.expect(200)?;
    let list = &document["paths"][SHELVES]["get"];
    assert_eq!(
        (&list["operationId"], &list["x-hadron-policy"]),
        (&json!("list_library_shelves"), &json!("get_shelf"))
    );
    let ids: Vec<&Value> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .filter_map(|operation| operation.get("operationId"))
        .collect();
    let mut unique = ids.clone();
    unique.sort_by_key(|id| id.to_string());
    unique.dedup();
    assert_eq!(ids.len(), unique.len());
    Ok(())
}
