//! Ends of tunnels: agents say where theirs are and learn of all others.

use hadron_networking_tests::Cloud;
use hadron_sdk_testing::Result;
use hadron_test_support::Agent;
use serde_json::{Value, json};

fn ask(cloud: &Cloud, kind: &str, ip: &str, host: &str) -> Value {
    let asked = json!({"tunnel_ip": ip, "tunnel_type": kind, "host": host});
    cloud.peer.call("q-plugin", "tunnel_sync", asked).unwrap()["tunnels"].take()
}

fn told(cloud: &Cloud, method: &str, ip: &str) -> Value {
    let is = |event: &Value| event["method"] == method && event["arguments"]["tunnel_ip"] == ip;
    cloud.peer.event(is)["arguments"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_learns_where_tunnels_end() -> Result {
    let agents = [Agent::openvswitch("h1").told().configuration("tunnel_types", json!([]))];
    let Some(cloud) = Cloud::start("", &agents).await? else { return Ok(()) };
    let end = |ip: &str, host: &str| json!({"ip_address": ip, "host": host, "udp_port": 4789});
    let sorted = |answer: Value| {
        let mut ends = answer.as_array().unwrap().clone();
        ends.sort_by_key(Value::to_string);
        ends
    };
    assert_eq!(sorted(ask(&cloud, "vxlan", "192.0.2.1", "a")), [end("192.0.2.1", "a")]);
    assert_eq!(
        told(&cloud, "tunnel_update", "192.0.2.1"),
        json!({"tunnel_ip": "192.0.2.1", "tunnel_type": "vxlan"})
    );
    let both = [end("192.0.2.2", "b"), end("192.0.2.1", "a")];
    let mut expected = both.to_vec();
    expected.sort_by_key(Value::to_string);
    assert_eq!(sorted(ask(&cloud, "vxlan", "192.0.2.2", "b")), expected);
    // Another type has other ends, and the same again changes nothing.
    assert_eq!(ask(&cloud, "gre", "192.0.2.1", "a"), json!([{"ip_address": "192.0.2.1", "host": "a"}]));
    assert_eq!(sorted(ask(&cloud, "vxlan", "192.0.2.2", "b")), expected);
    // A host with another address.
    let moved = ask(&cloud, "vxlan", "192.0.2.3", "a");
    assert_eq!(moved.as_array().unwrap().len(), 2);
    assert_eq!(told(&cloud, "tunnel_delete", "192.0.2.1")["tunnel_type"], "vxlan");

    for (asked, says) in [
        (json!({"tunnel_type": "vxlan", "host": "a"}), "Tunnel IP value needed by the ML2 plugin"),
        (json!({"tunnel_ip": "192.0.2.9", "host": "a"}), "Network type value needed by the ML2 plugin"),
        (
            json!({"tunnel_ip": "192.0.2.9", "tunnel_type": "stt", "host": "a"}),
            "Network type value stt not supported, host: a with tunnel IP: 192.0.2.9",
        ),
        (
            json!({"tunnel_ip": "nowhere", "tunnel_type": "vxlan", "host": "a"}),
            "Tunnel IP value nowhere is no address",
        ),
    ] {
        let refused = cloud.peer.call("q-plugin", "tunnel_sync", asked).unwrap_err();
        assert!(refused.message.contains(says), "{}", refused.message);
    }
    Ok(())
}
