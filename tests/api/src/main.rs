//! `hadron-replay`: the recorded dialogues from the command line; see
//! `cargo xtask replay`.

use anyhow::Result;
use clap::Parser;
use hadron_api_tests::{replay, world};
use std::io::Write;
use std::process::ExitCode;

/// Asks a server what Neutron was asked once, and prints what it answers
/// differently
#[derive(Parser)]
struct Cli {
    /// An empty server without authentication; one is started where none is
    /// given
    url: Option<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let report = match Cli::parse().url {
        Some(url) => replay::replay(url.trim_end_matches('/')).await?,
        None => {
            let server = world::builder().config(replay::LIMITS).start().await?;
            replay::replay(server.url()).await?
        }
    };
    // Nobody reads it any more: the exit code still tells.
    let _ = write!(std::io::stdout(), "{}", report.text());
    Ok(if report.different().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
