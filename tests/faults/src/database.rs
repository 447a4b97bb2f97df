//! Where the rows are: looked into from outside, past the server.

use crate::observed::Pool;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};
use std::path::PathBuf;
use std::time::Duration;

/// All pools: name, ranges as JSON, numbers that are free.
const POOLS: &str = "SELECT p.pool, p.ranges, \
    (SELECT CAST(COALESCE(SUM(f.hi - f.lo + 1), 0) AS BIGINT) FROM hadron_pool_free f WHERE f.pool = p.pool) \
    FROM hadron_pools p ORDER BY p.pool";

/// A database.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A URL.
    Postgres(String),
}

impl Database {
    /// As `hadron serve --database` wants it.
    pub fn url(&self) -> String {
        match self {
            Database::Sqlite(file) => format!("sqlite:{}", file.display()),
            Database::Postgres(url) => url.clone(),
        }
    }

    async fn sqlite(file: &PathBuf) -> Result<SqliteConnection> {
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(10));
        SqliteConnection::connect_with(&options)
            .await
            .with_context(|| format!("cannot open {}", file.display()))
    }

    async fn postgres(url: &str) -> Result<PgConnection> {
        PgConnection::connect(url).await.context("cannot reach PostgreSQL")
    }

    /// All pools of numbers.
    pub async fn pools(&self) -> Result<Vec<Pool>> {
        let read: Vec<(String, String, i64)> = match self {
            Database::Sqlite(file) => {
                let mut connection = Database::sqlite(file).await?;
                let rows = sqlx::query(POOLS).fetch_all(&mut connection).await?;
                connection.close().await?;
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
            }
            Database::Postgres(url) => {
                let mut connection = Database::postgres(url).await?;
                let rows = sqlx::query(POOLS).fetch_all(&mut connection).await?;
                connection.close().await?;
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
            }
        };
        read.into_iter().map(|(name, ranges, free)| Ok(Pool { size: size(&ranges)?, name, free })).collect()
    }

    /// Does something behind the server's back, to show that a checker finds
    /// out; how many rows it changed.
    pub async fn tamper(&self, statement: &'static str) -> Result<u64> {
        Ok(match self {
            Database::Sqlite(file) => {
                let mut connection = Database::sqlite(file).await?;
                let done = sqlx::query(statement).execute(&mut connection).await?;
                connection.close().await?;
                done.rows_affected()
            }
            Database::Postgres(url) => {
                let mut connection = Database::postgres(url).await?;
                let done = sqlx::query(statement).execute(&mut connection).await?;
                connection.close().await?;
                done.rows_affected()
            }
        })
    }
}

/// Numbers in ranges written as `[[first, last], …]`.
fn size(ranges: &str) -> Result<i64> {
    let parsed: Value = serde_json::from_str(ranges).with_context(|| format!("no ranges: {ranges}"))?;
    let mut size = 0;
    for range in parsed.as_array().map_or(&[][..], Vec::as_slice) {
        match (range[0].as_i64(), range[1].as_i64()) {
            (Some(first), Some(last)) => size += last - first + 1,
            _ => bail!("no range: {range}"),
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn ranges_have_both_their_ends() {
        assert_eq!(size("[[1,1],[5,9]]").unwrap(), 6);
        assert_eq!(size("[]").unwrap(), 0);
        assert!(size("[[1]]").is_err());
    }
}
