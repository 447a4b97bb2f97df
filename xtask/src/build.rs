//! `cargo xtask build` and `cargo xtask run`.

use crate::workspace::Workspace;
use crate::{guests, say};
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where `run` serves.
const LISTEN: &str = "127.0.0.1:9696";

/// Builds guests and host; only what changed.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    guests::build(workspace)?;
    program(workspace, "hadron")
}

/// Builds a program into target/release.
pub(crate) fn program(workspace: &Workspace, name: &str) -> Result<()> {
    let step = say::step(format!("building {name}"));
    // `--workspace` though one program is built: features of dependencies are
    // then those of the tests' build, and wasmtime is compiled once for all.
    say::run(workspace.cargo().args(["build", "--release", "--quiet", "--workspace", "--bin", name]))?;
    step.done(&format!("target/release/{name}"));
    Ok(())
}

/// Builds, then becomes `hadron serve`.
pub(crate) fn run(workspace: &Workspace, serve: &[String]) -> Result<()> {
    build(workspace)?;
    let mut hadron = Command::new(workspace.path("target/release/hadron"));
    hadron.arg("serve");
    let given = |flag: &str| serve.iter().any(|a| a == flag || a.starts_with(&format!("{flag}=")));
    for (flag, value) in [
        ("--listen", LISTEN.to_owned()),
        ("--data-folder", workspace.path(".hadron").display().to_string()),
        ("--plugin-folder", workspace.path("target/plugins").display().to_string()),
    ] {
        if !given(flag) {
            hadron.arg(flag).arg(value);
        }
    }
    hadron.args(serve);
    // Replaces this process, so that signals reach the server itself.
    let error = hadron.exec();
    Err(error).context("target/release/hadron could not be started")
}
