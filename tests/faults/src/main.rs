//! `hadron-faults`: a campaign from the command line; see `cargo xtask faults`.

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use hadron_faults::campaign;
use hadron_faults::world::World;
use hadron_test_support::Postgres;
use std::io::Write;

/// Kills the server under load, again and again, and checks what it left
#[derive(Parser)]
struct Cli {
    /// On which databases
    #[arg(long, value_enum, default_values_t = [Database::Sqlite, Database::Postgres])]
    database: Vec<Database>,
    /// Kills on each
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// Which sequence of kills and requests
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    for database in cli.database {
        say(&format!("{database:?}: {} kills, seed {}", cli.kills, cli.seed));
        // Outlives the world that uses it.
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => {
                Some(Postgres::start().map_err(anyhow::Error::msg).context("no PostgreSQL")?)
            }
        };
        let url = match &postgres {
            Some(postgres) => Some(postgres.fresh_database().await),
            None => None,
        };
        let mut world = World::start(url.as_deref()).await?;
        let report = campaign::run(&mut world, cli.kills, cli.seed, say).await?;
        say(&format!("{database:?}: {report}"));
    }
    Ok(())
}

fn say(line: &str) {
    // Nobody reads it any more: the campaign goes on.
    let _ = writeln!(std::io::stdout(), "{line}");
}
