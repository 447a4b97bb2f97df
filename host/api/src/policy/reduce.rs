//! A rule evaluated as far as what is known allows.
//!
//! Before rows are read, only the caller is known: what remains becomes a
//! condition for the database. Of a row that was read everything is known but,
//! perhaps, the rows it refers to: then the answer is 'unknown' until those
//! were fetched. Unknown never allows.

use super::Policy;
use super::parse::{Check, Part, Side};
use crate::python;
use hadron_manifest::Column;
use hadron_runtime::Caller;
use hadron_store::Predicate;
use serde_json::Value;

/// Rules that name rules, deeper than this, are taken for a circle and deny.
const DEPTH: u32 = 32;

/// What a rule is about.
pub(crate) trait Target {
    /// A member of the target, by the name a rule gives it.
    fn member(&self, name: &str) -> Found;
    /// An attribute of a collection: the target's own, or that of a row it
    /// refers to.
    fn field(&self, collection: &str, attribute: &str) -> Found;
}

/// What a target says about a member.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    /// It has this value.
    Value(Value),
    /// There is no such member.
    Absent,
    /// A column of rows not read yet.
    Column(String, Column),
    /// It cannot be told yet.
    Unknown,
}

/// What remains of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Residual {
    /// Nothing: this is the answer.
    Known(bool),
    /// Depends on something that is not known.
    Unknown,
    /// Depends on the row.
    Row(Predicate),
    /// All must hold.
    All(Vec<Residual>),
    /// One must hold.
    Any(Vec<Residual>),
    /// It must not hold.
    Not(Box<Residual>),
}

impl Residual {
    /// The answer, where it does not depend on anything any more.
    pub(crate) fn known(&self) -> Option<bool> {
        match self {
            Residual::Known(answer) => Some(*answer),
            _ => None,
        }
    }

    /// Whether something unknown is left in it.
    pub(crate) fn is_partial(&self) -> bool {
        match self {
            Residual::Unknown => true,
            Residual::Known(_) | Residual::Row(_) => false,
            Residual::All(parts) | Residual::Any(parts) => parts.iter().any(Residual::is_partial),
            Residual::Not(inner) => inner.is_partial(),
        }
    }

    /// As a condition on rows; what is unknown does not allow a row.
    pub(crate) fn predicate(self) -> Predicate {
        self.when(true)
    }

    fn when(self, allows: bool) -> Predicate {
        match self {
            Residual::Known(true) => Predicate::always(),
            Residual::Known(false) => Predicate::never(),
            Residual::Unknown if allows => Predicate::never(),
            Residual::Unknown => Predicate::always(),
            Residual::Row(predicate) => predicate,
            Residual::All(parts) => Predicate::All(parts.into_iter().map(|p| p.when(allows)).collect()),
            Residual::Any(parts) => Predicate::Any(parts.into_iter().map(|p| p.when(allows)).collect()),
            Residual::Not(inner) => Predicate::Not(Box::new(inner.when(!allows))),
        }
    }

    fn all(parts: impl Iterator<Item = Residual>) -> Residual {
        let mut left = Vec::new();
        for part in parts {
            match part {
                Residual::Known(false) => return Residual::Known(false),
                Residual::Known(true) => {}
                other => left.push(other),
            }
        }
        match left.len() {
            0 => Residual::Known(true),
            1 => left.remove(0),
            _ => Residual::All(left),
        }
    }

    fn any(parts: impl Iterator<Item = Residual>) -> Residual {
        let mut left = Vec::new();
        for part in parts {
            match part {
                Residual::Known(true) => return Residual::Known(true),
                Residual::Known(false) => {}
                other => left.push(other),
            }
        }
        match left.len() {
            0 => Residual::Known(false),
            1 => left.remove(0),
            _ => Residual::Any(left),
        }
    }

    fn not(self) -> Residual {
        match self {
            Residual::Known(answer) => Residual::Known(!answer),
            other => Residual::Not(Box::new(other)),
        }
    }
}

pub(super) fn reduce(
    policy: &Policy,
    check: &Check,
    caller: &Caller,
    target: &dyn Target,
    depth: u32,
) -> Residual {
    let below = |part: &Check| reduce(policy, part, caller, target, depth);
    match check {
        Check::Constant(answer) => Residual::Known(*answer),
        Check::Not(inner) => below(inner).not(),
        Check::All(parts) => Residual::all(parts.iter().map(below)),
        Check::Any(parts) => Residual::any(parts.iter().map(below)),
        Check::Role(role) => Residual::Known(caller.roles.iter().any(|r| r.to_lowercase() == *role)),
        Check::Rule(_) if depth >= DEPTH => Residual::Known(false),
        Check::Rule(name) => match policy.rule(name) {
            Some(rule) => reduce(policy, rule, caller, target, depth + 1),
            None => Residual::Known(false),
        },
        Check::Field { collection, attribute, value, prefix } => {
            field(target.field(collection, attribute), value, *prefix)
        }
        Check::Equal(side, parts) => equal(side, parts, caller, target),
    }
}

fn field(found: Found, value: &str, prefix: bool) -> Residual {
    match found {
        Found::Absent => Residual::Known(false),
        Found::Unknown => Residual::Unknown,
        Found::Value(Value::Null) => Residual::Known(false),
        Found::Value(Value::Bool(is)) => Residual::Known(boolean(value) == Some(is)),
        Found::Value(is) if prefix => Residual::Known(python::text(&is).starts_with(value)),
        Found::Value(is) => Residual::Known(python::text(&is) == value),
        Found::Column(name, _) if prefix => Residual::Row(Predicate::StartsWith(name, value.to_owned())),
        Found::Column(name, column) => column_is(name, column, &[value]),
    }
}

fn equal(side: &Side, parts: &[Part], caller: &Caller, target: &dyn Target) -> Residual {
    let credentials = match side {
        Side::Literal(text) => vec![text.clone()],
        Side::Credential(name) => credential(caller, name),
    };
    if let [Part::Member(name)] = parts
        && let Found::Column(name, column) = target.member(name)
    {
        return column_is(name, column, &credentials.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(piece) => text.push_str(piece),
            Part::Member(name) => match target.member(name) {
                Found::Value(value) => text.push_str(&python::text(&value)),
                Found::Absent => return Residual::Known(false),
                Found::Unknown | Found::Column(..) => return Residual::Unknown,
            },
        }
    }
    Residual::Known(credentials.contains(&text))
}

/// The column holds one of these values, as rules write them.
fn column_is(name: String, column: Column, values: &[&str]) -> Residual {
    let values: Vec<Value> = values
        .iter()
        .filter_map(|text| match column {
            Column::Text => Some(Value::from(*text)),
            Column::Boolean => boolean(text).map(Value::from),
            Column::Integer => text.parse::<i64>().ok().map(Value::from),
        })
        .collect();
    if values.is_empty() { Residual::Known(false) } else { Residual::Row(Predicate::In(name, values)) }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// What a rule can say about the caller; each of the values fits.
fn credential(caller: &Caller, name: &str) -> Vec<String> {
    match name {
        "user_id" | "user" => vec![caller.user_id.clone()],
        "project_id" | "tenant_id" | "project" | "tenant" => vec![caller.project_id.clone()],
        "is_admin" => vec![if caller.is_admin { "True" } else { "False" }.to_owned()],
        "roles" => caller.roles.clone(),
        _ => Vec::new(),
    }
}
