//! What a server that is ready tells the person who started it.

use crate::config::{AuthMode, Config};
use crate::table;
use hadron_runtime::PluginSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// Prints it.
pub(crate) fn print(
    config: &Config,
    address: SocketAddr,
    plugins: &PluginSet,
    loading: Duration,
    starting: Duration,
) {
    table::print(&text(config, address, plugins, loading, starting));
}

fn text(
    config: &Config,
    address: SocketAddr,
    plugins: &PluginSet,
    loading: Duration,
    starting: Duration,
) -> String {
    let mut text = String::new();
    let scheme = if config.tls.certificate.as_os_str().is_empty() { "http" } else { "https" };
    let url = format!("{scheme}://{address}");
    let auth = match config.auth.mode {
        AuthMode::None => "no authentication",
        AuthMode::HttpBasic => "HTTP basic authentication",
        AuthMode::Keystone => "Keystone",
    };
    let version = env!("CARGO_PKG_VERSION");
    let (database, bus) = (config.shown_database(), config.bus.shown());
    let _ = writeln!(text, "Hadron {version} listens on {url} ({auth}, {database}, messages: {bus})");
    let names: Vec<String> =
        plugins.plugins.iter().map(|p| format!("{} {}", p.manifest.name, p.manifest.version)).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let _ = writeln!(text, "{} plugins loaded in {} ms: {names}", plugins.plugins.len(), loading.as_millis());
    for (path, why) in &plugins.refused {
        let _ = writeln!(text, "not loaded: {path}: {why}");
    }
    let _ = writeln!(text, "Ready after {} ms. Try next:", starting.as_millis());
    let (client, curl) = match config.auth.mode {
        AuthMode::None => (format!("openstack --os-auth-type none --os-endpoint {url}"), "curl"),
        AuthMode::HttpBasic => {
            let login = "--os-auth-type http_basic --os-username USER --os-password PASSWORD";
            (format!("openstack {login} --os-endpoint {url}"), "curl -u USER")
        }
        AuthMode::Keystone => {
            (format!("openstack --os-network-endpoint-override {url}"), "curl -H \"X-Auth-Token: $OS_TOKEN\"")
        }
    };
    let _ = writeln!(text, "  {client} network create demo");
    let _ = writeln!(text, "  {curl} {url}/v2.0/networks");
    let folder = &config.data_folder;
    // As it was started, so that the line works where it is not on PATH.
    let program = std::env::args().next().unwrap_or_else(|| "hadron".to_owned());
    let _ = write!(text, "  {program} plugin list --data-folder {}", folder.display());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layers, Sources};

    #[test]
    fn it_says_where_it_listens_what_was_refused_and_what_to_try() {
        let config = Layers::gather(&Sources::default()).unwrap().config().unwrap();
        let mut plugins = PluginSet::default();
        plugins.refused.push(("acme.wasm".into(), "it is no component".into()));
        let address = "127.0.0.1:9696".parse().unwrap();
        let text = text(&config, address, &plugins, Duration::from_millis(7), Duration::from_millis(9));
        for part in [
            "listens on http://127.0.0.1:9696 (no authentication, SQLite .hadron/hadron.db, messages: in process)",
            "0 plugins loaded in 7 ms: none",
            "not loaded: acme.wasm: it is no component",
            "openstack --os-auth-type none --os-endpoint http://127.0.0.1:9696 network create demo",
            "curl http://127.0.0.1:9696/v2.0/networks",
            " plugin list --data-folder .hadron",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
