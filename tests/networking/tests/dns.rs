//! Names of ports and networks.

use hadron_networking_tests::world::{self, create, network, port, subnet, text};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

const ZONE: &str = "[plugin.ml2.config]\ndns_domain = \"cloud.example.\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn ports_have_names_in_the_zone() -> Result {
    let server = world::builder().config(ZONE).start().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let four = subnet(&client, &blue, "10.5.0.0/24").await?;
    let plain = port(&client, &blue).await?;
    let address = text(&plain, "/fixed_ips/0/ip_address")?;
    let host = format!("host-{}", address.replace('.', "-"));
    assert_eq!((&plain["dns_name"], &plain["dns_domain"]), (&json!(""), &json!("")));
    assert_eq!(
        plain["dns_assignment"],
        json!([{"ip_address": address, "hostname": host, "fqdn": format!("{host}.cloud.example.")}])
    );
    let given = json!({"network_id": blue, "dns_name": "My-VM", "dns_domain": "P.org.",
        "fixed_ips": [{"ip_address": "10.5.0.9"}]});
    let named = create(&client, "port", given).await?;
    assert_eq!((&named["dns_name"], &named["dns_domain"]), (&json!("my-vm"), &json!("p.org.")));
    assert_eq!(
        named["dns_assignment"],
        json!([{"ip_address": "10.5.0.9", "hostname": "my-vm", "fqdn": "my-vm.cloud.example."}])
    );

    // Names follow the port's addresses and its name.
    let path = format!("/v2.0/ports/{}", text(&named, "/id")?);
    let change = async |change: Value| client.put(&path, &json!({ "port": change })).await;
    let moved = change(json!({"fixed_ips": [{"ip_address": "10.5.0.10"}]})).await?.expect(200)?;
    assert_eq!(moved["port"]["dns_assignment"][0]["ip_address"], "10.5.0.10");
    let renamed = change(json!({"dns_name": "fq.cloud.example."})).await?.expect(200)?;
    assert_eq!(renamed["port"]["dns_assignment"][0]["fqdn"], "fq.cloud.example.");
    let none = change(json!({"dns_name": ""})).await?.expect(200)?;
    assert_eq!(none["port"]["dns_assignment"][0]["hostname"], "host-10-5-0-10");
    for (body, says) in [
        (
            json!({"dns_name": "-a"}),
            "Invalid input for dns_name. Reason: '-a' not a valid PQDN or FQDN. Reason: Name '-a' must not start or end with a hyphen.",
        ),
        (
            json!({"dns_name": "fq.other.org."}),
            "must be equal to the dns_domain option in neutron.conf, that has been set to 'cloud.example.'.",
        ),
        (json!({"dns_name": null}), "Invalid input for operation: Input value None must be string type."),
        (json!({"dns_name": 5}), "Invalid input for operation: Input value 5 must be string type."),
        (json!({"dns_domain": "p.org"}), "Invalid input for dns_domain. Reason: 'p.org' is not a FQDN."),
    ] {
        let message = change(body.clone()).await?.expect_error(400)?.1;
        assert!(message.contains(says), "{body}: {message}");
    }
    // Addresses that go take their names with them.
    let emptied = change(json!({"fixed_ips": []})).await?.expect(200)?;
    assert_eq!(emptied["port"]["dns_assignment"], json!([]));
    client.delete(&format!("/v2.0/ports/{}", text(&plain, "/id")?)).await?.expect(204)?;
    client.delete(&format!("/v2.0/subnets/{four}")).await?.expect(204)?;
    let message = client.get("/v2.0/ports?dns_name=vm").await?.expect_error(400)?.1;
    assert_eq!(message, "['dns_name'] is invalid attribute for filtering");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_hosts_make_themselves_are_named_too() -> Result {
    let server = world::builder().config(ZONE).start().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let made = create(&client, "port", json!({"network_id": blue, "dns_name": "vm"})).await?;
    assert_eq!(made["dns_assignment"], json!([]));
    let automatic = json!({"network_id": blue, "ip_version": 6, "cidr": "fd00:1::/64", "ipv6_ra_mode": "slaac",
        "ipv6_address_mode": "slaac"});
    let six = text(&create(&client, "subnet", automatic).await?, "/id")?;
    let path = format!("/v2.0/ports/{}", text(&made, "/id")?);
    let shown = client.get(&path).await?.expect(200)?;
    let names = &shown["port"]["dns_assignment"];
    assert_eq!(names[0]["fqdn"], "vm.cloud.example.");
    assert_eq!(names[0]["ip_address"], shown["port"]["fixed_ips"][0]["ip_address"]);
    client.delete(&format!("/v2.0/subnets/{six}")).await?.expect(204)?;
    assert_eq!(client.get(&path).await?.expect(200)?["port"]["dns_assignment"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_zone_ports_have_no_names() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    subnet(&client, &blue, "10.5.0.0/24").await?;
    let given = json!({"network_id": blue, "dns_name": "vm", "fixed_ips": [{"ip_address": "10.5.0.9"}]});
    let made = create(&client, "port", given).await?;
    assert_eq!(made["dns_name"], "");
    assert_eq!(made["dns_assignment"][0]["fqdn"], "host-10-5-0-9.openstacklocal.");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_have_domains_and_subnets_say_what_is_published() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let made = create(&client, "network", json!({"name": "n", "dns_domain": "Net.Example.ORG."})).await?;
    assert_eq!(made["dns_domain"], "net.example.org.");
    let path = format!("/v2.0/networks/{}", text(&made, "/id")?);
    let change = async |domain: Value| client.put(&path, &json!({"network": {"dns_domain": domain}})).await;
    for (domain, says) in [
        (json!("a.b"), "Invalid input for dns_domain. Reason: 'a.b' is not a FQDN."),
        (json!("a..b."), "'a..b.' not a valid PQDN or FQDN. Reason: Encountered an empty component."),
        (json!(null), "Input value None must be string type."),
        (json!(5), "Input value 5 must be string type."),
    ] {
        assert!(change(domain).await?.expect_error(400)?.1.contains(says));
    }
    assert_eq!(change(json!("")).await?.expect(200)?["network"]["dns_domain"], "");
    assert_eq!(create(&client, "network", json!({})).await?["dns_domain"], "");

    let blue = network(&client, "blue").await?;
    let given =
        json!({"network_id": blue, "ip_version": 4, "cidr": "10.5.0.0/24", "dns_publish_fixed_ip": "true"});
    let made = create(&client, "subnet", given).await?;
    assert_eq!(made["dns_publish_fixed_ip"], true);
    let path = format!("/v2.0/subnets/{}", text(&made, "/id")?);
    let off = json!({"subnet": {"dns_publish_fixed_ip": false}});
    assert_eq!(client.put(&path, &off).await?.expect(200)?["subnet"]["dns_publish_fixed_ip"], false);
    let wrong = json!({"subnet": {"dns_publish_fixed_ip": "x"}});
    assert!(
        client.put(&path, &wrong).await?.expect_error(400)?.1.contains("'x' cannot be converted to boolean.")
    );
    Ok(())
}
