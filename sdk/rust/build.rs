//! Encodes the component type of each world.
//!
//! The registration macro of a world puts it into the plugin's module, where
//! the tool that makes components finds it. It is done here rather than by the
//! bindings generator because that one can offer only one world per crate, and
//! because a plugin must carry the exports of its own world and of no other.

use std::error::Error;
use std::path::{Path, PathBuf};
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// World, and the file of its encoded type.
const WORLDS: [(&str, &str); 5] = [
    ("hadron:ml2/mechanism-driver", "mechanism_driver.bin"),
    ("hadron:ml2/type-driver", "type_driver.bin"),
    ("hadron:ml2/ranged-type-driver", "ranged_type_driver.bin"),
    ("hadron:host/service-plugin", "service_plugin.bin"),
    ("hadron:ml2/core-plugin", "core_plugin.bin"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut resolve = Resolve::default();
    let mut packages = Vec::new();
    for folder in ["../../wit/host", "../../wit/ml2"] {
        let folder: PathBuf = here.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        packages.push(resolve.push_dir(Path::new(&folder))?.0);
    }
    for (name, file) in WORLDS {
        let world = resolve.select_world(&packages, Some(name))?;
        let encoded = wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None, false)?;
        std::fs::write(out.join(file), encoded)?;
    }
    Ok(())
}
