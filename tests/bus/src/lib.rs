//! Messages: the same promises in process and over RabbitMQ (`suite`), a server
//! whose plugin speaks with the real oslo.messaging (`server`), a broker that
//! goes and comes back (`broker_away`) or takes no messages (`faults`), and
//! connections (`links`), and a plugin that asks others after the commit
//! (`experts`).
#![forbid(unsafe_code)]

use hadron_bus::{Amqp, Bus};
use hadron_sdk_testing::{Builder, Plugin, Result, Server, component};
use hadron_test_support::RabbitMq;
use lapin::{Channel, Connection, ConnectionProperties};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long the tests wait for what should happen soon, on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// A bus over the broker at this URL, as a server at this host has it.
///
/// # Panics
/// When the URL is none.
pub fn over(url: &str, host: &str) -> Bus {
    Bus::amqp(Amqp { heartbeat: Duration::from_secs(10), ..Amqp::new(url.parse().unwrap(), host) })
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

/// Makes a note; clients do not wait for the broker.
///
/// # Errors
/// When it is not made.
///
/// # Panics
/// When they do wait.
pub async fn write(server: &Server, text: &str) -> Result<()> {
    let began = Instant::now();
    server.post("/v2.0/notes", &json!({"note": {"text": text}})).await?.expect(201)?;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    Ok(())
}

/// A bare connection to the broker, and a channel of it.
///
/// # Panics
/// When it cannot be reached.
pub async fn channel(broker: &RabbitMq) -> (Connection, Channel) {
    let url = format!("{}%2f", broker.url());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}
