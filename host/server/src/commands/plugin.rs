//! `hadron plugin`.

use super::answer;
use crate::block_on;
use crate::cli::{PluginCommand, ServerArgs};
use crate::control::{Client, PluginView, Plugins, encode};
use crate::exit::{Exit, Failure};
use crate::table::{fields, table};
use hadron_manifest::{HttpGrant, Manifest, Verb};
use hadron_runtime::{AddOptions, Grants};
use http::Method;
use serde_json::{Map, Value};
use std::path::Path;

/// Asks the running server.
pub(crate) fn run(command: PluginCommand) -> Result<(), Failure> {
    match command {
        PluginCommand::List { server } => {
            let plugins: Plugins = block_on(Client::of(&server)?.ask(Method::GET, "/plugins", Vec::new()))?;
            answer(&plugins, server.json, list)
        }
        PluginCommand::Show { name, server } => {
            let path = format!("/plugins/{}", encode(&name));
            let plugin: PluginView = block_on(Client::of(&server)?.ask(Method::GET, &path, Vec::new()))?;
            answer(&plugin, server.json, show)
        }
        PluginCommand::Add { file, grants, secrets, config, sync, disabled, server } => {
            let options = AddOptions {
                grants: parse_grants(&grants, &secrets)?,
                config: parse_config(&config)?,
                sync,
                disabled,
            };
            let options = serde_json::to_string(&options).map_err(Failure::failed)?;
            let path = format!("/plugins?options={}", encode(&options));
            change(&server, Method::POST, &path, read(&file)?, "added").map_err(|f| about(&file, f))
        }
        PluginCommand::Upgrade { name, file, server } => {
            let path = format!("/plugins/{}", encode(&name));
            change(&server, Method::PUT, &path, read(&file)?, "upgraded").map_err(|f| about(&file, f))
        }
        PluginCommand::Remove { name, drop_journal, server } => {
            let path = format!("/plugins/{}?drop_journal={drop_journal}", encode(&name));
            let gone: Value = block_on(Client::of(&server)?.ask(Method::DELETE, &path, Vec::new()))?;
            answer(&gone, server.json, |_| format!("{name} removed; its resources stay in the database"))
        }
        PluginCommand::Enable { name, server } => change(
            &server,
            Method::POST,
            &format!("/plugins/{}/enable", encode(&name)),
            Vec::new(),
            "enabled",
        ),
        PluginCommand::Disable { name, server } => change(
            &server,
            Method::POST,
            &format!("/plugins/{}/disable", encode(&name)),
            Vec::new(),
            "disabled",
        ),
    }
}

fn change(server: &ServerArgs, method: Method, path: &str, body: Vec<u8>, what: &str) -> Result<(), Failure> {
    let plugin: PluginView = block_on(Client::of(server)?.ask(method, path, body))?;
    answer(&plugin, server.json, |p| format!("{} {} {what} ({}, {})", p.name, p.version, p.kind, p.state))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| Failure::failed(format!("{} cannot be read: {e}", file.display())))
}

/// A refusal of a component says "it": which file that is.
fn about(file: &Path, failure: Failure) -> Failure {
    match failure.exit {
        Exit::Failed => Failure::failed(format!("{}: {}", file.display(), failure.message)),
        _ => failure,
    }
}

fn wrong(message: String) -> Failure {
    Failure::failed(message)
}

/// Grants as flags name them.
fn parse_grants(grants: &[String], secrets: &[String]) -> Result<Grants, Failure> {
    let mut granted = Grants::default();
    for grant in grants {
        let (name, value) = grant.split_once('=').unwrap_or((grant, ""));
        match name.split_once('.').unwrap_or((name, "")) {
            ("http", "") if !value.is_empty() => granted.http.push(HttpGrant(value.to_owned())),
            ("system", "") if value.is_empty() => granted.system = Some(true),
            ("memory_mib", "") => {
                let mib = value
                    .parse()
                    .map_err(|_| wrong(format!("--grant {grant}: '{value}' is not a number")))?;
                granted.memory_mib = Some(mib);
            }
            ("resources", collection) if !collection.is_empty() => {
                let verbs = parse_verbs(grant, value)?;
                granted.resources.get_or_insert_default().insert(collection.to_owned(), verbs);
            }
            _ => {
                return Err(wrong(format!(
                    "--grant {grant}: a grant is http=URL, resources.NAME=VERBS, system or memory_mib=N"
                )));
            }
        }
    }
    for secret in secrets {
        let (name, source) = secret.split_once('=').unwrap_or((secret, ""));
        if !["env:", "file:"].iter().any(|scheme| source.starts_with(scheme)) {
            return Err(wrong(format!(
                "--secret {secret}: a secret is NAME=env:VARIABLE or NAME=file:PATH; the server reads it itself"
            )));
        }
        granted.secrets.insert(name.to_owned(), source.to_owned());
    }
    Ok(granted)
}

fn parse_verbs(grant: &str, verbs: &str) -> Result<Vec<Verb>, Failure> {
    let one = |verb: &str| {
        serde_json::from_value(Value::String(verb.trim().to_owned()))
            .map_err(|e| wrong(format!("--grant {grant}: '{verb}': {e}")))
    };
    verbs.split(',').map(one).collect()
}

/// `KEY=VALUE` pairs; a value that is not JSON is a text.
fn parse_config(pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let one = |pair: &String| {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| wrong(format!("--config {pair}: give a key and a value, as retries=3")))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok((key.to_owned(), value))
    };
    pairs.iter().map(one).collect()
}

fn list(plugins: &Plugins) -> String {
    let rows: Vec<Vec<String>> = plugins
        .plugins
        .iter()
        .map(|p| {
            let state = match &p.reason {
                Some(reason) => format!("{}: {reason}", p.state),
                None => p.state.clone(),
            };
            vec![p.name.clone(), p.version.clone(), p.kind.clone(), state, p.description.clone()]
        })
        .collect();
    let mut text = table(&["NAME", "VERSION", "KIND", "STATE", "DESCRIPTION"], &rows);
    for (path, why) in &plugins.refused {
        text.push_str(&format!("\nnot loaded: {path}: {why}"));
    }
    text
}

fn show(plugin: &PluginView) -> String {
    let manifest = plugin.manifest.clone().and_then(|m| serde_json::from_value::<Manifest>(m).ok());
    let manifest = manifest.unwrap_or_default();
    let lines = |items: Vec<String>| items.join("\n");
    let asks = &manifest.requests;
    let mut wants = Vec::new();
    if asks.http {
        wants.push("HTTP endpoints".to_owned());
    }
    wants.extend(asks.secrets.iter().map(|name| format!("the secret {name}")));
    wants.extend(asks.resources.iter().map(|r| {
        let verbs: Vec<String> = r.verbs.iter().map(|v| format!("{v:?}").to_lowercase()).collect();
        format!("{}: {}", r.collection, verbs.join(", "))
    }));
    if asks.system {
        wants.push("the rights of the system".to_owned());
    }
    fields(&[
        ("name", plugin.name.clone()),
        ("version", plugin.version.clone()),
        ("description", plugin.description.clone()),
        ("kind", plugin.kind.clone()),
        ("state", plugin.state.clone()),
        ("reason", plugin.reason.clone().unwrap_or_default()),
        (
            "comes from",
            if plugin.origin == "added" { "hadron plugin add" } else { "the configuration" }.to_owned(),
        ),
        ("sha256", plugin.sha256.clone()),
        ("contract", manifest.contract.clone()),
        ("waiting", plugin.pending.map(|n| format!("{n} journal entries")).unwrap_or_default()),
        (
            "resources",
            lines(manifest.collections.iter().filter(|c| !c.private).map(|c| c.name.clone()).collect()),
        ),
        (
            "adds",
            lines(
                manifest
                    .extends
                    .iter()
                    .flat_map(|e| e.attributes.iter().map(|a| format!("{} to {}", a.name, e.collection)))
                    .collect(),
            ),
        ),
        ("extensions", lines(manifest.extensions.iter().map(|e| e.alias.clone()).collect())),
        ("hooks", lines(manifest.hooks.clone())),
        ("asks for", lines(wants)),
        ("granted", lines(members(plugin.grants.as_ref()))),
        ("config", lines(members(plugin.config.as_ref()))),
        (
            "reads",
            lines(
                manifest
                    .config
                    .iter()
                    .map(|key| format!("{} (default {}): {}", key.name, key.default, key.description))
                    .collect(),
            ),
        ),
    ])
}

/// `name = value` of an object's members that say something.
fn members(object: Option<&Value>) -> Vec<String> {
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Bool(set) => *set,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    let members = object.and_then(Value::as_object).into_iter().flatten();
    members.filter(|(_, value)| says(value)).map(|(name, value)| format!("{name} = {value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&t| t.to_owned()).collect()
    }

    #[test]
    fn grants_are_read_from_flags() {
        let flags =
            ["http=http://h:1", "http=https://i", "resources.ports=get,create", "system", "memory_mib=64"];
        let grants = parse_grants(&texts(&flags), &texts(&["token=env:T"])).unwrap();
        assert_eq!(grants.http, [HttpGrant("http://h:1".into()), HttpGrant("https://i".into())]);
        assert_eq!(grants.resources.unwrap()["ports"].len(), 2);
        assert_eq!(grants.system, Some(true));
        assert_eq!(grants.memory_mib, Some(64));
        assert_eq!(grants.secrets["token"], "env:T");
    }

    #[test]
    fn a_wrong_grant_is_told_with_the_right_ones() {
        let refused = |grant: &str| parse_grants(&texts(&[grant]), &[]).unwrap_err().message;
        assert!(refused("htp=x").contains("a grant is http=URL"));
        assert!(refused("http").contains("a grant is http=URL"));
        assert!(refused("resources.ports=gte").contains("'gte'"));
        assert!(refused("memory_mib=big").contains("'big' is not a number"));
        let secret = parse_grants(&[], &texts(&["token=hunter2"])).unwrap_err().message;
        assert!(secret.contains("env:VARIABLE"));
    }

    #[test]
    fn configuration_values_are_json_or_texts() {
        let config = parse_config(&texts(&["a=3", "b=http://h", "c=[1]", "d=x=y"])).unwrap();
        assert_eq!(Value::Object(config), serde_json::json!({"a": 3, "b": "http://h", "c": [1], "d": "x=y"}));
        assert!(parse_config(&texts(&["a"])).is_err());
    }
}
