//! Settings from their sources, each remembering where it came from.

use super::Config;
use super::keys::{self, Key, Kind};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Where settings are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment: Vec<(String, String)>,
    /// Key, value, and the flag that gave it.
    pub(crate) flags: Vec<(String, String, String)>,
}

/// Where a value came from, in rising rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "the default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(variable) => write!(f, "{variable} in the environment"),
            Origin::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// All settings, by name, and the plugins' sections.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    pub(crate) settings: BTreeMap<&'static str, Setting>,
    pub(crate) plugins: Table,
    pub(crate) file: Option<PathBuf>,
}

impl Layers {
    /// Reads all sources; the problems found, all of them.
    pub(crate) fn gather(sources: &Sources) -> Result<Layers, Vec<String>> {
        let mut layers =
            Layers { settings: BTreeMap::new(), plugins: Table::new(), file: sources.file.clone() };
        let mut problems = Vec::new();
        for key in keys::KEYS {
            match key.default_value() {
                Ok(value) => layers.set(key, value, Origin::Default),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(file) = &sources.file {
            layers.read_file(file, &mut problems);
        }
        for (variable, text) in &sources.environment {
            layers.read_variable(variable, text, &mut problems);
        }
        for (name, text, flag) in &sources.flags {
            layers.read_text(name, text, Origin::Flag(flag.clone()), &mut problems);
        }
        if problems.is_empty() { Ok(layers) } else { Err(problems) }
    }

    /// The typed form.
    pub(crate) fn config(&self) -> Result<Config, Vec<String>> {
        let mut root = Table::new();
        for (name, setting) in &self.settings {
            match name.split_once('.') {
                None => {
                    root.insert((*name).to_owned(), setting.value.clone());
                }
                Some((section, name)) => {
                    let section = root.entry(section).or_insert_with(|| Value::Table(Table::new()));
                    if let Value::Table(section) = section {
                        section.insert(name.to_owned(), setting.value.clone());
                    }
                }
            }
        }
        root.insert("plugin".to_owned(), Value::Table(self.plugins.clone()));
        let place = self.file.as_ref().map(|f| format!("{}: ", f.display())).unwrap_or_default();
        Config::deserialize(Value::Table(root)).map_err(|e| vec![format!("{place}{}", e.message())])
    }

    fn set(&mut self, key: &'static Key, value: Value, origin: Origin) {
        self.settings.insert(key.name, Setting { value, origin });
    }

    fn read_file(&mut self, file: &Path, problems: &mut Vec<String>) {
        let shown = file.display();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => return problems.push(format!("{shown}: cannot be read: {error}")),
        };
        let table: Table = match text.parse() {
            Ok(table) => table,
            // The parser's message shows the line.
            Err(error) => return problems.push(format!("{shown}: {error}")),
        };
        let folder = file.parent().unwrap_or(Path::new(""));
        for (name, value) in table {
            match value {
                Value::Table(plugins) if name == "plugin" => {
                    self.read_plugins(file, folder, plugins, problems);
                }
                Value::Table(section) if is_section(&name) => {
                    for (member, value) in section {
                        self.read_value(&format!("{name}.{member}"), value, file, folder, problems);
                    }
                }
                value => self.read_value(&name, value, file, folder, problems),
            }
        }
    }

    fn read_value(
        &mut self,
        name: &str,
        value: Value,
        file: &Path,
        folder: &Path,
        problems: &mut Vec<String>,
    ) {
        let place = file.display().to_string();
        let Some(key) = keys::find(name) else {
            return problems.push(unknown(&place, name, names()));
        };
        match key.accept(value) {
            Ok(value) => self.set(key, relative_to(folder, key, value), Origin::File(file.to_owned())),
            Err(problem) => problems.push(format!("{place}: {name}: {problem}")),
        }
    }

    fn read_plugins(&mut self, file: &Path, folder: &Path, plugins: Table, problems: &mut Vec<String>) {
        let place = file.display().to_string();
        for (name, section) in plugins {
            let Value::Table(mut section) = section else {
                problems.push(format!("{place}: plugin.{name} must be a section, [plugin.{name}]"));
                continue;
            };
            for member in section.keys() {
                if !keys::PLUGIN.iter().any(|(known, _)| known == member) {
                    let known = keys::PLUGIN.iter().map(|(known, _)| format!("plugin.{name}.{known}"));
                    problems.push(unknown(&place, &format!("plugin.{name}.{member}"), known));
                }
            }
            if let Some(Value::Table(grants)) = section.get("grants") {
                for member in grants.keys().filter(|m| !keys::GRANTS.contains(&m.as_str())) {
                    let known = keys::GRANTS.iter().map(|known| format!("plugin.{name}.grants.{known}"));
                    problems.push(unknown(&place, &format!("plugin.{name}.grants.{member}"), known));
                }
            }
            if let Some(Value::String(path)) = section.get_mut("path")
                && path.contains('/')
            {
                *path = folder.join(&*path).display().to_string();
            }
            self.plugins.insert(name, Value::Table(section));
        }
    }

    /// `HADRON_DATABASE__URL` is `database.url`. Other variables that begin so
    /// are left alone unless they look like a setting: container platforms make
    /// some for every service of that name.
    fn read_variable(&mut self, variable: &str, text: &str, problems: &mut Vec<String>) {
        let Some(name) = variable.strip_prefix("HADRON_") else { return };
        if name == "CONFIG" || name.starts_with("TEST_") {
            return;
        }
        let name = name.replace("__", ".").to_lowercase();
        let is_setting = name.contains('.') || keys::find(&name).is_some();
        if !is_setting && nearest(&name, names()).is_none() {
            return;
        }
        if name.starts_with("plugin.") {
            return problems.push(format!(
                "{variable} in the environment: plugins' sections are read from the file only"
            ));
        }
        self.read_text(&name, text, Origin::Environment(variable.to_owned()), problems);
    }

    fn read_text(&mut self, name: &str, text: &str, origin: Origin, problems: &mut Vec<String>) {
        let Some(key) = keys::find(name) else {
            return problems.push(unknown(&origin.to_string(), name, names()));
        };
        match key.parse(text) {
            Ok(value) => self.set(key, value, origin),
            Err(problem) => problems.push(format!("{origin}: {name}: {problem}")),
        }
    }
}

fn names() -> impl Iterator<Item = String> {
    keys::KEYS.iter().map(|key| key.name.to_owned())
}

fn is_section(name: &str) -> bool {
    keys::KEYS.iter().any(|key| key.name.split_once('.').is_some_and(|(section, _)| section == name))
}

/// A path in a file is relative to the file's folder, not to where the server
/// happens to be started.
fn relative_to(folder: &Path, key: &Key, value: Value) -> Value {
    match (key.kind, value) {
        (Kind::Path, Value::String(path)) if !path.is_empty() => {
            Value::String(folder.join(path).display().to_string())
        }
        (_, value) => value,
    }
}

fn unknown(place: &str, name: &str, known: impl Iterator<Item = String>) -> String {
    match nearest(name, known) {
        Some(near) => format!("{place}: there is no setting '{name}'; did you mean '{near}'?"),
        None => {
            format!("{place}: there is no setting '{name}'; `hadron config show` lists them")
        }
    }
}

/// The name that is most like this one, if any is like it. A right name in the
/// wrong section is like it too.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    /// Below this two names have little in common (1 is equal).
    const ALIKE: f64 = 0.72;
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let like = |known: &String| {
        let whole = strsim::normalized_damerau_levenshtein(name, known);
        let end = strsim::normalized_damerau_levenshtein(&last(name), &last(known)) * 0.9;
        whole.max(end)
    };
    let scored = known.map(|known| (like(&known), known)).filter(|(score, _)| *score >= ALIKE);
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a file with this text, these variables and these flags.
    fn gather(
        text: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<Layers, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hadron.toml");
        std::fs::write(&file, text).unwrap();
        Layers::gather(&Sources {
            file: Some(file),
            environment: environment.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            flags: flags.iter().map(|(n, v)| ((*n).into(), (*v).into(), "--set".into())).collect(),
        })
    }

    fn problems(text: &str, environment: &[(&str, &str)]) -> String {
        gather(text, environment, &[]).unwrap_err().join("\n")
    }

    #[test]
    fn defaults_are_a_whole_configuration_and_each_is_documented() {
        let config = Layers::gather(&Sources::default()).unwrap().config().unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:9696");
        assert_eq!(config.plugins.type_drivers.len(), 6);
        for key in keys::KEYS {
            assert!(key.doc.len() > 15, "{} has no documentation", key.name);
            let default = key.default_value().unwrap();
            assert!(key.accept(default).is_ok(), "{}'s default does not fit its kind", key.name);
        }
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let text = "listen = '127.0.0.1:1'\n[database]\nunits = 1\nreaders = 1\npatience_ms = 1\n";
        let environment = [("HADRON_DATABASE__READERS", "2"), ("HADRON_DATABASE__PATIENCE_MS", "2")];
        let layers = gather(text, &environment, &[("database.patience_ms", "3")]).unwrap();
        let config = layers.config().unwrap();
        assert_eq!(config.database.units, 1);
        assert_eq!(config.database.readers, 2);
        assert_eq!(config.database.patience_ms, 3);
        assert_eq!(layers.settings["database.patience_ms"].origin, Origin::Flag("--set".into()));
        assert_eq!(
            layers.settings["database.readers"].origin,
            Origin::Environment("HADRON_DATABASE__READERS".into())
        );
        assert_eq!(layers.settings["log.level"].origin, Origin::Default);
    }

    #[test]
    fn lists_come_from_the_environment_too() {
        let environment = [("HADRON_PLUGINS__MECHANISM_DRIVERS", "logger, acme")];
        let layers = gather("", &environment, &[]).unwrap();
        assert_eq!(layers.config().unwrap().plugins.mechanism_drivers, ["logger", "acme"]);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one_and_the_file() {
        let text = problems("lisen = 'x'\n[databse]\nurl = 'x'\n[database]\nunit = 3\n", &[]);
        assert!(text.contains("hadron.toml: there is no setting 'lisen'; did you mean 'listen'?"), "{text}");
        assert!(text.contains("'database.unit'; did you mean 'database.units'?"), "{text}");
        assert!(text.contains("'databse'"), "{text}");
    }

    #[test]
    fn an_unknown_variable_is_refused_when_it_looks_like_a_setting() {
        let text = problems("", &[("HADRON_DATABASE__URI", "x"), ("HADRON_LISTN", "x")]);
        assert!(text.contains("HADRON_DATABASE__URI in the environment"), "{text}");
        assert!(text.contains("did you mean 'database.url'?"), "{text}");
        assert!(text.contains("did you mean 'listen'?"), "{text}");
        let foreign = [("HADRON_PORT_9696_TCP", "x"), ("HADRON_TEST_LONG", "1"), ("OTHER__X", "1")];
        assert!(gather("", &foreign, &[]).is_ok());
    }

    #[test]
    fn values_of_the_wrong_kind_are_told_with_what_would_fit() {
        let text = problems(
            "listen = 'localhost'\n[database]\nunits = 0\n[plugins]\nservice = 'x'\n[auth]\nmode = 'x'\n",
            &[("HADRON_LOG__FORMAT", "xml"), ("HADRON_DATABASE__READERS", "many")],
        );
        for part in [
            "listen: \"localhost\" is not an IP address and a port",
            "database.units: 0 is not a whole number from 1 to 1024",
            "plugins.service: \"x\" is not a list of texts",
            "auth.mode: \"x\" is not one of none, http_basic, keystone",
            "log.format: \"xml\" is not one of auto, human, json",
            "'many' is not a whole number",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn paths_in_a_file_are_relative_to_it() {
        let text = "data_folder = 'data'\n[plugin.acme]\npath = './acme.wasm'\n";
        let layers = gather(text, &[], &[]).unwrap();
        let folder = layers.file.clone().unwrap().parent().unwrap().to_owned();
        let config = layers.config().unwrap();
        assert_eq!(config.data_folder, folder.join("data"));
        assert_eq!(config.plugin["acme"].path, folder.join("./acme.wasm"));
    }

    #[test]
    fn a_plugins_section_is_checked_by_name_and_kind() {
        let text = problems("[plugin.acme]\npaht = 'x'\n[plugin.acme.grants]\nhtp = []\n", &[]);
        assert!(text.contains("did you mean 'plugin.acme.path'?"), "{text}");
        assert!(text.contains("did you mean 'plugin.acme.grants.http'?"), "{text}");
        let good = "[plugin.acme.grants]\nhttp = ['http://h:1']\nresources = { ports = ['get'] }\n\
                    [plugin.acme.config]\nretries = 3\n";
        let config = gather(good, &[], &[]).unwrap().config().unwrap();
        assert_eq!(config.plugin["acme"].config["retries"], 3);
        assert_eq!(config.plugin["acme"].grants.http.len(), 1);
    }
}
