//! The Linux bridge agent, on hosts that are network namespaces: it wires ports,
//! and has packets pass or not as the server says.

use anyhow::{Result, ensure};
use hadron_dataplane_tests::bridged::{BridgeAgent, BridgedHost, plug, settings, tap, tunnelling};
use hadron_dataplane_tests::cloud::{Cloud, PATIENCE, Port, reaches, word};
use hadron_sdk_testing::until;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const CONFIG: &str = "[plugin.flat.config]\nflat_networks = ['*']\n\
    [plugin.vlan.config]\nnetwork_vlan_ranges = ['physnet1:100:199']\n";

async fn cloud() -> Result<Option<Cloud>> {
    Cloud::start_with(|builder| builder.mechanism_drivers(&["linuxbridge"]).config(CONFIG)).await
}

/// Starts an agent and waits until so many are known.
async fn agent(
    cloud: &Cloud,
    host: &BridgedHost,
    settings: hadron_agent::linuxbridge::Settings,
    count: usize,
) -> Result<BridgeAgent> {
    let agent = BridgeAgent::start(cloud.broker(), host, settings)?;
    until(&format!("{count} agents to report"), PATIENCE, || async {
        let agents = cloud.client().get("/v2.0/agents").await?.expect(200)?;
        let alive = agents["agents"].as_array().into_iter().flatten();
        let alive =
            alive.filter(|agent| agent["alive"] == true && agent["agent_type"] == "Linux bridge agent");
        Ok((alive.count() == count).then_some(()))
    })
    .await?;
    Ok(agent)
}

/// What a program says, line by line. It ends when this is dropped.
struct Saying {
    child: Child,
    lines: Receiver<String>,
}

impl Saying {
    fn start(command: &mut Command) -> Saying {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (output, (said, lines)) = (child.stdout.take().unwrap(), channel());
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        Saying { child, lines }
    }

    /// Whether it says something in this time; what it said before does not count.
    fn goes_on(&self, within: Duration) -> bool {
        while self.lines.try_recv().is_ok() {}
        self.lines.recv_timeout(within).is_ok()
    }
}

impl Drop for Saying {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a datagram gets from one to the other.
fn sends(from: &Port, source: u16, to: &Port, port: u16) -> bool {
    let receiver = Saying::start(&mut to.vm.inside(&["socat", "-u", &format!("UDP-RECV:{port}"), "-"]));
    let target = format!("UDP-SENDTO:{}:{port},sourceport={source},reuseaddr", to.address);
    (0..4).any(|_| {
        let mut sender = from.vm.inside(&["sh", "-c", &format!("echo hello | socat -u - {target}")]);
        ensure_runs(&mut sender);
        receiver.lines.recv_timeout(Duration::from_millis(500)).is_ok()
    })
}

fn ensure_runs(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn runs(command: &mut Command) -> bool {
    command.output().unwrap().status.success()
}

/// Everything that may say why a test failed.
fn look(host: &BridgedHost) -> String {
    [&["ip", "-d", "link"][..], &["bridge", "fdb"], &["nft", "list", "ruleset"]]
        .map(|command| host.says(command))
        .join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_wired_and_filtered() -> Result<()> {
    let Some(host) = BridgedHost::start("one") else { return Ok(()) };
    let Some(cloud) = cloud().await? else { return Ok(()) };
    let agent = agent(&cloud, &host, tunnelling("h1", [192, 0, 2, 1]), 1).await?;
    let result = groups(&cloud, &host).await;
    if result.is_err() {
        eprintln!("{}", look(&host));
    }
    agent.stop().await?;
    result
}

async fn groups(cloud: &Cloud, host: &BridgedHost) -> Result<()> {
    let client = cloud.client();
    let network = cloud.network("10.9.0.0/24").await?;
    let v6 = json!({"network_id": network, "cidr": "fd00:9::/64", "ip_version": 6, "enable_dhcp": false});
    cloud.create("subnet", v6).await?;
    let group = word(&cloud.create("security_group", json!({"name": "g"})).await?, "id")?;
    let one = plug(&client, host, "h1", &network, json!({})).await?;
    let two = plug(&client, host, "h1", &network, json!({})).await?;
    let shut = plug(&client, host, "h1", &network, json!({"security_groups": [group]})).await?;
    for port in [&one, &two, &shut] {
        cloud.has_status(&port.id, "ACTIVE").await?;
    }
    // Members of a group reach each other, and a group without rules lets nothing in.
    reaches(&one, &two, true).await?;
    reaches(&two, &one, true).await?;
    reaches(&shut, &one, false).await?;
    ensure!(!one.vm.reaches(&shut.address), "a group without rules lets something in");
    let bridge = format!("brq{}", &network[..11]);
    ensure!(host.says(&["ip", "link", "show", &bridge]).contains("mtu 1450"), "{}", look(host));

    the_sixth_version(cloud, &one, &two).await?;
    nobody_pretends(cloud, &one, &two).await?;
    rules_change(cloud, &group, &one, &shut).await?;
    ports_change(cloud, host, &one, &two, &shut).await
}

/// The same, by neighbour discovery instead of ARP.
async fn the_sixth_version(cloud: &Cloud, one: &Port, two: &Port) -> Result<()> {
    let mut addresses = Vec::new();
    for port in [one, two] {
        let shown = cloud.client().get(&format!("/v2.0/ports/{}", port.id)).await?.expect(200)?;
        let address = word(&shown["port"]["fixed_ips"][1], "ip_address")?;
        let add = format!("{address}/64");
        ensure_runs(&mut port.vm.inside(&["ip", "addr", "add", &add, "dev", "eth0", "nodad"]));
        addresses.push(address);
    }
    until("two ports to reach each other by IPv6", PATIENCE, || async {
        Ok(one.vm.reaches(&addresses[1]).then_some(()))
    })
    .await?;
    // Another's address is not answered for.
    let other = "fd00:9::bad";
    ensure_runs(&mut two.vm.inside(&["ip", "addr", "add", &format!("{other}/64"), "dev", "eth0", "nodad"]));
    ensure!(!one.vm.reaches(other), "a port answers for an address that is not its own");
    Ok(())
}

async fn nobody_pretends(cloud: &Cloud, one: &Port, two: &Port) -> Result<()> {
    let other = "10.9.0.99";
    ensure_runs(&mut one.vm.inside(&["ip", "addr", "add", &format!("{other}/24"), "dev", "eth0"]));
    let pings =
        || runs(&mut one.vm.inside(&["ping", "-c", "2", "-i", "0.3", "-W", "1", "-I", other, &two.address]));
    ensure!(!pings(), "a port sends from an address that is not its own");
    ensure!(!two.vm.reaches(other), "a port answers for an address that is not its own");
    let pairs = |pairs: Value| json!({"port": {"allowed_address_pairs": pairs}});
    cloud.change("ports", &one.id, pairs(json!([{"ip_address": other}]))).await?;
    until("a port to send from what it was allowed", PATIENCE, || async { Ok(pings().then_some(())) })
        .await?;
    cloud.change("ports", &one.id, pairs(json!([]))).await?;
    until("a port to send from its own address", PATIENCE, || async { Ok((!pings()).then_some(())) }).await?;
    ensure_runs(&mut one.vm.inside(&["ip", "addr", "del", &format!("{other}/24"), "dev", "eth0"]));

    ensure!(sends(one, 66, two, 69), "a datagram does not get through");
    ensure!(!sends(one, 67, two, 68), "a port answers as a DHCP server");

    let set = |mac: &str| ensure_runs(&mut one.vm.inside(&["ip", "link", "set", "eth0", "address", mac]));
    set("fa:16:3e:ff:ff:ff");
    ensure!(!one.vm.reaches(&two.address), "a port sends from a MAC address that is not its own");
    set(&one.mac);
    reaches(one, two, true).await
}

async fn rules_change(cloud: &Cloud, group: &str, one: &Port, shut: &Port) -> Result<()> {
    let add = async |more: Value| {
        let mut rule = json!({"security_group_id": group, "direction": "ingress"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        word(&cloud.create("security_group_rule", rule).await?, "id")
    };
    let remove = async |rule: &str| {
        let path = format!("/v2.0/security-group-rules/{rule}");
        cloud.client().delete(&path).await?.expect(204).map(drop)
    };
    let rule = add(json!({"protocol": "icmp"})).await?;
    reaches(one, shut, true).await?;
    remove(&rule).await?;
    reaches(one, shut, false).await?;
    // By the group of who asks, and by a group of addresses.
    let default = cloud.client().get(&format!("/v2.0/ports/{}", one.id)).await?.expect(200)?;
    let rule = add(json!({"remote_group_id": default["port"]["security_groups"][0]})).await?;
    reaches(one, shut, true).await?;
    remove(&rule).await?;
    reaches(one, shut, false).await?;
    let addresses = json!({"name": "a", "addresses": [format!("{}/32", one.address)]});
    let addresses = word(&cloud.create("address_group", addresses).await?, "id")?;
    let rule = add(json!({"remote_address_group_id": addresses})).await?;
    reaches(one, shut, true).await?;
    remove(&rule).await?;
    reaches(one, shut, false).await?;

    // A connection ends where its rule ends, and goes on when it is back.
    let tells = "SYSTEM:while echo tick; do sleep 0.1; done";
    let _server = Saying::start(&mut shut.vm.inside(&["socat", "TCP-LISTEN:5000,fork,reuseaddr", tells]));
    let tcp = json!({"protocol": "tcp", "port_range_min": 5000, "port_range_max": 5000});
    let rule = add(tcp.clone()).await?;
    ensure!(!one.vm.reaches(&shut.address), "a rule for TCP lets pings in");
    let connect = format!("TCP:{}:5000,connect-timeout=2,retry=10", shut.address);
    let client = Saying::start(&mut one.vm.inside(&["socat", "-u", &connect, "-"]));
    let second = Duration::from_secs(1);
    until("a connection to be made", PATIENCE, || async { Ok(client.goes_on(second).then_some(())) }).await?;
    remove(&rule).await?;
    until("a connection to be cut", PATIENCE, || async { Ok((!client.goes_on(second)).then_some(())) })
        .await?;
    add(tcp).await?;
    until("a connection to go on", PATIENCE, || async { Ok(client.goes_on(second).then_some(())) }).await?;

    // What a group lets out may be less than everything.
    let shown = cloud.client().get(&format!("/v2.0/security-groups/{group}")).await?.expect(200)?;
    let rules = shown["security_group"]["security_group_rules"].as_array().unwrap().clone();
    add(json!({"protocol": "icmp"})).await?;
    for rule in rules.iter().filter(|rule| rule["direction"] == "egress") {
        remove(&word(rule, "id")?).await?;
    }
    reaches(one, shut, true).await?;
    ensure!(client.goes_on(second), "an answer is not let out");
    let arp = || runs(&mut shut.vm.inside(&["ping", "-c", "1", "-W", "1", &one.address]));
    ensure!(!arp(), "a group lets out what no rule says");
    Ok(())
}

async fn ports_change(cloud: &Cloud, host: &BridgedHost, one: &Port, two: &Port, shut: &Port) -> Result<()> {
    let off = json!({"port": {"port_security_enabled": false, "security_groups": []}});
    cloud.change("ports", &shut.id, off).await?;
    reaches(shut, two, false).await?;
    reaches(one, shut, true).await?;
    let enabled = |is: bool| json!({"port": {"admin_state_up": is}});
    cloud.change("ports", &two.id, enabled(false)).await?;
    cloud.has_status(&two.id, "DOWN").await?;
    reaches(one, two, false).await?;
    cloud.change("ports", &two.id, enabled(true)).await?;
    cloud.has_status(&two.id, "ACTIVE").await?;
    reaches(one, two, true).await?;
    // A tap that goes.
    ensure_runs(&mut host.inside(&["ip", "link", "del", &tap(&two.id)]));
    cloud.has_status(&two.id, "DOWN").await?;
    cloud.client().delete(&format!("/v2.0/ports/{}", shut.id)).await?.expect(204)?;
    reaches(one, shut, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_carried_is_carried_while_the_agent_starts_again() -> Result<()> {
    let Some(host) = BridgedHost::start("again") else { return Ok(()) };
    let Some(cloud) = cloud().await? else { return Ok(()) };
    let started = || tunnelling("h1", [192, 0, 2, 1]);
    let agent_before = agent(&cloud, &host, started(), 1).await?;
    let client = cloud.client();
    let network = cloud.network("10.9.1.0/24").await?;
    let one = plug(&client, &host, "h1", &network, json!({})).await?;
    let two = plug(&client, &host, "h1", &network, json!({})).await?;
    let gone = plug(&client, &host, "h1", &network, json!({})).await?;
    let empty = cloud.network("10.9.2.0/24").await?;
    let last = plug(&client, &host, "h1", &empty, json!({})).await?;
    for port in [&one, &two, &gone, &last] {
        cloud.has_status(&port.id, "ACTIVE").await?;
    }
    reaches(&one, &two, true).await?;
    reaches(&one, &gone, true).await?;
    let pings = Saying::start(&mut one.vm.inside(&["ping", "-i", "0.2", "-W", "1", &two.address]));
    agent_before.stop().await?;
    client.delete(&format!("/v2.0/ports/{}", gone.id)).await?.expect(204)?;
    client.delete(&format!("/v2.0/ports/{}", last.id)).await?.expect(204)?;
    client.delete(&format!("/v2.0/networks/{empty}")).await?.expect(204)?;
    drop(last);
    ensure!(one.vm.reaches(&gone.address), "nobody is there to unplug it");
    ensure!(pings.goes_on(Duration::from_secs(1)), "pings end with the agent");

    let agent_after = agent(&cloud, &host, started(), 1).await?;
    reaches(&one, &gone, false).await?;
    let bridge = format!("brq{}", &empty[..11]);
    until("the bridge of a network that is gone to go", PATIENCE, || async {
        Ok((!runs(&mut host.inside(&["ip", "link", "show", &bridge]))).then_some(()))
    })
    .await?;
    let numbers: Vec<u32> = pings
        .lines
        .try_iter()
        .filter_map(|line| line.split("icmp_seq=").nth(1)?.split(' ').next()?.parse().ok())
        .collect();
    ensure!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "pings were lost: {numbers:?}");
    let shown = client.get(&format!("/v2.0/ports/{}", one.id)).await?.expect(200)?;
    ensure!(shown["port"]["status"] == "ACTIVE", "{shown}");
    agent_after.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_joined_by_tunnels() -> Result<()> {
    let (Some(left), Some(right)) = (BridgedHost::start("left"), BridgedHost::start("right")) else {
        return Ok(());
    };
    let Some(cloud) = cloud().await? else { return Ok(()) };
    left.wire(&right, "eth0");
    let mut agents = Vec::new();
    for (count, (host, name)) in [(&left, "left"), (&right, "right")].into_iter().enumerate() {
        let last = u8::try_from(count + 1)?;
        ensure_runs(&mut host.inside(&["ip", "addr", "add", &format!("192.0.2.{last}/24"), "dev", "eth0"]));
        agents.push(agent(&cloud, host, tunnelling(name, [192, 0, 2, last]), count + 1).await?);
    }
    let client = cloud.client();
    let (first, second) = (cloud.network("10.9.0.0/24").await?, cloud.network("10.9.0.0/24").await?);
    let near = plug(&client, &left, "left", &first, json!({})).await?;
    let far = plug(&client, &right, "right", &first, json!({})).await?;
    // Of another network, with addresses that these networks both have.
    let address = json!({"fixed_ips": [{"ip_address": "10.9.0.200"}]});
    let near_other = plug(&client, &left, "left", &second, address).await?;
    let far_other = plug(&client, &right, "right", &second, json!({})).await?;
    for port in [&near, &far, &near_other, &far_other] {
        cloud.has_status(&port.id, "ACTIVE").await?;
    }
    let result = async {
        reaches(&near, &far, true).await?;
        reaches(&far, &near, true).await?;
        reaches(&near_other, &far_other, true).await?;
        let whole = ["ping", "-c", "2", "-i", "0.3", "-W", "2", "-M", "do", "-s", "1400", &far.address];
        ensure!(runs(&mut near.vm.inside(&whole)), "a packet as large as the MTU is lost");
        ensure!(!far.vm.reaches(&near_other.address), "networks are not apart");
        ensure!(!near.vm.reaches(&near_other.address), "networks are not apart");
        Ok(())
    };
    let result = result.await;
    if result.is_err() {
        eprintln!("{}\n{}", look(&left), look(&right));
    }
    for agent in agents {
        agent.stop().await?;
    }
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_joined_by_a_physical_network() -> Result<()> {
    let (Some(left), Some(right)) = (BridgedHost::start("west"), BridgedHost::start("east")) else {
        return Ok(());
    };
    let Some(cloud) = cloud().await? else { return Ok(()) };
    left.wire(&right, "eth1");
    // One host's operator has plugged the interface in.
    ensure_runs(&mut right.inside(&["ip", "link", "add", "br-ex", "type", "bridge"]));
    ensure_runs(&mut right.inside(&["ip", "link", "set", "eth1", "master", "br-ex"]));
    ensure_runs(&mut right.inside(&["ip", "link", "set", "br-ex", "up"]));
    let mapping = |link: &str| BTreeMap::from([("physnet1".to_owned(), link.to_owned())]);
    let (mut west, mut east) = (settings("west"), settings("east"));
    west.physical_interface_mappings = mapping("eth1");
    east.bridge_mappings = mapping("br-ex");
    let agents = [agent(&cloud, &left, west, 1).await?, agent(&cloud, &right, east, 2).await?];
    let client = cloud.client();
    let flat =
        json!({"name": "flat", "provider:network_type": "flat", "provider:physical_network": "physnet1"});
    let network = word(&cloud.create("network", flat).await?, "id")?;
    let subnet = |network: &str| json!({"network_id": network, "cidr": "10.9.3.0/24", "ip_version": 4, "enable_dhcp": false});
    cloud.create("subnet", subnet(&network)).await?;
    let result = async {
        let near = plug(&client, &left, "west", &network, json!({})).await?;
        let far = plug(&client, &right, "east", &network, json!({})).await?;
        for port in [&near, &far] {
            cloud.has_status(&port.id, "ACTIVE").await?;
        }
        reaches(&near, &far, true).await?;
        reaches(&far, &near, true).await?;

        let vlan = json!({"name": "vlan", "provider:network_type": "vlan",
            "provider:physical_network": "physnet1", "provider:segmentation_id": 101});
        let network = word(&cloud.create("network", vlan).await?, "id")?;
        cloud.create("subnet", subnet(&network)).await?;
        let near = plug(&client, &left, "west", &network, json!({})).await?;
        if left.has_vlans() {
            let far = plug(&client, &right, "east", &network, json!({})).await?;
            return reaches(&near, &far, true).await;
        }
        eprintln!("\n=== SKIPPED: packets of VLAN networks (the kernel has no links for VLANs) ===\n");
        cloud.has_status(&near.id, "DOWN").await?;
        let plugged = left.says(&["ip", "link", "show", &tap(&near.id)]);
        ensure!(!plugged.contains("master"), "a tap is plugged into what leads nowhere: {plugged}");
        Ok(())
    };
    let result = result.await;
    if result.is_err() {
        eprintln!("{}\n{}", look(&left), look(&right));
    }
    for agent in agents {
        agent.stop().await?;
    }
    result
}
