//! What clients should not do is answered with a 4xx that says what is wrong,
//! changes nothing, and hurts nobody else.

use hadron_api_tests::world::{SEGMENTS, create, list, network, port, sqlite, subnet, text};
use hadron_sdk_testing::{Client, Result};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

async fn raw(client: &Client, path: &str, body: impl Into<Vec<u8>>) -> Result<(u16, Value)> {
    let answer = client.send(Method::POST, path, Some(body.into())).await?;
    Ok((answer.status, answer.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_requests_are_refused() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let bodies: [&[u8]; 17] = [
        b"",
        b"{",
        b"{bad",
        b"null",
        b"5",
        b"\"network\"",
        b"[]",
        b"[{\"network\": {}}]",
        b"{}",
        b"{\"network\": null}",
        b"{\"network\": []}",
        b"{\"network\": \"x\"}",
        b"{\"networks\": {}}",
        b"{\"networks\": [5]}",
        b"{\"networks\": [null, {}]}",
        b"{\"net\": {}}",
        b"\xff\xfe{\"network\": {}}",
    ];
    for body in bodies {
        let (status, answer) = raw(&client, "/v2.0/networks", body).await?;
        let body = String::from_utf8_lossy(body);
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer["NeutronError"]["type"].is_string(), "{body}: {answer}");
    }
    assert!(list(&client, "/v2.0/networks").await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_and_huge_bodies_are_refused_and_cost_nobody_anything() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let deep = format!("{{\"network\": {}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let (status, _) = raw(&client, "/v2.0/networks", deep).await?;
    assert_eq!(status, 400);
    let deep = format!(
        "{{\"port\": {{\"binding:profile\": {}{}}}}}",
        "{\"a\":".repeat(5000),
        "1".to_owned() + &"}".repeat(5000)
    );
    let (status, _) = raw(&client, "/v2.0/ports", deep).await?;
    assert_eq!(status, 400);
    // Neutron's own limit is 112 MiB on some servers and none on others; a
    // server may also hang up before it has read all of it.
    let huge = format!("{{\"network\": {{\"name\": \"{}\"}}}}", "x".repeat(64 << 20));
    if let Ok((status, _)) = raw(&client, "/v2.0/networks", huge).await {
        assert!([400, 413].contains(&status), "{status}");
    }
    network(&client, "still here").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_the_wrong_kind_are_refused_by_name() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    let cases = [
        ("network", json!({"name": 5}), "name"),
        ("network", json!({"name": "x".repeat(256)}), "name"),
        ("network", json!({"admin_state_up": "abc"}), "abc"),
        ("network", json!({"mtu": "many"}), "many"),
        ("network", json!({"nosuch": 1, "other": 2}), "nosuch, other"),
        ("network", json!({"id": net}), "id"),
        ("network", json!({"status": "ACTIVE"}), "status"),
        ("network", json!({"provider:network_type": "nosuch"}), "nosuch"),
        ("subnet", json!({"ip_version": 4, "cidr": "10.0.0.0/24"}), "network_id"),
        ("subnet", json!({"network_id": net, "ip_version": 5, "cidr": "10.0.0.0/24"}), "ip_version"),
        ("subnet", json!({"network_id": net, "ip_version": 4, "cidr": "10.0.0.300/24"}), "10.0.0.300"),
        ("subnet", json!({"network_id": net, "ip_version": 6, "cidr": "10.0.0.0/24"}), "10.0.0.0/24"),
        ("subnet", json!({"network_id": "x", "ip_version": 4, "cidr": "10.0.0.0/24"}), "network_id"),
        ("port", json!({"network_id": net, "mac_address": "nonsense"}), "nonsense"),
        ("port", json!({"network_id": net, "fixed_ips": "x"}), "fixed_ips"),
        ("port", json!({"network_id": net, "fixed_ips": [{"ip_address": "x"}]}), "x"),
        ("port", json!({"network_id": net, "fixed_ips": [{"ip_address": "192.0.2.1"}]}), "requires subnets"),
        ("port", json!({"network_id": net, "binding:profile": 5}), "binding:profile"),
    ];
    for (member, document, names) in cases {
        let answer = client.post(&format!("/v2.0/{member}s"), &json!({member: document})).await?;
        assert_eq!(answer.status, 400, "{document}: {}", answer.body);
        let (_, message) = answer.expect_error(400)?;
        assert!(message.contains(names), "{document}: {message}");
    }
    assert_eq!(list(&client, "/v2.0/networks").await?.len(), 1);
    assert!(list(&client, "/v2.0/subnets").await?.is_empty());
    assert!(list(&client, "/v2.0/ports").await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_of_a_network_must_not_overlap() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let (one, two) = (network(&client, "a").await?, network(&client, "b").await?);
    subnet(&client, &one, "10.0.0.0/24").await?;
    for cidr in ["10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16"] {
        let body = json!({"subnet": {"network_id": one, "ip_version": 4, "cidr": cidr}});
        client.post("/v2.0/subnets", &body).await?.expect_error(400)?;
    }
    subnet(&client, &one, "10.0.1.0/24").await?;
    subnet(&client, &two, "10.0.0.0/24").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_up_is_refused_until_something_is_given_back() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    subnet(&client, &net, "10.0.0.0/29").await?;
    let mut ports = Vec::new();
    for _ in 0..5 {
        ports.push(text(&port(&client, &net).await?, "/id")?);
    }
    let full = client.post("/v2.0/ports", &json!({"port": {"network_id": net}})).await?;
    assert_eq!(full.expect_error(409)?.0, "IpAddressGenerationFailure");
    client.delete(&format!("/v2.0/ports/{}", ports[2])).await?.expect(204)?;
    port(&client, &net).await?;

    let vlan = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1"});
    let mut last = String::new();
    for _ in 0..SEGMENTS {
        last = text(&create(&client, "network", vlan.clone()).await?, "/id")?;
    }
    let full = client.post("/v2.0/networks", &json!({"network": vlan})).await?;
    assert!([409, 503].contains(&full.status), "{} {}", full.status, full.body);
    client.delete(&format!("/v2.0/networks/{last}")).await?.expect(204)?;
    create(&client, "network", vlan).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_projects_resources_are_not_there() -> Result {
    let server = sqlite().await?;
    let (mine, theirs) = ("4e035e8800274aa6855ec8b46189630c", "b198a1aec1a74cb1a50c16e31efe0d26");
    let (me, them) = (server.client().member_of(mine)?, server.client().member_of(theirs)?);
    let net = network(&them, "theirs").await?;
    let sub = subnet(&them, &net, "10.0.0.0/24").await?;
    let prt = text(&port(&them, &net).await?, "/id")?;
    for path in [format!("networks/{net}"), format!("subnets/{sub}"), format!("ports/{prt}")] {
        let path = format!("/v2.0/{path}");
        let member = if path.contains("networks") {
            "network"
        } else if path.contains("subnets") {
            "subnet"
        } else {
            "port"
        };
        me.get(&path).await?.expect_error(404)?;
        me.put(&path, &json!({member: {"name": "mine"}})).await?.expect_error(404)?;
        me.delete(&path).await?.expect_error(404)?;
        them.get(&path).await?.expect(200)?;
    }
    for kind in ["networks", "subnets", "ports"] {
        assert!(list(&me, &format!("/v2.0/{kind}")).await?.is_empty());
        // Asking for them by project does not help.
        assert!(list(&me, &format!("/v2.0/{kind}?project_id={theirs}")).await?.is_empty());
    }
    let stolen = me.post("/v2.0/ports", &json!({"port": {"network_id": net}})).await?;
    assert!([403, 404].contains(&stolen.status), "{} {}", stolen.status, stolen.body);
    let stolen = me.post("/v2.0/networks", &json!({"network": {"project_id": theirs}})).await?;
    assert_eq!(stolen.status, 400, "{}", stolen.body);
    for guarded in [json!({"shared": true}), json!({"provider:network_type": "vxlan"})] {
        let refused = me.post("/v2.0/networks", &json!({"network": guarded})).await?.expect_error(403)?;
        assert_eq!(refused.0, "PolicyNotAuthorized");
    }
    // What only an administrator sees is not shown.
    let own = create(&me, "network", json!({"name": "mine"})).await?;
    assert!(own.get("provider:network_type").is_none(), "{own}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_lead_nowhere_are_answered() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    for (method, path, status) in [
        (Method::GET, "/v2.0", 404),
        (Method::GET, "/v3", 404),
        (Method::GET, "/v2.0/nosuch", 404),
        (Method::GET, "/v2.0/networks/not-a-uuid", 404),
        (Method::GET, "/v2.0/networks/%00", 404),
        (Method::GET, "/v2.0/networks/..%2f..%2fetc", 404),
        (Method::GET, "/v2.0/networks/'%20OR%201=1--", 404),
        (Method::DELETE, "/v2.0/networks/bcd78dd8-5969-43f9-a319-78457bf5e280", 404),
        (Method::DELETE, "/v2.0/networks", 404),
        (Method::PATCH, "/v2.0/networks/bcd78dd8-5969-43f9-a319-78457bf5e280", 405),
        (Method::HEAD, "/v2.0/networks", 405),
        (Method::POST, "/v2.0/networks/bcd78dd8-5969-43f9-a319-78457bf5e280", 405),
    ] {
        let body = (method == Method::POST || method == Method::PATCH).then(|| b"{\"network\": {}}".to_vec());
        let answer = client.send(method.clone(), path, body).await?;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert!(answer.headers.contains_key("content-type"), "{method} {path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_leaves_nothing_half_made() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    subnet(&client, &net, "10.0.0.0/16").await?;
    let ports: Vec<Value> = (0..100).map(|_| json!({"network_id": net})).collect();
    let body = json!({"ports": ports});
    for milliseconds in [0, 1, 3, 10, 30] {
        let request = client.post("/v2.0/ports", &body);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), request).await;
    }
    // What goes on goes on by itself; then there are whole bulks only.
    let (mut count, mut same) = (usize::MAX, 0);
    while same < 5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = list(&client, "/v2.0/ports?fields=id").await?.len();
        same = if now == count { same + 1 } else { 0 };
        count = now;
    }
    assert_eq!(count % 100, 0, "{count} ports");
    Ok(())
}
