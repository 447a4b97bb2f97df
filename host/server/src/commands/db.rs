//! `hadron db`: the database without a server.

use super::answer;
use crate::block_on;
use crate::cli::DbCommand;
use crate::config::{self, Config};
use crate::exit::Failure;
use crate::serve::DataFolder;
use crate::table::{fields, print};
use hadron_bus::Bus;
use hadron_manifest::Manifest;
use hadron_runtime::{AddOptions, Refusal, Runtime};
use hadron_store::{EntryFilter, EntryState, Location, Store, StoreError};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
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
            let _folder = if dry_run { None } else { Some(DataFolder::take(&config.data_folder)?) };
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

async fn status(config: &Config) -> Result<DbStatus, Failure> {
    if let Location::Sqlite(path) = config.location()
        && !path.exists()
    {
        return Err(Failure::failed(format!(
            "there is no database {}: `hadron serve` or `hadron db migrate` makes it",
            path.display()
        )));
    }
    let place = config.shown_database();
    let store = Store::open(config.store())
        .await
        .map_err(|e| Failure::failed(format!("the database {place} cannot be opened: {e}")))?;
    let failed = |e: StoreError| Failure::failed(format!("the database does not answer: {e}"));
    let installed = store.components().list().await.map_err(failed)?;
    let entries = store.journal().list(&EntryFilter::default()).await.map_err(failed)?;
    let failing = entries.iter().filter(|e| e.state != EntryState::Pending).count();
    store.close().await;
    Ok(DbStatus {
        database: config.shown_database(),
        installed: installed.into_iter().filter(|p| !p.is_mark()).map(|plugin| plugin.name).collect(),
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

/// What the tables of the plugins need; made unless `dry_run`.
async fn migrate(config: &Config, dry_run: bool) -> Result<String, Failure> {
    let scratch = Scratch::new()?;
    let place = config.shown_database();
    // Asking must not make a database either.
    let absent = matches!(config.location(), Location::Sqlite(path) if !path.exists());
    let store = if dry_run && absent {
        let location = Location::Sqlite(scratch.0.join("absent.db"));
        Store::open(hadron_store::Settings { location, ..config.store() }).await
    } else {
        Store::open(config.store()).await
    };
    let store = store.map_err(|e| Failure::failed(format!("the database {place} cannot be opened: {e}")))?;
    let manifests = manifests(config, &store, &scratch).await?;
    let migration = store
        .migrate(&manifests, dry_run)
        .await
        .map_err(|e| Failure::failed(format!("the tables in {place} cannot be made to fit: {e}")));
    store.close().await;
    let steps = migration?.steps;
    let plugins = manifests.len();
    Ok(match (steps.is_empty(), dry_run) {
        (true, _) => format!("{place} fits the {plugins} plugins: nothing to do"),
        (false, true) => format!("{place} would be changed for {plugins} plugins:\n  {}", steps.join("\n  ")),
        (false, false) => format!("{place} fits the {plugins} plugins now:\n  {}", steps.join("\n  ")),
    })
}

/// The manifests of the configured and of the added plugins. They are loaded
/// over a database that is thrown away: loading makes tables, and lets plugins
/// write their first rows, which is not for this command to do.
async fn manifests(config: &Config, store: &Store, scratch: &Scratch) -> Result<Vec<Arc<Manifest>>, Failure> {
    let failed = |e: Refusal| Failure::failed(format!("the plugins cannot be loaded: {}", e.message));
    let location = Location::Sqlite(scratch.0.join("scratch.db"));
    let away = Store::open(hadron_store::Settings { location, ..config.store() })
        .await
        .map_err(|e| Failure::failed(format!("no database for loading plugins: {e}")))?;
    let runtime = Runtime::new(config.runtime(), away.clone(), Bus::default()).await.map_err(failed)?;
    runtime.load(config.plugins()).await.map_err(failed)?;
    let unreadable = |e: StoreError| Failure::failed(format!("the added plugins cannot be read: {e}"));
    let installed = store.components().list().await.map_err(unreadable)?;
    for added in installed.into_iter().filter(|plugin| !plugin.is_mark()) {
        let bytes = store.components().bytes(&added.sha256).await.map_err(unreadable)?;
        let options = AddOptions {
            grants: serde_json::from_value(added.grants).unwrap_or_default(),
            config: added.config.as_object().cloned().unwrap_or_default(),
            ..AddOptions::default()
        };
        runtime.add(bytes.unwrap_or_default(), options).await.map_err(failed)?;
    }
    let plugins = runtime.plugins();
    runtime.shutdown(Duration::ZERO).await;
    away.close().await;
    if let Some((path, why)) = plugins.refused.first() {
        return Err(Failure::failed(format!("{path} cannot be loaded: {why}")));
    }
    Ok(plugins.plugins.iter().map(|plugin| plugin.manifest.clone()).collect())
}

/// A folder that is removed with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, Failure> {
        let path = std::env::temp_dir().join(format!("hadron-db-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|e| Failure::failed(format!("cannot make the folder {}: {e}", path.display())))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
