//! The sides of routers that are inside, and the routes over them.

use super::{NOBODY, inside, join, router, shown, tell};
use hadron_networking_tests::world::{self, create, list, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

const ADD: &str = "add_router_interface";
const REMOVE: &str = "remove_router_interface";

#[tokio::test(flavor = "multi_thread")]
async fn a_router_is_joined_to_subnets_and_parted_from_them() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (network, subnet) = inside(&client, "10.10.0.0/24").await?;
    let id = router(&client, json!({"name": "r", "description": "d"})).await?;
    let made = shown(&client, &format!("routers/{id}")).await?;
    assert_eq!(
        (&made["name"], &made["status"], &made["admin_state_up"], &made["external_gateway_info"]),
        (&json!("r"), &json!("ACTIVE"), &json!(true), &json!(null))
    );
    assert_eq!(
        (&made["routes"], &made["ha"], &made["distributed"]),
        (&json!([]), &json!(false), &json!(false))
    );
    assert!(made.get("gw_port_id").is_none() && made.get("enable_snat").is_none(), "{made}");

    let joined = join(&client, &id, &subnet).await?;
    let port = text(&joined, "/port_id")?;
    let answer = json!({"id": id, "project_id": made["project_id"], "port_id": port, "network_id": network,
        "subnet_id": subnet, "subnet_ids": [subnet]});
    assert_eq!(joined, answer);
    let side = shown(&client, &format!("ports/{port}")).await?;
    assert_eq!(
        (&side["device_id"], &side["device_owner"], &side["fixed_ips"]),
        (
            &json!(id),
            &json!("network:router_interface"),
            &json!([{"subnet_id": subnet, "ip_address": "10.10.0.1"}])
        )
    );

    // A port of one's own.
    let own =
        json!({"network_id": network, "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.10.0.77"}]});
    let own = text(&create(&client, "port", own).await?, "/id")?;
    let other = router(&client, json!({})).await?;
    tell(&client, &other, ADD, json!({ "port_id": own })).await?.expect(200)?;
    assert_eq!(shown(&client, &format!("ports/{own}")).await?["device_id"], other.as_str());

    // Nobody else takes what is a router's.
    let (kind, message) = client.delete(&format!("/v2.0/ports/{port}")).await?.expect_error(409)?;
    assert_eq!(kind, "ServicePortInUse");
    assert!(message.ends_with("has device owner network:router_interface."), "{message}");
    let (kind, _) = client.delete(&format!("/v2.0/subnets/{subnet}")).await?.expect_error(409)?;
    assert_eq!(kind, "SubnetInUse");
    let (kind, message) = client.delete(&format!("/v2.0/routers/{id}")).await?.expect_error(409)?;
    assert_eq!(
        (kind.as_str(), message),
        ("RouterInUse", format!("Router {id} has ports still attached: {port}"))
    );

    for (router, given) in [(&id, json!({ "subnet_id": subnet })), (&other, json!({ "port_id": own }))] {
        tell(&client, router, REMOVE, given).await?.expect(200)?;
        client.delete(&format!("/v2.0/routers/{router}")).await?.expect(204)?;
    }
    assert!(list(&client, "/v2.0/ports").await?.is_empty(), "ports go with their sides");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_makes_no_sense_is_refused() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (network, subnet) = inside(&client, "10.10.0.0/24").await?;
    let id = router(&client, json!({})).await?;
    join(&client, &id, &subnet).await?;
    let refused = async |action: &str, given: Value, status: u16| {
        tell(&client, &id, action, given).await?.expect_error(status)
    };
    let bad = |reason: &str| ("BadRequest".to_owned(), format!("Bad router request: {reason}."));
    let nothing = bad("Either subnet_id or port_id must be specified");
    assert_eq!(refused(ADD, json!({}), 400).await?, nothing);
    assert_eq!(refused(REMOVE, json!({}), 400).await?, nothing);
    let both = json!({"subnet_id": subnet, "port_id": NOBODY});
    assert_eq!(refused(ADD, both, 400).await?, bad("Cannot specify both subnet-id and port-id"));
    let odd = json!({"subnet_id": "odd"});
    assert_eq!(refused(ADD, odd, 400).await?, bad("'odd' is not a valid UUID"));
    let twice = bad(&format!("Router already has a port on subnet {subnet}"));
    assert_eq!(refused(ADD, json!({ "subnet_id": subnet }), 400).await?, twice);
    assert_eq!(refused(ADD, json!({ "subnet_id": NOBODY }), 404).await?.0, "SubnetNotFound");
    assert_eq!(refused(ADD, json!({ "port_id": NOBODY }), 404).await?.0, "PortNotFound");

    let (_, overlapping) = inside(&client, "10.10.0.0/25").await?;
    let (kind, message) = refused(ADD, json!({ "subnet_id": overlapping }), 400).await?;
    let overlap = format!(
        "Bad router request: Cidr 10.10.0.0/25 of subnet {overlapping} overlaps with cidr 10.10.0.0/24 of subnet \
         {subnet}."
    );
    assert_eq!((kind.as_str(), message), ("BadRequest", overlap));

    let closed = json!({"network_id": network, "ip_version": 4, "cidr": "10.11.0.0/24", "gateway_ip": null});
    let closed = text(&create(&client, "subnet", closed).await?, "/id")?;
    let no_gateway = bad("Subnet for router interface must have a gateway IP");
    assert_eq!(refused(ADD, json!({ "subnet_id": closed }), 400).await?, no_gateway);

    let used = json!({"network_id": network, "device_id": "vm", "device_owner": "compute:x"});
    let used = text(&create(&client, "port", used).await?, "/id")?;
    assert_eq!(refused(ADD, json!({ "port_id": used }), 409).await?.0, "PortInUse");
    let bare = text(&create(&client, "port", json!({"network_id": network, "fixed_ips": []})).await?, "/id")?;
    let no_address = bad("Router port must have at least one fixed IP");
    assert_eq!(refused(ADD, json!({ "port_id": bare }), 400).await?, no_address);
    let of_two = json!({"network_id": network, "fixed_ips": [{"subnet_id": closed},
        {"subnet_id": subnet}]});
    let of_two = text(&create(&client, "port", of_two).await?, "/id")?;
    let other = router(&client, json!({})).await?;
    let two = tell(&client, &other, ADD, json!({ "port_id": of_two })).await?.expect_error(400)?;
    assert_eq!(two, bad("Cannot have multiple IPv4 subnets on router port"));
    let six = json!({"network_id": network, "ip_version": 6, "cidr": "2001:db8:9::/64",
        "ipv6_address_mode": "slaac"});
    let six = text(&create(&client, "subnet", six).await?, "/id")?;
    let (_, message) = refused(ADD, json!({ "subnet_id": six }), 400).await?;
    assert!(message.contains("configured to receive RAs from an external router"), "{message}");

    assert_eq!(refused(REMOVE, json!({ "port_id": NOBODY }), 404).await?.0, "RouterInterfaceNotFound");
    let away = refused(REMOVE, json!({ "subnet_id": closed }), 404).await?;
    assert_eq!(away.0, "RouterInterfaceNotFoundForSubnet");
    let port = text(&list(&client, &format!("/v2.0/ports?device_id={id}")).await?[0], "/id")?;
    let mismatch = json!({"port_id": port, "subnet_id": closed});
    assert_eq!(refused(REMOVE, mismatch, 409).await?.0, "SubnetMismatchForPort");
    let nobody = tell(&client, NOBODY, ADD, json!({ "subnet_id": subnet })).await?.expect_error(404)?;
    assert_eq!(nobody, ("RouterNotFound".into(), format!("Router {NOBODY} could not be found")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_of_a_network_share_a_port() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (network, first) = inside(&client, "2001:db8:1::/64").await?;
    let second = json!({"network_id": network, "ip_version": 6, "cidr": "2001:db8:2::/64"});
    let second = text(&create(&client, "subnet", second).await?, "/id")?;
    let id = router(&client, json!({})).await?;
    let joined = join(&client, &id, &first).await?;
    assert_eq!(join(&client, &id, &second).await?["port_id"], joined["port_id"]);
    let port = format!("ports/{}", text(&joined, "/port_id")?);
    assert_eq!(shown(&client, &port).await?["fixed_ips"].as_array().unwrap().len(), 2);
    tell(&client, &id, REMOVE, json!({ "subnet_id": first })).await?.expect(200)?;
    let left = shown(&client, &port).await?;
    assert_eq!(left["fixed_ips"][0]["subnet_id"], second.as_str());
    tell(&client, &id, REMOVE, json!({ "subnet_id": second })).await?.expect(200)?;
    client.get(&format!("/v2.0/{port}")).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_lead_over_neighbours() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (_, subnet) = inside(&client, "10.10.0.0/24").await?;
    let id = router(&client, json!({})).await?;
    join(&client, &id, &subnet).await?;
    let route = |to: u8, hop: u8| json!({"destination": format!("10.{to}.0.0/16"), "nexthop": format!("10.10.0.{hop}")});
    let path = format!("/v2.0/routers/{id}");
    let set = async |routes: Value| client.put(&path, &json!({"router": {"routes": routes}})).await;
    assert_eq!(set(json!([route(50, 5)])).await?.expect(200)?["router"]["routes"], json!([route(50, 5)]));
    let changed = async |action: &str, routes: Value| -> Result<Value> {
        let given = json!({"router": {"routes": routes}});
        Ok(tell(&client, &id, action, given).await?.expect(200)?["router"]["routes"].take())
    };
    let both = json!([route(50, 5), route(51, 5)]);
    assert_eq!(changed("add_extraroutes", json!([route(51, 5), route(50, 5)])).await?, both);
    let over_two = json!([route(50, 5), route(51, 5), route(50, 6)]);
    assert_eq!(changed("add_extraroutes", json!([route(50, 6)])).await?, over_two);
    let left = changed("remove_extraroutes", json!([route(51, 5), route(99, 9), route(50, 6)])).await?;
    assert_eq!(left, json!([route(50, 5)]));

    let (kind, message) = set(json!([route(50, 1)])).await?.expect_error(400)?;
    assert_eq!(kind, "InvalidRoutes");
    assert!(message.ends_with("the nexthop is used by router"), "{message}");
    let far = json!([{"destination": "10.50.0.0/16", "nexthop": "172.16.0.1"}]);
    let (_, message) = set(far).await?.expect_error(400)?;
    assert!(message.ends_with("the nexthop is not connected with router"), "{message}");
    let many: Vec<Value> = (0..31).map(|to| route(to, 5)).collect();
    assert_eq!(set(json!(many)).await?.expect_error(409)?.0, "OverQuota");
    for odd in [
        json!([{"destination": "10.0.0.0/8"}]),
        json!([{"destination": "x", "nexthop": "10.10.0.5"}]),
        json!("x"),
    ] {
        set(odd).await?.expect_error(400)?;
    }
    let used = tell(&client, &id, REMOVE, json!({ "subnet_id": subnet })).await?.expect_error(409)?;
    assert_eq!(used.0, "RouterInterfaceInUseByRoute");
    assert_eq!(set(json!(null)).await?.expect(200)?["router"]["routes"], json!([]));
    tell(&client, &id, REMOVE, json!({ "subnet_id": subnet })).await?.expect(200)?;
    Ok(())
}
