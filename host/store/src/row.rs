//! Rows as text: a document is spliced together, never parsed.

use crate::schema::KEPT_BY_HOST;
use hadron_manifest::TAGS;
use serde_json::{Map, Value};

/// One row, read from or written to the database.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// UUID.
    pub id: String,
    /// Owner, where it has one.
    pub project_id: Option<String>,
    /// 0 when made, one more with each change.
    pub revision: i64,
    /// RFC 3339 in UTC with seconds: `2026-01-31T12:00:00Z`.
    pub created_at: String,
    /// As `created_at`.
    pub updated_at: String,
    /// The attributes of the owning plugin: the text of a JSON object.
    pub document: String,
    /// Of each extending plugin, and of the host (`KEPT_BY_HOST`), the text of
    /// a JSON object.
    pub extensions: Vec<(String, String)>,
    /// Derived attributes: name, and the text of a JSON value.
    pub derived: Vec<(String, String)>,
}

impl Row {
    /// Appends the row as one JSON object: standard attributes, the document,
    /// extensions, derived attributes; without those named in `hidden` (which
    /// the database has removed from the document and the extensions already).
    pub fn write_json(&self, hidden: &[String], more: &[(&str, &str)], out: &mut String) {
        let shown = |name: &str| !hidden.iter().any(|h| h == name);
        out.push('{');
        let start = out.len();
        let member = |out: &mut String, name: &str, json: &str| {
            if shown(name) {
                separate(out, start);
                push_string(out, name);
                out.push(':');
                out.push_str(json);
            }
        };
        let quoted = |text: &str| Value::from(text).to_string();
        member(out, "id", &quoted(&self.id));
        let project = self.project_id.as_deref().map_or_else(|| "null".to_owned(), quoted);
        member(out, "project_id", &project);
        member(out, "tenant_id", &project);
        member(out, "revision_number", &self.revision.to_string());
        member(out, "created_at", &quoted(&self.created_at));
        member(out, "updated_at", &quoted(&self.updated_at));
        for (name, json) in &self.derived {
            member(out, name, json);
        }
        for (name, json) in more {
            member(out, name, json);
        }
        for object in std::iter::once(&self.document).chain(self.extensions.iter().map(|(_, text)| text)) {
            let inner =
                object.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or_default().trim();
            if !inner.is_empty() {
                separate(out, start);
                out.push_str(inner);
            }
        }
        out.push('}');
    }

    /// The tags that the host keeps of it; none where the view hid them.
    pub fn tags(&self) -> Vec<String> {
        let kept = self.extensions.iter().find(|(plugin, _)| plugin == KEPT_BY_HOST);
        let kept = kept.and_then(|(_, text)| serde_json::from_str::<Map<String, Value>>(text).ok());
        let tags = kept.and_then(|mut kept| kept.remove(TAGS));
        tags.and_then(|tags| serde_json::from_value(tags).ok()).unwrap_or_default()
    }

    /// The row as one JSON object with everything.
    pub fn json(&self) -> String {
        let mut out = String::with_capacity(self.document.len() + 256);
        self.write_json(&[], &[], &mut out);
        out
    }
}

fn separate(out: &mut String, start: usize) {
    if out.len() > start {
        out.push(',');
    }
}

fn push_string(out: &mut String, text: &str) {
    out.push_str(&Value::from(text).to_string());
}

/// A row to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewRow {
    /// UUID.
    pub id: String,
    /// Owner, where it has one.
    pub project_id: Option<String>,
    /// The attributes of the owning plugin; no standard ones.
    pub document: Map<String, Value>,
    /// Of each extending plugin, and of the host (`KEPT_BY_HOST`), its
    /// attributes.
    pub extensions: Vec<(String, Map<String, Value>)>,
}
