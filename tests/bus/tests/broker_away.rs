//! A broker that goes and comes back.

use hadron_bus_tests::{channel, notes, server, the_journal_is_empty, until, write};
use hadron_sdk_testing::{Result, Server};
use hadron_test_support::{Peer, RabbitMq};
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use serde_json::json;

async fn the_loss_is_noticed(server: &Server) -> Result<()> {
    until("the loss is noticed", || async {
        let ready = server.get("/readyz").await.ok()?;
        // Requests are served all the same.
        assert_eq!(ready.status, 200);
        (ready.body["bus"]["state"] == "away").then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_has_forgotten_all_is_told_again() -> Result<()> {
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let Some(peer) = Peer::start(&broker.url()) else { return Ok(()) };
    let server = server(&broker.url())?.start().await?;
    until("the topic", || async { peer.call("echo", "count", json!({})).ok() }).await?;
    broker.kill();
    the_loss_is_noticed(&server).await?;
    write(&server, "meanwhile").await?;
    let entries = server.cli_json(&["journal", "list"]).await?;
    assert!(entries.as_array().is_some_and(|entries| entries.len() >= 2), "{entries}");
    broker.restart().unwrap();
    until("calls are answered again", || async { peer.call("echo", "echo", json!({"a": 1})).ok() }).await?;
    let sent = json!({"do": "fanout", "topic": "echo", "method": "keep", "arguments": {"text": "again"}});
    peer.command(sent).unwrap();
    until("fanouts arrive again", || async {
        notes(&server).await.ok()?.contains(&"again".to_owned()).then_some(())
    })
    .await?;
    the_journal_is_empty(&server).await?;
    let ready = server.get("/readyz").await?.expect(200)?;
    assert_eq!(ready["bus"]["state"], "connected");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_while_the_broker_is_away_is_delivered_after() -> Result<()> {
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let server = server(&broker.url())?.config("[bus]\ndurable = true\n").start().await?;
    {
        // A listener whose queue outlives the broker, as the exchange does.
        let (_connection, channel) = channel(&broker).await;
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare("listeners".into(), options, FieldTable::default()).await.unwrap();
        let declared = || async {
            let exchanges = broker.ask(&["list_exchanges", "name", "durable"]).ok()?;
            exchanges.contains(&vec!["neutron".to_owned(), "true".to_owned()]).then_some(())
        };
        until("the exchange", declared).await?;
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        let (queue, exchange) = ("listeners".into(), "neutron".into());
        channel.queue_bind(queue, exchange, "listeners".into(), options, table).await.unwrap();
    }
    broker.stop().unwrap();
    the_loss_is_noticed(&server).await?;
    for number in 0..3 {
        write(&server, &format!("note {number}")).await?;
    }
    broker.restart().unwrap();
    the_journal_is_empty(&server).await?;
    let (_connection, channel) = channel(&broker).await;
    let mut texts = Vec::new();
    while let Some(got) = channel.basic_get("listeners".into(), BasicGetOptions::default()).await.unwrap() {
        got.ack(BasicAckOptions::default()).await.unwrap();
        let outer: serde_json::Value = serde_json::from_slice(&got.data).unwrap();
        let message: serde_json::Value =
            serde_json::from_str(outer["oslo.message"].as_str().unwrap()).unwrap();
        assert_eq!(message["method"], "note_created");
        texts.push(message["args"]["note"]["text"].as_str().unwrap().to_owned());
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts, ["note 0", "note 1", "note 2"]);
    Ok(())
}
