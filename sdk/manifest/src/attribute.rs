//! Attributes of a resource: type, default, who may set them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One attribute of a collection.
///
/// `id`, `project_id` (with its alias `tenant_id`), `revision_number`,
/// `created_at` and `updated_at` are kept by the host for every collection and
/// must not be declared. `description` and `tags` are too, and may be declared
/// by a collection that keeps them itself (see `Standard`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attribute {
    /// As it is written in requests, e.g. `provider:network_type`.
    pub name: String,
    /// Which values are accepted.
    pub validate: Validator,
    /// Whether `null` is accepted besides.
    pub nullable: bool,
    /// May be given in a create request.
    pub post: bool,
    /// May be given in an update request.
    pub put: bool,
    /// Must be given in a create request.
    pub required: bool,
    /// Filled in by the host where a create request does not give it. Without
    /// one the plugin sees that the attribute is absent.
    pub default: Option<Value>,
    /// Never shown through the API when true: the plugin's own bookkeeping, or, with
    /// `post` or `put`, what a request gives and nobody sees again.
    pub hidden: bool,
    /// Accepted in `?name=value` and in `sort_key`; scalars only, or a list
    /// with a `list` table.
    pub filter: bool,
    /// Text whose letters may be in any (ASCII) case in `?name=value`.
    pub any_case: bool,
    /// Given an own indexed column (a key or a reference implies it).
    pub index: bool,
    /// Setting it is guarded by `create_MEMBER:NAME` / `update_MEMBER:NAME`,
    /// showing it by `get_MEMBER:NAME`, where such a rule exists in the policy.
    pub enforce: bool,
    /// For a list attribute that is unique, referencing or filterable: a side
    /// table kept by the host, one row per item.
    pub list: Option<ListTable>,
    /// The attribute (this or another one) without a value of which a row does
    /// not have this one, instead of null. What is shown of it depends on
    /// nothing else: attributes that come together name one of them.
    pub sparse: Option<String>,
    /// In a view: the attribute of the rows it is of (also one that the host
    /// keeps), where that has another name.
    pub of: Option<String>,
    /// Not kept, but true where an entry allows this action of the collection's
    /// `rbac` to the project that asks; a boolean of the owner's.
    pub rbac: Option<String>,
}

/// An attribute that a plugin computes when rows are shown, a page at a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Computed {
    /// The attribute; of it only name, validate, nullable, hidden and enforce
    /// count.
    pub attribute: Attribute,
    /// The plugin is asked only about rows in which one of these attributes is
    /// set: neither null nor an empty list. About all rows where empty.
    pub when: Vec<String>,
    /// Rows that the plugin is not asked about leave it out, instead of showing
    /// null.
    pub absent: bool,
}

impl From<Attribute> for Computed {
    fn from(attribute: Attribute) -> Computed {
        Computed { attribute, ..Computed::default() }
    }
}

/// The side table of a list attribute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListTable {
    /// Members of each item (an object) kept as columns. A list of scalars has
    /// the one column `value`.
    pub columns: Vec<ListTableColumn>,
    /// Sets of columns that are unique over all rows of the collection.
    pub keys: Vec<Vec<String>>,
}

/// A column of a side table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListTableColumn {
    /// Member name of the item.
    pub name: String,
    /// The collection it refers to, where it is a reference (restrict).
    pub references: Option<String>,
    /// Accepted as a nested filter: `?fixed_ips=subnet_id=…`.
    pub filter: bool,
}

/// Accepted values, with Neutron's conversions (a `"true"` becomes `true`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Validator {
    /// Any JSON value.
    #[default]
    Any,
    /// Text.
    String {
        /// Longest length, in characters.
        #[serde(default)]
        max: Option<u32>,
    },
    /// A boolean; Neutron's spellings are converted (`"true"`, `"1"`, 1, …).
    Boolean,
    /// A whole number; decimal text is converted.
    Integer {
        /// Smallest.
        #[serde(default)]
        min: Option<i64>,
        /// Largest.
        #[serde(default)]
        max: Option<i64>,
    },
    /// An RFC 4122 UUID.
    Uuid,
    /// A MAC address; converted to lower case with colons.
    MacAddress,
    /// An IPv4 or IPv6 address; IPv6 is converted to its shortest form.
    IpAddress,
    /// A network in CIDR notation. Host bits are accepted and kept.
    Cidr,
    /// One of the given values (text or numbers).
    Enum {
        /// Accepted values.
        values: Vec<Value>,
    },
    /// A list.
    List {
        /// What each item must be.
        items: Box<Validator>,
        /// No two items alike.
        #[serde(default)]
        unique: bool,
    },
    /// An object with known members; others are refused.
    Object {
        /// Members; of each only name, validate, nullable, required and
        /// default count.
        members: Vec<Attribute>,
    },
    /// An object with any members.
    Dict,
}

impl Validator {
    /// The type of the attribute's own column, where it has one.
    pub fn column(&self) -> Column {
        match self {
            Validator::Boolean => Column::Boolean,
            Validator::Integer { .. } => Column::Integer,
            Validator::Enum { values } if values.iter().all(Value::is_i64) => Column::Integer,
            _ => Column::Text,
        }
    }
}

/// Column types both databases have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// UTF-8 text ordered by code point.
    Text,
    /// 64-bit signed.
    Integer,
    /// True or false.
    Boolean,
}
