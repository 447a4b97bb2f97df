//! What both forms of the bus promise: each test runs in process and, where
//! RabbitMQ is installed, over a broker.

use hadron_bus::{Bus, BusError, CallError, Consumer, Message, Notification, RemoteError, Spread, Version};
use hadron_bus_tests::over;
use hadron_test_support::RabbitMq;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);
const A_WHILE: Duration = Duration::from_millis(300);

fn message(topic: &str, method: &str) -> Message {
    Message::new(topic, method, json!({}))
}

/// What arrives, until nothing does for a while.
async fn arrived(consumer: &mut Consumer, patience: Duration) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Ok(Some(delivery)) = tokio::time::timeout(patience, consumer.next()).await {
        messages.push(delivery.take().await.message);
    }
    messages
}

/// Two consumers of a topic that are known to be reached.
async fn consumers(one: &Bus, other: &Bus, topic: &str) -> (Consumer, Consumer) {
    let (mut a, mut b) = (one.consume(topic), other.consume(topic));
    for consumer in [&mut a, &mut b] {
        let reached = async {
            loop {
                let _ = one.publish(Spread::Fanout, message(topic, "are you there")).await;
                if !arrived(consumer, A_WHILE).await.is_empty() {
                    return;
                }
            }
        };
        tokio::time::timeout(SOON, reached).await.expect("the consumer is reached");
    }
    arrived(&mut a, A_WHILE).await;
    arrived(&mut b, A_WHILE).await;
    (a, b)
}

/// Answers what it is asked until it is dropped.
fn answer(mut consumer: Consumer) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Some(delivery) = consumer.next().await {
            let taken = delivery.take().await;
            assert!(taken.answering.is_awaited());
            match taken.message.method.as_str() {
                "echo" => taken.answering.send(Ok(taken.message.arguments)),
                "fail" => taken.answering.send(Err(RemoteError::new("Sad", "it is \"sad\""))),
                _ => silent.push(taken),
            }
        }
    })
}

async fn suite(one: Bus, other: Bus) {
    casts_reach_one_consumer_each(&one, &other).await;
    fanouts_reach_all(&one, &other).await;
    who_is_attached_misses_nothing(&one, &other).await;
    calls_are_answered(&one, &other).await;
    a_single_consumer_hears_each_message_once_and_in_order(&one, &other).await;
    what_is_said_about_a_message_arrives(&one, &other).await;
    notifications_reach_who_listens_here(&one).await;
    one.close().await;
    other.close().await;
}

async fn casts_reach_one_consumer_each(one: &Bus, other: &Bus) {
    let (mut a, mut b) = consumers(one, other, "casts").await;
    for number in 0..20 {
        let cast = Message::new("casts", number.to_string(), json!({"number": number}));
        one.publish(Spread::Cast, cast).await.unwrap();
    }
    let (of_a, of_b) = tokio::join!(arrived(&mut a, A_WHILE), arrived(&mut b, A_WHILE));
    assert!(!of_a.is_empty() && !of_b.is_empty(), "{} and {}", of_a.len(), of_b.len());
    assert_eq!(of_a.len() + of_b.len(), 20);
    let all: BTreeSet<String> = of_a.into_iter().chain(of_b).map(|message| message.method).collect();
    assert_eq!(all.len(), 20);
    // At one host, under the topic's own name.
    one.publish(Spread::Cast, message("casts.h1", "to a host")).await.unwrap();
    let (of_a, of_b) = tokio::join!(arrived(&mut a, A_WHILE), arrived(&mut b, A_WHILE));
    let all: Vec<Message> = of_a.into_iter().chain(of_b).collect();
    assert_eq!((all.len(), all[0].topic.as_str()), (1, "casts"));
    // That nobody listens is no error.
    one.publish(Spread::Cast, message("nobody", "hears")).await.unwrap();
    one.publish(Spread::Fanout, message("nobody", "hears")).await.unwrap();
    let wrong = Message::new("casts", "m", json!([1]));
    assert!(matches!(one.publish(Spread::Cast, wrong).await, Err(BusError::Invalid(_))));
}

async fn fanouts_reach_all(one: &Bus, other: &Bus) {
    let (mut a, mut b) = consumers(one, other, "fanouts").await;
    one.publish(Spread::Fanout, message("fanouts", "all")).await.unwrap();
    one.publish(Spread::Fanout, message("fanouts.h1", "no host")).await.unwrap();
    for consumer in [&mut a, &mut b] {
        let methods: Vec<String> =
            arrived(consumer, A_WHILE).await.into_iter().map(|message| message.method).collect();
        assert_eq!(methods, ["all"]);
    }
    drop(a);
    one.publish(Spread::Fanout, message("fanouts", "who is left")).await.unwrap();
    assert_eq!(arrived(&mut b, A_WHILE).await.len(), 1);
}

async fn who_is_attached_misses_nothing(one: &Bus, other: &Bus) {
    for round in 0..5 {
        let topic = format!("attached{round}");
        let mut consumer = other.consume(&topic);
        let attached = tokio::time::timeout(SOON, consumer.attached()).await;
        assert!(attached.expect("the broker has its queues"));
        one.publish(Spread::Fanout, message(&topic, "at once")).await.unwrap();
        assert_eq!(arrived(&mut consumer, A_WHILE).await.len(), 1);
    }
}

async fn calls_are_answered(one: &Bus, other: &Bus) {
    let (a, b) = consumers(one, other, "calls").await;
    let answering = [answer(a), answer(b)];
    let arguments = json!({"text": "ü\u{0}\"", "list": [1, null, {"a": {}}]});
    let calls = (0..40).map(|number| {
        let arguments = json!({"number": number, "more": arguments});
        async { (one.call(Message::new("calls", "echo", arguments.clone()), SOON).await, arguments) }
    });
    for (answer, arguments) in futures::future::join_all(calls).await {
        assert_eq!(answer, Ok(arguments));
    }
    match one.call(message("calls", "fail"), SOON).await {
        Err(CallError::Remote(error)) => {
            assert_eq!((error.class.as_str(), error.message.as_str()), ("Sad", "it is \"sad\""));
        }
        other => panic!("{other:?}"),
    }
    let began = std::time::Instant::now();
    assert_eq!(one.call(message("calls", "sleep"), A_WHILE).await, Err(CallError::TimedOut));
    assert!(began.elapsed() < SOON);
    let nobody = one.call(message("nobody at all", "echo"), SOON).await;
    assert_eq!(nobody, Err(CallError::NotSent(BusError::Unroutable("nobody at all".to_owned()))));
    answering.iter().for_each(tokio::task::JoinHandle::abort);
}

async fn a_single_consumer_hears_each_message_once_and_in_order(one: &Bus, other: &Bus) {
    let (mut a, b) = consumers(one, other, "order").await;
    drop(b);
    tokio::time::sleep(A_WHILE).await;
    let sent: Vec<_> = (0..200)
        .map(|number| {
            let new = message("order", &number.to_string());
            // Each twice: the second time as one that is not sure of the first.
            let id = format!("{:032x}", number / 2);
            one.publish(Spread::Cast, Message { id, ..new })
        })
        .collect();
    for sent in sent {
        sent.await.unwrap();
    }
    let methods: Vec<String> =
        arrived(&mut a, A_WHILE).await.into_iter().map(|message| message.method).collect();
    let expected: Vec<String> = (0..100).map(|number| (2 * number).to_string()).collect();
    assert_eq!(methods, expected);
}

async fn what_is_said_about_a_message_arrives(one: &Bus, other: &Bus) {
    let (a, mut b) = consumers(one, other, "about").await;
    drop(a);
    tokio::time::sleep(A_WHILE).await;
    let sent = Message {
        version: Version { major: 3, minor: 7 },
        namespace: Some("ours".to_owned()),
        request_id: Some("req-1".to_owned()),
        ..Message::new("about", "m", json!({"a": 1}))
    };
    one.publish(Spread::Cast, sent.clone()).await.unwrap();
    assert_eq!(arrived(&mut b, A_WHILE).await, [sent]);
}

async fn notifications_reach_who_listens_here(one: &Bus) {
    let mut consumer = one.consume("thing.create.end");
    let told = Notification {
        event_type: "thing.create.end".to_owned(),
        payload: json!({"thing": 1}),
        id: "0".repeat(32),
        request_id: None,
    };
    one.notify(told.clone()).await.unwrap();
    one.notify(told).await.unwrap();
    let payloads: Vec<Value> =
        arrived(&mut consumer, A_WHILE).await.into_iter().map(|message| message.arguments).collect();
    assert_eq!(payloads, [json!({"thing": 1})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_in_process() {
    let bus = Bus::in_process("h1");
    suite(bus.clone(), bus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_over_a_broker() {
    let Some(broker) = RabbitMq::start() else { return };
    suite(over(&broker.url(), "h1"), over(&broker.url(), "h2")).await;
}
