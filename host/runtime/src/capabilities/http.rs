//! Outgoing HTTP to endpoints the operator granted, after the commit only.
//!
//! The endpoint is compared as it is written; the address a name stands for is
//! checked when connecting, so that a name cannot be turned to the server's own
//! machine. No redirect is followed.

use crate::bindings::http::{Header, Host, HttpError, Request, Response};
use crate::component::Loaded;
use crate::state::{HostState, Phase};
use futures::StreamExt;
use hadron_manifest::HttpGrant;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// Where a guest names no time limit.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time limit a guest may name.
const LONGEST: Duration = Duration::from_secs(30);
/// Bodies, both ways.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A granted secret's value; the error is a sentence.
pub(super) fn secret(plugin: &Loaded, name: &str) -> Result<String, String> {
    if !plugin.manifest.requests.secrets.iter().any(|asked| asked == name) {
        return Err(format!("the manifest does not ask for the secret '{name}'"));
    }
    let source =
        plugin.grants.secrets.get(name).ok_or_else(|| format!("the secret '{name}' is not granted"))?;
    match source.split_once(':') {
        Some(("env", variable)) => std::env::var(variable)
            .map_err(|_| format!("the secret '{name}' is not set: no variable {variable}")),
        Some(("file", path)) => std::fs::read_to_string(path)
            .map(|text| text.trim_end().to_owned())
            .map_err(|error| format!("the secret '{name}' cannot be read: {error}")),
        _ => Err(format!("the secret '{name}' has to be granted as env:NAME or file:PATH")),
    }
}

/// Whether a URL is below a granted endpoint: same scheme, host and port, and a
/// path below the grant's. No grants, no egress.
fn granted(grants: &[HttpGrant], url: &Url) -> bool {
    grants.iter().filter_map(|grant| Url::parse(&grant.0).ok()).any(|grant| {
        let base = grant.path().trim_end_matches('/');
        grant.scheme() == url.scheme()
            && grant.host_str() == url.host_str()
            && grant.port_or_known_default() == url.port_or_known_default()
            && (base.is_empty() || url.path() == base || url.path().starts_with(&format!("{base}/")))
    })
}

fn headers(plugin: &Loaded, request: &Request) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str, secret: bool| -> Result<(), HttpError> {
        let bad = || HttpError::Invalid(format!("the header '{name}' cannot be sent"));
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(secret);
        headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?, value);
        Ok(())
    };
    for header in &request.headers {
        add(&header.name, &header.value, false)?;
    }
    for header in &request.secret_headers {
        let value = secret(plugin, &header.secret).map_err(HttpError::Denied)?;
        add(&header.name, &format!("{}{value}", header.prefix), true)?;
    }
    hadron_telemetry::outgoing(&mut headers);
    Ok(headers)
}

/// A client for guests: no redirects, no proxy of the environment, and names
/// that do not lead to this machine.
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(std::sync::Arc::new(Outside))
        .user_agent(concat!("hadron/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Looks names up, and leaves out addresses of this machine, unless the name is
/// `localhost`: an operator who means this machine says so.
struct Outside;

impl reqwest::dns::Resolve for Outside {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let local = name.as_str() == "localhost";
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let outside: Vec<_> = found.filter(|a| local || !is_this_machine(a.ip())).collect();
            if outside.is_empty() {
                return Err(
                    format!("the name '{}' leads to no address outside this machine", name.as_str()).into()
                );
            }
            Ok(Box::new(outside.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

fn is_this_machine(address: std::net::IpAddr) -> bool {
    let link_local = match address {
        std::net::IpAddr::V4(v4) => v4.is_link_local(),
        std::net::IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    address.is_loopback() || address.is_unspecified() || link_local
}

async fn send(client: &reqwest::Client, plugin: &Loaded, request: Request) -> Result<Response, HttpError> {
    let url = Url::parse(&request.url)
        .map_err(|error| HttpError::Invalid(format!("'{}' is no URL: {error}", request.url)))?;
    if !(plugin.manifest.requests.http && granted(&plugin.grants.http, &url)) {
        return Err(HttpError::Denied(format!(
            "plugin '{}' is not granted {}://{}:{}; an operator grants it with `--grant http=URL`",
            plugin.name(),
            url.scheme(),
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default()
        )));
    }
    if request.body.len() > MOST_BYTES {
        return Err(HttpError::TooLarge);
    }
    let method = reqwest::Method::from_bytes(request.method.as_bytes())
        .map_err(|_| HttpError::Invalid(format!("'{}' is no method", request.method)))?;
    let headers = headers(plugin, &request)?;
    let limit = match request.timeout_ms {
        0 => TIMEOUT,
        given => Duration::from_millis(u64::from(given)).min(LONGEST),
    };
    let exchange = async {
        let answer =
            client.request(method, url).headers(headers).body(request.body).send().await.map_err(unsent)?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| Header {
                name: name.to_string(),
                value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
            })
            .collect();
        let mut body = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(unsent)?;
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    };
    tokio::time::timeout(limit, exchange).await.unwrap_or(Err(HttpError::TimedOut))
}

fn unsent(error: reqwest::Error) -> HttpError {
    let deepest = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source())
        .last()
        .map(ToString::to_string);
    if error.is_timeout() {
        HttpError::TimedOut
    } else if error.is_connect() {
        HttpError::Unreachable(deepest.unwrap_or_default())
    } else {
        HttpError::Other(deepest.unwrap_or_default())
    }
}

impl Host for HostState {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, HttpError>> {
        let answer = match &self.phase {
            Phase::Delivering(delivering) => send(&delivering.http.clone(), &self.plugin, request).await,
            Phase::Unit(_) | Phase::Describing => Err(HttpError::Denied(
                "nothing can be sent inside a unit of work: do it in a postcommit hook or in `deliver`"
                    .to_owned(),
            )),
        };
        if let Err(HttpError::Denied(reason)) = &answer {
            tracing::warn!(reason, "a request was denied");
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(grants: &[&str], url: &str) -> bool {
        let grants: Vec<HttpGrant> = grants.iter().map(|g| HttpGrant((*g).to_owned())).collect();
        granted(&grants, &Url::parse(url).unwrap())
    }

    #[test]
    fn nothing_is_allowed_without_a_grant() {
        assert!(!allowed(&[], "http://192.0.2.1/"));
    }

    #[test]
    fn a_grant_is_for_its_scheme_host_and_port() {
        let grants = ["http://switch.example:8080"];
        assert!(allowed(&grants, "http://switch.example:8080/ports/1"));
        assert!(!allowed(&grants, "https://switch.example:8080/ports/1"));
        assert!(!allowed(&grants, "http://switch.example/ports/1"));
        assert!(!allowed(&grants, "http://switch.example.evil:8080/"));
        assert!(!allowed(&grants, "http://switch.example:8080@evil:8080/"));
    }

    #[test]
    fn a_path_limits_a_grant_to_what_is_below_it() {
        let grants = ["http://switch.example/api/v1/"];
        assert!(allowed(&grants, "http://switch.example/api/v1"));
        assert!(allowed(&grants, "http://switch.example/api/v1/ports"));
        assert!(!allowed(&grants, "http://switch.example/api/v10"));
        assert!(!allowed(&grants, "http://switch.example/api/v1/../v2"));
    }

    #[test]
    fn addresses_of_this_machine_are_known() {
        for address in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "169.254.169.254", "fe80::1"] {
            assert!(is_this_machine(address.parse().unwrap()), "{address}");
        }
        assert!(!is_this_machine("192.0.2.1".parse().unwrap()));
    }
}
