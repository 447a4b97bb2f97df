//! What there is: rows through the API, pools from their tables, entries of the
//! journal that were refused, and the device's memory.

use crate::checker::base_of;
use crate::database::Database;
use crate::device::Memory;
use crate::ledger::KINDS;
use anyhow::{Context, Result};
use hadron_sdk_testing::Server;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A pool of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name in the database.
    pub name: String,
    /// Numbers in its ranges.
    pub size: i64,
    /// Of them free.
    pub free: i64,
}

/// Everything, at one instant at which nothing goes on.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Rows as the API shows them, by collection.
    pub rows: BTreeMap<String, Vec<Value>>,
    /// Pools.
    pub pools: Vec<Pool>,
    /// Rows about which an entry of the journal was refused.
    pub refused: BTreeSet<String>,
    /// The device.
    pub device: Memory,
}

impl Observed {
    /// Looks at a server with nothing under way.
    pub async fn of(server: &Server, database: &Database, device: Memory) -> Result<Observed> {
        let mut rows = BTreeMap::new();
        for kind in KINDS {
            let body = server.get(&format!("/v2.0/{kind}")).await?.expect(200)?;
            let list =
                body[kind].as_array().cloned().with_context(|| format!("no list of {kind}: {body}"))?;
            rows.insert(kind.to_owned(), list);
        }
        let entries = server.cli_json(&["journal", "list", "--limit", "0"]).await?;
        let refused = entries.as_array().map_or(&[][..], Vec::as_slice);
        let refused =
            refused.iter().filter_map(|entry| Some(entry["resource"].as_str()?.to_owned())).collect();
        Ok(Observed { rows, pools: database.pools().await?, refused, device })
    }

    /// Id and name of each row, by the constant part of its name.
    pub fn by_base(&self) -> BTreeMap<String, (String, String)> {
        let field = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let all = self.rows.values().flatten();
        all.map(|row| (base_of(row).to_owned(), (field(row, "id"), field(row, "name")))).collect()
    }
}
