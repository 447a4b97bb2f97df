//! A Keystone and a server that trusts it, with somebody to ask.
//!
//! Projects `red` and `blue`; in each a member and a reader (`red-member`, …),
//! the services `nova` and `hadron`, and the cloud's `admin`.

use crate::identity::{Identity, Login, Scope};
use crate::keystone::{Keystone, PASSWORD, REGION};
use anyhow::{Context, Result};
use hadron_sdk_testing::{Builder, Client, Server};
use std::collections::BTreeMap;

/// The region that the server is registered in: another one than Keystone's.
pub const NETWORK_REGION: &str = "RegionTwo";

/// Both, running.
pub struct Cloud {
    /// The identity service.
    pub keystone: Keystone,
    /// The server.
    pub server: Server,
    /// Ids of the projects, by name.
    pub projects: BTreeMap<String, String>,
}

impl Cloud {
    /// Starts both; tokens live `token_seconds` and are asked for again after
    /// `cache_seconds`. None where Keystone is not installed.
    pub async fn start(token_seconds: u32, cache_seconds: u32, server: Builder) -> Result<Option<Cloud>> {
        let Some(keystone) = Keystone::start(token_seconds).await? else { return Ok(None) };
        let admin = Identity::log_in(&keystone.admin()).await?;
        let mut projects = BTreeMap::new();
        for name in ["red", "blue", "service"] {
            projects.insert(name.to_owned(), admin.project(name).await?);
        }
        for (user, role, project) in [
            ("red-member", "member", "red"),
            ("red-reader", "reader", "red"),
            ("blue-member", "member", "blue"),
            ("nova", "service", "service"),
            ("hadron", "service", "service"),
        ] {
            let user = admin.user(user).await?;
            admin.assign(&user, role, &format!("projects/{}", projects[project])).await?;
        }
        let server = server
            .environment("HADRON_KEYSTONE__PASSWORD", PASSWORD)
            .config(&format!(
                "[auth]\nmode = 'keystone'\n[keystone]\nauth_url = '{}'\nusername = 'hadron'\n\
                 region = '{REGION}'\ninterface = 'internal'\ncache_s = {cache_seconds}\n",
                keystone.url()
            ))
            .start()
            .await?;
        admin.register(NETWORK_REGION, server.url()).await?;
        Ok(Some(Cloud { keystone, server, projects }))
    }

    /// Who logs in for a project.
    pub fn login(&self, user: &str, project: &str) -> Login {
        Login { url: self.keystone.url(), user: user.into(), scope: Scope::Project(project.into()) }
    }

    /// A token of that user for that project.
    pub async fn token(&self, user: &str, project: &str) -> Result<String> {
        self.scoped(user, Scope::Project(project.into())).await
    }

    /// A token of that user for that scope.
    pub async fn scoped(&self, user: &str, scope: Scope) -> Result<String> {
        let login = Login { url: self.keystone.url(), user: user.into(), scope };
        let identity = Identity::log_in(&login).await.with_context(|| format!("{login:?}"))?;
        Ok(identity.token)
    }

    /// A client of the server with that token.
    pub fn with(&self, token: &str) -> Result<Client> {
        Ok(self.server.client().header("x-auth-token", token)?)
    }

    /// A client of the server, logged in for a project.
    pub async fn client(&self, user: &str, project: &str) -> Result<Client> {
        self.with(&self.token(user, project).await?)
    }

    /// The id of a project.
    pub fn project(&self, name: &str) -> Result<&str> {
        self.projects.get(name).map(String::as_str).with_context(|| format!("no project {name}"))
    }
}
