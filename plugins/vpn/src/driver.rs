//! Having connections carried out: what Neutron's VPN agents are told, which are
//! part of its L3 agents. A vendor's driver would stand here. In Neutron:
//! `IPsecVPNDriver`, `IPsecVpnAgentApi`.

use crate::outside;
use hadron_sdk::serde_json::json;
use hadron_sdk::{Result, rpc};

/// Where agents listen.
const TOPIC: &str = "ipsec_agent";

/// Services of a router, or their connections, are others: the agent where the
/// router leads out asks what they are (`agents`).
pub(crate) fn changed(router: &str) -> Result<()> {
    let Some(host) = outside::host_of(router)? else { return Ok(()) };
    match outside::is_heard_at(&host)? {
        true => {
            rpc::cast(&format!("{TOPIC}.{host}"), "vpnservice_updated", &json!({"router": {"id": router}}))
        }
        false => Ok(()),
    }
}
