//! A day in a cloud's life: a project with networks, a router, a floating IP, a
//! firewall, a balanced service, a VPN and metering, by the unmodified client; torn
//! down in the wrong order, where everything that others need stays, then in the
//! right one, after which nothing is left.

use anyhow::{Context, Result, anyhow, ensure};
use hadron_networking_tests::{Cli, Cloud};
use hadron_sdk_testing::{Client, Error};
use hadron_test_support::Agent;
use serde_json::{Value, json};

const HOST: &str = "n1";

struct Day {
    cloud: Cloud,
    cli: Cli,
}

/// The rows of a list.
async fn list(client: &Client, path: &str) -> hadron_sdk_testing::Result<Vec<Value>> {
    let body = client.get(path).await?.expect(200)?;
    let rows = body.as_object().and_then(|body| body.values().find_map(Value::as_array));
    rows.cloned().ok_or_else(|| Error::new(format!("{path} lists nothing: {body}")))
}

fn call(cloud: &Cloud, topic: &str, method: &str, arguments: Value) -> Result<Value> {
    let answer = cloud.peer.call(topic, method, arguments);
    answer.map_err(|error| anyhow!("{topic} {method}: {} {}", error.class, error.message))
}

impl Day {
    async fn start() -> Result<Option<Day>> {
        let agents = [Agent::l3(HOST), Agent::openvswitch(HOST), Agent::dhcp(HOST)];
        let Some(cloud) = Cloud::start("", &agents).await? else { return Ok(None) };
        let Some(cli) = Cli::start(&cloud.server).await? else { return Ok(None) };
        Ok(Some(Day { cloud, cli }))
    }

    fn client(&self) -> Client {
        self.cloud.client()
    }

    async fn id(&mut self, what: &str) -> Result<String> {
        self.cli.column(what, "id").await
    }

    /// The firewalls' agent says that all of them work, or are gone.
    async fn firewalls_work(&self) -> Result<()> {
        for group in list(&self.client(), "/v2.0/fwaas/firewall_groups").await? {
            let told = json!({"fwg_id": group["id"], "status": "ACTIVE"});
            call(&self.cloud, "q-firewall-plugin", "set_firewall_group_status", told)?;
        }
        Ok(())
    }

    /// The balancer's agent takes it and does what it is told.
    async fn balancer_works(&self, id: &str) -> Result<()> {
        let ask = |method: &str, arguments: Value| call(&self.cloud, "lbaas-plugin", method, arguments);
        let tree = ask("get_load_balancer", json!({"loadbalancer_id": id, "host": HOST}))?;
        ask("plug_vip", json!({"loadbalancer_id": id, "host": HOST}))?;
        let balancer = &tree["loadbalancer"];
        let of = |rows: &Value| -> Vec<Value> {
            let report = |row: &Value| {
                let gone = row["provisioning_status"] == "PENDING_DELETE";
                json!({"id": row["id"], "provisioning_status": if gone { "DELETED" } else { "ACTIVE" }})
            };
            rows.as_array().into_iter().flatten().map(report).collect()
        };
        let members: Vec<Value> = balancer["pools"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|pool| of(&pool["members"]))
            .collect();
        let statuses = json!({"loadbalancers": of(&json!([balancer])), "listeners": of(&balancer["listeners"]),
            "pools": of(&balancer["pools"]), "members": members});
        ask("update_statuses", json!({"host": HOST, "statuses": statuses}))?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_project_makes_is_gone_when_it_is_taken_down() -> Result<()> {
    let Some(mut day) = Day::start().await? else { return Ok(()) };
    let client = day.client();
    // The operator's: a way outside.
    day.cli.run("network create ext --external").await?;
    day.cli.run("subnet create exts --network ext --subnet-range 198.51.100.0/24 --no-dhcp").await?;

    // Morning: networks, a router, a machine that is reached from outside.
    day.cli.run("network create front").await?;
    day.cli.run("subnet create fronts --network front --subnet-range 10.1.0.0/24").await?;
    day.cli.run("network create back").await?;
    day.cli.run("subnet create backs --network back --subnet-range 10.2.0.0/24").await?;
    day.cli.run("router create r --external-gateway ext").await?;
    day.cli.run("router add subnet r fronts").await?;
    day.cli.run("router add subnet r backs").await?;
    day.cli
        .run(&format!("port create vm --network front --host {HOST} --device-owner compute:nova --device vm"))
        .await?;
    day.cli.run("floating ip create ext --port vm --floating-ip-address 198.51.100.77").await?;
    let path = "/v2.0/floatingips?status=ACTIVE";
    day.cloud
        .until("the floating IP to work", || async {
            Ok((list(&client, path).await?.len() == 1).then_some(()))
        })
        .await?;

    // Noon: a firewall on the side of the router, and a balanced service.
    let side =
        list(&client, "/v2.0/ports?device_owner=network:router_interface&fixed_ips=ip_address=10.2.0.1")
            .await?;
    let side = side.first().and_then(|port| port["id"].as_str()).context("no side")?.to_owned();
    day.cli
        .run("firewall group rule create --name web --protocol tcp --destination-port 80 --action allow")
        .await?;
    day.cli.run("firewall group policy create p --firewall-rule web").await?;
    day.cli.run(&format!("firewall group create --name g --port {side} --ingress-firewall-policy p")).await?;
    day.firewalls_work().await?;
    let backs = day.id("subnet show backs").await?;
    let balancer = json!({"loadbalancer": {"name": "lb", "vip_subnet_id": backs,
        "listeners": [{"name": "http", "protocol": "HTTP", "protocol_port": 80, "default_pool": {"name": "pool",
            "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN",
            "members": [{"address": "10.2.0.20", "protocol_port": 8080, "subnet_id": backs}]}}]}});
    let balancer = client.post("/v2.0/lbaas/loadbalancers", &balancer).await?.expect(201)?;
    let balancer = balancer["loadbalancer"]["id"].as_str().context("no balancer")?.to_owned();
    day.balancer_works(&balancer).await?;
    let balanced = format!("/v2.0/lbaas/loadbalancers/{balancer}");
    let shown = client.get(&balanced).await?.expect(200)?;
    assert_eq!(shown["loadbalancer"]["provisioning_status"], "ACTIVE");

    // Evening: a VPN, and counting.
    day.cli.run("vpn ike policy create ike").await?;
    day.cli.run("vpn ipsec policy create ips").await?;
    day.cli.run("vpn service create v --router r").await?;
    day.cli.run(&format!("vpn endpoint group create here --type subnet --value {backs}")).await?;
    day.cli.run("vpn endpoint group create there --type cidr --value 172.16.0.0/16").await?;
    day.cli
        .run(
            "vpn ipsec site connection create c --vpnservice v --ikepolicy ike --ipsecpolicy ips --peer-address \
             203.0.113.7 --peer-id 203.0.113.7 --psk secret --local-endpoint-group here --peer-endpoint-group there",
        )
        .await?;
    day.cli.run("network meter create m").await?;
    day.cli.run("network meter rule create m --remote-ip-prefix 10.2.0.0/24").await?;

    // Night, in the wrong order: what others need stays.
    for (command, why) in [
        ("network delete ext", "in use"),
        ("network delete back", "in use"),
        ("subnet delete backs", ""),
        ("router delete r", ""),
        ("router unset r --external-gateway", ""),
        ("router remove subnet r fronts", "floating IP"),
        ("router remove subnet r backs", ""),
        ("vpn ike policy delete ike", "failed"),
        ("vpn endpoint group delete here", "failed"),
        ("firewall group rule delete web", "is being used"),
        ("firewall group policy delete p", "is being used"),
    ] {
        let said = day.cli.refused(command).await?;
        ensure!(said.to_lowercase().contains(&why.to_lowercase()), "{command}: {said}");
    }
    client.delete(&balanced).await?.expect_error(400)?;
    client.delete(&format!("/v2.0/ports/{side}")).await?.expect_error(409)?;

    // In the right one.
    day.cli.run("network meter delete m").await?;
    day.cli.run("vpn ipsec site connection delete c").await?;
    day.cli.run("vpn endpoint group delete here there").await?;
    day.cli.run("vpn service delete v").await?;
    day.cli.run("vpn ike policy delete ike").await?;
    day.cli.run("vpn ipsec policy delete ips").await?;
    client.delete(&format!("{balanced}/cascade")).await?.expect(204)?;
    day.balancer_works(&balancer).await?;
    client.get(&balanced).await?.expect_error(404)?;
    day.cli.run("firewall group unset g --all-port").await?;
    day.firewalls_work().await?;
    day.cli.run("firewall group delete g").await?;
    day.cli.run("firewall group policy delete p").await?;
    day.cli.run("firewall group rule delete web").await?;
    day.cli.run("floating ip delete 198.51.100.77").await?;
    day.cli.run("port delete vm").await?;
    day.cli.run("router remove subnet r fronts").await?;
    day.cli.run("router remove subnet r backs").await?;
    day.cli.run("router delete r").await?;
    day.cli.run("network delete front back ext").await?;

    for what in [
        "networks",
        "subnets",
        "ports",
        "routers",
        "floatingips",
        "lbaas/loadbalancers",
        "lbaas/listeners",
        "lbaas/pools",
        "vpn/vpnservices",
        "vpn/ipsec-site-connections",
        "vpn/endpoint-groups",
        "metering/metering-labels",
        "metering/metering-label-rules",
    ] {
        let left = list(&client, &format!("/v2.0/{what}")).await?;
        ensure!(left.is_empty(), "{what}: {left:?}");
    }
    day.cloud
        .until("nothing to be left to do", || async {
            let left = day.cloud.server.cli_json(&["journal", "list"]).await?;
            Ok(left.as_array().is_some_and(Vec::is_empty).then_some(()))
        })
        .await?;
    Ok(())
}
