//! The server's own login, and what it asks with it.

use super::memory::Memory;
use super::token::{Answer, Token};
use super::{KeystoneError, KeystoneSettings, Verdict};
use arc_swap::ArcSwap;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{Client, Response};
use secrecy::ExposeSecret;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Where the own token is in an answer, and the token asked for in a question.
const SUBJECT: &str = "x-subject-token";

/// A token is renewed when so many parts of its life are left.
const RENEW_AT: u32 = 10;

/// Why nothing can be said about a token.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody answers.
    #[error("Keystone does not answer: {0}")]
    Silent(String),
    /// The server's own user is not let in.
    #[error("Keystone refuses the server's own user ({0}): {1}")]
    Login(StatusCode, String),
    /// The server's own user may not do what it has to.
    #[error("Keystone does not validate tokens for the server's own user ({0}): {1}")]
    Validation(StatusCode, String),
    /// The answer cannot be read.
    #[error("Keystone's answer cannot be read: {0}")]
    Answer(String),
}

/// One client, one user, one login at a time.
pub(super) struct Session {
    http: Client,
    settings: KeystoneSettings,
    /// `…/v3`, where the server logs in.
    login: String,
    own: Memory<(), Own>,
    challenge: ArcSwap<HeaderValue>,
}

/// The server's own token.
#[derive(Clone)]
pub(super) struct Own {
    token: HeaderValue,
    /// `…/v3` of the endpoint that validates.
    identity: Arc<str>,
}

impl Session {
    pub(super) fn new(settings: KeystoneSettings) -> Result<Session, KeystoneError> {
        let client = |e: reqwest::Error| KeystoneError::Client(causes(&e));
        let mut http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(settings.timeout)
            .user_agent(concat!("hadron/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &settings.ca_file {
            let wrong = |e: String| KeystoneError::Certificates(file.display().to_string(), e);
            let text = std::fs::read(file).map_err(|e| wrong(e.to_string()))?;
            let found = reqwest::Certificate::from_pem_bundle(&text).map_err(|e| wrong(causes(&e)))?;
            if found.is_empty() {
                return Err(wrong("there are none".to_owned()));
            }
            http = http.tls_certs_merge(found);
        }
        let login = versioned(&settings.auth_url);
        let said = Some(settings.www_authenticate_uri.as_str()).filter(|uri| !uri.is_empty());
        let challenge = challenge(said.unwrap_or(&login))
            .ok_or_else(|| KeystoneError::Address(said.unwrap_or(&login).to_owned()))?;
        Ok(Session {
            http: http.build().map_err(client)?,
            login,
            own: Memory::new(),
            challenge: ArcSwap::from_pointee(challenge),
            settings,
        })
    }

    /// `WWW-Authenticate`.
    pub(super) fn challenge(&self) -> HeaderValue {
        self.challenge.load().as_ref().clone()
    }

    /// The own token; all that need it wait for the same login.
    pub(super) async fn own(self: &Arc<Session>) -> Result<Own, Arc<Failure>> {
        let session = self.clone();
        let ask = || async move {
            session.log_in().await.map_err(|failure| {
                tracing::warn!(%failure, "no login at Keystone");
                Arc::new(failure)
            })
        };
        self.own.get((), ask).await
    }

    /// What Keystone says about a token.
    pub(super) async fn validate(
        self: &Arc<Session>,
        token: &HeaderValue,
        may_be_expired: bool,
    ) -> Result<Verdict, Arc<Failure>> {
        let own = self.own().await?;
        match self.ask(&own, token, may_be_expired).await? {
            // The own token may have been revoked: once more with a new one.
            answer if answer.status() == StatusCode::UNAUTHORIZED => {
                self.own.forget(&(), |current| current.token == own.token);
                let own = self.own().await?;
                verdict(self.ask(&own, token, may_be_expired).await?, may_be_expired).await
            }
            answer => verdict(answer, may_be_expired).await,
        }
    }

    async fn ask(&self, own: &Own, token: &HeaderValue, may_be_expired: bool) -> Result<Response, Failure> {
        let query = if may_be_expired { "?allow_expired=1" } else { "" };
        self.http
            .get(format!("{}/auth/tokens{query}", own.identity))
            .header("x-auth-token", own.token.clone())
            .header(SUBJECT, token.clone())
            // Without it Keystone keeps restricted application credentials from
            // services that would not honour the restriction.
            .header("openstack-identity-access-rules", "1")
            .headers(on_whose_behalf())
            .send()
            .await
            .map_err(silent)
    }

    async fn log_in(&self) -> Result<(Own, Duration), Failure> {
        let settings = &self.settings;
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": settings.username,
                "domain": {"name": settings.user_domain_name},
                "password": settings.password.expose_secret(),
            }}},
            "scope": {"project": {
                "name": settings.project_name,
                "domain": {"name": settings.project_domain_name},
            }},
        }});
        let url = format!("{}/auth/tokens", self.login);
        let answer =
            self.http.post(url).headers(on_whose_behalf()).json(&body).send().await.map_err(silent)?;
        if answer.status() != StatusCode::CREATED {
            return Err(Failure::Login(answer.status(), answer.text().await.unwrap_or_default()));
        }
        let mut token = answer
            .headers()
            .get(SUBJECT)
            .cloned()
            .ok_or_else(|| Failure::Answer(format!("no {SUBJECT} in it")))?;
        token.set_sensitive(true);
        let said = read(answer).await?;
        let identity = self.endpoint(&said, &settings.interface).map(versioned);
        if settings.www_authenticate_uri.is_empty()
            && let Some(uri) = self.endpoint(&said, "public").and_then(challenge)
        {
            self.challenge.store(Arc::new(uri));
        }
        let identity = identity.unwrap_or_else(|| self.login.clone()).into();
        // Renewed before it expires.
        Ok((Own { token, identity }, said.left() - said.left() / RENEW_AT))
    }

    /// Keystone's own endpoint in the catalogue.
    fn endpoint<'a>(&self, said: &'a Token, interface: &str) -> Option<&'a str> {
        let identity = said.catalog.iter().filter(|service| service.kind == "identity");
        let here =
            |region: Option<&str>| self.settings.region.is_empty() || region == Some(&self.settings.region);
        identity
            .flat_map(|service| &service.endpoints)
            .find(|e| e.interface == interface && here(e.region_id.as_deref()))
            .map(|endpoint| endpoint.url.as_str())
    }
}

async fn verdict(answer: Response, may_be_expired: bool) -> Result<Verdict, Arc<Failure>> {
    match answer.status() {
        StatusCode::OK => {
            let token = read(answer).await?.for_keeping();
            // By this server's clock too.
            Ok(Some(Arc::new(token)).filter(|token| may_be_expired || !token.left().is_zero()))
        }
        StatusCode::NOT_FOUND => Ok(None),
        status => Err(Arc::new(Failure::Validation(status, answer.text().await.unwrap_or_default()))),
    }
}

async fn read(answer: Response) -> Result<Token, Failure> {
    let answer: Answer = answer.json().await.map_err(|e| Failure::Answer(causes(&e)))?;
    Ok(answer.token)
}

fn silent(error: reqwest::Error) -> Failure {
    Failure::Silent(causes(&error))
}

/// What links a question to the request that it is asked for.
fn on_whose_behalf() -> HeaderMap {
    let mut headers = HeaderMap::new();
    hadron_telemetry::outgoing(&mut headers);
    headers
}

/// An address with `/v3` at its end.
fn versioned(url: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.ends_with("/v3") { url.to_owned() } else { format!("{url}/v3") }
}

fn challenge(uri: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("Keystone uri=\"{uri}\"")).ok()
}

fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string);
    chain.collect::<Vec<_>>().join(": ")
}
