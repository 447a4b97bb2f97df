//! The policies of ports. In Neutron: `_create_port_policy`,
//! `_update_port_policy`, `_validate_create_port_callback`.

use crate::drivers::Drivers;
use crate::users::{POLICY, PORTS, Port};
use crate::{attribute, check_change, reference, rules};
use hadron_sdk::events::Extension;
use hadron_sdk::manifest::{Derived, DerivedFrom, Extends};
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::{Context, Document, Result};

/// What the plugin adds to ports.
pub(crate) fn extends() -> Extends {
    Extends {
        collection: PORTS.to_owned(),
        attributes: vec![attribute()],
        references: vec![reference("port")],
        derived: vec![Derived {
            name: "qos_network_policy_id".to_owned(),
            from: DerivedFrom::Parent {
                reference: "network_id".to_owned(),
                attribute: POLICY.to_owned(),
                filter: false,
            },
        }],
        ..Extends::default()
    }
}

/// The policies that ports get: some driver carries their rules out for them.
pub(crate) fn extend(ctx: &Context, items: &[Extension]) -> Result<Vec<Document>> {
    let mut kept = Vec::with_capacity(items.len());
    let mut known: Option<(String, Vec<(rules::Kind, Document)>)> = None;
    for item in items {
        let mut requested: Document = serde_json::from_str(&item.requested)?;
        requested.entry(POLICY).or_insert(Value::Null);
        let policy = requested.get(POLICY).and_then(Value::as_str);
        if let Some(policy) = policy {
            // The ports of a bulk mostly have the same.
            if known.as_ref().is_none_or(|(id, _)| id != policy) {
                check_change(ctx, item, Some(policy))?;
                known = Some((policy.to_owned(), rules::of_policy(policy)?));
            }
            let rules = known.as_ref().map_or(&[][..], |(_, rules)| rules);
            if !rules.is_empty() {
                let port: Document = serde_json::from_str(&item.document)?;
                let port = Port::of(&item.id, &port)?;
                Drivers::configured()?.check(rules, &port)?;
            }
        } else {
            check_change(ctx, item, None)?;
        }
        kept.push(requested);
    }
    Ok(kept)
}
