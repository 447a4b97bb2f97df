//! Rules, rows and callers at random: what is found step by step from partial
//! knowledge must be what plain evaluation finds at once. `PROPTEST_CASES` says
//! how many are tried.

use super::credentials::credential;
use super::parse::{self, Check, Part, Side, Wanted};
use super::{Found, Parents, Policy, Residual, Target, Unread, Whole};
use crate::python;
use crate::tables::Tables;
use crate::tables::tests::tables;
use hadron_runtime::Caller;
use hadron_store::{Predicate, Row};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// A row of gadgets, and the shelf it refers to.
#[derive(Clone, Debug)]
struct World {
    gadget: Map<String, Value>,
    shelf: Option<Map<String, Value>>,
}

impl World {
    fn row(&self) -> Row {
        let mut document = self.gadget.clone();
        let project_id = document.remove("project_id").and_then(|p| p.as_str().map(str::to_owned));
        Row {
            id: "g1".into(),
            project_id,
            revision: 0,
            created_at: "2026-01-31T12:00:00Z".into(),
            updated_at: "2026-01-31T12:00:00Z".into(),
            document: Value::from(document).to_string(),
            extensions: Vec::new(),
            derived: Vec::new(),
        }
    }

    /// The member as a rule names it.
    fn member(&self, name: &str) -> Option<&Value> {
        let name = name.strip_prefix("target.").unwrap_or(name);
        match name.split_once(':') {
            Some(("shelf", attribute)) if self.gadget["shelf_id"].is_string() => {
                self.shelf.as_ref()?.get(attribute)
            }
            Some(("shelf", _)) => None,
            _ => self.gadget.get(name),
        }
    }
}

/// What oslo.policy would answer, knowing everything.
fn plain(policy: &Policy, check: &Check, caller: &Caller, world: &World) -> bool {
    let text = |parts: &[Part]| {
        let pieces = parts.iter().map(|part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Member(name) => world.member(name).map(python::text),
        });
        pieces.collect::<Option<String>>()
    };
    match check {
        Check::Constant(answer) => *answer,
        Check::Not(inner) => !plain(policy, inner, caller, world),
        Check::All(parts) => parts.iter().all(|p| plain(policy, p, caller, world)),
        Check::Any(parts) => parts.iter().any(|p| plain(policy, p, caller, world)),
        Check::Role(parts) => text(parts).is_some_and(|role| caller.roles.contains(&role)),
        Check::Rule(name) => policy.named(name).is_some_and(|c| plain(policy, c, caller, world)),
        Check::Field { collection, attribute, wanted } => {
            let value = match collection.as_str() {
                "shelves" => world.member(&format!("shelf:{attribute}")),
                _ => world.member(attribute),
            };
            match (value, wanted) {
                (None | Some(Value::Null), _) => false,
                (Some(Value::Bool(is)), Wanted::Is(text)) => text.eq_ignore_ascii_case(&is.to_string()),
                (Some(value), Wanted::Is(text)) => python::text(value) == *text,
                (Some(Value::String(value)), Wanted::Fits(pattern)) => pattern.fits(value),
                (Some(_), Wanted::Fits(_)) => false,
            }
        }
        Check::Equal(side, parts) => {
            let held = match side {
                Side::Literal(text) => vec![text.as_str()],
                Side::Credential(path) => credential(caller, path).unwrap_or_default(),
            };
            text(parts).is_some_and(|text| held.contains(&text.as_str()))
        }
    }
}

/// What the database would answer.
fn holds(predicate: &Predicate, row: &Map<String, Value>, shelf: Option<&Map<String, Value>>) -> bool {
    let value = |name: &str| row.get(name).unwrap_or(&Value::Null);
    match predicate {
        Predicate::All(parts) => parts.iter().all(|p| holds(p, row, shelf)),
        Predicate::Any(parts) => parts.iter().any(|p| holds(p, row, shelf)),
        Predicate::Not(inner) => !holds(inner, row, shelf),
        Predicate::In(name, values) => values.contains(value(name)),
        Predicate::StartsWith(name, start) => value(name).as_str().is_some_and(|v| v.starts_with(start)),
        Predicate::Referred(reference, condition) => {
            value(reference).is_string() && shelf.is_some_and(|shelf| holds(condition, shelf, None))
        }
        other => panic!("{other:?}"),
    }
}

/// Everything about a world but some members.
struct Veiled<'a> {
    world: &'a World,
    unknown: &'a HashSet<&'static str>,
}

impl Target for Veiled<'_> {
    fn member(&self, name: &str) -> Found {
        match self.unknown.contains(name.split(':').next().unwrap_or_default()) {
            true => Found::Unknown,
            false => self.world.member(name).cloned().map_or(Found::Absent, Found::Value),
        }
    }

    fn field(&self, collection: &str, attribute: &str) -> Found {
        match collection {
            "shelves" => self.member(&format!("shelf:{attribute}")),
            _ => self.member(attribute),
        }
    }
}

fn rule() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "role:member",
        "role:admin",
        "role:%(status)s",
        "project_id:%(project_id)s",
        "project_id:%(target.project_id)s",
        "project_id:%(shelf:project_id)s",
        "user_id:%(status)s",
        "is_admin:True",
        "system_scope:all",
        "'x':%(name)s",
        "'a-x':a-%(name)s",
        "None:%(level)s",
        "5:%(level)s",
        "True:%(shared)s",
        "'1':%(shared)s",
        "colour:%(name)s",
        "'x':%(nosuch)s",
        "field:gadgets:shared=True",
        "field:gadgets:shared=false",
        "field:gadgets:name=x",
        "field:gadgets:level=5",
        "field:gadgets:name=~^(net|nat):",
        "field:shelves:floor=x",
        "rule:below",
        "rule:nosuch",
        "@",
        "!",
    ])
    .prop_map(str::to_owned);
    atom.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|rule| format!("not {rule}")),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|r| format!("({})", r.join(" and "))),
            prop::collection::vec(inner, 1..4).prop_map(|r| format!("({})", r.join(" or "))),
        ]
    })
}

fn world() -> impl Strategy<Value = World> {
    let project = || prop::sample::select(vec![json!("p1"), json!("p2"), json!(null)]);
    let name =
        || prop::sample::select(vec![json!("x"), json!("y"), json!("net:1"), json!("None"), json!(null)]);
    let shelf = prop::option::of((project(), name()));
    let level = prop::sample::select(vec![json!(5), json!(6), json!(null)]);
    let status = prop::sample::select(vec![json!("member"), json!("u1"), json!("True")]);
    (project(), name(), level, any::<bool>(), status, shelf, any::<bool>()).prop_map(
        |(project, name, level, shared, status, shelf, refers)| {
            let object = |value: Value| value.as_object().cloned().unwrap_or_default();
            let shelf_id = (refers && shelf.is_some()).then_some("s1");
            World {
                gadget: object(json!({"id": "g1", "project_id": project, "name": name, "level": level,
                    "shared": shared, "status": status, "shelf_id": shelf_id})),
                shelf: shelf.map(|(project, name)| object(json!({"project_id": project, "floor": name}))),
            }
        },
    )
}

fn caller() -> impl Strategy<Value = Caller> {
    let roles = prop::sample::subsequence(vec!["admin", "member", "reader"], 0..3);
    let project = prop::sample::select(vec!["p1", "p2", ""]);
    (roles, project, any::<bool>()).prop_map(|(roles, project, system)| Caller {
        user_id: "u1".to_owned(),
        project_id: project.to_owned(),
        roles: roles.into_iter().map(str::to_owned).collect(),
        system_scope: if system { "all".to_owned() } else { String::new() },
        ..Caller::default()
    })
}

fn policy(rule: &str, below: &str) -> Policy {
    let rules = [("r", rule), ("below", below)];
    Policy::new(rules.iter().map(|(name, rule)| ("workshop", *name, *rule)), &[]).0
}

/// Of a row that is read, with the rows it refers to fetched as asked for.
fn of_row(policy: &Policy, tables: &Tables, caller: &Caller, world: &World) -> Option<bool> {
    let gadgets = tables.at("gadgets").unwrap();
    let row = world.row();
    let mut parents = Parents::default();
    loop {
        let target = Whole::row(gadgets, &row, None, &parents);
        let answer = policy.reduce("r", caller, &target).known();
        let wanted = target.wanted();
        if answer.is_some() || wanted.is_empty() {
            return answer;
        }
        for one in wanted {
            parents.keep(&one, world.shelf.clone());
        }
    }
}

proptest! {
    #[test]
    fn lists_shows_and_plain_evaluation_agree(
        rule in rule(), below in rule(), world in world(), caller in caller(),
    ) {
        let tables = tables();
        // A rule that names itself allows nobody; that is tested elsewhere.
        let policy = policy(&rule, &below.replace("rule:below", "@"));
        let caller = policy.settle(caller);
        let check = parse::parse(&rule).unwrap();
        let right = plain(&policy, &check, &caller, &world);
        prop_assert_eq!(of_row(&policy, &tables, &caller, &world), Some(right), "a row");
        let residual = policy.reduce("r", &caller, &Unread(tables.at("gadgets").unwrap()));
        // A text made of several members is no condition: such rows are not listed.
        if residual.is_partial() {
            prop_assert!(!holds(&residual.predicate(), &world.gadget, world.shelf.as_ref()) || right);
        } else {
            let found = holds(&residual.clone().predicate(), &world.gadget, world.shelf.as_ref());
            prop_assert_eq!(found, right, "{:?}", residual);
        }
    }

    #[test]
    fn what_is_known_early_stays_so(
        rule in rule(), world in world(), caller in caller(),
        unknown in prop::sample::subsequence(vec!["project_id", "shelf", "name", "level", "shared", "status"], 0..6),
    ) {
        let policy = policy(&rule, "!");
        let caller = policy.settle(caller);
        let unknown: HashSet<&'static str> = unknown.into_iter().collect();
        let target = Veiled { world: &world, unknown: &unknown };
        let check = parse::parse(&rule).unwrap();
        match policy.reduce("r", &caller, &target) {
            Residual::Known(answer) => prop_assert_eq!(answer, plain(&policy, &check, &caller, &world)),
            other => prop_assert!(!unknown.is_empty(), "{:?}", other),
        }
    }

    #[test]
    fn a_rule_in_normal_form_is_the_same_rule(rule in rule(), world in world(), caller in caller()) {
        let check = parse::parse(&rule).unwrap();
        let again = parse::parse(&check.to_string()).unwrap();
        prop_assert_eq!(again.to_string(), check.to_string());
        let policy = policy(&rule, "!");
        prop_assert_eq!(plain(&policy, &check, &caller, &world), plain(&policy, &again, &caller, &world));
    }
}
