//! Who enforces groups: agents beside those of routers and of Open vSwitch. What
//! is sent to them is made here and nowhere else. In Neutron:
//! `FirewallAgentDriver`.

use crate::groups::Group;
use crate::groups::status::Moved;
use crate::ports::{self, Port};
use crate::{defaults, policies, rules};
use hadron_sdk::serde_json::{Map, Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result, rpc};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};

/// As the service provider is called. In Neutron: `driver_name`.
pub(crate) const NAME: &str = "fwaas_db";

/// The topic of agents.
const TOPIC: &str = "firewall_agent";
/// Who sends; agents go by their own host.
const SENDER: &str = "hadron";
/// A port that is wired.
const ACTIVE: &str = "ACTIVE";

/// What became of a group.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Created(Moved),
    Updated(Moved),
}

/// Whether the agents filter what passes a machine's port. In Neutron:
/// `_is_supported_l2_port`, `is_supported_l2_port`.
pub(crate) fn supports(port: &Port) -> bool {
    let hybrid = port.vif_details.get("ovs_hybrid_plug").and_then(Value::as_bool).unwrap_or(false);
    port.vif_type.as_deref() == Some("ovs") && (port.port_security_enabled == Some(false) || !hybrid)
}

/// Tells agents what became of groups.
pub(crate) fn tell(groups: &[(&Group, Told)]) -> Result<()> {
    let moved = |told: &Told| match told {
        Told::Created(moved) | Told::Updated(moved) => moved.clone(),
    };
    let all: Vec<Moved> = groups.iter().map(|(_, told)| moved(told)).collect();
    let concerned = all.iter().flat_map(|moved| moved.added.iter().chain(&moved.removed));
    let ports = ports::find(concerned.map(String::as_str))?;
    let known = Known::load(groups.iter().map(|(group, _)| *group))?;
    for ((group, told), moved) in groups.iter().zip(&all) {
        if is_awaited(group, moved, &ports) {
            continue;
        }
        let mut rendered = known.render(group);
        rendered.insert("add-port-ids".to_owned(), json!(moved.added));
        rendered.insert("del-port-ids".to_owned(), json!(moved.removed));
        rendered.insert("port_details".to_owned(), details(moved, &ports));
        let method = match told {
            Told::Created(_) => "create_firewall_group",
            Told::Updated(_) => {
                rendered.insert("last-port".to_owned(), json!(moved.last));
                "update_firewall_group"
            }
        };
        rpc::to(TOPIC).fanout(method, &json!({"firewall_group": rendered, "host": SENDER}))?;
    }
    Ok(())
}

/// A port that joins a default group before it is wired: the agent that wires it
/// asks for its group.
fn is_awaited(group: &Group, moved: &Moved, ports: &HashMap<String, Port>) -> bool {
    let [port] = moved.added.as_slice() else { return false };
    let is_wired = ports.get(port).is_some_and(|port| port.status == ACTIVE);
    group.name == defaults::NAME && moved.removed.is_empty() && !is_wired
}

/// Of each port what agents need. In Neutron: `_get_fwg_port_details`.
fn details(moved: &Moved, ports: &HashMap<String, Port>) -> Value {
    let ids = moved.added.iter().chain(&moved.removed);
    let known = ids.filter_map(|id| ports.get(id).map(|port| (id.clone(), detail(port))));
    Value::Object(known.collect())
}

fn detail(port: &Port) -> Value {
    let mut detail = json!({
        "id": port.id, "device": port.id, "device_owner": port.device_owner, "network_id": port.network_id,
        "fixed_ips": port.fixed_ips, "allowed_address_pairs": port.allowed_address_pairs,
        "port_security_enabled": port.port_security_enabled.unwrap_or(true), "status": port.status,
    });
    if let (true, Some(detail)) = (port.is_of_machine(), detail.as_object_mut()) {
        detail.insert("host".to_owned(), json!(port.host));
    }
    detail
}

#[derive(Deserialize)]
struct Policy {
    id: String,
    firewall_rules: Vec<String>,
}

/// Policies and their rules, read at once.
pub(crate) struct Known {
    policies: HashMap<String, Vec<String>>,
    rules: HashMap<String, Document>,
}

impl Known {
    /// All that these groups enforce: two queries however many there are.
    pub(crate) fn load<'a>(groups: impl Iterator<Item = &'a Group>) -> Result<Known> {
        let ids: BTreeSet<&str> = groups.flat_map(|group| group.aim.policies()).collect();
        let policies: Vec<Policy> = match ids.is_empty() {
            true => Vec::new(),
            false => store::find(policies::COLLECTION, &Query::all().any_of("id", ids))?,
        };
        let ids: BTreeSet<&str> =
            policies.iter().flat_map(|policy| &policy.firewall_rules).map(String::as_str).collect();
        let rows: Vec<Document> = match ids.is_empty() {
            true => Vec::new(),
            false => store::find(rules::COLLECTION, &Query::all().any_of("id", ids))?,
        };
        let rules = rows.into_iter().map(|row| (crate::text(&row, "id").to_owned(), rule(row)));
        let rules = rules.collect();
        let policies = policies.into_iter().map(|policy| (policy.id, policy.firewall_rules)).collect();
        Ok(Known { policies, rules })
    }

    fn rules(&self, policy: Option<&String>) -> Vec<&Document> {
        let ids = policy.and_then(|id| self.policies.get(id));
        ids.into_iter().flatten().filter_map(|id| self.rules.get(id)).collect()
    }

    /// A group as agents know it: with its rules. In Neutron:
    /// `make_firewall_group_dict_with_rules`.
    pub(crate) fn render(&self, group: &Group) -> Map<String, Value> {
        let aim = &group.aim;
        let rendered = json!({
            "id": group.id, "project_id": group.project_id, "tenant_id": group.project_id,
            "name": group.name, "description": group.description, "status": group.status,
            "shared": group.shared, "admin_state_up": aim.admin_state_up, "ports": aim.ports,
            "ingress_firewall_policy_id": aim.ingress_firewall_policy_id,
            "egress_firewall_policy_id": aim.egress_firewall_policy_id,
            "ingress_rule_list": self.rules(aim.ingress_firewall_policy_id.as_ref()),
            "egress_rule_list": self.rules(aim.egress_firewall_policy_id.as_ref()),
        });
        if let Value::Object(rendered) = rendered { rendered } else { Map::new() }
    }
}

/// A rule as agents know it.
fn rule(mut row: Document) -> Document {
    row.shift_remove("position");
    row.insert(rules::POLICIES.to_owned(), Value::Null);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(more: Value) -> Port {
        hadron_sdk::serde_json::from_value(more).unwrap()
    }

    #[test]
    fn agents_filter_at_ports_of_open_vswitch_without_a_bridge_between() {
        let hybrid = json!({"ovs_hybrid_plug": true});
        assert!(supports(&port(json!({"binding:vif_type": "ovs"}))));
        assert!(!supports(&port(json!({"binding:vif_type": "vhostuser"}))));
        assert!(!supports(&port(json!({"binding:vif_type": "ovs", "binding:vif_details": hybrid}))));
        let unfiltered = json!({"binding:vif_type": "ovs", "binding:vif_details": hybrid,
            "port_security_enabled": false});
        assert!(supports(&port(unfiltered)));
    }

    #[test]
    fn hosts_are_told_of_machines() {
        let of =
            |owner: &str| detail(&port(json!({"id": "p", "device_owner": owner, "binding:host_id": "h"})));
        assert_eq!(of("compute:x")["host"], "h");
        assert_eq!(of("network:router_interface").get("host"), None);
        assert_eq!(of("compute:x")["port_security_enabled"], true);
    }

    #[test]
    fn a_default_groups_port_that_is_not_wired_is_asked_for() {
        let group = |name: &str| -> Group {
            let group = json!({"id": "g", "project_id": "x", "name": name, "shared": false,
                "admin_state_up": true, "ports": ["p"]});
            hadron_sdk::serde_json::from_value(group).unwrap()
        };
        let ports =
            |status: &str| HashMap::from([("p".to_owned(), port(json!({"id": "p", "status": status})))]);
        let moved = Moved { added: vec!["p".to_owned()], ..Moved::default() };
        assert!(is_awaited(&group("default"), &moved, &ports("DOWN")));
        assert!(!is_awaited(&group("default"), &moved, &ports("ACTIVE")));
        assert!(!is_awaited(&group("web"), &moved, &ports("DOWN")));
        let both = Moved { removed: vec!["q".to_owned()], ..moved };
        assert!(!is_awaited(&group("default"), &both, &ports("DOWN")));
    }
}
