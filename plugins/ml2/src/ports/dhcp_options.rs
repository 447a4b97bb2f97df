//! Options of DHCP that a port's host is told besides.
//! In Neutron: `ExtraDhcpOptMixin`.

use crate::manifest::Extension;
use hadron_sdk::manifest::{Attribute, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Error, Result};
use serde::{Deserialize, Serialize};

/// The extension of the API about them.
pub(crate) const EXTENSIONS: &[Extension] = &[(
    "Neutron Extra DHCP options",
    "extra_dhcp_opt",
    "Extra options configuration for DHCP. For example PXE boot options to DHCP clients can be specified (e.g. \
     tftp-server, server-ip-address, bootfile-name)",
    "2013-03-17T12:00:00-00:00",
)];

const NAME: &str = "extra_dhcp_opts";

/// Options that may be empty. In Neutron: `VALID_BLANK_EXTRA_DHCP_OPTS`.
const BLANK: [&str; 2] = ["router", "classless-static-route"];

/// Longest name and value of an option, in characters.
const LONGEST: (usize, usize) = (64, 255);

/// The attribute of ports. Its items have one of two shapes, so the plugin looks
/// at them.
pub(super) fn attribute() -> Attribute {
    Attribute {
        name: NAME.to_owned(),
        validate: Validator::Any,
        nullable: true,
        post: true,
        put: true,
        ..Attribute::default()
    }
}

/// An option of a port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Opt {
    opt_name: String,
    opt_value: String,
    ip_version: u8,
}

/// An option that a request names; without a value it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    name: String,
    value: Option<String>,
    version: u8,
}

impl Asked {
    fn is_of(&self, option: &Opt) -> bool {
        self.name == option.opt_name && self.version == option.ip_version
    }
}

/// The options of a new port.
pub(super) fn create(body: &Document, port: &mut Document) -> Result<()> {
    let options = merged(&[], &asked(body)?, body)?;
    port.insert(NAME.to_owned(), json!(options));
    Ok(())
}

/// The options of a port from now on: those that a request names are set or go,
/// the others stay.
pub(super) fn update(current: &Document, changes: &mut Document) -> Result<()> {
    if !changes.contains_key(NAME) {
        return Ok(());
    }
    let before: Vec<Opt> = crate::document::typed(current, NAME)?;
    let options = merged(&before, &asked(changes)?, current)?;
    changes.insert(NAME.to_owned(), json!(options));
    Ok(())
}

fn merged(before: &[Opt], asked: &[Asked], port: &Document) -> Result<Vec<Opt>> {
    let mut options = before.to_vec();
    for want in asked {
        let had = before.iter().any(|option| want.is_of(option));
        if !had && options.iter().any(|option| want.is_of(option)) {
            return Err(Error::conflict(
                "NeutronDbObjectDuplicateEntry",
                format!(
                    "Failed to create a duplicate ExtraDhcpOpt: for attribute(s) ['portid', 'optname', 'ipversion'] with \
                     value(s) {}-{}-{}",
                    crate::document::text(port, "id"),
                    want.name,
                    want.version
                ),
            ));
        }
        match (options.iter_mut().find(|option| want.is_of(option)), &want.value) {
            (Some(option), Some(value)) => option.opt_value.clone_from(value),
            (Some(_), None) => options.retain(|option| !want.is_of(option)),
            (None, Some(value)) => options.push(Opt {
                opt_name: want.name.clone(),
                opt_value: value.clone(),
                ip_version: want.version,
            }),
            (None, None) => {}
        }
    }
    Ok(options)
}

/// What a request names.
fn asked(request: &Document) -> Result<Vec<Asked>> {
    match request.get(NAME) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(item).collect(),
        Some(other) => Err(Error::invalid_input(format!("'{}' is not a list", shown(other)))),
    }
}

/// In Neutron: `EXTRA_DHCP_OPT_KEY_SPECS`.
fn item(given: &Value) -> Result<Asked> {
    let wrong =
        || Error::invalid_input(format!("No valid key specs matched for: {}", shown_in(given, false)));
    let members = given.as_object().ok_or_else(wrong)?;
    if !members.keys().all(|key| ["opt_name", "opt_value", "ip_version"].contains(&key.as_str())) {
        return Err(wrong());
    }
    let name = members.get("opt_name").and_then(Value::as_str).ok_or_else(wrong)?;
    let value = match members.get("opt_value") {
        Some(Value::Null) => None,
        Some(Value::String(value)) => Some(value.as_str()),
        _ => return Err(wrong()),
    };
    let version = match members.get("ip_version") {
        None => 4,
        Some(version) => {
            let number = version.as_u64().or_else(|| version.as_str()?.parse().ok());
            number.and_then(|number| u8::try_from(number).ok()).ok_or_else(wrong)?
        }
    };
    let line = |text: &str, longest: usize| {
        !text.trim().is_empty() && !text.contains(['\n', '\r']) && text.chars().count() <= longest
    };
    let fits = match BLANK.contains(&name) {
        true => value.is_none_or(|value| value.chars().count() <= LONGEST.1),
        false => line(name, LONGEST.0) && value.is_none_or(|value| line(value, LONGEST.1)),
    };
    if !fits || ![4, 6].contains(&version) {
        return Err(wrong());
    }
    Ok(Asked { name: name.to_owned(), value: value.map(str::to_owned), version })
}

fn shown(value: &Value) -> String {
    shown_in(value, false)
}

/// As Python shows it, which Neutron's messages do.
fn shown_in(value: &Value, inside: bool) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(is) => if *is { "True" } else { "False" }.to_owned(),
        Value::String(text) if !inside => text.clone(),
        Value::String(text) => format!("'{}'", text.replace('\n', "\\n")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("'{name}': {}", shown_in(value, true)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::from_value;

    fn after(before: Value, asked: Value) -> Result<Value> {
        let current: Document = from_value(json!({"id": "P", NAME: before})).unwrap();
        let mut changes: Document = from_value(json!({ NAME: asked })).unwrap();
        update(&current, &mut changes)?;
        Ok(changes.get(NAME).unwrap().clone())
    }

    fn option(name: &str, value: &str, version: u8) -> Value {
        json!({"opt_name": name, "opt_value": value, "ip_version": version})
    }

    #[test]
    fn options_are_set_by_name_and_family_and_go_with_null() {
        let four = option("bootfile-name", "pxe", 4);
        let six = option("bootfile-name", "pxe6", 6);
        let given = json!([{"opt_name": "bootfile-name", "opt_value": "pxe"}]);
        assert_eq!(after(json!([]), given).unwrap(), json!([four]));
        let given = json!([{"opt_name": "bootfile-name", "opt_value": "pxe6", "ip_version": "6"}]);
        assert_eq!(after(json!([four]), given).unwrap(), json!([four, six]));
        let gone =
            json!([{"opt_name": "bootfile-name", "opt_value": null}, {"opt_name": "x", "opt_value": null}]);
        assert_eq!(after(json!([four, six]), gone).unwrap(), json!([six]));
        for nothing in [json!([]), json!(null)] {
            assert_eq!(after(json!([six]), nothing).unwrap(), json!([six]));
        }
        let changed = json!([option("bootfile-name", "other", 6)]);
        assert_eq!(after(json!([six]), changed.clone()).unwrap(), changed);
        let blank = json!([option("router", "", 4)]);
        assert_eq!(after(json!([]), blank.clone()).unwrap(), blank);
    }

    #[test]
    fn what_is_no_option_is_refused() {
        let refused = |given: Value| after(json!([]), given).unwrap_err().fault().message.clone();
        for wrong in [
            json!({"opt_name": "x", "opt_value": ""}),
            json!({"opt_name": "", "opt_value": "x"}),
            json!({"opt_name": "x"}),
            json!({"opt_value": "x"}),
            json!({"opt_name": "x", "opt_value": "y", "z": 1}),
            json!({"opt_name": "x", "opt_value": "y", "ip_version": 5}),
            json!({"opt_name": "n\nl", "opt_value": "y"}),
            json!({"opt_name": "x", "opt_value": "n\nl"}),
            json!({"opt_name": "x", "opt_value": 5}),
            json!({"opt_name": "o".repeat(65), "opt_value": "y"}),
            json!({"opt_name": "x", "opt_value": "v".repeat(256)}),
        ] {
            let message = refused(json!([wrong]));
            assert!(
                message.starts_with("Invalid input for operation: No valid key specs matched for: {"),
                "{message}"
            );
        }
        assert_eq!(refused(json!(["x"])), "Invalid input for operation: No valid key specs matched for: x.");
        assert_eq!(refused(json!("x")), "Invalid input for operation: 'x' is not a list.");
        let twice = json!([option("d", "y", 4), option("d", "z", 4)]);
        assert!(refused(twice).ends_with("with value(s) P-d-4"));
    }
}
