//! From a plugin's crate to a component, as `cargo xtask build` makes it.

use crate::{Error, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wit_component::ComponentEncoder;

/// The target guests are built for: a component built so imports nothing but
/// what its world names.
const TARGET: &str = "wasm32-unknown-unknown";

/// Prefixes of package names that the component's name leaves out.
const PREFIXES: [&str; 2] = ["hadron-plugin-", "hadron-example-"];

/// The component of the crate in that folder (`env!("CARGO_MANIFEST_DIR")` for a
/// test's own): built and encoded, unless the target folder has one that is
/// newer than the crate's sources. What the crate depends on is not looked at:
/// `cargo xtask build` does that.
pub async fn build_guest(manifest_dir: impl AsRef<Path>) -> Result<PathBuf> {
    let folder = manifest_dir.as_ref();
    let guest = describe(folder).await?;
    let component = guest.target.join("plugins").join(format!("{}.wasm", guest.name));
    if newest(&component).is_some_and(|made| newest_source(folder).is_none_or(|changed| made > changed)) {
        return Ok(component);
    }
    let built = guest.target.join("guests");
    let mut cargo = cargo(folder);
    cargo.args(["build", "--release", "--lib", "--target", TARGET, "--target-dir"]).arg(&built);
    run(cargo, "cargo build").await?;
    let module = built.join(TARGET).join("release").join(format!("{}.wasm", guest.library));
    let module = std::fs::read(&module).map_err(|e| Error::new(format!("{}: {e}", module.display())))?;
    store(&component, &encode(&module)?)?;
    Ok(component)
}

/// Makes a component of a core module that carries its component type.
pub fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(|e| Error::new(format!("it cannot be made a component: {e:#}")))
}

struct Guest {
    name: String,
    library: String,
    target: PathBuf,
}

async fn describe(folder: &Path) -> Result<Guest> {
    let mut metadata = cargo(folder);
    metadata.args(["metadata", "--no-deps", "--format-version=1"]);
    let text = run(metadata, "cargo metadata").await?;
    let metadata: Value = serde_json::from_str(&text).map_err(Error::new)?;
    let manifest = folder.join("Cargo.toml");
    let manifest = manifest.canonicalize().unwrap_or(manifest);
    let packages = metadata.get("packages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let found = packages.iter().find(|p| {
        let path = p.get("manifest_path").and_then(Value::as_str).map(PathBuf::from);
        path.is_some_and(|path| path.canonicalize().unwrap_or(path) == manifest)
    });
    guest(found, &metadata).ok_or_else(|| {
        Error::new(format!("{} is not the manifest of a crate with a cdylib library", manifest.display()))
    })
}

fn guest(package: Option<&Value>, metadata: &Value) -> Option<Guest> {
    let package = package?;
    let name = package.get("name")?.as_str()?;
    let name = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let is_cdylib = |target: &&Value| {
        let kinds = target.get("kind").and_then(Value::as_array);
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    };
    let library = package.get("targets")?.as_array()?.iter().find(is_cdylib)?;
    Some(Guest {
        name: name.to_owned(),
        library: library.get("name")?.as_str()?.replace('-', "_"),
        target: PathBuf::from(metadata.get("target_directory")?.as_str()?),
    })
}

/// Cargo in that folder, without what the cargo that runs this test set for it:
/// build scripts that watch such variables would be run again each time.
fn cargo(folder: &Path) -> tokio::process::Command {
    let mut command =
        tokio::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let set = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_TARGET_TMPDIR"];
        if set.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.current_dir(folder);
    command
}

async fn run(mut command: tokio::process::Command, what: &str) -> Result<String> {
    let output = command.output().await.map_err(|e| Error::new(format!("{what} cannot be started: {e}")))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Error::new(format!("{what} failed:\n{}", String::from_utf8_lossy(&output.stderr)))),
    }
}

/// Renamed into place, so that another test that builds the same crate at the
/// same time never reads half a file.
fn store(path: &Path, bytes: &[u8]) -> Result<()> {
    let unwritable = |e: std::io::Error| Error::new(format!("cannot write {}: {e}", path.display()));
    let partial = path.with_extension(format!("wasm.{}", std::process::id()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unwritable)?;
    }
    std::fs::write(&partial, bytes).map_err(unwritable)?;
    std::fs::rename(&partial, path).map_err(unwritable)
}

fn newest_source(folder: &Path) -> Option<SystemTime> {
    [folder.join("Cargo.toml"), folder.join("src")].iter().filter_map(|path| newest(path)).max()
}

/// When a file, or anything in a folder, was changed last.
fn newest(path: &Path) -> Option<SystemTime> {
    if path.is_dir() {
        let below = std::fs::read_dir(path).ok()?.flatten();
        return below.filter_map(|entry| newest(&entry.path())).max();
    }
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
