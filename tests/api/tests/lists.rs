//! Lists: filters, fields, order, and pages in both directions.

use hadron_api_tests::world::{create, list, network, postgres, sqlite, subnet};
use hadron_sdk_testing::{Client, Result, Server};
use serde_json::{Value, json};

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter().filter_map(|row| row["name"].as_str()).collect()
}

/// Where a page's link leads: `next` or `previous`.
fn link(server: &Server, body: &Value, rel: &str) -> Option<String> {
    let links = body["networks_links"].as_array()?;
    let found = links.iter().find(|link| link["rel"] == rel)?;
    found["href"].as_str()?.strip_prefix(server.url()).map(str::to_owned)
}

async fn seven(client: &Client) -> Result {
    for name in ["d", "b", "g", "a", "f", "c", "e"] {
        network(client, name).await?;
    }
    Ok(())
}

async fn pages(server: &Server) -> Result {
    let client = server.client();
    seven(&client).await?;
    let mut path = "/v2.0/networks?limit=3&sort_key=name&sort_dir=asc&fields=id&fields=name".to_owned();
    let mut forward = Vec::new();
    let last = loop {
        let body = client.get(&path).await?.expect(200)?;
        forward.push(names(body["networks"].as_array().map_or(&[], Vec::as_slice)).join(""));
        match link(server, &body, "next") {
            Some(next) => path = next,
            None => break body,
        }
    };
    assert_eq!(forward, ["abc", "def", "g"]);
    let previous = link(server, &last, "previous").unwrap_or_default();
    let body = client.get(&previous).await?.expect(200)?;
    assert_eq!(names(body["networks"].as_array().map_or(&[], Vec::as_slice)), ["d", "e", "f"]);
    let previous = link(server, &body, "previous").unwrap_or_default();
    let body = client.get(&previous).await?.expect(200)?;
    assert_eq!(names(body["networks"].as_array().map_or(&[], Vec::as_slice)), ["a", "b", "c"]);

    let down = list(&client, "/v2.0/networks?sort_key=name&sort_dir=desc&limit=2").await?;
    assert_eq!(names(&down), ["g", "f"]);
    assert_eq!(list(&client, "/v2.0/networks?limit=0").await?.len(), 7);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_to_each_other_in_both_directions() -> Result {
    pages(&sqlite().await?).await?;
    match postgres().await? {
        Some(server) => pages(&server).await,
        None => Ok(()),
    }
}

/// Every row once, whatever is added meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_begins_after_its_marker_whatever_was_added_before_it() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    seven(&client).await?;
    let first = client.get("/v2.0/networks?limit=3&sort_key=name&sort_dir=asc").await?.expect(200)?;
    network(&client, "aa").await?;
    let next = link(&server, &first, "next").unwrap_or_default();
    let second = client.get(&next).await?.expect(200)?;
    assert_eq!(names(second["networks"].as_array().map_or(&[], Vec::as_slice)), ["d", "e", "f"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_join_by_and_and_their_values_by_or() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    seven(&client).await?;
    let down = json!({"name": "a", "admin_state_up": false});
    create(&client, "network", down).await?;
    assert_eq!(list(&client, "/v2.0/networks?name=a").await?.len(), 2);
    assert_eq!(list(&client, "/v2.0/networks?name=a&name=b").await?.len(), 3);
    assert_eq!(list(&client, "/v2.0/networks?name=a&admin_state_up=False").await?.len(), 1);
    assert_eq!(list(&client, "/v2.0/networks?name=").await?.len(), 0);
    let only = list(&client, "/v2.0/networks?name=b&fields=name").await?;
    assert_eq!(only, [json!({"name": "b"})]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_found_by_their_addresses() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let network = network(&client, "a").await?;
    let subnet = subnet(&client, &network, "10.0.0.0/24").await?;
    for last in [9, 90] {
        let fixed = json!([{"subnet_id": subnet, "ip_address": format!("10.0.0.{last}")}]);
        create(&client, "port", json!({"network_id": network, "fixed_ips": fixed})).await?;
    }
    for (filter, found) in [
        ("fixed_ips=ip_address%3D10.0.0.9".to_owned(), 1),
        ("fixed_ips=ip_address_substr%3D.0.9".to_owned(), 2),
        (format!("fixed_ips=subnet_id%3D{subnet}"), 2),
        ("fixed_ips=ip_address%3D10.0.0.7".to_owned(), 0),
        (format!("network_id={network}"), 2),
    ] {
        assert_eq!(list(&client, &format!("/v2.0/ports?{filter}")).await?.len(), found, "{filter}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_told_so() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    for (query, status) in [
        ("limit=abc", 400),
        ("limit=-1", 400),
        ("sort_key=nosuch", 400),
        ("sort_key=name&sort_dir=up", 400),
        ("sort_key=name&sort_key=id&sort_dir=asc", 400),
        ("nosuch=1", 400),
        ("admin_state_up=maybe", 400),
        ("marker=5fd5680b-a337-4123-8c54-402117a33c0a&limit=1", 404),
        ("marker=x'y&limit=1", 404),
        ("fixed_ips=1", 400),
    ] {
        let (kind, message) = client.get(&format!("/v2.0/networks?{query}")).await?.expect_error(status)?;
        assert!(!kind.is_empty() && !message.is_empty(), "{query}");
    }
    Ok(())
}
