//! Copies of the driver that does nothing, each with a name and hooks of its own.

use anyhow::{Context, Result, bail};
use std::path::Path;

/// What the label in `guests/driver` begins with.
const MARK: &[u8] = b"hadron-bench-label:";
/// The whole label, bytes.
const LENGTH: usize = 256;

/// Every hook around a write.
const HOOKS: &str = "network-precommit network-postcommit subnet-precommit subnet-postcommit \
                     port-precommit port-postcommit";

/// Writes `count` drivers, with or without hooks, into a folder of plugins; the
/// names under which the configuration lists them.
pub(crate) fn stamp(component: &Path, folder: &Path, count: u32, hooks: bool) -> Result<Vec<String>> {
    let bytes = std::fs::read(component)
        .with_context(|| format!("cannot read {}: run `cargo xtask build`", component.display()))?;
    let mut names = Vec::new();
    for number in 1..=count {
        let name = format!("bench-{number}");
        let label = format!("mech-{name} {}", if hooks { HOOKS } else { "" });
        let path = folder.join(format!("mech-{name}.wasm"));
        std::fs::write(&path, stamped(bytes.clone(), &label)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        names.push(name);
    }
    Ok(names)
}

fn stamped(mut bytes: Vec<u8>, label: &str) -> Result<Vec<u8>> {
    let places: Vec<usize> =
        bytes.windows(MARK.len()).enumerate().filter(|(_, w)| *w == MARK).map(|(at, _)| at).collect();
    let [place] = places.as_slice() else {
        bail!("the driver's label is in the component {} times instead of once", places.len());
    };
    let text = format!("{} {label}", String::from_utf8_lossy(MARK));
    if text.len() > LENGTH {
        bail!("the label '{label}' is longer than {LENGTH} bytes");
    }
    let hole = bytes.get_mut(*place..*place + LENGTH).context("the driver's label is cut off")?;
    hole.fill(b' ');
    for (to, from) in hole.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_replaced_in_place() {
        let blank = format!("{:<LENGTH$}", "hadron-bench-label: mech-bench-blank");
        let bytes = [b"abc".as_slice(), blank.as_bytes(), b"def"].concat();
        let stamped = stamped(bytes.clone(), "mech-bench-7 port-precommit").unwrap();
        assert_eq!(stamped.len(), bytes.len());
        let text = String::from_utf8(stamped).unwrap();
        assert!(text.starts_with("abchadron-bench-label: mech-bench-7 port-precommit   "), "{text}");
        assert!(text.ends_with(" def"));
    }

    #[test]
    fn a_component_without_a_label_is_refused() {
        assert!(stamped(b"abc".to_vec(), "x").is_err());
    }
}
