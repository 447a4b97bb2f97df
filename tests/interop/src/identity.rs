//! What tests ask Keystone for.

use crate::keystone::PASSWORD;
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// What a token is for.
#[derive(Clone, Debug)]
pub enum Scope {
    /// A project of the default domain, by name.
    Project(String),
    /// A domain, by id.
    Domain(String),
    /// The whole system.
    System,
    /// Nothing at all.
    Nothing,
}

/// Who logs in where.
#[derive(Clone, Debug)]
pub struct Login {
    /// Keystone's address.
    pub url: String,
    /// A user of the default domain.
    pub user: String,
    /// What for.
    pub scope: Scope,
}

impl Login {
    fn request(&self) -> Value {
        let user = json!({"name": self.user, "domain": {"id": "default"}, "password": PASSWORD});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        match &self.scope {
            Scope::Project(name) => {
                let project = json!({"name": name, "domain": {"id": "default"}});
                json!({"auth": {"identity": identity, "scope": {"project": project}}})
            }
            Scope::Domain(id) => json!({"auth": {"identity": identity, "scope": {"domain": {"id": id}}}}),
            Scope::System => json!({"auth": {"identity": identity, "scope": {"system": {"all": true}}}}),
            Scope::Nothing => json!({"auth": {"identity": identity, "scope": "unscoped"}}),
        }
    }
}

/// Somebody who is logged in at Keystone.
pub struct Identity {
    http: reqwest::Client,
    url: String,
    /// `X-Auth-Token`.
    pub token: String,
    /// The user's id.
    pub user_id: String,
}

impl Identity {
    /// Logs in.
    pub async fn log_in(login: &Login) -> Result<Identity> {
        Identity::log_in_with(&login.url, &login.request()).await
    }

    /// Logs in with an application credential.
    pub async fn with_credential(url: &str, id: &str) -> Result<Identity> {
        let credential = json!({"id": id, "secret": PASSWORD});
        let identity = json!({"methods": ["application_credential"], "application_credential": credential});
        Identity::log_in_with(url, &json!({"auth": {"identity": identity}})).await
    }

    async fn log_in_with(url: &str, request: &Value) -> Result<Identity> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        let answer = http.post(format!("{url}/auth/tokens")).json(request).send().await?;
        let status = answer.status();
        let token = answer.headers().get("x-subject-token").and_then(|t| t.to_str().ok());
        let token = token.unwrap_or_default().to_owned();
        let body: Value = answer.json().await?;
        ensure!(status == 201, "no login: {status} {body}");
        Ok(Identity { http, url: url.to_owned(), token, user_id: text(&body, "/token/user/id")? })
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None).await
    }

    /// `PATCH`.
    pub async fn patch(&self, path: &str, body: Value) -> Result<Value> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
        request = request.header("x-auth-token", &self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{method} {path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Makes something; its id.
    async fn create(&self, path: &str, member: &str, document: Value) -> Result<String> {
        let body = self.send(Method::POST, path, Some(json!({member: document}))).await?;
        text(&body, &format!("/{member}/id"))
    }

    /// A project of the default domain; its id.
    pub async fn project(&self, name: &str) -> Result<String> {
        self.create("/projects", "project", json!({"name": name, "domain_id": "default"})).await
    }

    /// A user of the default domain; its id.
    pub async fn user(&self, name: &str) -> Result<String> {
        let user = json!({"name": name, "domain_id": "default", "password": PASSWORD});
        self.create("/users", "user", user).await
    }

    /// Gives a user a role, `on` being `projects/ID`, `domains/ID` or `system`.
    pub async fn assign(&self, user: &str, role: &str, on: &str) -> Result<()> {
        let roles = self.get(&format!("/roles?name={role}")).await?;
        let role = text(&roles, "/roles/0/id")?;
        self.send(Method::PUT, &format!("/{on}/users/{user}/roles/{role}"), None).await.map(drop)
    }

    /// Puts the network service of a region into the catalogue.
    pub async fn register(&self, region: &str, url: &str) -> Result<()> {
        let regions = self.get("/regions").await?;
        let regions = regions["regions"].as_array().cloned().unwrap_or_default();
        if !regions.iter().any(|known| known["id"] == region) {
            self.create("/regions", "region", json!({"id": region})).await?;
        }
        let services = self.get("/services?type=network").await?;
        let service = match text(&services, "/services/0/id") {
            Ok(service) => service,
            Err(_) => {
                self.create("/services", "service", json!({"type": "network", "name": "hadron"})).await?
            }
        };
        for interface in ["public", "internal"] {
            let endpoint =
                json!({"service_id": service, "interface": interface, "region_id": region, "url": url});
            self.create("/endpoints", "endpoint", endpoint).await?;
        }
        Ok(())
    }

    /// An application credential of the user itself, restricted to these rules
    /// if there are any; its id. Its secret is the password.
    pub async fn application_credential(&self, name: &str, rules: &[Value]) -> Result<String> {
        let mut credential = json!({"name": name, "secret": PASSWORD});
        if !rules.is_empty() {
            credential["access_rules"] = json!(rules);
        }
        let path = format!("/users/{}/application_credentials", self.user_id);
        self.create(&path, "application_credential", credential).await
    }

    /// Revokes a token.
    pub async fn revoke(&self, token: &str) -> Result<()> {
        let request = self.http.delete(format!("{}/auth/tokens", self.url));
        let answer =
            request.header("x-auth-token", &self.token).header("x-subject-token", token).send().await?;
        ensure!(answer.status() == 204, "the token is not revoked: {}", answer.status());
        Ok(())
    }
}

fn text(body: &Value, pointer: &str) -> Result<String> {
    let found = body.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no {pointer} in {body}"))?.to_owned())
}
