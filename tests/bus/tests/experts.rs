//! A plugin that asks others after the commit, and speaks their dialect.

use hadron_bus::{Bus, RemoteError, Spread, Version};
use hadron_bus_tests::{notes, over, server, the_journal_is_empty, until};
use hadron_sdk_testing::{Result, Server};
use hadron_test_support::RabbitMq;
use serde_json::json;
use tokio::task::JoinHandle;

/// Answers questions in the dialect that it is asked in; `puzzled` says that it
/// cannot, `silent` does not answer the first time.
fn expert(bus: &Bus) -> JoinHandle<()> {
    let mut consumer = bus.consume("experts");
    tokio::spawn(async move {
        let mut asked_before = false;
        while let Some(delivery) = consumer.next().await {
            let taken = delivery.take().await;
            let (message, text) = (&taken.message, taken.message.arguments["text"].clone());
            let (version, namespace) = (message.version, message.namespace.as_deref());
            if taken.spread == Spread::Fanout {
                assert_eq!(message.method, "asked");
                assert_eq!((version, namespace), (Version { major: 1, minor: 3 }, Some("told")));
                continue;
            }
            assert_eq!((message.method.as_str(), version), ("answer", Version { major: 1, minor: 2 }));
            assert_eq!(namespace, Some("asked"));
            assert!(message.request_id.as_deref().is_some_and(|id| id.starts_with("req-")));
            match text.as_str() {
                Some("puzzled?") => taken.answering.send(Err(RemoteError::new("Puzzled", "I know not."))),
                Some("silent?") if !std::mem::replace(&mut asked_before, true) => {}
                _ => taken.answering.send(Ok(json!(format!("the answer to {}", text.as_str().unwrap())))),
            }
        }
    })
}

async fn says(server: &Server, text: &str) -> Result<()> {
    let look = || async { notes(server).await.ok()?.contains(&text.to_owned()).then_some(()) };
    until(&format!("a note '{text}'"), look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_asked_after_the_commit() -> Result<()> {
    let Some(broker) = RabbitMq::start() else { return Ok(()) };
    let server = server(&broker.url())?.start().await?;
    let write =
        async |text: &str| server.post("/v2.0/notes", &json!({"note": {"text": text}})).await?.expect(201);
    // Before there is anybody, the question waits.
    write("early?").await?;
    let bus = over(&broker.url(), "elsewhere");
    let answering = expert(&bus);
    says(&server, "the answer to early?").await?;
    write("why?").await?;
    says(&server, "the answer to why?").await?;
    write("puzzled?").await?;
    says(&server, "Puzzled: I know not.").await?;
    write("silent?").await?;
    says(&server, "the answer to silent?").await?;
    the_journal_is_empty(&server).await?;
    assert!(!answering.is_finished(), "the expert was spoken to in a wrong dialect");
    answering.abort();
    bus.close().await;
    Ok(())
}
