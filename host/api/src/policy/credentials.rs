//! What a rule can ask about the caller, by the names of OpenStack's request
//! context and by the paths of a token.

use super::{Found, Target};
use hadron_runtime::Caller;
use serde_json::Value;

/// The values of a credential, each of which fits; none where there is no such
/// credential. One that the caller lacks has no value.
pub(crate) fn credential<'a>(caller: &'a Caller, path: &str) -> Option<Vec<&'a str>> {
    let path = path.strip_prefix("token.").unwrap_or(path);
    let text = match path {
        "user_id" | "user" | "user.id" => &caller.user_id,
        "user_domain_id" | "user_domain" | "user.domain.id" => &caller.user_domain_id,
        "project_id" | "tenant_id" | "project" | "tenant" | "project.id" => &caller.project_id,
        "project_domain_id" | "project_domain" | "project.domain.id" => &caller.project_domain_id,
        "domain_id" | "domain" | "domain.id" => &caller.domain_id,
        "system_scope" | "system" => &caller.system_scope,
        "service_user_id" => &caller.service_user_id,
        "service_project_id" => &caller.service_project_id,
        "roles" => return Some(words(&caller.roles)),
        "service_roles" => return Some(words(&caller.service_roles)),
        "is_admin" => return Some(truth(caller.is_admin)),
        "is_admin_project" => return Some(truth(caller.is_admin_project)),
        "has_global_access" => return Some(truth(caller.has_global_access)),
        "can_set_project_id" => return Some(truth(caller.can_set_project_id)),
        _ => return None,
    };
    Some(if text.is_empty() { Vec::new() } else { vec![text.as_str()] })
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// As Python writes it, and as rules of older services do.
fn truth(truth: bool) -> Vec<&'static str> {
    if truth { vec!["True", "1"] } else { vec!["False", "0"] }
}

/// The caller as the target of the rules that are about callers
/// (`context_is_admin`): there is no other.
pub(crate) struct Myself<'a>(pub(crate) &'a Caller);

impl Target for Myself<'_> {
    fn member(&self, name: &str) -> Found {
        match credential(self.0, name).unwrap_or_default().as_slice() {
            [] => Found::Absent,
            [first, ..] => Found::Value(Value::from(*first)),
        }
    }

    fn field(&self, _: &str, _: &str) -> Found {
        Found::Absent
    }
}
