//! Each kind of rule of a security group, allowed and refused, in both directions;
//! and senders who pretend to be somebody else.

use anyhow::{Context, Result, ensure};
use hadron_dataplane_tests::cloud::{Cloud, PATIENCE, Port, create, reaches, settings, word};
use hadron_dataplane_tests::{Host, Vm};
use hadron_sdk_testing::{Client, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::{Child, Stdio};

/// What one end tries of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Probe {
    Ping,
    Ping6,
    Tcp(u16),
    Tcp6(u16),
    Udp(u16),
}

use Probe::{Ping, Ping6, Tcp, Tcp6, Udp};

const PROBES: [Probe; 6] = [Ping, Ping6, Tcp(80), Tcp(1500), Tcp6(80), Udp(53)];

/// A machine that answers all probes.
struct End {
    port: Port,
    address6: String,
    answering: Vec<Child>,
}

impl Drop for End {
    fn drop(&mut self) {
        for child in &mut self.answering {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl End {
    async fn start(cloud: &Cloud, host: &Host, network: &str, body: Value) -> Result<End> {
        let port = cloud.plug(host, "h1", network, body).await?;
        let shown = cloud.client().get(&format!("/v2.0/ports/{}", port.id)).await?.expect(200)?;
        let fixed = shown["port"]["fixed_ips"].as_array().context("a port without addresses")?;
        let of6 = |ip: &&Value| ip["ip_address"].as_str().is_some_and(|ip| ip.contains(':'));
        let address6 = word(fixed.iter().find(of6).context("no address of version 6")?, "ip_address")?;
        let add = ["ip", "addr", "add", &format!("{address6}/64"), "dev", "eth0", "nodad"];
        ensure!(port.vm.inside(&add).status()?.success(), "no address of version 6 is added");
        let mut answering = Vec::new();
        for listen in ["TCP-LISTEN:80", "TCP-LISTEN:1500", "TCP6-LISTEN:80,ipv6only=1"] {
            let listen = format!("{listen},fork,reuseaddr");
            answering.push(quiet(&port.vm, &["socat", "-u", &listen, "OPEN:/dev/null"])?);
        }
        answering.push(quiet(&port.vm, &["socat", "UDP-LISTEN:53,fork", "PIPE"])?);
        Ok(End { port, address6, answering })
    }

    /// Whether a probe of the other succeeds.
    fn succeeds(&self, probe: Probe, to: &End) -> bool {
        let (four, six) = (&to.port.address, &to.address6);
        let connects = |to: String| format!("socat -u OPEN:/dev/null {to},connect-timeout=1");
        let words = match probe {
            Ping => format!("ping -c 1 -W 1 {four}"),
            Ping6 => format!("ping -c 1 -W 1 {six}"),
            Tcp(port) => connects(format!("TCP:{four}:{port}")),
            Tcp6(port) => connects(format!("TCP6:[{six}]:{port}")),
            Udp(port) => format!("echo x | socat -t 1 - UDP:{four}:{port} | grep -q x"),
        };
        self.port
            .vm
            .inside(&["sh", "-c", &format!("{words} > /dev/null 2>&1")])
            .status()
            .is_ok_and(|s| s.success())
    }

    /// Of all probes those that succeed.
    fn reaches(&self, to: &End) -> BTreeSet<Probe> {
        std::thread::scope(|scope| {
            let tried = PROBES.map(|probe| (probe, scope.spawn(move || self.succeeds(probe, to))));
            tried.into_iter().filter_map(|(probe, tried)| tried.join().unwrap().then_some(probe)).collect()
        })
    }
}

/// What each reaches of the other, tried at the same time.
fn both(one: &End, other: &End) -> (BTreeSet<Probe>, BTreeSet<Probe>) {
    std::thread::scope(|scope| {
        let back = scope.spawn(|| other.reaches(one));
        (one.reaches(other), back.join().unwrap())
    })
}

fn quiet(vm: &Vm, command: &[&str]) -> Result<Child> {
    Ok(vm.inside(command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// A rule, and what it lets through.
fn rules(peers_group: &str, peers_addresses: &str) -> Vec<(Value, Vec<Probe>)> {
    let v4 = vec![Ping, Tcp(80), Tcp(1500), Udp(53)];
    vec![
        (json!({}), v4.clone()),
        (json!({"ethertype": "IPv6"}), vec![Ping6, Tcp6(80)]),
        (json!({"protocol": "icmp"}), vec![Ping]),
        (json!({"protocol": "icmp", "port_range_min": 8, "port_range_max": 0}), vec![Ping]),
        (json!({"protocol": "icmp", "port_range_min": 13}), vec![]),
        (json!({"protocol": "ipv6-icmp", "ethertype": "IPv6"}), vec![Ping6]),
        (json!({"protocol": "tcp"}), vec![Tcp(80), Tcp(1500)]),
        (json!({"protocol": "6"}), vec![Tcp(80), Tcp(1500)]),
        (json!({"protocol": "tcp", "port_range_min": 80, "port_range_max": 80}), vec![Tcp(80)]),
        (json!({"protocol": "tcp", "port_range_min": 1001, "port_range_max": 1999}), vec![Tcp(1500)]),
        (
            json!({"protocol": "tcp", "ethertype": "IPv6", "port_range_min": 80, "port_range_max": 80}),
            vec![Tcp6(80)],
        ),
        (json!({"protocol": "udp", "port_range_min": 53, "port_range_max": 53}), vec![Udp(53)]),
        (json!({"remote_ip_prefix": "10.9.0.0/24"}), v4.clone()),
        (json!({"remote_ip_prefix": "10.10.0.0/24"}), vec![]),
        (json!({"protocol": "tcp", "remote_group_id": peers_group}), vec![Tcp(80), Tcp(1500)]),
        (json!({"remote_address_group_id": peers_addresses}), v4),
    ]
}

async fn remove_rules(client: &Client, group: &str) -> Result<()> {
    let rules =
        client.get(&format!("/v2.0/security-group-rules?security_group_id={group}")).await?.expect(200)?;
    for rule in rules["security_group_rules"].as_array().into_iter().flatten() {
        let path = format!("/v2.0/security-group-rules/{}", word(rule, "id")?);
        client.delete(&path).await?.expect(204)?;
    }
    Ok(())
}

/// A network with both versions of addresses.
async fn network(cloud: &Cloud) -> Result<String> {
    let network = cloud.network("10.9.0.0/24").await?;
    let six = json!({"network_id": network, "cidr": "fd00:9::/64", "ip_version": 6, "enable_dhcp": false});
    cloud.create("subnet", six).await?;
    Ok(network)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_rule_lets_through_what_it_says_and_nothing_else() -> Result<()> {
    let Some(host) = Host::start("rules") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let agent = cloud.agent(settings(&host, "h1")).await?;
    let client = cloud.client();
    let network = network(&cloud).await?;
    let group = word(&cloud.create("security_group", json!({"name": "tried"})).await?, "id")?;
    let open = word(&cloud.create("security_group", json!({"name": "peers"})).await?, "id")?;
    for ethertype in ["IPv4", "IPv6"] {
        let rule = json!({"security_group_id": open, "direction": "ingress", "ethertype": ethertype});
        create(&client, "security_group_rule", rule).await?;
    }
    remove_rules(&client, &group).await?;
    let peer = End::start(&cloud, &host, &network, json!({"security_groups": [open]})).await?;
    let tried = End::start(&cloud, &host, &network, json!({"security_groups": [group]})).await?;
    let addresses = json!({"name": "peers", "addresses": [format!("{}/32", peer.port.address)]});
    let addresses = word(&cloud.create("address_group", addresses).await?, "id")?;
    for end in [&peer, &tried] {
        cloud.has_status(&end.port.id, "ACTIVE").await?;
    }
    for (rule, passes) in rules(&open, &addresses) {
        let passes: BTreeSet<Probe> = passes.into_iter().collect();
        let nothing = BTreeSet::new();
        // (what goes out of the port that is tried, what comes in)
        for (direction, (out, into)) in [("egress", (&passes, &nothing)), ("ingress", (&nothing, &passes))] {
            let mut body = rule.clone();
            body["security_group_id"] = json!(group);
            body["direction"] = json!(direction);
            let id = word(&create(&client, "security_group_rule", body.clone()).await?, "id")?;
            let what = format!("{body} to let {out:?} out and {into:?} in");
            until(&what, PATIENCE, || async {
                let (went, came) = both(&tried, &peer);
                Ok((went == *out && came == *into).then_some(()))
            })
            .await?;
            client.delete(&format!("/v2.0/security-group-rules/{id}")).await?.expect(204)?;
        }
    }
    until("nothing to pass without a rule", PATIENCE, || async {
        let (went, came) = both(&tried, &peer);
        Ok((went.is_empty() && came.is_empty()).then_some(()))
    })
    .await?;
    agent.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_taken_for_somebody_else() -> Result<()> {
    let Some(host) = Host::start("spoof") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let agent = cloud.agent(settings(&host, "h1")).await?;
    let network = network(&cloud).await?;
    let liar = End::start(&cloud, &host, &network, json!({})).await?;
    let peer = End::start(&cloud, &host, &network, json!({})).await?;
    for end in [&liar, &peer] {
        cloud.has_status(&end.port.id, "ACTIVE").await?;
    }
    reaches(&liar.port, &peer.port, true).await?;
    let run = |command: &str| -> Result<bool> {
        let words: Vec<&str> = command.split(' ').collect();
        Ok(liar.port.vm.inside(&words).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
    };
    // Addresses that are not its own; the peer would answer.
    for (prefix, own, to) in [("24", "10.9.0.200", &peer.port.address), ("64", "fd00:9::200", &peer.address6)]
    {
        ensure!(run(&format!("ip addr add {own}/{prefix} dev eth0"))?, "an address is not added");
        ensure!(!run(&format!("ping -c 2 -i 0.3 -W 1 -I {own} {to}"))?, "it is taken for {own}");
    }
    // Allowed to it, the address is its own.
    let pairs = json!({"port": {"allowed_address_pairs": [{"ip_address": "10.9.0.200"}]}});
    cloud.change("ports", &liar.port.id, pairs).await?;
    until("an allowed address to pass", PATIENCE, || async {
        let ping = format!("ping -c 1 -W 1 -I 10.9.0.200 {}", peer.port.address);
        Ok(run(&ping).unwrap_or(false).then_some(()))
    })
    .await?;
    // Offers of addresses are a DHCP server's to make.
    let catch = ["timeout", "4", "socat", "-u", "UDP-RECV:68", "STDOUT"];
    let caught = peer.port.vm.inside(&catch).stdout(Stdio::piped()).spawn()?;
    let offer = format!("echo offer | socat -u - UDP-SENDTO:{}:68,bind=:67", peer.port.address);
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let _ = liar.port.vm.inside(&["sh", "-c", &offer]).status()?;
    }
    let caught = caught.wait_with_output()?.stdout;
    ensure!(caught.is_empty(), "it serves addresses: {}", String::from_utf8_lossy(&caught));
    // Another MAC address, at last: nothing passes any more.
    ensure!(run("ip link set eth0 address fa:16:3e:ff:ff:01")?, "the MAC address stays");
    ensure!(
        !run(&format!("ping -c 2 -i 0.3 -W 1 {}", peer.port.address))?,
        "it passes with another MAC address"
    );
    agent.stop().await
}
