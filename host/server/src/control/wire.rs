//! What goes over the control socket; both ends use these types.

use hadron_runtime::{Plugin, PluginState};
use hadron_store::{Entry, EntryState};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer to a request that was refused.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    pub(crate) error: String,
}

/// A plugin as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PluginView {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    /// Why it is in that state, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) sha256: String,
    /// `configured`, or `added` by an operator.
    pub(crate) origin: String,
    /// Entries of the journal that wait for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<u64>,
    /// Everything it declares; this and the next in the answer about one plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) manifest: Option<Value>,
    /// What it was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grants: Option<Value>,
    /// Its configuration, defaults included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Value>,
}

/// All plugins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plugins {
    pub(crate) plugins: Vec<PluginView>,
    /// Files that could not be loaded, and why.
    pub(crate) refused: Vec<(String, String)>,
}

impl PluginView {
    /// A plugin of the running server; with its manifest when `whole`.
    pub(crate) fn of(plugin: &Plugin, pending: Option<u64>, whole: bool) -> PluginView {
        let (state, reason) = match plugin.state() {
            PluginState::Active => ("active", None),
            PluginState::Disabled => ("disabled", None),
            PluginState::Broken(reason) => ("broken", Some(reason)),
            PluginState::Refused(reason) => ("refused", Some(reason)),
        };
        let manifest = &plugin.manifest;
        let word =
            |value: Option<Value>| value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        PluginView {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            kind: word(serde_json::to_value(plugin.kind).ok()),
            state: state.to_owned(),
            reason,
            sha256: plugin.sha256.clone(),
            origin: word(serde_json::to_value(plugin.origin).ok()),
            pending,
            manifest: whole.then(|| serde_json::to_value(&**manifest).ok()).flatten(),
            grants: whole.then(|| serde_json::to_value(plugin.grants()).ok()).flatten(),
            config: whole.then(|| Value::Object(plugin.config().clone())),
        }
    }
}

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct JournalQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plugin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<String>,
    pub(crate) limit: u32,
}

/// Which entries are made due: an entry with those beside it, or a filter's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RetryQuery {
    pub(crate) id: Option<String>,
    pub(crate) plugin: Option<String>,
    pub(crate) resource: Option<String>,
}

/// How many entries were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) entries: u64,
}

/// An entry of the journal as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EntryView {
    pub(crate) id: String,
    pub(crate) plugin: String,
    pub(crate) kind: String,
    pub(crate) operation: String,
    pub(crate) collection: String,
    pub(crate) resource: String,
    pub(crate) revision: i64,
    pub(crate) state: String,
    pub(crate) attempts: u32,
    pub(crate) error: Option<String>,
    pub(crate) created_at: String,
    pub(crate) due_at: String,
    pub(crate) unit: String,
    /// Rows whose entries go first.
    pub(crate) after: Vec<String>,
    /// The call as it was made; in the answer about one entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<Value>,
}

impl EntryView {
    /// An entry; with its payload when `whole`.
    pub(crate) fn of(entry: Entry, whole: bool) -> EntryView {
        let state = match entry.state {
            EntryState::Pending => "pending",
            EntryState::Failing => "failing",
            EntryState::Refused => "refused",
        };
        let new = entry.new;
        EntryView {
            id: new.id,
            plugin: new.target,
            kind: new.kind,
            operation: new.operation,
            collection: new.collection,
            resource: new.resource,
            revision: new.revision,
            state: state.to_owned(),
            attempts: entry.attempts,
            error: entry.error,
            created_at: entry.created_at,
            due_at: entry.due_at,
            unit: entry.unit,
            after: new.after,
            payload: whole.then(|| serde_json::from_str(&new.payload).unwrap_or_default()),
        }
    }
}

/// Text as a part of a path or a query.
pub(crate) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn what_is_not_plain_is_percent_encoded() {
        assert_eq!(encode("mech-acme_1.0~"), "mech-acme_1.0~");
        assert_eq!(encode("a/b {\"ü\"}&"), "a%2Fb%20%7B%22%C3%BC%22%7D%26");
    }
}
