//! What the operator decides. In Octavia: `[api_settings]`, `[networking]`.

use hadron_sdk::manifest::ConfigKey;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Result, config};
use std::collections::BTreeMap;

/// The operator's decisions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Providers by name, with what is said of each.
    pub(crate) providers: BTreeMap<String, String>,
    /// The provider of load balancers that name none.
    pub(crate) default_provider: String,
    /// Whether listeners can be of the protocol TERMINATED_HTTPS.
    pub(crate) terminated_listeners: bool,
    /// Whether health monitors can be of the type PING.
    pub(crate) ping_monitors: bool,
    /// The oldest version of TLS that can be asked for; none for any.
    pub(crate) minimum_tls_version: Option<String>,
    /// Ciphers that cannot be asked for.
    pub(crate) prohibited_ciphers: Vec<String>,
    /// Least seconds between two looks of a monitor of the type UDP-CONNECT.
    pub(crate) udp_connect_delay: i64,
    /// Addresses that members cannot have.
    pub(crate) reserved_addresses: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        let provider = ("haproxy".to_owned(), "HAProxy on the hosts of agents.".to_owned());
        Settings {
            providers: BTreeMap::from([provider]),
            default_provider: "haproxy".to_owned(),
            terminated_listeners: true,
            ping_monitors: true,
            minimum_tls_version: Some("TLSv1.2".to_owned()),
            prohibited_ciphers: Vec::new(),
            udp_connect_delay: 3,
            reserved_addresses: vec!["169.254.169.254".to_owned()],
        }
    }
}

const PROVIDERS: &str = "enabled_provider_drivers";
const DEFAULT_PROVIDER: &str = "default_provider_driver";
const TERMINATED: &str = "allow_tls_terminated_listeners";
const PING: &str = "allow_ping_health_monitors";
const MINIMUM_TLS: &str = "minimum_tls_version";
const PROHIBITED: &str = "tls_cipher_prohibit_list";
const UDP_DELAY: &str = "udp_connect_min_interval_health_monitor";
const RESERVED: &str = "reserved_ips";

impl Settings {
    /// Those in force.
    pub(crate) fn load() -> Result<Settings> {
        let usual = Settings::default();
        Ok(Settings {
            providers: config::or(PROVIDERS, usual.providers)?,
            default_provider: config::or(DEFAULT_PROVIDER, usual.default_provider)?,
            terminated_listeners: config::or(TERMINATED, usual.terminated_listeners)?,
            ping_monitors: config::or(PING, usual.ping_monitors)?,
            minimum_tls_version: config::get::<String>(MINIMUM_TLS)?.filter(|version| !version.is_empty()),
            prohibited_ciphers: config::or(PROHIBITED, usual.prohibited_ciphers)?,
            udp_connect_delay: config::or(UDP_DELAY, usual.udp_connect_delay)?,
            reserved_addresses: config::or(RESERVED, usual.reserved_addresses)?,
        })
    }

    /// The declaration of their keys.
    pub(crate) fn keys() -> Vec<ConfigKey> {
        let usual = Settings::default();
        let key = |name: &str, description: &str, default: Value| ConfigKey {
            name: name.to_owned(),
            description: description.to_owned(),
            default,
        };
        vec![
            key(PROVIDERS, "providers by name, with what clients read of each", json!(usual.providers)),
            key(DEFAULT_PROVIDER, "the provider where a request names none", json!(usual.default_provider)),
            key(TERMINATED, "whether listeners may terminate TLS", json!(usual.terminated_listeners)),
            key(PING, "whether health monitors may ping", json!(usual.ping_monitors)),
            key(
                MINIMUM_TLS,
                "the oldest version of TLS that may be asked for; empty for any",
                json!(usual.minimum_tls_version),
            ),
            key(PROHIBITED, "TLS ciphers that may not be asked for", json!(usual.prohibited_ciphers)),
            key(
                UDP_DELAY,
                "least seconds between two checks of a health monitor of the type UDP-CONNECT",
                json!(usual.udp_connect_delay),
            ),
            key(RESERVED, "addresses that members may not have", json!(usual.reserved_addresses)),
        ]
    }
}
