//! Address groups: networks that rules of security groups name together.
//! In Neutron: `AddressGroupDbMixin`.

mod addresses;
mod errors;

pub(crate) use errors::not_found;

use crate::attribute::{boolean, text as text_attribute};
use crate::document::{distinct, text, typed};
use crate::manifest::Extension;
use crate::security_group_rules;
use crate::sharing::{self, ACCESS_SHARED, Shareable};
use addresses::Addresses;
use hadron_sdk::manifest::{Action, Attribute, Collection, Rbac, Standard, Tags, Takes, Validator, Verb};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Result};

pub(crate) const COLLECTION: &str = "address_groups";

const ADD: &str = "add_addresses";
const REMOVE: &str = "remove_addresses";

pub(crate) const POLICY: &[(&str, &str)] = &[
    ("shared_address_groups", "field:address_groups:shared=True"),
    ("create_address_group", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    (
        "get_address_group",
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_address_groups",
    ),
    ("update_address_group", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
    ("delete_address_group", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
];

pub(crate) const EXTENSIONS: &[Extension] = &[
    ("Address group", "address-group", "Support address group", "2020-07-15T10:00:00-00:00"),
    (
        "Add address_group type to RBAC",
        "rbac-address-group",
        "Add address_group type to network RBAC",
        "2021-01-20T00:00:00-00:00",
    ),
];

/// How policies share groups: who uses one has rules about it.
pub(crate) const SHARING: Shareable = Shareable {
    object_type: "address_group",
    collection: COLLECTION,
    users: |id| {
        let rules: Vec<Document> = store::find(
            security_group_rules::COLLECTION,
            &Query::all().equal("remote_address_group_id", id),
        )?;
        Ok(distinct(&rules, "project_id"))
    },
    not_found,
};

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: COLLECTION.to_owned(),
        member: "address_group".to_owned(),
        attributes: vec![
            text_attribute("name", 255),
            Attribute { post: true, nullable: true, ..addresses_attribute(true) },
            text_attribute("description", 1024),
            // Only policy asks for it.
            Attribute {
                post: false,
                put: false,
                default: None,
                filter: false,
                hidden: true,
                rbac: Some(ACCESS_SHARED.to_owned()),
                ..boolean("shared", false)
            },
        ],
        actions: [ADD, REMOVE]
            .into_iter()
            .map(|name| Action {
                name: name.to_owned(),
                verb: Verb::Update,
                path: None,
                takes: Some(Takes {
                    member: None,
                    // Some may be named twice.
                    attributes: vec![Attribute { required: true, ..addresses_attribute(false) }],
                }),
            })
            .collect(),
        rbac: Some(Rbac {
            object_type: SHARING.object_type.to_owned(),
            actions: vec![ACCESS_SHARED.to_owned()],
        }),
        standard: Standard { tags: Tags::None, ..Standard::default() },
        ..Collection::default()
    }
}

fn addresses_attribute(unique: bool) -> Attribute {
    let items = Box::new(Validator::String { max: None });
    Attribute {
        name: "addresses".to_owned(),
        validate: Validator::List { items, unique },
        ..Attribute::default()
    }
}

/// Refuses groups that there are not, or that rules of this project cannot name.
/// In Neutron: `check_address_group`.
pub(crate) fn check_permitted(ctx: &Context, project: &str, ids: &[&str]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let groups: Vec<Document> = store::find(COLLECTION, &Query::all().any_of("id", ids.iter().copied()))?;
    for id in ids {
        let group = groups.iter().find(|group| text(group, "id") == *id).ok_or_else(|| not_found(id))?;
        let own = ctx.caller.is_admin || text(group, "project_id") == project;
        if !own && !sharing::allows_project(COLLECTION, id, project)? {
            return Err(not_found(id));
        }
    }
    Ok(())
}

/// Makes groups.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    let mut documents = bodies;
    for document in &mut documents {
        let given: Vec<String> = typed(document, "addresses")?;
        addresses::check_given(&given)?;
        document.insert("addresses".to_owned(), json!(Addresses::given(&given)?.list()));
    }
    Ok(store::insert(COLLECTION, &documents)?)
}

/// Changes a group's name or description.
pub(crate) fn update(id: &str, changes: &Document) -> Result<()> {
    store::update::<Document>(COLLECTION, id, changes).map(drop)
}

/// Adds addresses, or removes some. The row is held, so that of two requests at
/// once each finds what the other did.
pub(crate) fn act(id: &str, action: &str, body: &Value) -> Result<Value> {
    store::lock(COLLECTION, id)?;
    let group: Document = store::get(COLLECTION, id)?.ok_or_else(|| not_found(id))?;
    let present = Addresses::kept(typed(&group, "addresses")?);
    let given = body.as_object().map_or(Ok(Vec::new()), |body| typed(body, "addresses"))?;
    let given = Addresses::given(&given)?;
    let after = if action == ADD { present.with(&given, id)? } else { present.without(&given, id)? };
    let shown = if after == present {
        group
    } else {
        store::update::<Document>(COLLECTION, id, &json!({ "addresses": after.list() }))?
    };
    Ok(json!({ "address_group": shown }))
}

/// Removes groups that no rule names.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        let id = text(document, "id");
        store::delete(COLLECTION, &[id.to_owned()]).map_err(|error| match error {
            StoreError::InUse(_) => errors::in_use(id),
            other => Error::from(other),
        })?;
    }
    Ok(())
}
