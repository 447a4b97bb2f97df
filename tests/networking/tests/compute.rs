//! The network service as Nova uses it: the requests that it sends for an
//! instance, and the events that it waits for. `examples/rust-switch` binds the
//! ports of two hosts, without an agent that would report; in the last tests
//! stand-in agents plug ports in and say so.

use hadron_networking_tests::Cloud;
use hadron_networking_tests::compute::{Mood, Nova};
use hadron_networking_tests::world::{self, create, list, network, subnet, text};
use hadron_sdk_testing::{Client, Plugin, Result, Server, build_guest, until};
use hadron_test_support::Agent;
use hadron_tests_drivers::Switch;
use serde_json::{Value, json};
use std::time::Duration;

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/rust-switch");
const NOTIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/nova-notifier");

const INSTANCE: &str = "08e19d4f-0551-4874-bf7e-649ecef5cf86";

const PLUGGED: &str = "network-vif-plugged";
const UNPLUGGED: &str = "network-vif-unplugged";
const CHANGED: &str = "network-changed";
const DELETED: &str = "network-vif-deleted";

async fn notifier(nova: &Nova) -> Result<Plugin> {
    let notifier = Plugin::new("nova-notifier", build_guest(NOTIFIER).await?);
    Ok(notifier.service().http(nova.url()).config("endpoint", nova.endpoint()))
}

struct World {
    server: Server,
    nova: Nova,
    _switch: Switch,
    /// As Nova sends requests: an administrator that is a service.
    client: Client,
    network: String,
}

impl World {
    async fn start() -> Result<World> {
        let (switch, nova) = (Switch::start().await?, Nova::start().await?);
        let driver = Plugin::new("rust-switch", build_guest(DRIVER).await?)
            .http(switch.url())
            .config("endpoint", switch.endpoint())
            .config("hosts", json!(["rack-1", "rack-2"]));
        let notifier = notifier(&nova).await?.secret("token", "env:NOVA_TOKEN");
        let server = Server::builder()
            .mechanism_drivers(&[])
            .plugin(driver)
            .plugin(notifier)
            .environment("NOVA_TOKEN", "t0ken")
            .start()
            .await?;
        let client = server.client().header("x-roles", "admin,service,member,reader")?;
        let network = network(&client, "n").await?;
        subnet(&client, &network, "10.0.0.0/24").await?;
        Ok(World { server, nova, _switch: switch, client, network })
    }

    /// An instance's port, on a host or none.
    async fn port(&self, host: &str) -> Result<String> {
        let body = json!({"network_id": self.network, "device_id": INSTANCE, "device_owner": "compute:nova",
            "binding:host_id": host});
        text(&create(&self.client, "port", body).await?, "/id")
    }

    async fn put(&self, port: &str, body: Value) -> Result<Value> {
        let answer = self.client.put(&format!("/v2.0/ports/{port}"), &json!({"port": body})).await?;
        Ok(answer.expect(200)?["port"].clone())
    }

    async fn delete(&self, port: &str) -> Result {
        self.client.delete(&format!("/v2.0/ports/{port}")).await?.expect(204).map(drop)
    }
}

#[tokio::test]
async fn an_instance_is_booted_moved_and_deleted_by_the_requests_nova_sends() -> Result {
    let world = World::start().await?;
    let client = &world.client;

    // Boot: the networks that it may use, a port, and the port on a host.
    let networks = list(client, &format!("/v2.0/networks?id={}", world.network)).await?;
    assert_eq!(networks.len(), 1);
    client.get("/v2.0/extensions").await?.expect(200)?;
    let body = json!({"network_id": world.network, "admin_state_up": true, "device_id": INSTANCE});
    let port = create(client, "port", body).await?;
    let id = text(&port, "/id")?;
    assert_eq!(port["binding:vif_type"], "unbound");
    assert_eq!(world.nova.events(), [] as [Value; 0], "nothing happened yet");
    let bound = world
        .put(&id, json!({"device_owner": "compute:az1", "binding:host_id": "rack-1", "binding:profile": {}}))
        .await?;
    assert_eq!((&bound["binding:vif_type"], &bound["status"]), (&json!("other"), &json!("ACTIVE")));
    world.nova.hears(&id, &[PLUGGED, CHANGED]).await?;
    let plugged = &world.nova.events()[0];
    assert_eq!(plugged, &json!({"name": PLUGGED, "server_uuid": INSTANCE, "tag": id, "status": "completed"}));
    assert!(world.nova.tokens().iter().all(|token| token == "t0ken"), "the secret is sent");
    assert!(!world.server.log().contains("t0ken"), "the secret is not logged");

    // What its cache of the instance's network is made of.
    let of_instance =
        list(client, &format!("/v2.0/ports?device_id={INSTANCE}&tenant_id={}", text(&port, "/project_id")?))
            .await?;
    assert_eq!(of_instance.len(), 1);
    let address = text(&of_instance[0], "/fixed_ips/0/ip_address")?;
    let found = list(client, &format!("/v2.0/ports?fixed_ips=ip_address%3D{address}")).await?;
    assert_eq!(found[0]["id"], json!(id));
    let subnet = text(&of_instance[0], "/fixed_ips/0/subnet_id")?;
    assert_eq!(list(client, &format!("/v2.0/subnets?id={subnet}")).await?.len(), 1);

    // Live migration: a binding on the destination, activated when the
    // instance runs there, and the source's taken away.
    let bindings = format!("/v2.0/ports/{id}/bindings");
    let wanted =
        json!({"binding": {"host": "rack-2", "vnic_type": "normal", "profile": {"migrating_to": "rack-2"}}});
    let made = client.post(&bindings, &wanted).await?.expect(201)?;
    assert_eq!(made["binding"]["status"], "INACTIVE");
    assert_eq!(client.get(&format!("{bindings}/rack-2")).await?.expect(200)?, made);
    client.put(&format!("{bindings}/rack-2/activate"), &json!({})).await?.expect(200)?;
    client.delete(&format!("{bindings}/rack-1")).await?.expect(204)?;
    let moved = client.get(&format!("/v2.0/ports/{id}")).await?.expect(200)?;
    assert_eq!(moved["port"]["binding:host_id"], "rack-2");
    world.put(&id, json!({"binding:profile": {}, "binding:host_id": "rack-2"})).await?;

    // Deleted with the instance.
    world.delete(&id).await?;
    until("Nova to hear of the deletion", Duration::from_secs(20), || async {
        Ok((world.nova.heard(&id).last().is_some_and(|name| name == DELETED)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_port_is_attached_and_detached_by_the_requests_nova_sends() -> Result {
    let world = World::start().await?;
    let port = create(&world.client, "port", json!({"network_id": world.network})).await?;
    let id = text(&port, "/id")?;
    let attach = json!({"device_id": INSTANCE, "device_owner": "compute:nova", "binding:host_id": "rack-1"});
    world.put(&id, attach.clone()).await?;
    world.nova.hears(&id, &[PLUGGED, CHANGED]).await?;
    let detach = json!({"device_id": "", "device_owner": "", "binding:host_id": "", "binding:profile": {}});
    let detached = world.put(&id, detach).await?;
    assert_eq!((&detached["binding:vif_type"], &detached["status"]), (&json!("unbound"), &json!("DOWN")));
    world.put(&id, json!({"name": "free"})).await?;
    world.put(&id, attach).await?;
    world.nova.hears(&id, &[PLUGGED, CHANGED, PLUGGED, CHANGED]).await
}

#[tokio::test]
async fn a_port_that_loses_its_host_is_unplugged_and_one_that_is_born_active_is_plugged() -> Result {
    let world = World::start().await?;
    let port = world.port("rack-1").await?;
    world.nova.hears(&port, &[PLUGGED]).await?;
    world.put(&port, json!({"binding:host_id": ""})).await?;
    world.nova.hears(&port, &[PLUGGED, UNPLUGGED, CHANGED]).await?;
    world.delete(&port).await?;
    world.nova.hears(&port, &[PLUGGED, UNPLUGGED, CHANGED, DELETED]).await?;

    let router = json!({"network_id": world.network, "device_id": INSTANCE, "device_owner": "network:dhcp",
        "binding:host_id": "rack-1"});
    let router = text(&create(&world.client, "port", router).await?, "/id")?;
    world.delete(&router).await?;
    assert_eq!(world.nova.heard(&router), [] as [&str; 0], "no instance has it");
    Ok(())
}

#[tokio::test]
async fn nova_hears_in_order_what_happened_while_it_was_away() -> Result {
    let mut world = World::start().await?;
    world.nova.set(Mood::Away);
    let port = world.port("rack-1").await?;
    world.put(&port, json!({"name": "renamed"})).await?;
    let gone = world.port("rack-2").await?;
    world.delete(&gone).await?;
    assert!(world.nova.asked() > 0);
    assert_eq!(world.nova.events(), [] as [Value; 0]);

    world.server.kill9();
    world.server.restart().await?;
    world.nova.set(Mood::Well);
    world.server.cli(&["journal", "retry", "--plugin", "nova-notifier"]).await?.ok()?;
    world.nova.hears(&port, &[PLUGGED, CHANGED]).await?;
    world.nova.hears(&gone, &[PLUGGED, DELETED]).await
}

#[tokio::test]
async fn what_nova_does_not_take_is_not_sent_again() -> Result {
    let world = World::start().await?;
    for mood in [Mood::Unprocessable, Mood::Unknown] {
        world.nova.set(mood);
        let before = world.nova.asked();
        let port = world.port("rack-1").await?;
        until("Nova to be asked", Duration::from_secs(20), || async {
            Ok((world.nova.asked() > before).then_some(()))
        })
        .await?;
        hadron_tests_drivers::drained(&world.server, "nova-notifier", Duration::from_secs(20)).await?;
        world.nova.set(Mood::Well);
        world.put(&port, json!({"name": "x"})).await?;
        world.nova.hears(&port, &[CHANGED]).await?;
    }
    assert!(world.server.log().contains("could not do anything with an event"));
    Ok(())
}

/// A cloud with agents that plug in what they are told to, on two hosts.
struct Agents {
    cloud: Cloud,
    nova: Nova,
    client: Client,
    network: String,
}

impl Agents {
    async fn start() -> Result<Option<Agents>> {
        let nova = Nova::start().await?;
        let builder = world::builder().mechanism_drivers(&["openvswitch"]).plugin(notifier(&nova).await?);
        let agents = [Agent::openvswitch("h1").told(), Agent::openvswitch("h2").told(), Agent::dhcp("h3")];
        let Some(cloud) = Cloud::of(builder, &agents).await? else { return Ok(None) };
        let client = cloud.client().header("x-roles", "admin,service,member,reader")?;
        let network = network(&client, "n").await?;
        subnet(&client, &network, "10.0.0.0/24").await?;
        Ok(Some(Agents { cloud, nova, client, network }))
    }

    async fn put(&self, port: &str, body: Value) -> Result<Value> {
        let answer = self.client.put(&format!("/v2.0/ports/{port}"), &json!({"port": body})).await?;
        Ok(answer.expect(200)?["port"].clone())
    }

    /// As the agent does when the instance's interface appears on its host.
    fn appears(&self, port: &str, host: &str) -> Value {
        let arguments = json!({"device": port, "host": host, "agent_id": format!("ovs-agent-{host}")});
        let details = self.cloud.peer.call("q-plugin", "get_device_details", arguments).unwrap();
        self.cloud.peer.up(host, &[port]).unwrap();
        details
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nova_hears_what_agents_say_of_an_instance_that_boots_moves_and_ends() -> Result {
    let Some(world) = Agents::start().await? else { return Ok(()) };
    let (client, nova) = (&world.client, &world.nova);

    // Boot: bound, built, and plugged in when wiring and addresses are ready.
    let port = create(client, "port", json!({"network_id": world.network, "device_id": INSTANCE})).await?;
    let id = text(&port, "/id")?;
    let mut heard = vec![CHANGED, PLUGGED];
    let bound = world.put(&id, json!({"device_owner": "compute:az1", "binding:host_id": "h1"})).await?;
    assert_eq!((&bound["binding:vif_type"], &bound["status"]), (&json!("ovs"), &json!("DOWN")));
    assert_eq!(world.appears(&id, "h1")["port_id"], json!(id));
    world.cloud.status(&id, "ACTIVE").await?;
    nova.hears(&id, &heard).await?;
    let event = nova.events().into_iter().find(|event| event["name"] == PLUGGED).unwrap();
    assert_eq!(event, json!({"name": PLUGGED, "server_uuid": INSTANCE, "tag": id, "status": "completed"}));

    // Live migration: the destination has it plugged in before it runs there,
    // and says so although the port is at the source.
    let bindings = format!("/v2.0/ports/{id}/bindings");
    let wanted = json!({"binding": {"host": "h2", "vnic_type": "normal", "profile": {"migrating_to": "h2"}}});
    let made = client.post(&bindings, &wanted).await?.expect(201)?;
    assert_eq!(
        (&made["binding"]["status"], &made["binding"]["vif_type"]),
        (&json!("INACTIVE"), &json!("ovs"))
    );
    assert_eq!(world.appears(&id, "h2"), json!({"device": id, "no_active_binding": true}));
    heard.push(PLUGGED);
    nova.hears(&id, &heard).await?;
    let source = client.get(&format!("/v2.0/ports/{id}")).await?.expect(200)?["port"].take();
    assert_eq!((&source["status"], &source["binding:host_id"]), (&json!("ACTIVE"), &json!("h1")));
    // It runs there now: down at the source, up as soon as the destination says.
    client.put(&format!("{bindings}/h2/activate"), &json!({})).await?.expect(200)?;
    heard.extend([UNPLUGGED, CHANGED]);
    nova.hears(&id, &heard).await?;
    world.appears(&id, "h2");
    world.cloud.status(&id, "ACTIVE").await?;
    heard.push(PLUGGED);
    nova.hears(&id, &heard).await?;
    // The source forgets it: nothing that concerns Nova.
    world.cloud.peer.down("h1", &[&id]).unwrap();
    client.delete(&format!("{bindings}/h1")).await?.expect(204)?;
    assert_eq!(nova.heard(&id), heard);

    // The instance is stopped, started and deleted.
    world.cloud.peer.down("h2", &[&id]).unwrap();
    world.cloud.status(&id, "DOWN").await?;
    heard.push(UNPLUGGED);
    nova.hears(&id, &heard).await?;
    world.appears(&id, "h2");
    world.cloud.status(&id, "ACTIVE").await?;
    heard.push(PLUGGED);
    nova.hears(&id, &heard).await?;
    client.delete(&format!("/v2.0/ports/{id}")).await?.expect(204)?;
    heard.push(DELETED);
    nova.hears(&id, &heard).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nova_hears_what_agents_say_of_a_port_that_is_attached() -> Result {
    let Some(world) = Agents::start().await? else { return Ok(()) };
    let id = text(&create(&world.client, "port", json!({"network_id": world.network})).await?, "/id")?;
    let attach = json!({"device_id": INSTANCE, "device_owner": "compute:nova", "binding:host_id": "h1"});
    world.put(&id, attach).await?;
    world.appears(&id, "h1");
    world.cloud.status(&id, "ACTIVE").await?;
    world.nova.hears(&id, &[CHANGED, PLUGGED]).await?;
    let detach = json!({"device_id": "", "device_owner": "", "binding:host_id": "", "binding:profile": {}});
    assert_eq!(world.put(&id, detach).await?["status"], "DOWN");
    world.cloud.peer.down("h1", &[&id]).unwrap();
    world.put(&id, json!({"name": "free"})).await?;
    assert_eq!(world.nova.heard(&id), [CHANGED, PLUGGED], "nobody's any more");
    // A host that no agent is on: nobody plugs it in, and Nova waits in vain.
    let lost = json!({"device_id": INSTANCE, "device_owner": "compute:nova", "binding:host_id": "h9"});
    assert_eq!(world.put(&id, lost).await?["binding:vif_type"], "binding_failed");
    world.cloud.peer.call("q-plugin", "update_device_up", json!({"device": id, "host": "h9"})).unwrap();
    world.nova.hears(&id, &[CHANGED, PLUGGED, CHANGED]).await
}
