//! Bridges and their first flows on a real Open vSwitch.

use hadron_agent::bridges::{self, Kind};
use hadron_agent::openflow::{self, Flow};
use hadron_agent::ovsdb::{Client, Error};
use hadron_dataplane_tests::Host;

#[tokio::test]
async fn bridges_are_joined_and_have_their_flows_however_often_they_are_made() {
    let Some(host) = Host::start("bridges") else { return };
    let run = host.run_folder();
    let database = Client::connect(&run.join("db.sock")).await.unwrap();
    let mut numbers = Vec::new();
    for _ in 0..2 {
        bridges::bridge(&database, "br-int", "netdev").await.unwrap();
        bridges::bridge(&database, "br-tun", "netdev").await.unwrap();
        bridges::port(&database, "br-int", "patch-tun", Kind::Patch("patch-int")).await.unwrap();
        let patch = bridges::port(&database, "br-tun", "patch-int", Kind::Patch("patch-tun")).await.unwrap();
        for kind in ["vxlan", "gre", "geneve"] {
            let tunnel = Kind::Tunnel(kind, "192.0.2.1", "192.0.2.2");
            numbers.push(bridges::port(&database, "br-tun", &format!("{kind}-2"), tunnel).await.unwrap());
        }
        openflow::write(run, "br-int", &bridges::integration(0xabc)).await.unwrap();
        openflow::write(run, "br-tun", &bridges::tunnel(0xabc, patch)).await.unwrap();
    }
    assert_eq!(numbers[..3], numbers[3..], "ports keep their numbers");

    let (integration, tunnel) = (host.flows("br-int"), host.flows("br-tun"));
    assert_eq!(integration.lines().count(), bridges::integration(0).len(), "{integration}");
    assert_eq!(tunnel.lines().count(), bridges::tunnel(0, 1).len(), "{tunnel}");
    assert!(integration.lines().chain(tunnel.lines()).all(|l| l.contains("cookie=0xabc")));

    // A bundle with one flow that the switch refuses (no such group) changes nothing.
    let good = Flow { table: 60, priority: 9, cookie: 1, matching: "ip".into(), actions: "drop".into() };
    let bad = Flow { actions: "group:77".into(), ..good.clone() };
    let refused = openflow::write(run, "br-int", &[good, bad]).await;
    assert!(matches!(refused, Err(openflow::Error::Refused(_))), "{refused:?}");
    assert_eq!(host.flows("br-int"), integration);

    // A tunnel to no address is refused by the switch, and said so.
    let nowhere = bridges::port(&database, "br-tun", "x", Kind::Tunnel("vxlan", "192.0.2.1", "")).await;
    assert!(matches!(nowhere, Err(Error::Unexpected(_))), "{nowhere:?}");
    let operation = database.transact(vec![no_such_table()]).await;
    assert!(matches!(operation, Err(Error::Refused(_))), "{operation:?}");
}

fn no_such_table() -> serde_json::Value {
    serde_json::json!({"op": "select", "table": "Nothing", "where": []})
}
