//! Who asks.

mod htpasswd;
mod keystone;

pub use htpasswd::{Htpasswd, HtpasswdError};
pub use keystone::{Keystone, KeystoneError, KeystoneSettings};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use hadron_runtime::Caller;

/// How callers are told apart.
#[derive(Clone)]
pub enum Auth {
    /// Everybody is an administrator, unless `X-Roles` says otherwise. For a
    /// server that only trusted programs can reach.
    None,
    /// `Authorization: Basic`, against an htpasswd file. Every user in it is an
    /// administrator, as with the other standalone OpenStack services.
    HttpBasic(Htpasswd),
    /// `X-Auth-Token`, validated by Keystone.
    Keystone(Keystone),
}

/// The project of callers that name none. Rows must belong to some project, and
/// clients without Keystone usually send no `X-Project-Id`.
pub const DEFAULT_PROJECT: &str = "00000000000000000000000000000000";

/// The user of callers that name none.
const DEFAULT_USER: &str = "admin";

/// What Keystone would answer for an administrator, implied roles included.
const ADMIN_ROLES: [&str; 4] = ["admin", "manager", "member", "reader"];

/// Longest header about the caller, in bytes.
const HEADER_LENGTH: usize = 255;

/// Why there is no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// Nobody can be made out.
    Nobody,
    /// This header cannot be read. It is refused rather than passed over, since
    /// without it the caller could do more.
    Header(&'static str),
    /// Who could tell does not answer.
    Unavailable,
}

impl Auth {
    /// The caller.
    pub(crate) async fn authenticate(&self, request: &Parts, request_id: &str) -> Result<Caller, Denial> {
        let headers = &request.headers;
        let user = match self {
            Auth::Keystone(keystone) => return keystone.authenticate(request, request_id).await,
            Auth::None => text(headers, "x-user-id")?.unwrap_or(DEFAULT_USER).to_owned(),
            Auth::HttpBasic(users) => {
                let (user, password) = credentials(headers).ok_or(Denial::Nobody)?;
                if !users.verify(&user, password).await {
                    return Err(Denial::Nobody);
                }
                user
            }
        };
        caller(headers, request_id, user)
    }

    /// What a client that was not let in should try (`WWW-Authenticate`).
    pub(crate) fn challenge(&self) -> HeaderValue {
        match self {
            Auth::Keystone(keystone) => keystone.challenge(),
            Auth::None | Auth::HttpBasic(_) => HeaderValue::from_static("Basic realm=\"Hadron\""),
        }
    }
}

/// An administrator may act for any project and with fewer roles, down to none.
fn caller(headers: &HeaderMap, request_id: &str, user_id: String) -> Result<Caller, Denial> {
    let roles = list(headers, "x-roles")?.unwrap_or_else(|| ADMIN_ROLES.map(str::to_owned).to_vec());
    let named = |name| Ok(text(headers, name)?.unwrap_or_default().to_owned());
    let (domain_id, system_scope) = (named("x-domain-id")?, named("openstack-system-scope")?);
    // As with a token of Keystone's, the scope is a domain or the system
    // instead of a project.
    let unscoped = domain_id.is_empty() && system_scope.is_empty();
    let default_project = if unscoped { DEFAULT_PROJECT } else { "" };
    Ok(Caller {
        request_id: request_id.to_owned(),
        user_id,
        user_domain_id: named("x-user-domain-id")?,
        project_id: text(headers, "x-project-id")?.unwrap_or(default_project).to_owned(),
        project_domain_id: named("x-project-domain-id")?,
        domain_id,
        system_scope,
        roles,
        service_roles: list(headers, "x-service-roles")?.unwrap_or_default(),
        ..Caller::default()
    })
}

/// The words of a header; none when it is absent.
fn list(headers: &HeaderMap, name: &'static str) -> Result<Option<Vec<String>>, Denial> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let words = text(headers, name)?.unwrap_or_default().split(',').map(str::trim);
    Ok(Some(words.filter(|w| !w.is_empty()).map(str::to_owned).collect()))
}

/// A header's text; none when it is absent or empty.
fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Denial> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Denial::Header(name))?.trim();
    if text.len() > HEADER_LENGTH {
        return Err(Denial::Header(name));
    }
    Ok(Some(text).filter(|t| !t.is_empty()))
}

/// User and password of `Authorization: Basic`.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    decoded.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    /// Without any authentication.
    async fn trusted(headers: HeaderMap) -> Result<Caller, Denial> {
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        parts.headers = headers;
        Auth::None.authenticate(&parts, "req-1").await
    }

    #[tokio::test]
    async fn without_authentication_everybody_is_an_administrator_of_some_project() {
        let caller = trusted(HeaderMap::new()).await.unwrap();
        assert_eq!(caller.project_id, DEFAULT_PROJECT);
        assert_eq!(caller.roles, ADMIN_ROLES);
    }

    #[tokio::test]
    async fn headers_name_project_user_and_roles() {
        let given = headers(&[("x-project-id", "p"), ("x-user-id", "u"), ("x-roles", "member, reader")]);
        let caller = trusted(given).await.unwrap();
        assert_eq!((caller.project_id.as_str(), caller.user_id.as_str()), ("p", "u"));
        assert_eq!(caller.roles, ["member", "reader"]);
    }

    #[tokio::test]
    async fn headers_name_domains_and_scopes_and_the_service_that_passes_a_request_on() {
        let given = headers(&[
            ("x-user-domain-id", "ud"),
            ("x-project-id", "p"),
            ("x-project-domain-id", "pd"),
            ("x-service-roles", "service"),
        ]);
        let caller = trusted(given).await.unwrap();
        assert_eq!((caller.user_domain_id.as_str(), caller.project_domain_id.as_str()), ("ud", "pd"));
        assert_eq!((caller.service_roles, caller.is_admin_project), (vec!["service".to_owned()], true));
        let system = headers(&[("openstack-system-scope", "all")]);
        let caller = trusted(system).await.unwrap();
        assert_eq!((caller.system_scope.as_str(), caller.project_id.as_str()), ("all", ""));
        let domain = trusted(headers(&[("x-domain-id", "d")])).await.unwrap();
        assert_eq!((domain.domain_id.as_str(), domain.project_id.as_str()), ("d", ""));
    }

    #[tokio::test]
    async fn headers_that_were_given_never_leave_a_caller_with_more_rights() {
        let caller = trusted(headers(&[("x-roles", "")])).await.unwrap();
        assert_eq!(caller.roles, Vec::<String>::new());
        let mut odd = HeaderMap::new();
        odd.insert("x-project-id", axum::http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(trusted(odd).await, Err(Denial::Header("x-project-id")));
        let long = headers(&[("x-roles", "r".repeat(300).as_str())]);
        assert_eq!(trusted(long).await, Err(Denial::Header("x-roles")));
    }

    #[test]
    fn basic_credentials_may_hold_colons_in_the_password() {
        let encoded = base64::engine::general_purpose::STANDARD.encode("ann:a:b");
        let found = credentials(&headers(&[("authorization", &format!("basic {encoded}"))]));
        assert_eq!(found, Some(("ann".to_owned(), "a:b".to_owned())));
        for bad in ["Bearer x", "Basic", "Basic !!!", "Basic YQ=="] {
            assert_eq!(credentials(&headers(&[("authorization", bad)])), None, "{bad}");
        }
    }
}
