//! Connections: brokers in turn, TLS, and queues that peers were told to declare
//! in other ways.

use futures::FutureExt;
use hadron_bus::{Amqp, Bus, Durability, Message, Spread, State, Tls};
use hadron_bus_tests::{SOON, until};
use hadron_sdk_testing::Result;
use hadron_test_support::{RabbitMq, free_port};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

async fn connected(bus: &Bus) -> Result<()> {
    let up = until("a connection", || async { (bus.state() == State::Connected).then_some(()) });
    up.await.inspect_err(|_| eprintln!("{:?}", bus.state()))
}

/// Calls itself.
async fn answers(bus: &Bus, topic: &str) -> Result<()> {
    let mut consumer = bus.consume(topic);
    let answering = tokio::spawn(async move {
        while let Some(delivery) = consumer.next().await {
            let taken = delivery.take().await;
            taken.answering.send(Ok(taken.message.arguments));
        }
    });
    let called = until("an answer", || {
        bus.call(Message::new(topic, "echo", json!({"a": 1})), Duration::from_secs(5))
            .map(|answer| answer.ok())
    });
    assert_eq!(called.await?, json!({"a": 1}));
    answering.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_broker_is_tried_when_one_is_away() -> Result<()> {
    let (Some(one), Some(other)) = (RabbitMq::start(), RabbitMq::start()) else { return Ok(()) };
    let place = |broker: &RabbitMq| broker.url().replace("amqp://", "").replace('/', "");
    let nobody = format!("guest:guest@127.0.0.1:{}", free_port().unwrap());
    let url = format!("rabbit://{nobody},{},{}/", place(&one), place(&other));
    let settings = Amqp { heartbeat: Duration::from_secs(5), ..Amqp::new(url.parse().unwrap(), "h") };
    let bus = Bus::amqp(settings);
    connected(&bus).await?;
    one.kill();
    // Both links are at the one that is left.
    until("the other broker", || async {
        let clients = other.ask(&["list_connections", "state"]).ok()?;
        (clients.len() == 2 && bus.state() == State::Connected).then_some(())
    })
    .await?;
    answers(&bus, "t").await?;
    bus.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_attached_where_there_is_no_broker() -> Result<()> {
    let nobody = format!("amqp://guest:guest@127.0.0.1:{}/", free_port().unwrap());
    let bus = Bus::amqp(Amqp::new(nobody.parse().unwrap(), "h"));
    let mut consumer = bus.consume("t");
    let early = tokio::time::timeout(Duration::from_secs(1), consumer.attached()).await;
    assert!(early.is_err());
    bus.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_messages_is_told_and_not_all_at_once() -> Result<()> {
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let bus = Bus::amqp(Amqp::new(broker.url().parse().unwrap(), "h"));
    let mut renewals = bus.renewals();
    for topic in ["one", "two"] {
        answers(&bus, topic).await?;
    }
    let (_one, _two) = (bus.consume("three"), bus.consume("four"));
    until("the topics", || async {
        let queues = broker.ask(&["list_queues", "name"]).ok()?;
        ["three", "four"].iter().all(|name| queues.iter().any(|queue| queue[0] == *name)).then_some(())
    })
    .await?;
    let spread = Duration::from_secs(5);
    let early = tokio::time::timeout(Duration::from_secs(1), renewals.next(spread)).await;
    assert!(early.is_err(), "nothing is lost yet");
    broker.kill();
    broker.restart().unwrap();
    // Twenty processes that lost it: they ask over some time, each of them once.
    let waits: Vec<_> = (0..20)
        .map(|_| {
            let mut renewals = renewals.clone();
            tokio::spawn(async move {
                assert!(renewals.next(spread).await);
                let asked = Instant::now();
                let again = tokio::time::timeout(Duration::from_secs(1), renewals.next(spread)).await;
                assert!(again.is_err(), "two topics were lost together");
                asked
            })
        })
        .collect();
    let mut asked = Vec::new();
    for wait in waits {
        asked.push(tokio::time::timeout(SOON, wait).await.expect("it is told").unwrap());
    }
    let over = asked.iter().max().unwrap().duration_since(*asked.iter().min().unwrap());
    assert!(over > Duration::from_secs(1), "all asked within {over:?}");
    bus.close().await;
    assert!(Bus::in_process("h").renewals().next(spread).now_or_never().is_none_or(|told| !told));
    Ok(())
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes `NAME.pem` and `NAME.key`.
fn signed(by: &Authority, folder: &Path, name: &str) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    // One that is called as its authority passes for signed by itself.
    params.distinguished_name.push(DnType::CommonName, name);
    std::fs::write(folder.join(format!("{name}.pem")), params.signed_by(&key, by).unwrap().pem()).unwrap();
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_and_its_client_show_certificates() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (trusted, stranger) = (authority(), authority());
    std::fs::write(at("ca.pem"), trusted.pem()).unwrap();
    std::fs::write(at("stranger.pem"), stranger.pem()).unwrap();
    for name in ["broker", "client"] {
        signed(&trusted, folder.path(), name);
    }
    let port = free_port().unwrap();
    let more = format!(
        "listeners.ssl.local = 127.0.0.1:{port}\n\
         ssl_options.cacertfile = {0}/ca.pem\nssl_options.certfile = {0}/broker.pem\n\
         ssl_options.keyfile = {0}/broker.key\nssl_options.verify = verify_peer\n\
         ssl_options.fail_if_no_peer_cert = true\n",
        folder.path().display()
    );
    let Some(_broker) = RabbitMq::start_with(&more) else { return Ok(()) };
    let url = format!("amqps://guest:guest@127.0.0.1:{port}/");
    let own = Some((at("client.pem"), at("client.key")));
    let bus = |ca: &str, identity| {
        let tls = Tls { ca: at(ca), identity };
        Bus::amqp(Amqp { tls, ..Amqp::new(url.parse().unwrap(), "h") })
    };
    let good = bus("ca.pem", own.clone());
    connected(&good).await?;
    answers(&good, "t").await?;
    good.close().await;
    for (ca, identity) in [("stranger.pem", own), ("ca.pem", None), ("nowhere.pem", None)] {
        let bad = bus(ca, identity);
        let why = until("a refusal", || async {
            match bad.state() {
                State::Away(why) if why != "not connected yet" => Some(why),
                _ => None,
            }
        });
        assert!(!why.await?.is_empty(), "{ca}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(matches!(bad.state(), State::Away(_)), "{ca}");
        bad.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_are_declared_as_peers_were_told_to() -> Result<()> {
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let settings = || Amqp {
        durability: Durability::Quorum,
        transient_quorum: true,
        stable_names: true,
        exchange: "quorate".to_owned(),
        ..Amqp::new(broker.url().parse().unwrap(), "h")
    };
    let bus = Bus::amqp(settings());
    answers(&bus, "t").await?;
    let queues = broker.ask(&["list_queues", "name", "durable", "type"]).unwrap();
    for name in ["t", "t.h", "t_fanout_h:hadron:1", "reply_h:hadron:1"] {
        let expected = [name, "true", "quorum"];
        assert!(queues.iter().any(|queue| *queue == expected), "{expected:?} in {queues:?}");
    }
    let exchanges = broker.ask(&["list_exchanges", "name", "durable", "auto_delete"]).unwrap();
    for expected in [["quorate", "true", "false"], ["t_fanout", "true", "true"]] {
        assert!(exchanges.iter().any(|exchange| *exchange == expected), "{expected:?} in {exchanges:?}");
    }
    bus.close().await;
    // What is said meanwhile is there when the process comes back.
    let other = Bus::amqp(Amqp { host: "elsewhere".to_owned(), ..settings() });
    connected(&other).await?;
    for spread in [Spread::Cast, Spread::Fanout] {
        other.publish(spread, Message::new("t", "meanwhile", json!({}))).await.unwrap();
    }
    broker.stop().unwrap();
    broker.restart().unwrap();
    let back = Bus::amqp(settings());
    let mut consumer = back.consume("t");
    for _ in 0..2 {
        let delivery = tokio::time::timeout(SOON, consumer.next()).await.expect("it was kept");
        assert_eq!(delivery.expect("the bus is there").take().await.message.method, "meanwhile");
    }
    back.close().await;
    other.close().await;
    Ok(())
}
