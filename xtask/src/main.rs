//! The project's own tooling: `cargo xtask build|run|setup|test|lint|check`.
//!
//! One program instead of shell scripts, so that the two commands of the README
//! do the same on every machine, rebuild only what changed, and say what they
//! do. It has few dependencies, since it is the first thing a fresh clone
//! compiles.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod check;
mod coverage;
mod guests;
mod lint;
mod say;
mod setup;
mod test;
mod wasm_target;
mod whole;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Builds, runs and tests Hadron")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the plugins (as components, into target/plugins) and the host
    Build {
        /// Only the plugins
        #[arg(long)]
        plugins: bool,
    },
    /// Build, then serve on 127.0.0.1:9696 with SQLite under .hadron/
    Run {
        /// Further arguments for `hadron serve`, after `--`
        #[arg(last = true)]
        serve: Vec<String>,
    },
    /// Install what the tests need, or say what to install
    Setup,
    /// Set up, build, and run the checks and all tests
    Test {
        /// Also run the tests that take minutes
        #[arg(long)]
        long: bool,
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Build, then measure the server and compare it with the bare database
    Bench {
        /// A smaller run, in about a minute
        #[arg(long)]
        quick: bool,
        /// Only messages, beside a bare producer and consumer of RabbitMQ
        #[arg(long, conflicts_with_all = ["quick", "database", "json"])]
        bus: bool,
        /// Only agents: 1,000 ports on two hosts, 500 hosts at one server
        #[arg(long, conflicts_with_all = ["bus", "database", "json"])]
        agents: bool,
        /// Only this database: sqlite or postgres
        #[arg(long)]
        database: Option<String>,
        /// Also write the results, as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Kill the server under load, on both databases, and check what it left
    Faults {
        /// A hundred kills on each, in some minutes
        #[arg(long)]
        long: bool,
        /// Only this database: sqlite or postgres
        #[arg(long)]
        database: Option<String>,
    },
    /// Ask a server what Neutron was asked once, and print the differences
    Replay {
        /// An empty server without authentication; one is started where none is given
        url: Option<String>,
    },
    /// Set up, build, and compare the server with its own description
    Schemathesis {
        /// Hundreds of cases of each operation, other ones each time, in some minutes
        #[arg(long)]
        long: bool,
    },
    /// Run Tempest's tests of what is implemented, with a real Keystone
    Conformance {
        /// All tests of the API, compared with what Neutron does, in some minutes
        #[arg(long)]
        long: bool,
        /// Only tests whose names begin so
        prefix: Vec<String>,
    },
    /// Build two hosts, show who reaches whom, draw them, and run the tests of packets
    Dataplane {
        /// Also the tests that take minutes
        #[arg(long)]
        long: bool,
    },
    /// Set up, build, and run the tests with real Keystones, and Neutron's servers and agents
    ///
    /// Both ways: Neutron's own Open vSwitch agent serves a host of this server, and this
    /// project's agent a host of a real neutron-server. It needs root, for network
    /// namespaces. None is skipped: what is missing fails and says so.
    Interop {
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Formatting, clippy and, where cargo-deny is installed, dependencies
    Lint,
    /// The rules about the source that no compiler knows
    Check,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Build { plugins: true } => guests::build(&workspace),
        Task::Build { plugins: false } => build::build(&workspace),
        Task::Run { serve } => build::run(&workspace, &serve),
        Task::Setup => setup::setup(&workspace),
        Task::Test { long, filter } => test::test(&workspace, long, filter.as_deref()),
        Task::Bench { bus: true, .. } => bench::bus(&workspace),
        Task::Bench { agents: true, quick, .. } => bench::agents(&workspace, quick),
        Task::Bench { quick, database, json, .. } => {
            bench::bench(&workspace, quick, database.as_deref(), json.as_deref())
        }
        Task::Faults { long, database } => whole::faults(&workspace, long, database.as_deref()),
        Task::Replay { url } => whole::replay(&workspace, url.as_deref()),
        Task::Schemathesis { long } => test::test(&workspace, long, Some("schemathesis")),
        Task::Conformance { long, prefix } => whole::conformance(&workspace, long, &prefix),
        Task::Dataplane { long } => whole::dataplane(&workspace, long),
        Task::Interop { filter } => test::interop(&workspace, filter.as_deref()),
        Task::Lint => lint::lint(&workspace),
        Task::Check => check::check(&workspace),
    }
}
