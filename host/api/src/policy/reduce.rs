//! A rule evaluated as far as what is known allows.
//!
//! Before rows are read, only the caller is known: what remains becomes a
//! condition for the database. Of a row that was read everything is known but,
//! perhaps, the rows it refers to: then the answer is 'unknown' until those
//! were fetched. Unknown never allows.

use super::Policy;
use super::credentials::credential;
use super::parse::{Check, Part, Side, Wanted};
use crate::python;
use hadron_manifest::Column;
use hadron_runtime::Caller;
use hadron_store::Predicate;
use serde_json::Value;

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
    Column(Place),
    /// It cannot be told yet.
    Unknown,
}

/// Where rows that were not read yet have a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// The attribute that names the row which has it, where it is not the row's
    /// own.
    pub(crate) reference: Option<String>,
    /// The column.
    pub(crate) column: String,
    /// What it holds.
    pub(crate) kind: Column,
}

impl Place {
    fn holds(self, condition: impl FnOnce(String) -> Predicate) -> Residual {
        let condition = condition(self.column);
        Residual::Row(match self.reference {
            None => condition,
            Some(reference) => Predicate::Referred(reference, Box::new(condition)),
        })
    }

    /// Holds one of the values; nothing does where there are none.
    fn is(self, values: Vec<Value>) -> Residual {
        match values.is_empty() {
            true => Residual::Known(false),
            false => self.holds(|column| Predicate::In(column, values)),
        }
    }
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

/// Rules name no rules in circles, nor too deep: `Policy` sees to it.
pub(super) fn reduce(policy: &Policy, check: &Check, caller: &Caller, target: &dyn Target) -> Residual {
    let below = |part: &Check| reduce(policy, part, caller, target);
    match check {
        Check::Constant(answer) => Residual::Known(*answer),
        Check::Not(inner) => below(inner).not(),
        Check::All(parts) => Residual::all(parts.iter().map(below)),
        Check::Any(parts) => Residual::any(parts.iter().map(below)),
        Check::Role(parts) => match text(parts, target) {
            Ok(role) => Residual::Known(caller.roles.iter().any(|r| r.to_lowercase() == role.to_lowercase())),
            Err(residual) => residual,
        },
        Check::Rule(name) => policy.named(name).map_or(Residual::Known(false), below),
        Check::Field { collection, attribute, wanted } => field(target.field(collection, attribute), wanted),
        Check::Equal(side, parts) => equal(side, parts, caller, target),
    }
}

fn field(found: Found, wanted: &Wanted) -> Residual {
    let place = match found {
        Found::Absent | Found::Value(Value::Null) => return Residual::Known(false),
        Found::Unknown => return Residual::Unknown,
        Found::Value(value) => return Residual::Known(field_is(&value, wanted)),
        Found::Column(place) => place,
    };
    match (wanted, place.kind) {
        (Wanted::Is(value), Column::Text) => place.is(vec![Value::from(value.as_str())]),
        (Wanted::Is(value), Column::Boolean) => {
            place.is(boolean(value).map(Value::from).into_iter().collect())
        }
        (Wanted::Is(value), Column::Integer) => place.is(integer(value).into_iter().collect()),
        (Wanted::Fits(pattern), Column::Text) => match pattern.starts() {
            Some(starts) => place.holds(|column| {
                let start = |start: &String| Predicate::StartsWith(column.clone(), start.clone());
                match starts {
                    [one] => start(one),
                    _ => Predicate::Any(starts.iter().map(start).collect()),
                }
            }),
            None => Residual::Unknown,
        },
        (Wanted::Fits(_), _) => Residual::Known(false),
    }
}

/// Values are converted as the attribute's own are: `True` is meant by a rule
/// about a boolean.
fn field_is(value: &Value, wanted: &Wanted) -> bool {
    match (wanted, value) {
        (Wanted::Is(wanted), Value::Bool(is)) => boolean(wanted) == Some(*is),
        (Wanted::Is(wanted), value) => python::text(value) == *wanted,
        (Wanted::Fits(pattern), Value::String(text)) => pattern.fits(text),
        (Wanted::Fits(_), _) => false,
    }
}

fn equal(side: &Side, parts: &[Part], caller: &Caller, target: &dyn Target) -> Residual {
    let held = match side {
        Side::Literal(text) => vec![text.as_str()],
        Side::Credential(path) => match credential(caller, path) {
            None => return Residual::Known(false),
            // Nothing is `None` in a rule, but no value of a target: rows
            // without a project are not those of callers without one.
            Some(held) if held.is_empty() && parts.iter().all(|p| matches!(p, Part::Text(_))) => vec!["None"],
            Some(held) => held,
        },
    };
    if let [Part::Member(name)] = parts
        && let Found::Column(place) = target.member(name)
    {
        let kind = place.kind;
        return place.is(held.iter().flat_map(|text| written_as(text, kind)).collect());
    }
    match text(parts, target) {
        Ok(text) => Residual::Known(held.contains(&text.as_str())),
        Err(residual) => residual,
    }
}

/// The text that the parts make; else what remains of a check about it.
fn text(parts: &[Part], target: &dyn Target) -> Result<String, Residual> {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(piece) => out.push_str(piece),
            Part::Member(name) => match target.member(name) {
                Found::Value(value) => out.push_str(&python::text(&value)),
                Found::Absent => return Err(Residual::Known(false)),
                Found::Unknown | Found::Column(_) => return Err(Residual::Unknown),
            },
        }
    }
    Ok(out)
}

/// The values of such a column that Python writes as that text.
fn written_as(text: &str, kind: Column) -> Vec<Value> {
    let value = match kind {
        Column::Text => Some(Value::from(text)),
        Column::Boolean => match text {
            "True" => Some(Value::from(true)),
            "False" => Some(Value::from(false)),
            _ => None,
        },
        Column::Integer => integer(text),
    };
    let null = (text == "None").then_some(Value::Null);
    value.into_iter().chain(null).collect()
}

fn integer(text: &str) -> Option<Value> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text).map(Value::from)
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
