//! The attributes of address scopes, as Neutron's API defines them.

use crate::attribute::{boolean, filterable, text};
use crate::manifest::Extension;
use crate::sharing::ACCESS_SHARED;
use hadron_sdk::manifest::{Attribute, Collection, Rbac, Standard, Validator};
use hadron_sdk::serde_json::json;

/// Extensions of the API about address scopes.
pub(crate) const EXTENSIONS: &[Extension] = &[
    ("Address scope", "address-scope", "Address scopes extension.", "2015-07-26T10:00:00-00:00"),
    (
        "Add address_scope type to RBAC",
        "rbac-address-scope",
        "Add address_scope type to RBAC",
        "2020-02-12T00:00:00-00:00",
    ),
];

/// Neutron's rules for address scopes.
pub(crate) const POLICY: &[(&str, &str)] = &[
    ("shared_address_scopes", "field:address_scopes:shared=True"),
    ("create_address_scope", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("create_address_scope:shared", "rule:admin_only"),
    (
        "get_address_scope",
        "rule:admin_only or role:reader and project_id:%(project_id)s or rule:shared_address_scopes",
    ),
    ("update_address_scope", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("update_address_scope:shared", "rule:admin_only"),
    ("delete_address_scope", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
];

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: super::COLLECTION.to_owned(),
        member: "address_scope".to_owned(),
        attributes: vec![
            text("name", 255),
            Attribute { enforce: true, rbac: Some(ACCESS_SHARED.to_owned()), ..boolean("shared", false) },
            Attribute {
                post: true,
                required: true,
                ..filterable("ip_version", Validator::Enum { values: vec![json!(4), json!(6)] })
            },
        ],
        rbac: Some(Rbac {
            object_type: super::SHARING.object_type.to_owned(),
            actions: vec![ACCESS_SHARED.to_owned()],
        }),
        without: ["revision_number", "created_at", "updated_at"].map(str::to_owned).to_vec(),
        standard: Standard::NONE,
        ..Collection::default()
    }
}
