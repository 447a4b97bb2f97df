//! Writes down which deletions of networks, subnets and ports it hears of, as
//! rows of its own; vetoes those of rows whose name is `keep`.
#![deny(unsafe_code)]

use hadron_sdk::events::{Event, Moment};
use hadron_sdk::manifest::{self, Attribute, Collection, Subscription, Validator};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin, store};

/// The plugin.
pub struct Listener;

impl ServicePlugin for Listener {
    fn manifest() -> Manifest {
        let text = |name: &str| Attribute {
            name: name.into(),
            validate: Validator::String { max: None },
            ..Attribute::default()
        };
        Manifest {
            collections: vec![Collection {
                name: "heards".into(),
                member: "heard".into(),
                attributes: ["moment", "collection", "about"].map(text).into(),
                ..Collection::default()
            }],
            events: ["networks", "subnets", "ports"]
                .map(|collection| Subscription {
                    collection: collection.into(),
                    on: vec![manifest::Moment::BeforeDelete, manifest::Moment::AfterDelete],
                })
                .into(),
            ..hadron_sdk::manifest!("listener", "hears of deletions")
        }
    }

    fn notify(_: &Context, event: Event) -> Result<()> {
        let moment = if event.moment == Moment::BeforeDelete { "before" } else { "after" };
        let mut rows = Vec::new();
        for text in &event.documents {
            let about: Document = serde_json::from_str(text)?;
            let id = about.get("id").and_then(Value::as_str).unwrap_or_default();
            if about.get("name").is_some_and(|name| name == "keep") {
                return Err(Error::conflict("Kept", format!("{id} is to be kept")));
            }
            let row = json!({"id": format!("{moment}-{id}"), "moment": moment, "collection": event.collection, "about": id});
            rows.push(row);
        }
        Ok(store::insert("heards", &rows)?)
    }
}

hadron_sdk::service_plugin!(Listener);
