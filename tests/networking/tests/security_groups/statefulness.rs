//! Whether groups keep state where nobody says so.

use super::{ALICE, GROUPS, default_group, group, world};
use hadron_networking_tests::world::text;
use hadron_sdk_testing::{Error, Result};
use serde_json::{Value, json};

/// What a setting of statefulness is called, one and all.
const SETTING: &str = "security_groups_default_statefulness";
const SETTINGS: &str = "/v2.0/security-groups-default-statefulness";

#[tokio::test(flavor = "multi_thread")]
async fn groups_keep_state_as_the_project_or_the_cloud_says() -> Result {
    let (server, alice, bob) = world().await?;
    let admin = server.client();
    let set = async |document: Value| {
        let body = admin.post(SETTINGS, &json!({ SETTING: document })).await?.expect(201)?;
        Ok::<_, Error>(body[SETTING].clone())
    };
    assert_eq!(group(&alice, "before").await?["stateful"], true);
    let of_all = set(json!({"stateful": false, "project_id": null})).await?;
    assert_eq!(of_all, json!({"id": of_all["id"], "project_id": null, "tenant_id": null, "stateful": false}));
    assert_eq!(group(&alice, "after").await?["stateful"], false);
    // The default group of a project that is new, too.
    assert_eq!(default_group(&bob).await?["stateful"], false);
    let own = set(json!({"project_id": ALICE})).await?;
    assert_eq!((&own["stateful"], &own["project_id"]), (&json!(true), &json!(ALICE)));
    assert_eq!(group(&alice, "own").await?["stateful"], true);
    assert_eq!(group(&bob, "others").await?["stateful"], false);
    let said = json!({"security_group": {"name": "said", "stateful": true}});
    assert_eq!(bob.post(GROUPS, &said).await?.expect(201)?["security_group"]["stateful"], true);

    let at = format!("{SETTINGS}/{}", text(&own, "/id")?);
    let changed = admin.put(&at, &json!({ SETTING: {"stateful": "no"} })).await?.expect(200)?;
    assert_eq!(changed[SETTING]["stateful"], false);
    assert_eq!(group(&alice, "changed").await?["stateful"], false);
    // Members see their own setting and change none.
    let seen = alice.get(SETTINGS).await?.expect(200)?;
    assert_eq!(seen[SETTING].as_array().map(Vec::len), Some(1), "{seen}");
    assert_eq!(seen[SETTING][0]["id"], own["id"]);
    assert_eq!(
        alice.put(&at, &json!({ SETTING: {"stateful": true} })).await?.expect_error(403)?.0,
        "PolicyNotAuthorized"
    );
    alice.delete(&at).await?.expect_error(403)?;
    alice.post(SETTINGS, &json!({ SETTING: {"stateful": true} })).await?.expect_error(403)?;
    alice.get(&format!("{SETTINGS}/{}", text(&of_all, "/id")?)).await?.expect_error(404)?;

    admin.delete(&at).await?.expect(204)?;
    admin.delete(&format!("{SETTINGS}/{}", text(&of_all, "/id")?)).await?.expect(204)?;
    assert_eq!(group(&alice, "at last").await?["stateful"], true);
    let (kind, message) = admin.get(&at).await?.expect_error(404)?;
    assert_eq!(kind, "SecurityGroupDefaultStatefulnessNotFound");
    assert_eq!(
        message,
        format!("Security group default statefulness {} could not be found.", text(&own, "/id")?)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_setting_a_project_and_one_of_all() -> Result {
    let (server, alice, _) = world().await?;
    let admin = server.client();
    let ask = async |document: Value| admin.post(SETTINGS, &json!({ SETTING: document })).await;
    for (project, called) in [(json!(null), "system-wide"), (json!(ALICE), ALICE)] {
        ask(json!({"stateful": false, "project_id": project})).await?.expect(201)?;
        let (kind, message) =
            ask(json!({"stateful": true, "project_id": project})).await?.expect_error(409)?;
        assert_eq!(kind, "SecurityGroupDefaultStatefulnessAlreadyExists");
        assert_eq!(
            message,
            format!("A security group default statefulness setting already exists for project '{called}'.")
        );
    }
    for (document, message) in [
        (json!({"stateful": "x"}), "Invalid input for operation: 'x' cannot be converted to boolean."),
        (json!({"stateful": null}), "Invalid input for operation: 'None' cannot be converted to boolean."),
        (json!({"name": "x"}), "Unrecognized attribute(s) 'name'"),
        (json!({"project_id": 5}), "Invalid input for project_id. Reason: '5' is not a valid string."),
        (json!({"project_id": "a", "tenant_id": "b"}), "'project_id' and 'tenant_id' do not match"),
        (json!(5), "Object 'security_groups_default_statefulness' contains invalid data"),
        (json!(null), "Unable to find 'security_groups_default_statefulness' in request body"),
    ] {
        assert_eq!(ask(document.clone()).await?.expect_error(400)?.1, message, "{document}");
    }
    let nobodys = json!({ SETTING: {"stateful": false, "project_id": null} });
    assert_eq!(
        alice.post(SETTINGS, &nobodys).await?.expect_error(400)?.1,
        "Specifying 'project_id' other than the authenticated project in request is not allowed for the current user."
    );
    let all = admin.get(SETTINGS).await?.expect(200)?;
    assert_eq!(all[SETTING].as_array().map(Vec::len), Some(2));
    let found = admin.get(&format!("{SETTINGS}?project_id={ALICE}&stateful=false")).await?.expect(200)?;
    assert_eq!(found[SETTING].as_array().map(Vec::len), Some(1));
    let advertised = admin.get("/v2.0/extensions/security-groups-default-statefulness").await?.expect(200)?;
    assert_eq!(advertised["extension"]["name"], "Security Groups Default Statefulness");
    Ok(())
}
