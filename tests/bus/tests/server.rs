//! A server whose plugin speaks with others: in process, and with the real
//! oslo.messaging over RabbitMQ.

use hadron_bus_tests::{notes, server, the_journal_is_empty, until};
use hadron_sdk_testing::{Result, Server};
use hadron_test_support::{Peer, PeerError, RabbitMq};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn has_note(server: &Server, text: &str) -> Result<()> {
    let look = || async { notes(server).await.ok()?.contains(&text.to_owned()).then_some(()) };
    until(&format!("a note '{text}'"), look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_plugins_hear_of_each_other() -> Result<()> {
    let server = server("")?.start().await?;
    server.post("/v2.0/notes", &json!({"note": {"text": "n"}})).await?.expect(201)?;
    has_note(&server, "heard n").await?;
    let ready = server.get("/readyz").await?.expect(200)?;
    assert_eq!(ready["bus"], json!({"state": "in process"}));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_speaks_with_oslo_messaging() -> Result<()> {
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let Some(peer) = Peer::start(&broker.url()) else { return Ok(()) };
    let server = server(&broker.url())?.start().await?;
    until("the broker", || async {
        let ready = server.get("/readyz").await.ok()?;
        (ready.body["bus"]["state"] == "connected").then_some(())
    })
    .await?;
    until("the topic", || async { peer.call("echo", "count", json!({})).ok() }).await?;
    calls_are_answered(&peer);
    errors_are_told(&server, &peer).await?;
    versions_and_namespaces_are_told_apart(&peer);
    what_is_to_read_cannot_write(&server, &peer).await?;
    casts_are_handled(&server, &peer).await?;
    many_are_handled_side_by_side(&server, &peer).await?;
    what_the_plugin_says_is_heard(&server, &peer).await?;
    strangers_do_no_harm(&server, &broker, &peer).await?;
    queues_are_those_of_a_peer(&broker);
    what_happens_is_counted(&server).await
}

fn calls_are_answered(peer: &Peer) {
    let arguments = json!({"text": "ü\u{1F980}\u{0}", "deep": {"list": [1, -2.5, null, true, {}]}});
    assert_eq!(peer.call("echo", "echo", arguments.clone()), Ok(arguments));
    assert_eq!(peer.call("echo", "echo", json!({})), Ok(json!({})));
    // To this server in particular.
    let here =
        json!({"do": "call", "topic": "echo", "host": "here", "method": "echo", "arguments": {"a": 1}});
    assert_eq!(peer.command(here), Ok(json!({"a": 1})));
    // Whoever sends a message is the system, and its request goes on.
    let who = peer.call("echo", "who", json!({})).unwrap();
    assert_eq!(who, json!({"request": "req-7d1ab1a5-0f9c-4c43-9d4b-9f1bdd1e6f10", "admin": true}));
    let large = json!({"text": "x".repeat(300_000)});
    assert_eq!(peer.call("echo", "echo", large.clone()), Ok(large));
}

async fn errors_are_told(server: &Server, peer: &Peer) -> Result<()> {
    let refused =
        PeerError { class: "NoteRefused".to_owned(), message: "There is no paper left.".to_owned() };
    assert_eq!(peer.call("echo", "refuse", json!({})), Err(refused));
    assert!(!notes(server).await?.contains(&"refused".to_owned()), "what it wrote is undone");
    let class = |method: &str| peer.call("echo", method, json!({})).unwrap_err().class;
    assert_eq!(class("fall"), "PluginFailed");
    assert_eq!(class("unheard_of"), "NoSuchMethod");
    assert_eq!(class("_echo"), "NoSuchMethod");
    // It goes on after all of that.
    assert_eq!(peer.call("echo", "echo", json!({"a": 1})), Ok(json!({"a": 1})));
    Ok(())
}

fn versions_and_namespaces_are_told_apart(peer: &Peer) {
    let call = |version: &str, namespace: Value| {
        let call = json!({
            "do": "call", "topic": "echo", "method": "echo", "arguments": {"v": version},
            "version": version, "namespace": namespace,
        });
        peer.command(call).map_err(|error| error.class)
    };
    let unsupported = Err("UnsupportedVersion".to_owned());
    assert_eq!(call("1.4", Value::Null), Ok(json!({"v": "1.4"})));
    assert_eq!(call("1.5", Value::Null), unsupported);
    assert_eq!(call("2.0", Value::Null), unsupported);
    assert_eq!(call("2.0", json!("shouted")), Ok(json!({"v": "2.0"})));
    assert_eq!(call("1.0", json!("whispered")), unsupported);
}

/// Methods that the topic declares to read.
async fn what_is_to_read_cannot_write(server: &Server, peer: &Peer) -> Result<()> {
    let before = notes(server).await?.len();
    assert_eq!(peer.call("echo", "count", json!({})), Ok(json!(before)));
    let refused = peer.call("echo", "scribble", json!({}));
    assert!(refused.is_err(), "{refused:?}");
    let refused = peer.call("echo", "whisper", json!({})).unwrap_err();
    assert!(refused.message.contains("only reads"), "{refused:?}");
    assert_eq!(notes(server).await?.len(), before);
    // Others go on.
    assert!(peer.call("echo", "keep", json!({"text": "after"})).is_ok());
    assert_eq!(peer.call("echo", "count", json!({})), Ok(json!(before + 1)));
    Ok(())
}

async fn casts_are_handled(server: &Server, peer: &Peer) -> Result<()> {
    for (what, text) in [("cast", "by a cast"), ("fanout", "by a fanout")] {
        let sent = json!({"do": what, "topic": "echo", "method": "keep", "arguments": {"text": text}});
        peer.command(sent).unwrap();
        has_note(server, text).await?;
    }
    Ok(())
}

/// More at once than there are places; clients are served meanwhile.
async fn many_are_handled_side_by_side(server: &Server, peer: &Peer) -> Result<()> {
    const MANY: usize = 40;
    let before = notes(server).await?.len();
    let keep = |number: usize| peer.call("echo", "keep", json!({"text": format!("many {number}")}));
    let kept: Vec<std::result::Result<Value, PeerError>> = std::thread::scope(|threads| {
        let calls: Vec<_> = (0..MANY).map(|number| threads.spawn(move || keep(number))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let ids: BTreeSet<String> = kept.into_iter().map(|id| id.unwrap().to_string()).collect();
    assert_eq!(ids.len(), MANY);
    assert_eq!(notes(server).await?.len(), before + MANY);
    Ok(())
}

async fn what_the_plugin_says_is_heard(server: &Server, peer: &Peer) -> Result<()> {
    peer.command(json!({"do": "serve", "topic": "listeners", "host": "there"})).unwrap();
    peer.command(json!({"do": "listen", "topic": "notifications"})).unwrap();
    let note = server.post("/v2.0/notes", &json!({"note": {"text": "told"}})).await?.expect(201)?;
    let id = note["note"]["id"].clone();
    for method in ["note_created", "note_told"] {
        let heard = peer.event(|event| event["method"] == method);
        assert_eq!(heard["arguments"]["note"]["id"], id);
        assert!(heard["request_id"].as_str().is_some_and(|id| id.starts_with("req-")), "{heard}");
    }
    let notified = peer.event(|event| event["event"] == "notified");
    assert_eq!(notified["type"], "note.create.end");
    assert_eq!(notified["publisher"], "network.here");
    assert_eq!(notified["payload"]["note"]["id"], id);
    has_note(server, "heard told").await?;
    the_journal_is_empty(server).await
}

/// Bodies that are no messages, and messages that come twice.
async fn strangers_do_no_harm(server: &Server, broker: &RabbitMq, peer: &Peer) -> Result<()> {
    let url = format!("{}%2f", broker.url());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let twice = json!({"method": "keep", "args": {"text": "once"}, "_unique_id": "u1"}).to_string();
    let nowhere = json!({"method": "echo", "args": {}, "_msg_id": "m", "_reply_q": "reply_gone"}).to_string();
    let bodies: [&[u8]; 8] = [
        b"",
        b"\xff\xfe",
        b"null",
        br#"{"oslo.version": "9.0", "oslo.message": "{}"}"#,
        br#"{"oslo.version": "2.0", "oslo.message": "{\"method\": 7}"}"#,
        nowhere.as_bytes(),
        twice.as_bytes(),
        twice.as_bytes(),
    ];
    for body in bodies {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = channel.basic_publish("".into(), "echo".into(), options, body, properties).await;
        sent.unwrap().await.unwrap();
    }
    has_note(server, "once").await?;
    assert_eq!(peer.call("echo", "echo", json!({"a": 1})), Ok(json!({"a": 1})));
    let once = notes(server).await?.iter().filter(|text| *text == "once").count();
    assert_eq!(once, 1);
    Ok(())
}

/// Name, durable, auto-delete, arguments: what a peer declares must fit.
fn queues_are_those_of_a_peer(broker: &RabbitMq) {
    let queues = broker.ask(&["list_queues", "name", "durable", "auto_delete", "arguments"]).unwrap();
    let ours = |begins: &str| {
        let found = queues.iter().filter(|queue| queue[0].starts_with(begins)).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{begins} in {queues:?}");
        (found[0][1].as_str(), found[0][2].as_str(), found[0][3].as_str())
    };
    assert_eq!(ours("echo.here"), ("false", "false", "[]"));
    assert_eq!(ours("echo_fanout_"), ("false", "false", "[{\"x-expires\",1800000}]"));
    assert!(queues.iter().any(|queue| queue[0] == "echo"));
    let exchanges = broker.ask(&["list_exchanges", "name", "type", "durable", "auto_delete"]).unwrap();
    for expected in [["neutron", "topic", "false", "false"], ["echo_fanout", "fanout", "false", "true"]] {
        assert!(exchanges.iter().any(|exchange| *exchange == expected), "{expected:?} in {exchanges:?}");
    }
}

async fn what_happens_is_counted(server: &Server) -> Result<()> {
    let text = reqwest::get(format!("{}/metrics", server.url())).await.unwrap().text().await.unwrap();
    for line in [
        "hadron_bus_received_total{topic=\"echo\",kind=\"call\"}",
        "hadron_bus_received_total{topic=\"echo\",kind=\"fanout\"} 1",
        "hadron_bus_published_total{kind=\"notification\",outcome=\"taken\"} 1",
        "hadron_bus_malformed_total 5",
        "hadron_bus_repeated_total 1",
        "hadron_bus_replies_total{outcome=\"taken\"}",
        "hadron_bus_connected{link=\"publish\"} 1",
        "hadron_message_handled_total{topic=\"echo\",outcome=\"failed\"}",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    Ok(())
}
