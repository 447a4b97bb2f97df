//! Bridges and their first flows on a real Open vSwitch.

use hadron_agent::bridges::{self, Kind};
use hadron_agent::objects::{Objects, Segment};
use hadron_agent::openflow::{self, Flow};
use hadron_agent::openvswitch::fdb::Fdb;
use hadron_agent::openvswitch::flows::{self, Flows, Joints, Wired};
use hadron_agent::openvswitch::limits::Meters;
use hadron_agent::ovsdb::{Client, Error};
use hadron_dataplane_tests::{Host, Interface};
use serde_json::json;

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
    json!({"op": "select", "table": "Nothing", "where": []})
}

/// What the server would tell, in its form.
fn object(kind: &str, data: serde_json::Value) -> serde_json::Value {
    json!({"versioned_object.name": kind, "versioned_object.data": data})
}

#[tokio::test]
async fn flows_of_every_kind_are_taken_and_carry_packets() {
    let Some(host) = Host::start("kinds") else { return };
    let run = host.run_folder();
    let database = Client::connect(&run.join("db.sock")).await.unwrap();
    for bridge in ["br-int", "br-tun"] {
        bridges::bridge(&database, bridge, "netdev").await.unwrap();
    }
    let inner = bridges::port(&database, "br-int", "patch-tun", Kind::Patch("patch-int")).await.unwrap();
    let outer = bridges::port(&database, "br-tun", "patch-int", Kind::Patch("patch-tun")).await.unwrap();
    let far = std::net::IpAddr::from([192, 0, 2, 2]);
    let tunnel = Kind::Tunnel("vxlan", "192.0.2.1", "192.0.2.2");
    let number = bridges::port(&database, "br-tun", "vxlan-2", tunnel).await.unwrap();
    let mut joints = Joints { to_tunnels: inner, from_tunnels: outer, ..Joints::default() };
    joints.tunnels.insert("vxlan".to_owned(), [(far, number)].into());

    let mut objects = Objects::default();
    let rule = |group: &str, direction: &str, more: serde_json::Value| {
        let mut data = json!({"id": format!("{group}{direction}"), "security_group_id": group,
            "direction": direction, "ethertype": "IPv4"});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object("SecurityGroupRule", data)
    };
    // Members of both groups send anything; those of one are pinged by the other's.
    for (group, stateful, other) in [("stateful", true, "stateless"), ("stateless", false, "stateful")] {
        let rules = [
            rule(group, "egress", json!({"protocol": null})),
            rule(group, "ingress", json!({"protocol": "icmp", "remote_group_id": other})),
        ];
        let group = json!({"id": group, "stateful": stateful, "rules": rules});
        assert!(objects.apply(&object("SecurityGroup", group), false));
    }
    let limit = |kind: &str, name: &str, way: &str| {
        object(kind, json!({format!("max_{name}"): 200, format!("max_burst_{name}"): 0, "direction": way}))
    };
    let rules = [
        limit("QosBandwidthLimitRule", "kbps", "ingress"),
        limit("QosBandwidthLimitRule", "kbps", "egress"),
        limit("QosPacketRateLimitRule", "kpps", "ingress"),
        limit("QosPacketRateLimitRule", "kpps", "egress"),
        object("QosDscpMarkingRule", json!({"dscp_mark": 10})),
    ];
    assert!(objects.apply(&object("QosPolicy", json!({"id": "slow", "rules": rules})), false));
    let plugged = [
        ("stateful", json!(["stateful"]), true),
        ("stateless", json!(["stateless"]), true),
        ("both-kinds", json!(["stateful", "stateless"]), true),
        ("unsecured", json!([]), false),
    ];
    let mut vms = Vec::new();
    for (place, (name, groups, is_secured)) in (1_u8..).zip(&plugged) {
        let (mac, address) = (format!("fa:16:3e:00:00:0{place}"), format!("10.9.0.{place}"));
        let port = json!({"id": name, "network_id": "n", "mac_address": mac, "admin_state_up": true,
            "status": "DOWN", "fixed_ips": [object("IPAllocation", json!({"ip_address": address}))],
            "security": object("PortSecurity", json!({"port_security_enabled": is_secured})),
            "security_group_ids": groups});
        assert!(objects.apply(&object("Port", port), false));
        let id = format!("{name}-00000000");
        let vm = host.plug(Interface { port: &id, mac: &mac, address: &format!("{address}/24") });
        let tap = format!("tap{}", &id[..11]);
        host.vsctl(&["set", "port", &tap, "tag=1"]);
        let number: u16 = host.vsctl(&["get", "interface", &tap, "ofport"]).trim().parse().unwrap();
        vms.push((number, *name, vm));
    }
    let segment =
        Segment { network_type: "vxlan".into(), physical_network: None, segmentation_id: Some(100) };
    let mut fdb = Fdb::default();
    let listed = [["00:00:00:00:00:00", "0.0.0.0"], ["fa:16:3e:00:00:99", "10.9.0.99"]];
    let told = json!({"n": {"ports": {"192.0.2.2": listed}}});
    fdb.apply("add_fdb_entries", &told, std::net::IpAddr::from([192, 0, 2, 1]));
    let population = Some(flows::Population { fdb: &fdb, answers_arp: true });

    assert!(openflow::most_meters(run, "br-int").await.unwrap() > 100);
    let mut meters = Meters::default();
    let mut before = Flows::default();
    for policy in [None, Some("slow".to_owned())] {
        objects.ports.values_mut().for_each(|port| port.policy.clone_from(&policy));
        let wired: Vec<Wired<'_>> = vms
            .iter()
            .map(|(number, name, _)| Wired {
                number: *number,
                vlan: 1,
                port: &objects.ports[*name],
                segment: &segment,
            })
            .collect();
        meters.count(&wired, &objects);
        for (number, meter) in meters.all() {
            for is_there in [false, true] {
                let meter = meter.to_string();
                openflow::set_meter(run, "br-int", *number, &meter, is_there).await.unwrap();
            }
        }
        let wanted = flows::integration(&wired, &joints, &objects, &meters);
        let (surplus, missing) = (wanted.surplus_in(&before, 1), wanted.missing_in(&before, 1));
        openflow::change(run, "br-int", &surplus, &missing).await.unwrap();
        assert_eq!(host.flows("br-int").lines().count(), wanted.len());
        before = wanted;
        let all = flows::tunnel(&wired, &joints, population, 1).missing_in(&Flows::default(), 1);
        openflow::change(run, "br-tun", &[], &all).await.unwrap();

        let reaches = |from: usize, to: usize| vms[from].2.reaches(&format!("10.9.0.{}", to + 1));
        // An answer to whom no rule lets it reach: the groups name each other.
        assert!(reaches(0, 1) && reaches(1, 0), "{}", host.flows("br-int"));
        // Groups that name no port without groups: it is let in nowhere, and answers.
        assert!(reaches(0, 3) && !reaches(3, 0) && !reaches(3, 1));
        assert!(!reaches(1, 3), "an answer to a member of a stateless group was let in");
        assert!(reaches(0, 2) && reaches(2, 0) && reaches(1, 2));
        // It is answered here who has this address.
        assert!(!reaches(0, 98));
        let known = vms[0].2.inside(&["ip", "neigh", "show", "10.9.0.99"]).output().unwrap();
        assert!(String::from_utf8(known.stdout).unwrap().contains("fa:16:3e:00:00:99"));
    }
    let numbers = openflow::meters(run, "br-int").await.unwrap();
    assert_eq!(numbers, meters.all().keys().copied().collect());
    for number in numbers {
        openflow::remove_meter(run, "br-int", number).await.unwrap();
    }
    assert!(!host.flows("br-int").contains("meter:"), "flows go with their meters");
}
