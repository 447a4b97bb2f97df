//! A client of Open vSwitch's database over its Unix socket: JSON-RPC as
//! RFC 7047 has it. Transactions may overlap; the server's echoes are answered.

use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex as Turn, mpsc, oneshot};

/// The database that holds bridges, ports and interfaces.
const DATABASE: &str = "Open_vSwitch";

/// The largest message that is taken, in bytes.
const LARGEST: usize = 64 << 20;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket cannot be reached, or the connection broke.
    #[error("the connection to the database broke: {0}")]
    Connection(#[from] std::io::Error),
    /// The connection ended before the answer.
    #[error("the database closed the connection")]
    Closed,
    /// The database refused a request or an operation.
    #[error("the database refused: {0}")]
    Refused(Value),
    /// What came is not what the protocol has.
    #[error("the database answered with something else: {0}")]
    Unexpected(String),
}

type Answer = Result<Value, Error>;
type Waiting = Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>;

/// A connection. When it ends every call fails with [`Error::Closed`].
pub struct Client {
    writer: Arc<Turn<OwnedWriteHalf>>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    updates: Mutex<Option<mpsc::UnboundedReceiver<Value>>>,
    reader: tokio::task::JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Client {
    /// Connects to a database's socket.
    ///
    /// # Errors
    /// [`Error::Connection`] if nobody listens there.
    pub async fn connect(socket: &Path) -> Result<Self, Error> {
        let (reading, writing) = UnixStream::connect(socket).await?.into_split();
        let writer = Arc::new(Turn::new(writing));
        let waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let (told, updates) = mpsc::unbounded_channel();
        let reader = tokio::spawn(read(reading, Arc::clone(&writer), Arc::clone(&waiting), told));
        Ok(Self { writer, waiting, next: AtomicU64::new(0), updates: Mutex::new(Some(updates)), reader })
    }

    /// Carries out operations, all or none, and answers each one's result.
    ///
    /// # Errors
    /// [`Error::Refused`] with the first operation's error, and those of the
    /// connection; after [`Error::Closed`] it may have been carried out.
    pub async fn transact(&self, operations: Vec<Value>) -> Result<Vec<Value>, Error> {
        let mut parameters = vec![json!(DATABASE)];
        parameters.extend(operations);
        match self.call("transact", parameters).await? {
            Value::Array(results) => {
                // After the failing operation come nulls; a failed commit is one
                // result more than there were operations.
                match results.iter().find(|r| r.get("error").is_some_and(|e| !e.is_null())) {
                    Some(failed) => Err(Error::Refused(failed.clone())),
                    None => Ok(results),
                }
            }
            other => Err(Error::Unexpected(other.to_string())),
        }
    }

    /// What is in these tables now, and what becomes of it until the connection
    /// ends, each as RFC 7047's `<table-updates>`. `tables` is its
    /// `<monitor-requests>`. Once a connection.
    ///
    /// # Errors
    /// As [`Client::transact`]; [`Error::Unexpected`] the second time.
    pub async fn monitor(&self, tables: Value) -> Result<(Value, mpsc::UnboundedReceiver<Value>), Error> {
        let updates = self.updates.lock().take();
        let updates = updates.ok_or_else(|| Error::Unexpected("it is monitored already".to_owned()))?;
        let now = self.call("monitor", vec![json!(DATABASE), Value::Null, tables]).await?;
        Ok((now, updates))
    }

    async fn call(&self, method: &str, parameters: Vec<Value>) -> Answer {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().as_mut().ok_or(Error::Closed)?.insert(id, answer);
        let message = json!({"id": id, "method": method, "params": parameters}).to_string();
        if let Err(broken) = self.writer.lock().await.write_all(message.as_bytes()).await {
            if let Some(waiting) = self.waiting.lock().as_mut() {
                waiting.remove(&id);
            }
            return Err(broken.into());
        }
        answered.await.unwrap_or(Err(Error::Closed))
    }
}

/// Takes what comes until the connection ends, then lets all who wait know.
async fn read(
    mut from: OwnedReadHalf,
    to: Arc<Turn<OwnedWriteHalf>>,
    waiting: Arc<Waiting>,
    told: mpsc::UnboundedSender<Value>,
) {
    let mut buffer = Vec::new();
    'connected: loop {
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let Ok(messages) = messages(&mut buffer) else { break };
        if buffer.len() > LARGEST {
            break;
        }
        for mut message in messages {
            if message.get("method").and_then(Value::as_str) == Some("update") {
                let updates = message.pointer_mut("/params/1").map(Value::take);
                // Nobody listens any more if the receiver was dropped.
                let _ = told.send(updates.unwrap_or_default());
                continue;
            }
            if message.get("method").and_then(Value::as_str) == Some("echo") {
                let reply = json!({"id": message.get("id"), "result": message.get("params"), "error": null});
                if to.lock().await.write_all(reply.to_string().as_bytes()).await.is_err() {
                    break 'connected;
                }
                continue;
            }
            let Some(id) = message.get("id").and_then(Value::as_u64) else { continue };
            let caller = waiting.lock().as_mut().and_then(|w| w.remove(&id));
            if let Some(caller) = caller {
                // Nobody listens any more if the caller was dropped.
                let _ = caller.send(outcome(message));
            }
        }
    }
    waiting.lock().take();
}

fn outcome(mut message: Value) -> Answer {
    match message.get_mut("error").map(Value::take) {
        None | Some(Value::Null) => Ok(message.get_mut("result").map(Value::take).unwrap_or_default()),
        Some(error) => Err(Error::Refused(error)),
    }
}

/// Takes the whole messages off a buffer and leaves the rest: they follow each
/// other with nothing between them.
fn messages(buffer: &mut Vec<u8>) -> Result<Vec<Value>, serde_json::Error> {
    let mut stream = serde_json::Deserializer::from_slice(buffer).into_iter::<Value>();
    let mut whole = Vec::new();
    let mut taken = 0;
    loop {
        match stream.next() {
            Some(Ok(message)) => {
                taken = stream.byte_offset();
                whole.push(message);
            }
            Some(Err(partial)) if partial.is_eof() => break,
            Some(Err(garbled)) => return Err(garbled),
            None => break,
        }
    }
    buffer.drain(..taken);
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_arrive_whole_wherever_they_are_cut(texts in prop::collection::vec(".*", 1..5), cut in 1_usize..40) {
            let sent: Vec<Value> = texts.iter().map(|t| json!({"id": t, "result": [t]})).collect();
            let bytes: Vec<u8> = sent.iter().flat_map(|m| m.to_string().into_bytes()).collect();
            let (mut buffer, mut received) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(cut) {
                buffer.extend_from_slice(piece);
                received.extend(messages(&mut buffer).unwrap());
            }
            prop_assert_eq!(received, sent);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn any_bytes_are_taken_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let before = bytes.len();
            let _ = messages(&mut bytes);
            prop_assert!(bytes.len() <= before);
        }
    }
}
