//! Collections: what a resource is made of and how it refers to others.

use crate::{Action, Attribute, Computed, Entries, Rbac, Standard};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A kind of resource, owned by one plugin, kept in one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Collection {
    /// Plural, with underscores: `security_groups`. Unique in a server unless
    /// `private`; a private one is unique in its plugin.
    pub name: String,
    /// Singular: `security_group`.
    pub member: String,
    /// What URLs and bodies call it, where that is not its name (with `-` for
    /// `_`) and its member. Rules of the policy are named after it too; what
    /// must be unique in a server, and a quota, after name and member.
    pub called: Option<Called>,
    /// No URL reaches it; only its plugin does.
    pub private: bool,
    /// Listed by `GET /v2.0/` (Neutron lists only its core resources there).
    pub core: bool,
    /// A view: its rows are those of this collection of the same plugin, under a
    /// URL and names of its own. It keeps nothing; its attributes are among the
    /// other's (`Attribute::of`), and those that it computes.
    pub of: Option<String>,
    /// Rows of a view can be changed and deleted too, by the rules of the policy
    /// about it; the plugin is asked to as if it were its own collection's.
    pub writes: bool,
    /// What the URL starts with after `/v2.0/`, e.g. `vpn`; empty for none.
    pub path_prefix: String,
    /// Set for a child collection: `/v2.0/gadgets/{gadget_id}/parts`.
    pub parent: Option<Parent>,
    /// In a child collection: the attribute that the last part of a row's URL is,
    /// where that is not its id. It must be unique below the parent.
    pub named_by: Option<String>,
    /// Attributes, in the order in which they are shown.
    pub attributes: Vec<Attribute>,
    /// Attributes that are unique together.
    pub keys: Vec<Key>,
    /// Attributes (by name) indexed together.
    pub indexes: Vec<Vec<String>>,
    /// Attributes that hold the id of a row of another collection.
    pub references: Vec<Reference>,
    /// Attributes the host answers by the same query that reads the row.
    pub derived: Vec<Derived>,
    /// Attributes the plugin computes when a row is shown, a page at a time.
    pub computed: Vec<Computed>,
    /// Filters of lists that the plugin carries out itself when it computes: what
    /// was asked for is in the documents it is given, by these names, as lists of
    /// values. Of a row that does not fit it answers an empty object. Of each only
    /// name, validate and default count; one with a default is asked in every list.
    pub asks: Vec<Attribute>,
    /// What a row can be told, and asked, below its URL.
    pub actions: Vec<Action>,
    /// Class name of the error for an unknown id, where it is not the member
    /// in camel case followed by `NotFound`.
    pub not_found: Option<String>,
    /// What that error says, with `{id}` in it, where it is not the usual
    /// `Security group {id} could not be found.` Of a row that an attribute
    /// names `{id}` is its value, and `{parent}` the id of the row above.
    pub not_found_says: Option<String>,
    /// Attributes that the host adds to every row and that are not shown here.
    pub without: Vec<String>,
    /// Rows can be shared with other projects.
    pub rbac: Option<Rbac>,
    /// Rows are what shares rows of others.
    pub entries: Option<Entries>,
    /// Whether its rows have a description and tags; they do unless it says
    /// otherwise.
    pub standard: Standard,
    /// What a row is, and whether there is one, is the plugin's to say when a
    /// client asks: it is called (`act`) with `show` and the query string, in a
    /// unit of work, so that it may make what is missing, and answers the row. A
    /// row that is found so can be deleted (`delete`, given the row). They are
    /// neither listed nor made nor changed.
    pub on_demand: bool,
    /// The plugin is called (`first_use`) before the first read of a project's
    /// rows since the server started, to make what every project has.
    pub first_use: bool,
    /// Rows can be of no project: where an administrator's request says that
    /// `project_id` is null.
    pub ownerless: bool,
    /// How many rows a project may have; they are not counted where absent.
    pub quota: Option<Quota>,
}

/// What URLs and bodies call a collection and its rows, literally. Two
/// collections may be called the same under different prefixes or parents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Called {
    /// Plural: the last part of the URL, and the member of a list's body.
    pub collection: String,
    /// Singular: the member of a body about one row.
    pub member: String,
}

/// A limit on the rows of a project. Its name is the collection's member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The limit where neither the operator nor an administrator sets another;
    /// -1 for none.
    pub default: i64,
}

impl Collection {
    /// The attribute of that name, if it is declared.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// The name of its quota, where its rows are counted.
    pub fn quota_name(&self) -> Option<&str> {
        self.quota.map(|_| self.member.as_str())
    }

    /// The last part of the collection's URL: as it is called, else its name, of
    /// which `_` becomes `-`.
    pub fn path(&self) -> String {
        self.called.as_ref().map_or_else(|| self.name.replace('_', "-"), |called| called.collection.clone())
    }

    /// What bodies call several of its rows, and one.
    pub fn words(&self) -> (&str, &str) {
        match &self.called {
            Some(called) => (&called.collection, &called.member),
            None => (&self.name, &self.member),
        }
    }

    /// The member in camel case: `SecurityGroup`.
    pub fn class(&self) -> String {
        camel_case(&self.member)
    }

    /// Class name of the error for an unknown id.
    pub fn not_found_type(&self) -> String {
        self.not_found.clone().unwrap_or_else(|| format!("{}NotFound", self.class()))
    }

    /// What the error for an unknown id says, with `{id}` for the id. Neutron
    /// names most of its own with one capital: `Security group`.
    pub fn not_found_template(&self) -> String {
        self.not_found_says.clone().unwrap_or_else(|| {
            let words = self.member.replace('_', " ");
            let mut letters = words.chars();
            let title = letters
                .next()
                .map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str());
            format!("{title} {{id}} could not be found.")
        })
    }

    /// Whether a row as it was written is not all there is to show of it.
    pub fn is_answered_by_query(&self) -> bool {
        !self.derived.is_empty() || self.attributes.iter().any(|a| a.rbac.is_some())
    }
}

/// `security_group` is `SecurityGroup`.
pub fn camel_case(words: &str) -> String {
    words
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
        })
        .collect()
}

/// The collection a child collection hangs under.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parent {
    /// The parent collection's name; of the same plugin.
    pub collection: String,
    /// The attribute of the child that holds the parent's id; it is taken from
    /// the URL and must be declared as a reference.
    pub attribute: String,
}

/// A unique key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Key {
    /// How a violation names it, e.g. `mac_address`.
    pub name: String,
    /// Attributes; rows in which one is null never collide.
    pub attributes: Vec<String>,
}

/// A foreign key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reference {
    /// The attribute that holds the id.
    pub attribute: String,
    /// The collection referred to.
    pub collection: String,
    /// What happens when the row referred to is deleted.
    pub on_delete: OnDelete,
    /// What a delete of the row referred to is answered (409) when this
    /// reference stands in the way, whatever the owner of that row would say.
    pub refusal: Option<Refusal>,
}

/// The error that a client is told of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refusal {
    /// Its class name, e.g. `PortInUse`.
    pub error: String,
    /// The sentence: `{id}` is the row referred to, `{by}` a row that refers to
    /// it.
    pub message: String,
}

/// What a deletion does to rows that refer to the deleted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// It is refused.
    #[default]
    Restrict,
    /// They are deleted too.
    Cascade,
}

/// An attribute the host answers in the query that reads the row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// The attribute's name, e.g. `subnets`.
    pub name: String,
    /// How it is found.
    pub from: DerivedFrom,
}

/// Sources of derived attributes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DerivedFrom {
    /// The list of ids of rows of `collection` whose `attribute` is this row's
    /// id, in the order of their creation.
    Referring {
        /// The referring collection; of the same plugin.
        collection: String,
        /// Its reference attribute.
        attribute: String,
    },
    /// The list of such rows themselves, of one collection after the other, of
    /// each in the order of its creation. The row that shows them changes, for
    /// `revision_number`, when one of them does.
    Rows(Vec<RowsOf>),
    /// An attribute of the row that this row's `reference` names.
    Parent {
        /// A reference attribute of this collection.
        reference: String,
        /// The attribute of the row referred to.
        attribute: String,
        /// Accepted in `?name=value`.
        #[serde(default)]
        filter: bool,
    },
}

/// Rows of a collection that refer to a row and are shown with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RowsOf {
    /// The referring collection; of the same plugin.
    pub collection: String,
    /// Its reference attribute.
    pub attribute: String,
    /// What is shown of each, `id` and the like included; where empty, all that
    /// its own show has, but for what is computed and for other rows.
    pub show: Vec<String>,
    /// Members that each has besides, e.g. what sort of row it is.
    pub add: Map<String, Value>,
}

/// What is done to a collection; also what can be granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Show and list.
    #[default]
    Get,
    /// Create.
    Create,
    /// Update.
    Update,
    /// Delete.
    Delete,
}
