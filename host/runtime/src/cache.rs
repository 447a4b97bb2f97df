//! Compiled components on disk, so that a start does not compile.
//!
//! The one place of the project with `unsafe`: wasmtime trusts the bytes it
//! deserializes. They are only ever read from a folder that nobody but the
//! server's user can write (made with mode 0700, checked at start), under a name
//! made of the component's sha256 and of wasmtime's own fingerprint of its
//! version and of the engine's configuration.

use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The folder of compiled components.
#[derive(Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
    fingerprint: u64,
}

/// The sha256 of a component, as hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl Cache {
    /// Makes the folder if it is not there; refuses one that others can write.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> io::Result<Cache> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let found = fs::metadata(folder)?;
        if found.permissions().mode() & 0o022 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "the cache folder {} (owner {}) can be written by others; `chmod go-w` it, since compiled plugins are trusted",
                    folder.display(),
                    found.uid()
                ),
            ));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Cache { folder: folder.to_owned(), fingerprint: hasher.finish() })
    }

    /// The component, from the cache or compiled now (and kept). Blocks for up
    /// to a second: call it on a blocking thread.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        sha256: &str,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        let path = self.folder.join(format!("{sha256}-{:016x}.cwasm", self.fingerprint));
        if path.exists() {
            match load(engine, &path) {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a compiled plugin cannot be used and is compiled again")
                }
            }
        }
        let component = Component::from_binary(engine, bytes)?;
        if let Err(error) = component.serialize().and_then(|compiled| Ok(keep(&path, &compiled)?)) {
            tracing::warn!(path = %path.display(), %error, "a compiled plugin cannot be kept: it will be compiled at every start");
        }
        Ok(component)
    }
}

/// Written beside and renamed, so that a crash leaves no half file.
fn keep(path: &Path, compiled: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = fs::File::create(&beside)?;
    file.write_all(compiled)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[allow(unsafe_code)]
fn load(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `keep` from `Component::serialize` of this
    // very version and configuration (both are in its name), into a folder that
    // only this user can write (`Cache::open`).
    unsafe { Component::deserialize_file(engine, path) }
}
