//! Bridges and their first flows on a real Open vSwitch.

use hadron_agent::bridges::{self, Kind};
use hadron_agent::objects::Objects;
use hadron_agent::openflow::{self, Flow};
use hadron_agent::openvswitch::flows::{self, Flows, Joints};
use hadron_agent::openvswitch::limits::Meters;
use hadron_agent::ovsdb::{Client, Error};
use hadron_dataplane_tests::Host;

#[tokio::test]
async fn bridges_are_joined_and_have_their_flows_however_often_they_are_made() {
    let Some(host) = Host::start("bridges") else { return };
    let run = host.run_folder();
    let database = Client::connect(&run.join("db.sock")).await.unwrap();
    let mut numbers = Vec::new();
    let mut wanted = [Flows::default(), Flows::default()];
    for _ in 0..2 {
        bridges::bridge(&database, "br-int", "netdev").await.unwrap();
        bridges::bridge(&database, "br-tun", "netdev").await.unwrap();
        bridges::port(&database, "br-int", "patch-tun", Kind::Patch("patch-int")).await.unwrap();
        let patch = bridges::port(&database, "br-tun", "patch-int", Kind::Patch("patch-tun")).await.unwrap();
        for kind in ["vxlan", "gre", "geneve"] {
            let tunnel = Kind::Tunnel(kind, "192.0.2.1", "192.0.2.2");
            numbers.push(bridges::port(&database, "br-tun", &format!("{kind}-2"), tunnel).await.unwrap());
        }
        let joints = Joints { from_tunnels: patch, ..Joints::default() };
        wanted = [
            flows::integration(&[], &joints, &Objects::default(), &Meters::default()),
            flows::tunnel(&[], &joints, None, 0xabc),
        ];
        for (bridge, flows) in ["br-int", "br-tun"].into_iter().zip(&wanted) {
            let all = flows.missing_in(&Flows::default(), 0xabc);
            openflow::change(run, bridge, &[], &all).await.unwrap();
        }
    }
    assert_eq!(numbers[..3], numbers[3..], "ports keep their numbers");

    let (integration, tunnel) = (host.flows("br-int"), host.flows("br-tun"));
    assert_eq!(integration.lines().count(), wanted[0].len(), "{integration}");
    assert_eq!(tunnel.lines().count(), wanted[1].len(), "{tunnel}");
    assert!(integration.lines().chain(tunnel.lines()).all(|l| l.contains("cookie=0xabc")));

    // A bundle with one flow that the switch refuses (no such group) changes nothing.
    let good = Flow { table: 60, priority: 9, cookie: 1, matching: "ip".into(), actions: "drop".into() };
    let bad = Flow { actions: "group:77".into(), ..good.clone() };
    let refused = openflow::change(run, "br-int", &[], &[good, bad.clone()]).await;
    assert!(matches!(refused, Err(openflow::Error::Refused(_))), "{refused:?}");
    assert_eq!(host.flows("br-int"), integration);

    // Another agent's flows go, its own stay, and one is taken away by what it matches.
    let other = Flow { cookie: 0xdef, actions: "drop".into(), ..bad.clone() };
    openflow::change(run, "br-int", &[], std::slice::from_ref(&other)).await.unwrap();
    assert!(host.flows("br-int").contains("cookie=0xdef"));
    openflow::sweep(run, "br-int", 0xabc).await.unwrap();
    assert_eq!(host.flows("br-int"), integration);
    let own = Flow { cookie: 0xabc, ..other };
    openflow::change(run, "br-int", &[], std::slice::from_ref(&own)).await.unwrap();
    openflow::change(run, "br-int", &[own], &[]).await.unwrap();
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
