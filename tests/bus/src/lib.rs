//! Messages: the same promises in process and over RabbitMQ (`suite`), a server
//! whose plugin speaks with the real oslo.messaging (`server`), and a broker
//! that goes and comes back (`broker_away`).
#![forbid(unsafe_code)]

use hadron_bus::{Amqp, Bus, Durability};
use hadron_sdk_testing::{Builder, Plugin, Result, Server, component};
use std::time::Duration;

/// How long the tests wait for what should happen soon, on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// A bus over the broker at this URL, as a server at this host has it.
///
/// # Panics
/// When the URL is none.
pub fn over(url: &str, host: &str) -> Bus {
    Bus::amqp(Amqp {
        url: url.parse().unwrap(),
        exchange: "neutron".to_owned(),
        host: host.to_owned(),
        heartbeat: Duration::from_secs(10),
        durability: Durability::Transient,
        expiry: Duration::from_secs(1800),
        notification_topics: Vec::new(),
        publisher: format!("test.{host}"),
    })
}

/// A server with the plugin of these tests and no other; `broker` is a URL, or
/// nothing.
pub fn server(broker: &str) -> Result<Builder> {
    let echo = Plugin::new("echo", component("echo")?).service();
    Ok(Server::builder()
        .core("")
        .service_plugins(&[])
        .type_drivers(&[])
        .mechanism_drivers(&[])
        .plugin(echo)
        .config(&format!(
            "[bus]\nurl = '{broker}'\nhost = 'here'\nnotifications = ['notifications']\nheartbeat_s = 10\n"
        )))
}

/// The texts of the notes that the server has.
///
/// # Errors
/// When it does not answer.
pub async fn notes(server: &Server) -> Result<Vec<String>> {
    let body = server.get("/v2.0/notes").await?.expect(200)?;
    let notes = body["notes"].as_array().cloned().unwrap_or_default();
    let mut texts: Vec<String> =
        notes.iter().map(|note| note["text"].as_str().unwrap_or_default().to_owned()).collect();
    texts.sort();
    Ok(texts)
}

/// Looks again and again until there is something.
///
/// # Errors
/// When there is not, soon.
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Option<T>>,
{
    hadron_sdk_testing::until(what, SOON, || {
        let looked = look();
        async { Ok(looked.await) }
    })
    .await
}

/// Waits until everything was delivered.
///
/// # Errors
/// When something is left.
pub async fn the_journal_is_empty(server: &Server) -> Result<()> {
    until("the journal is empty", || async {
        let entries = server.cli_json(&["journal", "list"]).await.ok()?;
        entries.as_array()?.is_empty().then_some(())
    })
    .await
}
