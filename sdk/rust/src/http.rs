//! Outgoing HTTP with JSON bodies, after the commit, to granted endpoints.

use crate::bindings::hadron::host::http as host;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use host::{Header, HttpError, SecretHeader, send};
pub use host::{Request, Response};

/// Sends `body` as JSON.
impl Request {
    /// A request without a body.
    pub fn new(method: &str, url: &str) -> Request {
        Request {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: 0,
        }
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push(Header { name: name.to_owned(), value: value.to_owned() });
        self
    }

    /// With a header whose value the host makes of `prefix` and a granted
    /// secret, e.g. `Authorization`, `Bearer `.
    pub fn secret_header(mut self, name: &str, prefix: &str, secret: &str) -> Request {
        self.secret_headers.push(SecretHeader {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            secret: secret.to_owned(),
        });
        self
    }

    /// With a JSON body.
    pub fn json(mut self, body: &(impl Serialize + ?Sized)) -> Result<Request, HttpError> {
        self.body = serde_json::to_vec(body).map_err(|error| HttpError::Invalid(error.to_string()))?;
        Ok(self.header("content-type", "application/json"))
    }

    /// Given up after so many milliseconds.
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Request {
        self.timeout_ms = timeout_ms;
        self
    }

    /// Sends it and waits for the answer.
    pub fn send(&self) -> Result<Response, HttpError> {
        send(self)
    }
}

impl Response {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| HttpError::Other(format!("the answer is not the expected JSON: {error}")))
    }
}
