//! Networks whose subnets are on segments.

use hadron_networking_tests::Cloud;
use hadron_networking_tests::world::{create, list, network, sqlite, subnet, text};
use hadron_sdk_testing::{Client, Result, Server};
use hadron_test_support::Agent;
use serde_json::{Value, json};

const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

/// A network with two VLANs, and a subnet on each.
struct Routed {
    _server: Server,
    client: Client,
    network: String,
    segments: Vec<String>,
    subnets: Vec<String>,
}

impl Routed {
    async fn start() -> Result<Routed> {
        let server = sqlite().await?;
        let client = server.client();
        let vlan = |number: u32| {
            json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1",
                "provider:segmentation_id": number})
        };
        let made = create(&client, "network", json!({"segments": [vlan(3001), vlan(3002)]})).await?;
        let network = text(&made, "/id")?;
        let mut routed =
            Routed { _server: server, client, network, segments: Vec::new(), subnets: Vec::new() };
        for (number, cidr) in [(3001, "10.1.0.0/24"), (3002, "10.2.0.0/24")] {
            let path = format!("/v2.0/segments?network_id={}", routed.network);
            let rows = list(&routed.client, &path).await?;
            let row = rows.iter().find(|row| row["segmentation_id"] == number).unwrap();
            let segment = text(row, "/id")?;
            let subnet = json!({"network_id": routed.network, "ip_version": 4, "cidr": cidr,
                "segment_id": segment});
            routed.subnets.push(text(&create(&routed.client, "subnet", subnet).await?, "/id")?);
            routed.segments.push(segment);
        }
        Ok(routed)
    }

    async fn subnet(&self, place: usize) -> Result<Value> {
        let shown = self.client.get(&format!("/v2.0/subnets/{}", self.subnets[place])).await?.expect(200)?;
        Ok(shown["subnet"].clone())
    }

    async fn port(&self, more: Value) -> Result<Value> {
        create(&self.client, "port", self.with(more)).await
    }

    fn with(&self, more: Value) -> Value {
        let mut port = json!({"network_id": self.network});
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        port
    }

    async fn refused(&self, status: u16, port: Value) -> Result<(String, String)> {
        self.client.post("/v2.0/ports", &json!({"port": self.with(port)})).await?.expect_error(status)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_subnets_of_a_network_are_on_segments_or_none_is() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let (blue, green) = (network(&client, "blue").await?, network(&client, "green").await?);
    let segment = async |network: &str| {
        let rows = list(&client, &format!("/v2.0/segments?network_id={network}")).await?;
        text(&rows[0], "/id")
    };
    let (on_blue, on_green) = (segment(&blue).await?, segment(&green).await?);
    let refused = async |status: u16, segment: Value| {
        let body = json!({"subnet": {"network_id": blue, "ip_version": 4, "cidr": "10.9.0.0/24",
            "segment_id": segment}});
        Ok(client.post("/v2.0/subnets", &body).await?.expect_error(status)?.0) as Result<String>
    };
    assert_eq!(refused(404, json!(NOBODY)).await?, "SegmentNotFound");
    assert_eq!(refused(400, json!(on_green)).await?, "NetworkIdsDontMatch");
    assert_eq!(refused(400, json!("blue")).await?, "HTTPBadRequest");

    let one = subnet(&client, &blue, "10.1.0.0/24").await?;
    assert_eq!(refused(400, json!(on_blue)).await?, "SubnetsNotAllAssociatedWithSegments");
    let put = async |segment: Value| {
        client.put(&format!("/v2.0/subnets/{one}"), &json!({"subnet": {"segment_id": segment}})).await
    };
    assert_eq!(put(json!(on_green)).await?.expect_error(400)?.0, "NetworkIdsDontMatch");
    assert_eq!(put(json!(NOBODY)).await?.expect_error(404)?.0, "SegmentNotFound");
    let path = format!("/v2.0/networks/{blue}");
    assert_eq!(client.get(&path).await?.expect(200)?["network"]["l2_adjacency"], true);
    assert_eq!(put(json!(on_blue)).await?.expect(200)?["subnet"]["segment_id"], json!(on_blue));
    assert_eq!(client.get(&path).await?.expect(200)?["network"]["l2_adjacency"], false);
    put(json!(on_blue)).await?.expect(200)?;
    assert_eq!(put(Value::Null).await?.expect_error(400)?.0, "SubnetSegmentAssociationChangeNotAllowed");
    assert_eq!(put(json!(on_green)).await?.expect_error(400)?.0, "SubnetSegmentAssociationChangeNotAllowed");
    assert_eq!(refused(400, Value::Null).await?, "SubnetsNotAllAssociatedWithSegments");
    let filtered = list(&client, &format!("/v2.0/subnets?segment_id={on_blue}")).await?;
    assert_eq!(filtered.len(), 1);
    client.delete(&format!("/v2.0/subnets/{one}")).await?.expect(204)?;
    assert_eq!(client.get(&path).await?.expect(200)?["network"]["l2_adjacency"], true);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_is_put_on_a_segment_where_there_is_one_of_each() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let one = subnet(&client, &blue, "10.1.0.0/24").await?;
    let second = create(&client, "segment", json!({"network_id": blue, "network_type": "vxlan"})).await?;
    let on = json!({"subnet": {"segment_id": second["id"]}});
    let (kind, message) = client.put(&format!("/v2.0/subnets/{one}"), &on).await?.expect_error(400)?;
    assert_eq!(kind, "NoUpdateSubnetWhenMultipleSegmentsOnNetwork");
    assert!(message.starts_with(&format!("The network '{blue}' has multiple segments")), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_reach_other_segments_by_their_gateway() -> Result {
    let routed = Routed::start().await?;
    let routes = async |place: usize| Ok(routed.subnet(place).await?["host_routes"].clone()) as Result<Value>;
    assert_eq!(routes(0).await?, json!([{"destination": "10.2.0.0/24", "nexthop": "10.1.0.1"}]));
    assert_eq!(routes(1).await?, json!([{"destination": "10.1.0.0/24", "nexthop": "10.2.0.1"}]));
    let path = format!("/v2.0/subnets/{}", routed.subnets[1]);
    let put = async |changes: Value| {
        let body = routed.client.put(&path, &json!({"subnet": changes})).await?.expect(200)?;
        Ok(body["subnet"]["host_routes"].clone()) as Result<Value>
    };
    let moved =
        json!({"gateway_ip": "10.2.0.99", "allocation_pools": [{"start": "10.2.0.2", "end": "10.2.0.50"}]});
    let by_new = json!([{"destination": "10.1.0.0/24", "nexthop": "10.2.0.99"}]);
    assert_eq!(put(moved).await?, by_new);
    assert_eq!(put(json!({"host_routes": []})).await?, by_new);
    let wide = json!([{"destination": "10.0.0.0/8", "nexthop": "10.2.0.7"}]);
    assert_eq!(put(json!({"host_routes": wide})).await?, wide);
    routed.client.delete(&path).await?.expect(204)?;
    assert_eq!(routes(0).await?, json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_without_a_host_waits_for_its_addresses() -> Result {
    let routed = Routed::start().await?;
    let waiting = routed.port(json!({})).await?;
    assert_eq!((&waiting["fixed_ips"], &waiting["ip_allocation"]), (&json!([]), &json!("deferred")));
    let deferred = list(&routed.client, "/v2.0/ports?ip_allocation=deferred").await?;
    assert_eq!(deferred.len(), 1);
    let path = format!("/v2.0/ports/{}", text(&waiting, "/id")?);
    let put = async |changes: Value| routed.client.put(&path, &json!({"port": changes})).await;
    let named = put(json!({"name": "still waiting"})).await?.expect(200)?;
    assert_eq!(named["port"]["fixed_ips"], json!([]));
    let (kind, message) = put(json!({"binding:host_id": "elsewhere"})).await?.expect_error(409)?;
    assert_eq!(kind, "HostNotConnectedToAnySegment");
    assert_eq!(
        message,
        format!(
            "Host elsewhere is not connected to any segments on routed provider network '{}'.  It should be \
             connected to one.",
            routed.network
        )
    );
    let chosen = put(json!({"fixed_ips": [{"subnet_id": routed.subnets[0]}]})).await?.expect(200)?;
    assert_eq!(chosen["port"]["fixed_ips"][0]["subnet_id"], json!(routed.subnets[0]));
    assert_eq!(chosen["port"]["ip_allocation"], "deferred");
    let none = routed.port(json!({"fixed_ips": []})).await?;
    assert_eq!((&none["fixed_ips"], &none["ip_allocation"]), (&json!([]), &json!("none")));
    let plain = network(&routed.client, "plain").await?;
    let immediate = create(&routed.client, "port", json!({"network_id": plain})).await?;
    assert_eq!(immediate["ip_allocation"], "immediate");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_has_addresses_of_one_segment() -> Result {
    let routed = Routed::start().await?;
    let (one, two) = (&routed.subnets[0], &routed.subnets[1]);
    let made = routed.port(json!({"fixed_ips": [{"subnet_id": one}]})).await?;
    assert_eq!(
        (&made["fixed_ips"][0]["subnet_id"], &made["ip_allocation"]),
        (&json!(one), &json!("immediate"))
    );
    let made = routed.port(json!({"fixed_ips": [{"ip_address": "10.2.0.7"}]})).await?;
    assert_eq!(made["fixed_ips"], json!([{"subnet_id": two, "ip_address": "10.2.0.7"}]));
    let both = json!({"fixed_ips": [{"subnet_id": one}, {"subnet_id": two}]});
    let (kind, message) = routed.refused(400, both).await?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("FixedIpsSubnetsNotOnSameSegment", "Cannot allocate addresses from different segments.")
    );
    let (kind, _) = routed.refused(409, json!({"binding:host_id": "elsewhere"})).await?;
    assert_eq!(kind, "HostNotConnectedToAnySegment");
    routed.refused(400, json!({"ip_allocation": "deferred"})).await?;
    Ok(())
}

/// Hosts are connected to the segments whose physical networks their agents
/// name.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_gets_an_address_of_the_segment_that_its_hosts_agent_reaches() -> Result {
    let on = |host: &str, place: &str| {
        Agent::openvswitch(host).configuration("bridge_mappings", json!({place: "br-ex"}))
    };
    let vlans = "[plugin.vlan.config]\nnetwork_vlan_ranges = [\"left:10:20\", \"right:10:20\"]\n";
    let agents = [on("h1", "left"), on("h2", "right"), on("h3", "elsewhere")];
    let Some(cloud) = Cloud::start(vlans, &agents).await? else { return Ok(()) };
    let client = cloud.client();
    let segment = |place: &str| json!({"provider:network_type": "vlan", "provider:physical_network": place});
    let made = json!({"segments": [segment("left"), segment("right")]});
    let network = text(&create(&client, "network", made).await?, "/id")?;
    let mut subnets = Vec::new();
    for (place, cidr) in [("left", "10.1.0.0/24"), ("right", "10.2.0.0/24")] {
        let path = format!("/v2.0/segments?network_id={network}&physical_network={place}");
        let segment = text(&list(&client, &path).await?[0], "/id")?;
        let subnet = json!({"network_id": network, "ip_version": 4, "cidr": cidr, "segment_id": segment});
        subnets.push(text(&create(&client, "subnet", subnet).await?, "/id")?);
    }
    let port = |more: Value| {
        let mut port = json!({"network_id": network, "device_owner": "compute:nova"});
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "port": port })
    };
    let post = async |more: Value| client.post("/v2.0/ports", &port(more)).await;

    // On a host at once: from the segment there, and plugged into it.
    for (host, subnet) in ["h1", "h2"].into_iter().zip(&subnets) {
        let made = post(json!({"binding:host_id": host})).await?.expect(201)?["port"].take();
        assert_eq!(made["fixed_ips"][0]["subnet_id"], json!(subnet));
        assert_eq!((&made["binding:vif_type"], &made["ip_allocation"]), (&json!("ovs"), &json!("immediate")));
        let id = text(&made, "/id")?;
        cloud.peer.up(host, &[&id]).unwrap();
        cloud.status(&id, "ACTIVE").await?;
    }
    let (kind, _) = post(json!({"binding:host_id": "h3"})).await?.expect_error(409)?;
    assert_eq!(kind, "HostNotConnectedToAnySegment");
    let other = json!({"binding:host_id": "h1", "fixed_ips": [{"subnet_id": subnets[1]}]});
    assert_eq!(post(other).await?.expect_error(400)?.0, "InvalidInput");

    // Later: as soon as its host is known.
    let waiting = post(json!({})).await?.expect(201)?["port"].take();
    assert_eq!((&waiting["fixed_ips"], &waiting["ip_allocation"]), (&json!([]), &json!("deferred")));
    let path = format!("/v2.0/ports/{}", text(&waiting, "/id")?);
    let put = async |host: &str| client.put(&path, &json!({"port": {"binding:host_id": host}})).await;
    assert_eq!(put("h3").await?.expect_error(409)?.0, "HostNotConnectedToAnySegment");
    let arrived = put("h2").await?.expect(200)?["port"].take();
    assert_eq!(arrived["fixed_ips"][0]["subnet_id"], json!(subnets[1]));
    assert_eq!(
        (&arrived["binding:vif_type"], &arrived["ip_allocation"]),
        (&json!("ovs"), &json!("deferred"))
    );
    cloud.peer.up("h2", &[&text(&waiting, "/id")?]).unwrap();
    cloud.status(&text(&waiting, "/id")?, "ACTIVE").await?;
    // It moves only where its addresses work.
    let (kind, _) = put("h1").await?.expect_error(409)?;
    assert_eq!(kind, "HostNotCompatibleWithFixedIps");
    // What a host's agents say counts, whatever their type.
    let mappings = json!({"right": "eth1"});
    cloud.peer.play(&[Agent::linuxbridge("h1").configuration("interface_mappings", mappings)]);
    put("h1").await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_of_routers_are_on_segments_or_not_whatever_others_are() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let routed = network(&client, "routed").await?;
    let rows = list(&client, &format!("/v2.0/segments?network_id={routed}")).await?;
    let segment = text(&rows[0], "/id")?;
    let ask = |cidr: &str, segment: Option<&str>, types: Value| json!({"network_id": routed, "ip_version": 4, "cidr": cidr, "segment_id": segment, "service_types": types});
    let of_routers = json!(["network:routed"]);
    create(&client, "subnet", ask("10.1.0.0/24", None, of_routers.clone())).await?;
    let path = format!("/v2.0/networks/{routed}");
    assert_eq!(client.get(&path).await?.expect(200)?["network"]["l2_adjacency"], true);
    create(&client, "subnet", ask("10.2.0.0/24", Some(&segment), json!([]))).await?;
    assert_eq!(client.get(&path).await?.expect(200)?["network"]["l2_adjacency"], false);
    create(&client, "subnet", ask("10.3.0.0/24", None, of_routers.clone())).await?;
    let other = json!({"subnet": ask("10.4.0.0/24", None, json!(["network:router_gateway"]))});
    let (kind, _) = client.post("/v2.0/subnets", &other).await?.expect_error(400)?;
    assert_eq!(kind, "SubnetsNotAllAssociatedWithSegments");
    let nowhere = json!({"subnet": ask("10.4.0.0/24", Some(NOBODY), of_routers)});
    assert_eq!(client.post("/v2.0/subnets", &nowhere).await?.expect_error(404)?.0, "SegmentNotFound");
    Ok(())
}
