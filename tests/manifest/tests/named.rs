//! Rows below a parent that an attribute names in URLs.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::Result;
use hadron_tests_manifest::{SHELVES, at, make, server, text};
use serde_json::json;

#[tokio::test]
async fn the_last_part_of_a_url_is_the_name_below_the_parent() -> Result {
    let server = server().await?;
    let client = server.client();
    let one = make(&client, SHELVES, "shelf", json!({"project_id": "p1"})).await?;
    let two = make(&client, SHELVES, "shelf", json!({"project_id": "p1"})).await?;
    let places = |shelf| format!("{}/places", at(SHELVES, shelf));
    for (shelf, state) in [(&one, "dusty"), (&two, "new")] {
        let made = make(
            &client,
            &places(shelf),
            "place",
            json!({"spot": "top left", "state": state, "project_id": "p1"}),
        )
        .await?;
        assert_eq!((&made["spot"], made.get("id"), made.get("shelf_id")), (&json!("top left"), None, None));
    }
    client.post(&places(&one), &json!({"place": {"spot": "top left"}})).await?.expect(409)?;
    let own = format!("{}/top%20left", places(&one));
    assert_eq!(client.get(&own).await?.expect(200)?["place"]["state"], "dusty");
    client.put(&format!("{own}/clean"), &json!({})).await?.expect(200)?;
    let shown = client.get(&format!("{own}?fields=state")).await?.expect(200)?;
    assert_eq!(shown["place"], json!({"state": "clean"}));
    client.put(&own, &json!({"place": {"state": "dusty"}})).await?.expect(200)?;
    client.put(&format!("{own}/tags/a"), &json!({})).await?.expect(201)?;
    assert_eq!(client.get(&format!("{own}/tags")).await?.expect(200)?["tags"], json!(["a"]));

    let (kind, message) = client.get(&format!("{}/below", places(&one))).await?.expect_error(404)?;
    let expected = format!("Shelf {} has no place below.", text(&one, "id"));
    assert_eq!((kind.as_str(), message), ("PlaceNotFound", expected));
    let stranger = client.clone().member_of("p2")?;
    stranger.delete(&own).await?.expect(404)?;
    client.delete(&own).await?.expect(204)?;
    client.delete(&own).await?.expect(404)?;
    let left = client.get(&places(&two)).await?.expect(200)?;
    assert_eq!(left["places"][0]["state"], "new", "of the same name, below another");
    Ok(())
}
