//! The configuration: a file, the environment, flags, in rising rank.
//!
//! Every setting stands once in [`keys::KEYS`], with its kind, default and
//! documentation; files, variables and flags are checked against that table, so
//! a misspelt key is found, and what `hadron config show` prints cannot drift
//! from what the server does.

mod agents;
mod bus;
mod check;
mod keys;
mod layers;
mod show;

pub(crate) use agents::Kind as AgentKind;
pub(crate) use keys::LIVE;
pub(crate) use layers::{Layers, Sources};
pub(crate) use show::{json, toml};

use crate::cli::ConfigArgs;
use crate::exit::{Exit, Failure};
use hadron_api::KeystoneSettings;
use hadron_runtime::{DefaultQuotas, PluginConfig};
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) data_folder: PathBuf,
    pub(crate) allow_remote_without_auth: bool,
    pub(crate) drain_ms: u64,
    pub(crate) drain_notice_ms: u64,
    pub(crate) auth: Auth,
    pub(crate) keystone: Keystone,
    pub(crate) policy: Policy,
    pub(crate) database: Database,
    pub(crate) bus: bus::Section,
    pub(crate) plugins: Plugins,
    pub(crate) runtime: Limits,
    pub(crate) api: ApiLimits,
    pub(crate) quota: Quota,
    pub(crate) log: Log,
    pub(crate) tls: Tls,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Telemetry,
    agents: agents::Agents,
    openvswitch: agents::OpenVswitch,
    dhcp: agents::Dhcp,
    linuxbridge: agents::LinuxBridge,
    /// By the names that the lists of `plugins` use.
    #[serde(default)]
    pub(crate) plugin: BTreeMap<String, PluginConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    pub(crate) mode: AuthMode,
    pub(crate) htpasswd: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    pub(crate) file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthMode {
    None,
    HttpBasic,
    Keystone,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keystone {
    pub(crate) auth_url: String,
    pub(crate) username: String,
    pub(crate) password: SecretString,
    pub(crate) project_name: String,
    pub(crate) user_domain_name: String,
    pub(crate) project_domain_name: String,
    pub(crate) region: String,
    pub(crate) interface: String,
    pub(crate) www_authenticate_uri: String,
    pub(crate) cafile: PathBuf,
    pub(crate) timeout_ms: u64,
    pub(crate) cache_s: u64,
    pub(crate) service_token_roles: Vec<String>,
    pub(crate) service_token_roles_required: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) units: u32,
    pub(crate) readers: u32,
    pub(crate) patience_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plugins {
    pub(crate) folder: PathBuf,
    pub(crate) core: String,
    pub(crate) service: Vec<String>,
    pub(crate) type_drivers: Vec<String>,
    pub(crate) mechanism_drivers: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) call_limit_ms: u64,
    pub(crate) unit_limit_ms: u64,
    pub(crate) delivery_limit_ms: u64,
    pub(crate) delivery_budget_ms: u64,
    pub(crate) memory_mib: u32,
    pub(crate) breaker_failures: u32,
    pub(crate) breaker_pause_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiLimits {
    pub(crate) requests_per_second: u32,
    pub(crate) burst: u32,
    pub(crate) unlimited_roles: Vec<String>,
    pub(crate) keep_answers_s: u64,
    pub(crate) batch_operations: usize,
    pub(crate) watchers: usize,
    pub(crate) watch_s: u64,
    pub(crate) keep_changes_s: u64,
    pub(crate) keep_changes: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quota {
    pub(crate) limits: Vec<String>,
}

impl Quota {
    /// The limits by name; what is wrong with the first that cannot be read.
    fn defaults(&self) -> Result<DefaultQuotas, String> {
        let mut defaults = DefaultQuotas::default();
        for text in &self.limits {
            let pair = text.split_once('=').map(|(name, limit)| (name.trim(), limit.trim().parse::<i64>()));
            match pair {
                Some(("*", Ok(limit @ -1..))) => defaults.others = Some(limit),
                Some((name, Ok(limit @ -1..))) if !name.is_empty() => {
                    defaults.named.insert(name.to_owned(), limit);
                }
                _ => return Err(format!("quota.limits: '{text}' is not of the form network=100 or *=-1")),
            }
        }
        Ok(defaults)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
}

/// Files; empty for none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_ca: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metrics {
    pub(crate) listen: Scraped,
}

/// Where `/metrics` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Scraped {
    Nowhere,
    BesideTheApi,
    At(SocketAddr),
}

impl TryFrom<String> for Scraped {
    type Error = String;

    fn try_from(text: String) -> Result<Scraped, String> {
        match text.as_str() {
            "none" => Ok(Scraped::Nowhere),
            "api" => Ok(Scraped::BesideTheApi),
            address => address.parse().map(Scraped::At).map_err(|e| format!("{address}: {e}")),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Telemetry {
    pub(crate) otlp_endpoint: String,
    pub(crate) sample_ratio: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Auto,
    Human,
    Json,
}

/// A claim on a journal entry outlives the longest attempt by this factor, so
/// that no second server starts an attempt while the first still makes one.
const LEASE_FACTOR: u64 = 3;

/// Reads everything; all that is wrong is in the failure, one line each.
pub(crate) fn load(args: &ConfigArgs) -> Result<Config, Failure> {
    load_with(args, args.flags())
}

/// As `load`, with more flags.
pub(crate) fn load_with(args: &ConfigArgs, flags: Vec<(String, String, String)>) -> Result<Config, Failure> {
    let config = layers(args, flags)?.config().map_err(wrong)?;
    let problems = check::problems(&config);
    if problems.is_empty() { Ok(config) } else { Err(wrong(problems)) }
}

/// As `load_with`, for an agent in a process of its own: what only the server needs
/// is not asked for.
pub(crate) fn load_agent(
    args: &ConfigArgs,
    flags: Vec<(String, String, String)>,
    kind: AgentKind,
) -> Result<Config, Failure> {
    let config = layers(args, flags)?.config().map_err(wrong)?;
    let mut problems = config.bus.problems();
    problems.extend(config.agent_problems(kind));
    match (problems.is_empty(), config.bus.has_broker()) {
        (false, _) => Err(wrong(problems)),
        (true, false) => Err(crate::agents::needs_broker(kind)),
        (true, true) => Ok(config),
    }
}

/// The data folder alone. Names and kinds of all settings are checked; what only
/// the server needs is not asked for: its secrets need not be where the
/// operator's commands run.
pub(crate) fn data_folder(args: &ConfigArgs) -> Result<PathBuf, Failure> {
    Ok(layers(args, args.flags())?.config().map_err(wrong)?.data_folder)
}

/// The settings with their origins, unchecked but for kinds and names.
pub(crate) fn layers(args: &ConfigArgs, flags: Vec<(String, String, String)>) -> Result<Layers, Failure> {
    let sources = Sources { file: file(args)?, environment: std::env::vars().collect(), flags };
    Layers::gather(&sources).map_err(wrong)
}

/// Remarks about settings that are valid and probably not meant.
pub(crate) fn remarks(config: &Config) -> Vec<String> {
    check::remarks(config)
}

pub(crate) fn wrong(problems: Vec<String>) -> Failure {
    Failure::new(Exit::Configuration, format!("the configuration is wrong:\n  {}", problems.join("\n  ")))
}

/// The file that is meant: the given one, or the first that is there.
fn file(args: &ConfigArgs) -> Result<Option<PathBuf>, Failure> {
    match &args.config {
        Some(given) if given.is_file() => Ok(Some(given.clone())),
        Some(given) => {
            Err(Failure::new(Exit::Configuration, format!("there is no file {} (--config)", given.display())))
        }
        None => {
            let usual = ["hadron.toml", "/etc/hadron/hadron.toml"].map(PathBuf::from);
            Ok(usual.into_iter().find(|path| path.is_file()))
        }
    }
}

/// Where the operator's commands reach the server of a data folder.
pub(crate) fn socket(data_folder: &Path) -> PathBuf {
    data_folder.join("hadron.sock")
}

impl Config {
    /// Where the rows are.
    pub(crate) fn location(&self) -> hadron_store::Location {
        let url = self.database.url.as_str();
        match url.strip_prefix("sqlite") {
            Some("") => hadron_store::Location::Sqlite(self.data_folder.join("hadron.db")),
            Some(rest) => {
                let path = rest.trim_start_matches(':');
                hadron_store::Location::Sqlite(path.strip_prefix("//").unwrap_or(path).into())
            }
            None => hadron_store::Location::Postgres(url.to_owned()),
        }
    }

    /// The database for people: without a password.
    pub(crate) fn shown_database(&self) -> String {
        match self.location() {
            hadron_store::Location::Sqlite(path) => format!("SQLite {}", path.display()),
            hadron_store::Location::Postgres(url) => show::without_password(&url),
        }
    }

    /// The operator's rules, where there are any.
    pub(crate) fn policy_file(&self) -> Option<&Path> {
        Some(self.policy.file.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// For the store.
    pub(crate) fn store(&self) -> hadron_store::Settings {
        hadron_store::Settings {
            location: self.location(),
            units: self.database.units,
            readers: self.database.readers,
            lease: Duration::from_millis(self.runtime.delivery_limit_ms.saturating_mul(LEASE_FACTOR)),
            patience: Duration::from_millis(self.database.patience_ms),
            keep: hadron_store::Keep {
                answers: Duration::from_secs(self.api.keep_answers_s),
                changes: Duration::from_secs(self.api.keep_changes_s),
                most_changes: self.api.keep_changes,
            },
        }
    }

    /// For checking tokens.
    pub(crate) fn keystone(&self) -> KeystoneSettings {
        let section = self.keystone.clone();
        KeystoneSettings {
            auth_url: section.auth_url,
            username: section.username,
            password: section.password,
            user_domain_name: section.user_domain_name,
            project_name: section.project_name,
            project_domain_name: section.project_domain_name,
            region: section.region,
            interface: section.interface,
            www_authenticate_uri: section.www_authenticate_uri,
            ca_file: Some(section.cafile).filter(|file| !file.as_os_str().is_empty()),
            timeout: Duration::from_millis(section.timeout_ms),
            cache: Duration::from_secs(section.cache_s),
            service_token_roles: section.service_token_roles,
            service_token_roles_required: section.service_token_roles_required,
        }
    }

    /// The collector of traces, if there is one. The standard variables say what
    /// the configuration leaves open.
    pub(crate) fn telemetry(&self) -> Option<hadron_telemetry::Telemetry> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        let configured = Some(self.telemetry.otlp_endpoint.clone()).filter(|e| !e.is_empty());
        let endpoint = configured.or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"))?;
        let ratio = variable("OTEL_TRACES_SAMPLER").is_none().then_some(self.telemetry.sample_ratio);
        let version = env!("CARGO_PKG_VERSION");
        Some(hadron_telemetry::Telemetry { endpoint, ratio, service: "hadron", version })
    }

    /// For the runtime.
    pub(crate) fn runtime(&self) -> hadron_runtime::Settings {
        let limits = &self.runtime;
        hadron_runtime::Settings {
            units: self.database.units,
            call_limit: Duration::from_millis(limits.call_limit_ms),
            unit_limit: Duration::from_millis(limits.unit_limit_ms),
            delivery_limit: Duration::from_millis(limits.delivery_limit_ms),
            delivery_budget: Duration::from_millis(limits.delivery_budget_ms),
            memory_mib: limits.memory_mib,
            cache: self.data_folder.join("cache"),
            breaker: (limits.breaker_failures, Duration::from_millis(limits.breaker_pause_ms)),
            // Checked when the configuration was read.
            quotas: self.quota.defaults().unwrap_or_default(),
        }
    }

    /// For the REST API.
    pub(crate) fn api(&self) -> hadron_api::Settings {
        let rate = NonZeroU32::new(self.api.requests_per_second).map(|per_second| hadron_api::RateLimit {
            per_second,
            burst: NonZeroU32::new(self.api.burst).unwrap_or(per_second),
            exempt_roles: self.api.unlimited_roles.clone(),
        });
        hadron_api::Settings { rate, batch: self.api.batch_operations }
    }

    /// For its streams of changes, which end with `stop`.
    pub(crate) fn watch(&self, stop: CancellationToken) -> hadron_api::WatchSettings {
        hadron_api::WatchSettings {
            streams: self.api.watchers,
            longest: Duration::from_secs(self.api.watch_s),
            stop,
        }
    }

    /// The plugins to load, in order: drivers before the core plugin that asks
    /// them, service plugins after the core plugin that they build upon.
    pub(crate) fn plugins(&self) -> Vec<PluginConfig> {
        let lists = [
            ("type-", self.plugins.type_drivers.as_slice()),
            ("mech-", self.plugins.mechanism_drivers.as_slice()),
            ("", std::slice::from_ref(&self.plugins.core)),
            ("", self.plugins.service.as_slice()),
        ];
        let named = lists.iter().flat_map(|(prefix, names)| names.iter().map(move |name| (*prefix, name)));
        named.filter(|(_, name)| !name.is_empty()).map(|(prefix, name)| self.plugin(prefix, name)).collect()
    }

    /// A plugin of a list: its section, with the file found. Files are named
    /// after the plugin, those of drivers with a prefix that tells their sort.
    fn plugin(&self, prefix: &str, name: &str) -> PluginConfig {
        let mut plugin = self.plugin.get(name).cloned().unwrap_or_default();
        let folder = &self.plugins.folder;
        plugin.path = match plugin.path.as_os_str().is_empty() {
            false if is_bare(&plugin.path) => {
                let file = plugin.path.display().to_string();
                folder.join(if file.ends_with(".wasm") { file } else { format!("{file}.wasm") })
            }
            false => plugin.path,
            true => {
                // What is in the operator's own folder is the server's: it has the
                // system's rights if it asks for them and they are not taken away.
                plugin.grants.system.get_or_insert(true);
                let named = folder.join(format!("{name}.wasm"));
                let prefixed = folder.join(format!("{prefix}{name}.wasm"));
                if named.is_file() && !prefixed.is_file() { named } else { prefixed }
            }
        };
        plugin
    }
}

/// Whether a path is a file's name only.
fn is_bare(path: &Path) -> bool {
    path.components().count() == 1 && path.is_relative()
}
