//! `cargo xtask bench`: builds everything, then becomes the benchmark.

use crate::workspace::Workspace;
use crate::{build, say};
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
    let step = say::step("building the benchmark");
    say::run(workspace.cargo().args(["build", "--release", "--quiet", "-p", "hadron-bench"]))?;
    step.done("");
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
