//! The attributes of subnet pools, as Neutron's API defines them.

use crate::attribute::{boolean, filterable, hidden};
use crate::manifest::Extension;
use crate::sharing::ACCESS_SHARED;
use hadron_sdk::manifest::{
    Action, Attribute, Collection, Key, OnDelete, Quota, Rbac, Reference, Standard, Tags, Validator, Verb,
};

/// Extensions of the API about subnet pools.
pub(crate) const EXTENSIONS: &[Extension] = &[
    (
        "Subnet Allocation",
        "subnet_allocation",
        "Enables allocation of subnets from a subnet pool",
        "2015-03-30T10:00:00-00:00",
    ),
    (
        "Default Subnetpools",
        "default-subnetpools",
        "Provides ability to mark and use a subnetpool as the default.",
        "2016-02-18T18:00:00-00:00",
    ),
    (
        "Subnet Onboard",
        "subnet_onboard",
        "Provides support for onboarding subnets into subnet pools",
        "2018-12-18T09:00:00-00:00",
    ),
    (
        "Subnet Pool Prefix Operations",
        "subnetpool-prefix-ops",
        "Provides support for adjusting the prefix list of subnet pools",
        "2019-02-08T10:00:00-00:00",
    ),
    (
        "Add subnetpool type to RBAC",
        "rbac-subnetpool",
        "Add subnetpool type to RBAC",
        "2020-02-05T00:00:00-00:00",
    ),
];

/// Neutron's rules for subnet pools.
pub(crate) const POLICY: &[(&str, &str)] = &[
    ("shared_subnetpools", "field:subnetpools:shared=True"),
    ("create_subnetpool", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("create_subnetpool:shared", "rule:admin_only"),
    ("create_subnetpool:is_default", "rule:admin_only"),
    ("create_subnetpool:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    (
        "get_subnetpool",
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_subnetpools",
    ),
    (
        "get_subnetpool:tags",
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_subnetpools",
    ),
    ("update_subnetpool", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("update_subnetpool:is_default", "rule:admin_only"),
    ("update_subnetpool:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("delete_subnetpool", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("delete_subnetpool:tags", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("onboard_network_subnets", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("add_prefixes", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("remove_prefixes", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
];

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: super::COLLECTION.to_owned(),
        member: "subnetpool".to_owned(),
        core: true,
        attributes: vec![
            Attribute {
                post: true,
                put: true,
                required: true,
                ..filterable("name", Validator::String { max: Some(255) })
            },
            length("default_prefixlen"),
            length("min_prefixlen"),
            length("max_prefixlen"),
            Attribute { enforce: true, ..boolean("is_default", false) },
            Attribute {
                put: false,
                enforce: true,
                rbac: Some(ACCESS_SHARED.to_owned()),
                ..boolean("shared", false)
            },
            Attribute {
                name: "prefixes".to_owned(),
                validate: Validator::List { items: Box::new(Validator::Any), unique: true },
                post: true,
                put: true,
                required: true,
                ..Attribute::default()
            },
            filterable("ip_version", Validator::Integer { min: None, max: None }),
            Attribute {
                post: true,
                put: true,
                ..filterable("default_quota", Validator::Integer { min: Some(0), max: None })
            },
            Attribute {
                post: true,
                put: true,
                nullable: true,
                ..filterable("address_scope_id", Validator::Uuid)
            },
            // The family that it is the default of.
            Attribute { validate: Validator::Integer { min: None, max: None }, ..hidden("default_of") },
        ],
        keys: vec![Key { name: "is_default".to_owned(), attributes: vec!["default_of".to_owned()] }],
        references: vec![Reference {
            attribute: "address_scope_id".to_owned(),
            collection: "address_scopes".to_owned(),
            on_delete: OnDelete::Restrict,
            ..Reference::default()
        }],
        actions: ["add_prefixes", "remove_prefixes", "onboard_network_subnets"]
            .map(|name| Action { name: name.to_owned(), verb: Verb::Update, ..Action::default() })
            .to_vec(),
        not_found: Some("SubnetPoolNotFound".to_owned()),
        not_found_says: Some("Subnet pool {id} could not be found.".to_owned()),
        rbac: Some(Rbac {
            object_type: super::SHARING.object_type.to_owned(),
            actions: vec![ACCESS_SHARED.to_owned()],
        }),
        standard: Standard { tags: Tags::Kept, ..Standard::default() },
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}

/// The length of a prefix. Neutron takes numbers and shows them as text, so
/// what is given is looked at by the plugin.
fn length(name: &str) -> Attribute {
    Attribute { post: true, put: true, ..filterable(name, Validator::Any) }
}
