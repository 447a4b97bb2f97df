//! `cargo xtask bench`: builds everything, then becomes the benchmark.

use crate::workspace::Workspace;
use crate::{build, setup};
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Builds and measures.
pub(crate) fn bench(
    workspace: &Workspace,
    quick: bool,
    database: Option<&str>,
    json: Option<&Path>,
) -> Result<()> {
    build::build(workspace)?;
    build::program(workspace, "hadron-bench")?;
    let mut bench = Command::new(workspace.path("target/release/hadron-bench"));
    bench.arg("--target").arg(workspace.path("target"));
    if quick {
        bench.arg("--quick");
    }
    if let Some(database) = database {
        bench.args(["--database", database]);
    }
    if let Some(json) = json {
        bench.arg("--json").arg(json);
    }
    let error = bench.exec();
    Err(error).context("target/release/hadron-bench could not be started")
}

/// Builds, then measures agents.
pub(crate) fn agents(workspace: &Workspace, quick: bool) -> Result<()> {
    setup::setup(workspace)?;
    build::build(workspace)?;
    build::program(workspace, "hadron-bench")?;
    let mut bench = Command::new(workspace.path("target/release/hadron-bench"));
    bench.arg("--agents").env("HADRON_TARGET", workspace.path("target"));
    if quick {
        bench.arg("--quick");
    }
    let error = bench.exec();
    Err(error).context("target/release/hadron-bench could not be started")
}

/// Builds what measures messages, and becomes it.
pub(crate) fn bus(workspace: &Workspace) -> Result<()> {
    let name = "hadron-bench-bus";
    build::program(workspace, name)?;
    let error = Command::new(workspace.path("target/release").join(name)).exec();
    Err(error).context("target/release/hadron-bench-bus could not be started")
}
