//! Where the server, the components and Python are.

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Target folders to look into: the one `cargo xtask test` names, those of the
/// folders above the test's own, and that of the workspace this crate is part
/// of.
fn targets() -> Vec<PathBuf> {
    let given = std::env::var_os("HADRON_TARGET").map(PathBuf::from);
    let start = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let start = start.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    let above: Vec<PathBuf> = start.ancestors().map(|folder| folder.join("target")).collect();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    given.into_iter().chain(above).chain([own]).filter(|folder| folder.is_dir()).collect()
}

fn in_targets(below: &str) -> Option<PathBuf> {
    let found = targets().into_iter().map(|target| target.join(below)).find(|path| path.exists())?;
    Some(found.canonicalize().unwrap_or(found))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The `hadron` program.
pub fn binary() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("HADRON_BIN").map(PathBuf::from) {
        return match given.is_file() {
            true => Ok(given),
            false => Err(Error::new(format!("HADRON_BIN: there is no file {}", given.display()))),
        };
    }
    in_targets("release/hadron").or_else(|| on_path("hadron")).ok_or_else(|| {
        Error::new(
            "there is no hadron to test with: `cargo xtask build` makes target/release/hadron; elsewhere \
             name one with HADRON_BIN, or put it on PATH",
        )
    })
}

/// The folder of first-party components.
pub(crate) fn plugins() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("HADRON_PLUGINS").map(PathBuf::from) {
        return Ok(given);
    }
    in_targets("plugins").ok_or_else(|| {
        Error::new(
            "there is no folder of components: `cargo xtask build` makes target/plugins; elsewhere name one \
             with HADRON_PLUGINS",
        )
    })
}

/// Compiled components that all test servers share, so that only the first one
/// compiles; none where there is no target folder.
pub(crate) fn cache() -> Option<PathBuf> {
    Some(targets().first()?.join("hadron-test-cache"))
}

/// A component of the folder of first-party components, by its file's name
/// without the ending.
pub fn component(name: &str) -> Result<PathBuf> {
    let path = plugins()?.join(format!("{name}.wasm"));
    match path.is_file() {
        true => Ok(path),
        false => Err(Error::new(format!("there is no component {}", path.display()))),
    }
}

/// The programs of a Python environment that `cargo xtask setup` made.
pub fn environment(name: &str) -> Option<PathBuf> {
    // Not canonical: a virtual environment is found by the link's own path.
    let folders = targets().into_iter().map(|target| target.join(name).join("bin"));
    folders.into_iter().find(|folder| folder.join("python").exists())
}

/// The Python that has the OpenStack clients, where `cargo xtask setup` made it.
pub fn python() -> Option<PathBuf> {
    environment("python").map(|programs| programs.join("python"))
}
