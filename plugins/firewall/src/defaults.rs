//! What a project has from the first: a group with a policy for each direction,
//! by which everything may go out and nothing come in. In Neutron:
//! `_ensure_default_firewall_group`.

use crate::groups::{self, DEFAULT_OF, status};
use crate::{policies, rules, text};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result, random};

/// The name of default groups, which no other group can have.
/// In Neutron: `DEFAULT_FWG`.
pub(crate) const NAME: &str = "default";

/// The id of a project's default group, which is made where it is missing.
pub(crate) fn ensure(project: &str) -> Result<String> {
    let found: Vec<Document> = store::find(groups::COLLECTION, &Query::all().equal(DEFAULT_OF, project))?;
    match found.first() {
        Some(group) => Ok(text(group, "id").to_owned()),
        None => make(project),
    }
}

/// A direction, what its default policy is called, and what its rules do.
struct Direction {
    name: &'static str,
    title: &'static str,
    policy: &'static str,
    action: &'static str,
}

const DIRECTIONS: [Direction; 2] = [
    Direction { name: "ingress", title: "Ingress", policy: policies::DEFAULT_INGRESS, action: "deny" },
    Direction { name: "egress", title: "Egress", policy: policies::DEFAULT_EGRESS, action: "allow" },
];

fn make(project: &str) -> Result<String> {
    let id = random::uuid();
    let mut group = json!({
        "id": id, "project_id": project, "name": NAME, "description": "Default firewall group",
        "admin_state_up": true, "status": status::INACTIVE, "shared": false, "ports": [], DEFAULT_OF: project,
    });
    let (mut all_rules, mut all_policies) = (Vec::new(), Vec::new());
    for (direction, attribute) in DIRECTIONS.iter().zip(groups::POLICIES) {
        let rules = [4, 6].map(|version| rule(project, direction, version));
        let policy = random::uuid();
        let ids: Vec<&Value> = rules.iter().filter_map(|rule| rule.get("id")).collect();
        all_policies.push(json!({
            "id": policy, "project_id": project, "name": direction.policy, "audited": false, "shared": false,
            "description": format!("{} firewall policy", direction.title), policies::RULES: ids,
        }));
        all_rules.extend(rules);
        if let Some(group) = group.as_object_mut() {
            group.insert(attribute.to_owned(), Value::from(policy));
        }
    }
    store::insert(rules::COLLECTION, &all_rules)?;
    store::insert(policies::COLLECTION, &all_policies)?;
    store::insert(groups::COLLECTION, &[group])?;
    Ok(id)
}

fn rule(project: &str, direction: &Direction, version: u8) -> Value {
    let Direction { name, action, .. } = direction;
    json!({
        "id": random::uuid(), "project_id": project, "name": format!("default {name} ipv{version}"),
        "description": format!("default {name} rule for IPv{version}"), "shared": false, "protocol": null,
        "ip_version": version, "source_ip_address": null, "destination_ip_address": null,
        "source_port": null, "destination_port": null, "action": action, "enabled": true,
    })
}
