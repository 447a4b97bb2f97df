//! The DHCP agent with a real server, broker, switch and clients: machines have
//! the addresses of their ports, whatever becomes of the agent.

use anyhow::{Context, Result, ensure};
use hadron_dataplane_tests::cloud::{Cloud, PATIENCE, has_status, settings, word};
use hadron_dataplane_tests::dhcp::{self, Agent, Said, is_namespace};
use hadron_dataplane_tests::{Host, Interface, Vm};
use hadron_sdk_testing::until;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// Seconds in which a machine asks for an address.
const TIMES: u32 = 20;

struct Machine {
    port: String,
    address: String,
    vm: Vm,
}

impl Machine {
    /// A port for a machine of the host, which has no address yet.
    async fn start(cloud: &Cloud, host: &Host, network: &str, more: Value) -> Result<Machine> {
        let mut body = json!({"network_id": network, "binding:host_id": "h1",
            "device_owner": "compute:nova", "device_id": "vm"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let port = cloud.create("port", body).await?;
        let (id, mac) = (word(&port, "id")?, word(&port, "mac_address")?);
        let vm = host.plug(Interface { port: &id, mac: &mac, address: "" });
        Ok(Machine { port: id, address: word(&port["fixed_ips"][0], "ip_address")?, vm })
    }

    /// It asks for an address and is given its port's.
    fn lease(&self) -> Result<Said> {
        let said = self.vm.lease(TIMES)?.with_context(|| format!("{} is not given", self.address))?;
        ensure!(said["ip"] == self.address, "{} instead of {}", said["ip"], self.address);
        Ok(said)
    }
}

async fn becomes(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    until(what, PATIENCE, || {
        let is_so = is_so();
        async move { Ok(is_so.then_some(())) }
    })
    .await?;
    Ok(())
}

async fn subnet(cloud: &Cloud, network: &str, more: Value) -> Result<String> {
    let mut body = json!({"network_id": network, "ip_version": 4});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    word(&cloud.create("subnet", body).await?, "id")
}

async fn network(cloud: &Cloud, cidr: &str) -> Result<String> {
    let network = word(&cloud.create("network", json!({"name": "n"})).await?, "id")?;
    subnet(cloud, &network, json!({ "cidr": cidr })).await?;
    Ok(network)
}

/// The ports that agents serve a network through.
async fn dhcp_ports(cloud: &Cloud, network: &str) -> Result<Vec<Value>> {
    let path = format!("/v2.0/ports?network_id={network}&device_owner=network:dhcp");
    let shown = cloud.client().get(&path).await?.expect(200)?;
    Ok(shown["ports"].as_array().cloned().unwrap_or_default())
}

async fn delete(cloud: &Cloud, path: &str) -> Result<()> {
    cloud.client().delete(&format!("/v2.0/{path}")).await?.expect(204)?;
    Ok(())
}

async fn is_reported(cloud: &Cloud) -> Result<()> {
    until("the DHCP agent to report", PATIENCE, || async {
        let agents = cloud.client().get("/v2.0/agents?binary=hadron-dhcp-agent").await?.expect(200)?;
        Ok((agents["agents"][0]["alive"] == true).then_some(()))
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_given_the_addresses_of_their_ports() -> Result<()> {
    let Some(host) = Host::start("dhcp") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let switch = cloud.agent(settings(&host, "h1")).await?;
    let mut agent = Agent::start(&host, "h1", cloud.broker())?;
    let mut result = is_reported(&cloud).await;
    if result.is_ok() {
        result = scenario(&cloud, &host, &mut agent).await;
    }
    if result.is_err() {
        eprintln!("{}\n{}", agent.log(), host.flows("br-int"));
    }
    drop(agent);
    switch.stop().await?;
    result
}

async fn scenario(cloud: &Cloud, host: &Host, agent: &mut Agent) -> Result<()> {
    let network = word(&cloud.create("network", json!({"name": "n"})).await?, "id")?;
    let four = json!({"cidr": "10.9.0.0/24", "gateway_ip": "10.9.0.1", "dns_nameservers": ["192.0.2.53"],
        "host_routes": [{"destination": "198.51.100.0/24", "nexthop": "10.9.0.9"}]});
    let four = subnet(cloud, &network, four).await?;
    addresses(cloud, host, agent, &network).await?;
    restarts(cloud, host, agent, &network).await?;
    ends(cloud, agent, &network, &four).await
}

/// Machines get what their ports and subnets say.
async fn addresses(cloud: &Cloud, host: &Host, agent: &Agent, network: &str) -> Result<()> {
    let options = json!({"extra_dhcp_opts": [{"opt_name": "ntp-server", "opt_value": "192.0.2.123"}]});
    let one = Machine::start(cloud, host, network, options).await?;
    // It waits for the DHCP agent as well as for the switch's.
    has_status(&cloud.client(), &one.port, "ACTIVE").await?;
    let said = one.lease()?;
    let shown = cloud.client().get(&format!("/v2.0/networks/{network}")).await?.expect(200)?;
    let mtu = shown["network"]["mtu"].to_string();
    let routes = "198.51.100.0/24 10.9.0.9 0.0.0.0/0 10.9.0.1";
    for (name, wanted) in [
        ("mask", "24"),
        ("router", "10.9.0.1"),
        ("dns", "192.0.2.53"),
        ("mtu", mtu.as_str()),
        ("ntpsrv", "192.0.2.123"),
        ("staticroutes", routes),
        ("domain", "cloud.test"),
        ("lease", "86400"),
    ] {
        ensure!(said.get(name).is_some_and(|value| value == wanted), "{name} is not {wanted}: {said:?}");
    }
    let two = Machine::start(cloud, host, network, json!({})).await?;
    has_status(&cloud.client(), &two.port, "ACTIVE").await?;
    let said = two.lease()?;
    ensure!(!said.contains_key("ntpsrv"), "another port's option: {said:?}");
    ensure!(one.vm.reaches(&two.address), "packets do not pass");

    // A machine of no port of the network, whatever it asks.
    let mac = "02:00:00:00:00:77";
    let set = ["ip", "link", "set", "eth0", "address", mac];
    ensure!(two.vm.inside(&set).status()?.success());
    ensure!(two.vm.lease(2)?.is_none(), "a stranger is given an address");

    // An address that was another's is given to its new owner.
    delete(cloud, &format!("ports/{}", two.port)).await?;
    becomes("the lease to end", || !agent.file(network, "leases").contains(&two.address)).await?;
    let again = json!({"fixed_ips": [{"ip_address": two.address}]});
    let three = Machine::start(cloud, host, network, again).await?;
    has_status(&cloud.client(), &three.port, "ACTIVE").await?;
    three.lease()?;
    ensure!(agent.file(network, "leases").contains(&three.address));

    // A port that gets another address gets that.
    let other = json!({"port": {"fixed_ips": [{"ip_address": "10.9.0.77"}]}});
    cloud.change("ports", &three.port, other).await?;
    becomes("the new address", || agent.file(network, "host").contains("10.9.0.77")).await?;
    let moved = Machine { address: "10.9.0.77".to_owned(), ..three };
    until("the new address to be leased", PATIENCE, || async { Ok(moved.lease().is_ok().then_some(())) })
        .await?;
    Ok(())
}

/// The process that serves a network, once nothing that was done before has it
/// started anew any more.
async fn settled(agent: &Agent, network: &str) -> Result<u32> {
    until("dnsmasq to be left alone", PATIENCE, || async {
        let before = agent.dnsmasq(network);
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(before.filter(|before| agent.dnsmasq(network).as_ref() == Some(before)).map(|(id, _)| id))
    })
    .await
    .map_err(Into::into)
}

/// What serves machines outlives the agent, and the agent what serves machines.
async fn restarts(cloud: &Cloud, host: &Host, agent: &mut Agent, network: &str) -> Result<()> {
    let before = settled(agent, network).await?;
    let ports = dhcp_ports(cloud, network).await?;
    agent.kill()?;
    let stale = self::network(cloud, "10.10.0.0/24").await?;
    agent.again(host, "h1")?;
    becomes("the second network", || agent.dnsmasq(&stale).is_some()).await?;
    ensure!(agent.dnsmasq(network).is_some_and(|(id, _)| id == before), "dnsmasq was started anew");
    ensure!(dhcp_ports(cloud, network).await? == ports, "the agent has another port now");

    // What changes while it is away follows when it is back.
    agent.kill()?;
    let late = Machine::start(cloud, host, network, json!({})).await?;
    delete(cloud, &format!("networks/{stale}")).await?;
    ensure!(is_namespace(&dhcp::namespace(&stale)));
    agent.again(host, "h1")?;
    has_status(&cloud.client(), &late.port, "ACTIVE").await?;
    late.lease()?;
    becomes("the network that is gone to go", || !is_namespace(&dhcp::namespace(&stale))).await?;

    let before = settled(agent, network).await?;
    ensure!(Command::new("kill").args(["-KILL", &before.to_string()]).status()?.success());
    becomes("dnsmasq to be started again", || agent.dnsmasq(network).is_some_and(|(id, _)| id != before))
        .await?;
    late.lease()?;
    Ok(())
}

/// What is not served any more is gone.
async fn ends(cloud: &Cloud, agent: &Agent, network: &str, subnet: &str) -> Result<()> {
    let off = json!({"subnet": {"enable_dhcp": false}});
    cloud.change("subnets", subnet, off).await?;
    is_gone(cloud, agent, network).await?;
    ensure!(dhcp_ports(cloud, network).await?.is_empty(), "the agent's port is left");
    let on = json!({"subnet": {"enable_dhcp": true}});
    cloud.change("subnets", subnet, on).await?;
    becomes("dnsmasq to be back", || agent.dnsmasq(network).is_some()).await?;

    let other = self::network(cloud, "10.11.0.0/24").await?;
    becomes("the network to be served", || agent.dnsmasq(&other).is_some()).await?;
    delete(cloud, &format!("networks/{other}")).await?;
    is_gone(cloud, agent, &other).await?;
    let down = json!({"network": {"admin_state_up": false}});
    cloud.change("networks", network, down).await?;
    is_gone(cloud, agent, network).await
}

async fn is_gone(cloud: &Cloud, agent: &Agent, network: &str) -> Result<()> {
    let namespace = dhcp::namespace(network);
    becomes("namespace and dnsmasq to go", || !is_namespace(&namespace) && agent.dnsmasq(network).is_none())
        .await?;
    until("the agent's port to go", PATIENCE, || async {
        let path = format!("/v2.0/ports?network_id={network}&device_owner=network:dhcp");
        let shown = cloud.client().get(&path).await?.expect(200)?;
        Ok((shown["ports"] == json!([])).then_some(()))
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_given_addresses_of_version_6() -> Result<()> {
    let Some(host) = Host::start("dhcp6") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let switch = cloud.agent(settings(&host, "h1")).await?;
    let agent = Agent::start(&host, "h1", cloud.broker())?;
    let result = six(&cloud, &host, &agent).await;
    if result.is_err() {
        eprintln!("{}\n{}", agent.log(), host.flows("br-int"));
    }
    drop(agent);
    switch.stop().await?;
    result
}

async fn six(cloud: &Cloud, host: &Host, agent: &Agent) -> Result<()> {
    is_reported(cloud).await?;
    let network = word(&cloud.create("network", json!({"name": "n"})).await?, "id")?;
    let of = |cidr: &str, mode: &str| {
        json!({"cidr": cidr, "ip_version": 6, "ipv6_address_mode": mode,
        "ipv6_ra_mode": mode, "dns_nameservers": ["2001:db8:53::53"]})
    };
    let stateful = subnet(cloud, &network, of("2001:db8:1::/64", "dhcpv6-stateful")).await?;
    let stateless = subnet(cloud, &network, of("2001:db8:2::/64", "dhcpv6-stateless")).await?;
    let slaac = subnet(cloud, &network, of("2001:db8:3::/64", "slaac")).await?;
    let fixed = json!({"fixed_ips": [{"subnet_id": stateful, "ip_address": "2001:db8:1::77"}]});
    let machine = Machine::start(cloud, host, &network, fixed).await?;
    has_status(&cloud.client(), &machine.port, "ACTIVE").await?;
    let said = machine.vm.lease6(Duration::from_secs(30))?.context("no lease of IPv6")?;
    ensure!(said["new_ip6_address"] == "2001:db8:1::77", "{said:?}");
    ensure!(said["new_dhcp6_name_servers"] == "2001:db8:53::53", "{said:?}");

    let (before, arguments) = agent.dnsmasq(&network).context("no dnsmasq")?;
    let ranges: Vec<&String> = arguments.iter().filter(|word| word.starts_with("--dhcp-range=")).collect();
    for (subnet, wanted) in [(&stateful, true), (&stateless, true), (&slaac, false)] {
        ensure!(ranges.iter().any(|range| range.contains(subnet.as_str())) == wanted, "{ranges:?}");
    }
    // A machine more: dnsmasq reads its files again while leases are held.
    let more = Machine::start(cloud, host, &network, json!({"fixed_ips": [{"subnet_id": stateful}]})).await?;
    has_status(&cloud.client(), &more.port, "ACTIVE").await?;
    let said = more.vm.lease6(Duration::from_secs(30))?.context("no second lease of IPv6")?;
    ensure!(said["new_ip6_address"] == more.address, "{said:?}");
    ensure!(agent.dnsmasq(&network).is_some_and(|(id, _)| id == before), "dnsmasq was started anew");
    ensure!(agent.file(&network, "leases").contains("2001:db8:1::77"));
    delete(cloud, &format!("ports/{}", machine.port)).await?;
    becomes("the lease to end", || !agent.file(&network, "leases").contains("2001:db8:1::77")).await
}
