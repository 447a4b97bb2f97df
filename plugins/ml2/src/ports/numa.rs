//! Where the host puts an instance's memory in respect of the port's card, for
//! Nova. In Neutron: `PortNumaAffinityPolicyDbMixin`.

use crate::binding;
use crate::document::{take, text};
use hadron_sdk::manifest::{Attribute, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Error, Result};

const NAME: &str = "numa_affinity_policy";

/// Extensions of the API.
pub(super) const EXTENSIONS: &[(&str, &str, &str, &str)] = &[
    (
        "Port NUMA affinity policy",
        "port-numa-affinity-policy",
        "Expose the port NUMA affinity policy",
        "2020-07-08T10:00:00-00:00",
    ),
    (
        "Port NUMA affinity policy \"socket\"",
        "port-numa-affinity-policy-socket",
        "Adds \"socket\" to the supported port NUMA affinity policies",
        "2024-02-09T10:00:00-00:00",
    ),
];

/// The attribute.
pub(super) fn attribute() -> Attribute {
    let values = ["required", "preferred", "legacy", "socket"].map(|policy| json!(policy)).to_vec();
    Attribute {
        name: NAME.to_owned(),
        validate: Validator::Enum { values },
        post: true,
        put: true,
        nullable: true,
        default: Some(Value::Null),
        ..Attribute::default()
    }
}

/// Of a new port.
pub(super) fn create(body: &mut Document, document: &mut Document) {
    take(body, &[NAME], document);
}

/// A port that is plugged in keeps its policy; to name the same again is refused
/// too, as in Neutron.
pub(super) fn check_update(current: &Document, changes: &Document) -> Result<()> {
    let Some(asked) = changes.get(NAME) else { return Ok(()) };
    if binding::is_unplugged(text(current, "binding:vif_type")) {
        return Ok(());
    }
    Err(Error::conflict(
        "PortBoundNUMAAffinityPolicy",
        format!(
            "Unable to complete operation on port {}, port is already bound to host {}, {NAME} value given {}.",
            text(current, "id"),
            text(current, "binding:host_id"),
            asked.as_str().unwrap_or("None"),
        ),
    ))
}
