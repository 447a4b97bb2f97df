//! Topics of the message bus.

use serde::{Deserialize, Serialize};

/// A topic whose messages are handed to a plugin. In JSON a name alone, or an
/// object where there is more to say.
///
/// A topic may be declared several times, with one namespace each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Topic {
    /// Its name, e.g. `q-reports-plugin`.
    pub name: String,
    /// The newest version understood, as `1.4`: messages of 1.0 to 1.4 are
    /// handed over, others are answered with `UnsupportedVersion`. Where it is
    /// not said, messages of every version are.
    pub version: Option<String>,
    /// Messages in this namespace, where it is said; else those in none.
    pub namespace: Option<String>,
    /// Methods that change and send nothing: they are handled on connections for
    /// reading and wait for no writer. What they would write or send is refused.
    pub reads: Vec<String>,
}

impl Topic {
    /// A topic, of every version and in no namespace.
    pub fn new(name: impl Into<String>) -> Topic {
        Topic { name: name.into(), version: None, namespace: None, reads: Vec::new() }
    }

    /// Up to this version.
    pub fn version(mut self, version: &str) -> Topic {
        self.version = Some(version.to_owned());
        self
    }

    /// In this namespace.
    pub fn namespace(mut self, namespace: &str) -> Topic {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// With these methods that only read.
    pub fn reads(mut self, methods: &[&str]) -> Topic {
        self.reads.extend(methods.iter().map(|method| (*method).to_owned()));
        self
    }
}

impl From<&str> for Topic {
    fn from(name: &str) -> Topic {
        Topic::new(name)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Whole(Whole),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reads: Vec<String>,
}

impl From<Written> for Topic {
    fn from(written: Written) -> Topic {
        match written {
            Written::Name(name) => Topic::new(name),
            Written::Whole(Whole { name, version, namespace, reads }) => {
                Topic { name, version, namespace, reads }
            }
        }
    }
}

impl From<Topic> for Written {
    fn from(Topic { name, version, namespace, reads }: Topic) -> Written {
        match (version, namespace) {
            (None, None) if reads.is_empty() => Written::Name(name),
            (version, namespace) => Written::Whole(Whole { name, version, namespace, reads }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_topic_is_a_name_or_more() {
        let written = json!([
            "plain",
            {"name": "t", "version": "1.4", "namespace": "n"},
            {"name": "r", "reads": ["pull"]},
        ]);
        let topics: Vec<Topic> = serde_json::from_value(written.clone()).unwrap();
        let expected = [
            Topic::new("plain"),
            Topic::new("t").version("1.4").namespace("n"),
            Topic::new("r").reads(&["pull"]),
        ];
        assert_eq!(topics, expected);
        assert_eq!(serde_json::to_value(&topics).unwrap(), written);
        assert!(serde_json::from_value::<Topic>(json!({"name": "t", "vesrion": "1"})).is_err());
    }
}
