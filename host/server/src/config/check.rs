//! Rules over several settings.

use super::{AuthMode, Config, Keystone};
use secrecy::ExposeSecret;
use std::collections::BTreeSet;

/// What keeps the server from starting.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let mut problems = crate::serve::problems(config);
    let local = config.listen.ip().is_loopback();
    if config.auth.mode == AuthMode::None && !local && !config.allow_remote_without_auth {
        problems.push(format!(
            "listen {} is not loopback while auth.mode is none, so everyone who reaches it would be an \
             administrator: set auth.mode, or allow_remote_without_auth = true",
            config.listen
        ));
    }
    if config.auth.mode == AuthMode::HttpBasic {
        let file = &config.auth.htpasswd;
        if file.as_os_str().is_empty() {
            problems.push("auth.mode http_basic needs auth.htpasswd, a file of users".to_owned());
        } else if let Err(error) = std::fs::File::open(file) {
            problems.push(format!("auth.htpasswd: {} cannot be read: {error}", file.display()));
        }
    }
    if config.auth.mode == AuthMode::Keystone {
        problems.extend(keystone(&config.keystone));
    }
    if let Some(Err(problem)) = config.policy_file().map(hadron_api::check_policy_file) {
        problems.push(format!("policy.file: {problem}"));
    }
    let url = config.database.url.as_str();
    let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if !known && url != "sqlite" {
        problems.push(
            "database.url must be sqlite, sqlite:FILE, or postgres://USER:PASSWORD@HOST/NAME".to_owned(),
        );
    }
    problems.extend(config.bus.problems());
    match config.with_agents() {
        Ok(kinds) => problems.extend(kinds.into_iter().flat_map(|kind| config.agent_problems(kind))),
        Err(problem) => problems.push(problem),
    }
    let mut seen = BTreeSet::new();
    for (list, names) in lists(config) {
        for name in names {
            if !seen.insert((list, name)) {
                problems.push(format!("{list} names '{name}' twice"));
            }
        }
    }
    let limits = &config.runtime;
    if limits.call_limit_ms > limits.unit_limit_ms {
        problems.push(format!(
            "runtime.call_limit_ms ({}) must not be more than runtime.unit_limit_ms ({})",
            limits.call_limit_ms, limits.unit_limit_ms
        ));
    }
    problems.extend(config.quota.defaults().err());
    problems
}

/// What auth.mode keystone cannot do without.
fn keystone(section: &Keystone) -> Vec<String> {
    let mut problems = Vec::new();
    if !["http://", "https://"].iter().any(|scheme| section.auth_url.starts_with(scheme)) {
        problems
            .push("auth.mode keystone needs keystone.auth_url, an http:// or https:// address".to_owned());
    }
    if section.username.is_empty() || section.password.expose_secret().is_empty() {
        problems.push(
            "auth.mode keystone needs keystone.username and keystone.password, a user that may validate tokens"
                .to_owned(),
        );
    }
    if !section.cafile.as_os_str().is_empty()
        && let Err(error) = std::fs::File::open(&section.cafile)
    {
        problems.push(format!("keystone.cafile: {} cannot be read: {error}", section.cafile.display()));
    }
    problems
}

/// What is valid and probably not meant.
pub(super) fn remarks(config: &Config) -> Vec<String> {
    let mut remarks = Vec::new();
    if config.auth.mode == AuthMode::Keystone && !config.keystone.service_token_roles_required {
        remarks.push(
            "keystone.service_token_roles_required is false: any user's token is taken for a service's"
                .to_owned(),
        );
    }
    let named: BTreeSet<&str> =
        lists(config).into_iter().flat_map(|(_, names)| names).map(String::as_str).collect();
    for name in config.plugin.keys().filter(|name| !named.contains(name.as_str())) {
        remarks.push(format!("[plugin.{name}] is in no list of [plugins], so it is not loaded"));
    }
    for plugin in config.plugins().iter().filter(|plugin| !plugin.path.is_file()) {
        remarks.push(format!("there is no file {}", plugin.path.display()));
    }
    remarks
}

fn lists(config: &Config) -> [(&'static str, &[String]); 4] {
    [
        ("plugins.core", std::slice::from_ref(&config.plugins.core)),
        ("plugins.service", &config.plugins.service),
        ("plugins.type_drivers", &config.plugins.type_drivers),
        ("plugins.mechanism_drivers", &config.plugins.mechanism_drivers),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layers, Sources};

    fn with(flags: &[(&str, &str)]) -> Config {
        let flags = flags.iter().map(|(k, v)| ((*k).into(), (*v).into(), "--set".into())).collect();
        Layers::gather(&Sources { flags, ..Sources::default() }).unwrap().config().unwrap()
    }

    #[test]
    fn the_defaults_have_no_problem() {
        assert_eq!(problems(&with(&[])), Vec::<String>::new());
    }

    #[test]
    fn without_auth_only_loopback_is_served_unless_told_otherwise() {
        let open = [("listen", "0.0.0.0:9696")];
        assert!(problems(&with(&open))[0].contains("not loopback"));
        let told = [open[0], ("allow_remote_without_auth", "true")];
        assert_eq!(problems(&with(&told)), Vec::<String>::new());
        assert_eq!(problems(&with(&[("listen", "[::1]:1")])), Vec::<String>::new());
    }

    #[test]
    fn limits_of_projects_are_names_and_numbers() {
        let good = with(&[("quota.limits", "network=3, port=-1, *=0")]);
        assert_eq!(problems(&good), Vec::<String>::new());
        let quotas = good.runtime().quotas;
        assert_eq!((quotas.of("network", 9), quotas.of("port", 9), quotas.of("other", 9)), (3, -1, 0));
        assert_eq!(with(&[]).runtime().quotas.of("network", 9), 9);
        for bad in ["network", "network=x", "=1", "port=-2"] {
            assert!(problems(&with(&[("quota.limits", bad)]))[0].contains(bad), "{bad}");
        }
    }

    #[test]
    fn http_basic_needs_a_file_that_can_be_read() {
        assert!(problems(&with(&[("auth.mode", "http_basic")]))[0].contains("needs auth.htpasswd"));
        let missing = [("auth.mode", "http_basic"), ("auth.htpasswd", "/nowhere")];
        assert!(problems(&with(&missing))[0].contains("/nowhere cannot be read"));
    }

    #[test]
    fn keystone_needs_an_address_a_user_and_a_password() {
        let bare = [("auth.mode", "keystone"), ("keystone.cafile", "/nowhere")];
        let text = problems(&with(&bare)).join("\n");
        for part in ["keystone.auth_url", "keystone.password", "/nowhere cannot be read"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let whole =
            [bare[0], ("keystone.auth_url", "http://127.0.0.1:5000"), ("keystone.password", "s3cret")];
        let config = with(&whole);
        assert_eq!(problems(&config), Vec::<String>::new());
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn a_policy_file_must_be_there_and_be_one() {
        let missing = problems(&with(&[("policy.file", "/nowhere")]));
        assert!(
            missing[0].starts_with("policy.file: the policy file /nowhere cannot be read"),
            "{missing:?}"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, "get_gadget: '@'\nput_gadget: 'role:a or'\n").unwrap();
        let wrong = problems(&with(&[("policy.file", path.to_str().unwrap())]));
        assert!(wrong[0].contains("line 2: 'put_gadget': the policy rule ends too early"), "{wrong:?}");
    }

    #[test]
    fn a_driver_named_twice_and_a_foreign_database_are_refused() {
        let config = with(&[("plugins.mechanism_drivers", "a,b,a"), ("database.url", "mysql://x")]);
        let text = problems(&config).join("\n");
        assert!(text.contains("plugins.mechanism_drivers names 'a' twice"), "{text}");
        assert!(text.contains("database.url must be"), "{text}");
    }

    #[test]
    fn a_brokers_url_is_checked_and_its_password_not_told() {
        for (url, part) in [
            ("http://u:s3cret@h/", "bus.url: it is not of the form amqp://"),
            ("amqps://u:s3cret@h/", "bus.url with TLS needs bus.ca"),
        ] {
            let text = problems(&with(&[("bus.url", url)])).join("\n");
            assert!(text.contains(part) && !text.contains("s3cret"), "{text}");
        }
        let config = with(&[("bus.url", "amqp://u:s3cret@broker/")]);
        assert_eq!(problems(&config), Vec::<String>::new());
        assert_eq!(config.bus.shown(), "RabbitMQ broker:5672/");
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn drivers_come_before_the_core_plugin_and_services_after_it() {
        let config = with(&[
            ("plugins.folder", "/p"),
            ("plugins.type_drivers", "vlan"),
            ("plugins.mechanism_drivers", "logger"),
            ("plugins.service", "l3-router"),
        ]);
        let paths: Vec<_> = config.plugins().into_iter().map(|p| p.path.display().to_string()).collect();
        assert_eq!(paths, ["/p/type-vlan.wasm", "/p/mech-logger.wasm", "/p/ml2.wasm", "/p/l3-router.wasm"]);
    }
}
