//! What a port lets through: port security, security groups, allowed addresses.

use hadron_networking_tests::world::{self, create, list, text};
use hadron_sdk_testing::{Client, Result, Server, until};
use serde_json::{Value, json};
use std::time::Duration;

const ALICE: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

const NEEDS: &str =
    "Port security must be enabled and port must have an IP address in order to use security groups.";
const PAIRS_NEED: &str = "Port Security must be enabled in order to have allowed address pairs on a port.";

struct World {
    _server: Server,
    alice: Client,
    admin: Client,
    /// Its default group.
    default: String,
    /// A network with port security, and one without.
    networks: [String; 2],
}

async fn world() -> Result<World> {
    let server = world::sqlite().await?;
    let alice = server.client().member_of(ALICE)?;
    let mut networks = Vec::new();
    for enabled in [true, false] {
        let made = create(&alice, "network", json!({"name": "n", "port_security_enabled": enabled})).await?;
        assert_eq!(made["port_security_enabled"], enabled);
        networks.push(text(&made, "/id")?);
    }
    let default = text(&list(&alice, "/v2.0/security_groups?name=default").await?[0], "/id")?;
    let networks = [networks[0].clone(), networks[1].clone()];
    Ok(World { admin: server.client(), _server: server, alice, default, networks })
}

impl World {
    fn ask(&self, network: usize, more: &Value) -> Value {
        let mut port = json!({"network_id": self.networks[network]});
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "port": port })
    }

    async fn port(&self, network: usize, more: Value) -> Result<Value> {
        Ok(self.alice.post("/v2.0/ports", &self.ask(network, &more)).await?.expect(201)?["port"].clone())
    }

    async fn refused(&self, network: usize, more: Value, status: u16) -> Result<(String, String)> {
        self.alice.post("/v2.0/ports", &self.ask(network, &more)).await?.expect_error(status)
    }

    async fn group(&self, stateful: bool) -> Result<String> {
        let body = json!({"security_group": {"name": "g", "stateful": stateful}});
        let made = self.alice.post("/v2.0/security-groups", &body).await?.expect(201)?;
        text(&made, "/security_group/id")
    }
}

fn secured(port: &Value) -> (Value, Value) {
    (port["port_security_enabled"].clone(), port["security_groups"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_in_its_projects_default_group_unless_it_says_otherwise() -> Result {
    let world = world().await?;
    let (on, off) = (json!(true), json!(false));
    let group = world.group(true).await?;
    for (network, more, wanted) in [
        (0, json!({}), (&on, json!([world.default]))),
        (0, json!({"security_groups": []}), (&on, json!([]))),
        (0, json!({"security_groups": null}), (&on, json!([]))),
        (0, json!({"security_groups": [group]}), (&on, json!([group]))),
        (0, json!({"port_security_enabled": false}), (&off, json!([]))),
        (0, json!({"port_security_enabled": false, "security_groups": []}), (&off, json!([]))),
        (0, json!({"device_owner": "compute:nova"}), (&on, json!([world.default]))),
        (0, json!({"device_owner": "network:dhcp"}), (&off, json!([]))),
        (0, json!({"device_owner": "network:dhcp", "port_security_enabled": true}), (&off, json!([]))),
        (1, json!({}), (&off, json!([]))),
        (1, json!({"port_security_enabled": "True"}), (&on, json!([world.default]))),
    ] {
        let port = world.port(network, more.clone()).await?;
        assert_eq!(secured(&port), (wanted.0.clone(), wanted.1), "{network} {more}");
        let shown = world.alice.get(&format!("/v2.0/ports/{}", text(&port, "/id")?)).await?.expect(200)?;
        assert_eq!(secured(&shown["port"]), secured(&port));
    }
    let found = list(&world.alice, &format!("/v2.0/ports?security_groups={group}")).await?;
    assert_eq!(found.len(), 1);
    // A bulk finds what each of its ports needs.
    let bulk: Vec<Value> =
        [json!({}), json!({"security_groups": [group]}), json!({"port_security_enabled": false})]
            .iter()
            .map(|more| world.ask(0, more)["port"].clone())
            .collect();
    let made = world.alice.post("/v2.0/ports", &json!({ "ports": bulk })).await?.expect(201)?;
    let made: Vec<Value> =
        made["ports"].as_array().unwrap().iter().map(|p| p["security_groups"].clone()).collect();
    assert_eq!(made, [json!([world.default]), json!([group]), json!([])]);
    // An administrator's port of that project is in that project's group.
    let theirs = world.ask(0, &json!({"project_id": ALICE}));
    let theirs = world.admin.post("/v2.0/ports", &theirs).await?.expect(201)?;
    assert_eq!(theirs["port"]["security_groups"], json!([world.default]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_together_is_refused_in_neutrons_words() -> Result {
    let world = world().await?;
    let (stateful, stateless) = (world.group(true).await?, world.group(false).await?);
    let pair = json!([{"ip_address": "10.0.0.1"}]);
    for (network, more, status, kind, message) in [
        (
            0,
            json!({"port_security_enabled": false, "security_groups": [stateful]}),
            400,
            "PortSecurityAndIPRequiredForSecurityGroups",
            NEEDS,
        ),
        (
            0,
            json!({"device_owner": "network:dhcp", "security_groups": [stateful]}),
            400,
            "PortSecurityAndIPRequiredForSecurityGroups",
            NEEDS,
        ),
        (1, json!({"security_groups": [stateful]}), 400, "PortSecurityAndIPRequiredForSecurityGroups", NEEDS),
        (1, json!({"allowed_address_pairs": pair}), 409, "AddressPairAndPortSecurityRequired", PAIRS_NEED),
        (
            0,
            json!({"port_security_enabled": null}),
            400,
            "InvalidInput",
            "Invalid input for operation: 'None' cannot be converted to boolean.",
        ),
        (
            0,
            json!({"security_groups": ["x"]}),
            400,
            "HTTPBadRequest",
            "Invalid input for security_groups. Reason: 'x' is not a valid UUID.",
        ),
        (
            0,
            json!({"security_groups": "x"}),
            400,
            "HTTPBadRequest",
            "Invalid input for security_groups. Reason: 'x' is not a list.",
        ),
        (
            0,
            json!({"security_groups": [stateful, stateless]}),
            409,
            "SecurityGroupConflict",
            "Error Cannot apply both stateful and stateless security groups on the same port at the same time while attempting the operation.",
        ),
    ] {
        let refused = world.refused(network, more.clone(), status).await?;
        assert_eq!(refused, (kind.to_owned(), message.to_owned()), "{more}");
    }
    let (kind, message) = world.refused(0, json!({"security_groups": [NOBODY, stateful]}), 404).await?;
    assert_eq!(
        (kind.as_str(), message),
        ("SecurityGroupNotFound", format!("Security group {NOBODY} does not exist"))
    );
    let twice = world.refused(0, json!({"security_groups": [stateful, stateful]}), 400).await?;
    assert_eq!(
        twice.1,
        format!("Invalid input for security_groups. Reason: Duplicate items in the list: '{stateful}'.")
    );
    assert!(list(&world.alice, "/v2.0/ports").await?.is_empty(), "nothing was made");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn port_security_is_switched_off_only_where_nothing_needs_it() -> Result {
    let world = world().await?;
    let group = world.group(true).await?;
    let more = json!({"security_groups": [group], "allowed_address_pairs": [{"ip_address": "10.0.0.1"}]});
    let own = format!("/v2.0/ports/{}", text(&world.port(0, more).await?, "/id")?);
    let put = async |change: Value| world.alice.put(&own, &json!({ "port": change })).await;
    for change in [
        json!({"port_security_enabled": false}),
        json!({"port_security_enabled": false, "security_groups": []}),
    ] {
        assert_eq!(
            put(change).await?.expect_error(409)?,
            ("AddressPairAndPortSecurityRequired".to_owned(), PAIRS_NEED.to_owned())
        );
    }
    let (kind, message) =
        put(json!({"port_security_enabled": false, "allowed_address_pairs": []})).await?.expect_error(409)?;
    assert_eq!(kind, "PortSecurityPortHasSecurityGroup");
    assert_eq!(
        message,
        "Port has security group associated. Cannot disable port security or IP address until security group is removed."
    );
    let missing = put(json!({"security_groups": [NOBODY]})).await?.expect_error(404)?;
    assert_eq!(missing.0, "SecurityGroupNotFound");
    let off = json!({"port_security_enabled": false, "allowed_address_pairs": null, "security_groups": null});
    let off = put(off).await?.expect(200)?["port"].clone();
    assert_eq!(secured(&off), (json!(false), json!([])));
    assert_eq!(off["allowed_address_pairs"], json!([]));
    assert_eq!(put(json!({"security_groups": [group]})).await?.expect_error(400)?.1, NEEDS);
    assert_eq!(
        put(json!({"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]})).await?.expect_error(409)?.1,
        PAIRS_NEED
    );
    let on =
        put(json!({"port_security_enabled": true, "security_groups": [group]})).await?.expect(200)?["port"]
            .clone();
    assert_eq!(secured(&on), (json!(true), json!([group])));

    // What a network says is for ports to come.
    let network = format!("/v2.0/networks/{}", world.networks[0]);
    world.alice.put(&network, &json!({"network": {"port_security_enabled": false}})).await?.expect(200)?;
    assert_eq!(world.alice.get(&own).await?.expect(200)?["port"]["port_security_enabled"], true);
    assert_eq!(world.port(0, json!({})).await?["port_security_enabled"], false);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn further_addresses_are_checked_and_kept_as_they_were_written() -> Result {
    let world = world().await?;
    let made = world
        .port(
            0,
            json!({"mac_address": "fa:16:3e:11:22:33", "allowed_address_pairs": [
            {"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.5/24", "mac_address": "00-11-22-33-44-55"},
            {"ip_address": "2001:DB8::1/64"}]}),
        )
        .await?;
    assert_eq!(
        made["allowed_address_pairs"],
        json!([{"mac_address": "fa:16:3e:11:22:33", "ip_address": "10.0.0.1"},
            {"mac_address": "00-11-22-33-44-55", "ip_address": "10.0.0.5/24"},
            {"mac_address": "fa:16:3e:11:22:33", "ip_address": "2001:DB8::1/64"}])
    );
    let own = format!("/v2.0/ports/{}", text(&made, "/id")?);
    let many: Vec<Value> = (1..=11).map(|n| json!({"ip_address": format!("10.0.0.{n}")})).collect();
    for (pairs, kind, message) in [
        (
            json!(many),
            "AllowedAddressPairExhausted",
            "The number of allowed address pair exceeds the maximum 10.",
        ),
        (
            json!([{"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.1"}]),
            "DuplicateAddressPairInRequest",
            "Request contains duplicate address pair: mac_address None ip_address 10.0.0.1.",
        ),
        (
            json!([{"mac_address": "fa:16:3e:11:22:33"}]),
            "AllowedAddressPairsMissingIP",
            "AllowedAddressPair must contain ip_address",
        ),
        (
            json!([{"ip_address": "224.0.0.5"}]),
            "HTTPBadRequest",
            "IP 224.0.0.5 is a multicast address, which is not supported.",
        ),
        (
            json!(["x"]),
            "HTTPBadRequest",
            "Invalid input for allowed_address_pairs. Reason: 'x' is not a dictionary.",
        ),
        (json!([{"ip_address": "10.0.0.1", "foo": 1}]), "HTTPBadRequest", "Unrecognized attribute(s) 'foo'"),
    ] {
        let wanted = (kind.to_owned(), message.to_owned());
        assert_eq!(world.refused(0, json!({"allowed_address_pairs": pairs}), 400).await?, wanted);
        let changed = world.alice.put(&own, &json!({"port": {"allowed_address_pairs": pairs}})).await?;
        assert_eq!(changed.expect_error(400)?, wanted);
    }
    let change = json!({"port": {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]}});
    let changed = world.alice.put(&own, &change).await?.expect(200)?;
    assert_eq!(
        changed["port"]["allowed_address_pairs"],
        json!([{"mac_address": "fa:16:3e:11:22:33", "ip_address": "10.0.0.9"}])
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn some_of_it_is_for_the_networks_owner() -> Result {
    let world = world().await?;
    let policy = json!({"rbac_policy": {"object_type": "network", "object_id": world.networks[0],
        "action": "access_as_shared", "target_tenant": "*"}});
    world.admin.post("/v2.0/rbac-policies", &policy).await?.expect(201)?;
    let bob = world.admin.clone().member_of("b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0")?;
    for (more, rule) in [
        (json!({"port_security_enabled": false}), "port_security_enabled"),
        (json!({"allowed_address_pairs": [{"ip_address": "10.0.0.1"}]}), "allowed_address_pairs"),
    ] {
        let (kind, message) = bob.post("/v2.0/ports", &world.ask(0, &more)).await?.expect_error(403)?;
        assert_eq!(kind, "PolicyNotAuthorized");
        assert!(message.contains(&format!("create_port:{rule}")), "{message}");
    }
    let made = bob.post("/v2.0/ports", &world.ask(0, &json!({}))).await?.expect(201)?;
    assert_ne!(made["port"]["security_groups"], json!([world.default]), "it is in its own project's group");
    Ok(())
}

/// The statements that a request took, from the server's log.
async fn statements(server: &Server, client: &Client, body: &Value) -> Result<i64> {
    let answer = client.post("/v2.0/ports", body).await?;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let request = answer.headers.get("x-openstack-request-id").unwrap().to_str().unwrap().to_owned();
    until("the request is in the log", Duration::from_secs(10), || async {
        let log = server.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.find(|line| line["request"] == request && line["message"] == "answered");
        Ok(line.and_then(|line| line["statements"].as_i64()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_of_a_bulk_look_up_once_what_they_let_through() -> Result {
    let server = world::builder().config("[log]\nformat = \"json\"\n").start().await?;
    let client = server.client().member_of(ALICE)?;
    let network = world::network(&client, "n").await?;
    let ask = |more: &Value| {
        let mut port = json!({"network_id": network, "fixed_ips": []});
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        port
    };
    let off = json!({"port_security_enabled": false, "security_groups": []});
    let (bare, plain) = (ask(&off), ask(&json!({})));
    // The network's word, the project's default group, and the row that puts
    // the port into it.
    let without = statements(&server, &client, &json!({ "port": bare })).await?;
    let with = statements(&server, &client, &json!({ "port": plain })).await?;
    assert!(with <= without + 3, "{with} statements where there were {without}");
    let ten = |port: &Value| json!({ "ports": vec![port; 10] });
    for (port, one) in [(&bare, without), (&plain, with)] {
        let bulk = statements(&server, &client, &ten(port)).await?;
        assert_eq!(bulk, one, "{one} statements for one port, {bulk} for ten");
    }
    Ok(())
}
