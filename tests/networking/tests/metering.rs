//! Metering: labels, the rules that say what is counted under them, and what agents
//! hear of both.

use hadron_networking_tests::world::{self, text};
use hadron_networking_tests::{Cli, Cloud};
use hadron_sdk_testing::{Answer, Client, Result, Server};
use hadron_test_support::Agent;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const LABELS: &str = "/v2.0/metering/metering-labels";
const RULES: &str = "/v2.0/metering/metering-label-rules";
const NOBODY: &str = "11111111-2222-4333-8444-555555555555";
const OWN: &str = "4fb4dec05f47409fa688e15287ac626a";
const OTHERS: &str = "b198a1aec1a74cb1a50c16e31efe0d26";

/// A server without any router.
async fn server() -> Result<Server> {
    world::builder().service_plugins(&["metering"]).start().await
}

async fn label(client: &Client, more: Value) -> Result<Value> {
    let body = json!({ "metering_label": more });
    Ok(client.post(LABELS, &body).await?.expect(201)?["metering_label"].take())
}

/// A rule of a label, for what comes in unless it says otherwise.
async fn ask(client: &Client, label: &str, more: Value) -> Result<Answer> {
    let mut body = json!({"metering_label_id": label, "direction": "ingress"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post(RULES, &json!({ "metering_label_rule": body })).await
}

async fn rule(client: &Client, label: &str, more: Value) -> Result<Value> {
    Ok(ask(client, label, more).await?.expect(201)?["metering_label_rule"].take())
}

async fn rules(client: &Client, query: &str) -> Result<usize> {
    let answer = client.get(&format!("{RULES}{query}")).await?.expect(200)?;
    Ok(answer["metering_label_rules"].as_array().unwrap().len())
}

/// Somebody who manages a project.
fn manager(client: &Client, project: &str) -> Result<Client> {
    client.clone().header("x-project-id", project)?.header("x-roles", "manager,member,reader")
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_have_rules_that_go_with_them() -> Result {
    let server = server().await?;
    let client = server.client();
    let made = label(&client, json!({"name": "l", "description": "d", "shared": "true"})).await?;
    let id = text(&made, "/id")?;
    let mut members: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["description", "id", "name", "project_id", "shared", "tenant_id"]);
    assert_eq!((&made["name"], &made["shared"]), (&json!("l"), &json!(true)));
    let plain = label(&client, json!({})).await?;
    assert_eq!(
        (&plain["name"], &plain["description"], &plain["shared"]),
        (&json!(""), &json!(""), &json!(false))
    );

    let made = rule(&client, &id, json!({"source_ip_prefix": "10.9.0.0/24"})).await?;
    let expected = json!({
        "id": made["id"], "metering_label_id": id, "direction": "ingress", "remote_ip_prefix": null,
        "source_ip_prefix": "10.9.0.0/24", "destination_ip_prefix": null, "excluded": false,
    });
    assert_eq!(made, expected);
    let path = format!("{RULES}/{}", text(&made, "/id")?);
    assert_eq!(client.get(&path).await?.expect(200)?["metering_label_rule"], expected);
    // Host bits stay, and an address is a prefix of all its bits.
    let kept = rule(&client, &id, json!({"remote_ip_prefix": "10.0.0.5/24"})).await?;
    assert_eq!(kept["remote_ip_prefix"], "10.0.0.5/24");
    let both = json!({"source_ip_prefix": "2001:DB8::/64", "destination_ip_prefix": "10.0.0.1"});
    let both = rule(&client, &id, both).await?;
    assert_eq!(
        (&both["source_ip_prefix"], &both["destination_ip_prefix"]),
        (&json!("2001:db8::/64"), &json!("10.0.0.1/32"))
    );
    rule(&client, &text(&plain, "/id")?, json!({"source_ip_prefix": "10.9.0.0/24"})).await?;
    assert_eq!(rules(&client, &format!("?metering_label_id={id}")).await?, 3);
    assert_eq!(rules(&client, "?source_ip_prefix=10.9.0.0/24").await?, 2);

    for (path, body) in [
        (format!("{LABELS}/{id}"), json!({"metering_label": {"name": "x"}})),
        (path.clone(), json!({"metering_label_rule": {"name": "x"}})),
    ] {
        client.put(&path, &body).await?.expect_error(400)?;
    }
    client.delete(&path).await?.expect(204)?;
    let gone = client.get(&path).await?.expect_error(404)?;
    assert_eq!(gone.0, "MeteringLabelRuleNotFound");
    client.delete(&format!("{LABELS}/{id}")).await?.expect(204)?;
    assert_eq!(rules(&client, "").await?, 1);
    let gone = client.delete(&format!("{LABELS}/{id}")).await?.expect_error(404)?;
    assert_eq!(gone, ("MeteringLabelNotFound".to_owned(), format!("Metering label '{id}' does not exist.")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_make_no_sense_are_refused() -> Result {
    let server = server().await?;
    let client = server.client();
    let id = text(&label(&client, json!({})).await?, "/id")?;
    let nothing = "You must define at least one of the following parameters 'remote_ip_prefix', or \
                   'source_ip_prefix' or 'destination_ip_prefix'.";
    let beside = "Cannot use 'remote-ip-prefix' in conjunction with 'source-ip-prefix' or \
                  'destination-ip-prefix'.";
    let wrong = "source_ip_prefix: x is invalid ['x' does not appear to be an IPv4 or IPv6 interface].";
    for (more, kind, message) in [
        (json!({}), "Invalid", nothing),
        (json!({"remote_ip_prefix": ""}), "Invalid", nothing),
        (json!({"remote_ip_prefix": "10.0.0.0/8", "source_ip_prefix": "10.0.0.0/8"}), "Invalid", beside),
        (json!({"remote_ip_prefix": "10.0.0.0/8", "destination_ip_prefix": "10.0.0.1"}), "Invalid", beside),
        (json!({"source_ip_prefix": "x"}), "Invalid", wrong),
        (
            json!({"direction": "x", "source_ip_prefix": "10.0.0.0/8"}),
            "HTTPBadRequest",
            "Invalid input for direction. Reason: x is not in valid_values.",
        ),
    ] {
        let refused = ask(&client, &id, more.clone()).await?.expect_error(400)?;
        assert_eq!(refused, (kind.to_owned(), message.to_owned()), "{more}");
    }
    let (kind, _) =
        ask(&client, NOBODY, json!({"source_ip_prefix": "10.0.0.0/8"})).await?.expect_error(404)?;
    assert_eq!(kind, "MeteringLabelNotFound");
    let body = json!({"metering_label": {"description": "d".repeat(1025)}});
    client.post(LABELS, &body).await?.expect_error(400)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_about_the_same_remote_side_are_refused() -> Result {
    let server = server().await?;
    let client = server.client();
    let id = text(&label(&client, json!({})).await?, "/id")?;
    let wide = json!({"remote_ip_prefix": "10.0.0.0/16"});
    rule(&client, &id, wide.clone()).await?;
    let narrow = json!({"remote_ip_prefix": "10.0.7.0/24"});
    let refused = ask(&client, &id, narrow.clone()).await?.expect_error(409)?;
    assert_eq!(
        refused,
        (
            "MeteringLabelRuleOverlaps".to_owned(),
            "Metering label rule with remote_ip_prefix '10.0.7.0/24' overlaps another.".to_owned()
        )
    );
    // What goes out, what is left out, sources and other labels are other things.
    for more in [
        json!({"remote_ip_prefix": "10.0.7.0/24", "direction": "egress"}),
        json!({"remote_ip_prefix": "10.0.7.0/24", "excluded": true}),
        json!({"source_ip_prefix": "10.0.7.0/24"}),
        json!({"remote_ip_prefix": "10.1.0.0/16"}),
    ] {
        rule(&client, &id, more).await?;
    }
    let other = text(&label(&client, json!({})).await?, "/id")?;
    rule(&client, &other, narrow).await?;
    Ok(())
}

async fn contest(server: &Server) -> Result {
    let id = text(&label(&server.client(), json!({})).await?, "/id")?;
    let mut asking = JoinSet::new();
    for number in 0..16 {
        let (client, id) = (server.client(), id.clone());
        let prefix = format!("10.0.0.0/{}", 8 + number);
        asking.spawn(async move { ask(&client, &id, json!({"remote_ip_prefix": prefix})).await });
    }
    let mut made = 0;
    while let Some(answer) = asking.join_next().await {
        match answer.unwrap()?.expect_error(409) {
            Ok((kind, _)) => assert_eq!(kind, "MeteringLabelRuleOverlaps"),
            Err(_) => made += 1,
        }
    }
    assert_eq!((made, rules(&server.client(), "").await?), (1, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rules_that_overlap_one_is_made() -> Result {
    contest(&server().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rules_that_overlap_one_is_made_on_postgres() -> Result {
    let Some(postgres) = hadron_test_support::shared() else { return Ok(()) };
    let builder = world::builder().service_plugins(&["metering"]);
    contest(&builder.database(&postgres.fresh_database().await).start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_manage_a_project_have_their_own_labels() -> Result {
    let server = server().await?;
    let client = server.client();
    let (own, others) = (manager(&client, OWN)?, manager(&client, OTHERS)?);
    let shared = label(&own, json!({"name": "s", "shared": true})).await?;
    assert_eq!(shared["project_id"], OWN);
    let id = text(&shared, "/id")?;
    let made = rule(&own, &id, json!({"source_ip_prefix": "10.0.0.0/8"})).await?;
    let path = format!("{RULES}/{}", text(&made, "/id")?);
    // A member reads and does not write.
    let member = client.clone().member_of(OWN)?;
    member.get(&path).await?.expect(200)?;
    assert_eq!(member.delete(&path).await?.expect_error(403)?.0, "PolicyNotAuthorized");
    member.post(LABELS, &json!({"metering_label": {}})).await?.expect_error(403)?;
    // That others are counted under it does not show it to them.
    for path in [&path, &format!("{LABELS}/{id}")] {
        others.get(path).await?.expect_error(404)?;
        others.delete(path).await?.expect_error(404)?;
    }
    let refused = ask(&others, &id, json!({"source_ip_prefix": "10.0.0.0/8"})).await?.expect_error(404)?;
    assert_eq!(refused.0, "MeteringLabelNotFound");
    ask(&client, &id, json!({"source_ip_prefix": "10.0.0.0/8"})).await?.expect(201)?;
    Ok(())
}

/// A router that leads out; its id.
async fn router(client: &Client, external: &str, more: Value) -> Result<String> {
    let mut body = json!({"external_gateway_info": {"network_id": external}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    text(&world::create(client, "router", body).await?, "/id")
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_hear_of_labels_and_ask_for_all() -> Result {
    let builder = world::builder().mechanism_drivers(&["openvswitch"]).service_plugins(&[
        "rbac",
        "l3-router",
        "metering",
    ]);
    let agents = [Agent::l3("h1").told(), Agent::metering("h1"), Agent::metering("h2")];
    let Some(cloud) = Cloud::of(builder, &agents).await? else { return Ok(()) };
    let client = cloud.client();
    let told = |host: &str, method: &str| {
        let is = |event: &Value| {
            event["event"] == "received" && event["host"] == host && event["method"] == method
        };
        cloud.peer.event(is)["arguments"].take()
    };
    let sync = |host: &str| {
        let asked = json!({ "host": host });
        cloud.peer.call("q-metering-plugin", "get_sync_data_metering", asked).unwrap()
    };
    let network = json!({"name": "ext", "router:external": true});
    let external = text(&world::create(&client, "network", network).await?, "/id")?;
    world::subnet(&client, &external, "198.51.100.0/24").await?;
    let at_home = router(&client, &external, json!({"name": "r", "project_id": OWN})).await?;
    let others = router(&client, &external, json!({"project_id": OTHERS})).await?;
    assert_eq!(sync("h1"), json!([]), "nothing is counted");

    // A router that is at no host is the business of every agent.
    let own = label(&client, json!({"name": "l", "project_id": OWN})).await?;
    let id = text(&own, "/id")?;
    for host in ["h1", "h2"] {
        let routers = told(host, "add_metering_label")["routers"].take();
        assert_eq!(routers.as_array().map(Vec::len), Some(1), "{routers}");
        let labels = json!([{"id": id, "name": "l", "shared": false, "rules": []}]);
        assert_eq!(
            (&routers[0]["id"], &routers[0]["_metering_labels"], &routers[0]["distributed"]),
            (&json!(at_home), &labels, &json!(false))
        );
        assert!(routers[0]["gw_port_id"].is_string());
    }
    // Now each is at one, since an agent there has asked for it.
    for id in [&at_home, &others] {
        let asked = json!({"host": "h1", "router_ids": [id]});
        cloud.peer.call("q-l3-plugin", "sync_routers", asked).unwrap();
    }
    let made = rule(&client, &id, json!({"remote_ip_prefix": "10.0.0.0/8"})).await?;
    let routers = told("h1", "add_metering_label_rule")["routers"].take();
    assert_eq!(routers[0]["_metering_labels"], json!([{"id": id, "rule": made}]));
    let shared = label(&client, json!({"name": "s", "shared": true, "project_id": OTHERS})).await?;
    let routers = told("h1", "add_metering_label")["routers"].take();
    let labels = |router: &str| {
        let of = routers.as_array().unwrap().iter().find(|of| of["id"] == router);
        let labels = of.unwrap()["_metering_labels"].as_array().unwrap().iter();
        labels.map(|label| label["name"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((labels(&at_home), labels(&others)), (vec!["s", "l"], vec!["s"]));

    assert_eq!(sync("h1").as_array().unwrap().len(), 2);
    assert_eq!(sync("h2"), json!([]));
    let plain = sync("h1").as_array().unwrap().iter().find(|router| router["id"] == at_home).cloned();
    let labels = plain.unwrap()["_metering_labels"].take();
    let own = labels.as_array().unwrap().iter().find(|label| label["id"] == id);
    assert_eq!(own.unwrap()["rules"], json!([made]));

    client.delete(&format!("{RULES}/{}", text(&made, "/id")?)).await?.expect(204)?;
    let routers = told("h1", "remove_metering_label_rule")["routers"].take();
    assert_eq!(routers[0]["_metering_labels"], json!([{"id": id, "rule": made}]));
    client.delete(&format!("{LABELS}/{}", text(&shared, "/id")?)).await?.expect(204)?;
    let routers = told("h1", "remove_metering_label")["routers"].take();
    assert_eq!(routers.as_array().map(Vec::len), Some(2));

    // An agent that is told of no router asks for all.
    let down = json!({"router": {"admin_state_up": false}});
    client.put(&format!("/v2.0/routers/{at_home}"), &down).await?.expect(200)?;
    assert_eq!(told("h2", "routers_updated"), json!({"routers": []}));
    assert_eq!(sync("h1"), json!([]), "a router that is down is not counted");
    client.delete(&format!("/v2.0/routers/{others}")).await?.expect(204)?;
    assert_eq!(told("h1", "router_deleted"), json!({ "router_id": others }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_answered_nothing_without_routers() -> Result {
    let Some(cloud) = Cloud::of(world::builder().service_plugins(&["metering"]), &[]).await? else {
        return Ok(());
    };
    label(&cloud.client(), json!({})).await?;
    let asked = json!({"host": "h1"});
    assert_eq!(cloud.peer.call("q-metering-plugin", "get_sync_data_metering", asked).unwrap(), Value::Null);
    assert!(cloud.peer.call("q-metering-plugin", "nosuch", json!({})).is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn meter_commands() -> anyhow::Result<()> {
    let server = server().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let made = cli.json("network meter create m --description d --share").await?;
    assert_eq!((&made["name"], &made["description"]), (&json!("m"), &json!("d")));
    let add = "network meter rule create m --ingress --remote-ip-prefix";
    let rule = cli.json(&format!("{add} 10.0.0.0/8 --exclude")).await?;
    assert_eq!(rule["remote_ip_prefix"], "10.0.0.0/8");
    let rule = rule["id"].as_str().unwrap_or_default().to_owned();
    anyhow::ensure!(cli.refused(&format!("{add} 10.7.0.0/16 --exclude")).await?.contains("overlaps another"));
    cli.run("network meter rule create m --egress --source-ip-prefix 10.7.0.0/16").await?;
    assert_eq!(cli.json("network meter rule list").await?.as_array().map(Vec::len), Some(2));
    assert_eq!(cli.json(&format!("network meter rule show {rule}")).await?["direction"], "ingress");
    assert_eq!(cli.column("network meter list", "Name").await?, "m");
    cli.json("network meter show m").await?;
    cli.run(&format!("network meter rule delete {rule}")).await?;
    cli.run("network meter delete m").await?;
    Ok(())
}
