//! The bytes of a connection, plain or by TLS.
//!
//! lapin's own TLS would bring a second stack and trust more than the operator
//! named; so it is given a stream that is connected already.

use async_compat::Compat;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures::Stream;
use futures::io::{AsyncRead, AsyncWrite};
use lapin::uri::AMQPUri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What bytes go through.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Connects, and shakes hands where it is by TLS.
pub(super) async fn connect(uri: &AMQPUri, tls: Option<Arc<ClientConfig>>) -> io::Result<Box<dyn Bytes>> {
    let host = uri.authority.host.as_str();
    let tcp = TcpStream::connect((host, uri.authority.port)).await?;
    tcp.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Box::new(Compat::new(tcp))) };
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let tls = TlsConnector::from(tls).connect(name, tcp).await?;
    Ok(Box::new(Compat::new(tls)))
}

/// Tokio's runtime, whose connections may be of either kind.
pub(super) fn runtime() -> Runtime<RuntimeParts<Tokio, Either>> {
    Runtime::new(RuntimeParts::new(Tokio::current(), Either(Tokio::current())))
}

/// Tokio's reactor, with streams of either kind.
#[derive(Clone, Debug)]
pub(super) struct Either(Tokio);

impl Reactor for Either {
    type TcpStream = Box<dyn Bytes>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.0.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(time)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move { Ok(Box::new(connecting.await?) as Box<dyn Bytes>) }
    }
}
