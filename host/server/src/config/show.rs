//! What `hadron config show` prints.

use super::keys::{self, Key, Kind};
use super::layers::{Layers, Setting};
use serde_json::json;
use std::fmt::Write;
use toml::Value;

/// Width of comments.
const WIDTH: usize = 98;

/// A file that `--config` accepts, every setting with its documentation, its
/// default, and where its value came from.
pub(crate) fn toml(layers: &Layers) -> String {
    let mut text = String::new();
    let mut section = "";
    for (key, setting) in rows(layers) {
        let (in_section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if in_section != section {
            section = in_section;
            let _ = writeln!(text, "[{section}]");
        }
        comment(&mut text, key.doc);
        let default = match &setting.origin {
            super::layers::Origin::Default => "the default".to_owned(),
            origin => format!("from {origin}; default {}", key.default),
        };
        comment(&mut text, &default);
        let _ = writeln!(text, "{name} = {}\n", shown(key, &setting.value));
    }
    comment(
        &mut text,
        "A section for each plugin that needs one, [plugin.NAME], NAME as in the lists above:",
    );
    for (member, doc) in keys::PLUGIN {
        comment(&mut text, &format!("{member}: {doc}"));
    }
    for (name, plugin) in &layers.plugins {
        let mut one = toml::Table::new();
        one.insert(name.clone(), plugin.clone());
        let mut root = toml::Table::new();
        root.insert("plugin".to_owned(), Value::Table(one));
        let _ = write!(text, "\n{root}");
    }
    text.trim_end().to_owned()
}

/// The same for programs.
pub(crate) fn json(layers: &Layers) -> serde_json::Value {
    let settings: Vec<_> = rows(layers)
        .map(|(key, setting)| {
            json!({
                "key": key.name,
                "value": masked(key, &setting.value),
                "default": key.default_value().ok(),
                "from": setting.origin.to_string(),
                "doc": key.doc,
            })
        })
        .collect();
    json!({ "settings": settings, "plugin": layers.plugins })
}

fn rows(layers: &Layers) -> impl Iterator<Item = (&'static Key, &Setting)> {
    keys::KEYS.iter().filter_map(|key| layers.settings.get(key.name).map(|setting| (key, setting)))
}

fn shown(key: &Key, value: &Value) -> String {
    masked(key, value).to_string()
}

/// Without passwords.
fn masked(key: &Key, value: &Value) -> Value {
    match value {
        Value::String(secret) if key.kind == Kind::Secret && !secret.is_empty() => {
            Value::String("***".to_owned())
        }
        Value::String(url) if ["database.url", "bus.url"].contains(&key.name) => {
            Value::String(without_password(url))
        }
        value => value.clone(),
    }
}

/// A URL with its passwords replaced by `***`; it may name several places with
/// commas between.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let hidden = |place: &str| {
        let (login, place) = place.rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{user}:***@{place}"))
    };
    let each: Option<Vec<String>> = rest.split(',').map(hidden).collect();
    // A comma may be part of a password: then all up to the last place is hidden.
    let rest = each.map(|each| each.join(",")).or_else(|| hidden(rest)).unwrap_or_else(|| rest.to_owned());
    format!("{scheme}://{rest}")
}

/// Comment lines of a bearable width.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn what_is_shown_is_a_configuration_again() {
        let layers = Layers::gather(&Sources::default()).unwrap();
        let text = toml(&layers);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shown.toml");
        std::fs::write(&file, &text).unwrap();
        let again = Layers::gather(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        assert_eq!(again.config().unwrap().database.url, "sqlite");
        for key in keys::KEYS {
            let first = key.doc.split_whitespace().next().unwrap();
            assert!(text.contains(first), "{} is not documented in {text}", key.name);
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let several = without_password("rabbit://u:p@a:1,v:q@b/d");
        assert_eq!(several, "rabbit://u:***@a:1,v:***@b/d");
        assert!(!without_password("rabbit://u:s3,cret@a/d").contains("cret"));
        assert_eq!(without_password("postgres://u:p@h/d"), "postgres://u:***@h/d");
        assert_eq!(without_password("postgres://u@h/d"), "postgres://u@h/d");
        assert_eq!(without_password("sqlite"), "sqlite");
    }
}
