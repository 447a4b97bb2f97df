//! RBAC policies: who may do what with single rows of other projects. Which
//! rows, and what can be allowed, other plugins declare; the host looks the
//! policies up in the queries that read those rows. In Neutron:
//! `RbacPluginMixin`.
#![deny(unsafe_code)]

mod checks;
mod manifest;

use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{InsertError, StoreError};
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin, rbac, store};

/// The one collection.
const COLLECTION: &str = "rbac_policies";

/// The plugin.
pub struct RbacPolicies;

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn not_written(error: InsertError, object_id: &str) -> Error {
    match error {
        InsertError::Store(StoreError::Duplicate(_)) => {
            Error::conflict("DuplicateRbacPolicy", "An RBAC policy already exists with those values.")
        }
        InsertError::Store(StoreError::MissingReference(_)) => {
            Error::invalid_input(format!("The object {object_id} could not be found"))
        }
        other => other.into(),
    }
}

impl ServicePlugin for RbacPolicies {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn create(_: &Context, _: &str, bodies: Vec<Document>) -> Result<()> {
        let kinds = rbac::kinds();
        let mut documents = Vec::with_capacity(bodies.len());
        for mut body in bodies {
            let object_type = checks::object_type(&kinds, text(&body, "object_type"))?;
            checks::action(&kinds, &object_type, text(&body, "action"))?;
            checks::target(body.get("target_tenant").unwrap_or(&Value::Null))?;
            body.insert("object_type".to_owned(), Value::from(object_type));
            documents.push(body);
        }
        let object = documents.first().map(|document| text(document, "object_id")).unwrap_or_default();
        store::insert(COLLECTION, &documents).map_err(|error| not_written(error, object))
    }

    fn update(_: &Context, _: &str, id: &str, current: Document, changes: Document) -> Result<()> {
        if let Some(target) = changes.get("target_tenant") {
            checks::target(target)?;
        }
        store::try_update(COLLECTION, id, &changes)
            .map_err(|error| not_written(error, text(&current, "object_id")))
            .map(drop)
    }

    fn delete(_: &Context, _: &str, documents: Vec<Document>) -> Result<()> {
        let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
        Ok(store::delete(COLLECTION, &ids)?)
    }
}

hadron_sdk::service_plugin!(RbacPolicies);
