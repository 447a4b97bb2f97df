//! Names in the domain name system: what may be one, and which a port has.
//! In Neutron: `validators.dns`, `DNSExtensionDriver`.

use crate::errors::bad_attribute;
use crate::manifest::Extension;
use crate::ports::FixedIp;
use hadron_sdk::manifest::{Attribute, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Error, Result, config};

/// Extensions of the API about names.
pub(crate) const EXTENSIONS: &[Extension] = &[
    ("DNS Integration", "dns-integration", "Provides integration with DNS.", "2015-08-15T18:00:00-00:00"),
    (
        "dns_domain for ports",
        "dns-domain-ports",
        "Allows the DNS domain to be specified for a network port.",
        "2017-04-24T10:00:00-00:00",
    ),
    (
        "Subnet DNS publish fixed IP",
        "subnet-dns-publish-fixed-ip",
        "Support choosing to publish DNS records for IPs from a subnet",
        "2019-05-24T10:00:00-00:00",
    ),
];

/// The configuration key with the domain of ports' names.
pub(crate) const CONFIG: &str = "dns_domain";
/// Its default: with it ports have no names of their own.
/// In Neutron: `DNS_DOMAIN_DEFAULT`.
pub(crate) const UNSET: &str = "openstacklocal";

const NAME: &str = "dns_name";
const DOMAIN: &str = "dns_domain";
const ASSIGNMENT: &str = "dns_assignment";

/// Longest name. In Neutron: `FQDN_FIELD_SIZE`.
const LONGEST: usize = 255;

/// An attribute that holds a name. What Neutron makes lower case it says in its
/// own words, so the plugin looks at it.
fn name(name: &str) -> Attribute {
    Attribute {
        name: name.to_owned(),
        validate: Validator::Any,
        post: true,
        put: true,
        default: Some(json!("")),
        ..Attribute::default()
    }
}

/// The attribute of networks, whose ports' names end so elsewhere.
pub(crate) fn of_networks() -> Attribute {
    name(DOMAIN)
}

/// The attributes of ports.
pub(crate) fn of_ports() -> [Attribute; 3] {
    let items = Validator::Dict;
    let assignment = Attribute {
        name: ASSIGNMENT.to_owned(),
        validate: Validator::List { items: Box::new(items), unique: false },
        ..Attribute::default()
    };
    [name(NAME), assignment, name(DOMAIN)]
}

/// Checks the domain that a request gives a network, and writes it as it is kept.
pub(crate) fn check_network(request: &mut Document) -> Result<()> {
    convert(request, DOMAIN, check_domain)
}

/// Makes a given name lower case and checks it.
fn convert(
    request: &mut Document,
    attribute: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<()> {
    let Some(given) = request.get(attribute) else { return Ok(()) };
    let Some(text) = given.as_str() else {
        let shown = if given.is_null() { "None".to_owned() } else { given.to_string() };
        return Err(Error::invalid_input(format!("Input value {shown} must be string type")));
    };
    let name = text.to_lowercase();
    check(&name).map_err(|reason| bad_attribute(attribute, reason))?;
    request.insert(attribute.to_owned(), json!(name));
    Ok(())
}

/// Labels of letters, digits and hyphens, with dots between.
/// In Neutron: `_validate_dns_format`.
fn check_format(name: &str) -> Result<(), String> {
    let wrong = |reason: String| Err(format!("'{name}' not a valid PQDN or FQDN. Reason: {reason}"));
    if name.is_empty() {
        return Ok(());
    }
    let trimmed = name.strip_suffix('.').unwrap_or(name);
    if trimmed.chars().count() > LONGEST {
        return wrong(format!("'{trimmed}' exceeds the {LONGEST} character FQDN limit"));
    }
    for label in trimmed.split('.') {
        if label.is_empty() {
            return wrong("Encountered an empty component".to_owned());
        }
        if label.starts_with('-') || label.ends_with('-') {
            return wrong(format!("Name '{label}' must not start or end with a hyphen"));
        }
        if label.len() > 63 || !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return wrong(format!(
                "Name '{label}' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen"
            ));
        }
    }
    match trimmed.rsplit_once('.') {
        Some((_, last)) if last.bytes().all(|b| b.is_ascii_digit()) => {
            wrong(format!("TLD '{last}' must not be all numeric"))
        }
        _ => Ok(()),
    }
}

/// In Neutron: `validate_dns_domain`.
fn check_domain(domain: &str) -> Result<(), String> {
    if !domain.is_empty() && !domain.ends_with('.') {
        return Err(format!("'{domain}' is not a FQDN"));
    }
    check_format(domain)?;
    match domain.len() {
        length if length > LONGEST - 2 => Err(format!(
            "'{domain}' contains {length} characters. Adding a sub-domain will cause it to exceed the maximum length \
             of a FQDN of '{LONGEST}'"
        )),
        _ => Ok(()),
    }
}

/// Where ports' names are.
pub(crate) struct Zone {
    /// As the operator wrote it.
    configured: String,
}

impl Zone {
    /// The configured one.
    pub(crate) fn configured() -> Result<Zone> {
        Ok(Zone { configured: config::or(CONFIG, UNSET.to_owned())? })
    }

    /// The domain with the dot at its end; empty for none.
    fn domain(&self) -> String {
        match self.configured.trim_end_matches('.') {
            "" => String::new(),
            domain => format!("{domain}."),
        }
    }

    /// Whether ports have names of their own.
    fn names_ports(&self) -> bool {
        !self.domain().is_empty() && self.configured.trim_end_matches('.') != UNSET
    }

    /// Checks what a request says of a port's names, and writes it as it is kept:
    /// nothing, where no zone is configured. In Neutron: `validate_dns_name`.
    pub(crate) fn check(&self, request: &mut Document) -> Result<()> {
        convert(request, NAME, |name| self.check_name(name))?;
        convert(request, DOMAIN, check_domain)?;
        if !self.names_ports() {
            for name in [NAME, DOMAIN] {
                if request.contains_key(name) {
                    request.insert(name.to_owned(), json!(""));
                }
            }
        }
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<(), String> {
        check_format(name)?;
        if name.is_empty() || !self.names_ports() {
            return Ok(());
        }
        let (zone, configured) = (self.domain(), &self.configured);
        let higher = format!(".{zone}");
        if name.ends_with('.') {
            let inside = name.len() > higher.len() && name.ends_with(&higher);
            return if inside {
                Ok(())
            } else {
                Err(format!(
                    "The dns_name passed is a FQDN. Its higher level labels must be equal to the dns_domain option in \
                     neutron.conf, that has been set to '{configured}'. It must also include one or more valid DNS \
                     labels to the left of '{configured}'"
                ))
            };
        }
        match name.len() + higher.len() > LONGEST {
            true => Err(format!(
                "The dns_name passed is a PQDN and its size is '{}'. The dns_domain option in neutron.conf is set to \
                 {configured}, with a length of '{}'. When the two are concatenated to form a FQDN (with a '.' at the \
                 end), the resulting length exceeds the maximum size of '{LONGEST}'",
                name.len(),
                higher.len()
            )),
            false => Ok(()),
        }
    }

    /// The names of a port's addresses. In Neutron: `_get_dns_names_for_port`.
    fn assignment(&self, name: &str, addresses: &[FixedIp]) -> Value {
        let zone = self.domain();
        let full = |host: &str| match zone.is_empty() || host.ends_with('.') {
            true => host.to_owned(),
            false => format!("{host}.{zone}"),
        };
        let of = |ip: &FixedIp| {
            let address = ip.ip_address.to_string();
            let host = match name {
                "" => format!("host-{}", address.replace(['.', ':'], "-")),
                name => name.to_owned(),
            };
            json!({"ip_address": address, "hostname": host, "fqdn": full(&host)})
        };
        addresses.iter().map(of).collect()
    }

    /// Gives the port its names, as its own name and addresses are.
    pub(crate) fn assign(&self, port: &Document, into: &mut Document) {
        let addresses = port.get("fixed_ips").cloned().unwrap_or_default();
        let addresses: Vec<FixedIp> = hadron_sdk::serde_json::from_value(addresses).unwrap_or_default();
        let name = crate::document::text(port, NAME);
        into.insert(ASSIGNMENT.to_owned(), self.assignment(name, &addresses));
    }
}

/// Whether changes of a port change its names.
pub(crate) fn is_renamed(changes: &Document) -> bool {
    changes.contains_key(NAME) || changes.contains_key("fixed_ips")
}

/// Whether a request says something about names.
pub(crate) fn is_asked(request: &Document) -> bool {
    request.contains_key(NAME) || request.contains_key(DOMAIN)
}

/// The attributes of a port's row that are about names, in the order shown.
pub(crate) const KEPT: [&str; 2] = [NAME, DOMAIN];

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::from_value;

    fn zone(configured: &str) -> Zone {
        Zone { configured: configured.to_owned() }
    }

    fn checked(zone: &Zone, request: Value) -> String {
        let mut request: Document = from_value(request).unwrap();
        zone.check(&mut request).map_or_else(
            |error| error.fault().message.clone(),
            |()| request.get(NAME).or(request.get(DOMAIN)).unwrap().as_str().unwrap().to_owned(),
        )
    }

    #[test]
    fn names_are_labels_in_the_zone() {
        let zone = zone("cloud.example.");
        let name = |name: &str| checked(&zone, json!({ "dns_name": name }));
        assert_eq!(name("My-VM"), "my-vm");
        assert_eq!(name("a.b"), "a.b");
        assert_eq!(name("vm.cloud.example."), "vm.cloud.example.");
        assert!(name("vm.elsewhere.").contains("The dns_name passed is a FQDN."));
        assert!(name("cloud.example.").contains("The dns_name passed is a FQDN."));
        assert!(name("-a").ends_with("Reason: Name '-a' must not start or end with a hyphen."));
        assert!(name("a..b").ends_with("Reason: Encountered an empty component."));
        assert!(name("a.1").ends_with("Reason: TLD '1' must not be all numeric."));
        assert!(name("under_score").contains("can only be alphanumeric or a hyphen"));
        assert!(name(&"a".repeat(64)).contains("must be 1-63 characters long"));
        let long = format!("{0}.{0}.{0}.{1}", "a".repeat(60), "b".repeat(62));
        assert!(name(&long).contains("the resulting length exceeds the maximum size of '255'"));
        assert_eq!(
            checked(&zone, json!({"dns_name": null})),
            "Invalid input for operation: Input value None must be string type."
        );
    }

    #[test]
    fn domains_end_with_a_dot() {
        let zone = zone("cloud.example");
        let domain = |domain: &str| checked(&zone, json!({ "dns_domain": domain }));
        assert_eq!(domain("Net.Example.ORG."), "net.example.org.");
        assert_eq!(domain(""), "");
        assert_eq!(domain("a.b"), "Invalid input for dns_domain. Reason: 'a.b' is not a FQDN.");
        assert!(domain(&format!("{}.", "x".repeat(300))).contains("exceeds the 255 character FQDN limit"));
    }

    #[test]
    fn addresses_are_named_after_the_port_or_themselves() {
        let ips: Vec<FixedIp> = from_value(json!([
            {"subnet_id": "s", "ip_address": "10.0.0.9"}, {"subnet_id": "t", "ip_address": "fd00::9"}
        ]))
        .unwrap();
        assert_eq!(
            zone("cloud.example").assignment("", &ips),
            json!([
                {"ip_address": "10.0.0.9", "hostname": "host-10-0-0-9", "fqdn": "host-10-0-0-9.cloud.example."},
                {"ip_address": "fd00::9", "hostname": "host-fd00--9", "fqdn": "host-fd00--9.cloud.example."}
            ])
        );
        let one = &ips[..1];
        assert_eq!(zone("cloud.example.").assignment("vm", one)[0]["fqdn"], "vm.cloud.example.");
        assert_eq!(
            zone("cloud.example").assignment("vm.cloud.example.", one)[0]["fqdn"],
            "vm.cloud.example."
        );
        assert_eq!(zone("").assignment("", one)[0]["fqdn"], "host-10-0-0-9");
    }

    #[test]
    fn without_a_zone_of_its_own_a_port_has_no_name() {
        for configured in ["", UNSET, "openstacklocal."] {
            assert_eq!(checked(&zone(configured), json!({"dns_name": "vm"})), "");
        }
        assert!(checked(&zone(UNSET), json!({"dns_name": "-"})).contains("hyphen"));
    }
}
