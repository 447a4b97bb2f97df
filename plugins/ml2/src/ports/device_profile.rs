//! The accelerator that Cyborg is to give the port, by its profile's name; given
//! once. In Neutron: `PortDeviceProfileMixin`.

use crate::document::{take, text};
use hadron_sdk::Document;
use hadron_sdk::manifest::{Attribute, Validator};
use hadron_sdk::serde_json::Value;

const NAME: &str = "device_profile";

/// Extensions of the API.
pub(super) const EXTENSIONS: &[(&str, &str, &str, &str)] = &[(
    "Port device profile",
    "port-device-profile",
    "Expose the port device profile (Cyborg)",
    "2020-12-17T10:00:00-00:00",
)];

/// The attribute.
pub(super) fn attribute() -> Attribute {
    Attribute {
        name: NAME.to_owned(),
        validate: Validator::String { max: Some(255) },
        post: true,
        nullable: true,
        default: Some(Value::Null),
        ..Attribute::default()
    }
}

/// Of a new port; an empty name is none.
pub(super) fn create(body: &mut Document, document: &mut Document) {
    if text(body, NAME).is_empty() {
        body.remove(NAME);
    }
    take(body, &[NAME], document);
}
