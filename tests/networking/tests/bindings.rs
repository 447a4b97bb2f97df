//! Bindings of a port on several hosts. `examples/rust-switch` binds the ports
//! of two hosts, and its switch says what drivers are told.

use hadron_networking_tests::world::{create, text};
use hadron_sdk_testing::{Client, Plugin, Result, Server, build_guest};
use hadron_tests_drivers::{Switch, drained, id_of};
use serde_json::{Value, json};
use std::time::Duration;

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/rust-switch");

struct World {
    server: Server,
    switch: Switch,
    /// As Nova: an administrator that is a service.
    nova: Client,
    network: String,
}

impl World {
    async fn start() -> Result<World> {
        let switch = Switch::start().await?;
        let driver = Plugin::new("rust-switch", build_guest(DRIVER).await?)
            .http(switch.url())
            .config("endpoint", switch.endpoint())
            .config("hosts", json!(["rack-1", "rack-2"]));
        let server = Server::builder().mechanism_drivers(&[]).plugin(driver).start().await?;
        let nova = server.client().header("x-roles", "admin,service,member,reader")?;
        let network = text(&create(&nova, "network", json!({"name": "n"})).await?, "/id")?;
        Ok(World { server, switch, nova, network })
    }

    /// An instance's port; its id.
    async fn port(&self, host: &str) -> Result<String> {
        let port = json!({"network_id": self.network, "binding:host_id": host, "device_owner": "compute:nova",
            "device_id": "08e19d4f-0551-4874-bf7e-649ecef5cf86"});
        text(&create(&self.nova, "port", port).await?, "/id")
    }

    async fn shown(&self, port: &str) -> Result<Value> {
        Ok(self.nova.get(&format!("/v2.0/ports/{port}")).await?.expect(200)?["port"].clone())
    }

    /// Hosts and statuses of a port's bindings.
    async fn listed(&self, port: &str) -> Result<Vec<(String, String)>> {
        let body = self.nova.get(&bindings(port)).await?.expect(200)?;
        let of = |binding: &Value| Ok((text(binding, "/host")?, text(binding, "/status")?));
        body["bindings"].as_array().unwrap().iter().map(of).collect()
    }
}

fn bindings(port: &str) -> String {
    format!("/v2.0/ports/{port}/bindings")
}

fn of(host: &str) -> Value {
    json!({"binding": {"host": host}})
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(host, status)| ((*host).to_owned(), (*status).to_owned())).collect()
}

#[tokio::test]
async fn a_port_moves_by_activating_a_binding_that_waited() -> Result {
    let world = World::start().await?;
    let port = world.port("rack-1").await?;
    let path = bindings(&port);
    let made = json!({"binding": {"host": "rack-2", "profile": {"pci": "0000:0a:00.1"}}});
    let made = world.nova.post(&path, &made).await?.expect(201)?;
    let expected = json!({"host": "rack-2", "vif_type": "other", "vnic_type": "normal", "status": "INACTIVE",
        "profile": {"pci": "0000:0a:00.1"}, "vif_details": {}});
    assert_eq!(made["binding"], expected);
    assert_eq!(world.listed(&port).await?, pairs(&[("rack-1", "ACTIVE"), ("rack-2", "INACTIVE")]));
    assert_eq!(world.shown(&port).await?["binding:host_id"], "rack-1", "the port is where it was");
    drained(&world.server, "rust-switch", Duration::from_secs(10)).await?;
    assert!(world.switch.told().iter().all(|told| told.body["host"] != "rack-2"), "drivers are not told yet");

    let active = world.nova.put(&format!("{path}/rack-2/activate"), &json!({})).await?.expect(200)?;
    assert_eq!((&active["host"], &active["status"]), (&json!("rack-2"), &json!("ACTIVE")));
    let shown = world.shown(&port).await?;
    assert_eq!(shown["binding:host_id"], "rack-2");
    assert_eq!(shown["binding:profile"], json!({"pci": "0000:0a:00.1"}));
    assert_eq!(shown["binding:vif_details"]["bound_drivers"], json!({"0": "rust-switch"}));
    assert_eq!(shown["status"], "ACTIVE", "as the driver says of what it binds");
    assert_eq!(world.listed(&port).await?, pairs(&[("rack-2", "ACTIVE"), ("rack-1", "INACTIVE")]));
    drained(&world.server, "rust-switch", Duration::from_secs(10)).await?;
    let (_, has) = world.switch.has("ports").into_iter().find(|(id, _)| *id == port).unwrap();
    assert_eq!(has["host"], "rack-2");
    assert!(has["segment"]["id"].is_u64(), "its levels moved along: {has}");

    // The source's, which is unbound by now, is taken away; or is gone back to.
    world.nova.put(&format!("{path}/rack-1/activate"), &json!({})).await?.expect(200)?;
    assert_eq!(world.shown(&port).await?["binding:vif_type"], "other", "it is bound anew");
    world.nova.delete(&format!("{path}/rack-2")).await?.expect(204)?;
    assert_eq!(world.listed(&port).await?, pairs(&[("rack-1", "ACTIVE")]));
    world.server.delete(&format!("/v2.0/ports/{port}")).await?.expect(204)?;
    Ok(())
}

#[tokio::test]
async fn bindings_are_refused_in_neutrons_words_and_change_nothing() -> Result {
    let world = World::start().await?;
    let port = world.port("rack-1").await?;
    let path = bindings(&port);
    let error = async |status: u16, body: Value| world.nova.post(&path, &body).await?.expect_error(status);
    assert_eq!(
        error(500, of("nowhere")).await?,
        (
            "PortBindingError".to_owned(),
            format!("Binding for port {port} on host nowhere could not be created or updated.")
        )
    );
    assert_eq!(
        error(409, of("rack-1")).await?,
        (
            "PortBindingAlreadyExists".to_owned(),
            format!("Binding for port {port} on host rack-1 already exists.")
        )
    );
    for (body, reason) in [
        (json!({"binding": {}}), "Failed to parse request. Required attribute 'host' not specified"),
        (
            json!({"binding": {"host": "rack-2", "vnic_type": "x"}}),
            "Invalid input for vnic_type. Reason: x is not in valid_values.",
        ),
        (
            json!({"binding": {"host": "rack-2", "profile": 5}}),
            "Invalid input for profile. Reason: '5' is not a dictionary.",
        ),
        (json!({"binding": {"host": ""}}), "Invalid input for host. Reason: A binding needs a host."),
    ] {
        assert_eq!(error(400, body).await?.1, reason);
    }
    for body in [json!({"binding": {"host": 5}}), json!({"binding": {"host": null}}), json!({}), json!([])] {
        error(400, body).await?;
    }
    let gone = format!("Binding for port {port} for host rack-2 could not be found.");
    let missing = ("PortBindingNotFound".to_owned(), gone);
    let at = format!("{path}/rack-2");
    assert_eq!(world.nova.get(&at).await?.expect_error(404)?, missing);
    assert_eq!(world.nova.put(&at, &json!({"binding": {}})).await?.expect_error(404)?, missing);
    assert_eq!(world.nova.put(&format!("{at}/activate"), &json!({})).await?.expect_error(404)?, missing);
    assert_eq!(world.nova.delete(&at).await?.expect_error(404)?, missing);
    assert_eq!(
        world.nova.put(&format!("{path}/rack-1/activate"), &json!({})).await?.expect_error(409)?,
        (
            "PortBindingAlreadyActive".to_owned(),
            format!("Binding for port {port} on host rack-1 is already active.")
        )
    );
    assert_eq!(world.listed(&port).await?, pairs(&[("rack-1", "ACTIVE")]));

    let other = create(&world.nova, "port", json!({"network_id": world.network})).await?;
    let (kind, message) = world.nova.get(&bindings(id_of(&other))).await?.expect_error(400)?;
    let words = "Operation only valid on compute and shared filesystem ports.";
    assert_eq!(
        (kind, message),
        ("BadRequest".to_owned(), format!("Bad port request: Invalid port {}. {words}", id_of(&other)))
    );
    world.nova.get(&bindings("08e19d4f-0551-4874-bf7e-649ecef5cf86")).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test]
async fn a_binding_is_made_anew_when_what_it_follows_from_changes() -> Result {
    let world = World::start().await?;
    let port = world.port("rack-1").await?;
    let path = bindings(&port);
    world
        .nova
        .post(&path, &json!({"binding": {"host": "rack-2", "profile": {"a": 1}}}))
        .await?
        .expect(201)?;
    let change = json!({"binding": {"vnic_type": "direct", "profile": {"b": 2}}});
    let changed = world.nova.put(&format!("{path}/rack-2"), &change).await?.expect(200)?;
    assert_eq!(changed["binding"]["profile"], json!({"b": 2}));
    assert_eq!(changed["binding"]["vnic_type"], "direct");
    assert_eq!(changed["binding"]["status"], "INACTIVE");
    let cleared = world.nova.put(&format!("{path}/rack-2"), &json!({"binding": {}})).await?.expect(200)?;
    assert_eq!(cleared["binding"]["profile"], json!({}), "seen: what is not given is cleared");
    assert_eq!(cleared["binding"]["vnic_type"], "direct");

    let before = world.shown(&port).await?;
    let active = json!({"binding": {"profile": {"c": 3}}});
    let active = world.nova.put(&format!("{path}/rack-1"), &active).await?.expect(200)?;
    assert_eq!(active["binding"]["status"], "ACTIVE");
    let after = world.shown(&port).await?;
    assert_eq!(after["binding:profile"], json!({"c": 3}));
    assert!(after["revision_number"].as_i64() > before["revision_number"].as_i64());
    Ok(())
}

#[tokio::test]
async fn a_port_that_goes_to_a_host_by_itself_needs_no_binding_that_waited_there() -> Result {
    let world = World::start().await?;
    let port = world.port("rack-1").await?;
    world.nova.post(&bindings(&port), &of("rack-2")).await?.expect(201)?;
    let moved = json!({"port": {"binding:host_id": "rack-2"}});
    world.nova.put(&format!("/v2.0/ports/{port}"), &moved).await?.expect(200)?;
    assert_eq!(world.listed(&port).await?, pairs(&[("rack-2", "ACTIVE")]));
    world.nova.delete(&format!("{}/rack-2", bindings(&port))).await?.expect(204)?;
    let shown = world.shown(&port).await?;
    assert_eq!((&shown["binding:host_id"], &shown["binding:vif_type"]), (&json!(""), &json!("unbound")));
    assert_eq!(shown["status"], "DOWN");
    Ok(())
}

#[tokio::test]
async fn a_port_without_a_host_has_an_active_binding_that_is_unbound() -> Result {
    let world = World::start().await?;
    let port = world.port("").await?;
    assert_eq!(world.listed(&port).await?, pairs(&[("", "ACTIVE")]));
    world.nova.post(&bindings(&port), &of("rack-1")).await?.expect(201)?;
    let only =
        world.nova.get(&format!("{}?status=INACTIVE&fields=host", bindings(&port))).await?.expect(200)?;
    assert_eq!(only, json!({"bindings": [{"host": "rack-1"}]}));
    assert_eq!(
        world.nova.get(&format!("{}?nosuch=1", bindings(&port))).await?.expect_error(400)?.1,
        "['nosuch'] is invalid attribute for filtering"
    );
    world.nova.put(&format!("{}/rack-1/activate", bindings(&port)), &json!({})).await?.expect(200)?;
    assert_eq!(world.listed(&port).await?, pairs(&[("rack-1", "ACTIVE")]));
    Ok(())
}

#[tokio::test]
async fn bindings_are_for_services() -> Result {
    let world = World::start().await?;
    let port = world.port("rack-1").await?;
    let admin = world.server.client().header("x-roles", "admin,member,reader")?;
    admin.get(&bindings(&port)).await?.expect(200)?;
    let (kind, message) = admin.post(&bindings(&port), &of("rack-2")).await?.expect_error(403)?;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("PolicyNotAuthorized", "rule:create_port_binding is disallowed by policy")
    );
    let activated = admin.put(&format!("{}/rack-1/activate", bindings(&port)), &json!({})).await?;
    assert_eq!(activated.expect_error(403)?.1, "rule:activate is disallowed by policy");
    let stranger = world.server.client().member_of("0b6b7a2cbb9a4a1f8d3c5e8f9a0b1c2d")?;
    stranger.get(&bindings(&port)).await?.expect_error(404)?;
    stranger.post(&bindings(&port), &of("rack-2")).await?.expect_error(404)?;
    Ok(())
}
