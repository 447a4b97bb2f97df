//! Templates of rules: what every new security group starts with. In Neutron:
//! `SecurityGroupDefaultRule`, `_create_rules_from_template`.

use crate::address_groups;
use crate::attribute::{boolean, text as text_attribute};
use crate::document::{flag, text};
use crate::manifest::Extension;
use crate::security_group_rules::{self, Rule, of_a_rule, reference};
use crate::security_groups::{self, errors};
use hadron_sdk::manifest::{Attribute, Collection, OnDelete, Standard};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result, random};
use std::collections::HashSet;

pub(crate) const COLLECTION: &str = "default_security_group_rules";

/// A private collection with a mark: templates were made when the plugin was
/// first started. An administrator may have removed them since.
pub(crate) const SEEDED: &str = "seeded_templates";

const MARK: &str = "security-group-rules";

/// Stands for the group that a rule will be in, where a template names a remote
/// group. In Neutron: `PARENT_SG`.
const PARENT: &str = "PARENT";

const USED_IN_DEFAULT: &str = "used_in_default_sg";
const USED_IN_OTHERS: &str = "used_in_non_default_sg";

pub(crate) const POLICY: &[(&str, &str)] = &[
    ("create_default_security_group_rule", "rule:admin_only"),
    ("get_default_security_group_rule", "role:reader"),
    ("delete_default_security_group_rule", "rule:admin_only"),
];

pub(crate) const EXTENSIONS: &[Extension] = &[(
    "Default rules for security groups",
    "security-groups-default-rules",
    "Configure set of security group rules used as default rules for every new security group",
    "2022-12-19T10:00:00-00:00",
)];

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let used = |name: &str| Attribute { put: false, default: None, required: true, ..boolean(name, false) };
    Collection {
        name: COLLECTION.to_owned(),
        member: "default_security_group_rule".to_owned(),
        attributes: of_a_rule()
            .into_iter()
            .chain([
                Attribute { put: false, ..text_attribute("description", 1024) },
                used(USED_IN_DEFAULT),
                used(USED_IN_OTHERS),
            ])
            .collect(),
        references: vec![reference(
            "remote_address_group_id",
            address_groups::COLLECTION,
            OnDelete::Restrict,
        )],
        standard: Standard::NONE,
        without: ["project_id", "tenant_id", "revision_number", "created_at", "updated_at"]
            .map(str::to_owned)
            .to_vec(),
        not_found_says: Some("Default Security Group rule {id} does not exist".to_owned()),
        ..Collection::default()
    }
}

/// The declaration of what is remembered about the first start.
pub(crate) fn seeded() -> Collection {
    Collection {
        name: SEEDED.to_owned(),
        member: "seeded_template".to_owned(),
        private: true,
        ..Collection::default()
    }
}

/// Which groups a template is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The default group of each project.
    DefaultGroups,
    /// All others.
    OtherGroups,
}

impl Of {
    fn attribute(self) -> &'static str {
        match self {
            Of::DefaultGroups => USED_IN_DEFAULT,
            Of::OtherGroups => USED_IN_OTHERS,
        }
    }
}

/// A template.
pub(crate) struct Template(Rule);

impl Template {
    /// The rule that it gives a group.
    pub(crate) fn rule(&self, group: &Document, is_default: bool) -> Document {
        let id = text(group, "id");
        let mut rule = self.0.clone();
        if rule.remote_group.as_deref() == Some(PARENT) {
            rule.remote_group = Some(id.to_owned());
        }
        let body = Document::from_iter([
            ("id".to_owned(), json!(random::uuid())),
            ("project_id".to_owned(), group.get("project_id").cloned().unwrap_or_default()),
            ("security_group_id".to_owned(), json!(id)),
        ]);
        security_group_rules::document(&body, &rule, is_default)
    }
}

/// The templates for these groups, none twice.
pub(crate) fn templates(of: Of) -> Result<Vec<Template>> {
    let rows: Vec<Document> = store::find(COLLECTION, &Query::all().equal(of.attribute(), true))?;
    let mut rules = rows.iter().map(Rule::asked).collect::<Result<Vec<_>>>()?;
    let mut seen = HashSet::new();
    rules.retain(|rule| seen.insert(rule.identity()));
    // A group that a template names may be gone since.
    let named: Vec<&str> =
        rules.iter().filter_map(|rule| rule.remote_group.as_deref()).filter(|id| *id != PARENT).collect();
    if !named.is_empty() {
        let groups: Vec<Document> =
            store::find(security_groups::COLLECTION, &Query::all().any_of("id", named))?;
        let there = |id: &String| id == PARENT || groups.iter().any(|group| text(group, "id") == id);
        rules.retain(|rule| rule.remote_group.as_ref().is_none_or(there));
    }
    Ok(rules.into_iter().map(Template).collect())
}

/// Makes templates.
pub(crate) fn create(ctx: &Context, bodies: &[Document]) -> Result<()> {
    let rules = bodies.iter().map(Rule::asked).collect::<Result<Vec<_>>>()?;
    let groups: Vec<&str> =
        rules.iter().filter_map(|rule| rule.remote_group.as_deref()).filter(|id| *id != PARENT).collect();
    security_groups::permitted(ctx, &ctx.caller.project_id, &groups)?;
    let present: Vec<Document> = store::find(COLLECTION, &Query::all())?;
    for of in [Of::DefaultGroups, Of::OtherGroups] {
        check_duplicates(of, bodies, &rules, &present)?;
    }
    let mut documents = Vec::with_capacity(bodies.len());
    for (body, rule) in bodies.iter().zip(&rules) {
        let mut document = body.clone();
        rule.write(&mut document);
        documents.push(document);
    }
    store::insert(COLLECTION, &documents).map_err(|error| match error {
        InsertError::Store(StoreError::MissingReference(attribute)) => {
            address_groups::not_found(documents.first().map_or("", |document| text(document, &attribute)))
        }
        error => error.into(),
    })
}

/// No two templates of the same groups let the same through.
/// In Neutron: `_check_for_duplicate_default_rules_in_template`.
fn check_duplicates(of: Of, bodies: &[Document], rules: &[Rule], present: &[Document]) -> Result<()> {
    let mut new = HashSet::new();
    for (_, rule) in bodies.iter().zip(rules).filter(|(body, _)| flag(body, of.attribute())) {
        if !new.insert(rule.identity()) {
            return Err(errors::duplicate_default_rule());
        }
    }
    for template in present.iter().filter(|template| flag(template, of.attribute())) {
        if new.contains(&Rule::asked(template)?.identity()) {
            return Err(errors::default_rule_exists(text(template, "id")));
        }
    }
    Ok(())
}

/// Removes templates; the rules that were made after them stay.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    store::delete(COLLECTION, &ids).map_err(Error::from)
}

/// Makes Neutron's four templates when the plugin is started for the first time:
/// everything goes out, and into default groups comes what their own members send.
pub(crate) fn seed() -> Result<()> {
    if store::get::<Document>(SEEDED, MARK)?.is_some() {
        return Ok(());
    }
    store::insert(SEEDED, &[json!({ "id": MARK })])?;
    let mut templates = Vec::new();
    for ethertype in ["IPv4", "IPv6"] {
        for (direction, remote, in_others) in
            [("egress", Value::Null, true), ("ingress", json!(PARENT), false)]
        {
            let body: Document = serde_json::from_value(json!({
                "id": random::uuid(), "direction": direction, "ethertype": ethertype,
                "remote_group_id": remote, USED_IN_DEFAULT: true, USED_IN_OTHERS: in_others,
                "description": format!("Legacy default SG rule for {direction} traffic"),
            }))?;
            let mut document = body.clone();
            Rule::asked(&body)?.write(&mut document);
            templates.push(document);
        }
    }
    Ok(store::insert(COLLECTION, &templates)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(direction: &str, in_default: bool, in_others: bool) -> Document {
        json!({"id": "t", "direction": direction, "ethertype": "IPv4", USED_IN_DEFAULT: in_default,
            USED_IN_OTHERS: in_others})
        .as_object()
        .unwrap()
        .clone()
    }

    #[test]
    fn the_same_template_twice_is_refused_only_for_the_same_groups() {
        let check = |of, bodies: &[Document], present: &[Document]| {
            let rules: Vec<Rule> = bodies.iter().map(|body| Rule::asked(body).unwrap()).collect();
            check_duplicates(of, bodies, &rules, present).map_err(|error| error.fault().kind.clone())
        };
        let (ours, others) = (template("ingress", true, false), template("ingress", false, true));
        let exists = Err("DefaultSecurityGroupRuleExists".to_owned());
        let twice = Err("DuplicateDefaultSgRuleInPost".to_owned());
        for of in [Of::DefaultGroups, Of::OtherGroups] {
            assert_eq!(check(of, std::slice::from_ref(&ours), std::slice::from_ref(&others)), Ok(()));
            assert_eq!(check(of, &[ours.clone(), others.clone()], &[]), Ok(()));
        }
        assert_eq!(
            check(Of::DefaultGroups, std::slice::from_ref(&ours), std::slice::from_ref(&ours)),
            exists
        );
        assert_eq!(check(Of::OtherGroups, &[others.clone(), others], &[]), twice);
    }
}
