//! `cargo xtask test`: set-up, build, source rules, format, and every test.

use crate::workspace::Workspace;
use crate::{check, guests, lint, say, setup};
use anyhow::{Result, bail};
use std::process::Command;

/// Runs all tests, or those whose name contains `filter`. With `long` also
/// those that take minutes (they ask for `HADRON_TEST_LONG`).
pub(crate) fn test(workspace: &Workspace, long: bool, filter: Option<&str>) -> Result<()> {
    if filter.is_none() {
        lint::format(workspace)?;
        check::check(workspace)?;
    }
    setup::setup(workspace)?;
    // The host is built with the tests: built alone before, with the features of
    // fewer dependencies, it would be compiled twice.
    guests::build(workspace)?;

    run(workspace, long, &[], filter)
}

/// Runs the tests of some packages; what they need was set up and built before.
pub(crate) fn of(workspace: &Workspace, long: bool, packages: &[&str]) -> Result<()> {
    run(workspace, long, packages, None)
}

/// Runs the tests of these packages, of all where none is named.
fn run(workspace: &Workspace, long: bool, packages: &[&str], filter: Option<&str>) -> Result<()> {
    let step = say::step("building and running the tests");
    let nextest = say::succeeds(Command::new("cargo-nextest").args(["nextest", "--version"]));
    let mut cargo = workspace.cargo();
    if nextest {
        cargo.args([
            "nextest",
            "run",
            "--cargo-quiet",
            "--no-fail-fast",
            "--status-level=slow",
            "--no-tests=fail",
        ]);
    } else {
        say::note("cargo-nextest is not installed: using `cargo test`, which runs fewer tests at a time");
        cargo.args(["test", "--quiet", "--no-fail-fast"]);
    }
    cargo.arg("--release");
    match (nextest, packages.is_empty()) {
        (_, true) => drop(cargo.arg("--workspace")),
        // Features of dependencies stay those of the whole workspace's build.
        (true, false) => {
            let named: Vec<String> = packages.iter().map(|name| format!("package({name})")).collect();
            cargo.args(["--workspace", "--filterset", &named.join(" + ")]);
        }
        (false, false) => drop(cargo.args(packages.iter().flat_map(|name| ["--package", name]))),
    }
    cargo.args(filter);
    if long {
        cargo.env("HADRON_TEST_LONG", "1");
    }
    let mut tally = Tally::default();
    let succeeded = say::watch(&mut cargo, |line| tally.read(line))?;
    step.done("");
    say::result(&format!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped));
    if !succeeded {
        bail!("some tests failed, or did not compile");
    }
    Ok(())
}

/// The counts of a test runner's closing lines.
#[derive(Default, Debug, PartialEq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    /// Counts a closing line of nextest (`Summary [0.1s] 3 tests run: 2 passed,
    /// 1 failed, 4 skipped`) or of `cargo test` (`test result: ok. 3 passed; 0
    /// failed; 1 ignored; …`); other lines are nothing.
    fn read(&mut self, line: &str) {
        let counts = match (line.split_once(" run: "), line.trim().strip_prefix("test result: ")) {
            (Some((before, counts)), _) if before.contains("Summary [") => counts,
            (_, Some(counts)) => counts,
            _ => return,
        };
        let words: Vec<&str> = counts.split([' ', ',', ';', '(', ')']).filter(|w| !w.is_empty()).collect();
        for pair in words.windows(2) {
            let [count, what] = pair else { continue };
            let Ok(count) = count.parse::<u64>() else { continue };
            match *what {
                "passed" => self.passed += count,
                "failed" | "timed" => self.failed += count,
                "skipped" | "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn closing_lines_of_both_runners_are_counted() {
        let mut tally = Tally::default();
        tally.read(
            "     Summary [   0.016s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 4 skipped",
        );
        assert_eq!(tally, Tally { passed: 9, failed: 3, skipped: 4 });
        tally.read("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        tally.read("7 passed, 7 failed");
        assert_eq!(tally, Tally { passed: 12, failed: 3, skipped: 5 });
    }
}
