//! Objects that agents ask for. In Neutron: `ResourcesPullRpcCallback`.

use crate::{Kind, Object, Version};
use hadron_sdk::manifest::Topic;
use hadron_sdk::serde_json::{Map, Value};
use hadron_sdk::store::Query;
use hadron_sdk::{Document, Error, Result};
use serde::Deserialize;

/// The topic on which they do, whichever plugin has the objects.
const TOPIC: &str = "q-plugin";

/// The methods by which they do.
const METHODS: [&str; 2] = ["pull", "bulk_pull"];

/// Objects of a kind that a plugin has.
pub struct Had {
    /// Their kind.
    pub kind: Kind,
    /// Fields by which agents ask for them, each with its attribute.
    pub fields: &'static [(&'static str, &'static str)],
    /// The field of which `pull` names the value.
    pub pulled_by: &'static str,
    /// Rows that fit.
    pub find: fn(&Query) -> Result<Vec<Document>>,
    /// Rows as objects.
    pub objects: fn(&[Document]) -> Result<Vec<Object>>,
}

/// What agents ask for.
#[derive(Clone, Debug, Deserialize)]
struct Asked {
    /// A kind's name.
    resource_type: String,
    /// The version that the agent understands.
    version: String,
    /// Of `pull`: which one.
    #[serde(default)]
    resource_id: String,
    /// Of `bulk_pull`: of each field, the values of which it must have one.
    #[serde(default)]
    filter_kwargs: Option<Map<String, Value>>,
}

/// The topic, as a plugin's manifest names it: whoever asks changes nothing.
pub fn topic() -> Topic {
    Topic::new(TOPIC).reads(&METHODS)
}

/// Whether a message on a topic asks for objects.
pub fn is_asking(topic: &str, method: &str) -> bool {
    topic == TOPIC && METHODS.contains(&method)
}

/// Answers an agent. Another plugin may have the kinds that are not among these.
pub fn answer(had: &[Had], method: &str, arguments: &Value) -> Result<Value> {
    let asked = Asked::deserialize(arguments)
        .map_err(|error| Error::invalid_input(format!("what is asked for cannot be read: {error}")))?;
    let kind = asked.resource_type.as_str();
    let had =
        had.iter().find(|had| had.kind.name == kind).ok_or_else(|| Error::no_such_method(TOPIC, method))?;
    let version = asked.version(&had.kind)?;
    let is_one = method == METHODS[0];
    let query = if is_one { asked.one(had) } else { asked.query(had.fields)? };
    let mut objects = (had.objects)(&(had.find)(&query)?)?.into_iter().map(|object| object.at(version));
    if is_one { Ok(objects.next().unwrap_or_default()) } else { Ok(objects.collect()) }
}

impl Asked {
    /// In Neutron: `IncompatibleObjectVersion`.
    fn version(&self, kind: &Kind) -> Result<Version> {
        kind.version_for(&self.version).ok_or_else(|| {
            Error::invalid(
                "IncompatibleObjectVersion",
                format!("Version {} of {} is not supported", self.version, kind.name),
            )
        })
    }

    fn one(&self, had: &Had) -> Query {
        Query::all().equal(had.pulled_by, self.resource_id.as_str())
    }

    fn query(&self, fields: &[(&str, &str)]) -> Result<Query> {
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

    const PORTS: Had = Had {
        kind: Kind::new("Port", 11),
        fields: &[("security_group_ids", "security_groups.value"), ("device_owner", "device_owner")],
        pulled_by: "id",
        find: |query| {
            let conditions = query.conditions.iter();
            let row = |c: &hadron_sdk::store::Condition| {
                Document::from_iter([("id".to_owned(), json!(format!("{} {}", c.attribute, c.values.len())))])
            };
            Ok(conditions.map(row).collect())
        },
        objects: |rows| Ok(rows.iter().map(|row| PORTS.kind.object([("id", row["id"].clone())])).collect()),
    };

    fn ask(method: &str, mut more: Value) -> Result<Vec<Value>> {
        let asked = more.as_object_mut().unwrap();
        asked.entry("resource_type").or_insert(json!("Port"));
        asked.entry("version").or_insert(json!("1.11"));
        let answer = answer(&[PORTS], method, &more)?;
        let several = answer.as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
        Ok(several.iter().map(|one| one["versioned_object.data"]["id"].clone()).collect())
    }

    #[test]
    fn objects_are_asked_for_by_their_fields() {
        let filters = json!({"filter_kwargs": {"security_group_ids": ["a", "b"], "device_owner": "x"}});
        let mut answered = ask("bulk_pull", filters).unwrap();
        answered.sort_by_key(Value::to_string);
        assert_eq!(answered, [json!("device_owner 1"), json!("security_groups.value 2")]);
        assert_eq!(ask("pull", json!({"resource_id": "p"})).unwrap(), [json!("id 1")]);
        assert_eq!(ask("bulk_pull", json!({})).unwrap(), [] as [Value; 0]);
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        let refusal = |more: Value| ask("bulk_pull", more).unwrap_err().fault().message.clone();
        assert!(
            refusal(json!({"filter_kwargs": {"nosuch": ["a"]}}))
                .contains("Port cannot be asked for by 'nosuch'")
        );
        assert_eq!(refusal(json!({"version": "1.12"})), "Version 1.12 of Port is not supported");
        assert!(refusal(json!({"version": 5})).contains("cannot be read"));
        let unknown = ask("bulk_pull", json!({"resource_type": "Nothing"})).unwrap_err();
        assert_eq!(unknown.fault().kind, Error::no_such_method(TOPIC, "bulk_pull").fault().kind);
    }
}
