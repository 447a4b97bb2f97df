//! Where rows are read: in the store as it is, or inside a unit of work, which
//! sees what it wrote itself.

use crate::error;
use futures::StreamExt;
use hadron_runtime::{Caller, Refusal, Runtime, Work};
use hadron_store::{CollectionId, Predicate, Query, Row, View};

/// A place where rows can be read and computed attributes asked for.
pub(crate) trait Source: Sync {
    /// One row, if it fits.
    fn get(
        &self,
        collection: &CollectionId,
        id: &str,
        predicate: &Predicate,
        view: &View,
    ) -> impl Future<Output = Result<Option<Row>, Refusal>> + Send;

    /// The id of a row that fits, if there is one.
    fn find(
        &self,
        collection: &CollectionId,
        predicate: Predicate,
    ) -> impl Future<Output = Result<Option<String>, Refusal>> + Send;

    /// Attributes of rows that this plugin computes: of each, the text of a JSON
    /// object.
    fn compute(
        &self,
        caller: &Caller,
        plugin: &str,
        collection: &CollectionId,
        rows: &[Row],
    ) -> impl Future<Output = Result<Vec<String>, Refusal>> + Send;
}

impl Source for Runtime {
    async fn get(
        &self,
        collection: &CollectionId,
        id: &str,
        predicate: &Predicate,
        view: &View,
    ) -> Result<Option<Row>, Refusal> {
        self.store().get(collection, id, predicate, view).await.map_err(error::from_store)
    }

    async fn find(&self, collection: &CollectionId, predicate: Predicate) -> Result<Option<String>, Refusal> {
        let query = Query { predicate, limit: Some(1), ..Query::default() };
        let rows = self.store().list(collection, &query, &View::default()).await;
        let row = rows.map_err(error::from_store)?.next().await.transpose().map_err(error::from_store)?;
        Ok(row.map(|row| row.id))
    }

    async fn compute(
        &self,
        caller: &Caller,
        plugin: &str,
        collection: &CollectionId,
        rows: &[Row],
    ) -> Result<Vec<String>, Refusal> {
        Runtime::compute(self, caller, plugin, collection, rows).await
    }
}

impl Source for Work {
    async fn get(
        &self,
        collection: &CollectionId,
        id: &str,
        predicate: &Predicate,
        view: &View,
    ) -> Result<Option<Row>, Refusal> {
        Work::get(self, collection, id, predicate, view).await
    }

    async fn find(&self, collection: &CollectionId, predicate: Predicate) -> Result<Option<String>, Refusal> {
        Work::find(self, collection, predicate).await
    }

    async fn compute(
        &self,
        _: &Caller,
        plugin: &str,
        collection: &CollectionId,
        rows: &[Row],
    ) -> Result<Vec<String>, Refusal> {
        Work::compute(self, plugin, collection, rows).await
    }
}
