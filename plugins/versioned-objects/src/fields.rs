//! Which fields came with which version. In Neutron: `obj_make_compatible`.

use hadron_sdk::serde_json::{Map, Value, json};

/// Kind, field, and the version (1.N) that it came with.
const SINCE: [(&str, &str, u32); 13] = [
    ("Network", "qinq", 2),
    ("Network", "pvlan", 3),
    ("Port", "hints", 8),
    ("Port", "hardware_offload_type", 9),
    ("Port", "trusted", 10),
    ("Port", "pvlan_type", 11),
    ("Port", "pvlan_community", 11),
    ("SecurityGroupRule", "remote_address_group_id", 1),
    ("SecurityGroupRule", "normalized_cidr", 2),
    ("SecurityGroupRule", "belongs_to_default_sg", 3),
    ("Subnet", "dns_publish_fixed_ip", 1),
    ("Subnet", "external", 2),
    ("Trunk", "project_id", 1),
];

/// The version of a group's rules, by the group's: rules came to be at 1.N when
/// groups came to be at 1.M.
const RULES: [(u32, u32); 4] = [(6, 3), (4, 2), (3, 1), (0, 0)];

/// Takes out what a version does not have.
pub(crate) fn leave_out(kind: &str, minor: u32, fields: &mut Map<String, Value>) {
    for (_, field, _) in SINCE.iter().filter(|(of, _, since)| *of == kind && minor < *since) {
        fields.shift_remove(*field);
    }
    if kind == "SecurityGroup" {
        let of_rules = RULES.iter().find(|(of_group, _)| minor >= *of_group).map_or(0, |(_, rule)| *rule);
        let rules = fields.get_mut("rules").and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten().filter_map(Value::as_object_mut) {
            rule.insert("versioned_object.version".to_owned(), json!(format!("1.{of_rules}")));
            if let Some(Value::Object(fields)) = rule.get_mut("versioned_object.data") {
                leave_out("SecurityGroupRule", of_rules, fields);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_older_groups_are_older_rules() {
        let rule = json!({"versioned_object.version": "1.3", "versioned_object.data": {"id": "r",
            "belongs_to_default_sg": false, "normalized_cidr": null, "remote_address_group_id": null}});
        for (minor, version, fields) in
            [(6, "1.3", 4), (5, "1.2", 3), (4, "1.2", 3), (3, "1.1", 2), (2, "1.0", 1)]
        {
            let mut group = json!({"rules": [rule]});
            leave_out("SecurityGroup", minor, group.as_object_mut().unwrap());
            let rule = &group["rules"][0];
            assert_eq!(rule["versioned_object.version"], version);
            assert_eq!(rule["versioned_object.data"].as_object().unwrap().len(), fields);
        }
    }
}
