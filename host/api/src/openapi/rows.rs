//! Schemas of a resource: as it is shown, created and changed.

use super::Words;
use super::schema::{self, set};
use crate::tables::{Resource, STANDARD, Tables};
use hadron_manifest::{Attribute, Column, Derived, DerivedFrom};
use serde_json::{Map, Value, json};

/// What Neutron's times look like.
const TIME: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$";
/// Longest project id, in characters.
const PROJECT_LENGTH: u32 = 255;

/// The three schemas, by name.
pub(super) fn schemas(tables: &Tables, words: &Words, resource: &Resource) -> [(String, Value); 3] {
    let class = words.class(resource);
    [
        (format!("{class}Create"), created(tables, words, resource)),
        (format!("{class}Update"), changed(tables, words, resource)),
        (class, shown(tables, words, resource)),
    ]
}

/// Attributes that every answer has, whoever asks: kept by the host, or always
/// given a value, and not guarded by a rule about showing them.
pub(super) fn always(resource: &Resource) -> Vec<&str> {
    let guarded = |name: &str| resource.guarded.iter().any(|(guarded, _)| guarded == name);
    let kept = ["id", "revision_number", "created_at", "updated_at"].into_iter();
    let kept = kept.filter(|name| shows(resource, name));
    let valued = resource.attributes.iter().filter(|a| !a.hidden && (a.required || a.default.is_some()));
    kept.chain(valued.map(|a| a.name.as_str())).filter(|name| !guarded(name)).collect()
}

fn shows(resource: &Resource, name: &str) -> bool {
    resource.shown.iter().any(|shown| shown == name)
}

fn shown(tables: &Tables, words: &Words, resource: &Resource) -> Value {
    let mut properties = Map::new();
    for (name, column) in STANDARD.into_iter().filter(|(name, _)| shows(resource, name)) {
        properties.insert(name.to_owned(), standard(name, column));
    }
    for derived in &resource.derived {
        let schema = read_only(derived_schema(tables, resource, derived));
        properties.insert(derived.name.clone(), noted(tables, resource, schema, &derived.name, "get"));
    }
    for attribute in resource.computed.iter().map(|c| &c.attribute).filter(|a| !a.hidden) {
        let schema = read_only(schema::answered(&attribute.validate, true));
        properties.insert(attribute.name.clone(), noted(tables, resource, schema, &attribute.name, "get"));
    }
    for attribute in resource.attributes.iter().filter(|a| !a.hidden) {
        // What nobody gave is null: a plugin may write rows without it.
        let may_lack = !attribute.required && attribute.default.is_none();
        let mut schema = schema::answered(&attribute.validate, attribute.nullable || may_lack);
        if !attribute.post && !attribute.put {
            schema = read_only(schema);
        }
        referring(tables, words, resource, &attribute.name, &mut schema);
        properties.insert(attribute.name.clone(), noted(tables, resource, schema, &attribute.name, "get"));
    }
    json!({
        "type": "object",
        "description": "What is hidden from the caller, or not among the `fields` asked for, is left out.",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn created(tables: &Tables, words: &Words, resource: &Resource) -> Value {
    let own = |a: &&Attribute| {
        // The parent's id comes from the URL.
        a.post && resource.parent.as_ref().is_none_or(|p| p.attribute != a.name)
    };
    let attributes: Vec<&Attribute> = resource.attributes.iter().filter(own).collect();
    let mut properties = settable(tables, words, resource, &attributes, "create", true);
    for (name, alias) in [("project_id", "tenant_id"), ("tenant_id", "project_id")] {
        let description = format!(
            "The owner: the caller's project where none is given. The same as `{alias}`; another project's \
             rows are made by administrators."
        );
        let kind = if resource.ownerless { json!(["string", "null"]) } else { json!("string") };
        let schema = json!({"type": kind, "maxLength": PROJECT_LENGTH, "description": description});
        properties.insert(name.to_owned(), schema);
    }
    let required: Vec<&str> = attributes.iter().filter(|a| a.required).map(|a| a.name.as_str()).collect();
    closed(properties, &required)
}

fn changed(tables: &Tables, words: &Words, resource: &Resource) -> Value {
    let attributes: Vec<&Attribute> = resource.attributes.iter().filter(|a| a.put).collect();
    closed(settable(tables, words, resource, &attributes, "update", false), &[])
}

fn settable(
    tables: &Tables,
    words: &Words,
    resource: &Resource,
    attributes: &[&Attribute],
    verb: &str,
    defaults: bool,
) -> Map<String, Value> {
    attributes
        .iter()
        .map(|attribute| {
            let mut schema = schema::accepted(&attribute.validate, attribute.nullable);
            if let Some(default) = attribute.default.as_ref().filter(|_| defaults) {
                set(&mut schema, "default", default.clone());
            }
            referring(tables, words, resource, &attribute.name, &mut schema);
            (attribute.name.clone(), noted(tables, resource, schema, &attribute.name, verb))
        })
        .collect()
}

/// An object of these members and no others.
fn closed(properties: Map<String, Value>, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        set(&mut schema, "required", json!(required));
    }
    schema
}

/// Attributes kept by the host.
fn standard(name: &str, column: Column) -> Value {
    let mut schema = match (name, column) {
        ("created_at" | "updated_at", _) => json!({"type": "string", "format": "date-time", "pattern": TIME}),
        (_, Column::Integer) => json!({"type": "integer", "format": "int64", "minimum": 0}),
        (_, Column::Boolean) => json!({"type": "boolean"}),
        // What nobody owns has no project.
        ("project_id" | "tenant_id", _) => json!({"type": ["string", "null"]}),
        (_, Column::Text) => json!({"type": "string"}),
    };
    // The owner can be named in a create request.
    if !["project_id", "tenant_id"].contains(&name) {
        schema = read_only(schema);
    }
    schema
}

fn derived_schema(tables: &Tables, resource: &Resource, derived: &Derived) -> Value {
    match &derived.from {
        DerivedFrom::Referring { .. } => json!({"type": "array", "items": {"type": "string"}}),
        DerivedFrom::Rows(_) => json!({"type": "array", "items": {"type": "object"}}),
        DerivedFrom::Parent { reference, attribute, .. } => {
            let to = resource.references.iter().find(|r| r.attribute == *reference);
            let parent = to.and_then(|r| tables.of_collection(&r.collection));
            let found = parent.and_then(|p| p.attribute(attribute));
            // A row that refers to none has none.
            found.map_or(json!({}), |a| schema::answered(&a.validate, true))
        }
    }
}

fn read_only(mut schema: Value) -> Value {
    set(&mut schema, "readOnly", json!(true));
    schema
}

/// Says which resource's ids an attribute, or a member of its items, holds: as
/// a keyword of the schema, for programs that have to find one.
fn referring(tables: &Tables, words: &Words, resource: &Resource, name: &str, schema: &mut Value) {
    const KEYWORD: &str = "x-hadron-references";
    let reference = resource.references.iter().find(|r| r.attribute == name);
    if let Some(target) = reference.and_then(|r| tables.of_collection(&r.collection)) {
        set(schema, KEYWORD, json!(words.class(target)));
    }
    let columns = resource.attribute(name).and_then(|a| a.list.as_ref()).map(|l| l.columns.as_slice());
    for column in columns.unwrap_or_default() {
        let named = column.references.as_ref().and_then(|name| tables.named(name));
        let member = match column.name.as_str() {
            "value" => schema.pointer_mut("/items"),
            member => schema.pointer_mut(&format!("/items/properties/{member}")),
        };
        if let (Some(target), Some(member)) = (named, member) {
            set(member, KEYWORD, json!(words.class(target)));
        }
    }
}

/// Names the policy rule that guards it, where there is one.
fn noted(tables: &Tables, resource: &Resource, mut schema: Value, name: &str, verb: &str) -> Value {
    let guarded = resource.attribute(name).is_none_or(|a| a.enforce);
    let rule = format!("{verb}_{}:{name}", resource.ruled);
    if guarded && tables.policy.has(&rule) {
        set(&mut schema, "x-hadron-policy", json!(rule));
    }
    schema
}
