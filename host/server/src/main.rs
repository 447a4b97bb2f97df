//! The `hadron` program: command line, configuration and wiring, nothing else.
//!
//! What the server does is in the other crates of `host/`; here it is put
//! together, started, stopped, and reached by its operator.
#![forbid(unsafe_code)]

mod agents;
mod cli;
mod commands;
mod config;
mod control;
mod exit;
mod logging;
mod serve;
mod stopping;
mod table;

use clap::Parser;
use cli::{Cli, Command};
use exit::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Agent(args) => agents::run(&args),
        Command::Plugin(command) => commands::plugin::run(command),
        Command::Journal(command) => commands::journal::run(command),
        Command::Policy(command) => commands::policy::run(command),
        Command::Db(command) => commands::db::run(command),
        Command::Config(command) => commands::config::run(command),
        Command::Completions { shell } => commands::completions(shell),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hadron: {}", failure.message);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Runs one future to its end on a small runtime, for commands.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("cannot start: {e}")))?
        .block_on(future)
}
