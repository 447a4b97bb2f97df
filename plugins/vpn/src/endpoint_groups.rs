//! Groups of endpoints: what is at one side of a connection. In Neutron:
//! `VPNEndpointGroup`.

use crate::attributes::{collection, description, fixed, name, one_of, or_else, required, string};
use crate::{algorithms, connections, endpoints, errors, ids, outside, text};
use hadron_sdk::manifest::{Attribute, Collection, ListTable, ListTableColumn, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Result};
use serde::Deserialize;

/// The collection.
pub(crate) const COLLECTION: &str = "endpoint_groups";
/// The hidden attribute with those endpoints that are subnets, so that these stay.
pub(crate) const SUBNETS: &str = "subnets";

/// A group's row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) project_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) endpoints: Vec<String>,
}

impl Group {
    /// Those of its endpoints that are subnets.
    pub(crate) fn subnets(&self) -> impl Iterator<Item = &str> {
        let all = (self.kind == endpoints::SUBNET).then_some(&self.endpoints);
        all.into_iter().flatten().map(String::as_str)
    }

    /// A group of another type is no such side.
    pub(crate) fn check_type(&self, expected: &str) -> Result<()> {
        match self.kind == expected {
            true => Ok(()),
            false => Err(errors::wrong_group_type(&self.id, &self.kind, expected)),
        }
    }
}

/// A group that the caller sees.
pub(crate) fn seen_by(ctx: &Context, id: &str) -> Result<Group> {
    let group: Option<Group> = store::get(COLLECTION, id)?;
    let is_seen = |group: &Group| ctx.caller.is_admin || group.project_id == ctx.caller.project_id;
    group.filter(is_seen).ok_or_else(|| errors::group_not_found(id))
}

/// Groups that this subnet is in.
pub(crate) fn with_subnet(subnet: &str) -> Result<Vec<Group>> {
    store::find(COLLECTION, &Query::all().equal(SUBNETS, subnet))
}

/// Makes a group.
pub(crate) fn create(ctx: &Context, mut body: Document) -> Result<()> {
    let kind = text(&body, "type").to_owned();
    let given: Vec<String> =
        Option::deserialize(body.get("endpoints").unwrap_or(&Value::Null))?.unwrap_or_default();
    if given.is_empty() {
        return Err(errors::no_endpoints(&as_python(&body)));
    }
    endpoints::check(&kind, &given)?;
    let subnets: &[String] = if kind == endpoints::SUBNET { &given } else { &[] };
    let seen = outside::seen_subnets(ctx, subnets)?;
    if let Some(missing) = subnets.iter().find(|id| !seen.iter().any(|subnet| subnet.id == **id)) {
        return Err(errors::no_such_subnet(missing));
    }
    body.insert(SUBNETS.to_owned(), json!(subnets));
    store::insert(COLLECTION, &[body]).map_err(|error| match (error, subnets.first()) {
        (InsertError::Store(StoreError::MissingReference(_)), Some(first)) => errors::no_such_subnet(first),
        (other, _) => other.into(),
    })
}

/// A group without endpoints, as Neutron's message shows it.
fn as_python(body: &Document) -> String {
    let said = ["type", "name", "description", "tenant_id", "project_id"].map(|name| {
        let value = if name == "tenant_id" { "project_id" } else { name };
        format!("'{name}': '{}'", text(body, value))
    });
    format!("{{'endpoints': [], {}}}", said.join(", "))
}

/// Renames a group.
pub(crate) fn update(id: &str, changes: &Document) -> Result<()> {
    store::update::<Document>(COLLECTION, id, changes).map(drop)
}

/// Removes groups that are no side of any connection.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        let id = text(document, "id");
        // Nor become one meanwhile: what the reference would say is no 400.
        store::lock(COLLECTION, id)?;
        for side in connections::SIDES {
            if store::count(connections::COLLECTION, &Query::all().equal(side, id))? > 0 {
                return Err(errors::group_in_use(id));
            }
        }
    }
    Ok(store::delete(COLLECTION, &ids(documents))?)
}

/// The declaration of the collection.
pub(crate) fn declaration() -> Collection {
    let column = |references: Option<&str>| ListTable {
        columns: vec![ListTableColumn {
            name: "value".to_owned(),
            references: references.map(str::to_owned),
            filter: true,
        }],
        keys: Vec::new(),
    };
    let list = |items: Validator| Validator::List { items: Box::new(items), unique: false };
    Collection {
        attributes: vec![
            name(),
            description(),
            required(fixed("type", one_of(&algorithms::ENDPOINTS))),
            Attribute {
                nullable: true,
                filter: false,
                ..or_else(json!([]), fixed("endpoints", list(string())))
            },
            Attribute {
                name: SUBNETS.to_owned(),
                validate: list(Validator::Uuid),
                hidden: true,
                list: Some(column(Some(outside::SUBNETS))),
                ..Attribute::default()
            },
        ],
        not_found: Some("VPNEndpointGroupNotFound".to_owned()),
        not_found_says: Some("Endpoint group {id} could not be found".to_owned()),
        ..collection(COLLECTION, "endpoint_group")
    }
}
