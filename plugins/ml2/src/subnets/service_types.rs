//! Subnets for ports of certain owners only.
//! In Neutron: `SubnetServiceType`, `find_candidate_subnets`.

use super::Subnet;
use crate::manifest::Extension;
use hadron_sdk::manifest::{Attribute, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Error, Result};
use std::borrow::Cow;

/// The extension of the API about them.
pub(crate) const EXTENSIONS: &[Extension] = &[(
    "Subnet service types",
    "subnet-service-types",
    "Provides ability to set the subnet service_types field",
    "2016-03-15T18:00:00-00:00",
)];

const NAME: &str = "service_types";

/// Longest type, in characters.
const LONGEST: usize = 255;

/// What an owner can begin with; Neutron knows that of compute services by
/// their first letter only.
const PREFIXES: [&str; 2] = ["network:", "neutron:"];
const COMPUTE: &str = "compute:";

/// A port of a DHCP server: it may be on every subnet that has one.
const DHCP: &str = "network:dhcp";

/// The attribute of subnets. Neutron's words about what is wrong with it are its
/// own, so the plugin looks at it.
pub(super) fn attribute() -> Attribute {
    Attribute {
        name: NAME.to_owned(),
        validate: Validator::Any,
        post: true,
        put: true,
        enforce: true,
        ..Attribute::default()
    }
}

/// Checks the types that a request gives, and writes them as they are kept: in
/// order, each once.
pub(super) fn check(request: &mut Document) -> Result<()> {
    let Some(given) = request.get(NAME) else { return Ok(()) };
    let Some(items) = given.as_array() else {
        return Err(Error::invalid("HTTPBadRequest", "Subnet service types must be a list."));
    };
    let mut types = items.iter().map(service_type).collect::<Result<Vec<&str>>>()?;
    types.sort_unstable();
    types.dedup();
    let types = json!(types);
    request.insert(NAME.to_owned(), types);
    Ok(())
}

fn service_type(given: &Value) -> Result<&str> {
    let Some(text) = given.as_str() else {
        return Err(Error::invalid(
            "InvalidInputSubnetServiceType",
            format!("Subnet service type {given} is not a string."),
        ));
    };
    let known =
        PREFIXES.iter().any(|prefix| text.starts_with(prefix)) || text.starts_with(|c| COMPUTE.contains(c));
    if known && text.chars().count() <= LONGEST {
        return Ok(text);
    }
    Err(Error::invalid(
        "InvalidSubnetServiceType",
        format!("Subnet service type {text} does not correspond to a valid device owner."),
    ))
}

/// Those of a network's subnets that a port of this owner can have addresses
/// of, those for it before those for everybody.
pub(crate) fn for_owner<'a>(
    network_id: &str,
    subnets: Cow<'a, [Subnet]>,
    owner: &str,
) -> Result<Cow<'a, [Subnet]>> {
    if subnets.iter().all(|subnet| subnet.service_types.is_empty()) {
        return Ok(subnets);
    }
    let serves = |subnet: &&Subnet| {
        subnet.service_types.is_empty()
            || subnet.service_types.iter().any(|kind| kind == owner)
            || owner == DHCP && subnet.enable_dhcp
    };
    let mut own: Vec<Subnet> = subnets.iter().filter(serves).cloned().collect();
    if own.is_empty() {
        return Err(Error::conflict(
            "IpAddressGenerationFailureNoMatchingSubnet",
            format!(
                "No valid service subnet for the given device owner, network {network_id}, service type {owner}."
            ),
        ));
    }
    own.sort_by_key(|subnet| subnet.service_types.is_empty());
    Ok(Cow::Owned(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::from_value;

    fn subnet(id: &str, types: &[&str], dhcp: bool) -> Subnet {
        from_value(json!({"id": id, "network_id": "N", "cidr": "10.0.0.0/24", "service_types": types,
            "enable_dhcp": dhcp}))
        .unwrap()
    }

    fn ids(subnets: &[Subnet], owner: &str) -> String {
        match for_owner("N", Cow::Borrowed(subnets), owner) {
            Ok(found) => found.iter().map(|subnet| subnet.id.as_str()).collect::<Vec<_>>().join(" "),
            Err(error) => error.fault().message.clone(),
        }
    }

    #[test]
    fn owners_get_their_own_subnets_first() {
        let subnets = [subnet("all", &[], true), subnet("vms", &["compute:nova"], true)];
        assert_eq!(ids(&subnets, "compute:nova"), "vms all");
        assert_eq!(ids(&subnets, "compute:other"), "all");
        assert_eq!(ids(&subnets, "network:dhcp"), "vms all");
        assert_eq!(
            ids(&subnets[1..], ""),
            "No valid service subnet for the given device owner, network N, service type ."
        );
        assert_eq!(ids(&[], "x"), "");
        let off = [subnet("vms", &["compute:nova"], false)];
        assert!(ids(&off, "network:dhcp").starts_with("No valid service subnet"));
    }

    #[test]
    fn types_look_like_owners() {
        let checked = |given: Value| {
            let mut request: Document = from_value(json!({ NAME: given })).unwrap();
            check(&mut request).map(|()| request.get(NAME).unwrap().clone())
        };
        let refused = |given: Value| checked(given).unwrap_err().fault().message.clone();
        assert_eq!(
            checked(json!(["network:dhcp", "compute:x", "compute:x"])).unwrap(),
            json!(["compute:x", "network:dhcp"])
        );
        assert_eq!(checked(json!([])).unwrap(), json!([]));
        assert_eq!(
            refused(json!(["x"])),
            "Subnet service type x does not correspond to a valid device owner."
        );
        assert_eq!(refused(json!([5])), "Subnet service type 5 is not a string.");
        for wrong in [json!("x"), json!(null)] {
            assert_eq!(refused(wrong), "Subnet service types must be a list.");
        }
        assert!(refused(json!([format!("compute:{}", "y".repeat(300))])).contains("valid device owner"));
    }
}
