//! `hadron-conformance`: see `cargo xtask conformance`.

use anyhow::{Result, bail};
use clap::Parser;
use hadron_conformance::report::Report;
use hadron_conformance::{EVERYTHING, implemented, neutron, tempest};
use std::io::Write;
use std::process::ExitCode;

/// Runs Tempest's tests of the network API and compares with Neutron
#[derive(Parser)]
struct Cli {
    /// All tests, not only those that must pass
    #[arg(long)]
    long: bool,
    /// Only tests whose names begin so
    prefix: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let all = cli.long || !cli.prefix.is_empty();
    let (required, prefixes) = match (cli.prefix.is_empty(), cli.long) {
        (false, _) => (Vec::new(), cli.prefix),
        (true, true) => (implemented(), vec![EVERYTHING.to_owned()]),
        (true, false) => (implemented(), implemented()),
    };
    let Some(run) = tempest::run(&prefixes).await? else { bail!("nothing was run") };
    let report = Report { here: run.outcomes, neutron: neutron(), required };
    // Nobody reads it any more: the exit code still tells.
    let _ = write!(std::io::stderr(), "{}", run.printed);
    let _ = write!(std::io::stdout(), "{}", report.text(all));
    Ok(if report.broken().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
