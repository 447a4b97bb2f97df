//! `cargo xtask test`: set-up, build, source rules, format, and every test; and
//! `cargo xtask interop`: those with other people's servers and agents.

use crate::workspace::Workspace;
use crate::{build, check, guests, lint, say, setup};
use anyhow::{Context, Result, anyhow, bail};
use std::process::Command;

/// Runs all tests, or those whose name contains `filter`. With `long` also
/// those that take minutes (they ask for `HADRON_TEST_LONG`).
pub(crate) fn test(workspace: &Workspace, long: bool, filter: Option<&str>) -> Result<()> {
    if filter.is_none() {
        lint::format(workspace)?;
        check::check(workspace)?;
    }
    // Set-up waits for the network, building for the processors.
    std::thread::scope(|scope| {
        let set_up = scope.spawn(|| setup::setup(workspace));
        let built = guests::build(workspace).and_then(|()| tests(workspace));
        set_up.join().map_err(|_| anyhow!("the set-up panicked"))??;
        built
    })?;

    let mut arguments = vec!["--workspace".to_owned()];
    arguments.extend(filter.map(str::to_owned));
    run(workspace, "running the tests", &arguments, long.then_some("HADRON_TEST_LONG"))
}

/// Builds all tests, and the host with them: built alone before, with the features of
/// fewer dependencies, it would be compiled twice.
fn tests(workspace: &Workspace) -> Result<()> {
    let step = say::step("building the tests");
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--no-run", "--quiet", "--release", "--workspace"]);
    say::run(&mut cargo)?;
    step.done("");
    Ok(())
}

/// Runs the tests beside the real Keystone and Neutron, or those whose name
/// contains `filter`. None is skipped.
pub(crate) fn interop(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    setup::setup(workspace)?;
    build::build(workspace)?;
    let mut arguments = of("tests/interop/tests", workspace)?;
    arguments.extend(filter.map(str::to_owned));
    let what = "building and running the tests beside Keystone and Neutron";
    run(workspace, what, &arguments, Some("HADRON_TEST_NO_SKIP"))
}

/// Runs the tests of packets; what they need was set up and built before.
pub(crate) fn dataplane(workspace: &Workspace, long: bool) -> Result<()> {
    let arguments = of("tests/dataplane/tests", workspace)?;
    let what = "building and running the tests of packets";
    run(workspace, what, &arguments, long.then_some("HADRON_TEST_LONG"))
}

/// Arguments for the tests of a folder, and for no others: of the whole workspace,
/// so that dependencies have the features of all other builds.
fn of(folder: &str, workspace: &Workspace) -> Result<Vec<String>> {
    let entries =
        std::fs::read_dir(workspace.path(folder)).with_context(|| format!("cannot read {folder}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        // A file, or a folder of modules.
        if path.extension().is_some_and(|ending| ending == "rs") || path.join("main.rs").is_file() {
            names.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    let named = names.into_iter().flat_map(|name| ["--test".to_owned(), name]);
    Ok(std::iter::once("--workspace".to_owned()).chain(named).collect())
}

/// Runs tests with these arguments, `switch` being a variable that says so to them.
fn run(workspace: &Workspace, what: &str, arguments: &[String], switch: Option<&str>) -> Result<()> {
    let step = say::step(what);
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
    cargo.arg("--release").args(arguments).envs(switch.map(|name| (name, "1")));
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
