//! What is told to the person at the terminal, and how other programs are run.
//!
//! Steps go to standard error, results to standard output, so that a result can
//! be piped.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

/// One step of a task: tells its name at once and its time at the end.
pub(crate) struct Step {
    name: String,
    began: Instant,
}

/// Begins a step.
pub(crate) fn step(name: impl Into<String>) -> Step {
    let name = name.into();
    eprintln!("xtask: {name} …");
    Step { name, began: Instant::now() }
}

impl Step {
    /// Ends it with what came out of it.
    pub(crate) fn done(self, result: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        let separator = if result.is_empty() { "" } else { ": " };
        eprintln!("xtask: {} done in {seconds:.1} s{separator}{result}", self.name);
    }
}

/// A remark.
pub(crate) fn note(text: &str) {
    eprintln!("xtask: {text}");
}

/// The last words of a task that failed.
pub(crate) fn failed(error: &anyhow::Error) {
    eprintln!("xtask: failed: {error:#}");
}

/// A line of the result.
#[expect(clippy::print_stdout, reason = "a result is what standard output is for")]
pub(crate) fn result(line: &str) {
    println!("{line}");
}

/// Runs a program to its end; an error names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("`{shown}` could not be started"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// As `run`, for a program that talks much: what it printed is shown when it
/// fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("`{shown}` could not be started"))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("`{shown}` failed ({})", output.status);
    }
    Ok(())
}

/// Whether a program ran and succeeded; what it prints is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// What a program prints, trimmed; `None` when it failed or is not there.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program, passes on what it prints, and hands each line to `line`.
/// Whether it succeeded.
pub(crate) fn watch(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let shown = shown(command);
    // Both streams through one pipe, so that lines keep their order.
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("`{shown}` could not be started"))?;
    // The command holds the pipe's writing ends; without this the reading end
    // would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut out = std::io::stderr();
    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        out.write_all(&bytes)?;
        line(String::from_utf8_lossy(&bytes).trim_end());
        bytes.clear();
    }
    Ok(child.wait()?.success())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
