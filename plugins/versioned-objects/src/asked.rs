//! Objects that agents ask for. In Neutron: `ResourcesPullRpcCallback`.

use crate::{Kind, Version};
use hadron_sdk::serde_json::{Map, Value};
use hadron_sdk::store::Query;
use hadron_sdk::{Error, Result};
use serde::Deserialize;

/// The methods by which they do, of the topic `q-plugin`; they change nothing.
pub const METHODS: [&str; 2] = ["pull", "bulk_pull"];

/// What an agent asks for.
#[derive(Clone, Debug, Deserialize)]
pub struct Asked {
    /// A kind's name.
    resource_type: String,
    /// The version that it understands.
    version: String,
    /// Of `pull`: which one.
    #[serde(default)]
    resource_id: String,
    /// Of `bulk_pull`: of each field, the values of which it must have one.
    #[serde(default)]
    filter_kwargs: Option<Map<String, Value>>,
}

impl Asked {
    /// Reads a request's arguments.
    pub fn of(arguments: &Value) -> Result<Asked> {
        Asked::deserialize(arguments)
            .map_err(|error| Error::invalid_input(format!("what is asked for cannot be read: {error}")))
    }

    /// The name of the kind.
    pub fn kind(&self) -> &str {
        &self.resource_type
    }

    /// The id of the one that is asked for.
    pub fn id(&self) -> &str {
        &self.resource_id
    }

    /// The version to answer in. In Neutron: `IncompatibleObjectVersion`.
    pub fn version(&self, kind: Kind) -> Result<Version> {
        kind.version_for(&self.version).ok_or_else(|| {
            Error::invalid(
                "IncompatibleObjectVersion",
                format!("Version {} of {} is not supported", self.version, kind.name),
            )
        })
    }

    /// The rows that are asked for: by fields that are attributes of the same
    /// name, or of the name beside.
    pub fn query(&self, fields: &[(&str, &str)]) -> Result<Query> {
        let mut query = Query::all();
        for (field, wanted) in self.filter_kwargs.iter().flatten() {
            let (_, attribute) = fields.iter().find(|(name, _)| name == field).ok_or_else(|| {
                Error::invalid_input(format!("{} cannot be asked for by '{field}'", self.resource_type))
            })?;
            let values = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
            query = query.any_of(attribute, values);
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    #[test]
    fn what_is_asked_for_is_read() {
        let asked = json!({"resource_type": "Port", "version": "1.11",
            "filter_kwargs": {"security_group_ids": ["a", "b"], "device_owner": "x"}});
        let asked = Asked::of(&asked).unwrap();
        let port = Kind::new("Port", 11);
        assert_eq!((asked.kind(), asked.version(port).unwrap().minor()), ("Port", 11));
        let query = asked
            .query(&[("security_group_ids", "security_groups.value"), ("device_owner", "device_owner")])
            .unwrap();
        let mut read: Vec<_> =
            query.conditions.iter().map(|c| (c.attribute.as_str(), c.values.len())).collect();
        read.sort_unstable();
        assert_eq!(read, [("device_owner", 1), ("security_groups.value", 2)]);
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        assert!(Asked::of(&json!({})).is_err());
        let asked = json!({"resource_type": "Port", "version": "1.11", "filter_kwargs": {"nosuch": ["a"]}});
        let refused = Asked::of(&asked).unwrap().query(&[("id", "id")]).unwrap_err();
        assert!(refused.fault().message.contains("Port cannot be asked for by 'nosuch'"));
        let asked =
            Asked::of(&json!({"resource_type": "Port", "version": "1.12", "resource_id": "p"})).unwrap();
        assert_eq!(asked.id(), "p");
        let refused = asked.version(Kind::new("Port", 11)).unwrap_err();
        assert_eq!(refused.fault().message, "Version 1.12 of Port is not supported");
    }
}
