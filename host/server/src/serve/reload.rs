//! Taking up a changed configuration without a restart: on SIGHUP, or when
//! `hadron config reload` asks for it.
//!
//! Everything is read and checked before anything is changed, so a broken file
//! leaves the server as it was. What cannot be changed while serving is named.

use super::tls::Certificates;
use crate::cli::ServeArgs;
use crate::config::{self, Config, LIVE, Layers};
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
    /// As it was read last.
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
        self.api.reload_policy()?;
        let plugins = self.runtime.reconfigure(config.plugins()).await.map_err(|r| r.message)?;
        let changed = changed(&read, &layers);
        let (live, mut restart): (Vec<_>, Vec<_>) = changed.into_iter().partition(|name| LIVE.contains(name));
        let mut reloaded = Reloaded::default();
        if live.contains(&"log.level") {
            self.logging.set_level(&config.log.level)?;
            reloaded.applied.push("log.level".to_owned());
        }
        match &self.certificates {
            // Certificates are renewed in place: the files, not their names, change.
            Some(certificates) if !config.tls.certificate.as_os_str().is_empty() => {
                certificates.read_again(&config.tls)?;
                reloaded.applied.push("tls".to_owned());
            }
            _ => restart.extend(live.into_iter().filter(|name| name.starts_with("tls."))),
        }
        if config.policy_file().is_some() && !restart.contains(&"policy.file") {
            reloaded.applied.push("policy".to_owned());
        }
        reloaded.applied.extend(plugins.into_iter().map(|name| format!("plugin {name}")));
        reloaded.restart.extend(restart.into_iter().map(str::to_owned));
        *read = layers;
        Ok(reloaded)
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
