//! `cargo xtask check`: the rules about the source that no compiler knows.
//!
//! - The API, the store and the bus know no networking: what a resource means
//!   is learnt from manifests, so its nouns do not occur in their code.
//! - `unsafe` has one place in the host.
//! - Nothing is left to do.
//! - Each test that `docs/coverage.md` names exists.

use crate::workspace::Workspace;
use crate::{coverage, say};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Crates that must not know any networking.
const GENERAL: [&str; 3] = ["host/api/src", "host/store/src", "host/bus/src"];

/// What they must not know, in the singular. `port` is not among them alone: a
/// server listens on one; its resource is `ports`.
const NOUNS: [&str; 25] = [
    "network",
    "subnet",
    "ports",
    "router",
    "vlan",
    "vxlan",
    "geneve",
    "gre",
    "mac",
    "dhcp",
    "firewall",
    "listener",
    "segment",
    "segmentation",
    "binding",
    "floatingip",
    "trunk",
    "fixed_ips",
    "cidr",
    "gateway",
    "allocation",
    "ml2",
    "subnetpool",
    "mtu",
    "physnet",
];

/// Folders with Rust of this project.
const RUST: [&str; 6] = ["host", "sdk", "plugins", "examples", "tests", "xtask"];

/// Files that may hold `unsafe`: the host's one place, which loads a component
/// that this host compiled itself, and the generated exports of the SDK, which
/// run inside the sandbox.
const UNSAFE: [&str; 3] =
    ["host/runtime/src/cache.rs", "sdk/rust/src/bindings.rs", "sdk/rust/src/register.rs"];

/// A line that says why it names one of these.
const EXCUSE: &str = "not networking:";

/// Checks all rules and names every line that breaks one.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let step = say::step("checking the source's rules");
    let mut broken = Vec::new();
    for folder in RUST {
        visit(&workspace.path(folder), &mut |path, text| {
            let below = path.strip_prefix(&workspace.root).unwrap_or(path);
            let shown = below.display().to_string();
            // This file names what it looks for.
            if shown == "xtask/src/check.rs" {
                return;
            }
            // Tests may name anything, at a file's end or in a file of their own.
            let general =
                GENERAL.iter().any(|folder| below.starts_with(folder)) && !below.ends_with("tests.rs");
            for (number, code) in code_lines(text) {
                let place = format!("{shown}:{number}");
                if general && let Some(noun) = noun(code) {
                    broken.push(format!("{place}: '{noun}' belongs into a plugin"));
                }
                if relaxes_unsafe(code) && !UNSAFE.contains(&shown.as_str()) {
                    broken.push(format!("{place}: `unsafe` outside {}", UNSAFE.join(", ")));
                }
                if ["todo!(", "unimplemented!("].iter().any(|m| code.contains(m)) {
                    broken.push(format!("{place}: something is left to do"));
                }
            }
        })?;
    }
    broken.extend(coverage::check(workspace)?);
    for line in &broken {
        say::note(line);
    }
    if !broken.is_empty() {
        bail!("{} lines break a rule of the source", broken.len());
    }
    step.done("");
    Ok(())
}

fn visit(path: &Path, file: &mut impl FnMut(&Path, &str)) -> Result<()> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut below: Vec<_> = entries.flatten().map(|e| e.path()).collect();
        below.sort();
        return below.iter().try_for_each(|path| visit(path, file));
    }
    if path.extension().is_some_and(|e| e == "rs") {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        file(path, &text);
    }
    Ok(())
}

/// Lines of code with their numbers: without comments, without what carries an
/// excuse, and up to the tests, which stand at a file's end and may name
/// anything.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.contains(EXCUSE))
        .map(|(index, line)| (index + 1, without_comment(line)))
        .filter(|(_, code)| !code.trim().is_empty())
}

/// Up to `//`, unless that is part of a URL.
fn without_comment(line: &str) -> &str {
    let start = line.match_indices("//").find(|(at, _)| !line.get(..*at).is_some_and(|b| b.ends_with(':')));
    start.and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

/// The first networking noun among a line's words; `NetworkInUse`, `subnet_id`
/// and `"ports"` are found, `supported` is not.
fn noun(code: &str) -> Option<&'static str> {
    let spaced: String = code
        .chars()
        .flat_map(|c| [c.is_ascii_uppercase().then_some(' '), Some(c.to_ascii_lowercase())])
        .flatten()
        .collect();
    NOUNS.into_iter().find(|noun| {
        if noun.contains('_') {
            return code.contains(noun);
        }
        let mut words = spaced.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| word == *noun || word.strip_suffix('s') == Some(noun))
    })
}

fn relaxes_unsafe(code: &str) -> bool {
    let lint = code.contains("(unsafe_code") && (code.contains("allow(") || code.contains("expect("));
    lint || code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_are_found_as_words_of_identifiers_and_texts() {
        assert_eq!(noun("struct NetworkInUse;"), Some("network"));
        assert_eq!(noun("let subnet_id = 1;"), Some("subnet"));
        assert_eq!(noun("get(\"ports\")"), Some("ports"));
        assert_eq!(noun("listen on port 5432, supported and imported"), None);
        assert_eq!(noun("machine, degree, bindings of parameters"), Some("binding"));
    }

    #[test]
    fn comments_tests_and_excused_lines_are_left_out() {
        let text = "a // network\n/// subnet\nlet u = \"http://x\"; // mac\nvlan // not networking: a test\n\
                    #[cfg(test)]\nrouter";
        let lines: Vec<_> = code_lines(text).collect();
        assert_eq!(lines, [(1, "a "), (3, "let u = \"http://x\"; ")]);
    }

    #[test]
    fn both_unsafe_code_and_its_permission_are_found() {
        assert!(relaxes_unsafe("unsafe { x() }"));
        assert!(relaxes_unsafe("#[allow(unsafe_code)]"));
        assert!(!relaxes_unsafe("#![forbid(unsafe_code)]"));
        assert!(!relaxes_unsafe("unsafe_code = 1"));
    }
}
