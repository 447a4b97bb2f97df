//! What a port lets through: port security, security groups and further
//! addresses. In Neutron: `_portsec_ext_port_create_processing`,
//! `_portsec_ext_port_update_processing`, `_get_security_groups_on_port`.

use super::address_pairs::{self, Asked};
use crate::document::{flag, set, text, typed};
use crate::manifest::Extension;
use crate::net::Mac;
use crate::security_groups::{self, Group};
use crate::{errors, owners};
use hadron_sdk::manifest::{Attribute, ListTable, ListTableColumn, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Context, Document, Result, config};

const ENABLED: &str = crate::networks::PORT_SECURITY;
const GROUPS: &str = "security_groups";
const PAIRS: &str = "allowed_address_pairs";

pub(super) const POLICY: &[(&str, &str)] = &[
    (
        "create_port:port_security_enabled",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner",
    ),
    (
        "create_port:allowed_address_pairs",
        "(rule:admin_only) or (role:member and rule:network_owner) or rule:service_api",
    ),
    (
        "create_port:allowed_address_pairs:mac_address",
        "(rule:admin_only) or (role:member and rule:network_owner) or rule:service_api",
    ),
    (
        "create_port:allowed_address_pairs:ip_address",
        "(rule:admin_only) or (role:member and rule:network_owner) or rule:service_api",
    ),
    (
        "update_port:port_security_enabled",
        "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner",
    ),
    (
        "update_port:allowed_address_pairs",
        "(rule:admin_only) or (role:member and rule:network_owner) or rule:service_api",
    ),
    (
        "update_port:allowed_address_pairs:mac_address",
        "(rule:admin_only) or (role:member and rule:network_owner) or rule:service_api",
    ),
    (
        "update_port:allowed_address_pairs:ip_address",
        "(rule:admin_only) or (role:member and rule:network_owner) or rule:service_api",
    ),
];

pub(crate) const EXTENSIONS: &[Extension] = &[
    ("Port Security", "port-security", "Provides port security", "2012-07-23T10:00:00-00:00"),
    (
        "Allowed Address Pairs",
        "allowed-address-pairs",
        "Provides allowed address pairs",
        "2013-07-23T10:00:00-00:00",
    ),
    (
        "Allowed address pairs reject multicast extension",
        "aap-reject-multicast",
        "Reject multicast addresses in Allowed Address Pairs",
        "2026-04-01T00:00:00-00:00",
    ),
];

/// The attributes of ports that are about it.
pub(crate) fn attributes() -> Vec<Attribute> {
    let given = |name: &str, validate| Attribute {
        name: name.to_owned(),
        validate,
        post: true,
        put: true,
        ..Attribute::default()
    };
    let list = |items, unique| Validator::List { items: Box::new(items), unique };
    vec![
        Attribute { enforce: true, ..given(ENABLED, Validator::Boolean) },
        Attribute {
            nullable: true,
            filter: true,
            list: Some(ListTable {
                columns: vec![ListTableColumn {
                    name: "value".to_owned(),
                    references: Some(security_groups::COLLECTION.to_owned()),
                    filter: true,
                }],
                keys: Vec::new(),
            }),
            ..given(GROUPS, list(Validator::Uuid, true))
        },
        Attribute { nullable: true, enforce: true, ..given(PAIRS, list(Validator::Dict, false)) },
    ]
}

/// Whether the port is a device of the network's own, which is trusted.
/// In Neutron: `is_port_trusted`.
fn is_trusted(port: &Document) -> bool {
    text(port, "device_owner").starts_with(owners::NETWORK_PREFIX)
}

/// Whether what its network says decides over a new port.
pub(crate) fn inherits(body: &Document) -> bool {
    !is_trusted(body) && set(body, ENABLED).is_none()
}

/// What new ports let through, in their order.
pub(crate) struct Secured {
    enabled: bool,
    groups: Vec<String>,
    pairs: Vec<Asked>,
}

/// Decides over new ports. Default groups are looked up once for all that need
/// one, and so are the groups that requests name. `networks` are those of the
/// ports that inherit.
pub(crate) fn for_new(ctx: &Context, bodies: &[Document], networks: &[Document]) -> Result<Vec<Secured>> {
    let mut secured = Vec::with_capacity(bodies.len());
    for body in bodies {
        let enabled = match set(body, ENABLED) {
            _ if is_trusted(body) => false,
            Some(_) => flag(body, ENABLED),
            None => network_of(body, networks)?,
        };
        let pairs = asked_pairs(body)?;
        if !enabled && !pairs.is_empty() {
            return Err(errors::pairs_need_port_security());
        }
        let groups: Vec<String> = typed(body, GROUPS)?;
        if !enabled && !groups.is_empty() {
            return Err(errors::groups_need_port_security());
        }
        secured.push(Secured { enabled, groups, pairs });
    }

    let wants_default = |(body, port): &(&Document, &Secured)| port.enabled && !body.contains_key(GROUPS);
    let projects =
        bodies.iter().zip(&secured).filter(wants_default).map(|(body, _)| text(body, "project_id"));
    let defaults = security_groups::ensure_defaults(projects)?;
    for (body, port) in bodies.iter().zip(&mut secured) {
        if port.enabled && !body.contains_key(GROUPS) {
            port.groups.extend(defaults.get(text(body, "project_id")).cloned());
        }
    }
    check_groups(
        ctx,
        bodies
            .iter()
            .zip(&secured)
            .filter(|(body, _)| set(body, GROUPS).is_some())
            .map(|(body, port)| (text(body, "project_id"), port.groups.as_slice())),
    )?;
    Ok(secured)
}

fn network_of(body: &Document, networks: &[Document]) -> Result<bool> {
    let id = text(body, "network_id");
    let network = networks.iter().find(|network| text(network, "id") == id);
    Ok(flag(network.ok_or_else(|| errors::network_not_found(id))?, ENABLED))
}

/// Ports are in groups that their projects may use, all of which keep state or
/// none. In Neutron: `_validate_sgs_for_port`.
fn check_groups<'a>(ctx: &Context, ports: impl Iterator<Item = (&'a str, &'a [String])>) -> Result<()> {
    let ports: Vec<(&str, &[String])> = ports.filter(|(_, groups)| !groups.is_empty()).collect();
    let mut projects: Vec<&str> = ports.iter().map(|(project, _)| *project).collect();
    projects.sort_unstable();
    projects.dedup();
    for project in projects {
        let own = || ports.iter().filter(|(owner, _)| *owner == project).map(|(_, groups)| *groups);
        let ids: Vec<&str> = own().flatten().map(String::as_str).collect();
        let known = security_groups::permitted(ctx, project, &ids)?;
        own().try_for_each(|groups| check_state(groups, &known))?;
    }
    Ok(())
}

fn check_state(groups: &[String], known: &[Group]) -> Result<()> {
    let own = || known.iter().filter(|group| groups.contains(&group.id));
    if own().any(|group| group.stateful) && own().any(|group| !group.stateful) {
        return Err(security_groups::errors::mixed_statefulness());
    }
    Ok(())
}

fn asked_pairs(document: &Document) -> Result<Vec<Asked>> {
    if set(document, PAIRS).is_none() {
        return Ok(Vec::new());
    }
    let limit: usize = config::or("max_allowed_address_pair", 10)?;
    address_pairs::asked(&typed::<Vec<Document>>(document, PAIRS)?, limit)
}

impl Secured {
    /// Adds it to the row of a port with this MAC address.
    pub(crate) fn write(self, mac: Mac, document: &mut Document) -> Result<()> {
        let pairs = address_pairs::of_port(self.pairs, &mac.to_string())?;
        document.insert(ENABLED.to_owned(), Value::Bool(self.enabled));
        document.insert(GROUPS.to_owned(), json!(self.groups));
        document.insert(PAIRS.to_owned(), json!(pairs));
        Ok(())
    }
}

/// Decides over what a port is to let through from now on.
pub(crate) fn for_update(ctx: &Context, current: &Document, changes: &mut Document) -> Result<()> {
    if ![ENABLED, GROUPS, PAIRS].iter().any(|name| changes.contains_key(*name)) {
        return Ok(());
    }
    let pairs = asked_pairs(changes)?;
    let groups: Vec<String> = typed(changes, GROUPS)?;
    let enabled = set(changes, ENABLED).or_else(|| current.get(ENABLED)).is_none_or(|is| *is != false);
    if !enabled {
        let has =
            |name: &str| current.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        if !pairs.is_empty() || !changes.contains_key(PAIRS) && has(PAIRS) {
            return Err(errors::pairs_need_port_security());
        }
        if !groups.is_empty() {
            return Err(errors::groups_need_port_security());
        }
        if !changes.contains_key(GROUPS) && has(GROUPS) {
            return Err(errors::port_has_groups());
        }
    }
    if changes.contains_key(PAIRS) {
        let mac = set(changes, "mac_address").or_else(|| current.get("mac_address")).and_then(Value::as_str);
        let pairs = address_pairs::of_port(pairs, mac.unwrap_or_default())?;
        changes.insert(PAIRS.to_owned(), json!(pairs));
    }
    if changes.contains_key(GROUPS) {
        let mut had: Vec<String> = typed(current, GROUPS)?;
        let mut wanted = groups.clone();
        had.sort_unstable();
        wanted.sort_unstable();
        if had == wanted {
            changes.remove(GROUPS);
        } else {
            check_groups(ctx, std::iter::once((text(current, "project_id"), groups.as_slice())))?;
            changes.insert(GROUPS.to_owned(), json!(groups));
        }
    }
    Ok(())
}
