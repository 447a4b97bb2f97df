//! What is looked at from time to time, whoever asks for something meanwhile.

use crate::{agents, dhcp, ports};
use hadron_sdk::manifest::Tick;
use hadron_sdk::{Error, Result};

/// Agents that do not report any more, and what waits for those that came alive.
const AGENTS: &str = "agents";

/// Networks of dead DHCP agents.
const FAIL_OVER: &str = "dhcp-failover";

/// Agents for which rows are looked through in one unit of work.
const MOST_BEHIND: u32 = 4;

/// All ticks.
pub(crate) fn all() -> Vec<Tick> {
    [(AGENTS, 2), (FAIL_OVER, 5)]
        .map(|(name, every_seconds)| Tick { name: name.to_owned(), every_seconds })
        .to_vec()
}

/// Does what is due.
pub(crate) fn tick(name: &str) -> Result<()> {
    match name {
        AGENTS => {
            agents::bury()?;
            catch_up()
        }
        FAIL_OVER => dhcp::fail_over(),
        other => Err(Error::internal(format!("'{other}' is no tick of this plugin"))),
    }
}

/// Ports that nobody could bind are bound where an agent came alive that can, and
/// networks without DHCP agents get one: a page of them for each agent.
fn catch_up() -> Result<()> {
    for behind in agents::behind(MOST_BEHIND)? {
        let agent = &behind.agent;
        let next = match agents::wires(&agent.agent_type) {
            true => ports::rebind(&agent.host, &behind.looked_up_to)?,
            false => dhcp::catch_up(&behind)?,
        };
        agents::looked_up_to(&agent.id, next)?;
    }
    Ok(())
}
