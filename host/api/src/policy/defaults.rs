//! The rules that every plugin's rules are made of, and those about what is the
//! host's own. They name no resource; those that do are in the manifests of the
//! plugins that own the resource.

/// Name and rule, Neutron's own but for the last.
pub(crate) const RULES: [(&str, &str); 16] = [
    ("context_is_admin", "role:admin"),
    ("context_with_global_access", "!"),
    ("context_can_set_project_id", "!"),
    ("context_is_advsvc", "role:advsvc"),
    ("service_api", "role:service"),
    ("owner", "project_id:%(project_id)s"),
    ("admin_or_owner", "rule:context_is_admin or rule:owner"),
    ("admin_only", "rule:context_is_admin"),
    ("regular_user", ""),
    ("default", "rule:admin_or_owner"),
    ("ext_parent_owner", "project_id:%(ext_parent:project_id)s"),
    ("admin_or_ext_parent_owner", "rule:context_is_admin or project_id:%(ext_parent:project_id)s"),
    ("get_quota", "(rule:admin_only) or (role:manager and project_id:%(project_id)s)"),
    ("update_quota", "rule:admin_only"),
    ("delete_quota", "rule:admin_only"),
    // What is told of is what the rules about the rows show; not Neutron's.
    ("watch", ""),
];
