//! The description of the API: it is valid, it says what is loaded, and the
//! server does what it says.

use hadron_api_tests::schemathesis::{Checker, checker};
use hadron_api_tests::world::{builder, sqlite};
use hadron_sdk_testing::{Builder, Error, Plugin, Result, Server, component};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashSet;

/// The example of a vendor's plugin: resources, a child collection, an action,
/// and an attribute of ports.
const VENDOR: &str = "acme-gadgets";

/// With more segments than a fuzzer uses up (then a create is 503, as in
/// Neutron), and with streams that end soon.
fn with_vendor() -> Result<Builder> {
    let plenty = "[api]\nwatch_s = 1\n[plugin.vlan.config]\nnetwork_vlan_ranges = [\"physnet1:1:4094\"]\n";
    Ok(builder().config(plenty).plugin(Plugin::new(VENDOR, component("service-plugin")?).service()))
}

async fn description(server: &Server) -> Result<Value> {
    server.get("/openapi.json").await?.expect(200)
}

/// Every operation: path, method, and what it is.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            let item = item.as_object().into_iter().flatten();
            item.filter(|(name, _)| *name != "parameters")
                .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_valid_and_its_operations_are_named_once() -> Result {
    let server = with_vendor()?.start().await?;
    let document = description(&server).await?;
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = HashSet::new();
    for (path, method, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap_or_default();
        assert!(!name.is_empty() && names.insert(name), "{method} {path}: '{name}'");
    }
    for name in
        ["list_networks", "create_port", "update_subnet", "delete_part", "polish_gadget", "batch", "watch"]
    {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    let Some(checker) = checker()? else { return Ok(()) };
    checker.validate(&document).await?;
    // What is no description is found.
    let mut broken = document;
    broken["components"]["schemas"]["Network"]["type"] = json!("thing");
    assert!(checker.validate(&broken).await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_made_once_and_sent_to_those_who_have_not_got_it() -> Result {
    let server = sqlite().await?;
    let answer = server.get("/openapi.json").await?;
    let header = |name: &str| answer.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    assert_eq!(header("content-type"), "application/json");
    assert!(header("content-length").parse::<usize>().is_ok_and(|length| length > 10_000));
    assert!(header("x-openstack-request-id").starts_with("req-"));
    let again = server.client().header("if-none-match", header("etag"))?.get("/openapi.json").await?;
    assert_eq!((again.status, &again.body), (304, &Value::Null));
    let other = server.client().header("if-none-match", "\"other\"")?.get("/openapi.json").await?;
    assert_eq!(other.status, 200);
    assert_eq!(server.client().send(Method::DELETE, "/openapi.json", None).await?.status, 405);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_runs_nothing_but_its_own() -> Result {
    let server = sqlite().await?;
    let page = server.get("/docs").await?;
    let header = |name: &str| page.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    assert_eq!((page.status, header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("inline"), "{policy}");
    assert!(page.body.as_str().is_some_and(|text| text.contains("/openapi.json")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendors_resources_and_attributes_are_there_while_it_is_loaded() -> Result {
    let server = sqlite().await?;
    let before = description(&server).await?;
    let schemas = |document: &Value, pointer: &str| {
        document.pointer(&format!("/components/schemas/{pointer}")).cloned()
    };
    assert!(before["paths"].get("/v2.0/gadgets").is_none());
    assert_eq!(schemas(&before, "Port/properties/acme:rack"), None);

    let path = component("service-plugin")?.display().to_string();
    server.cli(&["plugin", "add", &path]).await?.ok()?;
    let loaded = description(&server).await?;
    let rack = json!({"type": ["string", "null"], "maxLength": 16});
    assert_eq!(schemas(&loaded, "Port/properties/acme:rack"), Some(rack.clone()));
    assert_eq!(schemas(&loaded, "PortCreate/properties/acme:rack/type"), Some(rack["type"].clone()));
    assert_eq!(
        schemas(&loaded, "GadgetCreate/properties/colour"),
        Some(json!({"enum": ["red", "green", "blue"], "default": "green"}))
    );
    assert_eq!(schemas(&loaded, "GadgetCreate/required"), Some(json!(["network_id"])));
    assert_eq!(
        schemas(&loaded, "GadgetCreate/properties/protects/x-hadron-policy"),
        Some(json!("create_gadget:protects"))
    );
    assert_eq!(schemas(&loaded, "Gadget/properties/weight/readOnly"), Some(json!(true)));
    let part = "/v2.0/gadgets/{gadget_id}/parts/{part_id}";
    assert!(loaded["paths"][part]["put"].is_object());
    assert!(loaded["paths"]["/v2.0/gadgets/{gadget_id}/polish"]["put"].is_object());
    assert!(loaded["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag["name"] == "gadgets")));

    server.cli(&["plugin", "remove", VENDOR]).await?.ok()?;
    assert_eq!(description(&server).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_asked_for_where_the_server_asks_for_one() -> Result {
    let open = description(&sqlite().await?).await?;
    assert_eq!(open["security"], json!([]));
    assert_eq!(open.pointer("/paths/~1v2.0~1networks/get/responses/401"), None);
    let server = builder().user("ann", "secret").start().await?;
    let closed = description(&server).await?;
    assert_eq!(closed["security"], json!([{"basic": []}]));
    assert!(closed.pointer("/paths/~1v2.0~1networks/get/responses/401").is_some());
    assert_eq!(closed.pointer("/paths/~1/get/security"), Some(&json!([])));
    assert_eq!(server.get("/v2.0/networks").await?.status, 401);
    Ok(())
}

async fn fuzzed() -> Result<Option<(Checker, Server, Value)>> {
    let Some(checker) = checker()? else { return Ok(None) };
    let server = with_vendor()?.start().await?;
    let document = description(&server).await?;
    Ok(Some((checker, server, document)))
}

/// All operations, with what is valid and with what is not, and in sequences.
#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_answer_that_the_description_does_not_have() -> Result {
    let Some((checker, server, document)) = fuzzed().await? else { return Ok(()) };
    let report = checker.run(&server, &document, &[]).await?;
    assert!(report.succeeded, "{}", report.text);
    let count = operations(&document).len();
    assert!(report.text.contains(&format!("Tested: {count}\n")), "{}", report.text);
    // It was led to where something is.
    let networks = server.get("/v2.0/ports?fields=id").await?.expect(200)?;
    let made = networks["ports"].as_array().map_or(0, Vec::len);
    assert!(made > 5, "it made only {made} ports: what lies behind a port was hardly tried");
    Ok(())
}

/// A fuzzer that finds nothing might look at nothing.
#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_sees_differences_that_were_planted() -> Result {
    let Some((checker, server, document)) = fuzzed().await? else { return Ok(()) };
    let plant = |what: &str, pointer: &str, change: fn(&mut Value)| -> Result<(String, Value)> {
        let mut planted = document.clone();
        let place = planted.pointer_mut(pointer).ok_or_else(|| Error::new(format!("no {pointer}")))?;
        change(place);
        Ok((what.to_owned(), planted))
    };
    let create = "/paths/~1v2.0~1networks/post/responses";
    let planted = [
        plant("Undocumented status code", create, |all| {
            if let Some(all) = all.as_object_mut() {
                all.remove("400");
            }
        })?,
        plant("Response violates schema", "/components/schemas/Network/properties/mtu", |schema| {
            *schema = json!({"type": "string"});
        })?,
        plant("Schema-violating request accepted", "/components/schemas/NetworkCreate/properties", |all| {
            // Each is narrower than what the server takes.
            for name in ["name", "description"] {
                all[name] = json!({"type": "string", "maxLength": 20});
            }
            all["admin_state_up"] = json!({"type": "boolean"});
        })?,
        plant("Missing required response headers", "/components/responses/BadRequest/headers", |headers| {
            headers["X-Nobody-Sends-This"] = json!({"required": true, "schema": {"type": "string"}});
        })?,
    ];
    for (what, planted) in planted {
        let report = checker.run(&server, &planted, &["--include-operation-id", "create_network"]).await?;
        assert!(!report.succeeded && report.text.contains(&what), "no '{what}' in:\n{}", report.text);
    }
    Ok(())
}
