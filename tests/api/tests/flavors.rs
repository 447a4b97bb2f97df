//! Flavors, service profiles, and what puts the one to the other.

use hadron_api_tests::world::{builder, create, list, text};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

/// One provider, of VPNs.
const PROVIDERS: &str =
    "[plugin.service-providers.config]\nservice_provider = [\"VPN:strongswan:ipsec:default\"]\n";

async fn server() -> Result<Server> {
    builder().config(PROVIDERS).start().await
}

/// A flavor; its id.
async fn flavor(client: &Client) -> Result<String> {
    text(&create(client, "flavor", json!({"name": "gold", "service_type": "VPN"})).await?, "/id")
}

/// A profile; its id.
async fn profile(client: &Client) -> Result<String> {
    text(&create(client, "service_profile", json!({"driver": "ipsec"})).await?, "/id")
}

/// The ids of a flavor's profiles.
async fn profiles_of(client: &Client, flavor: &str) -> Result<Value> {
    let shown = client.get(&format!("/v2.0/flavors/{flavor}")).await?.expect(200)?;
    Ok(shown["flavor"]["service_profiles"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_put_to_flavors_and_taken_away() -> Result {
    let server = server().await?;
    let client = server.client();
    let made =
        create(&client, "flavor", json!({"name": "gold", "service_type": "VPN", "enabled": null})).await?;
    let id = text(&made, "/id")?;
    assert_eq!(
        made,
        json!({"id": id, "name": "gold", "description": "", "service_type": "VPN", "enabled": true,
            "service_profiles": []})
    );
    let made = create(&client, "service_profile", json!({"driver": "ipsec"})).await?;
    let profile = text(&made, "/id")?;
    assert_eq!(
        made,
        json!({"id": profile, "description": "", "driver": "ipsec", "enabled": true, "metainfo": ""})
    );
    let links = format!("/v2.0/flavors/{id}/service_profiles");
    let body = json!({"service_profile": {"id": profile}});
    let put = client.post(&links, &body).await?.expect(201)?;
    assert_eq!(put, json!({"service_profile": {"id": id}}));
    assert_eq!(profiles_of(&client, &id).await?, json!([profile]));
    let (kind, message) = client.post(&links, &body).await?.expect_error(409)?;
    assert_eq!(kind, "FlavorServiceProfileBindingExists");
    assert_eq!(message, format!("Service Profile {profile} is already associated with flavor {id}."));
    let one = format!("{links}/{profile}");
    assert_eq!(client.get(&one).await?.expect(200)?, json!({"service_profile": {}}));

    // What a flavor is made of stays as it is.
    let own = format!("/v2.0/service_profiles/{profile}");
    let change = json!({"service_profile": {"description": "d"}});
    assert_eq!(client.put(&own, &change).await?.expect_error(409)?.0, "ServiceProfileInUse");
    let (kind, message) = client.delete(&own).await?.expect_error(409)?;
    assert_eq!(kind, "ServiceProfileInUse");
    assert_eq!(message, format!("Service Profile {profile} is used by some service instance."));

    client.delete(&one).await?.expect(204)?;
    let (kind, message) = client.delete(&one).await?.expect_error(404)?;
    assert_eq!(kind, "FlavorServiceProfileBindingNotFound");
    assert_eq!(message, format!("Service Profile {profile} is not associated with flavor {id}."));
    assert_eq!(client.get(&one).await?.expect_error(404)?.1, message);
    assert_eq!(profiles_of(&client, &id).await?, json!([]));
    client.put(&own, &change).await?.expect(200)?;

    // A flavor goes with what puts profiles to it.
    client.post(&links, &body).await?.expect(201)?;
    client.delete(&format!("/v2.0/flavors/{id}")).await?.expect(204)?;
    client.delete(&own).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_provider_is_that_of_the_first_profile() -> Result {
    let server = server().await?;
    let client = server.client();
    let (id, profile) = (flavor(&client).await?, profile(&client).await?);
    let next = format!("/v2.0/flavors/{id}/next_providers");
    assert_eq!(client.get(&next).await?.expect_error(404)?.0, "FlavorServiceProfileBindingNotFound");
    let put = json!({"flavor": {"service_profiles": [profile]}});
    client.put(&format!("/v2.0/flavors/{id}"), &put).await?.expect(200)?;
    let member = server.client().member_of("p1")?;
    assert_eq!(
        member.get(&next).await?.expect(200)?,
        json!({"next_providers": [{"driver": "ipsec", "provider": "strongswan"}]})
    );
    let none = json!({"flavor": {"service_profiles": []}});
    client.put(&format!("/v2.0/flavors/{id}"), &none).await?.expect(200)?;
    let own = format!("/v2.0/service_profiles/{profile}");
    client.put(&own, &json!({"service_profile": {"enabled": false}})).await?.expect(200)?;
    client.put(&format!("/v2.0/flavors/{id}"), &put).await?.expect(200)?;
    assert_eq!(client.get(&next).await?.expect_error(503)?.0, "ServiceProfileDisabled");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_neutrons_words() -> Result {
    let server = server().await?;
    let client = server.client();
    for (member, document, status, message) in [
        ("flavor", json!({"service_type": "nosuch"}), 400, "Invalid service type: nosuch."),
        (
            "flavor",
            json!({}),
            400,
            "Failed to parse request. Required attribute 'service_type' not specified",
        ),
        ("service_profile", json!({}), 400, "Service Profile needs either a driver or metainfo."),
        (
            "service_profile",
            json!({"metainfo": null}),
            400,
            "Service Profile needs either a driver or metainfo.",
        ),
        ("service_profile", json!({"driver": "x"}), 404, "Service Profile driver x could not be found."),
    ] {
        let answer = client.post(&format!("/v2.0/{member}s"), &json!({member: document})).await?;
        assert_eq!(answer.expect_error(status)?.1, message, "{document}");
    }
    let id = flavor(&client).await?;
    let links = format!("/v2.0/flavors/{id}/service_profiles");
    let no_profile = format!("Service Profile {NOBODY} could not be found.");
    for (body, status, message) in [
        (json!({"service_profile": {"id": NOBODY}}), 404, no_profile.as_str()),
        (json!({}), 400, "Unable to find 'service_profile' in request body"),
        (json!({"service_profile": []}), 400, "Object 'service_profile' contains invalid data"),
        (
            json!({"service_profile": {}}),
            400,
            "Failed to parse request. Required attribute 'id' not specified",
        ),
        (
            json!({"service_profile": {"id": null}}),
            400,
            "Invalid input for id. Reason: 'None' is not a valid UUID.",
        ),
        (json!({"service_profile": {"id": NOBODY, "x": 1}}), 400, "Unrecognized attribute(s) 'x'"),
    ] {
        assert_eq!(client.post(&links, &body).await?.expect_error(status)?.1, message, "{body}");
    }
    let body = json!({"service_profile": {"id": NOBODY}});
    assert_eq!(client.put(&links, &body).await?.status, 405);
    assert_eq!(client.get(&links).await?.status, 405);
    let nowhere = format!("/v2.0/flavors/{NOBODY}/service_profiles");
    assert_eq!(client.post(&nowhere, &body).await?.expect_error(404)?.0, "FlavorNotFound");
    let put = json!({"flavor": {"service_profiles": [NOBODY]}});
    let (kind, _) = client.put(&format!("/v2.0/flavors/{id}"), &put).await?.expect_error(404)?;
    assert_eq!(kind, "ServiceProfileNotFound");
    let filter = client.get("/v2.0/flavors?service_profiles=x").await?.expect_error(400)?.1;
    assert_eq!(filter, "['service_profiles'] is invalid attribute for filtering");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_see_flavors_and_change_nothing() -> Result {
    let server = server().await?;
    let admin = server.client();
    let (id, profile) = (flavor(&admin).await?, profile(&admin).await?);
    let member = server.client().member_of("p1")?;
    assert_eq!(list(&member, "/v2.0/flavors").await?.len(), 1);
    assert_eq!(list(&member, "/v2.0/service_profiles").await?.len(), 0);
    let links = format!("/v2.0/flavors/{id}/service_profiles");
    let body = json!({"service_profile": {"id": profile}});
    for (refused, rule) in [
        (member.post("/v2.0/flavors", &json!({"flavor": {"service_type": "VPN"}})).await?, "create_flavor"),
        (member.delete(&format!("/v2.0/flavors/{id}")).await?, "delete_flavor"),
        (member.post(&links, &body).await?, "create_flavor_service_profile"),
        (member.delete(&format!("{links}/{profile}")).await?, "delete_flavor_service_profile"),
    ] {
        assert_eq!(refused.expect_error(403)?.1, format!("rule:{rule} is disallowed by policy"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_tried_out_and_made_in_batches() -> Result {
    let server = server().await?;
    let client = server.client();
    let (id, profile) = (flavor(&client).await?, profile(&client).await?);
    let links = format!("/v2.0/flavors/{id}/service_profiles");
    let body = json!({"service_profile": {"id": profile}});
    client.post(&format!("{links}?dry_run=true"), &body).await?.expect(201)?;
    assert_eq!(profiles_of(&client, &id).await?, json!([]));

    let create =
        json!({"op": "create", "collection": "service_profiles", "name": "p", "body": {"metainfo": "m"}});
    let action = |name: &str, body: Value| json!({"op": "action", "collection": "flavors", "id": id, "action": name, "body": body});
    let own = json!({"$ref": "p.id"});
    let put = action("create_flavor_service_profile", json!({"service_profile": {"id": own}}));
    let batch = json!({"operations": [create, put]});
    let results = client.post("/v2.0/batch", &batch).await?.expect(200)?["results"].clone();
    assert_eq!(results[1]["status"], 201);
    let made = text(&results, "/0/body/service_profile/id")?;
    assert_eq!(profiles_of(&client, &id).await?, json!([made]));

    // All of it or nothing.
    let take =
        |profile: &str| action("delete_flavor_service_profile", json!({"service_profile_id": profile}));
    let twice = json!({"operations": [take(&made), take(&made)]});
    assert_eq!(client.post("/v2.0/batch", &twice).await?.status, 404);
    assert_eq!(profiles_of(&client, &id).await?, json!([made]));
    let once = json!({"operations": [take(&made)]});
    assert_eq!(client.post("/v2.0/batch", &once).await?.expect(200)?["results"][0]["status"], 204);
    assert_eq!(profiles_of(&client, &id).await?, json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_that_are_put_to_a_flavor_at_once_are_all_there() -> Result {
    let Some(postgres) = hadron_test_support::shared() else { return Ok(()) };
    let server = builder().config(PROVIDERS).database(&postgres.fresh_database().await).start().await?;
    let client = server.client();
    let id = flavor(&client).await?;
    let links = format!("/v2.0/flavors/{id}/service_profiles");
    let mut profiles = Vec::new();
    for _ in 0..8 {
        profiles.push(profile(&client).await?);
    }
    let mut puts = JoinSet::new();
    for profile in &profiles {
        let (client, links) = (client.clone(), links.clone());
        let body = json!({"service_profile": {"id": profile}});
        puts.spawn(async move { client.post(&links, &body).await?.expect(201) });
    }
    for put in puts.join_all().await {
        put?;
    }
    let there = profiles_of(&client, &id).await?;
    let mut there: Vec<&str> = there.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    there.sort_unstable();
    profiles.sort();
    assert_eq!(there, profiles);
    Ok(())
}
