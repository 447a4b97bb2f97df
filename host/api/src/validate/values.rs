//! Values, converted and checked as Neutron's converters and validators do
//! (neutron_lib `api.converters`, `api.validators`), with their sentences.

use crate::python::{repr, text};
use hadron_manifest::{Attribute, Validator};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// A validator says so: the reason, which is reported with the attribute.
    Reason(String),
    /// A converter says so: Neutron reports it without naming the attribute.
    Conversion(String),
}

use Fault::{Conversion, Reason};

/// The value as it is kept, or what is wrong with it.
pub(crate) fn convert(validator: &Validator, nullable: bool, value: Value) -> Result<Value, Fault> {
    if nullable && value.is_null() {
        return Ok(value);
    }
    match validator {
        Validator::Any => Ok(value),
        Validator::String { max } => string(*max, value),
        Validator::Boolean => boolean(&value),
        Validator::Integer { min, max } => integer(*min, *max, &value),
        Validator::Uuid => uuid(value),
        Validator::MacAddress => hardware_address(&value), // not networking: a type of the manifest
        Validator::IpAddress => address(&value),
        Validator::Cidr => address_range(&value), // not networking: a type of the manifest
        Validator::Enum { values } => one_of(values, value),
        Validator::List { items, unique } => list(items, *unique, value),
        Validator::Object { members } => object(members, value),
        Validator::Dict => match value {
            Value::Object(_) => Ok(value),
            other => Err(Reason(format!("'{}' is not a dictionary", text(&other)))),
        },
    }
}

fn string(max: Option<u32>, value: Value) -> Result<Value, Fault> {
    let Value::String(given) = &value else {
        return Err(Reason(format!("'{}' is not a valid string", text(&value))));
    };
    match max {
        Some(max) if given.len() > max as usize && given.chars().count() > max as usize => {
            Err(Reason(format!("'{given}' exceeds maximum length of {max}")))
        }
        _ => Ok(value),
    }
}

fn boolean(value: &Value) -> Result<Value, Fault> {
    let converted = match value {
        Value::Bool(is) => Some(*is),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "on" | "yes" | "y" => Some(true),
            "false" | "f" | "0" | "off" | "no" | "n" => Some(false),
            _ => None,
        },
        Value::Number(number) => match number.as_i64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        _ => None,
    };
    let fault = || Conversion(format!("'{}' cannot be converted to boolean", text(value)));
    converted.map(Value::from).ok_or_else(fault)
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9.0e15)?;
            format!("{float:.0}").parse().ok()
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn integer(min: Option<i64>, max: Option<i64>, value: &Value) -> Result<Value, Fault> {
    let number = whole(value).ok_or_else(|| Conversion(format!("'{}' is not an integer", text(value))))?;
    if let Some(min) = min.filter(|min| number < *min) {
        return Err(Reason(format!("'{number}' is too small - must be at least '{min}'")));
    }
    if let Some(max) = max.filter(|max| number > *max) {
        return Err(Reason(format!("'{number}' is too large - must be no larger than '{max}'")));
    }
    Ok(Value::from(number))
}

fn uuid(value: Value) -> Result<Value, Fault> {
    let fits = value.as_str().is_some_and(|given| uuid::Uuid::try_parse(given).is_ok() && given.len() <= 36);
    if fits { Ok(value) } else { Err(Reason(format!("'{}' is not a valid UUID", text(&value)))) }
}

/// Six octets in any of the usual spellings, made lower case with colons.
/// All zeroes and all ones belong to nobody and are refused.
fn hardware_address(value: &Value) -> Result<Value, Fault> {
    let fault = || Reason(format!("'{}' is not a valid MAC address", text(value)));
    let octets = value.as_str().and_then(octets).ok_or_else(fault)?;
    if octets.iter().all(|o| *o == 0) || octets.iter().all(|o| *o == 0xff) {
        return Err(fault());
    }
    let words: Vec<String> = octets.iter().map(|o| format!("{o:02x}")).collect();
    Ok(Value::from(words.join(":")))
}

fn octets(given: &str) -> Option<Vec<u8>> {
    let separator = given.chars().find(|c| ":-.".contains(*c));
    let groups: Vec<&str> = match separator {
        Some(mark) => given.split(mark).collect(),
        None => vec![given],
    };
    // 6 × 1–2 digits, 3 × 4 digits (with dots), 2 × 6 or 1 × 12.
    let width = match (groups.len(), separator) {
        (6, Some(':' | '-')) => 2,
        (3, Some('.' | ':')) => 4,
        (2, Some('-')) => 6,
        (1, None) => 12,
        _ => return None,
    };
    let mut digits = String::with_capacity(12);
    for group in groups {
        let short = group.len() < width && !(width == 2 && group.len() == 1);
        if short || group.len() > width || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        if group.len() < width {
            digits.push('0');
        }
        digits.push_str(group);
    }
    (0..6).map(|i| digits.get(i * 2..i * 2 + 2).and_then(|d| u8::from_str_radix(d, 16).ok())).collect()
}

fn address(value: &Value) -> Result<Value, Fault> {
    let parsed = value.as_str().and_then(|given| given.parse::<IpAddr>().ok());
    parsed
        .map(|address| Value::from(address.to_string()))
        .ok_or_else(|| Reason(format!("'{}' is not a valid IP address", text(value))))
}

fn address_range(value: &Value) -> Result<Value, Fault> {
    let given = value.as_str().unwrap_or_default();
    let parsed = given.parse::<ipnet::IpNet>().ok().or_else(|| {
        // Neutron takes an address without a length for a range of its own.
        given.parse::<IpAddr>().ok().map(ipnet::IpNet::from)
    });
    parsed
        .map(|range| Value::from(range.to_string()))
        .ok_or_else(|| Conversion(format!("{} is not in a CIDR format", text(value))))
}

fn one_of(values: &[Value], value: Value) -> Result<Value, Fault> {
    let numbers = !values.is_empty() && values.iter().all(Value::is_i64);
    let value = if numbers { integer(None, None, &value)? } else { value };
    if values.contains(&value) {
        return Ok(value);
    }
    Err(Reason(format!("{} is not in valid_values", text(&value))))
}

fn list(items: &Validator, unique: bool, value: Value) -> Result<Value, Fault> {
    let Value::Array(given) = value else {
        return Err(Reason(format!("'{}' is not a list", text(&value))));
    };
    let converted =
        given.into_iter().map(|item| convert(items, false, item)).collect::<Result<Vec<_>, _>>()?;
    if unique {
        let mut seen = std::collections::HashSet::with_capacity(converted.len());
        let twice: Vec<String> = converted.iter().filter(|v| !seen.insert(v.to_string())).map(text).collect();
        if !twice.is_empty() {
            return Err(Reason(format!("Duplicate items in the list: '{}'", twice.join(", "))));
        }
    }
    Ok(Value::from(converted))
}

fn object(members: &[Attribute], value: Value) -> Result<Value, Fault> {
    let Value::Object(mut given) = value else {
        return Err(Reason(format!("'{}' is not a dictionary", text(&value))));
    };
    let unexpected: Vec<&str> =
        given.keys().map(String::as_str).filter(|k| !members.iter().any(|m| m.name == *k)).collect();
    if !unexpected.is_empty() {
        return Err(Reason(format!("Unexpected keys supplied: {}", unexpected.join(", "))));
    }
    let required: Vec<&str> = members.iter().filter(|m| m.required).map(|m| m.name.as_str()).collect();
    if required.iter().any(|name| !given.contains_key(*name)) {
        return Err(Reason(format!(
            "Invalid input. '{}' must be a dictionary with keys: {}",
            repr(&Value::from(given)),
            crate::python::list(required)
        )));
    }
    let mut out = Map::with_capacity(given.len());
    for member in members {
        match given.remove(&member.name) {
            Some(item) => {
                out.insert(member.name.clone(), convert(&member.validate, member.nullable, item)?);
            }
            None => {
                if let Some(default) = &member.default {
                    out.insert(member.name.clone(), default.clone());
                }
            }
        }
    }
    Ok(Value::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn check(validator: Value, value: Value) -> Result<Value, Fault> {
        convert(&serde_json::from_value(validator).unwrap(), false, value)
    }

    fn reason(text: &str) -> Result<Value, Fault> {
        Err(Reason(text.to_owned()))
    }

    fn conversion(text: &str) -> Result<Value, Fault> {
        Err(Conversion(text.to_owned()))
    }

    #[test]
    fn strings() {
        let three = json!({"type": "string", "max": 3});
        assert_eq!(check(three.clone(), json!("äöü")), Ok(json!("äöü")));
        assert_eq!(check(three.clone(), json!("abcd")), reason("'abcd' exceeds maximum length of 3"));
        assert_eq!(check(three.clone(), json!(5)), reason("'5' is not a valid string"));
        assert_eq!(check(three, json!(null)), reason("'None' is not a valid string"));
        assert_eq!(convert(&Validator::Uuid, true, json!(null)), Ok(json!(null)));
    }

    #[test]
    fn booleans_in_neutrons_spellings() {
        let boolean = || json!({"type": "boolean"});
        for (given, is) in
            [(json!("True"), true), (json!(1), true), (json!("0"), false), (json!(false), false)]
        {
            assert_eq!(check(boolean(), given), Ok(json!(is)));
        }
        for (given, text) in
            [(json!("abc"), "abc"), (json!(2), "2"), (json!(null), "None"), (json!([]), "[]")]
        {
            assert_eq!(
                check(boolean(), given),
                conversion(&format!("'{text}' cannot be converted to boolean"))
            );
        }
    }

    #[test]
    fn whole_numbers_within_bounds() {
        let bounded = || json!({"type": "integer", "min": -1, "max": 9});
        assert_eq!(check(bounded(), json!("7")), Ok(json!(7)));
        assert_eq!(check(bounded(), json!(7.0)), Ok(json!(7)));
        assert_eq!(check(bounded(), json!(-2)), reason("'-2' is too small - must be at least '-1'"));
        assert_eq!(check(bounded(), json!(10)), reason("'10' is too large - must be no larger than '9'"));
        assert_eq!(check(bounded(), json!("x")), conversion("'x' is not an integer"));
        assert_eq!(check(bounded(), json!(true)), conversion("'True' is not an integer"));
        assert_eq!(
            check(json!({"type": "integer"}), json!(u64::MAX)),
            conversion("'18446744073709551615' is not an integer")
        );
    }

    #[test]
    fn hardware_addresses_are_made_lower_case_with_colons() {
        let address = || json!({"type": "mac_address"});
        for given in [
            "FA:16:3E:00:00:01",
            "fa-16-3e-00-00-01",
            "fa16.3e00.0001",
            "fa163e000001",
            "fa:16:3e:0:0:1",
            "fa163e-000001",
        ] {
            assert_eq!(check(address(), json!(given)), Ok(json!("fa:16:3e:00:00:01")), "{given}");
        }
        for given in [
            "nonsense",
            "",
            "fa:16:3e:00:00",
            "fa:16:3e:00:00:0001",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "fa:16:3e:00:00:0g",
            "ß:16:3e:00:00:01",
        ] {
            assert_eq!(
                check(address(), json!(given)),
                reason(&format!("'{given}' is not a valid MAC address"))
            );
        }
    }

    #[test]
    fn addresses_and_ranges_are_made_short_and_keep_their_host_bits() {
        assert_eq!(check(json!({"type": "ip_address"}), json!("2001:DB8:0::1")), Ok(json!("2001:db8::1")));
        assert_eq!(
            check(json!({"type": "ip_address"}), json!("10.0.0.256")),
            reason("'10.0.0.256' is not a valid IP address")
        );
        assert_eq!(check(json!({"type": "cidr"}), json!("10.12.0.5/24")), Ok(json!("10.12.0.5/24")));
        assert_eq!(check(json!({"type": "cidr"}), json!("10.12.0.5")), Ok(json!("10.12.0.5/32")));
        assert_eq!(check(json!({"type": "cidr"}), json!("2001:db8:0:0::/64")), Ok(json!("2001:db8::/64")));
        assert_eq!(
            check(json!({"type": "cidr"}), json!("10.12.0.300/24")),
            conversion("10.12.0.300/24 is not in a CIDR format")
        );
        assert_eq!(check(json!({"type": "cidr"}), json!(null)), conversion("None is not in a CIDR format"));
    }

    #[test]
    fn one_of_some_values() {
        assert_eq!(check(json!({"type": "enum", "values": [4, 6]}), json!("4")), Ok(json!(4)));
        assert_eq!(
            check(json!({"type": "enum", "values": [4, 6]}), json!(5)),
            reason("5 is not in valid_values")
        );
        assert_eq!(
            check(json!({"type": "enum", "values": ["in"]}), json!("sideways")),
            reason("sideways is not in valid_values")
        );
    }

    #[test]
    fn lists_and_objects_check_what_is_in_them() {
        let uuids = || json!({"type": "list", "items": {"type": "uuid"}, "unique": true});
        let id = "bcd78dd8-5969-43f9-a319-78457bf5e280";
        assert_eq!(check(uuids(), json!([id])), Ok(json!([id])));
        assert_eq!(check(uuids(), json!([id, id])), reason(&format!("Duplicate items in the list: '{id}'")));
        assert_eq!(check(uuids(), json!(["x"])), reason("'x' is not a valid UUID"));
        assert_eq!(check(uuids(), json!("x")), reason("'x' is not a list"));
        let object = || {
            json!({"type": "object", "members": [
            {"name": "a", "validate": {"type": "integer"}, "required": true}, {"name": "b", "default": 7}]})
        };
        assert_eq!(check(object(), json!({"a": "1"})), Ok(json!({"a": 1, "b": 7})));
        assert_eq!(check(object(), json!({"a": 1, "c": 2})), reason("Unexpected keys supplied: c"));
        assert_eq!(
            check(object(), json!({"b": 1})),
            reason("Invalid input. '{'b': 1}' must be a dictionary with keys: ['a']")
        );
        assert_eq!(check(json!({"type": "dict"}), json!([1])), reason("'[1]' is not a dictionary"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
            "[0-9a-f:./-]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-c]", inner), 0..4)
                    .prop_map(|pairs| Value::from(pairs.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        /// No value makes a validator panic, and what one accepts it accepts
        /// again, unchanged.
        #[test]
        fn conversion_is_total_and_settles(value in any_json()) {
            let validators = [
                json!({"type": "string", "max": 5}), json!({"type": "boolean"}), json!({"type": "integer"}),
                json!({"type": "uuid"}), json!({"type": "mac_address"}), json!({"type": "ip_address"}),
                json!({"type": "cidr"}), json!({"type": "dict"}),
                json!({"type": "list", "items": {"type": "integer"}, "unique": true}),
                json!({"type": "object", "members": [{"name": "a"}, {"name": "b", "validate": {"type": "integer"}}]}),
            ];
            for validator in validators {
                if let Ok(kept) = check(validator.clone(), value.clone()) {
                    prop_assert_eq!(check(validator, kept.clone()), Ok(kept));
                }
            }
        }
    }
}
