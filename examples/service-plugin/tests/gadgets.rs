//! The plugin in a running server, asked over plain HTTP and by the real
//! openstacksdk.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests"
)]

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use hadron_sdk_testing::{Error, Result, Server, build_guest, python, until};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(15);

/// A server to which the plugin was added, and a network.
async fn with_plugin(more: &[&str]) -> Result<(Server, String)> {
    let server = Server::builder().mechanism_drivers(&[]).start().await?;
    add(&server, more).await?;
    let network = server.post("/v2.0/networks", &json!({"network": {"name": "n"}})).await?.expect(201)?;
    let network = id(&network["network"]);
    Ok((server, network))
}

async fn add(server: &Server, more: &[&str]) -> Result<()> {
    let file = build_guest(env!("CARGO_MANIFEST_DIR")).await?.display().to_string();
    let arguments: Vec<&str> = ["plugin", "add", &file].iter().chain(more).copied().collect();
    server.cli(&arguments).await?.ok().map(drop)
}

fn id(document: &Value) -> String {
    document["id"].as_str().unwrap_or_default().to_owned()
}

async fn gadget(server: &Server, body: Value) -> Result<Value> {
    let made = server.post("/v2.0/gadgets", &json!({ "gadget": body })).await?.expect(201)?;
    Ok(made["gadget"].clone())
}

async fn shown(server: &Server, gadget: &Value) -> Result<Value> {
    let shown = server.get(&format!("/v2.0/gadgets/{}", id(gadget))).await?.expect(200)?;
    Ok(shown["gadget"].clone())
}

/// Waits until a gadget shows this value.
async fn becomes(server: &Server, gadget: &Value, name: &str, value: Value) -> Result<()> {
    until(&format!("{name} to be {value}"), PATIENCE, || async {
        Ok((shown(server, gadget).await?[name] == value).then_some(()))
    })
    .await
}

#[tokio::test]
async fn resources_appear_with_the_plugin_and_go_with_it_and_their_data_stay() -> Result {
    let (server, network) = with_plugin(&[]).await?;
    let aliases = || async {
        let listed = server.get("/v2.0/extensions").await?.expect(200)?;
        let listed = listed["extensions"].as_array().cloned().unwrap_or_default();
        Result::<bool>::Ok(listed.iter().any(|extension| extension["alias"] == "acme-gadgets"))
    };
    assert!(aliases().await?);
    let kept = gadget(&server, json!({"network_id": network, "name": "kept", "colour": "blue"})).await?;
    let port = json!({"port": {"network_id": network, "acme:rack": "r7"}});
    let port = server.post("/v2.0/ports", &port).await?.expect(201)?["port"].clone();
    assert_eq!(port["acme:rack"], "r7");
    let port_path = format!("/v2.0/ports/{}", id(&port));

    server.cli(&["plugin", "remove", "acme-gadgets"]).await?.ok()?;
    assert!(!aliases().await?);
    server.get("/v2.0/gadgets").await?.expect(404)?;
    let without = server.get(&port_path).await?.expect(200)?;
    assert_eq!(without["port"].get("acme:rack"), None);
    server
        .post("/v2.0/ports", &json!({"port": {"network_id": network, "acme:rack": "r7"}}))
        .await?
        .expect(400)?;

    add(&server, &[]).await?;
    let again = shown(&server, &kept).await?;
    assert_eq!((&again["name"], &again["colour"]), (&json!("kept"), &json!("blue")));
    let with = server.get(&port_path).await?.expect(200)?;
    assert_eq!(with["port"]["acme:rack"], "r7");
    Ok(())
}

#[tokio::test]
async fn gadgets_are_validated_filtered_sorted_and_changed_like_any_resource() -> Result {
    let (server, network) = with_plugin(&[]).await?;
    for (name, colour) in [("b", "red"), ("a", "blue"), ("c", "red")] {
        gadget(&server, json!({"network_id": network, "name": name, "colour": colour})).await?;
    }
    let listed =
        server.get("/v2.0/gadgets?colour=red&sort_key=name&sort_dir=desc&fields=name").await?.expect(200)?;
    assert_eq!(listed["gadgets"], json!([{"name": "c"}, {"name": "b"}]));
    let page = server.get("/v2.0/gadgets?sort_key=name&sort_dir=asc&limit=2").await?.expect(200)?;
    assert_eq!(page["gadgets"].as_array().map(Vec::len), Some(2));
    assert!(page["gadgets_links"].is_array(), "{page}");

    let bad = json!({"gadget": {"network_id": network, "colour": "pink"}});
    let (_, message) = server.post("/v2.0/gadgets", &bad).await?.expect_error(400)?;
    assert!(message.contains("pink"), "{message}");
    server.post("/v2.0/gadgets", &json!({"gadget": {"name": "x"}})).await?.expect_error(400)?;
    let read_only = json!({"gadget": {"network_id": network, "shine": 3}});
    server.post("/v2.0/gadgets", &read_only).await?.expect_error(400)?;
    let nowhere = json!({"gadget": {"network_id": "11111111-2222-4333-8444-555555555555"}});
    let (kind, _) = server.post("/v2.0/gadgets", &nowhere).await?.expect_error(404)?;
    assert_eq!(kind, "NetworkNotFound");

    let made = gadget(&server, json!({"network_id": network})).await?;
    assert_eq!(
        (&made["colour"], &made["protects"], &made["name"]),
        (&json!("green"), &json!(false), &json!(""))
    );
    let path = format!("/v2.0/gadgets/{}", id(&made));
    let changed = server.put(&path, &json!({"gadget": {"name": "new"}})).await?.expect(200)?;
    assert_eq!(changed["gadget"]["name"], "new");
    assert!(changed["gadget"]["revision_number"].as_i64() > made["revision_number"].as_i64());
    server.delete(&path).await?.expect(204)?;
    let (kind, _) = server.get(&path).await?.expect_error(404)?;
    assert_eq!(kind, "GadgetNotFound");
    // Many at once, all or none.
    let bulk = json!({"gadgets": [{"network_id": network}, {"network_id": network, "name": "two"}]});
    let bulk = server.post("/v2.0/gadgets", &bulk).await?.expect(201)?;
    assert_eq!(bulk["gadgets"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test]
async fn parts_belong_to_a_gadget_and_make_its_weight() -> Result {
    let (server, network) = with_plugin(&[]).await?;
    let made = gadget(&server, json!({"network_id": network})).await?;
    assert_eq!((&made["parts"], &made["weight"]), (&json!([]), &json!(0)));
    let parts = format!("/v2.0/gadgets/{}/parts", id(&made));
    let wheel = server.post(&parts, &json!({"part": {"name": "wheel", "weight": 5}})).await?.expect(201)?;
    assert_eq!(wheel["part"]["gadget_id"], made["id"]);
    server.post(&parts, &json!({"part": {"name": "bell"}})).await?.expect(201)?;
    let (kind, _) = server.post(&parts, &json!({"part": {"name": "bell"}})).await?.expect_error(409)?;
    assert_eq!(kind, "PartExists");
    let now = shown(&server, &made).await?;
    assert_eq!(now["weight"], 6, "the computed attribute");
    assert_eq!(now["parts"].as_array().map(Vec::len), Some(2), "the derived attribute: {now}");
    assert!(now["parts"].as_array().is_some_and(|parts| parts.contains(&wheel["part"]["id"])));
    let listed = server.get("/v2.0/gadgets?fields=weight").await?.expect(200)?;
    assert_eq!(listed["gadgets"][0]["weight"], 6);

    let path = format!("{parts}/{}", id(&wheel["part"]));
    let changed = server.put(&path, &json!({"part": {"weight": 7}})).await?.expect(200)?;
    assert_eq!(changed["part"]["weight"], 7);
    let listed = server.get(&parts).await?.expect(200)?;
    assert_eq!(listed["parts"].as_array().map(Vec::len), Some(2));
    let other = gadget(&server, json!({"network_id": network})).await?;
    server.get(&format!("/v2.0/gadgets/{}/parts/{}", id(&other), id(&wheel["part"]))).await?.expect(404)?;
    server.delete(&path).await?.expect(204)?;
    // A gadget takes its parts along.
    server.delete(&format!("/v2.0/gadgets/{}", id(&made))).await?.expect(204)?;
    server.get(&parts).await?.expect(404)?;
    Ok(())
}

#[tokio::test]
async fn an_action_is_a_put_and_what_it_did_wears_off_with_the_ticks() -> Result {
    let (server, network) = with_plugin(&[]).await?;
    let made = gadget(&server, json!({"network_id": network})).await?;
    let polish = format!("/v2.0/gadgets/{}/polish", id(&made));
    let polished = server.put(&polish, &json!({"coats": 2})).await?.expect(200)?;
    assert_eq!(polished["id"], made["id"]);
    let (_, message) = server.put(&polish, &json!({"coats": 11})).await?.expect_error(400)?;
    assert!(message.contains("from 1 to 10"), "{message}");
    server.put("/v2.0/gadgets/11111111-2222-4333-8444-555555555555/polish", &json!({})).await?.expect(404)?;
    becomes(&server, &made, "shine", json!(0)).await
}

#[tokio::test]
async fn a_network_that_a_gadget_protects_is_not_deleted() -> Result {
    let (server, network) = with_plugin(&[]).await?;
    let path = format!("/v2.0/networks/{network}");
    let guard = gadget(&server, json!({"network_id": network, "protects": true})).await?;
    let (kind, message) = server.delete(&path).await?.expect_error(409)?;
    assert_eq!(kind, "NetworkProtected");
    assert!(message.contains(&id(&guard)), "{message}");
    server.get(&path).await?.expect(200)?;
    // By policy only administrators may protect.
    let project = network_owner(&server, &path).await?;
    let member = server.client().member_of(&project)?;
    let body = json!({"gadget": {"network_id": network, "protects": true}});
    member.post("/v2.0/gadgets", &body).await?.expect_error(403)?;
    member.post("/v2.0/gadgets", &json!({"gadget": {"network_id": network}})).await?.expect(201)?;

    let guard_path = format!("/v2.0/gadgets/{}", id(&guard));
    server.put(&guard_path, &json!({"gadget": {"protects": false}})).await?.expect(200)?;
    server.delete(&path).await?.expect(204)?;
    server.get(&guard_path).await?.expect(404)?;
    Ok(())
}

async fn network_owner(server: &Server, path: &str) -> Result<String> {
    let network = server.get(path).await?.expect(200)?;
    Ok(network["network"]["project_id"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn an_attribute_of_ports_is_checked_by_the_plugin_that_added_it() -> Result {
    let (server, network) = with_plugin(&[]).await?;
    let port = |rack: Value| json!({"port": {"network_id": network, "acme:rack": rack}});
    let made = server.post("/v2.0/ports", &port(json!("r3"))).await?.expect(201)?["port"].clone();
    assert_eq!(made["acme:rack"], "r3");
    let plain = server.post("/v2.0/ports", &json!({"port": {"network_id": network}})).await?.expect(201)?;
    assert_eq!(plain["port"]["acme:rack"], Value::Null);
    server.post("/v2.0/ports", &port(json!("shelf"))).await?.expect_error(400)?;
    let (kind, _) = server.post("/v2.0/ports", &port(json!("r43"))).await?.expect_error(409)?;
    assert_eq!(kind, "NoSuchRack");
    let ports = server.get("/v2.0/ports").await?.expect(200)?;
    assert_eq!(ports["ports"].as_array().map(Vec::len), Some(2), "a veto leaves nothing behind");

    let path = format!("/v2.0/ports/{}", id(&made));
    let moved = server.put(&path, &json!({"port": {"acme:rack": "r4", "name": "x"}})).await?.expect(200)?;
    assert_eq!((&moved["port"]["acme:rack"], &moved["port"]["name"]), (&json!("r4"), &json!("x")));
    let named = server.put(&path, &json!({"port": {"name": "y"}})).await?.expect(200)?;
    assert_eq!(named["port"]["acme:rack"], "r4", "what is not named stays");
    let only = server.put(&path, &json!({"port": {"acme:rack": null}})).await?.expect(200)?;
    assert_eq!(only["port"]["acme:rack"], Value::Null);
    server.put(&path, &json!({"port": {"acme:rack": "r99"}})).await?.expect_error(409)?;
    Ok(())
}

#[tokio::test]
async fn a_plugged_gadget_has_a_port_of_its_own() -> Result {
    let (server, network) = with_plugin(&[]).await?;
    let subnet = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/29"}});
    server.post("/v2.0/subnets", &subnet).await?.expect(201)?;
    let made = gadget(&server, json!({"network_id": network, "plugged": true, "name": "g"})).await?;
    let port = server.get(&format!("/v2.0/ports/{}", made["port_id"].as_str().unwrap_or_default())).await?;
    let port = port.expect(200)?["port"].clone();
    assert_eq!((&port["device_owner"], &port["device_id"]), (&json!("acme:gadget"), &made["id"]));
    assert_eq!(port["fixed_ips"].as_array().map(Vec::len), Some(1));
    // Five addresses are left for ports: one bulk takes too many, so it takes none.
    let many: Vec<Value> = (0..6).map(|_| json!({"network_id": network, "plugged": true})).collect();
    server.post("/v2.0/gadgets", &json!({ "gadgets": many })).await?.expect_error(409)?;
    let ports = server.get("/v2.0/ports").await?.expect(200)?;
    assert_eq!(ports["ports"].as_array().map(Vec::len), Some(1));
    let gadgets = server.get("/v2.0/gadgets").await?.expect(200)?;
    assert_eq!(gadgets["gadgets"].as_array().map(Vec::len), Some(1));
    server.delete(&format!("/v2.0/gadgets/{}", id(&made))).await?.expect(204)?;
    let ports = server.get("/v2.0/ports").await?.expect(200)?;
    assert_eq!(ports["ports"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_the_operator_does_not_grant_the_plugin_cannot_use() -> Result {
    let (server, network) = with_plugin(&["--grant", "resources.networks=get"]).await?;
    let body = json!({"gadget": {"network_id": network, "plugged": true}});
    let (kind, message) = server.post("/v2.0/gadgets", &body).await?.expect_error(403)?;
    assert_eq!(kind, "PluginNotGranted");
    assert!(message.contains("the operator did not grant it"), "{message}");
    gadget(&server, json!({"network_id": network})).await.map(drop)
}

#[tokio::test]
async fn a_message_sent_after_the_commit_comes_back() -> Result {
    let (server, network) = with_plugin(&[]).await?;
    let made = gadget(&server, json!({"network_id": network})).await?;
    becomes(&server, &made, "acknowledged", json!(true)).await
}

#[tokio::test]
async fn the_webhook_is_told_after_the_commit_and_the_gadget_shows_it() -> Result {
    let told: Arc<Mutex<Vec<Value>>> = Arc::default();
    let hook = |State(told): State<Arc<Mutex<Vec<Value>>>>, Json(body): Json<Value>| async move {
        told.lock().unwrap().push(body);
    };
    let router = Router::new().route("/gadgets", post(hook)).with_state(told.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(Error::new)?;
    let url = format!("http://{}", listener.local_addr().map_err(Error::new)?);
    tokio::spawn(async move { axum::serve(listener, router).await });

    let (grant, webhook) = (format!("http={url}"), format!("webhook={url}/gadgets"));
    let (server, network) = with_plugin(&["--grant", &grant, "--config", &webhook]).await?;
    let made = gadget(&server, json!({"network_id": network, "name": "loud"})).await?;
    becomes(&server, &made, "announced", json!(true)).await?;
    assert_eq!(told.lock().unwrap().as_slice(), [json!({"id": made["id"], "name": "loud"})]);
    Ok(())
}

#[tokio::test]
async fn the_openstack_sdk_speaks_to_resources_it_has_never_heard_of() -> Result {
    let Some(python) = python() else {
        println!("`cargo xtask setup` has not made target/python: not tested");
        return Ok(());
    };
    let (server, network) = with_plugin(&[]).await?;
    let output = tokio::process::Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk.py"))
        .args([server.url(), &network])
        .output()
        .await
        .map_err(Error::new)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What the host gives every resource: nothing of it is in the plugin's code.
#[tokio::test]
async fn gadgets_have_descriptions_tags_and_quotas_as_any_resource() -> Result {
    let (server, network) = with_plugin(&[]).await?;
    let born = json!({"network_id": network, "name": "one", "description": "first", "tags": ["new"]});
    let one = gadget(&server, born).await?;
    assert_eq!((&one["description"], &one["tags"]), (&json!("first"), &json!(["new"])));
    let path = format!("/v2.0/gadgets/{}", id(&one));
    let changed = json!({"gadget": {"description": "second"}});
    let changed = server.client().put(&path, &changed).await?.expect(200)?;
    assert_eq!(changed["gadget"]["description"], "second");
    assert!(changed["gadget"]["revision_number"].as_i64() > one["revision_number"].as_i64());
    server.client().put(&format!("{path}/tags/spare"), &Value::Null).await?.expect(201)?;
    gadget(&server, json!({"network_id": network, "name": "two"})).await?;
    for (filter, found) in
        [("tags=new,spare", 1), ("not-tags-any=new", 1), ("description=second", 1), ("description=", 1)]
    {
        let rows = server.get(&format!("/v2.0/gadgets?{filter}&fields=name")).await?.expect(200)?;
        assert_eq!(rows["gadgets"].as_array().map(Vec::len), Some(found), "{filter}: {rows}");
    }

    let project = one["project_id"].as_str().unwrap();
    let limits = format!("/v2.0/quotas/{project}");
    let limit = |most: i64| json!({"quota": {"gadget": most}});
    let below = server.client().put(&limits, &limit(1)).await?.expect_error(400)?;
    assert_eq!(below.1, "Quota limit 1 for gadget must be greater than or equal to already used 2");
    server.client().put(&limits, &limit(2)).await?.expect(200)?;
    let third = json!({"gadget": {"network_id": network}});
    assert_eq!(server.post("/v2.0/gadgets", &third).await?.expect_error(409)?.0, "OverQuota");
    // A network takes its gadgets along, and they count no more.
    server.client().delete(&format!("/v2.0/networks/{network}")).await?.expect(204)?;
    let details = server.get(&format!("{limits}/details")).await?.expect(200)?;
    assert_eq!(details["quota"]["gadget"], json!({"limit": 2, "used": 0, "reserved": 0}));
    Ok(())
}
