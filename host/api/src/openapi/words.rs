//! What resources are called in the document.

use crate::tables::{Resource, Tables};
use hadron_manifest::camel_case;
use hadron_store::CollectionId;
use std::collections::{HashMap, HashSet};

/// Schemas that the document has anyway.
const TAKEN: [&str; 5] = ["Error", "Unauthorized", "Boolean", "Address", "AddressRange"];

/// One word for each resource: its singular, or where another uses it already
/// the singular and the collection's name, which is unique in a server.
pub(super) struct Words(HashMap<CollectionId, String>);

impl Words {
    /// The words of all resources.
    pub(super) fn of(tables: &Tables) -> Words {
        let mut taken: HashSet<String> = TAKEN.map(str::to_owned).into();
        let mut words = HashMap::new();
        for resource in tables.all() {
            let schemas = |word: &str| ["", "Create", "Update"].map(|end| camel_case(word) + end);
            let mut word = resource.member.clone();
            if schemas(&word).iter().any(|name| taken.contains(name)) {
                word = format!("{word}_of_{}", resource.collection());
            }
            taken.extend(schemas(&word));
            words.insert(resource.id.0.clone(), word);
        }
        Words(words)
    }

    /// `gadget_thing`.
    pub(super) fn word<'a>(&'a self, resource: &'a Resource) -> &'a str {
        self.0.get(&resource.id.0).unwrap_or(&resource.member)
    }

    /// `GadgetThing`.
    pub(super) fn class(&self, resource: &Resource) -> String {
        camel_case(self.word(resource))
    }
}
