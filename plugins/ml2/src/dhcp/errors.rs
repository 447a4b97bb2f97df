//! What cannot be done with networks and DHCP agents.

use hadron_sdk::Error;

pub(super) fn invalid_agent(id: &str) -> Error {
    Error::not_found(
        "InvalidDHCPAgent",
        format!("Agent {id} is not a valid DHCP Agent or has been disabled."),
    )
}

pub(super) fn hosted(network: &str, agent: &str) -> Error {
    Error::conflict(
        "NetworkHostedByDHCPAgent",
        format!("The network {network} has been already hosted by the DHCP Agent {agent}."),
    )
}

pub(super) fn not_hosted(network: &str, agent: &str) -> Error {
    Error::conflict(
        "NetworkNotHostedByDhcpAgent",
        format!("The network {network} is not hosted by the DHCP Agent {agent}."),
    )
}
