//! What agents cost, and how long they take: a network with many ports on two
//! hosts with real switches, and many hosts at one server whose agents speak as
//! real ones do, without a switch.

mod many;
mod ports;

use anyhow::Result;
use std::io::Write as _;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// Ports of one network, half of them on each of two hosts.
    ports: usize,
    /// Agents at one server.
    agents: usize,
    /// Ports of each of these.
    ports_each: usize,
}

/// As the project's targets name it.
pub(crate) const FULL: Extent = Extent { ports: 1000, agents: 500, ports_each: 10 };

/// In about a minute.
pub(crate) const QUICK: Extent = Extent { ports: 100, agents: 50, ports_each: 10 };

/// Measures both, or only that many ports, and prints what came of it.
pub(crate) async fn measure(extent: Extent, only: Option<usize>) -> Result<()> {
    if let Some(count) = only {
        return ports::measure(count).await;
    }
    ports::measure(extent.ports).await?;
    many::measure(extent.agents, extent.ports_each).await
}

fn print(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
