//! The policies of ports. In Neutron: `_create_port_policy`,
//! `_update_port_policy`, `_validate_create_port_callback`.

use crate::drivers::Drivers;
use crate::request::{self, Asker, Guarantee};
use crate::rules::{self, Kind};
use crate::users::{POLICY, PORTS, Port};
use crate::{attribute, check_change, networks, reference, text};
use hadron_sdk::events::Extension;
use hadron_sdk::manifest::{Attribute, Computed, Derived, DerivedFrom, Extends, Validator};
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::{Context, Document, Operation, Result};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

/// The policy of a port's network.
const NETWORK_POLICY: &str = "qos_network_policy_id";
/// What a port asks of placement.
pub(crate) const REQUEST: &str = "resource_request";

/// What the plugin adds to ports.
pub(crate) fn extends() -> Extends {
    Extends {
        collection: PORTS.to_owned(),
        attributes: vec![attribute()],
        references: vec![reference("port")],
        derived: vec![Derived {
            name: NETWORK_POLICY.to_owned(),
            from: DerivedFrom::Parent {
                reference: "network_id".to_owned(),
                attribute: POLICY.to_owned(),
                filter: false,
            },
        }],
        computed: vec![Computed {
            attribute: Attribute {
                name: REQUEST.to_owned(),
                validate: Validator::Dict,
                nullable: true,
                enforce: true,
                ..Attribute::default()
            },
            when: vec![POLICY.to_owned(), NETWORK_POLICY.to_owned()],
            ..Computed::default()
        }],
        ..Extends::default()
    }
}

/// What ports ask of placement: by their own policy, or their network's. Rules
/// and networks are read once, however many ports there are.
pub(crate) fn compute(documents: &[Document]) -> Result<Vec<Document>> {
    let policy = |port: &Document| match text(port, POLICY) {
        "" => text(port, NETWORK_POLICY).to_owned(),
        own => own.to_owned(),
    };
    let policies: BTreeSet<String> = documents.iter().map(policy).collect();
    let policies: Vec<String> = policies.into_iter().collect();
    let bandwidth = rules::rows_of(&policies, Kind::MinimumBandwidth)?;
    let packets = rules::rows_of(&policies, Kind::MinimumPacketRate)?;
    let networks = match bandwidth.is_empty() {
        true => HashMap::new(),
        false => networks::physical(documents.iter().map(|port| text(port, "network_id")))?,
    };
    let answer = |port: &Document| {
        let policy = policy(port);
        let guarantees = |kind: Kind, rows: &[Document]| -> Vec<Guarantee> {
            let of_policy = rows.iter().filter(|row| text(row, rules::PARENT) == policy);
            of_policy.map(|row| Guarantee::of(kind, row)).collect()
        };
        let asker = Asker {
            port: text(port, "id"),
            vnic_type: text(port, "binding:vnic_type"),
            physical_network: networks.get(text(port, "network_id")).and_then(Option::as_deref),
        };
        let request = request::request(
            asker,
            &guarantees(Kind::MinimumBandwidth, &bandwidth),
            &guarantees(Kind::MinimumPacketRate, &packets),
        );
        Document::from_iter([(REQUEST.to_owned(), request)])
    };
    Ok(documents.iter().map(answer).collect())
}

/// The policies that ports get: some driver carries their rules out for them,
/// or else those of the policies of their networks.
pub(crate) fn extend(ctx: &Context, operation: Operation, items: &[Extension]) -> Result<Vec<Document>> {
    let drivers = Drivers::configured()?;
    let ports = items.iter().map(Port::of).collect::<Result<Vec<_>>>()?;
    let choosy = ports.iter().filter(|port| !drivers.take_all(&port.card()));
    let of_networks = match operation {
        Operation::Create => networks::policies_of(choosy.map(|port| port.network_id.as_str()))?,
        _ => HashMap::new(),
    };
    // The ports of a bulk mostly have the same.
    let mut known: HashMap<String, Vec<(Kind, Document)>> = HashMap::new();
    let mut kept = Vec::with_capacity(items.len());
    for (item, port) in items.iter().zip(&ports) {
        let mut requested: Document = serde_json::from_str(&item.requested)?;
        requested.entry(POLICY).or_insert(Value::Null);
        let own = requested.get(POLICY).and_then(Value::as_str);
        check_change(ctx, item, own.filter(|own| !known.contains_key(*own)))?;
        if let Some(policy) = own.or_else(|| of_networks.get(&port.network_id).map(String::as_str)) {
            let rules = match known.entry(policy.to_owned()) {
                Entry::Occupied(rules) => rules.into_mut(),
                Entry::Vacant(place) => place.insert(rules::of_policy(policy)?),
            };
            drivers.check(rules, port)?;
        }
        kept.push(requested);
    }
    Ok(kept)
}
