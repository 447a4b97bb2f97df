//! Tempest's tests of the network API against a server and a real Keystone, and
//! how Neutron does in them.
//!
//! `data/neutron.txt` is what the real Neutron did, test by test;
//! `data/implemented.txt` names the tests that must pass here.
#![forbid(unsafe_code)]

pub mod outcome;
pub mod report;
pub mod tempest;

use std::collections::BTreeMap;

pub use outcome::Outcome;

/// All tests of the network API.
pub const EVERYTHING: &str = "tempest.api.network.";

/// Beginnings of the names of the tests that must pass.
pub fn implemented() -> Vec<String> {
    let lines = include_str!("../data/implemented.txt").lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// What the real Neutron did.
pub fn neutron() -> BTreeMap<String, Outcome> {
    let lines = include_str!("../data/neutron.txt").lines().filter_map(|line| line.split_once('\t'));
    lines
        .map(|(outcome, test)| {
            let outcome = match outcome {
                "success" => Outcome::Passed,
                "skip" => Outcome::Skipped(String::new()),
                _ => Outcome::Failed,
            };
            (outcome::name(test).to_owned(), outcome)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_neutron_did_is_read() {
        let neutron = neutron();
        assert_eq!(neutron.values().filter(|o| **o == Outcome::Passed).count(), 239);
        assert_eq!(neutron.len(), 248);
    }

    #[test]
    fn what_must_pass_passes_with_neutron() {
        let neutron = neutron();
        for prefix in implemented() {
            let mut named = neutron.iter().filter(|(test, _)| test.starts_with(&prefix));
            assert!(named.any(|(_, outcome)| *outcome == Outcome::Passed), "{prefix}");
        }
    }
}
