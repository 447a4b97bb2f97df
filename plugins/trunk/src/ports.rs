//! What a trunk asks of the core plugin: the ports it is made of, and their
//! networks.

use crate::sub_ports::{Asked, SubPort};
use crate::trunks::{self, SUB_PORTS};
use crate::{errors, text};
use hadron_sdk::manifest::{Attribute, Computed, Extends, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, resources};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};

/// The collections of the core plugin.
pub(crate) const PORTS: &str = "ports";
/// See [`PORTS`].
pub(crate) const NETWORKS: &str = "networks";
/// The owner of ports that an agent has plugged into a trunk.
/// In Neutron: `TRUNK_SUBPORT_OWNER`.
pub(crate) const OWNER: &str = "trunk:subport";

/// The hidden attribute of a port with the trunk that it is the parent of.
const TRUNK: &str = "trunk_id";
/// What a parent shows of its trunk.
const DETAILS: &str = "trunk_details";

/// What the plugin adds to ports.
pub(crate) fn extends() -> Extends {
    Extends {
        collection: PORTS.to_owned(),
        attributes: vec![Attribute {
            name: TRUNK.to_owned(),
            validate: Validator::Uuid,
            nullable: true,
            hidden: true,
            ..Attribute::default()
        }],
        computed: vec![Computed {
            attribute: Attribute {
                name: DETAILS.to_owned(),
                validate: Validator::Dict,
                ..Attribute::default()
            },
            when: vec![TRUNK.to_owned()],
            absent: true,
        }],
        when_given: true,
        ..Extends::default()
    }
}

/// Makes a port the parent of a trunk, or of none.
pub(crate) fn annotate(port: &str, trunk: Option<&str>) -> Result<()> {
    store::annotate(PORTS, port, &json!({ TRUNK: trunk }))
}

/// What parents show of their trunks, with the MAC addresses of their sub-ports.
/// In Neutron: `_extend_port_trunk_details_bulk`.
pub(crate) fn details(parents: &[Document]) -> Result<Vec<Document>> {
    let trunks = trunks::of_parents(parents.iter().map(|parent| text(parent, "id")))?;
    let all = trunks.iter().flat_map(|trunk| &trunk.sub_ports);
    let ports = find(all.map(|sub_port| sub_port.port_id.as_str()))?;
    let sub_port = |sub_port: &SubPort| {
        let mut shown = json!(sub_port);
        if let (Some(port), Some(shown)) = (ports.get(&sub_port.port_id), shown.as_object_mut()) {
            shown.insert("mac_address".to_owned(), Value::from(port.mac_address.as_str()));
        }
        shown
    };
    let answer = |parent: &Document| match trunks.iter().find(|trunk| trunk.port_id == text(parent, "id")) {
        Some(trunk) => {
            let sub_ports: Vec<Value> = trunk.sub_ports.iter().map(sub_port).collect();
            let details = json!({"trunk_id": trunk.id, SUB_PORTS: sub_ports});
            Document::from_iter([(DETAILS.to_owned(), details)])
        }
        None => Document::new(),
    };
    Ok(parents.iter().map(answer).collect())
}

/// A port, as far as trunks care.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Port {
    id: String,
    network_id: String,
    device_id: String,
    device_owner: String,
    #[serde(rename = "binding:host_id")]
    pub(crate) host: Option<String>,
    #[serde(rename = "binding:vif_type")]
    pub(crate) vif_type: Option<String>,
    #[serde(rename = "binding:profile")]
    profile: Option<Value>,
    pub(crate) mac_address: String,
}

impl Port {
    /// Whether it is plugged in on a host. Drivers that plug a trunk in do so
    /// when its parent is, so a port that is already cannot become a parent or
    /// cease to be one. In Neutron: `can_be_trunked_or_untrunked`, of drivers
    /// that cannot trunk a bound port.
    pub(crate) fn is_bound(&self) -> bool {
        self.host.as_deref().is_some_and(|host| !host.is_empty())
    }

    /// The host that it is on, or on its way to.
    pub(crate) fn host_to_be(&self) -> &str {
        let migrating = self.profile.as_ref().and_then(|profile| profile.get("migrating_to"));
        migrating.and_then(Value::as_str).or(self.host.as_deref()).unwrap_or_default()
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    id: String,
    mtu: u64,
    #[serde(rename = "provider:network_type")]
    network_type: Value,
    #[serde(rename = "provider:segmentation_id")]
    segmentation_id: Value,
}

/// Ports and their networks that were read at once.
#[derive(Default)]
pub(crate) struct Known {
    ports: HashMap<String, Port>,
    networks: HashMap<String, Network>,
}

/// Those of these ports that the caller may see.
pub(crate) fn find<'a>(ids: impl Iterator<Item = &'a str>) -> Result<HashMap<String, Port>> {
    let ids: BTreeSet<&str> = ids.collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<Port> = resources::find(PORTS, &Query::all().any_of("id", ids))?;
    Ok(found.into_iter().map(|port| (port.id.clone(), port)).collect())
}

impl Known {
    /// Reads ports with their networks: two queries however many there are.
    pub(crate) fn load<'a>(ids: impl Iterator<Item = &'a str>) -> Result<Known> {
        let ports = find(ids)?;
        let networks: BTreeSet<&str> = ports.values().map(|port| port.network_id.as_str()).collect();
        let networks: Vec<Network> = match networks.is_empty() {
            true => Vec::new(),
            false => resources::find(NETWORKS, &Query::all().any_of("id", networks))?,
        };
        let networks = networks.into_iter().map(|network| (network.id.clone(), network)).collect();
        Ok(Known { ports, networks })
    }

    /// A port that must be there.
    pub(crate) fn port(&self, id: &str) -> Result<&Port> {
        self.ports.get(id).ok_or_else(|| errors::port_not_found(id))
    }

    fn network(&self, port: &str) -> Option<&Network> {
        self.networks.get(&self.ports.get(port)?.network_id)
    }

    /// The MTU of a port's network; nothing where that is not known.
    fn mtu(&self, port: &str) -> Option<u64> {
        self.network(port).map(|network| network.mtu).filter(|mtu| *mtu > 0)
    }

    /// Puts those that want that into the segments of their networks.
    pub(crate) fn inherit(&self, asked: &mut [Asked]) {
        for one in asked.iter_mut().filter(|one| one.inherits()) {
            if let Some(network) = self.network(&one.port_id) {
                one.inherit(&network.network_type, &network.segmentation_id);
            }
        }
    }

    /// What a sub-port carries goes through its trunk's parent.
    pub(crate) fn check_mtu(&self, sub_port: &str, parent: &str) -> Result<()> {
        match (self.mtu(sub_port), self.mtu(parent)) {
            (Some(mtu), Some(largest)) if mtu > largest => {
                Err(errors::mtu_too_large(sub_port, mtu, parent, largest))
            }
            _ => Ok(()),
        }
    }

    /// A port that a device uses is no sub-port.
    pub(crate) fn check_unused(&self, id: &str) -> Result<()> {
        let port = self.port(id)?;
        match port.device_id.as_str() {
            "" => Ok(()),
            device => Err(errors::port_in_use(id, &port.network_id, device)),
        }
    }
}

/// Plugs a sub-port in where its trunk is; the port as it is then.
/// In Neutron: `_handle_port_binding`.
pub(crate) fn plug_in(port: &str, host: &str) -> Result<Document> {
    resources::update(PORTS, port, &json!({"binding:host_id": host, "device_owner": OWNER}))
}

/// Gives up ports that agents have plugged into a trunk, those that the caller
/// may change.
pub(crate) fn give_up<'a>(ids: impl Iterator<Item = &'a str>) -> Result<()> {
    for port in find(ids)?.values().filter(|port| port.device_owner == OWNER) {
        let changes = json!({"binding:host_id": "", "device_owner": ""});
        match resources::update::<Document>(PORTS, &port.id, &changes) {
            Ok(_) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
