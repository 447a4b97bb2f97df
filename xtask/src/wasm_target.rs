//! Where the compiler for WebAssembly comes from: the only place that decides.
//!
//! Guests are built for `wasm32-unknown-unknown`: it needs no libc, and a
//! component built so imports nothing but what its world names. The target's
//! standard library comes from rustup; where rustup is missing or cannot fetch
//! it, from Debian's second toolchain, which carries the library's source.

use crate::say;
use crate::workspace::{Workspace, clean};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target guests are built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's packages with a compiler and the source of its library.
const DEBIAN: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// A compiler that can build guests.
pub(crate) enum WasmTarget {
    /// The toolchain that builds the host has the target too.
    Own,
    /// Debian's toolchain builds the standard library from source; the linker.
    Debian(PathBuf),
}

/// Finds a compiler for the target, or gets one.
pub(crate) fn get(workspace: &Workspace) -> Result<WasmTarget> {
    if own_has_it() {
        return Ok(WasmTarget::Own);
    }
    let step = say::step(format!("adding the target {TARGET} (rustup target add {TARGET})"));
    if say::succeeds(Command::new("rustup").args(["target", "add", TARGET])) && own_has_it() {
        step.done("");
        return Ok(WasmTarget::Own);
    }
    step.done("rustup is missing or cannot fetch it; trying Debian's packages");
    if let Some(linker) = debian(workspace) {
        return Ok(WasmTarget::Debian(linker));
    }
    if say::output(Command::new("id").arg("-u")).as_deref() == Some("0") {
        let step = say::step(format!("apt-get install {}", DEBIAN.join(" ")));
        let _ = say::succeeds(Command::new("apt-get").arg("update"));
        let _ = say::succeeds(
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(["install", "-y", "--no-install-recommends"])
                .args(DEBIAN),
        );
        step.done("");
        if let Some(linker) = debian(workspace) {
            return Ok(WasmTarget::Debian(linker));
        }
    }
    bail!(
        "no compiler for {TARGET}: run `rustup target add {TARGET}`, or on Debian `apt-get install {}` \
         (as root; at least Rust {})",
        DEBIAN.join(" "),
        workspace.rust_version
    )
}

impl WasmTarget {
    /// A `cargo build` for the target, into `target_folder`.
    pub(crate) fn cargo_build(&self, workspace: &Workspace, target_folder: &Path) -> Command {
        let mut command = match self {
            WasmTarget::Own => workspace.cargo(),
            WasmTarget::Debian(_) => {
                let mut command = Command::new("/usr/bin/cargo");
                clean(&mut command);
                command.current_dir(&workspace.root);
                command
            }
        };
        command.args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(target_folder);
        // The standard library's debug information is 2 MB a component; function
        // names, which traps are told with, stay.
        command.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
        if let WasmTarget::Debian(linker) = self {
            command
                .args(["-Z", "build-std=std,panic_abort"])
                .env("RUSTC", "/usr/bin/rustc")
                // `-Z` on a stable compiler: the standard library may do so.
                .env("RUSTC_BOOTSTRAP", "1")
                .env_remove("RUSTUP_TOOLCHAIN")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
    }
}

/// Whether the toolchain on PATH has the target's library.
fn own_has_it() -> bool {
    let folder = say::output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_some_and(|folder| Path::new(&folder).is_dir())
}

/// The linker, when Debian's toolchain is here with its library's source and
/// is new enough.
fn debian(workspace: &Workspace) -> Option<PathBuf> {
    let rustc = "/usr/bin/rustc";
    let version = say::output(Command::new(rustc).arg("--version"))?;
    let root = PathBuf::from(say::output(Command::new(rustc).args(["--print", "sysroot"]))?);
    let source = root.join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if !source.is_file() || !Path::new("/usr/bin/cargo").is_file() {
        return None;
    }
    if number(version.split_whitespace().nth(1)?) < number(&workspace.rust_version) {
        say::note(&format!("Debian's compiler is too old: {version}, wanted {}", workspace.rust_version));
        return None;
    }
    linker()
}

/// `rust-lld` of any toolchain here, or Debian's `lld`.
fn linker() -> Option<PathBuf> {
    let of = |rustc: &str| {
        let root = say::output(Command::new(rustc).args(["--print", "sysroot"]))?;
        let host = say::output(Command::new(rustc).arg("-vV"))?;
        let host = host.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
        Some(Path::new(&root).join("lib/rustlib").join(host).join("bin/rust-lld"))
    };
    let candidates = [
        of("rustc"),
        of("/usr/bin/rustc"),
        Some(PathBuf::from("/usr/bin/rust-lld")),
        Some(PathBuf::from("/usr/bin/wasm-ld")),
    ];
    candidates.into_iter().flatten().find(|path| path.is_file())
}

/// `1.95.0` as numbers, so that versions compare.
fn number(version: &str) -> Vec<u32> {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    version.split('.').map_while(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(number("1.100.0") > number("1.95"));
        assert!(number("1.95.0-nightly") >= number("1.95"));
        assert!(number("1.85.0") < number("1.95"));
    }
}
