//! Every one of Neutron's default rules, for callers of every sort and targets
//! of every sort, against what Neutron's own enforcer answers (recorded by
//! `tests/api/data/neutron_enforcement.py`).

use super::{Policy, Said, read};
use hadron_runtime::Caller;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Table {
    callers: Vec<Asking>,
    targets: BTreeMap<String, Map<String, Value>>,
    standing: Vec<Standing>,
    /// Rules by answers: for each caller one for each target.
    answers: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Asking {
    name: String,
    roles: Vec<String>,
    project_id: String,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Standing {
    is_admin: bool,
    has_global_access: bool,
    can_set_project_id: bool,
}

fn data(name: &str) -> String {
    let path = format!("{}/../../tests/api/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_rule_answers_every_caller_about_every_target_as_neutron_does() {
    let table: Table = serde_json::from_str(&data("neutron-enforcement.json")).unwrap();
    let rules = read(&data("neutron-policy.yaml")).unwrap();
    let (policy, complaints) = Policy::new(std::iter::empty(), &rules);
    assert_eq!((complaints.refused, complaints.manifests), (Vec::new(), Vec::new()));
    let callers: Vec<Caller> = table
        .callers
        .iter()
        .map(|c| {
            let (roles, project_id) = (c.roles.clone(), c.project_id.clone());
            policy.settle(Caller { user_id: "u".to_owned(), roles, project_id, ..Caller::default() })
        })
        .collect();
    for (caller, standing) in callers.iter().zip(&table.standing) {
        let &Caller { is_admin, has_global_access, can_set_project_id, .. } = caller;
        assert_eq!(Standing { is_admin, has_global_access, can_set_project_id }, *standing, "{caller:?}");
    }
    let mut cells = 0;
    let mut wrong = Vec::new();
    for (answers, rules) in &table.answers {
        for rule in rules {
            assert!(policy.has(rule), "{rule}");
            let mut answers = answers.chars().map(|c| c == '1');
            for (caller, asking) in callers.iter().zip(&table.callers) {
                for (name, target) in &table.targets {
                    let ours = policy.reduce(rule, caller, &Said(target)).known();
                    if ours != answers.next() {
                        wrong.push(format!("{rule}: {} about {name}: {ours:?}", asking.name));
                    }
                    cells += 1;
                }
            }
            assert_eq!(answers.next(), None);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(cells, 418 * table.callers.len() * table.targets.len());
}
