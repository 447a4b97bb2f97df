//! What a policy may say.

use hadron_sdk::manifest::EVERY_PROJECT;
use hadron_sdk::rbac::Kind;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Error, Result};

/// A type of objects that some loaded plugin has.
/// In Neutron: `convert_valid_object_type`.
pub(crate) fn object_type(kinds: &[Kind], given: &str) -> Result<String> {
    let wanted = given.trim().to_lowercase();
    match kinds.iter().any(|kind| kind.object_type == wanted) {
        true => Ok(wanted),
        false => Err(Error::invalid_input(format!("'{given}' is not a valid RBAC object type"))),
    }
}

/// Something that can be allowed with objects of that type.
/// In Neutron: `InvalidActionForType`.
pub(crate) fn action(kinds: &[Kind], object_type: &str, given: &str) -> Result<()> {
    let actions = kinds.iter().find(|kind| kind.object_type == object_type).map(|kind| &kind.actions);
    if actions.is_some_and(|actions| actions.iter().any(|action| action == given)) {
        return Ok(());
    }
    let quoted: Vec<String> = actions.into_iter().flatten().map(|action| format!("'{action}'")).collect();
    // As Python shows a tuple.
    let comma = if quoted.len() == 1 { "," } else { "" };
    Err(Error::invalid(
        "InvalidActionForType",
        format!(
            "Invalid action '{given}' for object type '{object_type}'. Valid actions: ({}{comma})",
            quoted.join(", ")
        ),
    ))
}

/// Every project, or one. In Neutron: `_validate_valid_target_project`.
pub(crate) fn target(given: &Value) -> Result<()> {
    let text = given.as_str();
    if text.is_some_and(|text| text == EVERY_PROJECT || is_uuid_like(text)) {
        return Ok(());
    }
    let shown = text.map_or_else(|| given.to_string(), str::to_owned);
    Err(Error::invalid_input(format!("'{shown}' is not a valid target project ID; expected a UUID or '*'")))
}

/// With or without its dashes, in upper or lower case, in braces.
/// In oslo.utils: `is_uuid_like`.
fn is_uuid_like(text: &str) -> bool {
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let digits = bare.trim_matches(['{', '}']).replace('-', "");
    digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    fn kinds() -> Vec<Kind> {
        let kind = |object_type: &str, actions: &[&str]| Kind {
            object_type: object_type.to_owned(),
            actions: actions.iter().map(|a| (*a).to_owned()).collect(),
        };
        vec![
            kind("network", &["access_as_shared", "access_as_external"]),
            kind("qos_policy", &["access_as_shared"]),
        ]
    }

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().fault().message.clone()
    }

    #[test]
    fn types_are_those_of_loaded_plugins() {
        assert_eq!(object_type(&kinds(), " Network ").unwrap(), "network");
        assert_eq!(
            message(object_type(&kinds(), "nosuch")),
            "Invalid input for operation: 'nosuch' is not a valid RBAC object type."
        );
    }

    #[test]
    fn actions_are_those_of_the_type() {
        assert!(action(&kinds(), "network", "access_as_external").is_ok());
        assert_eq!(
            message(action(&kinds(), "qos_policy", "access_as_external")),
            "Invalid action 'access_as_external' for object type 'qos_policy'. Valid actions: ('access_as_shared',)"
        );
        assert!(
            message(action(&kinds(), "network", "x")).ends_with("('access_as_shared', 'access_as_external')")
        );
    }

    #[test]
    fn a_target_is_a_uuid_or_everybody() {
        for good in ["*", "4fb4dec05f47409fa688e15287ac626a", "{4FB4DEC0-5F47-409F-A688-E15287AC626A}"] {
            assert!(target(&json!(good)).is_ok(), "{good}");
        }
        for bad in [
            json!("**"),
            json!(""),
            json!("demo"),
            json!(5),
            json!(null),
            json!("4fb4dec05f47409fa688e15287ac626"),
        ] {
            assert!(
                message(target(&bad)).ends_with("is not a valid target project ID; expected a UUID or '*'."),
                "{bad}"
            );
        }
    }
}
