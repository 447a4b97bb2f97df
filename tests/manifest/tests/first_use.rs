//! What every project has is made before its first look.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::{Client, Result};
use hadron_tests_manifest::{make, server};
use serde_json::{Value, json};

async fn readers(client: &Client) -> Result<Vec<Value>> {
    Ok(client.get("/v2.0/readers").await?.expect(200)?["readers"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn a_projects_first_look_makes_what_it_has() -> Result {
    let server = server().await?;
    let (one, two) = (server.client().member_of("one")?, server.client().member_of("two")?);
    let looks = tokio::join!(readers(&one), readers(&one), readers(&one));
    for look in [looks.0?, looks.1?, looks.2?] {
        assert_eq!(
            (look.len(), &look[0]["name"], &look[0]["project_id"]),
            (1, &json!("anybody"), &json!("one"))
        );
    }
    let own = readers(&two).await?;
    assert_eq!(own.len(), 1, "each project has its own");
    one.get("/v2.0/readers/nosuch").await?.expect(404)?;

    let path = format!("/v2.0/readers/{}", own[0]["id"].as_str().unwrap());
    two.delete(&path).await?.expect(204)?;
    assert_eq!(readers(&two).await?.len(), 0, "once in the life of a server");
    make(&two, "/v2.0/readers", "reader", json!({"name": "mine"})).await?;
    assert_eq!(readers(&two).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_show_is_a_look_too() -> Result {
    let server = server().await?;
    let member = server.client().member_of("p")?;
    member.get("/v2.0/readers/nosuch").await?.expect(404)?;
    let all = server.client().get("/v2.0/readers?project_id=p").await?.expect(200)?;
    assert_eq!(all["readers"][0]["name"], "anybody");
    Ok(())
}

#[tokio::test]
async fn a_list_of_one_project_is_a_look_for_it_where_an_administrator_asks() -> Result {
    let server = server().await?;
    let admin = server.client();
    let one = server.client().member_of("one")?;
    let found = async |client: &Client, filter: &str| {
        let body = client.get(&format!("/v2.0/readers?{filter}")).await?.expect(200)?;
        Ok::<_, hadron_sdk_testing::Error>(body["readers"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(found(&one, "project_id=two").await?, 0);
    let all = admin.get("/v2.0/readers").await?.expect(200)?;
    let owners = |body: &Value| body["readers"].as_array().map_or(0, |rows| rows.len());
    assert!(!all.to_string().contains("\"two\""), "{all}");
    let before = owners(&all);
    for filter in ["project_id=two", "tenant_id=three", "project_id=two"] {
        assert_eq!(found(&admin, filter).await?, 1, "{filter}");
    }
    assert_eq!(owners(&admin.get("/v2.0/readers").await?.expect(200)?), before + 2);
    Ok(())
}
