//! JSON Schema (2020-12) of what the validators of manifests accept and keep.
//!
//! A value has two schemas: what a client may send, with all the spellings that
//! are converted, and what the server answers, which is one of them. The first
//! never refuses what the server accepts; it accepts a little more where a rule
//! cannot be written as a schema (no hardware address is all zeroes).

use hadron_manifest::{Attribute, Validator};
use serde_json::{Map, Value, json};

/// Boolean in Neutron's spellings.
const BOOLEAN: &str =
    "^([Tt]([Rr][Uu][Ee])?|[Ff]([Aa][Ll][Ss][Ee])?|0|1|[Oo][Nn]|[Oo][Ff][Ff]|[Yy]([Ee][Ss])?|[Nn][Oo]?)$";
/// With hyphens or without any.
const UUID: &str = "^([0-9a-fA-F]{32}|[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})$";
/// Six octets in any of the usual spellings.
const HARDWARE_ADDRESS: &str = "^([0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}|[0-9a-fA-F]{1,2}(-[0-9a-fA-F]{1,2}){5}|\
                                [0-9a-fA-F]{4}([.:][0-9a-fA-F]{4}){2}|[0-9a-fA-F]{6}-[0-9a-fA-F]{6}|[0-9a-fA-F]{12})$";
/// An address, and the length of its prefix.
const ADDRESS_RANGE: &str = "^(([0-9]{1,3}\\.){3}[0-9]{1,3}(/[0-9]{1,2})?|\
                             [0-9a-fA-F:.]*:[0-9a-fA-F:.]*(/[0-9]{1,3})?)$";
/// A whole number as text.
const WHOLE: &str = "^\\s*[+-]?[0-9]+\\s*$";

/// Schemas that others refer to by name.
pub(super) fn named() -> [(&'static str, Value); 5] {
    [
        (
            "Boolean",
            json!({
                "description": "A boolean, in one of the spellings that are converted.",
                "anyOf": [
                    {"type": "boolean"},
                    {"type": "integer", "enum": [0, 1]},
                    {"type": "string", "pattern": BOOLEAN},
                ],
            }),
        ),
        ("UUID", json!({"type": "string", "pattern": UUID})),
        (
            "HardwareAddress",
            json!({
                "description": "Six octets, in any of the usual spellings; kept in lower case with colons.",
                "type": "string", "pattern": HARDWARE_ADDRESS,
            }),
        ),
        (
            "Address",
            json!({
                "description": "An IPv4 or IPv6 address; kept in its shortest form.",
                "type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}],
            }),
        ),
        (
            "AddressRange",
            json!({
                "description": "An address with the length of its prefix; one without a length stands for itself.",
                "type": "string", "pattern": ADDRESS_RANGE,
            }),
        ),
    ]
}

fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What a client may send.
pub(super) fn accepted(validator: &Validator, nullable: bool) -> Value {
    let schema = match validator {
        Validator::Any => return json!({}),
        Validator::Boolean => refer("Boolean"),
        Validator::Integer { min, max } => {
            let mut schema = integer(*min, *max);
            set(&mut schema, "type", json!(["integer", "string"]));
            set(&mut schema, "pattern", json!(WHOLE));
            schema
        }
        Validator::Enum { values } if numbers(values) => {
            json!({"anyOf": [{"enum": values}, {"type": "string", "pattern": spelled(values)}]})
        }
        Validator::List { items, unique } => list(accepted(items, false), *unique),
        Validator::Object { members } => object(members, accepted, true),
        other => common(other),
    };
    if nullable { or_null(schema) } else { schema }
}

/// What the server answers.
pub(super) fn answered(validator: &Validator, nullable: bool) -> Value {
    let schema = match validator {
        Validator::Any => return json!({}),
        Validator::Boolean => json!({"type": "boolean"}),
        Validator::Integer { min, max } => integer(*min, *max),
        Validator::List { items, unique } => list(answered(items, false), *unique),
        Validator::Object { members } => object(members, answered, false),
        other => common(other),
    };
    if nullable { or_null(schema) } else { schema }
}

/// What can be asked about an attribute in a query string: filters are
/// converted, not validated, so only what cannot be converted is refused.
pub(super) fn asked(validator: &Validator) -> Value {
    match validator {
        Validator::Boolean => json!({"type": "string", "pattern": BOOLEAN}),
        Validator::Integer { .. } => json!({"type": "string", "pattern": WHOLE}),
        Validator::Enum { values } if numbers(values) => json!({"type": "string", "pattern": WHOLE}),
        Validator::Cidr => refer("AddressRange"), // not networking: a type of the manifest
        _ => json!({"type": "string"}),
    }
}

/// What is the same in both directions.
fn common(validator: &Validator) -> Value {
    match validator {
        Validator::String { max: Some(max) } => json!({"type": "string", "maxLength": max}),
        Validator::String { max: None } => json!({"type": "string"}),
        Validator::Uuid => refer("UUID"),
        Validator::MacAddress => refer("HardwareAddress"), // not networking: a type of the manifest
        Validator::IpAddress => refer("Address"),
        Validator::Cidr => refer("AddressRange"), // not networking: a type of the manifest
        Validator::Enum { values } => json!({"enum": values}),
        Validator::Dict => json!({"type": "object"}),
        // Not the same, and asked for above.
        Validator::Any
        | Validator::Boolean
        | Validator::Integer { .. }
        | Validator::List { .. }
        | Validator::Object { .. } => json!({}),
    }
}

fn numbers(values: &[Value]) -> bool {
    !values.is_empty() && values.iter().all(Value::is_i64)
}

/// Numbers as text, with the zeroes and blanks that are passed over.
fn spelled(values: &[Value]) -> String {
    let spelled: Vec<String> = values
        .iter()
        .filter_map(Value::as_i64)
        .map(|number| match number {
            0 => "[+-]?0+".to_owned(),
            1.. => format!("\\+?0*{number}"),
            _ => format!("-0*{}", number.unsigned_abs()),
        })
        .collect();
    format!("^\\s*({})\\s*$", spelled.join("|"))
}

fn integer(min: Option<i64>, max: Option<i64>) -> Value {
    let mut schema = json!({"type": "integer", "format": "int64"});
    if let Some(min) = min {
        set(&mut schema, "minimum", json!(min));
    }
    if let Some(max) = max {
        set(&mut schema, "maximum", json!(max));
    }
    schema
}

fn list(items: Value, unique: bool) -> Value {
    let mut schema = json!({"type": "array", "items": items});
    if unique {
        set(&mut schema, "uniqueItems", json!(true));
    }
    schema
}

/// An object with known members; `closed`: and no others.
fn object(members: &[Attribute], member: fn(&Validator, bool) -> Value, closed: bool) -> Value {
    let properties: Map<String, Value> = members
        .iter()
        .map(|m| {
            let mut schema = member(&m.validate, m.nullable);
            if let Some(default) = &m.default {
                set(&mut schema, "default", default.clone());
            }
            (m.name.clone(), schema)
        })
        .collect();
    let mut schema = json!({"type": "object", "properties": properties});
    let required: Vec<&str> = members.iter().filter(|m| m.required).map(|m| m.name.as_str()).collect();
    if !required.is_empty() {
        set(&mut schema, "required", json!(required));
    }
    if closed {
        set(&mut schema, "additionalProperties", json!(false));
    }
    schema
}

/// The schema, or null.
pub(super) fn or_null(mut schema: Value) -> Value {
    match schema.get_mut("type") {
        Some(Value::String(one)) => {
            let both = json!([one, "null"]);
            set(&mut schema, "type", both);
            schema
        }
        Some(Value::Array(types)) => {
            types.push(json!("null"));
            schema
        }
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

/// Sets a keyword; beside a `$ref` too, as 2020-12 allows.
pub(super) fn set(schema: &mut Value, keyword: &str, value: Value) {
    if let Value::Object(keywords) = schema {
        keywords.insert(keyword.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(validator: Value) -> Validator {
        serde_json::from_value(validator).unwrap()
    }

    #[test]
    fn what_is_sent_may_be_spelled_in_more_ways_than_what_is_answered() {
        let level = of(json!({"type": "integer", "min": 1, "max": 9}));
        assert_eq!(
            accepted(&level, true),
            json!({"type": ["integer", "string", "null"], "format": "int64", "minimum": 1, "maximum": 9,
                   "pattern": WHOLE})
        );
        assert_eq!(
            answered(&level, false),
            json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": 9})
        );
        assert_eq!(accepted(&Validator::Boolean, false), refer("Boolean"));
        assert_eq!(answered(&Validator::Boolean, true), json!({"type": ["boolean", "null"]}));
    }

    #[test]
    fn numbers_among_some_values_may_be_text() {
        assert_eq!(
            accepted(&of(json!({"type": "enum", "values": [4, -1, 0]})), false),
            json!({"anyOf": [{"enum": [4, -1, 0]},
                             {"type": "string", "pattern": "^\\s*(\\+?0*4|-0*1|[+-]?0+)\\s*$"}]})
        );
        assert_eq!(
            accepted(&of(json!({"type": "enum", "values": ["in"]})), true),
            json!({"anyOf": [{"enum": ["in"]}, {"type": "null"}]})
        );
    }

    #[test]
    fn objects_name_their_members_and_refuse_others_only_when_sent() {
        let object = of(json!({"type": "list", "unique": true, "items": {"type": "object", "members": [
            {"name": "a", "validate": {"type": "uuid"}, "required": true}, {"name": "b", "default": 7}]}}));
        assert_eq!(
            accepted(&object, false),
            json!({"type": "array", "uniqueItems": true, "items": {
                "type": "object", "properties": {"a": refer("UUID"), "b": {"default": 7}},
                "required": ["a"], "additionalProperties": false}})
        );
        assert_eq!(answered(&object, false)["items"].get("additionalProperties"), None);
    }
}
