//! The command's end of the control socket.

use super::wire::Problem;
use crate::cli::{ConfigArgs, ServerArgs};
use crate::config;
use crate::exit::{Exit, Failure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::path::PathBuf;
use tokio::net::UnixStream;

/// Reaches a running server.
pub(crate) struct Client {
    socket: PathBuf,
}

impl Client {
    /// The server of that data folder, or of the configured one.
    pub(crate) fn of(args: &ServerArgs) -> Result<Client, Failure> {
        let folder = match &args.data_folder {
            Some(folder) => PathBuf::from(folder),
            None => {
                let config = std::env::var_os("HADRON_CONFIG").map(PathBuf::from);
                let args = ConfigArgs { config, ..ConfigArgs::default() };
                config::data_folder(&args)?
            }
        };
        Ok(Client { socket: config::socket(&folder) })
    }

    /// Asks, and reads the answer; a refusal is a failure with its sentence.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: http::Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.unreachable(&e))?;
        let lost = |e: hyper::Error| {
            Failure::new(Exit::Unreachable, format!("the server ended the conversation: {e}; see its log"))
        };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        tokio::spawn(connection);
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "hadron")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| Failure::failed(format!("the request cannot be made: {e}")))?;
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(lost)?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|e| {
                Failure::failed(format!(
                    "the server's answer cannot be read: {e}; is it of another version than this command?"
                ))
            });
        }
        let problem = serde_json::from_slice::<Problem>(&bytes).map(|p| p.error);
        Err(Failure::failed(problem.unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned())))
    }

    fn unreachable(&self, error: &std::io::Error) -> Failure {
        let socket = self.socket.display();
        let message = match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => format!(
                "no server answers at {socket}: start one with `hadron serve`, or name a running server's data \
                 folder with --data-folder"
            ),
            ErrorKind::PermissionDenied => {
                format!("{socket} may not be opened: run this as the user the server runs as")
            }
            _ => format!("the server's control socket {socket} cannot be reached: {error}"),
        };
        Failure::new(Exit::Unreachable, message)
    }
}
