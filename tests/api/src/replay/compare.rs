//! Whether two answers are the same, made-up values aside.

use super::identities::{Identities, known, replace};
use serde_json::Value;

/// Members whose values differ from server to server. Their types are compared.
const VOLATILE: [&str; 11] = [
    "created_at",
    "updated_at",
    "mac_address",
    "ip_address",
    "floating_ip_address",
    "external_v4_ip",
    "revision_number",
    "provider:segmentation_id",
    // Recorded with routers, which take addresses too.
    "used_ips",
    "used_ips_in_subnet",
    "used_ips_in_allocation_pool",
];

/// What Neutron shows of networks in some answers, and not in others.
const NOW_AND_THEN: &str = "is_default";

/// Compares, and writes down what is different. `loose`: which rows there are,
/// and in which order, was not asked for, so only their shape can be compared.
pub(super) fn compare(
    expected: &Value,
    got: &Value,
    identities: &Identities,
    loose: bool,
    out: &mut Vec<String>,
) {
    let expected = in_our_terms(expected, identities);
    Comparison { identities, loose }.values(&expected, got, "", "", out);
}

/// A recorded value as this server would have put it.
fn in_our_terms(value: &Value, identities: &Identities) -> Value {
    match value {
        Value::String(text) => Value::String(identities.expected(text)),
        Value::Array(items) => items.iter().map(|item| in_our_terms(item, identities)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), in_our_terms(value, identities))).collect()
        }
        other => other.clone(),
    }
}

struct Comparison<'a> {
    identities: &'a Identities,
    loose: bool,
}

impl Comparison<'_> {
    fn values(&self, expected: &Value, got: &Value, key: &str, path: &str, out: &mut Vec<String>) {
        match (expected, got) {
            (Value::Object(theirs), Value::Object(ours)) => {
                let differs = |name: &str| name != NOW_AND_THEN || !path.starts_with(".network");
                for (name, value) in theirs {
                    match ours.get(name) {
                        Some(other) => self.values(value, other, name, &format!("{path}.{name}"), out),
                        None if differs(name) => out.push(format!("{path}.{name}: missing")),
                        None => {}
                    }
                }
                for name in ours.keys().filter(|name| !theirs.contains_key(*name) && differs(name)) {
                    out.push(format!("{path}.{name}: not in Neutron's answer"));
                }
            }
            (Value::Array(theirs), Value::Array(ours)) if self.loose => {
                if let (Some(value), Some(other)) = (theirs.first(), ours.first()) {
                    self.values(value, other, key, &format!("{path}[0]"), out);
                }
            }
            (Value::Array(theirs), Value::Array(ours)) => {
                if theirs.len() != ours.len() {
                    out.push(format!("{path}: {} items expected, {} got", theirs.len(), ours.len()));
                }
                for (at, (value, other)) in ordered(theirs).into_iter().zip(ordered(ours)).enumerate() {
                    self.values(value, other, key, &format!("{path}[{at}]"), out);
                }
            }
            _ if VOLATILE.contains(&key) || self.loose => {
                // Any row may be shown, also one in which this is null.
                let null = self.loose && (expected.is_null() || got.is_null());
                if !null && !same_type(expected, got) {
                    out.push(format!("{path}: {expected} expected, {got} got"));
                }
            }
            (Value::String(theirs), Value::String(ours)) => {
                let (theirs, ours) = (unified(theirs), unified(&self.identities.got(ours)));
                let same = theirs == ours || key == "message" && words(&theirs) == words(&ours);
                if !same {
                    out.push(format!("{path}: '{theirs}' expected, '{ours}' got"));
                }
            }
            _ if expected != got => out.push(format!("{path}: {expected} expected, {got} got")),
            _ => {}
        }
    }
}

fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Lists of which nobody asked for an order.
fn ordered(list: &[Value]) -> Vec<&Value> {
    let mut ordered: Vec<&Value> = list.iter().collect();
    ordered.sort_by_cached_key(|value| match value {
        Value::Object(members) => {
            let own = members.get("id").or_else(|| members.get("type"));
            (known(value), own.map(Value::to_string).unwrap_or_default())
        }
        value => (known(value), value.to_string()),
    });
    ordered
}

/// A message's words in order: Neutron lists some things in the order of a set.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    words.sort_unstable();
    words
}

/// Without what depends on how much was done before: lists of ids in messages
/// count as one, and neither revisions in messages count nor the addresses that
/// hosts are named after.
fn unified(text: &str) -> String {
    if let Some(host) = text.strip_prefix("host-") {
        let zone = host.split_once('.').map_or("", |(_, zone)| zone);
        return format!("host-ADDRESS.{zone}");
    }
    let bare = replace(text, |_| "ID".to_owned());
    let text = if bare.contains("ID,ID") {
        let mut parts: Vec<&str> = bare.split("ID,").collect();
        let last = parts.pop().unwrap_or_default();
        format!("{}{last}", parts.concat())
    } else {
        text.to_owned()
    };
    match text.strip_prefix("Constrained to ") {
        Some(rest) => rest.chars().filter(|c| !c.is_ascii_digit()).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differences(expected: Value, got: Value, loose: bool) -> Vec<String> {
        let mut out = Vec::new();
        compare(&expected, &got, &Identities::new(""), loose, &mut out);
        out
    }

    #[test]
    fn keys_and_values_are_compared_and_made_up_ones_only_by_type() {
        let id = "28e128e5-d182-4ded-bb07-a66d70c2365f";
        let got = json!({"network": {"id": id.replace('2', "3"), "name": "x", "mtu": 1, "more": 1}});
        let expected = json!({"network": {"id": id, "name": "y", "mtu": 1, "status": "UP"}});
        assert_eq!(
            differences(expected, got, false),
            [
                ".network.name: 'y' expected, 'x' got",
                ".network.status: missing",
                ".network.more: not in Neutron's answer",
            ]
        );
        assert_eq!(differences(json!({"updated_at": "a"}), json!({"updated_at": null}), false).len(), 1);
    }

    #[test]
    fn lists_have_no_order_of_their_own() {
        let (a, b) = (json!({"name": "a", "v": 1}), json!({"name": "b", "v": 2}));
        assert_eq!(differences(json!([a, b]), json!([b, a]), false), [""; 0]);
        assert_eq!(differences(json!([a]), json!([a, b]), false).len(), 1);
        assert_eq!(differences(json!([a]), json!([b]), true), [""; 0]);
    }

    #[test]
    fn lists_of_ids_in_messages_count_as_one() {
        let id = "28e128e5-d182-4ded-bb07-a66d70c2365f";
        assert_eq!(unified(&format!("used by: {id},{id},{id}.")), "used by: ID.");
        assert_eq!(unified(&format!("no {id} here")), format!("no {id} here"));
        assert_eq!(unified("host-10-10-0-86.cloud."), unified("host-10-10-0-2.cloud."));
        assert_ne!(unified("host-10-10-0-86.cloud."), unified("host-10-10-0-86.other."));
    }
}
