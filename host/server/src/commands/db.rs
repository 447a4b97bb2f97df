//! `hadron db`: the database without a server.

use super::answer;
use crate::block_on;
use crate::cli::DbCommand;
use crate::config::{self, Config};
use crate::exit::Failure;
use crate::serve::DataFolder;
use crate::table::{fields, print};
use hadron_bus::Bus;
use hadron_runtime::Runtime;
use hadron_store::{EntryFilter, Store};
use serde::Serialize;
use std::time::Duration;

/// Opens the configured database.
pub(crate) fn run(command: DbCommand) -> Result<(), Failure> {
    match command {
        DbCommand::Status { config: args, json } => {
            let config = config::load(&args)?;
            let status = block_on(status(&config))?;
            answer(&status, json, shown)
        }
        DbCommand::Migrate { config: args, dry_run } => {
            let config = config::load(&args)?;
            let _folder = DataFolder::take(&config.data_folder)?;
            print(&block_on(migrate(&config, dry_run))?);
            Ok(())
        }
    }
}

#[derive(Serialize)]
struct DbStatus {
    database: String,
    /// Plugins that were added by the operator.
    installed: Vec<String>,
    /// Entries of the journal, and how many of them failed or were refused.
    waiting: usize,
    failing: usize,
}

async fn open(config: &Config) -> Result<Store, Failure> {
    let place = config.shown_database();
    let store = Store::open(config.store())
        .await
        .map_err(|e| Failure::failed(format!("the database {place} cannot be opened: {e}")))?;
    Ok(store)
}

async fn status(config: &Config) -> Result<DbStatus, Failure> {
    if let hadron_store::Location::Sqlite(path) = config.location()
        && !path.exists()
    {
        return Err(Failure::failed(format!(
            "there is no database {}: `hadron serve` or `hadron db migrate` makes it",
            path.display()
        )));
    }
    let store = open(config).await?;
    let failed = |e: hadron_store::StoreError| Failure::failed(format!("the database does not answer: {e}"));
    let installed = store.components().list().await.map_err(failed)?;
    let entries = store.journal().list(&EntryFilter::default()).await.map_err(failed)?;
    let failing = entries.iter().filter(|e| e.state != hadron_store::EntryState::Pending).count();
    store.close().await;
    Ok(DbStatus {
        database: config.shown_database(),
        installed: installed.into_iter().map(|plugin| plugin.name).collect(),
        waiting: entries.len(),
        failing,
    })
}

fn shown(status: &DbStatus) -> String {
    fields(&[
        ("database", status.database.clone()),
        ("answers", "yes".to_owned()),
        ("added plugins", status.installed.join(", ")),
        ("journal", format!("{} entries wait, {} of them failed", status.waiting, status.failing)),
    ])
}

/// Loading a plugin makes its tables; so this loads all of them, and stops.
async fn migrate(config: &Config, dry_run: bool) -> Result<String, Failure> {
    let store = open(config).await?;
    let failed =
        |e: hadron_runtime::Refusal| Failure::failed(format!("the plugins cannot be loaded: {}", e.message));
    let runtime = Runtime::new(config.runtime(), store.clone(), Bus::default()).await.map_err(failed)?;
    runtime.load(config.plugins()).await.map_err(failed)?;
    let _ = dry_run;
    let plugins = runtime.plugins();
    runtime.shutdown(Duration::ZERO).await;
    store.close().await;
    Ok(format!("{} has the tables of {} plugins", config.shown_database(), plugins.plugins.len()))
}
