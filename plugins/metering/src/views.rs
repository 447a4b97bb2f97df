//! Routers with their labels, as agents are given them. In Neutron:
//! `_process_sync_metering_data`, `get_sync_data_for_rule`.

use crate::labels::Label;
use crate::routers::Router;
use crate::rules::Rule;
use hadron_sdk::Result;
use hadron_sdk::serde_json::{self, Value, json};

/// The member with the labels of a router. In Neutron: `METERING_LABEL_KEY`.
const LABELS: &str = "_metering_labels";

/// Routers that are up, each with those of these labels that it is counted under;
/// one that is counted under none is left out.
pub(crate) fn counted(routers: &[Router], labels: &[Label], rules: &[Rule]) -> Result<Vec<Value>> {
    let mut counted = Vec::new();
    for router in routers.iter().filter(|router| router.admin_state_up) {
        let labels: Vec<Value> = labels
            .iter()
            .filter(|label| label.counts(&router.project_id))
            .map(|label| {
                let rules: Vec<&Rule> =
                    rules.iter().filter(|rule| rule.metering_label_id == label.id).collect();
                json!({"id": label.id, "name": label.name, "shared": label.shared, "rules": rules})
            })
            .collect();
        if !labels.is_empty() {
            counted.push(with(router, labels)?);
        }
    }
    Ok(counted)
}

/// Routers, each with one rule of a label.
pub(crate) fn ruled(routers: &[Router], rule: &Rule) -> Result<Vec<Value>> {
    let label = json!({"id": rule.metering_label_id, "rule": rule});
    routers.iter().map(|router| with(router, vec![label.clone()])).collect()
}

fn with(router: &Router, labels: Vec<Value>) -> Result<Value> {
    let mut view = serde_json::to_value(router)?;
    if let Some(view) = view.as_object_mut() {
        view.insert(LABELS.to_owned(), Value::Array(labels));
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(id: &str, project: &str, more: &Value) -> Router {
        let mut said = json!({"id": id, "project_id": project, "admin_state_up": true});
        if let (Some(said), Some(more)) = (said.as_object_mut(), more.as_object()) {
            said.extend(more.clone());
        }
        serde_json::from_value(said).unwrap()
    }

    fn label(id: &str, project: &str, shared: bool) -> Label {
        serde_json::from_value(json!({"id": id, "project_id": project, "name": "", "shared": shared}))
            .unwrap()
    }

    fn rule(id: &str, label: &str) -> Rule {
        serde_json::from_value(json!({
            "id": id, "metering_label_id": label, "direction": "ingress", "excluded": false,
            "remote_ip_prefix": null, "source_ip_prefix": "10.0.0.0/8", "destination_ip_prefix": null,
        }))
        .unwrap()
    }

    #[test]
    fn routers_are_counted_under_shared_labels_and_those_of_their_project() {
        let routers = [
            router("r1", "p1", &json!({"gw_port_id": "g", "distributed": null, "name": "r", "x": 1})),
            router("r2", "p2", &json!({})),
            router("r3", "p1", &json!({"admin_state_up": false})),
        ];
        let labels = [label("l1", "p1", false), label("l2", "p3", true), label("l3", "p3", false)];
        let counted = counted(&routers, &labels, &[rule("a", "l1"), rule("b", "l3")]).unwrap();
        let ids = |view: &Value| -> Vec<String> {
            let labels = view[LABELS].as_array().unwrap();
            labels.iter().map(|label| label["id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(counted.len(), 2);
        assert_eq!((&counted[0]["id"], ids(&counted[0])), (&json!("r1"), vec!["l1".into(), "l2".into()]));
        assert_eq!((&counted[1]["id"], ids(&counted[1])), (&json!("r2"), vec!["l2".into()]));
        assert_eq!(counted[0][LABELS][0]["rules"], json!([rule("a", "l1")]));
        let mut plain = counted[0].clone();
        plain.as_object_mut().unwrap().remove(LABELS);
        let expected = json!({
            "id": "r1", "project_id": "p1", "name": "r", "admin_state_up": true, "status": "",
            "gw_port_id": "g", "distributed": false,
        });
        assert_eq!(plain, expected);
        assert!(super::counted(&routers, &[], &[]).unwrap().is_empty());
    }

    #[test]
    fn a_rule_is_told_of_alone() {
        let views = ruled(&[router("r1", "p1", &json!({}))], &rule("a", "l1")).unwrap();
        assert_eq!(views[0][LABELS], json!([{"id": "l1", "rule": rule("a", "l1")}]));
    }
}
