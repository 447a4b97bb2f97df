//! `cargo xtask lint`: what a reviewer should not have to say.
//!
//! Apart from `test`, since clippy checks every dependency once more.

use crate::say;
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::Command;

/// Formatting, clippy with warnings as errors, and cargo-deny where it is
/// installed.
pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    format(workspace)?;
    let step = say::step("clippy");
    say::run(workspace.cargo().args([
        "clippy",
        "--release",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    step.done("");
    if say::succeeds(Command::new("cargo-deny").arg("--version")) {
        let step = say::step("cargo deny (licences, sources, bans)");
        say::run(workspace.cargo().args([
            "deny",
            "--log-level",
            "error",
            "check",
            "licenses",
            "sources",
            "bans",
        ]))?;
        step.done("");
    } else {
        say::note("cargo-deny is not installed: licences and sources of dependencies were not checked");
    }
    Ok(())
}

/// `cargo fmt --check`.
pub(crate) fn format(workspace: &Workspace) -> Result<()> {
    let step = say::step("checking the format");
    say::run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    step.done("");
    Ok(())
}
