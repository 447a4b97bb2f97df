//! The attributes of security groups, as Neutron's API defines them.

use crate::attribute::{boolean, column, hidden, text};
use crate::security_group_rules;
use crate::sharing::ACCESS_SHARED;
use hadron_sdk::Document;
use hadron_sdk::manifest::{
    Attribute, Collection, Derived, DerivedFrom, Key, Quota, Rbac, RowsOf, Standard, Tags,
};
use hadron_sdk::serde_json::json;

/// Of a project's default group its project: there is one.
pub(crate) const DEFAULT_OF: &str = "default_of";

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: super::COLLECTION.to_owned(),
        member: "security_group".to_owned(),
        attributes: vec![
            text("name", 255),
            // What is the default is for the project to say.
            Attribute { default: None, ..boolean("stateful", true) },
            text("description", 255),
            Attribute {
                post: false,
                put: false,
                default: None,
                enforce: true,
                rbac: Some(ACCESS_SHARED.to_owned()),
                ..boolean("shared", false)
            },
            hidden(DEFAULT_OF),
        ],
        keys: vec![Key { name: DEFAULT_OF.to_owned(), attributes: column(DEFAULT_OF) }],
        indexes: vec![column("name")],
        rbac: Some(Rbac {
            object_type: super::SHARING.object_type.to_owned(),
            actions: vec![ACCESS_SHARED.to_owned()],
        }),
        derived: vec![Derived {
            name: security_group_rules::COLLECTION.to_owned(),
            from: DerivedFrom::Rows(vec![RowsOf {
                collection: security_group_rules::COLLECTION.to_owned(),
                attribute: "security_group_id".to_owned(),
                // They have none of their own; Neutron says so here only.
                add: Document::from_iter([("tags".to_owned(), json!([]))]),
                ..RowsOf::default()
            }]),
        }],
        standard: Standard { tags: Tags::Kept, ..Standard::default() },
        not_found_says: Some("Security group {id} does not exist".to_owned()),
        quota: Some(Quota { default: 10 }),
        first_use: true,
        ..Collection::default()
    }
}
