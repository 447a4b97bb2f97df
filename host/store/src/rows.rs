//! Between rows of the database, rows as they are handed out, and documents.

use crate::connection::Record;
use crate::schema::{Field, List, Place, Reference, Table};
use crate::sql::{Bind, FIXED_COLUMNS, Ident};
use crate::{NewRow, Row, StoreError, View};
use hadron_manifest::{Column, EVERY_PROJECT};
use serde_json::{Map, Value};

/// A row that `sql::select` or `sql::by_id` read.
pub(crate) fn row(table: &Table, view: &View, record: &Record) -> Result<Row, StoreError> {
    let shown = table.shown_extensions();
    let mut extensions = Vec::with_capacity(shown.len());
    for (i, extension) in shown.iter().enumerate() {
        if let Some(text) = record.optional_text(FIXED_COLUMNS + i)? {
            extensions.push((extension.plugin.to_string(), text));
        }
    }
    let mut derived = Vec::new();
    if view.derived {
        let first = FIXED_COLUMNS + shown.len();
        for (i, attribute) in table.derived.iter().enumerate() {
            if !view.hidden.contains(&attribute.name) {
                derived.push((attribute.name.clone(), record.text(first + i)?));
            }
        }
    }
    if view.project.is_some() && table.view.is_none() {
        let first = FIXED_COLUMNS + shown.len() + if view.derived { table.derived.len() } else { 0 };
        for (i, (field, _)) in table.decided().enumerate() {
            let name = field.name.as_str();
            if !view.hidden.iter().any(|h| h == name) {
                derived.push((name.to_owned(), record.text(first + i)?));
            }
        }
    }
    Ok(Row {
        id: record.text(0)?,
        project_id: record.optional_text(1)?,
        revision: record.integer(2)?,
        created_at: record.text(3)?,
        updated_at: record.text(4)?,
        document: record.text(5)?,
        extensions,
        derived,
    })
}

/// A row that `sql::at_last` read: what entries decide is the list of projects.
pub(crate) fn at_last(table: &Table, record: &Record) -> Result<Row, StoreError> {
    row(table, &View { hidden: Vec::new(), derived: true, project: Some(String::new()) }, record)
}

/// A row that was kept as it was at last, as that project saw it; without what
/// no loaded plugin declares any more.
pub(crate) fn seen_at_last(table: &Table, mut row: Row, project: &str) -> Row {
    let known = |plugin: &str| table.extensions.iter().any(|e| *e.plugin == *plugin);
    row.extensions.retain(|(plugin, _)| known(plugin));
    row.derived.retain(|(name, _)| table.is_decided(name) || table.derived.iter().any(|d| d.name == *name));
    for (name, json) in &mut row.derived {
        if table.depends_on_entries(name) {
            let targets: Vec<String> = serde_json::from_str(json).unwrap_or_default();
            let allowed = targets.iter().any(|target| target == EVERY_PROJECT || target == project);
            *json = allowed.to_string();
        }
    }
    row
}

/// A document and those of the extenders, parsed; extenders in the order of the
/// table.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) document: Map<String, Value>,
    pub(crate) extensions: Vec<Option<Map<String, Value>>>,
}

impl Parts {
    pub(crate) fn of_new(table: &Table, row: &NewRow) -> Result<Parts, StoreError> {
        let mut parts = Parts {
            document: row.document.clone(),
            extensions: table.extensions.iter().map(|e| e.defaults.clone()).collect(),
        };
        parts.document.retain(|name, _| !table.is_decided(name));
        leave_out(table, &mut parts.document);
        check_members(table, Place::Document, &parts.document)?;
        for (plugin, values) in &row.extensions {
            let place = place_of(table, plugin)?;
            check_members(table, place, values)?;
            if let (Place::Extension(i), true) = (place, !values.is_empty())
                && let Some(slot) = parts.extensions.get_mut(i)
            {
                slot.get_or_insert_default().extend(values.clone());
                slot.iter_mut().for_each(|slot| leave_out(table, slot));
            }
        }
        Ok(parts)
    }

    pub(crate) fn of_texts(
        table: &Table,
        document: &str,
        extensions: &[(String, String)],
    ) -> Result<Parts, StoreError> {
        let parse = |text: &str| {
            serde_json::from_str::<Map<String, Value>>(text)
                .map_err(|error| StoreError::Database(format!("a document cannot be read: {error}")))
        };
        let mut parts =
            Parts { document: parse(document)?, extensions: table.extensions.iter().map(|_| None).collect() };
        for (plugin, text) in extensions {
            if let Place::Extension(i) = place_of(table, plugin)?
                && let Some(slot) = parts.extensions.get_mut(i)
            {
                *slot = Some(parse(text)?);
            }
        }
        Ok(parts)
    }

    /// Sets members; the names of those whose value is another one now.
    pub(crate) fn merge(
        &mut self,
        table: &Table,
        mut changes: Map<String, Value>,
        extensions: Vec<(String, Map<String, Value>)>,
    ) -> Result<Vec<String>, StoreError> {
        let mut changed = Vec::new();
        changes.retain(|name, _| !table.is_decided(name));
        check_members(table, Place::Document, &changes)?;
        set(table, &mut self.document, changes, &mut changed);
        for (plugin, changes) in extensions {
            let place = place_of(table, &plugin)?;
            check_members(table, place, &changes)?;
            if changes.is_empty() {
                continue;
            }
            if let Place::Extension(i) = place
                && let Some(slot) = self.extensions.get_mut(i)
            {
                set(table, slot.get_or_insert_default(), changes, &mut changed);
            }
        }
        Ok(changed)
    }

    fn value(&self, place: Place, name: &str) -> &Value {
        let object = match place {
            Place::Document => Some(&self.document),
            Place::Extension(i) => self.extensions.get(i).and_then(Option::as_ref),
        };
        object.and_then(|o| o.get(name)).unwrap_or(&Value::Null)
    }

    /// What is written besides the standard columns: the documents, and the
    /// attributes that have columns of their own.
    pub(crate) fn columns(&self, table: &Table) -> Result<Vec<(Ident, Bind)>, StoreError> {
        let mut columns = vec![(Ident::host("doc"), Bind::Json(Some(text(&self.document))))];
        for (extension, values) in table.extensions.iter().zip(&self.extensions) {
            let told = values.as_ref().filter(|values| extension.defaults.as_ref() != Some(values));
            columns.push((extension.column.clone(), Bind::Json(told.map(text))));
        }
        for (field, column) in table.columns() {
            let value = self.value(field.place, field.name.as_str());
            columns.push((column.clone(), bind(field.name.as_str(), field.kind, value)?));
        }
        if let Some(objects) = &table.objects {
            let (named, id) = (
                self.value(Place::Document, &objects.attributes.object_type).as_str(),
                self.value(Place::Document, &objects.attributes.object_id).as_str(),
            );
            for (object_type, column) in &objects.columns {
                let id = id.filter(|_| named == Some(object_type.as_str()));
                columns.push((column.clone(), Bind::Text(id.map(str::to_owned))));
            }
        }
        Ok(columns)
    }

    /// The id that a reference holds.
    pub(crate) fn referred(&self, table: &Table, reference: &Reference) -> Option<&str> {
        if let Some(objects) = &table.objects
            && let Some(object_type) = objects.type_of(&reference.column)
            && self.value(Place::Document, &objects.attributes.object_type) != object_type
        {
            return None;
        }
        self.text_of(table.field(&reference.attribute)?)
    }

    /// The items of a list, as they are kept in its side table.
    pub(crate) fn items(&self, list: &List, owner: &str) -> Result<Vec<Vec<Bind>>, StoreError> {
        let name = list.attribute.as_str();
        let items = match self.value(list.place, name) {
            Value::Array(items) => items.as_slice(),
            Value::Null => &[],
            _ => return Err(StoreError::Invalid(format!("'{name}' is not a list"))),
        };
        let mut rows = Vec::with_capacity(items.len());
        for (position, item) in items.iter().enumerate() {
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            let mut row = vec![owner.into(), position.into()];
            for column in &list.columns {
                let value =
                    if list.scalar { item } else { item.get(column.member.as_str()).unwrap_or(&Value::Null) };
                row.push(bind(name, column.kind, value)?);
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// Values of a reference's attribute.
    pub(crate) fn text_of(&self, field: &Field) -> Option<&str> {
        self.value(field.place, field.name.as_str()).as_str()
    }

    pub(crate) fn list_values<'a>(&'a self, list: &'a List, column: &Ident) -> Vec<&'a str> {
        let Some(column) = list.columns.iter().find(|c| c.column == *column) else { return Vec::new() };
        let Some(items) = self.value(list.place, list.attribute.as_str()).as_array() else {
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| {
                if list.scalar {
                    item.as_str()
                } else {
                    item.get(column.member.as_str()).and_then(Value::as_str)
                }
            })
            .collect()
    }

    pub(crate) fn texts(&self, table: &Table) -> (String, Vec<(String, String)>) {
        let extensions = table
            .extensions
            .iter()
            .zip(&self.extensions)
            .filter_map(|(extension, values)| {
                values.as_ref().map(|v| (extension.plugin.to_string(), text(v)))
            })
            .collect();
        (text(&self.document), extensions)
    }
}

fn text(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).unwrap_or_else(|_| "{}".to_owned())
}

fn set(
    table: &Table,
    object: &mut Map<String, Value>,
    changes: Map<String, Value>,
    changed: &mut Vec<String>,
) {
    let names: Vec<String> = changes.keys().cloned().collect();
    let mut after = object.clone();
    after.extend(changes);
    leave_out(table, &mut after);
    changed.extend(names.into_iter().filter(|name| object.get(name) != after.get(name)));
    *object = after;
}

/// Takes out what a row does not have, instead of null.
fn leave_out(table: &Table, object: &mut Map<String, Value>) {
    let is_null = |name: &str| object.get(name).is_none_or(Value::is_null);
    let absent = |field: &&Field| {
        let without = field.sparse.as_deref();
        is_null(field.name.as_str()) && without.is_some_and(is_null)
    };
    let absent: Vec<&str> = table.fields.iter().filter(absent).map(|field| field.name.as_str()).collect();
    object.retain(|name, _| !absent.contains(&name.as_str()));
}

fn place_of(table: &Table, plugin: &str) -> Result<Place, StoreError> {
    table.extensions.iter().position(|e| &*e.plugin == plugin).map(Place::Extension).ok_or_else(|| {
        StoreError::Invalid(format!("'{plugin}' does not extend the collection '{}'", table.id.name))
    })
}

/// Only declared attributes, of types that their columns can hold.
fn check_members(table: &Table, place: Place, values: &Map<String, Value>) -> Result<(), StoreError> {
    for (name, value) in values {
        let field = table.field(name).filter(|f| f.place == place).ok_or_else(|| {
            StoreError::Invalid(format!("'{name}' is not declared as an attribute of '{}'", table.id.name))
        })?;
        if field.list.is_none() && field.kind != Column::Text {
            bind(name, field.kind, value)?;
        }
        if has_nul(value) {
            return Err(StoreError::Invalid(format!("'{name}' holds the character NUL")));
        }
    }
    Ok(())
}

/// PostgreSQL cannot keep this character; so that both are the same, neither
/// does.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// The value as it is kept in a column.
fn bind(name: &str, kind: Column, value: &Value) -> Result<Bind, StoreError> {
    let wrong = |what: &str| StoreError::Invalid(format!("'{name}' must be {what}, not {value}"));
    Ok(match (kind, value) {
        (Column::Text, Value::Null) => Bind::Text(None),
        (Column::Text, Value::String(text)) => Bind::Text(Some(text.clone())),
        (Column::Text, other) => Bind::Text(Some(other.to_string())),
        (Column::Integer, Value::Null) => Bind::Integer(None),
        (Column::Integer, Value::Number(number)) => {
            Bind::Integer(Some(number.as_i64().ok_or_else(|| wrong("a whole number below 2^63"))?))
        }
        (Column::Integer, _) => return Err(wrong("a whole number")),
        (Column::Boolean, Value::Null) => Bind::Boolean(None),
        (Column::Boolean, Value::Bool(truth)) => Bind::Boolean(Some(*truth)),
        (Column::Boolean, _) => return Err(wrong("true or false")),
    })
}
