//! Components by hash, and which are installed, so that every replica runs the
//! same set.

use crate::sql;
use crate::store::Inner;
use crate::{StoreError, time};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// A plugin the operator added to a running server.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    /// The plugin's name.
    pub name: String,
    /// The component's sha256, hex; empty where the record only says that a
    /// plugin which the configuration names is disabled.
    pub sha256: String,
    /// Whether it takes part.
    pub enabled: bool,
    /// Its place among the drivers; ties by name.
    pub position: i64,
    /// What the operator granted, as JSON.
    pub grants: Value,
    /// Its configuration, as JSON.
    pub config: Value,
}

impl Installed {
    /// Whether it is no plugin of its own, and only keeps a configured one out.
    pub fn is_mark(&self) -> bool {
        self.sha256.is_empty()
    }
}

/// Components by hash, and which are installed, so that every replica runs the
/// same set.
#[derive(Clone)]
pub struct Components {
    pub(crate) store: Arc<Inner>,
}

impl Components {
    /// Keeps a component's bytes and the plugin's record (by name), in one
    /// transaction. Bytes that nobody uses any more are forgotten.
    pub async fn install(&self, plugin: &Installed, bytes: &[u8]) -> Result<(), StoreError> {
        let dialect = self.store.database.dialect();
        let statements = vec![
            sql::keep_component(dialect, &plugin.sha256, bytes),
            sql::keep_plugin(dialect, plugin),
            sql::purge_components(dialect),
        ];
        self.store.database.write_all(statements).await.map(drop)
    }

    /// Keeps a plugin that the configuration names out, until its record is
    /// removed.
    pub async fn disable(&self, name: &str) -> Result<(), StoreError> {
        let mark = Installed {
            name: name.to_owned(),
            sha256: String::new(),
            enabled: false,
            position: 0,
            grants: Value::Object(serde_json::Map::new()),
            config: Value::Object(serde_json::Map::new()),
        };
        let statement = sql::keep_plugin(self.store.database.dialect(), &mark);
        self.store.database.write_all(vec![statement]).await.map(drop)
    }

    /// Changes the record (enabled, position, grants, config).
    pub async fn update(&self, plugin: &Installed) -> Result<(), StoreError> {
        let dialect = self.store.database.dialect();
        let changed = self.store.database.write_all(vec![sql::change_plugin(dialect, plugin)]).await?;
        if changed == [0] { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Forgets the plugin; its bytes too when nobody else uses them.
    pub async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let dialect = self.store.database.dialect();
        let statements = vec![sql::remove_plugin(dialect, name), sql::purge_components(dialect)];
        let changed = self.store.database.write_all(statements).await?;
        if changed.first() == Some(&0) { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// All, in order.
    pub async fn list(&self) -> Result<Vec<Installed>, StoreError> {
        let json = |text: String| {
            serde_json::from_str(&text)
                .map_err(|error| StoreError::Database(format!("a plugin's record: {error}")))
        };
        let mut plugins = Vec::new();
        for record in self.store.database.read(sql::list_plugins(self.store.database.dialect())).await? {
            plugins.push(Installed {
                name: record.text(0)?,
                sha256: record.text(1)?,
                enabled: record.boolean(2)?,
                position: record.integer(3)?,
                grants: json(record.text(4)?)?,
                config: json(record.text(5)?)?,
            });
        }
        Ok(plugins)
    }

    /// A component's bytes.
    pub async fn bytes(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let records = self.store.database.read(sql::component(self.store.database.dialect(), sha256)).await?;
        records.first().map(|record| record.bytes(0)).transpose()
    }

    /// Claims a periodic call: true for one caller in each period.
    pub async fn claim_tick(&self, plugin: &str, tick: &str, every: Duration) -> Result<bool, StoreError> {
        let statement = sql::claim_tick(self.store.database.dialect(), plugin, tick, time::millis(every));
        Ok(self.store.database.write_all(vec![statement]).await? == [1])
    }
}
