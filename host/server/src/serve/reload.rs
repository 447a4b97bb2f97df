//! Taking up a changed configuration without a restart: on SIGHUP, or when
//! `hadron config reload` asks for it.
//!
//! Everything is read and checked before anything is changed, so a broken file
//! leaves the server as it was. What cannot be changed while serving is named.

use super::tls::Certificates;
use super::users;
use crate::cli::ServeArgs;
use crate::config::{self, AuthMode, Config, LIVE, Layers};
use crate::logging::Logging;
use hadron_api::Api;
use hadron_runtime::Runtime;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// What can take up a configuration. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reload(Arc<Inner>);

struct Inner {
    args: ServeArgs,
    logging: Logging,
    certificates: Option<Certificates>,
    api: Api,
    runtime: Runtime,
    /// The settings in force.
    read: Mutex<Layers>,
}

/// What a reload came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reloaded {
    /// What is in force now.
    pub(crate) applied: Vec<String>,
    /// What takes a restart.
    pub(crate) restart: Vec<String>,
}

impl Reload {
    /// Of a server that was started with these arguments.
    pub(crate) fn new(
        args: ServeArgs,
        read: Layers,
        logging: Logging,
        certificates: Option<Certificates>,
        api: Api,
        runtime: Runtime,
    ) -> Reload {
        Reload(Arc::new(Inner { args, logging, certificates, api, runtime, read: Mutex::new(read) }))
    }

    /// From now on reloads on every SIGHUP, until `stop`.
    pub(crate) fn on_hangup(self, stop: CancellationToken) {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else {
            return warn!("cannot listen for SIGHUP: `hadron config reload` reloads the configuration");
        };
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    received = hangup.recv() => if received.is_none() { return },
                }
                // Its outcome is in the log.
                let _ = self.now().await;
            }
        });
    }

    /// Reads the configuration again and takes up what changed; the error is
    /// what is wrong with it, and then nothing has changed.
    pub(crate) async fn now(&self) -> Result<Reloaded, String> {
        let reloaded = self.0.now().await;
        match &reloaded {
            Ok(Reloaded { applied, restart }) => {
                info!(applied = applied.join(", "), "the configuration was read again");
                if !restart.is_empty() {
                    warn!(settings = restart.join(", "), "these settings take a restart");
                }
            }
            Err(problem) => error!(problem, "the configuration stays as it was"),
        }
        reloaded
    }
}

impl Inner {
    async fn now(&self) -> Result<Reloaded, String> {
        let mut read = self.read.lock().await;
        let flags = || self.args.flags();
        let config = config::load_with(&self.args.config, flags()).map_err(|f| f.message)?;
        let layers = config::layers(&self.args.config, flags()).map_err(|f| f.message)?;
        let users = match config.auth.mode {
            AuthMode::HttpBasic => Some(users(&config).map_err(|f| f.message)?),
            AuthMode::None | AuthMode::Keystone => None,
        };
        self.api.reload_policy()?;
        let plugins = self.runtime.reconfigure(config.plugins()).await.map_err(|r| r.message)?;
        // HTTPS is neither begun nor ended while serving.
        let certificates =
            self.certificates.as_ref().filter(|_| !config.tls.certificate.as_os_str().is_empty());
        let is_live =
            |name: &&str| LIVE.contains(name) && (certificates.is_some() || !name.starts_with("tls."));
        let (live, restart): (Vec<_>, Vec<_>) = changed(&read, &layers).into_iter().partition(is_live);
        self.logging.set_level(&config.log.level)?;
        self.api.set_limits(config.api());
        self.runtime.set_default_quotas(config.runtime().quotas);
        let mut applied: Vec<String> = Vec::new();
        // Of these the files change, rather than their names.
        if let Some(certificates) = certificates {
            certificates.read_again(&config.tls)?;
            applied.push("tls".to_owned());
        }
        if let Some(users) = users
            && !restart.contains(&"auth.mode")
        {
            self.api.set_users(users);
            applied.push("users".to_owned());
        }
        if config.policy_file().is_some() && !restart.contains(&"policy.file") {
            applied.push("policy".to_owned());
        }
        let files = ["tls.", "auth."];
        let settings = live.iter().filter(|name| !files.iter().any(|section| name.starts_with(section)));
        applied.extend(settings.map(|name| (*name).to_owned()));
        applied.extend(plugins.into_iter().map(|name| format!("plugin {name}")));
        for name in live {
            if let Some(setting) = layers.settings.get(name) {
                read.settings.insert(name, setting.clone());
            }
        }
        Ok(Reloaded { applied, restart: restart.into_iter().map(str::to_owned).collect() })
    }
}

/// Settings with another value than before.
fn changed(old: &Layers, new: &Layers) -> Vec<&'static str> {
    let value = |layers: &Layers, name: &str| layers.settings.get(name).map(|setting| setting.value.clone());
    let names = new.settings.keys().copied();
    names.filter(|name| value(old, name) != value(new, name)).collect()
}

/// Whether the server would take up that configuration; what is wrong, one line
/// each.
pub(crate) fn problems(config: &Config) -> Vec<String> {
    let level = crate::logging::filter(&config.log.level).map(drop);
    let tls = Certificates::read(&config.tls).map(drop);
    [level, tls].into_iter().filter_map(Result::err).collect()
}
