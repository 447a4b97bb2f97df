//! Access to single rows of other projects: which rows it can be given to, and
//! the collection whose rows (entries) give it. In Neutron: RBAC policies.

use serde::{Deserialize, Serialize};

/// The target of an entry that is for every project.
pub const EVERY_PROJECT: &str = "*";

/// Makes rows of a collection objects of entries. What an entry allows shows in
/// the attributes that name its action (`Attribute::rbac`): the host answers
/// them in the query that reads the row, for the project that asks; setting one
/// to true makes the entry for every project, setting it to false removes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rbac {
    /// What entries call such a row; unique in a server.
    pub object_type: String,
    /// What an entry about it can allow, e.g. `access_as_shared`.
    pub actions: Vec<String>,
}

/// Makes a collection the one that holds the entries: the attributes of its
/// rows with these meanings. They must have columns of their own. The host adds
/// a reference for each type of object, so that entries go with their objects.
/// One collection of a server can do this.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Entries {
    /// What sort of object it is about.
    pub object_type: String,
    /// The object's id.
    pub object_id: String,
    /// What is allowed.
    pub action: String,
    /// To which project, or `*`.
    pub target: String,
}

impl Entries {
    /// The four attributes.
    pub fn attributes(&self) -> [&str; 4] {
        [&self.object_type, &self.object_id, &self.action, &self.target]
    }
}
