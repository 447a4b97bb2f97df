//! Helpers by which a router's connection tracking follows protocols that open
//! further connections. In Neutron: the plugin of `l3-conntrack-helper`.

use crate::routers::ROUTERS;
use crate::{agents, errors, text};
use hadron_sdk::manifest::{
    Attribute, Called, Collection, Key, OnDelete, Parent, Reference, Standard, Validator,
};
use hadron_sdk::serde_json::Value;
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Document, Error, Result};

/// The collection, below routers.
pub(crate) const COLLECTION: &str = "conntrack_helpers";
/// The attribute with the router.
pub(crate) const PARENT: &str = "router_id";

/// Helpers with the protocols that they follow. In Neutron: `ct_helpers`.
const HELPERS: [(&str, &str); 11] = [
    ("amanda", "tcp"),
    ("ftp", "tcp"),
    ("h323", "udp"),
    ("h323", "tcp"),
    ("irc", "tcp"),
    ("netbios_ns", "udp"),
    ("pptp", "tcp"),
    ("sane", "tcp"),
    ("sip", "udp"),
    ("snmp", "udp"),
    ("tftp", "udp"),
];

/// The declaration.
pub(crate) fn collection() -> Collection {
    let attribute = |name: &str, validate: Validator| Attribute {
        name: name.to_owned(),
        validate,
        post: true,
        put: true,
        required: true,
        filter: true,
        ..Attribute::default()
    };
    let protocols = ["tcp", "udp", "icmp", "dccp", "ipv6-icmp", "sctp"];
    Collection {
        name: COLLECTION.to_owned(),
        member: "router_conntrack_helper".to_owned(),
        called: Some(Called { collection: COLLECTION.to_owned(), member: "conntrack_helper".to_owned() }),
        parent: Some(Parent { collection: ROUTERS.to_owned(), attribute: PARENT.to_owned() }),
        attributes: vec![
            attribute("protocol", Validator::Enum { values: protocols.map(Value::from).to_vec() }),
            attribute("port", Validator::Integer { min: Some(1), max: Some(65535) }),
            attribute("helper", Validator::String { max: Some(64) }),
            Attribute {
                hidden: true,
                post: false,
                put: false,
                required: false,
                filter: false,
                ..attribute(PARENT, Validator::Uuid)
            },
        ],
        keys: vec![Key {
            name: "helper".to_owned(),
            attributes: [PARENT, "protocol", "port", "helper"].map(str::to_owned).to_vec(),
        }],
        references: vec![Reference {
            attribute: PARENT.to_owned(),
            collection: ROUTERS.to_owned(),
            on_delete: OnDelete::Cascade,
            ..Reference::default()
        }],
        not_found: Some("ConntrackHelperNotFound".to_owned()),
        not_found_says: Some("Conntrack Helper {id} could not be found.".to_owned()),
        without: ["revision_number", "created_at", "updated_at", "project_id", "tenant_id"]
            .map(str::to_owned)
            .to_vec(),
        standard: Standard::NONE,
        ..Collection::default()
    }
}

/// Whether a helper is known, and follows a protocol.
fn check(document: &Document) -> Result<()> {
    let (helper, protocol) = (text(document, "helper"), text(document, "protocol"));
    let supported: Vec<&str> =
        HELPERS.iter().filter(|(name, _)| *name == helper).map(|(_, protocol)| *protocol).collect();
    if supported.is_empty() {
        let message = format!("Conntrack Helper {helper} is not allowed.");
        return Err(Error::invalid("ConntrackHelperNotAllowed", message));
    }
    match supported.contains(&protocol) {
        true => Ok(()),
        false => Err(Error::invalid(
            "InvalidProtocolForHelper",
            format!(
                "Conntrack Helper {helper} does not support: {protocol}. Supported protocols are: {supported:?}"
            )
            .replace('"', "'"),
        )),
    }
}

/// There is one like it already.
fn duplicate(document: &Document) -> Error {
    let shown: Vec<String> = ["protocol", "port", "helper"]
        .iter()
        .map(|name| format!("'{name}': {}", document.get(*name).cloned().unwrap_or_default()))
        .collect();
    let values = format!("{{{}}}", shown.join(", ")).replace('"', "'");
    Error::invalid(
        "BadRequest",
        format!(
            "Bad conntrack_helper request: A duplicate conntrack helper entry with same attributes already \
             exists, conflicting values are {values}."
        ),
    )
}

/// Makes helpers.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    for body in bodies {
        check(&body)?;
        let router = text(&body, PARENT).to_owned();
        store::insert(COLLECTION, std::slice::from_ref(&body)).map_err(|error| match error {
            InsertError::Store(StoreError::MissingReference(_)) => errors::router_not_found(&router),
            InsertError::Store(StoreError::Duplicate(_)) => duplicate(&body),
            other => other.into(),
        })?;
        agents::changed(&router)?;
    }
    Ok(())
}

/// Changes a helper.
pub(crate) fn update(id: &str, current: &Document, changes: &Document) -> Result<()> {
    let mut after = current.clone();
    after.extend(changes.clone());
    check(&after)?;
    store::try_update(COLLECTION, id, changes).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => duplicate(&after),
        other => other.into(),
    })?;
    agents::changed(text(current, PARENT))
}

/// Removes helpers.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        store::delete(COLLECTION, &[text(document, "id").to_owned()])?;
        agents::changed(text(document, PARENT))?;
    }
    Ok(())
}

/// Those of routers, as rows.
pub(crate) fn of_routers(routers: &[String]) -> Result<Vec<Document>> {
    if routers.is_empty() {
        return Ok(Vec::new());
    }
    store::find(COLLECTION, &Query::all().any_of(PARENT, routers.iter().cloned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    #[test]
    fn a_helper_follows_its_protocols() {
        let of = |helper: &str, protocol: &str| {
            let document = json!({"helper": helper, "protocol": protocol, "port": 21});
            check(document.as_object().unwrap()).map_err(|error| error.fault().kind.clone())
        };
        assert_eq!(of("ftp", "tcp"), Ok(()));
        assert_eq!((of("h323", "tcp"), of("h323", "udp")), (Ok(()), Ok(())));
        assert_eq!(of("tftp", "tcp"), Err("InvalidProtocolForHelper".to_owned()));
        assert_eq!(of("nosuch", "tcp"), Err("ConntrackHelperNotAllowed".to_owned()));
    }
}
