//! What a token says, as Keystone tells it.

use super::rules::AccessRule;
use axum::http::Method;
use hadron_runtime::Caller;
use jiff::Timestamp;
use serde::Deserialize;
use std::time::Duration;

/// This service's type in catalogues and access rules.
const SERVICE_TYPE: &str = "network"; // not networking: how catalogues call this server

/// The body of a login's and of a validation's answer.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// All of it.
    pub(super) token: Token,
}

/// A token that Keystone vouches for.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    expires_at: Timestamp,
    user: Owned,
    #[serde(default)]
    roles: Vec<Role>,
    project: Option<Owned>,
    domain: Option<Domain>,
    system: Option<System>,
    /// Absent where the cloud names no project that administers it.
    is_admin_project: Option<bool>,
    application_credential: Option<ApplicationCredential>,
    /// What the token can be used for, and where.
    #[serde(default)]
    pub(super) catalog: Vec<Service>,
}

/// A user or a project.
#[derive(Debug, Deserialize)]
struct Owned {
    id: String,
    domain: Domain,
}

#[derive(Debug, Deserialize)]
struct Domain {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Role {
    name: String,
}

#[derive(Debug, Deserialize)]
struct System {
    #[serde(default)]
    all: bool,
}

#[derive(Debug, Deserialize)]
struct ApplicationCredential {
    access_rules: Option<Vec<AccessRule>>,
}

/// A service of the catalogue.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    /// `identity`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Where it is.
    #[serde(default)]
    pub(super) endpoints: Vec<Endpoint>,
}

/// Where a service is.
#[derive(Debug, Deserialize)]
pub(super) struct Endpoint {
    /// `public`, `internal` or `admin`.
    pub(super) interface: String,
    /// In which region.
    pub(super) region_id: Option<String>,
    /// There.
    pub(super) url: String,
}

impl Token {
    /// How long it is still good; nothing when it has expired.
    pub(super) fn left(&self) -> Duration {
        Duration::try_from(self.expires_at.duration_since(Timestamp::now())).unwrap_or_default()
    }

    /// Without what makes it large: where the services are.
    pub(super) fn for_keeping(mut self) -> Token {
        self.catalog.iter_mut().for_each(|service| service.endpoints = Vec::new());
        self
    }

    /// Whose it is.
    pub(super) fn user_id(&self) -> &str {
        &self.user.id
    }

    /// Its roles.
    pub(super) fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(|role| role.name.as_str())
    }

    /// Whether it may be used for this request: not every application
    /// credential may.
    pub(super) fn allows(&self, method: &Method, path: &str) -> bool {
        let rules = self.application_credential.as_ref().and_then(|c| c.access_rules.as_ref());
        let Some(rules) = rules else { return true };
        // Rules speak of services of the catalogue.
        let known = self.catalog.iter().any(|service| service.kind == SERVICE_TYPE);
        known && rules.iter().any(|rule| rule.allows(SERVICE_TYPE, method.as_str(), path))
    }

    /// Who asks with it, and the service in between.
    pub(super) fn caller(&self, request_id: &str, service: Option<&Token>) -> Caller {
        let project = |token: &Token| token.project.as_ref().map(|p| p.id.clone()).unwrap_or_default();
        Caller {
            request_id: request_id.to_owned(),
            user_id: self.user.id.clone(),
            user_domain_id: self.user.domain.id.clone(),
            project_id: project(self),
            project_domain_id: self.project.as_ref().map(|p| p.domain.id.clone()).unwrap_or_default(),
            domain_id: self.domain.as_ref().map(|d| d.id.clone()).unwrap_or_default(),
            system_scope: if self.system.as_ref().is_some_and(|s| s.all) {
                "all".into()
            } else {
                String::new()
            },
            roles: self.roles().map(str::to_owned).collect(),
            is_admin_project: self.is_admin_project.unwrap_or(true),
            service_roles: service.into_iter().flat_map(Token::roles).map(str::to_owned).collect(),
            service_user_id: service.map(|s| s.user.id.clone()).unwrap_or_default(),
            service_project_id: service.map(project).unwrap_or_default(),
            // What policy makes of all this it says itself.
            ..Caller::default()
        }
    }
}
