//! Bindings as the API shows and lists them.

use crate::binding::Binding;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Error, Result};

/// What a list can be filtered by.
const FILTERS: [&str; 4] = ["host", "vif_type", "vnic_type", "status"];

/// The parameter that names the attributes to show.
const FIELDS: &str = "fields";

/// A binding.
pub(super) fn of(binding: &Binding, active: bool) -> Value {
    json!({
        "host": binding.host,
        "vif_type": binding.vif_type,
        "vnic_type": binding.vnic_type,
        "status": if active { "ACTIVE" } else { "INACTIVE" },
        "profile": binding.profile,
        "vif_details": binding.vif_details,
    })
}

/// Those that a query asks for, and of them what it asks for.
pub(super) fn filtered(mut listed: Vec<Value>, query: &Document) -> Result<Vec<Value>> {
    let unknown: Vec<String> = query
        .keys()
        .filter(|name| *name != FIELDS && !FILTERS.contains(&name.as_str()))
        .map(|name| format!("'{name}'"))
        .collect();
    if !unknown.is_empty() {
        let message = format!("[{}] is invalid attribute for filtering", unknown.join(", "));
        return Err(Error::invalid("HTTPBadRequest", message));
    }
    for name in FILTERS {
        if let Some(wanted) = query.get(name) {
            listed
                .retain(|binding| binding.get(name).is_some_and(|value| values(wanted).any(|v| v == value)));
        }
    }
    if let Some(fields) = query.get(FIELDS) {
        for binding in listed.iter_mut().filter_map(Value::as_object_mut) {
            binding.retain(|name, _| values(fields).any(|field| field.as_str() == Some(name)));
        }
    }
    Ok(listed)
}

/// A parameter's values: of one that is repeated, all.
fn values(parameter: &Value) -> impl Iterator<Item = &Value> {
    let several = parameter.as_array().map_or(&[][..], Vec::as_slice);
    several.iter().chain(Some(parameter).filter(|one| !one.is_array()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(query: Value) -> Result<Vec<Value>> {
        let binding = |host: &str| Binding::wished(host, None, None).unwrap();
        filtered(vec![of(&binding("a"), true), of(&binding("b"), false)], query.as_object().unwrap())
    }

    #[test]
    fn a_list_is_filtered_by_what_a_binding_is() {
        assert_eq!(ask(json!({})).unwrap().len(), 2);
        assert_eq!(ask(json!({"status": "ACTIVE"})).unwrap().len(), 1);
        assert_eq!(ask(json!({"host": ["a", "b", "c"]})).unwrap().len(), 2);
        assert_eq!(ask(json!({"host": "b", "status": "ACTIVE"})).unwrap().len(), 0);
        assert_eq!(
            ask(json!({"fields": ["host", "status"], "host": "b"})).unwrap(),
            [json!({"host": "b", "status": "INACTIVE"})]
        );
        assert_eq!(
            ask(json!({"nosuch": "1"})).unwrap_err().fault().message,
            "['nosuch'] is invalid attribute for filtering"
        );
    }
}
