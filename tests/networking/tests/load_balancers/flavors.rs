//! Providers, flavors and availability zones.

use crate::{Balanced, NOBODY, url};
use hadron_networking_tests::world;
use hadron_sdk_testing::Result;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn providers_are_the_operators() -> Result {
    let toml = "[plugin.load-balancer.config]\nenabled_provider_drivers = {haproxy = 'H', acme = 'A'}\n\
                default_provider_driver = 'acme'\n";
    let Some(world) = Balanced::with(toml).await? else { return Ok(()) };
    let listed = world.client.get(&url("providers")).await?.expect(200)?;
    let rows = json!([{"name": "acme", "description": "A"}, {"name": "haproxy", "description": "H"}]);
    assert_eq!(listed["providers"], rows);
    world.client.delete(&url("providers/acme")).await?.expect_error(404)?;
    let capabilities = world.client.get(&url("providers/acme/flavor_capabilities")).await?.expect(200)?;
    assert_eq!(capabilities, json!({"flavor_capabilities": []}));
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let made = world.create("loadbalancers", "loadbalancer", json!({ "vip_subnet_id": subnet })).await?;
    assert_eq!(made["provider"], "acme");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn flavors_and_zones_tell_providers_what_to_do() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (_, subnet) = world.network("10.0.0.0/24").await?;
    let profile = json!({"name": "p", "provider_name": "haproxy", "flavor_data": "{\"a\": 1}"});
    for (name, value, words) in [
        ("flavor_data", json!("["), "[ is not a valid option for flavor_data"),
        ("provider_name", json!("nosuch"), "Provider 'nosuch' is not enabled."),
    ] {
        let mut wrong = profile.clone();
        wrong[name] = value;
        assert_eq!(world.refused("flavorprofiles", "flavorprofile", wrong, 400).await?.1, words);
    }
    let profile = world::text(&world.create("flavorprofiles", "flavorprofile", profile).await?, "/id")?;
    let flavor = json!({"name": "f", "flavor_profile_id": profile});
    let made = world.create("flavors", "flavor", flavor.clone()).await?;
    let id = world::text(&made, "/id")?;
    let all =
        json!({"id": id, "name": "f", "description": "", "enabled": true, "flavor_profile_id": profile});
    assert_eq!(made, all);
    assert_eq!(world.refused("flavors", "flavor", flavor, 409).await?.0, "RecordAlreadyExists");
    let zone = json!({"name": "p", "provider_name": "haproxy", "availability_zone_data": "{\"z\": 1}"});
    let zones = "availabilityzoneprofiles";
    let zone = world::text(&world.create(zones, "availability_zone_profile", zone).await?, "/id")?;
    let asked = json!({"name": "east", "availability_zone_profile_id": zone});
    let east = world::text(&world.create("availabilityzones", "availability_zone", asked).await?, "/id")?;

    for (asked, words) in [
        (json!({ "flavor_id": NOBODY }), "Validation failure: Invalid flavor_id."),
        (json!({"availability_zone": "west"}), "Validation failure: Invalid availability zone."),
    ] {
        let mut body = asked;
        body["vip_subnet_id"] = json!(subnet);
        assert_eq!(world.refused("loadbalancers", "loadbalancer", body, 400).await?.1, words);
    }
    let asked = json!({"vip_subnet_id": subnet, "flavor_id": id, "availability_zone": "east"});
    let whole = world::text(&world.create("loadbalancers", "loadbalancer", asked.clone()).await?, "/id")?;
    let told = world.settle(&whole);
    assert_eq!((&told["flavor"], &told["availability_zone"]), (&json!({"a": 1}), &json!({"z": 1})));
    for (path, words) in [
        (format!("flavors/{id}"), format!("Flavor {id} is in use and cannot be modified.")),
        (
            format!("flavorprofiles/{profile}"),
            format!("Flavor profile {profile} is in use and cannot be modified."),
        ),
        (
            format!("availabilityzones/{east}"),
            "Availability Zone east is in use and cannot be modified.".to_owned(),
        ),
    ] {
        assert_eq!(
            world.client.delete(&url(&path)).await?.expect_error(409)?,
            ("ObjectInUse".to_owned(), words)
        );
    }
    let changes = json!({"flavor_data": "{}"});
    world.unchanged(&format!("flavorprofiles/{profile}"), "flavorprofile", changes, 409).await?;
    world.update(&format!("flavors/{id}"), "flavor", json!({"enabled": false})).await?;
    let (kind, _) = world.refused("loadbalancers", "loadbalancer", asked, 400).await?;
    assert_eq!(kind, "DisabledOption");
    world.delete(&format!("loadbalancers/{whole}")).await?;
    world.settle(&whole);
    for path in [
        format!("flavors/{id}"),
        format!("flavorprofiles/{profile}"),
        format!("availabilityzones/{east}"),
        format!("{zones}/{zone}"),
    ] {
        world.delete(&path).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn flavors_are_read_by_all_and_written_by_administrators() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let member = world.cloud.client().member_of("p1")?;
    member.get(&url("flavors")).await?.expect(200)?;
    let asked = json!({ "flavor": {"name": "x", "flavor_profile_id": NOBODY} });
    member.post(&url("flavors"), &asked).await?.expect_error(403)?;
    let profile = json!({ "flavorprofile": {"name": "x", "provider_name": "haproxy", "flavor_data": "{}"} });
    member.post(&url("flavorprofiles"), &profile).await?.expect_error(403)?;
    world.client.post(&url("flavorprofiles"), &profile).await?.expect(201)?;
    assert_eq!(member.get(&url("flavorprofiles")).await?.expect(200)?["flavorprofiles"], json!([]));
    Ok(())
}
