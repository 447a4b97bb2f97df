//! Where things are, and which crates are guests.

use crate::say;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace this program belongs to.
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// The compiler version the workspace asks for: `1.95`.
    pub(crate) rust_version: String,
    /// The crates that are built for WebAssembly.
    pub(crate) guests: Vec<Guest>,
}

/// A crate that becomes a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    /// The package.
    pub(crate) package: String,
    /// The library's name, as in the file the compiler writes.
    pub(crate) library: String,
}

impl Guest {
    /// The component's name: the package's, without its prefix.
    pub(crate) fn name(&self) -> &str {
        let package = self.package.as_str();
        package
            .strip_prefix("hadron-plugin-")
            .or_else(|| package.strip_prefix("hadron-example-"))
            .unwrap_or(package)
    }
}

impl Workspace {
    /// Finds the workspace and reads its members.
    pub(crate) fn find() -> Result<Workspace> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask's folder has no parent")?.to_owned();
        let metadata = say::output(cargo().current_dir(&root).args([
            "metadata",
            "--no-deps",
            "--locked",
            "--format-version=1",
        ]))
        .or_else(|| {
            say::output(cargo().current_dir(&root).args(["metadata", "--no-deps", "--format-version=1"]))
        })
        .context("`cargo metadata` failed: run it to see why")?;
        let metadata: Value = serde_json::from_str(&metadata).context("`cargo metadata` printed no JSON")?;
        let packages = metadata.get("packages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut guests: Vec<Guest> = packages.iter().filter_map(|p| guest(p, &root)).collect();
        guests.sort_by(|a, b| a.package.cmp(&b.package));
        let rust_version = packages
            .iter()
            .find_map(|p| p.get("rust_version").and_then(Value::as_str))
            .unwrap_or_default()
            .to_owned();
        Ok(Workspace { root, rust_version, guests })
    }

    /// Below the root.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Cargo, in the workspace's root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }
}

/// Cargo, without what the cargo that runs this program set for it: a build
/// script that watches such a variable would be run again each time.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    clean(&mut command);
    command
}

/// Takes away the variables that cargo sets for the program it runs.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|p| name.starts_with(p))
        {
            command.env_remove(name);
        }
    }
}

/// A package under plugins/, examples/ or tests/ whose library is a cdylib.
fn guest(package: &Value, root: &Path) -> Option<Guest> {
    let manifest = Path::new(package.get("manifest_path")?.as_str()?);
    let below = manifest.strip_prefix(root).ok()?;
    if !["plugins", "examples", "tests"].iter().any(|folder| below.starts_with(folder)) {
        return None;
    }
    let is_cdylib = |target: &&Value| {
        let kinds = target.get("kind").and_then(Value::as_array);
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    };
    let library = package.get("targets")?.as_array()?.iter().find(is_cdylib)?;
    Some(Guest {
        package: package.get("name")?.as_str()?.to_owned(),
        library: library.get("name")?.as_str()?.replace('-', "_"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(package: &str) -> Guest {
        Guest { package: package.into(), library: String::new() }
    }

    #[test]
    fn a_component_is_named_like_its_package_without_the_prefix() {
        assert_eq!(named("hadron-plugin-ml2").name(), "ml2");
        assert_eq!(named("hadron-example-rust-switch").name(), "rust-switch");
        assert_eq!(named("acme").name(), "acme");
    }

    #[test]
    fn only_cdylibs_under_plugins_and_examples_are_guests() {
        let package = |folder: &str, kind: &str| {
            serde_json::json!({
                "name": "x", "manifest_path": format!("/w/{folder}/Cargo.toml"),
                "targets": [{"kind": ["rlib", kind], "name": "x-y"}],
            })
        };
        let root = Path::new("/w");
        let found = guest(&package("plugins/x", "cdylib"), root);
        assert_eq!(found.map(|g| g.library), Some("x_y".to_owned()));
        assert_eq!(guest(&package("host/x", "cdylib"), root), None);
        assert_eq!(guest(&package("examples/x", "lib"), root), None);
    }
}
