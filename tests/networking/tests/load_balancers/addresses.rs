//! Where the addresses of load balancers come from, and what stays as long as one
//! needs it.

use crate::{Balanced, NOBODY, url};
use hadron_networking_tests::world;
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

async fn refused(world: &Balanced, asked: Value) -> Result<String> {
    Ok(world.refused("loadbalancers", "loadbalancer", asked, 400).await?.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_of_a_port_a_subnet_or_a_network() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (network, subnet) = world.network("10.0.0.0/24").await?;
    let (_, other) = world.network("10.1.0.0/24").await?;
    let empty = world::network(&world.client, "empty").await?;
    let used = world::create(&world.client, "port", json!({"network_id": network, "device_id": "x"})).await?;
    for (asked, message) in [
        (
            json!({}),
            "Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.",
        ),
        (json!({ "vip_subnet_id": NOBODY }), &format!("Subnet {NOBODY} not found.")),
        (json!({ "vip_network_id": NOBODY }), &format!("Network {NOBODY} not found.")),
        (json!({ "vip_port_id": NOBODY }), &format!("Port {NOBODY} not found.")),
        (json!({"vip_network_id": network, "vip_subnet_id": other}), &format!("Subnet {other} not found.")),
        (
            json!({"vip_network_id": network, "vip_address": "10.9.0.1"}),
            "Validation failure: Supplied network does not contain a subnet for VIP address specified.",
        ),
        (
            json!({ "vip_network_id": empty }),
            "Validation failure: Supplied network does not contain a subnet.",
        ),
        (
            json!({ "vip_port_id": used["id"] }),
            &format!(
                "Validation failure: Port {} is already used by device x ",
                used["id"].as_str().unwrap()
            ),
        ),
        (
            json!({"vip_subnet_id": subnet, "vip_qos_policy_id": NOBODY}),
            &format!("qos_policy {NOBODY} not found."),
        ),
        (
            json!({"vip_subnet_id": subnet, "vip_sg_ids": [NOBODY]}),
            &format!("Security Group {NOBODY} not found."),
        ),
        (
            json!({"vip_subnet_id": subnet, "additional_vips": [{ "subnet_id": subnet }]}),
            "Validation failure: Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.",
        ),
        (
            json!({"vip_subnet_id": subnet, "additional_vips": [{ "subnet_id": other }]}),
            "Validation failure: All VIP subnets must belong to the same network.",
        ),
        (json!({"vip_subnet_id": subnet, "provider": "nosuch"}), "Provider 'nosuch' is not enabled."),
    ] {
        assert_eq!(refused(&world, asked.clone()).await?, message, "{asked}");
    }
    let ports = world::list(&world.client, &format!("/v2.0/ports?network_id={network}")).await?;
    assert_eq!(ports.len(), 1, "what is refused leaves no port");

    let asked = json!({"vip_network_id": network, "vip_address": "10.0.0.77"});
    let made = world.create("loadbalancers", "loadbalancer", asked).await?;
    assert_eq!((&made["vip_address"], &made["vip_subnet_id"]), (&json!("10.0.0.77"), &json!(subnet)));
    let port = format!("/v2.0/ports/{}", world::text(&made, "/vip_port_id")?);
    let port = world.client.get(&port).await?.expect(200)?["port"].take();
    assert_eq!(
        (&port["device_owner"], &port["device_id"], &port["admin_state_up"]),
        (&json!("Octavia"), &json!(format!("lb-{}", world::text(&made, "/id")?)), &json!(false))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_given_is_used_once_and_stays() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (network, subnet) = world.network("10.0.0.0/24").await?;
    let port = world::port(&world.client, &network).await?;
    let (id, address) = (world::text(&port, "/id")?, port["fixed_ips"][0]["ip_address"].clone());
    let wrong = refused(&world, json!({"vip_port_id": id, "vip_address": "10.0.0.254"})).await?;
    assert_eq!(wrong, "Validation failure: Specified VIP address not found on the specified VIP port.");
    let made = world.create("loadbalancers", "loadbalancer", json!({ "vip_port_id": id })).await?;
    assert_eq!((&made["vip_address"], &made["vip_subnet_id"]), (&address, &json!(subnet)));
    let again = refused(&world, json!({ "vip_port_id": id })).await?;
    assert_eq!(again, format!("Validation failure: Port {id} is already used by another load balancer"));
    let whole = world::text(&made, "/id")?;
    let path = format!("/v2.0/ports/{id}");
    let (kind, message) = world.client.delete(&path).await?.expect_error(409)?;
    assert_eq!(kind, "ServicePortInUse");
    assert!(message.ends_with(&format!("it has the address of load balancer {whole}.")), "{message}");
    world.settle(&whole);
    world.delete(&format!("loadbalancers/{whole}")).await?;
    world.settle(&whole);
    world.client.get(&path).await?.expect(200)?;
    world.client.delete(&path).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_load_balancer_needs_stays() -> Result {
    let Some(world) = Balanced::start().await? else { return Ok(()) };
    let (network, subnet) = world.network("10.0.0.0/24").await?;
    let six = world::subnet(&world.client, &network, "2001:db8::/64").await?;
    let asked = json!({"vip_subnet_id": subnet, "additional_vips": [{ "subnet_id": six }]});
    let made = world.create("loadbalancers", "loadbalancer", asked).await?;
    let id = world::text(&made, "/id")?;
    let more = &made["additional_vips"][0];
    assert!(more["ip_address"].as_str().is_some_and(|address| address.starts_with("2001:db8:")), "{more}");
    assert_eq!(more["port_id"], made["vip_port_id"]);
    world.settle(&id);
    let group =
        world::text(&world::create(&world.client, "security_group", json!({"name": "g"})).await?, "/id")?;
    world.update(&format!("loadbalancers/{id}"), "loadbalancer", json!({ "vip_sg_ids": [group] })).await?;
    let port = format!("/v2.0/ports/{}", world::text(&made, "/vip_port_id")?);
    let shown = world.client.get(&port).await?.expect(200)?;
    assert_eq!(shown["port"]["security_groups"], json!([group]));
    world.settle(&id);
    let (_, far) = world.network("10.9.0.0/24").await?;
    let pool = world.pool(&id, "TCP").await?;
    let member = json!({"address": "10.9.0.7", "protocol_port": 80, "subnet_id": far});
    world.part(&id, &format!("pools/{pool}/members"), "member", member).await?;
    for path in [
        format!("/v2.0/subnets/{subnet}"),
        format!("/v2.0/subnets/{six}"),
        format!("/v2.0/networks/{network}"),
        port,
        format!("/v2.0/security-groups/{group}"),
        format!("/v2.0/subnets/{far}"),
    ] {
        world.client.delete(&path).await?.expect_error(409)?;
    }
    let (kind, message) = world.client.delete(&format!("/v2.0/subnets/{far}")).await?.expect_error(409)?;
    assert_eq!(kind, "SubnetInUse");
    assert!(message.contains("is in use by member"), "{message}");
    world.client.delete(&url(&format!("loadbalancers/{id}/cascade"))).await?.expect(204)?;
    world.settle(&id);
    for subnet in [subnet, six, far] {
        world.client.delete(&format!("/v2.0/subnets/{subnet}")).await?.expect(204)?;
    }
    Ok(())
}
