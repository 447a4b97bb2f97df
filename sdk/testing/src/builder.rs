//! What a test's server is made of.

use crate::{Error, Result, Server, locate, port, server};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Table;

/// Attempts to find a port that nobody else takes at the same time.
const ATTEMPTS: u32 = 5;
/// The exit code of a server whose address is taken.
const IN_USE: i32 = 5;
/// The cheapest cost bcrypt allows: tests log in often.
const COST: u32 = 4;

/// What sort of list of the configuration a plugin stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Mechanism,
    Type,
    Service,
}

/// A plugin that the server's configuration names: by default a mechanism
/// driver. (Plugins can also be added to a running server, with
/// `server.cli(&["plugin", "add", …])`.)
#[derive(Clone, Debug)]
pub struct Plugin {
    name: String,
    path: PathBuf,
    sort: Sort,
    grants: Map<String, Value>,
    config: Map<String, Value>,
}

impl Plugin {
    /// The component at `path`, as a mechanism driver, after all others.
    pub fn new(name: &str, path: impl Into<PathBuf>) -> Plugin {
        Plugin {
            name: name.to_owned(),
            path: path.into(),
            sort: Sort::Mechanism,
            grants: Map::new(),
            config: Map::new(),
        }
    }

    /// As a service plugin.
    pub fn service(mut self) -> Plugin {
        self.sort = Sort::Service;
        self
    }

    /// As a type driver.
    pub fn type_driver(mut self) -> Plugin {
        self.sort = Sort::Type;
        self
    }

    /// May call this endpoint after the commit: `http://127.0.0.1:8080`.
    pub fn http(mut self, url: &str) -> Plugin {
        let urls = self.grants.entry("http").or_insert_with(|| json!([]));
        if let Value::Array(urls) = urls {
            urls.push(json!(url));
        }
        self
    }

    /// May have this secret, from `env:VARIABLE` or `file:PATH`.
    pub fn secret(mut self, name: &str, source: &str) -> Plugin {
        let secrets = self.grants.entry("secrets").or_insert_with(|| json!({}));
        if let Value::Object(secrets) = secrets {
            secrets.insert(name.to_owned(), json!(source));
        }
        self
    }

    /// Any other grant, as the configuration file has it: `("system", true)`.
    pub fn grant(mut self, name: &str, value: impl Into<Value>) -> Plugin {
        self.grants.insert(name.to_owned(), value.into());
        self
    }

    /// A key of the plugin's own configuration.
    pub fn config(mut self, key: &str, value: impl Into<Value>) -> Plugin {
        self.config.insert(key.to_owned(), value.into());
        self
    }
}

/// Builds a server. Without further words: SQLite, no authentication, ML2 with
/// its type drivers, and the driver of Open vSwitch.
#[derive(Clone, Debug)]
pub struct Builder {
    binary: Option<PathBuf>,
    plugin_folder: Option<PathBuf>,
    database: Option<String>,
    users: Vec<(String, String)>,
    core: Option<String>,
    service: Option<Vec<String>>,
    types: Option<Vec<String>>,
    mechanisms: Option<Vec<String>>,
    plugins: Vec<Plugin>,
    environment: BTreeMap<String, String>,
    extra: Vec<String>,
    log: String,
    fresh_cache: bool,
    wrapper: Vec<String>,
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder {
            binary: None,
            plugin_folder: None,
            database: None,
            users: Vec::new(),
            core: None,
            service: None,
            types: None,
            mechanisms: None,
            plugins: Vec::new(),
            environment: BTreeMap::new(),
            extra: Vec::new(),
            log: "info".to_owned(),
            fresh_cache: false,
            wrapper: Vec::new(),
        }
    }

    /// Another `hadron` than the usual.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Builder {
        self.binary = Some(path.into());
        self
    }

    /// Another folder with components than the usual.
    pub fn plugin_folder(mut self, path: impl Into<PathBuf>) -> Builder {
        self.plugin_folder = Some(path.into());
        self
    }

    /// `sqlite:FILE` or `postgres://USER:PASSWORD@HOST:PORT/NAME`, instead of
    /// SQLite in the data folder.
    pub fn database(mut self, url: &str) -> Builder {
        self.database = Some(url.to_owned());
        self
    }

    /// Users have to log in, this one among them (HTTP basic).
    pub fn user(mut self, name: &str, password: &str) -> Builder {
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// The core plugin; empty for none.
    pub fn core(mut self, name: &str) -> Builder {
        self.core = Some(name.to_owned());
        self
    }

    /// Service plugins of the plugin folder, in order.
    pub fn service_plugins(mut self, names: &[&str]) -> Builder {
        self.service = Some(owned(names));
        self
    }

    /// Type drivers of the plugin folder, in order.
    pub fn type_drivers(mut self, names: &[&str]) -> Builder {
        self.types = Some(owned(names));
        self
    }

    /// Mechanism drivers of the plugin folder, in order.
    pub fn mechanism_drivers(mut self, names: &[&str]) -> Builder {
        self.mechanisms = Some(owned(names));
        self
    }

    /// A plugin of the test's own.
    pub fn plugin(mut self, plugin: Plugin) -> Builder {
        self.plugins.push(plugin);
        self
    }

    /// A variable in the server's environment, e.g. a secret's value.
    pub fn environment(mut self, name: &str, value: &str) -> Builder {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// More of the configuration file, as TOML; wins over what the builder
    /// makes of the rest.
    pub fn config(mut self, toml: &str) -> Builder {
        self.extra.push(toml.to_owned());
        self
    }

    /// What is logged, `info` unless said otherwise.
    pub fn log_level(mut self, level: &str) -> Builder {
        level.clone_into(&mut self.log);
        self
    }

    /// Compile the components anew instead of sharing what other tests
    /// compiled.
    pub fn fresh_cache(mut self) -> Builder {
        self.fresh_cache = true;
        self
    }

    /// Start the server by way of another program, e.g. `["strace", "-f"]`.
    pub fn wrapper(mut self, program: &[&str]) -> Builder {
        self.wrapper = owned(program);
        self
    }

    /// Starts it and waits until it answers.
    pub async fn start(self) -> Result<Server> {
        let binary = match &self.binary {
            Some(given) => given.clone(),
            None => locate::binary()?,
        };
        let folder = tempfile::Builder::new().prefix("hadron-").tempdir().map_err(Error::new)?;
        let data = folder.path().join("data");
        make_private(&data)?;
        if let Some(cache) = locate::cache().filter(|_| !self.fresh_cache) {
            make_private(&cache)?;
            std::os::unix::fs::symlink(&cache, data.join("cache")).map_err(Error::new)?;
        }
        let mut attempt = 1;
        loop {
            let port = port::free()?;
            let config = folder.path().join("hadron.toml");
            write(&config, &self.file(folder.path(), port)?)?;
            let launch = server::Launch {
                binary: binary.clone(),
                wrapper: self.wrapper.clone(),
                config,
                data: data.clone(),
                log: folder.path().join("server.log"),
                environment: self.environment.clone(),
                url: format!("http://127.0.0.1:{port}"),
            };
            match server::start(&launch).await {
                Ok(child) => return Server::new(launch, child, folder),
                Err(failed) if failed.code == Some(IN_USE) && attempt < ATTEMPTS => attempt += 1,
                Err(failed) => return Err(failed.error),
            }
        }
    }

    /// The configuration file.
    fn file(&self, folder: &Path, port: u16) -> Result<String> {
        let plugin_folder = match &self.plugin_folder {
            Some(given) => given.clone(),
            None => locate::plugins()?,
        };
        let mut plugins = Map::from_iter([("folder".to_owned(), json!(plugin_folder))]);
        let defaults = [
            (
                "service",
                &self.service,
                Sort::Service,
                owned(&[
                    "rbac",
                    "service-providers",
                    "flavors",
                    "trunk",
                    "qos",
                    "logging",
                    "auto-allocate",
                    "l3-router",
                    "metering",
                    "firewall",
                    "vpn",
                    "load-balancer",
                ]),
            ),
            (
                "type_drivers",
                &self.types,
                Sort::Type,
                owned(&["local", "flat", "vlan", "vxlan", "gre", "geneve"]),
            ),
            ("mechanism_drivers", &self.mechanisms, Sort::Mechanism, owned(&["openvswitch"])),
        ];
        for (key, given, sort, default) in defaults {
            let mut names = given.clone().unwrap_or(default);
            names.extend(self.plugins.iter().filter(|p| p.sort == sort).map(|p| p.name.clone()));
            plugins.insert(key.to_owned(), json!(names));
        }
        if let Some(core) = &self.core {
            plugins.insert("core".to_owned(), json!(core));
        }
        let mut root = json!({
            "listen": format!("127.0.0.1:{port}"),
            "data_folder": folder.join("data"),
            "plugins": plugins,
            "log": {"format": "human", "level": self.log},
            // A test that wants limits says which.
            "quota": {"limits": ["*=-1"]},
        });
        let mut set = |name: &str, value: Value| {
            if let Value::Object(root) = &mut root {
                root.insert(name.to_owned(), value);
            }
        };
        if let Some(url) = &self.database {
            set("database", json!({"url": url}));
        }
        if !self.users.is_empty() {
            let file = folder.join("htpasswd");
            write(&file, &htpasswd(&self.users)?)?;
            set("auth", json!({"mode": "http_basic", "htpasswd": file}));
        }
        let own = self.plugins.iter().map(|p| {
            let section = json!({"path": p.path, "grants": p.grants, "config": p.config});
            (p.name.clone(), section)
        });
        set("plugin", Value::Object(own.collect()));
        let mut table = Table::try_from(&root).map_err(|e| Error::new(format!("the configuration: {e}")))?;
        for text in &self.extra {
            let more = text.parse().map_err(|e| Error::new(format!("the extra configuration: {e}")))?;
            merge(&mut table, more);
        }
        toml::to_string(&table).map_err(Error::new)
    }
}

/// Sets what `from` has, section by section.
fn merge(into: &mut Table, from: Table) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

fn htpasswd(users: &[(String, String)]) -> Result<String> {
    users
        .iter()
        .map(|(name, password)| {
            let hash = bcrypt::hash(password, COST).map_err(Error::new)?;
            Ok(format!("{name}:{hash}\n"))
        })
        .collect()
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|e| Error::new(format!("cannot write {}: {e}", path.display())))
}

/// A folder that only its owner may use, as the server wants it.
fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::new(format!("cannot make {}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_the_plugins_of_the_test_and_the_extra_text_wins() {
        let plugin = Plugin::new("acme", "/a.wasm").http("http://h:1").secret("t", "env:T").config("n", 3);
        let builder = Server::builder()
            .plugin_folder("/p")
            .type_drivers(&["vlan"])
            .plugin(plugin)
            .plugin(Plugin::new("gadgets", "/g.wasm").service())
            .config("[plugins]\ncore = 'x'\n[runtime]\ncall_limit_ms = 7\n");
        let folder = tempfile::tempdir().unwrap();
        let table: Table = builder.file(folder.path(), 9).unwrap().parse().unwrap();
        let value = serde_json::to_value(&table).unwrap();
        assert_eq!(value["listen"], "127.0.0.1:9");
        assert_eq!(value["plugins"]["mechanism_drivers"], json!(["openvswitch", "acme"]));
        assert_eq!(value["plugins"]["type_drivers"], json!(["vlan"]));
        assert_eq!(
            value["plugins"]["service"],
            json!([
                "rbac",
                "service-providers",
                "flavors",
                "trunk",
                "qos",
                "logging",
                "auto-allocate",
                "l3-router",
                "metering",
                "firewall",
                "vpn",
                "load-balancer",
                "gadgets"
            ])
        );
        assert_eq!(value["plugins"]["core"], "x");
        assert_eq!(value["runtime"]["call_limit_ms"], 7);
        assert_eq!(value["plugin"]["acme"]["grants"]["http"], json!(["http://h:1"]));
        assert_eq!(value["plugin"]["acme"]["grants"]["secrets"]["t"], "env:T");
        assert_eq!(value["plugin"]["acme"]["config"]["n"], 3);
    }
}
