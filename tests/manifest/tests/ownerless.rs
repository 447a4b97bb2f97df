//! Rows that are nobody's, of a collection whose rows are called as it is.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::Result;
use hadron_tests_manifest::{at, make, server};
use serde_json::{Value, json};

const DEER: &str = "/v2.0/deer";

#[tokio::test]
async fn one_and_several_may_be_called_the_same() -> Result {
    let server = server().await?;
    let client = server.client();
    let one = make(&client, DEER, "deer", json!({"name": "one"})).await?;
    let both = json!({"deer": [{"name": "two"}, {"deer": {"name": "three"}}]});
    let made = client.post(DEER, &both).await?.expect(201)?;
    assert_eq!(made["deer"].as_array().map(Vec::len), Some(2));
    let shown = client.get(&at(DEER, &one)).await?.expect(200)?;
    assert_eq!(shown["deer"]["name"], "one");
    let changed = client.put(&at(DEER, &one), &json!({"deer": {"name": "eins"}})).await?.expect(200)?;
    assert_eq!(changed["deer"]["name"], "eins");
    let all = client.get(DEER).await?.expect(200)?;
    assert_eq!(all["deer"].as_array().map(Vec::len), Some(3));
    for (body, message) in [
        (json!({"deer": []}), "Resources required"),
        (json!({"deer": null}), "Unable to find 'deer' in request body"),
        (json!({"deer": "x"}), "Object 'deer' contains invalid data"),
        (json!({"deer": {"age": 1}}), "Unrecognized attribute(s) 'age'"),
    ] {
        assert_eq!(client.post(DEER, &body).await?.expect_error(400)?.1, message);
    }
    Ok(())
}

#[tokio::test]
async fn administrators_make_what_is_nobodys() -> Result {
    let server = server().await?;
    let (admin, member) = (server.client(), server.client().member_of("one")?);
    let wild = make(&admin, DEER, "deer", json!({"name": "wild", "project_id": null})).await?;
    for name in ["project_id", "tenant_id"] {
        assert_eq!(wild.get(name), Some(&Value::Null));
    }
    let shown = admin.get(&at(DEER, &wild)).await?.expect(200)?;
    assert_eq!(shown["deer"], wild);
    let own = make(&admin, DEER, "deer", json!({"name": "own"})).await?;
    assert!(own["project_id"].is_string());

    let body = json!({"deer": {"project_id": null}});
    let refused = member.post(DEER, &body).await?.expect_error(400)?.1;
    assert!(refused.starts_with("Specifying 'project_id' other than the authenticated project"), "{refused}");
    member.get(&at(DEER, &wild)).await?.expect_error(404)?;
    member.delete(&at(DEER, &wild)).await?.expect_error(404)?;
    let elsewhere = json!({"reader": {"name": "x", "project_id": null}});
    let refused = admin.post("/v2.0/readers", &elsewhere).await?.expect_error(400)?.1;
    assert_eq!(refused, "Invalid input for project_id. Reason: 'None' is not a valid string.");
    admin.delete(&at(DEER, &wild)).await?.expect(204)?;
    Ok(())
}
