//! A broker that is there and does not take messages: stopped, without memory,
//! or with a queue that is full. Clients are answered, and an entry is done only
//! when the broker has said that it has the message.

use hadron_bus::{BusError, Message, Spread};
use hadron_bus_tests::{channel, over, server, the_journal_is_empty, until, write};
use hadron_sdk_testing::{Result, Server};
use hadron_test_support::RabbitMq;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longer than a confirmation is waited for.
const LONG: Duration = Duration::from_secs(7);

async fn entries(server: &Server) -> Result<usize> {
    let entries = server.cli_json(&["journal", "list"]).await?;
    Ok(entries.as_array().map(Vec::len).unwrap_or_default())
}

/// Binds a queue to what the server casts to its listeners.
async fn listen(channel: &Channel, arguments: FieldTable) {
    let options = QueueDeclareOptions::default();
    channel.queue_declare("listeners".into(), options, arguments).await.unwrap();
    let (options, table) = (QueueBindOptions::default(), FieldTable::default());
    let (queue, exchange) = ("listeners".into(), "neutron".into());
    channel.queue_bind(queue, exchange, "listeners".into(), options, table).await.unwrap();
}

/// The texts of the notes that the queue was told of so far.
async fn told(channel: &Channel) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(got) = channel.basic_get("listeners".into(), BasicGetOptions::default()).await.unwrap() {
        got.ack(BasicAckOptions::default()).await.unwrap();
        let outer: Value = serde_json::from_slice(&got.data).unwrap();
        let message: Value = serde_json::from_str(outer["oslo.message"].as_str().unwrap()).unwrap();
        texts.push(message["args"]["note"]["text"].as_str().unwrap().to_owned());
    }
    texts.sort();
    texts.dedup();
    texts
}

async fn state(server: &Server) -> Option<String> {
    let ready = server.get("/readyz").await.ok()?;
    assert_eq!(ready.status, 200);
    ready.body["bus"]["state"].as_str().map(str::to_owned)
}

async fn is(server: &Server, wanted: &str) -> Result<()> {
    until(wanted, || async { (state(server).await? == wanted).then_some(()) }).await
}

/// Makes a note while nobody knows yet that the broker confirms nothing: the
/// request waits as long as its delivery budget, and no longer.
async fn write_patiently(server: &Server, text: &str) -> Result<()> {
    let began = Instant::now();
    server.post("/v2.0/notes", &json!({"note": {"text": text}})).await?.expect(201)?;
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_did_not_confirm_is_sent_again() -> Result<()> {
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let server = server(&broker.url())?.start().await?;
    is(&server, "connected").await?;
    let (_connection, channel) = channel(&broker).await;
    until("the exchange", || async {
        let exchanges = broker.ask(&["list_exchanges", "name"]).ok()?;
        exchanges.contains(&vec!["neutron".to_owned()]).then_some(())
    })
    .await?;
    listen(&channel, FieldTable::default()).await;

    // It is connected, and says nothing.
    broker.freeze();
    write_patiently(&server, "while it stood still").await?;
    // From then on that is known.
    is(&server, "away").await?;
    write(&server, "while that was known").await?;
    tokio::time::sleep(LONG).await;
    assert!(entries(&server).await? > 0, "nobody confirmed it");
    broker.thaw();
    the_journal_is_empty(&server).await?;

    // It takes no message from anybody, and says so.
    broker.ask(&["set_vm_memory_high_watermark", "absolute", "1MB"]).unwrap();
    // A broker tells who sends, not who is silent.
    write_patiently(&server, "while it was full").await?;
    is(&server, "away").await?;
    write(&server, "while it was known to be full").await?;
    tokio::time::sleep(LONG).await;
    assert!(entries(&server).await? > 0, "nobody took it");
    broker.ask(&["set_vm_memory_high_watermark", "absolute", "256MB"]).unwrap();
    is(&server, "connected").await?;
    the_journal_is_empty(&server).await?;
    let (_connection, again) = hadron_bus_tests::channel(&broker).await;
    let expected = [
        "while it stood still",
        "while it was full",
        "while it was known to be full",
        "while that was known",
    ];
    assert_eq!(told(&again).await, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_refuses_is_waited_for() -> Result<()> {
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let server = server(&broker.url())?.start().await?;
    is(&server, "connected").await?;
    let (_connection, channel) = channel(&broker).await;
    until("the exchange", || async {
        let exchanges = broker.ask(&["list_exchanges", "name"]).ok()?;
        exchanges.contains(&vec!["neutron".to_owned()]).then_some(())
    })
    .await?;
    let mut one = FieldTable::default();
    one.insert("x-max-length".into(), AMQPValue::LongInt(1));
    one.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    listen(&channel, one).await;
    write(&server, "first").await?;
    until("the first is told", || async {
        let queues = broker.ask(&["list_queues", "name", "messages"]).ok()?;
        queues.contains(&vec!["listeners".to_owned(), "1".to_owned()]).then_some(())
    })
    .await?;
    let bus = over(&broker.url(), "elsewhere");
    let refused = until("a refusal", || async {
        let message = Message::new("listeners", "m", json!({"note": {"text": "bare"}}));
        bus.publish(Spread::Cast, message).await.err()
    });
    assert!(matches!(refused.await?, BusError::Away(_)));
    write(&server, "second").await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(entries(&server).await? > 0, "the queue refused it");
    until("room is made", || async { told(&channel).await.contains(&"second".to_owned()).then_some(()) })
        .await?;
    the_journal_is_empty(&server).await?;
    bus.close().await;
    Ok(())
}
