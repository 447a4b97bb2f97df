//! What the plugin tells the host about itself.

use crate::groups::{self, DEFAULT_OF};
use crate::{agents, policies, ports, rules};
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{
    Action, ApiExtension, Attribute, Called, Collection, Computed, Key, ListTable, ListTableColumn, Quota,
    Reference, Refusal, Requests, ResourceRequest, Standard, Tags, Validator, Verb,
};
use hadron_sdk::serde_json::{Value, json};
use std::collections::BTreeMap;

const READERS: &str = "(rule:admin_only) or (role:reader and project_id:%(project_id)s)";
const MEMBERS: &str = "(rule:admin_only) or (role:member and project_id:%(project_id)s)";

/// Neutron's rules.
fn policy() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (member, collection) in [
        ("firewall_group", groups::COLLECTION),
        ("firewall_policy", policies::COLLECTION),
        ("firewall_rule", rules::COLLECTION),
    ] {
        all.insert(format!("shared_{collection}"), format!("field:{collection}:shared=True"));
        all.insert(format!("get_{member}"), format!("{READERS} or rule:shared_{collection}"));
        for verb in ["create", "update", "delete"] {
            all.insert(format!("{verb}_{member}"), MEMBERS.to_owned());
            all.insert(format!("{verb}_{member}:shared"), "rule:admin_only".to_owned());
        }
    }
    all
}

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        collections: vec![group(), firewall_policy(), rule()],
        extensions: vec![ApiExtension {
            name: "FWaaS v2".to_owned(),
            alias: "fwaas_v2".to_owned(),
            description: "Provides support for firewall-as-a-service version 2".to_owned(),
            updated: "2016-10-06T10:00:00-00:00".to_owned(),
        }],
        policy: policy(),
        events: vec![ports::subscription()],
        topics: vec![agents::topic()],
        requests: Requests {
            resources: vec![ResourceRequest {
                collection: ports::COLLECTION.to_owned(),
                verbs: vec![Verb::Get],
            }],
            // Whoever changes a policy need not see all ports that it applies to.
            system: true,
            ..Requests::default()
        },
        ..hadron_sdk::manifest!("firewall", "groups of ports, and policies of rules for what passes them")
    }
}

/// A collection that Neutron calls the same in URLs, with `_`.
fn collection(name: &str, member: &str, quota: i64, attributes: Vec<Attribute>) -> Collection {
    let text = |name: &str| given(name, Validator::String { max: Some(255) }, json!(""));
    let shared = Attribute { enforce: true, ..given("shared", Validator::Boolean, json!(false)) };
    // Each says something about the row, so the plugin is asked about all of them.
    let common = [text("name"), text("description"), shared];
    Collection {
        name: name.to_owned(),
        member: member.to_owned(),
        called: Some(Called { collection: name.to_owned(), member: member.to_owned() }),
        path_prefix: "fwaas".to_owned(),
        attributes: common.into_iter().chain(attributes).collect(),
        quota: Some(Quota { default: quota }),
        standard: Standard { tags: Tags::None, ..Standard::default() },
        first_use: true,
        ..Collection::default()
    }
}

fn shown(name: &str, validate: Validator) -> Attribute {
    Attribute { name: name.to_owned(), validate, filter: true, ..Attribute::default() }
}

fn given(name: &str, validate: Validator, default: Value) -> Attribute {
    Attribute { post: true, put: true, default: Some(default), ..shown(name, validate) }
}

/// Given or null.
fn optional(name: &str, validate: Validator) -> Attribute {
    Attribute { post: true, put: true, nullable: true, ..shown(name, validate) }
}

/// Ids of rows of another collection.
fn ids(name: &str, of: &str, keys: Vec<Vec<String>>) -> Attribute {
    let column = ListTableColumn { name: "value".to_owned(), references: Some(of.to_owned()), filter: true };
    let validate = Validator::List { items: Box::new(Validator::Uuid), unique: true };
    Attribute {
        nullable: true,
        list: Some(ListTable { columns: vec![column], keys }),
        ..given(name, validate, json!([]))
    }
}

fn group() -> Collection {
    let own = vec![
        given("admin_state_up", Validator::Boolean, json!(true)),
        shown("status", Validator::String { max: Some(16) }),
        ids(groups::PORTS, ports::COLLECTION, vec![vec!["value".to_owned()]]),
        Attribute {
            name: DEFAULT_OF.to_owned(),
            validate: Validator::String { max: None },
            nullable: true,
            hidden: true,
            ..Attribute::default()
        },
    ];
    let policy = |name: &str| optional(name, Validator::Uuid);
    let attributes = own.into_iter().chain(groups::POLICIES.map(policy)).collect();
    Collection {
        keys: vec![Key { name: DEFAULT_OF.to_owned(), attributes: vec![DEFAULT_OF.to_owned()] }],
        references: groups::POLICIES.map(reference).to_vec(),
        ..collection(groups::COLLECTION, "firewall_group", 10, attributes)
    }
}

/// A policy that a group has stays.
fn reference(attribute: &str) -> Reference {
    Reference {
        attribute: attribute.to_owned(),
        collection: policies::COLLECTION.to_owned(),
        refusal: Some(Refusal {
            error: "FirewallPolicyInUse".to_owned(),
            message: "Firewall policy {id} is being used.".to_owned(),
        }),
        ..Reference::default()
    }
}

fn firewall_policy() -> Collection {
    let action = |name: &str| Action { name: name.to_owned(), verb: Verb::Update, path: None, takes: None };
    let attributes = vec![
        given("audited", Validator::Boolean, json!(false)),
        ids(policies::RULES, rules::COLLECTION, Vec::new()),
    ];
    Collection {
        actions: vec![action(policies::INSERT), action(policies::REMOVE)],
        ..collection(policies::COLLECTION, "firewall_policy", 10, attributes)
    }
}

/// What the parts of a rule must be, the plugin says itself.
fn rule() -> Collection {
    let part = |name: &str| optional(name, Validator::Any);
    let versions = Validator::Enum { values: vec![json!(4), json!(6)] };
    let own = vec![
        given("ip_version", versions, json!(4)),
        // Named by Neutron, and never there.
        Attribute { filter: false, sparse: Some("position".to_owned()), ..shown("position", Validator::Any) },
        given("action", Validator::Any, json!("deny")),
        given("enabled", Validator::Boolean, json!(true)),
    ];
    let attributes = own.into_iter().chain(rules::PARTS.map(part)).collect();
    let in_policies = Attribute {
        name: rules::POLICIES.to_owned(),
        validate: Validator::List { items: Box::new(Validator::Uuid), unique: true },
        nullable: true,
        ..Attribute::default()
    };
    Collection {
        computed: vec![Computed::from(in_policies)],
        ..collection(rules::COLLECTION, "firewall_rule", 100, attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&manifest()), Vec::<String>::new());
    }
}
