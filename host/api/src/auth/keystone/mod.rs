//! Tokens of Keystone, OpenStack's identity service.
//!
//! What is asked of Keystone, and what is made of its answers, is what its own
//! middleware for services does, so that an operator's expectations hold: a
//! token that was found good is good for the cache window, unless it expires
//! before; a revocation shows when the window is over. There is no list of
//! revocations to poll any more.

mod memory;
mod rules;
mod session;
mod token;

use super::Denial;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use hadron_runtime::Caller;
use memory::Memory;
use secrecy::SecretString;
use session::Session;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use token::Token;

/// How long it is remembered that a token is not good. A bad token never
/// becomes good, but it costs nothing to bring ever new ones.
const REFUSED: Duration = Duration::from_secs(5);

/// Longer tokens, in bytes, are nobody's.
const TOKEN_LENGTH: usize = 8192;

/// How this server talks to Keystone and whom it believes.
#[derive(Clone, Debug)]
pub struct KeystoneSettings {
    /// Where to log in: `https://identity.example:5000`, with or without `/v3`.
    pub auth_url: String,
    /// The server's own user, who may validate tokens (role `service` or
    /// `admin`).
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// Its domain, by name.
    pub user_domain_name: String,
    /// The project its role is in.
    pub project_name: String,
    /// That project's domain, by name.
    pub project_domain_name: String,
    /// The region whose identity endpoint is asked; empty for the catalogue's
    /// first.
    pub region: String,
    /// Which of the catalogue's endpoints: `internal`, `public` or `admin`.
    pub interface: String,
    /// Where clients without a token are sent; empty for the catalogue's public
    /// identity endpoint.
    pub www_authenticate_uri: String,
    /// Certificates, PEM, trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// How long a good token is not asked for again.
    pub cache: Duration,
    /// Roles of which a service needs one to pass an expired token on.
    pub service_token_roles: Vec<String>,
    /// Whether a service token without such a role is refused.
    pub service_token_roles_required: bool,
}

/// Why Keystone cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum KeystoneError {
    /// The certificates cannot be read.
    #[error("cannot read the certificates in '{0}': {1}")]
    Certificates(String, String),
    /// There can be no client for HTTP.
    #[error("cannot prepare the connection to Keystone: {0}")]
    Client(String),
    /// An address that fits into no header.
    #[error("'{0}' is not an address")]
    Address(String),
}

/// Keystone, as this server uses it. Cheap to clone.
#[derive(Clone)]
pub struct Keystone(Arc<Inner>);

struct Inner {
    session: Arc<Session>,
    verdicts: Memory<Subject, Verdict>,
    window: Duration,
    service_roles: Vec<String>,
    service_roles_required: bool,
}

/// A token that was asked for, by its digest, and whether it may have expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Subject {
    digest: [u8; 32],
    may_be_expired: bool,
}

/// What the token says; none when it is not good.
type Verdict = Option<Arc<Token>>;

impl Keystone {
    /// Prepares everything; nobody is asked yet.
    pub fn new(settings: KeystoneSettings) -> Result<Keystone, KeystoneError> {
        Ok(Keystone(Arc::new(Inner {
            verdicts: Memory::new(),
            window: settings.cache,
            service_roles: settings.service_token_roles.clone(),
            service_roles_required: settings.service_token_roles_required,
            session: Arc::new(Session::new(settings)?),
        })))
    }

    /// Logs in, so that what is wrong with the server's own user shows in the
    /// log before the first request.
    pub async fn log_in(&self) {
        if self.0.session.own().await.is_ok() {
            tracing::info!("logged in at Keystone");
        }
    }

    /// Where clients without a token are sent.
    pub(super) fn challenge(&self) -> HeaderValue {
        self.0.session.challenge()
    }

    /// The caller that the request's tokens stand for.
    pub(super) async fn authenticate(&self, request: &Parts, request_id: &str) -> Result<Caller, Denial> {
        let headers = &request.headers;
        let service = match token_in(headers, &["x-service-token"]) {
            Some(token) => Some(self.service(&token).await?),
            None => None,
        };
        // A user's token may run out while services work on the user's request.
        let may_be_expired = service.as_ref().is_some_and(|service| self.is_trusted(service));
        let token = token_in(headers, &["x-auth-token", "x-storage-token"]).ok_or(Denial::Nobody)?;
        let user = self.token(&token, may_be_expired).await?.ok_or(Denial::Nobody)?;
        // What a service does on the way is no request of the user's.
        if service.is_none() && !user.allows(&request.method, request.uri.path()) {
            tracing::info!(
                user = user.user_id(),
                "the access rules of the application credential do not allow this"
            );
            return Err(Denial::Nobody);
        }
        Ok(user.caller(request_id, service.as_deref()))
    }

    /// The service that passes a user's request on.
    async fn service(&self, token: &HeaderValue) -> Result<Arc<Token>, Denial> {
        let service = self.token(token, false).await?.ok_or(Denial::Nobody)?;
        match self.0.service_roles_required && !self.is_trusted(&service) {
            true => Err(Denial::Nobody),
            false => Ok(service),
        }
    }

    fn is_trusted(&self, service: &Token) -> bool {
        service.roles().any(|role| self.0.service_roles.iter().any(|trusted| trusted == role))
    }

    /// What is known of a token, asking Keystone at most once at a time.
    async fn token(&self, token: &HeaderValue, may_be_expired: bool) -> Result<Verdict, Denial> {
        let subject = Subject { digest: Sha256::digest(token.as_bytes()).into(), may_be_expired };
        let (session, window, token) = (self.0.session.clone(), self.0.window, token.clone());
        let ask = || async move {
            let verdict = session.validate(&token, may_be_expired).await?;
            let life = life(&verdict, may_be_expired, window);
            Ok((verdict, life))
        };
        self.0.verdicts.get(subject, ask).await.map_err(|error| {
            tracing::error!(%error, "a token cannot be validated");
            Denial::Unavailable
        })
    }
}

/// The first of these headers that is there, without blanks around it.
fn token_in(headers: &HeaderMap, names: &[&str]) -> Option<HeaderValue> {
    let value = names.iter().find_map(|name| headers.get(*name))?;
    let token = value.as_bytes().trim_ascii();
    if token.is_empty() || token.len() > TOKEN_LENGTH {
        return None;
    }
    let mut token = HeaderValue::from_bytes(token).ok()?;
    token.set_sensitive(true);
    Some(token)
}

/// How long a verdict is remembered.
fn life(verdict: &Verdict, may_be_expired: bool, window: Duration) -> Duration {
    match verdict {
        None => REFUSED.min(window),
        Some(_) if may_be_expired => window,
        Some(token) => token.left().min(window),
    }
}

#[cfg(test)]
mod tests;
