//! Who must agree before a port becomes active. In Neutron: provisioning blocks.

use crate::attribute::hidden;
use crate::document::{flag, text, typed};
use crate::{binding, owners};
use hadron_sdk::manifest::Attribute;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result};

/// The hidden attribute of ports: the names of those who have not agreed yet;
/// null when nobody is waited for.
pub(crate) const AWAITED: &str = "provisioning";

const STATUS: &str = "status";
const ACTIVE: &str = "ACTIVE";

/// Who has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    /// The agent that plugs the port in. In Neutron: `L2_AGENT_ENTITY`.
    Wiring,
    /// The agents that serve it its addresses. In Neutron: `DHCP_ENTITY`.
    Addresses,
}

impl Entity {
    fn name(self) -> &'static str {
        match self {
            Entity::Wiring => "L2",
            Entity::Addresses => "DHCP",
        }
    }
}

/// The attribute.
pub(crate) fn attribute() -> Attribute {
    hidden(AWAITED)
}

fn awaited(port: &Document) -> Result<Vec<String>> {
    typed(port, AWAITED)
}

fn written(awaited: &[String]) -> Value {
    if awaited.is_empty() { Value::Null } else { json!(awaited) }
}

fn is_plugged(port: &Document) -> bool {
    !binding::is_unplugged(text(port, "binding:vif_type"))
}

/// Notes for whom a port waits that is about to be written: for who plugs it in
/// where it has just been bound, and for its addresses where that is known to be
/// so (`true`) or not (`false`).
pub(crate) fn wait(port: &mut Document, bound: bool, addresses: Option<bool>) -> Result<()> {
    let mut names = awaited(port)?;
    let mut put = |entity: Entity, waits: bool| {
        names.retain(|name| name != entity.name());
        if waits {
            names.push(entity.name().to_owned());
        }
    };
    let waits = text(port, STATUS) != ACTIVE && !owners::is_awaited_by_nobody(text(port, "device_owner"));
    if bound {
        put(Entity::Wiring, waits && is_plugged(port));
    }
    if let Some(served) = addresses {
        put(Entity::Addresses, waits && served);
    }
    port.insert(AWAITED.to_owned(), written(&names));
    Ok(())
}

/// What changes of a port when somebody agrees. The last one makes it active,
/// where it is plugged in and switched on. In Neutron: `provisioning_complete`,
/// `_port_provisioned`.
pub(crate) fn agreed(port: &Document, entity: Entity) -> Result<Document> {
    let mut names = awaited(port)?;
    names.retain(|name| name != entity.name());
    let mut changes = Document::new();
    changes.insert(AWAITED.to_owned(), written(&names));
    if names.is_empty() && is_plugged(port) && flag(port, "admin_state_up") {
        changes.insert(STATUS.to_owned(), json!(ACTIVE));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::merged;
    use proptest::prelude::*;

    fn port(owner: &str, vif_type: &str) -> Document {
        let port = json!({"status": "DOWN", "device_owner": owner, "admin_state_up": true,
            "binding:vif_type": vif_type});
        port.as_object().unwrap().clone()
    }

    fn after(port: &Document, entity: Entity) -> Document {
        merged(port, &agreed(port, entity).unwrap())
    }

    #[test]
    fn a_port_of_nobody_waits_for_nobody() {
        let mut port = port("", "ovs");
        wait(&mut port, true, Some(true)).unwrap();
        assert_eq!(port[AWAITED], Value::Null);
        assert_eq!(after(&port, Entity::Wiring)[STATUS], ACTIVE);
    }

    #[test]
    fn a_port_that_is_not_plugged_in_or_switched_off_stays_down() {
        for vif_type in ["unbound", "binding_failed"] {
            let mut port = port("compute:x", vif_type);
            wait(&mut port, true, Some(true)).unwrap();
            assert_eq!(after(&port, Entity::Addresses)[STATUS], "DOWN");
        }
        let mut off = port("compute:x", "ovs");
        off.insert("admin_state_up".into(), json!(false));
        wait(&mut off, true, Some(false)).unwrap();
        assert_eq!(after(&off, Entity::Wiring)[STATUS], "DOWN");
    }

    #[test]
    fn an_active_port_waits_for_nobody() {
        let mut port = port("compute:x", "ovs");
        port.insert(STATUS.into(), json!(ACTIVE));
        wait(&mut port, true, Some(true)).unwrap();
        assert_eq!(port[AWAITED], Value::Null);
    }

    #[test]
    fn addresses_that_are_served_by_nobody_any_more_are_not_waited_for() {
        let mut port = port("compute:x", "ovs");
        wait(&mut port, true, Some(true)).unwrap();
        wait(&mut port, false, Some(false)).unwrap();
        assert_eq!(after(&port, Entity::Wiring)[STATUS], ACTIVE);
    }

    proptest! {
        /// In whatever order, and however often, they agree: the port is active
        /// when all have and not before.
        #[test]
        fn all_must_agree(order in proptest::collection::vec(any::<bool>(), 0..8), served in any::<bool>()) {
            let mut port = port("compute:x", "ovs");
            wait(&mut port, true, Some(served)).unwrap();
            let (mut wired, mut ready) = (false, !served);
            for is_wiring in order {
                let entity = if is_wiring { Entity::Wiring } else { Entity::Addresses };
                port = after(&port, entity);
                if is_wiring { wired = true } else { ready = true }
                prop_assert_eq!(port[STATUS] == ACTIVE, wired && ready);
            }
        }
    }
}
