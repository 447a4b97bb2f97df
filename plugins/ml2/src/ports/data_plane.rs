//! What somebody who watches the data plane says of a port, beside what its
//! driver says. In Neutron: `DataPlaneStatusMixin`.

use hadron_sdk::Document;
use hadron_sdk::manifest::{Attribute, Validator};
use hadron_sdk::serde_json::{Value, json};

const NAME: &str = "data_plane_status";

/// Default rules.
pub(super) const POLICY: &[(&str, &str)] =
    &[("update_port:data_plane_status", "rule:admin_only or role:data_plane_integrator")];

/// Extensions of the API.
pub(super) const EXTENSIONS: &[(&str, &str, &str, &str)] = &[(
    "Port data plane status extension",
    "data-plane-status",
    "Expose status of underlying data plane",
    "2017-01-24T10:00:00-00:00",
)];

/// The attribute.
pub(super) fn attribute() -> Attribute {
    Attribute {
        name: NAME.to_owned(),
        validate: Validator::Enum { values: vec![json!("ACTIVE"), json!("DOWN")] },
        put: true,
        nullable: true,
        enforce: true,
        ..Attribute::default()
    }
}

/// Of a new port nobody has said anything.
pub(super) fn create(document: &mut Document) {
    document.insert(NAME.to_owned(), Value::Null);
}
