//! The benchmark: starts the release server itself and drives it over HTTP.
//!
//! What it answers: how fast the server is and what it spends; how near that is
//! to the same transactions on the bare database; what a driver costs; and
//! whether the project's targets are met. `cargo xtask bench` builds everything
//! and runs it.
#![forbid(unsafe_code)]

mod agents;
mod cases;
mod client;
mod database;
mod drivers;
mod floor;
mod load;
mod process;
mod report;
mod server;
mod statements;

use anyhow::{Context, Result};
use cases::{Case, Plan, Sender};
use clap::{Parser, ValueEnum};
use client::Connection;
use database::Database;
use load::{Measured, Time};
use report::{Drivers, Floor, MemoryRow, Report, Row, Start};
use server::{Server, Setup};
use statements::Record;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(name = "hadron-bench", about = "Measures the server")]
struct Options {
    /// The build folder, with release/hadron and plugins/
    #[arg(long, default_value = "target")]
    target: PathBuf,
    /// A smaller run, in about a minute
    #[arg(long)]
    quick: bool,
    /// Only agents: many ports on two hosts, many hosts at one server
    #[arg(long)]
    agents: bool,
    /// With --agents: only ports, this many on two hosts
    #[arg(long, value_name = "COUNT", requires = "agents")]
    ports: Option<usize>,
    /// Only this database
    #[arg(long, value_enum)]
    database: Option<Kind>,
    /// Also write the results, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Sqlite,
    Postgres,
}

/// How much is measured.
struct Extent {
    time: Time,
    connections: &'static [usize],
    /// Port creates that are recorded for the floor.
    recorded: usize,
    /// Starts with a warm cache.
    starts: usize,
}

const FULL: Extent = Extent {
    time: Time { warm: Duration::from_millis(500), counted: Duration::from_secs(3) },
    connections: &[1, 16, 64],
    recorded: 8000,
    starts: 7,
};

const QUICK: Extent = Extent {
    time: Time { warm: Duration::from_millis(200), counted: Duration::from_secs(1) },
    connections: &[1, 16],
    recorded: 2000,
    starts: 3,
};

/// The sets of drivers, the empty one first.
const DRIVERS: [Drivers; 4] = [
    Drivers { count: 0, hooks: true },
    Drivers { count: 1, hooks: true },
    Drivers { count: 5, hooks: true },
    Drivers { count: 5, hooks: false },
];

/// Memory is measured when a server that was just started has come to rest.
const REST: Duration = Duration::from_secs(1);

/// Connections of the load that is recorded.
const RECORDING: usize = 8;

fn main() -> Result<()> {
    let options = Options::parse();
    if options.agents {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let extent = if options.quick { agents::QUICK } else { agents::FULL };
        return runtime.block_on(agents::measure(extent, options.ports));
    }
    // One thread: the load shares the processors with the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(bench(&options))?;
    let text = report.text();
    std::io::stdout().write_all(text.as_bytes())?;
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

async fn bench(options: &Options) -> Result<Report> {
    let bench = Bench {
        extent: if options.quick { QUICK } else { FULL },
        target: std::path::absolute(&options.target)?,
        folder: tempfile::Builder::new().prefix("hadron-bench").tempdir()?,
    };
    let mut report = Report::default();
    if options.database != Some(Kind::Postgres) {
        bench.database(&Database::sqlite(bench.folder.path()), &mut report).await?;
    }
    if options.database != Some(Kind::Sqlite) {
        bench.database(&Database::postgres()?, &mut report).await?;
    }
    report.judge();
    Ok(report)
}

struct Bench {
    extent: Extent,
    target: PathBuf,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn database(&self, database: &Database, report: &mut Report) -> Result<()> {
        for (number, drivers) in DRIVERS.into_iter().enumerate() {
            let name = format!("{}_{number}", database.name());
            let setup = self.setup(&name, &database.make(&name).await?, drivers)?;
            if number == 0 {
                report.starts.push(self.starts(&setup, database).await?);
            }
            let server = setup.start().await?;
            tokio::time::sleep(REST).await;
            let idle = process::memory(server.pid())?;
            self.cases(&server, database.name(), drivers, report).await?;
            let after = process::memory(server.pid())?;
            report.memory.push(MemoryRow { database: database.name(), drivers, idle, after });
            let stopping = Instant::now();
            server.stop()?;
            say(&format!("stopped in {:.1} s", stopping.elapsed().as_secs_f64()));
        }
        self.floor(database, report).await
    }

    /// A server with its own data folder and its own folder of plugins.
    fn setup(&self, name: &str, url: &str, drivers: Drivers) -> Result<Setup> {
        let built = self.target.join("plugins");
        let plugins = self.folder.path().join(format!("{name}_plugins"));
        copy_components(&built, &plugins)?;
        let component = built.join("hadron-bench-driver.wasm");
        let names = drivers::stamp(&component, &plugins, drivers.count, drivers.hooks)?;
        Ok(Setup {
            program: self.target.join("release/hadron"),
            data: self.folder.path().join(format!("{name}_data")),
            plugins,
            database: url.to_owned(),
            drivers: names,
            log_level: "info",
        })
    }

    async fn starts(&self, setup: &Setup, database: &Database) -> Result<Start> {
        say(&format!("{}: starts …", database.name()));
        let first = setup.start().await?;
        let cold_ms = first.first_answer.as_secs_f64() * 1000.0;
        first.stop()?;
        let mut warm = Vec::new();
        for _ in 0..self.extent.starts {
            let server = setup.start().await?;
            warm.push((server.first_answer.as_secs_f64() * 1000.0, server.says_ready_ms));
            server.stop()?;
        }
        warm.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (warm_ms, says_ms) = warm.get(warm.len() / 2).copied().unwrap_or_default();
        Ok(Start { database: database.name(), cold_ms, warm_ms, says_ms })
    }

    async fn cases(
        &self,
        server: &Server,
        database: &'static str,
        drivers: Drivers,
        report: &mut Report,
    ) -> Result<()> {
        let mut connection = Connection::open(server.address).await?;
        let listed = cases::listed(&mut connection).await?;
        for &connections in self.extent.connections {
            let plan = Plan::make(&mut connection, &listed).await?;
            for case in Case::ALL {
                if drivers.count > 0 && !case.writes() {
                    // Drivers have no part in reading.
                    continue;
                }
                say(&format!(
                    "{database}, {} drivers, {connections} connections: {} …",
                    drivers.name(),
                    case.name()
                ));
                plan.rewind();
                let mut time = self.extent.time;
                if case == Case::PortDelete {
                    // There may not be enough ports for a warm-up.
                    time.warm = Duration::ZERO;
                }
                let measured = load(server, &plan, case, connections, time).await?;
                say(&format!(
                    "{:.0} a second, p50 {:.2} ms, p99 {:.2} ms, {:.0} µs of server CPU, {} failed",
                    measured.rate, measured.p50_ms, measured.p99_ms, measured.cpu_us, measured.failed
                ));
                report.cases.push(Row { database, drivers, connections, case, measured });
            }
        }
        Ok(())
    }

    /// Records port creates of a server, then plays them to the bare database.
    async fn floor(&self, database: &Database, report: &mut Report) -> Result<()> {
        let name = format!("{}_record", database.name());
        let url = database.make(&name).await?;
        let none = Drivers { count: 0, hooks: true };
        let mut setup = self.setup(&name, &url, none)?;
        say(&format!("{}: recording {} port creates …", database.name(), self.extent.recorded));
        let server = setup.start().await?;
        let network = cases::network(&mut Connection::open(server.address).await?).await?;
        server.stop()?;
        let before = database.copy(&name, &format!("{name}_before")).await?;

        setup.log_level = statements::LOG_LEVEL;
        let server = setup.start().await?;
        let quiet = Record::read(&server.log, "__ports")?.statements;
        let plan = Plan { network, ..Plan::default() };
        let creates = self.record(&server, &plan).await?;
        let log = server.log.clone();
        server.stop()?;
        let record = Record::read(&log, "__ports")?;
        let server_statements = (record.statements - quiet) as f64 / creates.max(1) as f64;

        for &connections in self.extent.connections {
            say(&format!("{}: the bare transaction, {connections} connections …", database.name()));
            let place = database.copy(&before, &format!("{name}_{connections}")).await?;
            let place = database.place(&place);
            let tape = floor::Tape::new(&record.transactions);
            let mut players = Vec::new();
            for _ in 0..connections {
                players.push(floor::Player::new(&place, &tape).await?);
            }
            let time = Time { warm: Duration::ZERO, counted: self.extent.time.counted };
            let measured = load::drive(&mut players, time, || Ok(Duration::ZERO)).await?;
            let statements = tape.statements_each();
            report.floors.push(Floor {
                database: database.name(),
                connections,
                statements,
                server_statements,
                measured,
            });
        }
        Ok(())
    }

    /// Makes ports until enough are recorded; how many.
    async fn record(&self, server: &Server, plan: &Plan) -> Result<u64> {
        let slice = Time { warm: Duration::ZERO, counted: Duration::from_millis(500) };
        let mut creates = 0;
        while creates < self.extent.recorded as u64 {
            let measured = load(server, plan, Case::PortCreate, RECORDING, slice).await?;
            if measured.requests == 0 {
                anyhow::bail!("no port could be created: {}", measured.failure.unwrap_or_default());
            }
            creates = plan.ports.borrow().len() as u64;
        }
        Ok(creates)
    }
}

/// Has connections send one kind of request.
async fn load(server: &Server, plan: &Plan, case: Case, connections: usize, time: Time) -> Result<Measured> {
    let mut senders = Vec::new();
    for _ in 0..connections {
        let connection = Connection::open(server.address).await?;
        senders.push(Sender { connection, plan, case, request: Vec::new() });
    }
    load::drive(&mut senders, time, || server.cpu()).await.with_context(|| {
        format!("{}; the end of the server's log:\n{}", case.name(), server::tail(&server.log))
    })
}

fn copy_components(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    let files = std::fs::read_dir(from)
        .with_context(|| format!("cannot read {}: run `cargo xtask build`", from.display()))?;
    for file in files {
        let file = file?;
        if file.path().extension().is_some_and(|e| e == "wasm") {
            std::fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}

/// Tells what is going on.
fn say(text: &str) {
    eprintln!("bench: {text}");
}
