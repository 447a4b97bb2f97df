//! Accepts connections and serves HTTP/1.1 on them.
//!
//! Small enough to be our own: `TCP_NODELAY`, a limit on how long a client may
//! take to send a head, and a drain that ends.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
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

/// After an accept that failed for want of file descriptors or memory: trying
/// again at once would only burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener and what it serves.
pub(crate) struct Listening<L> {
    listener: L,
    router: Router,
}

/// Serves on a TCP listener.
pub(crate) fn tcp(listener: TcpListener, router: Router) -> Listening<TcpListener> {
    Listening { listener, router }
}

/// Serves on a unix socket.
pub(crate) fn unix(listener: UnixListener, router: Router) -> Listening<UnixListener> {
    Listening { listener, router }
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
                    connections.spawn(connection(stream, self.router.clone(), stop.clone()));
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

async fn connection<S>(stream: S, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service =
        TowerToHyperService::new(router.map_request(|request: Request<Incoming>| request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
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
