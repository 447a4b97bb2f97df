//! A small REST client: JSON in, status and JSON out.

use crate::{Error, Result};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Longer than any request may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Talks to one server as one user. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    headers: HeaderMap,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body; `null` where there is none, a text where it is no JSON.
    pub body: Value,
    asked: String,
}

impl Client {
    /// For the server at that URL (`http://127.0.0.1:9696`).
    pub fn new(url: impl Into<String>) -> Result<Client> {
        let http = reqwest::Client::builder().no_proxy().timeout(LIMIT).build().map_err(Error::new)?;
        Ok(Client { http, url: url.into(), headers: HeaderMap::new() })
    }

    /// The same, sending one more header with each request.
    pub fn header(mut self, name: &str, value: &str) -> Result<Client> {
        let bad = |e: &dyn std::fmt::Display| Error::new(format!("the header {name}: {e}"));
        let value = HeaderValue::from_str(value).map_err(|e| bad(&e))?;
        self.headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|e| bad(&e))?, value);
        Ok(self)
    }

    /// The same, as a member of that project, no administrator; for servers
    /// without authentication.
    pub fn member_of(self, project: &str) -> Result<Client> {
        self.header("x-project-id", project)?.header("x-roles", "member,reader")
    }

    /// The same, logging in with every request.
    pub fn login(self, user: &str, password: &str) -> Result<Client> {
        let request =
            self.http.get(&self.url).basic_auth(user, Some(password)).build().map_err(Error::new)?;
        let value = request.headers().get(reqwest::header::AUTHORIZATION);
        let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        self.header("authorization", &value)
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.send(Method::POST, path, Some(json(body)?)).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.send(Method::PUT, path, Some(json(body)?)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, None).await
    }

    /// Any method, with any body.
    pub async fn send(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Answer> {
        let asked = format!("{method} {path}");
        let failed = |e: reqwest::Error| Error::new(format!("{asked}: {}", causes(&e)));
        let mut request =
            self.http.request(method, format!("{}{path}", self.url)).headers(self.headers.clone());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.map_err(failed)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.map_err(failed)?;
        let body = match text.is_empty() {
            true => Value::Null,
            false => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
        Ok(Answer { status, headers, body, asked })
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(body).map_err(Error::new)
}

fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string);
    chain.collect::<Vec<_>>().join(": ")
}

impl Answer {
    /// The body, if the status is this; else an error that shows both.
    pub fn expect(self, status: u16) -> Result<Value> {
        match self.status == status {
            true => Ok(self.body),
            false => Err(Error::new(format!(
                "{} was answered {} instead of {status}: {}",
                self.asked, self.status, self.body
            ))),
        }
    }

    /// The error's class and message, `("NetworkInUse", "Unable to …")`, if the
    /// status is this.
    pub fn expect_error(self, status: u16) -> Result<(String, String)> {
        let asked = self.asked.clone();
        let body = self.expect(status)?;
        let text = |name: &str| body.pointer(&format!("/NeutronError/{name}")).and_then(Value::as_str);
        match (text("type"), text("message")) {
            (Some(kind), Some(message)) => Ok((kind.to_owned(), message.to_owned())),
            _ => Err(Error::new(format!("{asked} was answered {status} without a NeutronError: {body}"))),
        }
    }
}
