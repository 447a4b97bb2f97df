//! What a plugin declares about itself.
//!
//! A manifest is the only thing the host knows about a resource: its table, its
//! routes, its validation, its filters and its default policy are all made from
//! it. It is JSON, returned by a component's `describe`, so that the contract
//! can grow by optional members without breaking components already shipped.
//! Unknown members are refused, so that a typing error is found at load.
#![forbid(unsafe_code)]

mod action;
mod attribute;
mod check;
mod collection;
mod grants;
mod rbac;
mod standard;
mod topic;

pub use action::{Action, Takes};
pub use attribute::{Attribute, Column, Computed, ListTable, ListTableColumn, Validator};
pub use check::{Problem, STANDARD, check};
pub use collection::{
    Called, Collection, Derived, DerivedFrom, Key, OnDelete, Parent, Quota, Reference, Refusal, RowsOf, Verb,
    camel_case,
};
pub use grants::{HttpGrant, Requests, ResourceRequest};
pub use rbac::{EVERY_PROJECT, Entries, Rbac};
pub use standard::{DESCRIPTION, Standard, TAG_LENGTH, TAGS, Tags};
pub use topic::Topic;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The newest contract version this crate describes.
pub const CONTRACT: &str = "0.1.0";

/// Everything a component tells the host about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name, unique in a server: lower case letters, digits, `-`.
    pub name: String,
    /// The plugin's own version (semver); shown to operators and in logs.
    pub version: String,
    /// One sentence for `hadron plugin list`.
    pub description: String,
    /// The contract version it was built against, as `0.1.0`.
    pub contract: String,
    /// Resources this plugin owns.
    pub collections: Vec<Collection>,
    /// Attributes this plugin adds to other plugins' collections.
    pub extends: Vec<Extends>,
    /// What `GET /v2.0/extensions` lists while this plugin is loaded.
    pub extensions: Vec<ApiExtension>,
    /// Events of other plugins' (or its own) collections it wants to hear.
    pub events: Vec<Subscription>,
    /// RPC topics whose messages are handed to this plugin.
    pub topics: Vec<Topic>,
    /// Periodic calls.
    pub ticks: Vec<Tick>,
    /// Driver hooks it implements, by name: `network-precommit`,
    /// `network-postcommit`, `subnet-…`, `port-…`, `bind-port`. A hook that is
    /// not named here is never called and costs nothing.
    pub hooks: Vec<String>,
    /// For a type driver: the network type it serves, e.g. `vlan`.
    pub network_type: Option<String>,
    /// Whether `lifecycle.start` is to be called (in a unit of work) whenever
    /// the plugin is loaded or its configuration changes.
    pub start: bool,
    /// Default policy rules in oslo.policy's language, by rule name
    /// (`create_network:provider:network_type`).
    pub policy: BTreeMap<String, String>,
    /// Configuration keys it reads, for `hadron config` and for checking.
    pub config: Vec<ConfigKey>,
    /// What it asks the operator to grant.
    pub requests: Requests,
}

/// Attributes added to a collection of another plugin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Extends {
    /// The collection's name, e.g. `ports`.
    pub collection: String,
    /// The attributes; their names must be new to the collection.
    pub attributes: Vec<Attribute>,
    /// Those of them that hold the id of a row of another collection.
    pub references: Vec<Reference>,
    /// Attributes the host answers by the same query that reads the row: from
    /// rows of this plugin that refer to it, or from a row that it refers to.
    pub derived: Vec<Derived>,
    /// Attributes this plugin computes when such a row is shown, a page at a
    /// time.
    pub computed: Vec<Computed>,
    /// What a row can be told and asked of this plugin, below its URL: it, not the
    /// collection's owner, is called (`act`). Names and paths must be new to the
    /// collection.
    pub actions: Vec<Action>,
    /// This plugin is asked about a row only when it is made with other values
    /// than the defaults of these attributes, or one of them is to change. It is
    /// asked about every row that is made where false.
    pub when_given: bool,
}

/// One entry of `GET /v2.0/extensions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiExtension {
    /// Title for people.
    pub name: String,
    /// What clients test for, e.g. `net-mtu`.
    pub alias: String,
    /// One sentence.
    pub description: String,
    /// RFC 3339 date of the API's last change.
    pub updated: String,
}

/// Interest in what happens to a collection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subscription {
    /// The collection's name.
    pub collection: String,
    /// The moments it wants to hear of.
    pub on: Vec<Moment>,
}

/// When a subscriber is called. All are inside the unit of work: an error from
/// the subscriber vetoes the whole request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the owner's `create` is called; the documents are the request's.
    BeforeCreate,
    /// After the rows were written.
    AfterCreate,
    /// Before the owner's `update`.
    BeforeUpdate,
    /// After the rows were changed.
    AfterUpdate,
    /// Before the owner's `delete`; the rows still exist.
    BeforeDelete,
    /// After the rows were removed.
    AfterDelete,
}

/// A periodic call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tick {
    /// Handed to `tick`.
    pub name: String,
    /// Seconds between calls, over all replicas together; at least 1.
    pub every_seconds: u32,
}

/// A configuration key a plugin reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigKey {
    /// The key, under `[plugin.NAME.config]`.
    pub name: String,
    /// What it does, with units.
    pub description: String,
    /// Its value where the operator gives none.
    pub default: serde_json::Value,
}
