//! Whether an instance sees its card's uplink go down; said once.
//! In Neutron: `UplinkStatusPropagationMixin`.

use crate::document::take;
use hadron_sdk::Document;
use hadron_sdk::manifest::{Attribute, Validator};
use hadron_sdk::serde_json::json;

const NAME: &str = "propagate_uplink_status";

/// Extensions of the API.
pub(super) const EXTENSIONS: &[(&str, &str, &str, &str)] = &[(
    "Uplink status propagation extension",
    "uplink-status-propagation",
    "Provides ability to propagate port uplink status.",
    "2018-05-31T18:00:00-00:00",
)];

/// The attribute.
pub(super) fn attribute() -> Attribute {
    Attribute {
        name: NAME.to_owned(),
        validate: Validator::Boolean,
        post: true,
        default: Some(json!(true)),
        ..Attribute::default()
    }
}

/// Of a new port; those that the server makes itself propagate it too.
pub(super) fn create(body: &mut Document, document: &mut Document) {
    take(body, &[NAME], document);
    if document.get(NAME).is_none_or(|value| value.is_null()) {
        document.insert(NAME.to_owned(), json!(true));
    }
}
