//! The lightest HTTP/1.1 client that is still honest: it shares the processors
//! with the server it measures, so it sends ready bytes, keeps its buffers, and
//! reads an answer only as far as needed to find its end.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read and not used yet.
    input: Vec<u8>,
    body: Vec<u8>,
}

/// What is read at a time, bytes.
const CHUNK: usize = 64 * 1024;

/// Puts a request into a buffer; further headers are whole lines.
pub(crate) fn request(out: &mut Vec<u8>, method: &str, path: &str, headers: &str, body: &str) {
    out.clear();
    for part in [method, " ", path, " HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\n", headers] {
        out.extend_from_slice(part.as_bytes());
    }
    if body.is_empty() {
        out.extend_from_slice(b"\r\n");
        return;
    }
    let length = body.len().to_string();
    for part in ["Content-Type: application/json\r\nContent-Length: ", &length, "\r\n\r\n", body] {
        out.extend_from_slice(part.as_bytes());
    }
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Connection> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, input: Vec::with_capacity(CHUNK), body: Vec::new() })
    }

    /// Sends a request and reads its answer: the status and the body.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await.context("the request could not be sent")?;
        let head = loop {
            if let Some(end) = find(&self.input, b"\r\n\r\n") {
                break end + 4;
            }
            self.read().await?;
        };
        let Head { status, length } = self.input.get(..head).map(Head::parse).unwrap_or_default();
        if status == 0 {
            bail!("the answer is no HTTP/1.1");
        }
        self.input.drain(..head);
        self.body.clear();
        match length {
            Length::Known(length) => self.take(length).await?,
            Length::Chunked => loop {
                let size = self.line().await?;
                let size = usize::from_str_radix(size.trim(), 16)
                    .with_context(|| format!("'{size}' is no size of a chunk"))?;
                if size == 0 {
                    self.line().await?;
                    break;
                }
                self.take(size).await?;
                self.line().await?;
            },
        }
        Ok((status, &self.body))
    }

    async fn read(&mut self) -> Result<()> {
        self.input.reserve(CHUNK);
        let read = self.stream.read_buf(&mut self.input).await.context("the answer could not be read")?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    /// Moves so many bytes from the input to the body.
    async fn take(&mut self, length: usize) -> Result<()> {
        let mut left = length;
        loop {
            let now = left.min(self.input.len());
            self.body.extend_from_slice(self.input.get(..now).unwrap_or_default());
            self.input.drain(..now);
            left -= now;
            if left == 0 {
                return Ok(());
            }
            self.read().await?;
        }
    }

    /// Takes a line out of the input, without its end.
    async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = find(&self.input, b"\r\n") {
                let line = self.input.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).context("a chunk's size is no text");
            }
            self.read().await?;
        }
    }
}

/// Where `what` begins.
fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// What of an answer's head is needed.
#[derive(Debug, Default, PartialEq)]
struct Head {
    status: u16,
    length: Length,
}

#[derive(Debug, PartialEq)]
enum Length {
    Known(usize),
    Chunked,
}

impl Default for Length {
    fn default() -> Length {
        Length::Known(0)
    }
}

impl Head {
    fn parse(bytes: &[u8]) -> Head {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|s| s.parse().ok());
        let mut head = Head { status: status.unwrap_or(0), length: Length::default() };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                head.length = Length::Known(value.trim().parse().unwrap_or(0));
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                head.length = Length::Chunked;
                break;
            }
        }
        head
    }
}

/// The value of the first `"id"` of a JSON text that the server wrote.
pub(crate) fn first_id(body: &[u8]) -> Option<String> {
    ids(body).next()
}

/// The values of all `"id"` members of a JSON text that the server wrote.
pub(crate) fn ids(body: &[u8]) -> impl Iterator<Item = String> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let at = find(rest, b"\"id\"")? + 4;
        rest = rest.get(at..)?;
        let mut parts = rest.splitn(3, |byte| *byte == b'"').skip(1);
        parts.next().map(|id| String::from_utf8_lossy(id).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn ids_are_found_in_their_order() {
        let body = br#"{"ports": [{"id": "a", "network_id": "n"}, {"id":"b"}]}"#;
        assert_eq!(ids(body).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[tokio::test]
    async fn answers_of_both_framings_are_read_one_after_the_other() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            for answer in [
                "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                "HTTP/1.1 204 No Content\r\n\r\n",
            ] {
                assert!(stream.read(&mut buffer).await.unwrap() > 0);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let mut connection = Connection::open(address).await.unwrap();
        let mut bytes = Vec::new();
        request(&mut bytes, "GET", "/", "", "");
        assert_eq!(connection.send(&bytes).await.unwrap(), (201, b"hello".as_slice()));
        assert_eq!(connection.send(&bytes).await.unwrap(), (200, b"abcde".as_slice()));
        assert_eq!(connection.send(&bytes).await.unwrap(), (204, b"".as_slice()));
    }
}
