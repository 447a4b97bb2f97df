//! The address scopes that a network is in: those of its subnets' pools, kept
//! with the network so that reading it asks nothing else.
//! In Neutron: `_extend_network_dict_address_scope`.

use super::COLLECTION;
use crate::document::{set, text};
use crate::net::Version;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result, store};
use std::collections::BTreeMap;

/// The attribute with the scope of IPv4 subnets.
pub(super) const V4: &str = "ipv4_address_scope";
/// The attribute with the scope of IPv6 subnets.
pub(super) const V6: &str = "ipv6_address_scope";

fn attribute(version: Version) -> &'static str {
    match version {
        Version::V4 => V4,
        Version::V6 => V6,
    }
}

/// Puts a network into a scope, or takes it out of one.
pub(crate) fn set_scope(id: &str, version: Version, scope: Option<&str>) -> Result<()> {
    store::update::<Document>(COLLECTION, id, &json!({ attribute(version): scope })).map(drop)
}

/// Scopes of some networks, changed as subnets come and go and written once.
pub(crate) struct Scopes {
    known: BTreeMap<(String, &'static str), Option<String>>,
    changed: BTreeMap<String, Document>,
}

impl Scopes {
    /// Of networks that were read.
    pub(crate) fn of(networks: &[Document]) -> Scopes {
        let scope = |network: &Document, name| set(network, name).and_then(Value::as_str).map(str::to_owned);
        let of_network =
            |network| [V4, V6].map(|name| ((text(network, "id").to_owned(), name), scope(network, name)));
        Scopes { known: networks.iter().flat_map(of_network).collect(), changed: BTreeMap::new() }
    }

    /// The scope that a network is in.
    pub(crate) fn get(&self, id: &str, version: Version) -> Option<&str> {
        self.known.get(&(id.to_owned(), attribute(version)))?.as_deref()
    }

    /// It is in another one from now on.
    pub(crate) fn set(&mut self, id: &str, version: Version, scope: Option<&str>) {
        let name = attribute(version);
        let before = self.known.insert((id.to_owned(), name), scope.map(str::to_owned));
        if before.flatten().as_deref() != scope {
            self.changed.entry(id.to_owned()).or_default().insert(name.to_owned(), json!(scope));
        }
    }

    /// Writes what changed.
    pub(crate) fn write(self) -> Result<()> {
        for (id, changes) in self.changed {
            store::update::<Document>(COLLECTION, &id, &changes)?;
        }
        Ok(())
    }
}
