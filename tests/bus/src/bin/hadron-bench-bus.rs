//! How fast the bus is, beside a bare producer and a bare consumer of the same
//! broker, of equal messages, in the same run: `cargo xtask bench --bus`.
//!
//! Both have their messages confirmed and acknowledge each that they take, with
//! as many under way; the bus besides writes and reads envelopes, and drops what
//! comes twice. Ratios count, not rates: broker, producer and consumer share the
//! machine.
#![forbid(unsafe_code)]

use futures::{StreamExt, stream};
use hadron_bus::{Bus, Message, Spread, State};
use hadron_bus_tests::{channel, over};
use hadron_test_support::RabbitMq;
use lapin::BasicProperties;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use serde_json::json;
use std::time::{Duration, Instant};

/// Messages of one measurement.
const MESSAGES: usize = 20_000;
const CALLS: usize = 5_000;
/// Sent and not confirmed yet.
const UNDER_WAY: usize = 256;
/// Given and not acknowledged yet.
const PREFETCH: u16 = 16;
const ROUNDS: usize = 3;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// About as large as a resource that is pushed.
fn arguments() -> serde_json::Value {
    json!({"event_type": "updated", "resource_list": [{"id": "x".repeat(36), "data": "y".repeat(900)}]})
}

/// Messages per second through bare queues.
async fn bare(broker: &RabbitMq) -> Outcome<f64> {
    let ((_producer, sending), (_consumer, taking)) = (channel(broker).await, channel(broker).await);
    let queue = "bare";
    taking.queue_declare(queue.into(), QueueDeclareOptions::default(), FieldTable::default()).await?;
    taking.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut arrivals = taking.basic_consume(queue.into(), "1".into(), options, table).await?;
    sending.confirm_select(ConfirmSelectOptions::default()).await?;
    let body = arguments().to_string().into_bytes();
    let began = Instant::now();
    let taken = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            if let Some(Ok(delivery)) = arrivals.next().await {
                let _ = delivery.ack(BasicAckOptions::default()).await;
            }
        }
    });
    let sent = stream::iter(0..MESSAGES).map(|_| async {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent =
            sending.basic_publish("".into(), queue.into(), options, &body, properties.with_delivery_mode(2));
        sent.await?.await.map(drop)
    });
    let mut sent = sent.buffered(UNDER_WAY);
    while let Some(sent) = sent.next().await {
        sent?;
    }
    taken.await?;
    Ok(rate(MESSAGES, began))
}

/// Messages per second through the bus.
async fn casts(from: &Bus, to: &Bus) -> Outcome<f64> {
    let mut consumer = to.consume("measured");
    reached(from, "measured").await;
    while let Ok(Some(early)) = tokio::time::timeout(Duration::from_millis(500), consumer.next()).await {
        early.take().await;
    }
    let began = Instant::now();
    let taken = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            if let Some(delivery) = consumer.next().await {
                delivery.take().await;
            }
        }
    });
    let sent = stream::iter(0..MESSAGES)
        .map(|_| from.publish(Spread::Cast, Message::new("measured", "push", arguments())));
    let mut sent = sent.buffered(UNDER_WAY);
    while let Some(sent) = sent.next().await {
        sent?;
    }
    taken.await?;
    Ok(rate(MESSAGES, began))
}

/// Calls that are answered, per second, 64 at a time.
async fn calls(from: &Bus, to: &Bus) -> Outcome<f64> {
    let mut consumer = to.consume("asked");
    let answering = tokio::spawn(async move {
        while let Some(delivery) = consumer.next().await {
            let taken = delivery.take().await;
            taken.answering.send(Ok(taken.message.arguments));
        }
    });
    reached(from, "asked").await;
    let began = Instant::now();
    let asked = stream::iter(0..CALLS)
        .map(|_| from.call(Message::new("asked", "echo", arguments()), Duration::from_secs(30)));
    let mut asked = asked.buffer_unordered(64);
    while let Some(answer) = asked.next().await {
        answer?;
    }
    answering.abort();
    Ok(rate(CALLS, began))
}

/// Until somebody has a queue for the topic.
async fn reached(bus: &Bus, topic: &str) {
    while bus.state() != State::Connected {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let there = || bus.call(Message::new(topic, "there?", json!({})), Duration::from_millis(200));
    while matches!(there().await, Err(hadron_bus::CallError::NotSent(_))) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn rate(count: usize, began: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / began.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let Some(broker) = RabbitMq::start() else { return Err("RabbitMQ is not installed".into()) };
    println!("{MESSAGES} messages of about 1 kB, {UNDER_WAY} under way; {CALLS} calls, 64 at a time");
    println!("round  bare/s  bus/s  ratio  calls/s  in process/s");
    for round in 1..=ROUNDS {
        let bare = bare(&broker).await?;
        let (from, to) = (over(&broker.url(), "from"), over(&broker.url(), "to"));
        let (casts, calls) = (casts(&from, &to).await?, calls(&from, &to).await?);
        from.close().await;
        to.close().await;
        let here = Bus::in_process("here");
        let here = self::calls(&here, &here).await?;
        println!("{round:>5} {bare:>7.0} {casts:>6.0} {:>6.2} {calls:>8.0} {here:>13.0}", casts / bare);
    }
    Ok(())
}
