//! Why a rule holds or not, part by part.

use super::credentials::credential;
use super::parse::{Check, Part, Side};
use super::reduce::reduce;
use super::{Found, Policy, Target};
use crate::python;
use hadron_runtime::Caller;
use serde::{Deserialize, Serialize};

/// A part of a rule, and whether it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The part in the rule language.
    pub check: String,
    /// Whether it holds; none where that depends on what was not told.
    pub holds: Option<bool>,
    /// What was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it is made of; of `rule:NAME` the rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Finding>,
}

/// The rule of that name for this caller and target.
pub(crate) fn explain(policy: &Policy, name: &str, caller: &Caller, target: &dyn Target) -> Finding {
    part(policy, &Check::Rule(name.to_owned()), caller, target)
}

fn part(policy: &Policy, check: &Check, caller: &Caller, target: &dyn Target) -> Finding {
    let below = |checks: &[Check]| checks.iter().map(|c| part(policy, c, caller, target)).collect();
    let (text, why, parts) = match check {
        Check::Not(inner) => ("not".to_owned(), None, below(std::slice::from_ref(&**inner))),
        Check::All(parts) => ("and".to_owned(), None, below(parts)),
        Check::Any(parts) => ("or".to_owned(), None, below(parts)),
        Check::Rule(name) => {
            let meant = policy.meant(name);
            let why = match meant {
                Some(meant) if meant == name => None,
                Some(meant) => Some(format!("there is no such rule, so '{meant}' counts")),
                None => Some("there is no such rule".to_owned()),
            };
            let parts = policy.named(name).map_or(Vec::new(), |c| below(std::slice::from_ref(c)));
            (check.to_string(), why, parts)
        }
        leaf => (leaf.to_string(), why(leaf, caller, target), Vec::new()),
    };
    Finding { check: text, holds: reduce(policy, check, caller, target).known(), why, parts }
}

fn why(leaf: &Check, caller: &Caller, target: &dyn Target) -> Option<String> {
    match leaf {
        Check::Role(_) => {
            Some(format!("the caller's roles: {}", list(caller.roles.iter().map(String::as_str))))
        }
        Check::Field { collection, attribute, .. } => {
            Some(format!("the target's {attribute}: {}", found(target.field(collection, attribute))))
        }
        Check::Equal(side, parts) => {
            let held = match side {
                Side::Literal(_) => None,
                Side::Credential(path) => Some(match credential(caller, path) {
                    None => format!("there is no credential {path}"),
                    Some(held) => format!(
                        "the caller's {path}: {}",
                        list(held.into_iter().filter(|h| !["0", "1"].contains(h)))
                    ),
                }),
            };
            let members = parts.iter().filter_map(|part| match part {
                Part::Member(name) => Some(format!("the target's {name}: {}", found(target.member(name)))),
                Part::Text(_) => None,
            });
            Some(held.into_iter().chain(members).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}

fn found(found: Found) -> String {
    match found {
        Found::Value(value) => python::text(&value),
        Found::Absent => "none".to_owned(),
        Found::Column(_) | Found::Unknown => "not known".to_owned(),
    }
}
