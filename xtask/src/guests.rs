//! Guests: built in one cargo invocation, encoded one by one when they changed.
//!
//! They have a target folder of their own, so that neither their build nor the
//! host's invalidates the other.

use crate::workspace::{Guest, Workspace};
use crate::{say, wasm_target};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wit_component::ComponentEncoder;

/// Builds all guests and encodes those that changed into `target/plugins`.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    if workspace.guests.is_empty() {
        say::note("there are no guests under plugins/ or examples/");
        return Ok(());
    }
    let target = wasm_target::get(workspace)?;
    let step = say::step(format!("building {} guests", workspace.guests.len()));
    let built = workspace.path("target/guests");
    let mut cargo = target.cargo_build(workspace, &built);
    cargo.args(["--quiet", "--lib"]);
    for guest in &workspace.guests {
        cargo.args(["-p", &guest.package]);
    }
    say::run(&mut cargo)?;
    step.done("");

    let step = say::step("encoding components");
    let folder = workspace.path("target/plugins");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut changed = Vec::new();
    for guest in &workspace.guests {
        if encode_if_changed(guest, &built, &folder)? {
            changed.push(guest.name());
        }
    }
    step.done(&match changed.len() {
        0 => format!("{} unchanged in {}", workspace.guests.len(), folder.display()),
        _ => format!("{} of {} changed ({})", changed.len(), workspace.guests.len(), changed.join(", ")),
    });
    Ok(())
}

/// Encodes a guest's module unless its component is newer than both the module
/// and this program (which holds the encoder).
fn encode_if_changed(guest: &Guest, built: &Path, folder: &Path) -> Result<bool> {
    let module = built.join(wasm_target::TARGET).join("release").join(format!("{}.wasm", guest.library));
    let component = folder.join(format!("{}.wasm", guest.name()));
    let newest = [Some(module.clone()), std::env::current_exe().ok()].into_iter().flatten().filter_map(time);
    if let (Some(have), Some(newest)) = (time(component.clone()), newest.max())
        && have > newest
    {
        return Ok(false);
    }
    let bytes = std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| encoder.encode())
        .with_context(|| format!("{} cannot be made a component", guest.package))?;
    // Renamed into place: a server that watches the folder sees whole files.
    let partial = component.with_extension("wasm.partial");
    std::fs::write(&partial, encoded).with_context(|| format!("cannot write {}", partial.display()))?;
    std::fs::rename(&partial, &component).with_context(|| format!("cannot write {}", component.display()))?;
    Ok(true)
}

fn time(path: PathBuf) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok()
}
