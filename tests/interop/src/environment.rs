//! What `cargo xtask setup` installed, and what happens where it did not.

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Below the target folder, if it is there.
pub fn target(below: &str) -> Option<PathBuf> {
    let given = std::env::var_os("HADRON_TARGET").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    // Not canonical: a virtual environment is found by the link's own path.
    Some(folder.join(below)).filter(|path| path.exists())
}

/// What is there, or nothing and a loud word; an error where nothing may be
/// skipped.
pub fn wanted<T>(what: &str, found: Option<T>) -> Result<Option<T>> {
    match found {
        Some(found) => Ok(Some(found)),
        None if std::env::var("HADRON_TEST_NO_SKIP").is_ok_and(|v| v == "1") => {
            bail!("{what} is not there: cargo xtask setup")
        }
        None => {
            eprintln!("\n=== SKIPPED: {what} is not there (cargo xtask setup) ===\n");
            Ok(None)
        }
    }
}

/// Takes away the variables that tell OpenStack's clients of another cloud.
pub fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OS_") {
            command.env_remove(name);
        }
    }
    command
}
