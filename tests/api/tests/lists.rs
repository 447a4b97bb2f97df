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

/// Whatever way a filter takes its values: conversions, repetitions, members of
/// items, and what is empty.
async fn filtered(server: &Server) -> Result {
    let client = server.client();
    let a = create(&client, "network", json!({"name": "a", "description": "x"})).await?;
    create(&client, "network", json!({"name": "", "admin_state_up": false, "mtu": 1300})).await?;
    create(&client, "network", json!({"name": "c", "shared": true})).await?;
    let id = a["id"].as_str().unwrap_or_default();
    let project = a["project_id"].as_str().unwrap_or_default();
    for (filter, found) in [
        ("name=", 1),
        ("description=", 2),
        ("description=x", 1),
        ("name=a&name=&name=nosuch", 2),
        ("admin_state_up=false", 1),
        ("admin_state_up=True&shared=1", 1),
        ("admin_state_up=0&admin_state_up=1", 3),
        ("mtu=1300", 1),
        ("mtu=1300&mtu=1450", 3),
        (format!("id={id}").as_str(), 1),
        (format!("project_id={project}").as_str(), 3),
        (format!("tenant_id={project}&name=a").as_str(), 1),
        ("tenant_id=nosuch", 0),
        ("revision_number=0", 3),
        ("status=ACTIVE", 3),
        ("provider:network_type=vxlan", 3),
        ("provider:segmentation_id=0", 0),
        ("id=no-uuid", 0),
    ] {
        assert_eq!(list(&client, &format!("/v2.0/networks?{filter}")).await?.len(), found, "{filter}");
    }
    for (query, kind, message) in [
        ("nosuch=1&x=2", "HTTPBadRequest", "['nosuch', 'x'] is invalid attribute for filtering"),
        (
            "changed_since=2020-01-01T00:00:00Z",
            "HTTPBadRequest",
            "['changed_since'] is invalid attribute for filtering",
        ),
        ("subnets=x", "HTTPBadRequest", "['subnets'] is invalid attribute for filtering"),
        (
            "shared=maybe",
            "InvalidInput",
            "Invalid input for operation: 'maybe' cannot be converted to boolean.",
        ),
    ] {
        let refused = client.get(&format!("/v2.0/networks?{query}")).await?.expect_error(400)?;
        assert_eq!(refused, (kind.to_owned(), message.to_owned()));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sort_of_filter_finds_what_fits() -> Result {
    filtered(&sqlite().await?).await?;
    match postgres().await? {
        Some(server) => filtered(&server).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_on_one_address_hold_for_one_and_the_same() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let net = network(&client, "a").await?;
    let one = subnet(&client, &net, "10.0.0.0/24").await?;
    let two = subnet(&client, &net, "10.0.1.0/24").await?;
    let at = |subnet: &str, address: &str| json!({"subnet_id": subnet, "ip_address": address});
    let both = json!([at(&one, "10.0.0.9"), at(&two, "10.0.1.8")]);
    create(&client, "port", json!({"network_id": net, "name": "p", "fixed_ips": both})).await?;
    for (filter, found) in [
        (format!("fixed_ips=subnet_id%3D{one}&fixed_ips=ip_address%3D10.0.0.9"), 1),
        // Each is there, but not of one address.
        (format!("fixed_ips=subnet_id%3D{two}&fixed_ips=ip_address%3D10.0.0.9"), 0),
        ("fixed_ips=ip_address%3D10.0.0.9&fixed_ips=ip_address%3D10.0.0.10".to_owned(), 1),
        ("fixed_ips=ip_address_substr%3D0.1.&name=p".to_owned(), 1),
        ("fixed_ips=ip_address_substr%3D0.2.".to_owned(), 0),
    ] {
        assert_eq!(list(&client, &format!("/v2.0/ports?{filter}")).await?.len(), found, "{filter}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_sorted_by_many_keys_and_shown_in_part() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    for (name, mtu) in [("b", 1300), ("a", 1300), ("a", 1200), ("c", 1400)] {
        create(&client, "network", json!({"name": name, "mtu": mtu})).await?;
    }
    let sorted =
        "/v2.0/networks?sort_key=name&sort_dir=asc&sort_key=mtu&sort_dir=desc&fields=name&fields=mtu";
    let row = |name: &str, mtu: u32| json!({"name": name, "mtu": mtu});
    assert_eq!(
        list(&client, sorted).await?,
        [row("a", 1300), row("a", 1200), row("b", 1300), row("c", 1400)]
    );
    let page = client.get(&format!("{sorted}&limit=1")).await?.expect(200)?;
    let next = link(&server, &page, "next").unwrap_or_default();
    assert!(next.contains("sort_key=mtu&sort_dir=desc&fields=name&fields=mtu&limit=1&marker="), "{next}");
    assert_eq!(client.get(&next).await?.expect(200)?["networks"], json!([row("a", 1200)]));
    assert_eq!(list(&client, "/v2.0/networks?fields=nosuch").await?, vec![json!({}); 4]);
    let whole = list(&client, "/v2.0/networks?fields=").await?;
    assert!(whole.iter().all(|row| row["id"].is_string()));
    Ok(())
}
