//! What the commands beside `serve` do: ask the running server, print.

pub(crate) mod config;
pub(crate) mod db;
pub(crate) mod journal;
pub(crate) mod plugin;
pub(crate) mod policy;

use crate::cli::Cli;
use crate::exit::Failure;
use crate::table;
use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;

/// Prints a shell's completion script.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hadron", &mut script);
    table::print(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

/// Prints JSON for programs, or what `people` makes of it.
fn answer<T: Serialize>(value: &T, json: bool, people: impl FnOnce(&T) -> String) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Failure::failed(format!("the answer cannot be printed: {e}")))?;
        table::print(&text);
    } else {
        table::print(&people(value));
    }
    Ok(())
}
