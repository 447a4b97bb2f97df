//! Pools of numbers, inside the unit of work. A pool's full name starts with
//! its plugin's, so that plugins cannot take from each other.

use crate::bindings::pools::{Host, PoolError as Refused, Range};
use crate::state::{Abort, HostState};
use crate::unit::Failure;
use futures::future::BoxFuture;
use hadron_store::{PoolError, Transaction};

type Answer<T> = wasmtime::Result<Result<T, Refused>>;

impl HostState {
    async fn pool<T>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Transaction) -> BoxFuture<'a, Result<T, PoolError>>,
    ) -> Answer<T> {
        let Some(unit) = self.unit() else { return Ok(Err(Refused::Unavailable)) };
        Ok(Err(match unit.store(work).await {
            Ok(value) => return Ok(Ok(value)),
            Err(PoolError::Exhausted) => Refused::Exhausted,
            Err(PoolError::Taken) => Refused::Taken,
            Err(PoolError::Unknown) => Refused::Unknown,
            Err(PoolError::Store(error)) => return Err(Abort(Failure::from(error)).into()),
        }))
    }

    fn full_name(&self, pool: &str) -> String {
        format!("{}/{pool}", self.plugin.name())
    }
}

impl Host for HostState {
    async fn define(&mut self, pool: String, ranges: Vec<Range>) -> Answer<()> {
        let name = self.full_name(&pool);
        let ranges: Vec<(u64, u64)> = ranges.iter().map(|range| (range.first, range.last)).collect();
        self.pool(move |t| Box::pin(async move { t.pool_define(&name, &ranges).await })).await
    }

    async fn drop(&mut self, pool: String) -> Answer<()> {
        let name = self.full_name(&pool);
        self.pool(move |t| Box::pin(async move { t.pool_drop(&name).await })).await
    }

    async fn take(&mut self, pool: String, count: u32) -> Answer<Vec<u64>> {
        let name = self.full_name(&pool);
        self.pool(move |t| Box::pin(async move { t.pool_take(&name, count).await })).await
    }

    async fn take_given(&mut self, pool: String, number: u64) -> Answer<()> {
        let name = self.full_name(&pool);
        self.pool(move |t| Box::pin(async move { t.pool_take_given(&name, number).await })).await
    }

    async fn give_back(&mut self, pool: String, numbers: Vec<u64>) -> Answer<()> {
        let name = self.full_name(&pool);
        self.pool(move |t| Box::pin(async move { t.pool_give_back(&name, &numbers).await })).await
    }
}
