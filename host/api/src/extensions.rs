//! What `GET /v2.0/extensions` lists: the plugins' own, and those of the API
//! itself.

use crate::tables::Resource;
use hadron_manifest::Manifest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What every resource has because it is one of this API: name, alias,
/// description and date, as Neutron lists them.
const HOST: [(&str, &str, &str, &str); 14] = [
    (
        "Empty String Filtering Extension",
        "empty-string-filtering",
        "Allow filtering by attributes with empty string value",
        "2018-05-01T10:00:00-00:00",
    ),
    (
        "Filter parameters validation",
        "filter-validation",
        "Provides validation on filter parameters.",
        "2018-07-04T10:00:00-00:00",
    ),
    (
        "Pagination support",
        "pagination",
        "Extension that indicates that pagination is enabled.",
        "2016-06-12T00:00:00-00:00",
    ),
    (
        "project_id field enabled",
        "project-id",
        "Extension that indicates that project_id field is enabled.",
        "2016-09-09T09:09:09-09:09",
    ),
    (
        "If-Match constraints based on revision_number",
        "revision-if-match",
        "Extension indicating that If-Match based on revision_number is supported.",
        "2016-12-11T00:00:00-00:00",
    ),
    (
        "Quota engine limit check",
        "quota-check-limit",
        "Support for checking the resource usage before applying a new quota limit",
        "2021-09-08T16:00:00-00:00",
    ),
    (
        "Quota engine limit check by default",
        "quota-check-limit-default",
        "By default, the Neutron quota engine checks the resource usage before applying a new quota limit",
        "2024-08-21T16:00:00-00:00",
    ),
    (
        "Quota management support",
        "quotas",
        "Expose functions for quotas management per project",
        "2012-07-29T10:00:00-00:00",
    ),
    (
        "Quota details management support",
        "quota_details",
        "Expose functions for quotas usage statistics per project",
        "2017-02-10T10:00:00-00:00",
    ),
    (
        "Sorting support",
        "sorting",
        "Extension that indicates that sorting is enabled.",
        "2016-06-12T00:00:00-00:00",
    ),
    (
        "standard-attr-description",
        "standard-attr-description",
        "Extension to add descriptions to standard attributes",
        "2016-02-10T10:00:00-00:00",
    ),
    (
        "Resource revision numbers",
        "standard-attr-revisions",
        "This extension will display the revision number of neutron resources.",
        "2016-04-11T10:00:00-00:00",
    ),
    (
        "Resource timestamps",
        "standard-attr-timestamp",
        "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.",
        "2016-09-12T10:00:00-00:00",
    ),
    (
        "Tag creation extension",
        "tag-creation",
        "Allow to create multiple tags for a resource",
        "2024-23-07T10:00:00-00:00",
    ),
];

/// All of them, by alias. Of two of one alias a plugin's counts, and of two
/// plugins' the first.
pub(crate) fn all(manifests: &[&Manifest], resources: &[Arc<Resource>]) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    let mut add = |name: &str, alias: &str, description: &str, updated: &str| {
        out.entry(alias.to_owned()).or_insert_with(|| {
            json!({
                "name": name, "alias": alias, "description": description, "updated": updated, "links": [],
            })
        });
    };
    for own in manifests.iter().flat_map(|m| &m.extensions) {
        add(&own.name, &own.alias, &own.description, &own.updated);
    }
    for (name, alias, description, updated) in HOST {
        add(name, alias, description, updated);
    }
    // Neutron's title of this one names the resources.
    let tagged: Vec<&str> = resources.iter().filter(|r| r.tags).map(|r| r.member.as_str()).collect();
    add(
        &format!("Tag support for resources with standard attribute: {}", tagged.join(", ")),
        "standard-attr-tag",
        "Enables to set tag on resources with standard attribute.",
        "2017-01-01T00:00:00-00:00",
    );
    out
}

#[cfg(test)]
mod tests {
    use crate::tables::tests::tables;

    #[test]
    fn the_apis_own_are_listed_beside_the_plugins() {
        let tables = tables();
        for alias in ["polish", "sorting", "standard-attr-tag", "tag-creation"] {
            assert_eq!(tables.extensions[alias]["alias"], alias);
        }
        assert_eq!(
            tables.extensions["standard-attr-tag"]["name"],
            "Tag support for resources with standard attribute: gadget, label, ink_stamp, place, part"
        );
    }
}
