//! What the plugin tells the host about itself.

use crate::COLLECTION;
use hadron_sdk::Manifest;
use hadron_sdk::manifest::{ApiExtension, Attribute, Collection, Entries, Key, Quota, Standard, Validator};

/// Neutron's rules for policies, and the rules they are made of.
const RULES: [(&str, &str); 11] = [
    ("context_is_admin", "role:admin"),
    ("admin_only", "rule:context_is_admin"),
    (
        "restrict_wildcard",
        "(not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*) or rule:admin_only",
    ),
    ("create_rbac_policy", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    (
        "create_rbac_policy:target_tenant",
        "rule:admin_only or (not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*)",
    ),
    ("create_rbac_policy:target_project", "rule:admin_only or not field:rbac_policy:target_project=*"),
    ("update_rbac_policy", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    (
        "update_rbac_policy:target_tenant",
        "rule:admin_only or (not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*)",
    ),
    ("update_rbac_policy:target_project", "rule:admin_only or not field:rbac_policy:target_project=*"),
    ("get_rbac_policy", "(rule:admin_only) or (role:reader and project_id:%(project_id)s)"),
    ("delete_rbac_policy", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
];

/// The manifest.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        collections: vec![collection()],
        extensions: vec![ApiExtension {
            name: "RBAC Policies".to_owned(),
            alias: "rbac-policies".to_owned(),
            description: "Allows creation and modification of policies that control project access to \
                          resources."
                .to_owned(),
            updated: "2015-06-17T12:15:12-00:00".to_owned(),
        }],
        policy: RULES.iter().map(|(name, rule)| ((*name).to_owned(), (*rule).to_owned())).collect(),
        ..hadron_sdk::manifest!("rbac", "policies that share single rows with other projects")
    }
}

fn collection() -> Collection {
    let names = Entries {
        object_type: "object_type".to_owned(),
        object_id: "object_id".to_owned(),
        action: "action".to_owned(),
        target: "target_tenant".to_owned(),
    };
    Collection {
        name: COLLECTION.to_owned(),
        member: "rbac_policy".to_owned(),
        attributes: vec![
            attribute("object_type", Validator::String { max: None }),
            attribute("object_id", Validator::Uuid),
            // Its own check says what is wrong with it.
            Attribute { put: true, ..attribute("target_tenant", Validator::Any) },
            attribute("action", Validator::String { max: Some(255) }),
        ],
        keys: vec![Key {
            name: "entry".to_owned(),
            attributes: names.attributes().map(str::to_owned).to_vec(),
        }],
        without: ["revision_number", "created_at", "updated_at"].map(str::to_owned).to_vec(),
        standard: Standard::NONE,
        quota: Some(Quota { default: 10 }),
        entries: Some(names),
        not_found: Some("RbacPolicyNotFound".to_owned()),
        not_found_says: Some("RBAC policy of type unknown with ID {id} not found".to_owned()),
        ..Collection::default()
    }
}

fn attribute(name: &str, validate: Validator) -> Attribute {
    Attribute {
        name: name.to_owned(),
        validate,
        post: true,
        required: true,
        filter: true,
        enforce: true,
        ..Attribute::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&manifest()), Vec::<String>::new());
    }
}
