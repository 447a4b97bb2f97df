//! Policies: what can be agreed upon, and for how long.

use super::{NOBODY, OTHERS, OWN, ask, create, delete, made, path, put, scene, server, show};
use hadron_networking_tests::world::text;
use hadron_sdk_testing::Result;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_as_neutrons_unless_it_is_said() -> Result {
    let server = server().await?;
    let client = server.client();
    let lifetime = json!({"units": "seconds", "value": 3600});
    let ike = create(&client, "ikepolicy", json!({})).await?;
    let expected = json!({
        "id": ike["id"], "project_id": ike["project_id"], "tenant_id": ike["project_id"], "name": "",
        "description": "", "auth_algorithm": "sha1", "encryption_algorithm": "aes-128", "lifetime": lifetime,
        "pfs": "group5", "phase1_negotiation_mode": "main", "ike_version": "v1",
    });
    assert_eq!(ike, expected);
    assert_eq!(show(&client, "ikepolicy", &text(&ike, "/id")?).await?, expected);
    let ipsec = create(&client, "ipsecpolicy", json!({"name": "p", "lifetime": null})).await?;
    let expected = json!({
        "id": ipsec["id"], "project_id": ipsec["project_id"], "tenant_id": ipsec["project_id"], "name": "p",
        "description": "", "auth_algorithm": "sha1", "encryption_algorithm": "aes-128", "lifetime": lifetime,
        "pfs": "group5", "transform_protocol": "esp", "encapsulation_mode": "tunnel",
    });
    assert_eq!(ipsec, expected);

    let given = json!({
        "auth_algorithm": "aes-cmac", "encryption_algorithm": "aes-256-ctr", "pfs": "group31",
        "ike_version": "v2", "phase1_negotiation_mode": "aggressive",
    });
    let made = create(&client, "ikepolicy", given.clone()).await?;
    assert!(given.as_object().unwrap().iter().all(|(name, value)| made[name] == *value), "{made}");
    let given = json!({"transform_protocol": "ah", "encapsulation_mode": "transport"});
    let made = create(&client, "ipsecpolicy", given).await?;
    assert_eq!(
        (&made["transform_protocol"], &made["encapsulation_mode"]),
        (&json!("ah"), &json!("transport"))
    );
    let found =
        client.get(&path("ikepolicy", "?encryption_algorithm=aes-256-ctr").replace("/?", "?")).await?;
    assert_eq!(found.expect(200)?["ikepolicies"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_can_be_said_and_changed_in_parts() -> Result {
    let server = server().await?;
    let client = server.client();
    for member in ["ikepolicy", "ipsecpolicy"] {
        let id = made(&client, member, json!({"lifetime": {"value": "60"}})).await?;
        let lifetime =
            async || Ok::<_, hadron_sdk_testing::Error>(show(&client, member, &id).await?["lifetime"].take());
        assert_eq!(lifetime().await?, json!({"units": "seconds", "value": 60}));
        for nothing in [json!({}), json!(null), json!({"units": "seconds"})] {
            put(&client, member, &id, json!({ "lifetime": nothing })).await?.expect(200)?;
            assert_eq!(lifetime().await?["value"], 60, "{member}");
        }
        put(&client, member, &id, json!({"lifetime": {"value": 7200}})).await?.expect(200)?;
        assert_eq!(lifetime().await?, json!({"units": "seconds", "value": 7200}));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_agree_upon_is_refused() -> Result {
    let server = server().await?;
    let client = server.client();
    for member in ["ikepolicy", "ipsecpolicy"] {
        for (name, value, reason) in [
            ("lifetime", json!({"value": 59}), "'59' is too small - must be at least '60'"),
            ("lifetime", json!({"units": "kilobytes"}), "kilobytes is not in valid_values"),
            ("lifetime", json!({"hours": 1}), "Unexpected keys supplied: hours"),
            ("lifetime", json!(5), "'5' is not a dictionary"),
            ("auth_algorithm", json!("md5"), "md5 is not in valid_values"),
            ("encryption_algorithm", json!("des"), "des is not in valid_values"),
            ("pfs", json!("group1"), "group1 is not in valid_values"),
        ] {
            let (_, message) = ask(&client, member, json!({ name: value })).await?.expect_error(400)?;
            assert_eq!(message, format!("Invalid input for {name}. Reason: {reason}."), "{member}");
        }
    }
    for (member, name) in [
        ("ikepolicy", "ike_version"),
        ("ikepolicy", "phase1_negotiation_mode"),
        ("ipsecpolicy", "transform_protocol"),
        ("ipsecpolicy", "encapsulation_mode"),
    ] {
        ask(&client, member, json!({ name: "x" })).await?.expect_error(400)?;
    }
    for (member, kind) in [("ikepolicy", "IKEPolicy"), ("ipsecpolicy", "IPsecPolicy")] {
        let unknown = client.get(&path(member, NOBODY)).await?.expect_error(404)?;
        assert_eq!(unknown, (format!("{kind}NotFound"), format!("{kind} {NOBODY} could not be found")));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_of_connections_stay_as_they_are() -> Result {
    let (_server, scene) = scene().await?;
    let client = &scene.client;
    let service = scene.service(json!({})).await?;
    let connection = scene.grouped(&service).await?;
    let id = made(client, "ipsec_site_connection", connection.clone()).await?;
    for (member, name) in [("ikepolicy", "IKEPolicy"), ("ipsecpolicy", "IPsecPolicy")] {
        let policy = text(&connection, &format!("/{member}_id"))?;
        let message = format!(
            "{name} {policy} is in use by existing IPsecSiteConnection and can't be updated or deleted"
        );
        let expected = (format!("{name}InUse"), message);
        for changes in [json!({"name": "x"}), json!({"description": "x"})] {
            assert_eq!(put(client, member, &policy, changes).await?.expect_error(409)?, expected);
        }
        assert_eq!(delete(client, member, &policy).await?.expect_error(409)?, expected);
    }
    delete(client, "ipsec_site_connection", &id).await?.expect(204)?;
    for member in ["ikepolicy", "ipsecpolicy"] {
        let policy = text(&connection, &format!("/{member}_id"))?;
        put(client, member, &policy, json!({"name": "x"})).await?.expect(200)?;
        delete(client, member, &policy).await?.expect(204)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_have_their_own_policies() -> Result {
    let server = server().await?;
    let (own, others) = (server.client().member_of(OWN)?, server.client().member_of(OTHERS)?);
    for member in ["ikepolicy", "ipsecpolicy"] {
        let id = made(&own, member, json!({})).await?;
        others.get(&path(member, &id)).await?.expect_error(404)?;
        put(&others, member, &id, json!({"name": "x"})).await?.expect_error(404)?;
        delete(&others, member, &id).await?.expect_error(404)?;
        delete(&own, member, &id).await?.expect(204)?;
    }
    // A reader is no member: Neutron has no rule for it.
    let reader = server.client().header("x-project-id", OWN)?.header("x-roles", "reader")?;
    ask(&reader, "ikepolicy", json!({})).await?.expect_error(403)?;
    Ok(())
}
