//! Who may do what: oslo.policy's rules.
//!
//! Rules come from the manifests. A rule nobody declared falls back to
//! `default`, and where there is no `default` either, to administrators and the
//! row's own project.

mod parse;
mod reduce;
mod target;

pub(crate) use reduce::{Found, Residual, Target};
pub(crate) use target::{Parents, Unread, Wanted, Whole};

use hadron_runtime::Caller;
use parse::{Check, Part, Side};
use std::collections::HashMap;

/// The rules of a set of plugins.
pub(crate) struct Policy {
    rules: HashMap<String, Check>,
    default: Check,
}

impl Policy {
    /// Reads the rules. Of two rules of one name the first counts: a plugin
    /// that is loaded later cannot loosen the rules of one before it. A rule
    /// that cannot be read allows nobody. The sentences are for the log.
    pub(crate) fn new<'a>(rules: impl Iterator<Item = (&'a str, &'a str)>) -> (Policy, Vec<String>) {
        let mut complaints = Vec::new();
        let mut read: HashMap<String, Check> = HashMap::new();
        for (name, text) in rules {
            let check = parse::parse(text).unwrap_or_else(|problem| {
                complaints.push(format!("policy rule '{name}' allows nobody: {problem}"));
                Check::Constant(false)
            });
            match read.get(name) {
                None => drop(read.insert(name.to_owned(), check)),
                Some(first) if *first == check => {}
                Some(_) => complaints
                    .push(format!("policy rule '{name}' is declared twice, differently; the first counts")),
            }
        }
        let default = read.get("default").cloned().unwrap_or_else(|| {
            let owner = vec![Part::Member("project_id".to_owned())];
            Check::Any(vec![
                Check::Equal(Side::Credential("is_admin".to_owned()), vec![Part::Text("True".to_owned())]),
                Check::Equal(Side::Credential("project_id".to_owned()), owner),
            ])
        });
        (Policy { rules: read, default }, complaints)
    }

    /// Whether there is a rule of that very name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.rules.contains_key(name)
    }

    /// What remains of the rule for this caller and target.
    pub(crate) fn reduce(&self, name: &str, caller: &Caller, target: &dyn Target) -> Residual {
        let check = self.rules.get(name).unwrap_or(&self.default);
        reduce::reduce(self, check, caller, target, 0)
    }

    /// The rule another rule names: as oslo.policy has it, an unknown one is
    /// `default`, but only where `default` was declared.
    fn rule(&self, name: &str) -> Option<&Check> {
        self.rules.get(name).or_else(|| self.rules.get("default"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_manifest::Column;
    use hadron_store::Predicate;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    struct Row(Value);
    impl Target for Row {
        fn member(&self, name: &str) -> Found {
            if name.starts_with("parent:") {
                return Found::Unknown;
            }
            self.0.get(name).cloned().map_or(Found::Absent, Found::Value)
        }
        fn field(&self, _: &str, attribute: &str) -> Found {
            self.member(attribute)
        }
    }

    struct Unread;
    impl Target for Unread {
        fn member(&self, name: &str) -> Found {
            match name {
                "project_id" => Found::Column(name.to_owned(), Column::Text),
                "shared" => Found::Column(name.to_owned(), Column::Boolean),
                name if name.starts_with("parent:") => Found::Unknown,
                _ => Found::Absent,
            }
        }
        fn field(&self, _: &str, attribute: &str) -> Found {
            self.member(attribute)
        }
    }

    fn policy(rules: &[(&str, &str)]) -> Policy {
        let (policy, complaints) = Policy::new(rules.iter().copied());
        assert_eq!(complaints, Vec::<String>::new());
        policy
    }

    fn member() -> Caller {
        Caller {
            project_id: "p1".to_owned(),
            roles: vec!["member".to_owned(), "reader".to_owned()],
            ..Caller::default()
        }
    }

    fn admin() -> Caller {
        Caller {
            project_id: "p9".to_owned(),
            roles: vec!["admin".to_owned()],
            is_admin: true,
            ..Caller::default()
        }
    }

    const GADGETS: &[(&str, &str)] = &[
        ("context_is_admin", "role:admin"),
        ("admin_only", "rule:context_is_admin"),
        ("shared", "field:gadgets:shared=True"),
        ("create_gadget", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
        ("get_gadget", "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared"),
        ("delete_gadget", "rule:admin_only or not project_id:%(parent:project_id)s"),
        ("circle", "rule:circle"),
    ];

    #[test]
    fn given_a_row_the_answer_is_yes_or_no() {
        let policy = policy(GADGETS);
        let own = Row(json!({"project_id": "p1"}));
        let others = Row(json!({"project_id": "p2", "shared": false}));
        let shared = Row(json!({"project_id": "p2", "shared": true}));
        assert_eq!(policy.reduce("create_gadget", &member(), &own).known(), Some(true));
        assert_eq!(policy.reduce("create_gadget", &member(), &others).known(), Some(false));
        assert_eq!(policy.reduce("create_gadget", &admin(), &others).known(), Some(true));
        assert_eq!(policy.reduce("get_gadget", &member(), &others).known(), Some(false));
        assert_eq!(policy.reduce("get_gadget", &member(), &shared).known(), Some(true));
        assert_eq!(policy.reduce("circle", &admin(), &own).known(), Some(false));
    }

    #[test]
    fn before_rows_are_read_what_remains_is_a_condition() {
        let policy = policy(GADGETS);
        assert_eq!(policy.reduce("get_gadget", &admin(), &Unread), Residual::Known(true));
        assert_eq!(
            policy.reduce("get_gadget", &member(), &Unread).predicate(),
            Predicate::Any(vec![
                Predicate::equal("project_id", "p1"),
                Predicate::In("shared".to_owned(), vec![Value::Bool(true)]),
            ])
        );
        assert_eq!(policy.reduce("admin_only", &member(), &Unread).predicate(), Predicate::never());
    }

    #[test]
    fn what_is_unknown_allows_nothing_even_when_negated() {
        let policy = policy(GADGETS);
        let residual = policy.reduce("delete_gadget", &member(), &Unread);
        assert!(residual.is_partial());
        assert_eq!(residual.predicate(), Predicate::Not(Box::new(Predicate::always())));
        assert_eq!(policy.reduce("delete_gadget", &member(), &Row(json!({}))).known(), None);
    }

    #[test]
    fn without_any_rule_administrators_and_the_own_project_remain() {
        let policy = policy(&[]);
        assert_eq!(policy.reduce("get_gadget", &admin(), &Unread), Residual::Known(true));
        assert_eq!(
            policy.reduce("get_gadget", &member(), &Unread).predicate(),
            Predicate::equal("project_id", "p1")
        );
    }

    #[test]
    fn a_rule_without_declaration_is_the_default_rule() {
        let policy = policy(&[("default", "role:reader")]);
        assert_eq!(policy.reduce("nosuch", &member(), &Unread), Residual::Known(true));
    }

    #[test]
    fn a_later_plugin_cannot_loosen_an_earlier_rule_and_nonsense_denies() {
        let (policy, complaints) =
            Policy::new([("a", "role:admin"), ("a", "@"), ("b", "nonsense")].into_iter());
        assert_eq!(complaints.len(), 2);
        assert_eq!(policy.reduce("a", &member(), &Unread), Residual::Known(false));
        assert_eq!(policy.reduce("b", &admin(), &Unread), Residual::Known(false));
    }

    proptest! {
        /// What the database would answer with the condition is what evaluation
        /// of the row answers: for a rule made at random of the checks there are.
        #[test]
        fn the_condition_fits_a_row_exactly_when_the_rule_allows_it(
            words in prop::collection::vec(0usize..6, 1..6),
            joins in prop::collection::vec(any::<bool>(), 6),
            negate in prop::collection::vec(any::<bool>(), 6),
            project in prop::sample::select(vec!["p1", "p2"]),
            shared in any::<bool>(),
        ) {
            let atoms = ["role:admin", "role:member", "project_id:%(project_id)s", "field:gadgets:shared=True",
                "@", "is_admin:True"];
            let mut rule = String::new();
            for (i, word) in words.iter().enumerate() {
                if i > 0 { rule.push_str(if joins[i] { " and " } else { " or " }); }
                if negate[i] { rule.push_str("not "); }
                rule.push_str(atoms[*word]);
            }
            let policy = policy(&[("r", &rule)]);
            let row = json!({"project_id": project, "shared": shared});
            let direct = policy.reduce("r", &member(), &Row(row.clone())).known().unwrap();
            let predicate = policy.reduce("r", &member(), &Unread).predicate();
            prop_assert_eq!(holds(&predicate, &row), direct);
        }
    }

    fn holds(predicate: &Predicate, row: &Value) -> bool {
        match predicate {
            Predicate::All(parts) => parts.iter().all(|p| holds(p, row)),
            Predicate::Any(parts) => parts.iter().any(|p| holds(p, row)),
            Predicate::Not(inner) => !holds(inner, row),
            Predicate::In(name, values) => values.contains(&row[name]),
            other => panic!("{other:?}"),
        }
    }
}
