//! The databases that are measured: SQLite files, and a PostgreSQL of the
//! benchmark's own with PostgreSQL's defaults, which are production's
//! durability: fsync and synchronous_commit are on.

use crate::floor::Place;
use anyhow::{Context, Result, anyhow};
use hadron_test_support::Postgres;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::path::{Path, PathBuf};

/// Where databases are made.
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres(Postgres),
}

impl Database {
    /// Files in this folder.
    pub(crate) fn sqlite(folder: &Path) -> Database {
        Database::Sqlite(folder.to_owned())
    }

    /// Starts a PostgreSQL.
    pub(crate) fn postgres() -> Result<Database> {
        Postgres::start().map(Database::Postgres).map_err(|why| anyhow!("PostgreSQL does not start: {why}"))
    }

    /// For people and JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// Makes an empty database; its URL for the server.
    pub(crate) async fn make(&self, name: &str) -> Result<String> {
        match self {
            Database::Sqlite(folder) => Ok(format!("sqlite:{}", file(folder, name).display())),
            Database::Postgres(cluster) => {
                run(cluster, &format!("CREATE DATABASE {name}")).await?;
                Ok(url(cluster, name))
            }
        }
    }

    /// Copies a database that nobody uses; the copy's name.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<String> {
        match self {
            Database::Sqlite(folder) => {
                let (from, to) = (file(folder, from), file(folder, to));
                for suffix in ["", "-wal"] {
                    let part = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
                    if part(&from).is_file() {
                        std::fs::copy(part(&from), part(&to))
                            .with_context(|| format!("cannot copy {}", part(&from).display()))?;
                    }
                }
            }
            Database::Postgres(cluster) => {
                run(cluster, &format!("CREATE DATABASE {to} TEMPLATE {from}")).await?;
                // What the copying left to write is not the next load's.
                run(cluster, "CHECKPOINT").await?;
            }
        }
        Ok(to.to_owned())
    }

    /// How the bare client reaches a database.
    pub(crate) fn place(&self, name: &str) -> Place {
        match self {
            Database::Sqlite(folder) => Place::Sqlite(file(folder, name)),
            Database::Postgres(cluster) => Place::Postgres(url(cluster, name)),
        }
    }
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.db"))
}

/// The URL of a database.
fn url(server: &Postgres, name: &str) -> String {
    let maintenance = server.url();
    maintenance.rsplit_once('/').map(|(server, _)| format!("{server}/{name}")).unwrap_or(maintenance)
}

async fn run(server: &Postgres, text: &str) -> Result<()> {
    let mut connection = PgConnection::connect(&server.url()).await?;
    // Made from names in this crate alone.
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await?;
    Ok(connection.close().await?)
}
