//! Accepts connections and serves HTTP/1.1 on them, over TLS HTTP/2 too.
//!
//! Small enough to be our own: `TCP_NODELAY`, a limit on how long a client may
//! take to send a head, and a drain that ends.

use super::tls::Certificates;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::uri::Scheme;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::{debug, warn};

/// A client that takes longer to send a request's head, or keeps a connection
/// idle longer, is let go.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// A client that takes longer for the TLS handshake is let go.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// After an accept that failed for want of file descriptors or memory: trying
/// again at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener and what it serves.
pub(crate) struct Listening<L> {
    listener: L,
    router: Router,
    certificates: Option<Certificates>,
}

/// Serves on a TCP listener; over TLS where there are certificates.
pub(crate) fn tcp(
    listener: TcpListener,
    router: Router,
    certificates: Option<Certificates>,
) -> Listening<TcpListener> {
    Listening { listener, router, certificates }
}

/// Serves on a unix socket.
pub(crate) fn unix(listener: UnixListener, router: Router) -> Listening<UnixListener> {
    Listening { listener, router, certificates: None }
}

/// What connections come from.
pub(crate) trait Accept {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// The next one.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;
    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        // An answer is one write: waiting to fill a packet only delays it.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;
    async fn accept(&self) -> io::Result<UnixStream> {
        Ok(UnixListener::accept(self).await?.0)
    }
}

impl<L: Accept + Send + Sync> Listening<L> {
    /// Serves until `stop`, then waits at most `drain` for the requests under
    /// way.
    pub(crate) async fn serve(self, stop: CancellationToken, drain: Duration) {
        let connections = TaskTracker::new();
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                stream = self.listener.accept() => stream,
            };
            match stream {
                Ok(stream) => {
                    let (router, stop) = (self.router.clone(), stop.clone());
                    match &self.certificates {
                        Some(certificates) => {
                            connections.spawn(secured(stream, certificates.clone(), router, stop))
                        }
                        None => connections.spawn(connection(stream, Protocol::Plain, router, stop)),
                    };
                }
                Err(error) => {
                    debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(drain, connections.wait()).await.is_err() {
            warn!(connections = connections.len(), "stopping although requests are under way");
        }
    }
}

/// What is spoken on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// HTTP/1.1 without TLS.
    Plain,
    /// HTTP/1.1 over TLS.
    Secure,
    /// HTTP/2 over TLS.
    SecureHttp2,
}

/// Shakes hands, then serves what the client chose.
async fn secured<S>(stream: S, certificates: Certificates, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, certificates.acceptor().accept(stream));
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let protocol = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Protocol::SecureHttp2,
                _ => Protocol::Secure,
            };
            connection(stream, protocol, router, stop).await;
        }
        Ok(Err(error)) => debug!(%error, "a client gave up the TLS handshake, or was refused"),
        Err(_) => debug!("a client took too long for the TLS handshake"),
    }
}

async fn connection<S>(stream: S, protocol: Protocol, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        if protocol != Protocol::Plain {
            // Links are made with the scheme that the client used.
            request.extensions_mut().insert(Scheme::HTTPS);
        }
        request
    }));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .half_close(false)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIMEOUT);
    let builder = match protocol {
        Protocol::SecureHttp2 => builder.http2_only(),
        Protocol::Plain | Protocol::Secure => builder.http1_only(),
    };
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Serves `/` after so long, and asks for it; then tells the server to stop.
    async fn stopped_while_answering(takes: Duration, drain: Duration) -> String {
        let router = Router::new().route(
            "/",
            get(move || async move {
                tokio::time::sleep(takes).await;
                "whole"
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(tcp(listener, router, None).serve(stop.clone(), drain));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
        server.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "a stopped server still listens");
        let mut answer = String::new();
        // The end of a connection that was let go is not this test's subject.
        let read = client.read_to_string(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(1), read).await;
        answer
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_before_the_server_stops() {
        let answer = stopped_while_answering(Duration::from_millis(400), Duration::from_secs(10)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("whole"), "{answer}");
    }

    #[tokio::test]
    async fn a_request_that_never_ends_does_not_keep_the_server() {
        let never = Duration::from_secs(3600);
        let stopped = stopped_while_answering(never, Duration::from_millis(200));
        let answer = tokio::time::timeout(Duration::from_secs(20), stopped).await;
        assert_eq!(answer.expect("the server did not stop"), "");
    }
}
