//! Resources as agents know them: objects of a kind and a version, which agents
//! ask for (`pull`, `bulk_pull`) and are told of when they change (`push`). In
//! Neutron: `neutron.objects`, `neutron.api.rpc.callbacks`.
#![deny(unsafe_code)]

mod asked;
mod fields;
mod pushed;
mod version;

pub use asked::{Had, answer, is_asking, topic};
pub use pushed::{Event, RELAY, push, relay, relayed};
pub use version::Version;

use hadron_sdk::Document;
use hadron_sdk::serde_json::{Map, Value, json};
use std::borrow::Cow;

/// A kind of objects, at the newest version that is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// As agents call it: `Port`.
    pub name: Cow<'static, str>,
    /// 1.11 is 11: the first number of all versions is 1.
    pub minor: u32,
}

impl Kind {
    /// The kind of that name and newest version.
    pub const fn new(name: &'static str, minor: u32) -> Kind {
        Kind { name: Cow::Borrowed(name), minor }
    }

    /// The version in which agents that report `understood` are told of it: theirs,
    /// unless it is newer than what is known here, or of another world.
    pub fn version_for(&self, understood: &str) -> Option<Version> {
        Version::parse(understood).filter(|version| version.minor() <= self.minor)
    }

    /// One object of it; `fields` are all that the newest version has.
    pub fn object(self, fields: impl IntoIterator<Item = (&'static str, Value)>) -> Object {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Object { kind: self, fields }
    }
}

/// An object, with all its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    kind: Kind,
    fields: Map<String, Value>,
}

impl Object {
    /// The object whose newest form this is; none where it is no object.
    fn read(primitive: &Value) -> Option<Object> {
        let name = primitive.get("versioned_object.name")?.as_str()?.to_owned();
        let version = Version::parse(primitive.get("versioned_object.version")?.as_str()?)?;
        let fields = primitive.get("versioned_object.data")?.as_object()?.clone();
        Some(Object { kind: Kind { name: Cow::Owned(name), minor: version.minor() }, fields })
    }

    /// As it is sent within another one, or where only one version is known.
    pub fn newest(self) -> Value {
        let minor = self.kind.minor;
        self.primitive(minor)
    }

    /// As it is sent to those who understand this version of its kind: without
    /// the fields that came later, and so are the objects in it.
    pub fn at(mut self, version: Version) -> Value {
        fields::leave_out(&self.kind.name, version.minor(), &mut self.fields);
        self.primitive(version.minor())
    }

    fn primitive(self, minor: u32) -> Value {
        json!({
            "versioned_object.name": self.kind.name,
            "versioned_object.namespace": "versionedobjects",
            "versioned_object.version": format!("1.{minor}"),
            "versioned_object.data": self.fields,
        })
    }
}

/// The fields of a primitive that an agent sent, or the plain object that older
/// agents send.
pub fn fields_of(sent: &Value) -> Option<&Document> {
    sent.get("versioned_object.data").unwrap_or(sent).as_object()
}

/// A dictionary as agents expect it: its text.
pub fn text_of(dictionary: Option<&Value>) -> Value {
    let empty = || json!({});
    Value::from(dictionary.filter(|value| !value.is_null()).cloned().unwrap_or_else(empty).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: Kind = Kind::new("Port", 11);

    #[test]
    fn an_object_is_sent_as_those_who_hear_it_understand_it() {
        let object = PORT.object([("id", json!("p")), ("hints", Value::Null), ("pvlan_type", Value::Null)]);
        let newest = object.clone().newest();
        assert_eq!(newest["versioned_object.version"], "1.11");
        assert_eq!(newest["versioned_object.data"].as_object().unwrap().len(), 3);
        let old = object.at(Version::parse("1.8").unwrap());
        assert_eq!(
            old,
            json!({"versioned_object.name": "Port", "versioned_object.namespace": "versionedobjects",
                "versioned_object.version": "1.8", "versioned_object.data": {"id": "p", "hints": null}})
        );
        assert_eq!(fields_of(&old).unwrap()["id"], "p");
        assert_eq!(fields_of(&json!({"id": "q"})).unwrap()["id"], "q");
    }

    #[test]
    fn versions_that_are_not_known_here_are_nobody_s() {
        assert_eq!(PORT.version_for("1.11").map(|version| version.to_string()), Some("1.11".to_owned()));
        assert_eq!(PORT.version_for("1.9").map(|version| version.minor()), Some(9));
        for unknown in ["1.12", "2.0", "1", "", "1.x", "1.1.1"] {
            assert_eq!(PORT.version_for(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn dictionaries_are_texts() {
        assert_eq!(text_of(None), "{}");
        assert_eq!(text_of(Some(&Value::Null)), "{}");
        assert_eq!(text_of(Some(&json!({"a": 1}))), r#"{"a":1}"#);
    }
}
