//! `cargo xtask faults`, `replay`, `conformance` and `dataplane`: programs under tests/ that
//! work on a whole server.

use crate::workspace::Workspace;
use crate::{build, say, setup, test};
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Kills of a campaign on each database: enough that rare instants come about.
const LONG: &str = "100";
/// The short form: every sort of instant twice.
const SHORT: &str = "18";

/// Kills the server under load and checks what it left.
pub(crate) fn faults(workspace: &Workspace, long: bool, database: Option<&str>) -> Result<()> {
    let mut arguments = vec!["--kills", if long { LONG } else { SHORT }];
    if let Some(database) = database {
        arguments.extend(["--database", database]);
    }
    start(workspace, "hadron-faults", &arguments)
}

/// Asks a server what Neutron was asked once, and prints the differences.
pub(crate) fn replay(workspace: &Workspace, url: Option<&str>) -> Result<()> {
    start(workspace, "hadron-replay", url.as_slice())
}

/// Runs Tempest's tests of the API against it and a real Keystone.
pub(crate) fn conformance(workspace: &Workspace, long: bool, prefixes: &[String]) -> Result<()> {
    setup::setup(workspace)?;
    let mut arguments = if long { vec!["--long"] } else { Vec::new() };
    arguments.extend(prefixes.iter().map(String::as_str));
    start(workspace, "hadron-conformance", &arguments)
}

/// Builds two hosts and draws them, then has the tests of packets run.
pub(crate) fn dataplane(workspace: &Workspace, long: bool) -> Result<()> {
    setup::setup(workspace)?;
    build::build(workspace)?;
    build::program(workspace, "hadron-dataplane")?;
    say::run(
        Command::new(workspace.path("target/release/hadron-dataplane"))
            .env("HADRON_TARGET", workspace.path("target")),
    )?;
    test::dataplane(workspace, long)
}

fn start(workspace: &Workspace, program: &str, arguments: &[&str]) -> Result<()> {
    build::build(workspace)?;
    build::program(workspace, program)?;
    let error = Command::new(workspace.path("target/release").join(program))
        .args(arguments)
        .env("HADRON_TARGET", workspace.path("target"))
        .exec();
    Err(error).with_context(|| format!("target/release/{program} could not be started"))
}
