//! How many addresses networks have, and how many are used.

use hadron_networking_tests::world::{self, create, network, text};
use hadron_sdk_testing::{Client, Result, Server, until};
use serde_json::{Value, json};
use std::time::Duration;

const ALL: &str = "/v2.0/network-ip-availabilities";

/// A subnet without DHCP, so that nobody but the test takes addresses.
async fn subnet(client: &Client, network: &str, cidr: &str, more: Value) -> Result<String> {
    let version = if cidr.contains(':') { 6 } else { 4 };
    let mut body = json!({"network_id": network, "cidr": cidr, "ip_version": version, "enable_dhcp": false});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    text(&create(client, "subnet", body).await?, "/id")
}

async fn list(client: &Client, path: &str) -> Result<Vec<Value>> {
    let body = client.get(path).await?.expect(200)?;
    Ok(body["network_ip_availabilities"].as_array().cloned().unwrap_or_default())
}

async fn port(client: &Client, network: &str, addresses: &[&str]) -> Result<()> {
    let fixed: Vec<Value> = addresses.iter().map(|address| json!({"ip_address": address})).collect();
    create(client, "port", json!({"network_id": network, "fixed_ips": fixed})).await.map(drop)
}

async fn show(client: &Client, network: &str) -> Result<Value> {
    Ok(client.get(&format!("{ALL}/{network}")).await?.expect(200)?["network_ip_availability"].take())
}

fn details(in_subnet: i64, in_pool: i64, used: i64, used_in_pool: i64) -> Value {
    json!({
        "total_ips_in_subnet": in_subnet,
        "total_ips_in_allocation_pool": in_pool,
        "used_ips_in_subnet": used,
        "used_ips_in_allocation_pool": used_in_pool,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_show_what_they_have_and_what_is_used() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let plain = network(&client, "plain").await?;
    let empty = show(&client, &plain).await?;
    assert_eq!(empty["network_id"], plain);
    assert_eq!(empty["network_name"], "plain");
    assert_eq!(empty["project_id"], empty["tenant_id"]);
    assert_eq!((&empty["total_ips"], &empty["used_ips"]), (&json!(0), &json!(0)));
    assert_eq!(empty["subnet_ip_availability"], json!([]));
    assert_eq!(empty["ip_availability_details"], details(0, 0, 0, 0));
    assert_eq!(empty.as_object().unwrap().len(), 8, "{empty}");

    let pools = json!({"name": "four", "allocation_pools": [{"start": "10.0.0.10", "end": "10.0.0.19"}]});
    let four = subnet(&client, &plain, "10.0.0.0/24", pools).await?;
    port(&client, &plain, &["10.0.0.10"]).await?;
    port(&client, &plain, &["10.0.0.11", "10.0.0.200"]).await?;
    let shown = show(&client, &plain).await?;
    let of_subnet = json!({
        "subnet_id": four, "subnet_name": "four", "cidr": "10.0.0.0/24", "ip_version": 4,
        "total_ips": 10, "used_ips": 3, "ip_availability_details": details(254, 10, 3, 2),
    });
    assert_eq!(shown["subnet_ip_availability"], json!([of_subnet]));
    assert_eq!((&shown["total_ips"], &shown["used_ips"]), (&json!(10), &json!(3)));
    assert_eq!(shown["ip_availability_details"], details(254, 10, 3, 2));

    // Without pools the whole subnet counts, and a port that goes gives back.
    let none = network(&client, "none").await?;
    subnet(&client, &none, "10.1.0.0/24", json!({"allocation_pools": []})).await?;
    port(&client, &none, &["10.1.0.7"]).await?;
    let shown = show(&client, &none).await?;
    assert_eq!((&shown["total_ips"], &shown["used_ips"]), (&json!(256), &json!(1)));
    assert_eq!(shown["ip_availability_details"], details(254, 0, 1, 0));
    for port in world::list(&client, &format!("/v2.0/ports?network_id={none}")).await? {
        client.delete(&format!("/v2.0/ports/{}", text(&port, "/id")?)).await?.expect(204)?;
    }
    assert_eq!(show(&client, &none).await?["used_ips"], 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_of_ipv6_have_more_addresses_than_fit_a_number() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let six = network(&client, "six").await?;
    let automatic = json!({"enable_dhcp": true, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"});
    subnet(&client, &six, "fd00:1::/64", automatic).await?;
    subnet(&client, &six, "fd00:2::/32", json!({})).await?;
    subnet(&client, &six, "10.0.0.0/24", json!({})).await?;
    create(&client, "port", json!({"network_id": six})).await?;
    let text = written(&server, &format!("{ALL}/{six}")).await?;
    for part in [
        "\"total_ips\":18446744073709551615,",
        "\"total_ips_in_subnet\":18446744073709551616,",
        // 2^64 - 1 + 2^96 - 1 + 253
        "\"total_ips\":79228162532711081667253502203,",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let shown = show(&client, &six).await?;
    assert_eq!(shown["used_ips"], 3, "one of each subnet");
    assert_eq!(shown["ip_availability_details"]["used_ips_in_allocation_pool"], 3);
    Ok(())
}

/// The answer as it was written: its numbers are larger than the client's.
async fn written(server: &Server, path: &str) -> Result<String> {
    let answer = reqwest::get(format!("{}{path}", server.url())).await.unwrap();
    assert_eq!(answer.status(), 200);
    Ok(answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_by_network_project_and_family() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let four = network(&client, "four").await?;
    subnet(&client, &four, "10.0.0.0/24", json!({})).await?;
    let both = network(&client, "both").await?;
    subnet(&client, &both, "10.1.0.0/24", json!({})).await?;
    subnet(&client, &both, "fd00::/64", json!({})).await?;
    let others = json!({"name": "others", "project_id": "4fb4dec05f47409fa688e15287ac626a"});
    create(&client, "network", others).await?;
    for (query, names) in [
        ("", vec!["both", "four", "others"]),
        ("?network_name=four&network_name=both", vec!["both", "four"]),
        (&format!("?network_id={four}"), vec!["four"]),
        ("?project_id=4fb4dec05f47409fa688e15287ac626a", vec!["others"]),
        ("?tenant_id=4fb4dec05f47409fa688e15287ac626a", vec!["others"]),
        ("?ip_version=4", vec!["both", "four"]),
        ("?ip_version=6", vec!["both"]),
        ("?ip_version=4&ip_version=6&network_name=both", vec!["both"]),
        ("?ip_version=5", vec![]),
        ("?ip_version=six", vec![]),
        ("?network_id=nowhere", vec![]),
    ] {
        let found = list(&client, &format!("{ALL}{query}")).await?;
        let mut found: Vec<&str> = found.iter().filter_map(|row| row["network_name"].as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, names, "{query}");
    }
    // Only subnets of the family count.
    let six = list(&client, &format!("{ALL}?ip_version=6")).await?;
    assert_eq!(six[0]["subnet_ip_availability"].as_array().unwrap().len(), 1);
    assert_eq!(six[0]["subnet_ip_availability"][0]["cidr"], "fd00::/64");
    let four = list(&client, &format!("{ALL}?ip_version=4&network_name=both&fields=total_ips")).await?;
    assert_eq!(four, [json!({"total_ips": 253})]);
    let names = list(&client, &format!("{ALL}?ip_version=6&fields=network_name")).await?;
    assert_eq!(names, [json!({"network_name": "both"})]);

    for (query, about) in [("foo=1", "foo"), ("total_ips=3", "total_ips"), ("id=x", "id")] {
        let (kind, message) = client.get(&format!("{ALL}?{query}")).await?.expect_error(400)?;
        assert_eq!(kind, "HTTPBadRequest");
        assert_eq!(message, format!("['{about}'] is invalid attribute for filtering"));
    }
    let page = client.get(&format!("{ALL}?limit=2")).await?.expect(200)?;
    assert_eq!(page["network_ip_availabilities"].as_array().unwrap().len(), 2);
    assert_eq!(page["network_ip_availabilities_links"][0]["rel"], "next");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_is_for_administrators_to_see() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let project = "4fb4dec05f47409fa688e15287ac626a";
    let member = client.clone().member_of(project)?;
    let own = network(&member, "own").await?;
    assert_eq!(list(&member, ALL).await?, Vec::<Value>::new());
    let not_there = |id: &str| ("NetworkNotFound".to_owned(), format!("Network {id} could not be found."));
    assert_eq!(member.get(&format!("{ALL}/{own}")).await?.expect_error(404)?, not_there(&own));
    let nobody = "00000000-0000-0000-0000-000000000000";
    assert_eq!(client.get(&format!("{ALL}/{nobody}")).await?.expect_error(404)?, not_there(nobody));
    client.post(ALL, &json!({"network_ip_availability": {}})).await?.expect(405)?;
    client.delete(&format!("{ALL}/{own}")).await?.expect(405)?;
    let aliases = client.get("/v2.0/extensions/network-ip-availability-details").await?;
    assert_eq!(aliases.expect(200)?["extension"]["updated"], "2025-10-31T00:00:00-00:00");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_costs_the_same_however_many_networks_there_are() -> Result {
    let server = world::builder().config("[log]\nformat = \"json\"\n").start().await?;
    let client = server.client();
    let mut costs = Vec::new();
    for many in [1, 12] {
        for number in 0..many {
            let network = network(&client, "n").await?;
            subnet(&client, &network, &format!("10.{many}.{number}.0/24"), json!({})).await?;
            create(&client, "port", json!({"network_id": network})).await?;
        }
        costs.push(statements(&server, &client).await?);
    }
    assert_eq!(costs[0], costs[1], "{costs:?}");
    Ok(())
}

/// The statements that a list took, from the server's log.
async fn statements(server: &Server, client: &Client) -> Result<i64> {
    let answer = client.get(ALL).await?;
    let request = answer.headers.get("x-openstack-request-id").unwrap().to_str().unwrap().to_owned();
    until("the request is in the log", Duration::from_secs(10), || async {
        let log = server.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.find(|line| line["request"] == request && line["message"] == "answered");
        Ok(line.and_then(|line| line["statements"].as_i64()))
    })
    .await
}
