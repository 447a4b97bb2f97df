//! Telling agents that do not rely on versioned objects of what changes. In
//! Neutron: `AgentNotifierApi`, `SecurityGroupServerNotifierRpcMixin`.
//!
//! Each is a fanout, and only where a living agent listens.

use crate::agents::is_heard;
use crate::agents::topics::{
    BINDING_ACTIVATE, BINDING_DEACTIVATE, NETWORK_DELETE, NETWORK_UPDATE, PORT_DELETE, PORT_UPDATE,
    SECURITY_GROUP_UPDATE,
};
use crate::attribute::shown;
use crate::binding::Level;
use crate::document::{distinct, text, typed};
use crate::{networks, owners, ports, security_group_rules};
use hadron_sdk::events::{Event, Moment};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::Query;
use hadron_sdk::{Document, Result, resources, rpc};
use std::collections::BTreeSet;

/// Attributes of ports that those who plug them in have to know of, and what they
/// change with them. In Neutron: `need_port_update_notify`.
const OF_PORTS: [&str; 14] = [
    "mac_address",
    "fixed_ips",
    "admin_state_up",
    "status",
    "port_security_enabled",
    "security_groups",
    "allowed_address_pairs",
    "extra_dhcp_opts",
    "qos_policy_id",
    "binding:host_id",
    "binding:vnic_type",
    "binding:profile",
    "binding:vif_type",
    "binding_levels",
];

/// The same of networks. In Neutron: `need_network_update_notify`.
const OF_NETWORKS: [&str; 2] = ["mtu", "qos_policy_id"];

/// Rows were made, changed or removed.
pub(crate) fn heard(event: &Event) -> Result<()> {
    match (event.collection.as_str(), event.moment) {
        ("ports", Moment::AfterCreate) => members_updated(|| documents(event)),
        ("ports", Moment::AfterUpdate) => ports_updated(event),
        ("ports", Moment::AfterDelete) => {
            each(event, PORT_DELETE, "port_delete", "port_id")?;
            members_updated(|| documents(event))
        }
        (networks::COLLECTION, Moment::AfterUpdate) => networks_updated(event),
        (networks::COLLECTION, Moment::AfterDelete) => {
            each(event, NETWORK_DELETE, "network_delete", "network_id")
        }
        (security_group_rules::COLLECTION, Moment::AfterDelete) => rules_updated(|| documents(event)),
        _ => Ok(()),
    }
}

fn documents(event: &Event) -> Result<Vec<Document>> {
    Ok(event.documents.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>()?)
}

/// The ids of rows of which one of these attributes was asked to change.
fn concerned(event: &Event, attributes: &[&str]) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for (document, changes) in documents(event)?.iter().zip(&event.changes) {
        let changes: Document = serde_json::from_str(changes)?;
        if attributes.iter().any(|name| changes.contains_key(*name)) {
            ids.push(text(document, "id").to_owned());
        }
    }
    Ok(ids)
}

fn ports_updated(event: &Event) -> Result<()> {
    if !is_heard(PORT_UPDATE)? {
        return Ok(());
    }
    let ids = concerned(event, &OF_PORTS)?;
    let found: Vec<Document> = match ids.is_empty() {
        true => Vec::new(),
        false => resources::find("ports", &Query::all().any_of("id", ids))?,
    };
    let collection = ports::collection();
    for port in found {
        let levels: Vec<Level> = typed(&port, "binding_levels")?;
        let Some(bottom) = levels.last() else { continue };
        let segment = &bottom.segment;
        let told = json!({"port": shown(&collection, port), "network_type": segment.network_type,
            "segmentation_id": segment.segmentation_id, "physical_network": segment.physical_network});
        rpc::fanout(PORT_UPDATE, "port_update", &told)?;
    }
    Ok(())
}

fn networks_updated(event: &Event) -> Result<()> {
    if !is_heard(NETWORK_UPDATE)? {
        return Ok(());
    }
    let ids = concerned(event, &OF_NETWORKS)?;
    let found: Vec<Document> = match ids.is_empty() {
        true => Vec::new(),
        false => resources::find(networks::COLLECTION, &Query::all().any_of("id", ids))?,
    };
    let collection = networks::collection();
    for network in found {
        let told = json!({"network": shown(&collection, network)});
        rpc::to(NETWORK_UPDATE).version("1.4").fanout("network_update", &told)?;
    }
    Ok(())
}

/// Of each row its id.
fn each(event: &Event, topic: &str, method: &str, argument: &str) -> Result<()> {
    if !is_heard(topic)? {
        return Ok(());
    }
    documents(event)?
        .iter()
        .try_for_each(|document| rpc::fanout(topic, method, &json!({argument: text(document, "id")})))
}

/// Groups have further rules; of one that is new nobody has to hear.
pub(crate) fn rules_made(rules: &[Document]) -> Result<()> {
    rules_updated(|| Ok(rules.to_vec()))
}

/// Groups of these rules have others.
fn rules_updated(rules: impl FnOnce() -> Result<Vec<Document>>) -> Result<()> {
    if !is_heard(SECURITY_GROUP_UPDATE)? {
        return Ok(());
    }
    groups_updated("security_groups_rule_updated", &distinct(&rules()?, "security_group_id"))
}

/// A port is that now and was this: groups that it is in have other members, and
/// those that it left or joined. In Neutron:
/// `check_and_notify_security_group_member_changed`.
pub(crate) fn membership_changed(was: &Document, is: &Document) -> Result<()> {
    let differs = ["security_groups", "fixed_ips"].into_iter().any(|name| was.get(name) != is.get(name));
    if !differs {
        return Ok(());
    }
    members_updated(|| Ok(vec![was.clone(), is.clone()]))
}

/// Groups of these ports have other members.
fn members_updated(ports: impl FnOnce() -> Result<Vec<Document>>) -> Result<()> {
    if !is_heard(SECURITY_GROUP_UPDATE)? {
        return Ok(());
    }
    groups_updated("security_groups_member_updated", &groups_of(&ports()?)?)
}

/// The groups that ports are in. That of a DHCP agent is in none that matters.
fn groups_of(ports: &[Document]) -> Result<Vec<String>> {
    let mut groups = BTreeSet::new();
    for port in ports.iter().filter(|port| text(port, "device_owner") != owners::DHCP) {
        groups.extend(typed::<Vec<String>>(port, "security_groups")?);
    }
    Ok(groups.into_iter().collect())
}

fn groups_updated(method: &str, groups: &[String]) -> Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let told = json!({ "security_groups": groups });
    rpc::to(SECURITY_GROUP_UPDATE).version("1.1").fanout(method, &told)
}

/// A port is active at another host.
pub(crate) fn binding_moved(port: &Document, from: &str, to: &str) -> Result<()> {
    let id = text(port, "id");
    let told: [(&str, &str, Value); 2] = [
        (
            BINDING_DEACTIVATE,
            "binding_deactivate",
            json!({"port_id": id, "host": from, "network_id": text(port, "network_id")}),
        ),
        (BINDING_ACTIVATE, "binding_activate", json!({"port_id": id, "host": to})),
    ];
    for (topic, method, arguments) in told {
        if is_heard(topic)? {
            rpc::to(topic).version("1.5").fanout(method, &arguments)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_told_once_and_those_of_dhcp_ports_not() {
        let port = |owner: &str, groups: Value| {
            json!({"device_owner": owner, "security_groups": groups}).as_object().unwrap().clone()
        };
        let ports = [
            port("", json!(["b", "a"])),
            port("compute:x", json!(["a"])),
            port(owners::DHCP, json!(["c"])),
            port("", Value::Null),
        ];
        assert_eq!(groups_of(&ports).unwrap(), ["a", "b"]);
    }

    #[test]
    fn only_what_concerns_agents_is_looked_at() {
        let event = |changes: Value| Event {
            collection: "ports".to_owned(),
            moment: Moment::AfterUpdate,
            documents: vec![json!({"id": "P"}).to_string()],
            changes: vec![changes.to_string()],
        };
        assert_eq!(concerned(&event(json!({"name": "x"})), &OF_PORTS).unwrap(), [] as [&str; 0]);
        assert_eq!(concerned(&event(json!({"status": "DOWN"})), &OF_PORTS).unwrap(), ["P"]);
    }
}
