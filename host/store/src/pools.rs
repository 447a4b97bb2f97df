//! Pools of numbers, of which each has one taker at most.
//!
//! What is free is kept as intervals, so that a pool costs the same however
//! full it is. On PostgreSQL a new pool is cut into stripes and a taker goes to
//! a random one that nobody holds, so that takers do not wait for each other's
//! COMMIT; only before a pool is said to be exhausted does one wait.

use crate::intervals::{Interval, both, contains, cut, minus, normal};
use crate::sql::{self, Dialect};
use crate::{PoolError, StoreError, Transaction};
use rand::Rng;

/// Stripes of a large pool.
const STRIPES: i64 = 16;
/// A stripe is no smaller than this.
const SMALLEST_STRIPE: i64 = 16;
/// Looks at a pool that changes all the time, before the unit is run again.
const LOOKS: u32 = 100;

/// A pool as it was defined.
struct Pool {
    ranges: Vec<Interval>,
    /// Taken numbers outside the ranges, from before the ranges changed.
    held: Vec<Interval>,
    stripe: i64,
}

impl Transaction {
    /// See the `pools` interface of the contract; names are already qualified
    /// by plugin.
    pub async fn pool_define(&mut self, pool: &str, ranges: &[(u64, u64)]) -> Result<(), PoolError> {
        let mut wanted = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            let number = |n: &u64| {
                i64::try_from(*n).ok().filter(|n| *n < i64::MAX).ok_or_else(|| {
                    StoreError::Invalid(format!("{n} is too large a number for the pool '{pool}'"))
                })
            };
            wanted.push((number(first)?, number(last)?));
        }
        let wanted = normal(wanted);
        let size: i64 = wanted.iter().fold(0, |sum, (lo, hi)| sum.saturating_add(hi - lo).saturating_add(1));
        let stripe = match self.dialect() {
            // One taker at a time: nothing to keep apart.
            Dialect::Sqlite => i64::MAX - 1,
            Dialect::Postgres => (size / STRIPES).saturating_add(1).max(SMALLEST_STRIPE),
        };
        let first = wanted.first().map_or(0, |(lo, _)| *lo);
        let last = wanted.last().map_or(0, |(_, hi)| *hi);
        let dialect = self.dialect();
        let old = match self.pool(pool, true).await? {
            Some(old) => old,
            None => {
                let statement = sql::insert_pool(dialect, pool, stripe, first, last, json(&wanted));
                if self.execute(statement).await? == 1 {
                    self.insert_free(pool, &cut(&wanted, stripe)).await?;
                    return Ok(());
                }
                // Somebody else made it meanwhile.
                match self.pool(pool, true).await? {
                    Some(old) => old,
                    None => {
                        let error = StoreError::Retry("a pool went away".to_owned());
                        return Err(self.doom(error).into());
                    }
                }
            }
        };
        if old.ranges == wanted {
            return Ok(());
        }
        let mut free = Vec::new();
        for record in self.fetch(sql::all_free(dialect, pool)).await? {
            free.push((record.integer(0)?, record.integer(1)?));
        }
        let free = normal(free);
        let added = minus(&wanted, &old.ranges);
        let removed = minus(&old.ranges, &wanted);
        // Taken numbers that leave the ranges stay taken, and do so if their
        // ranges come back.
        let held = normal([minus(&old.held, &wanted), minus(&removed, &free)].concat());
        let now_free = normal([minus(&free, &removed), minus(&added, &old.held)].concat());
        self.execute(sql::remove_free(dialect, pool)).await?;
        self.insert_free(pool, &cut(&now_free, stripe)).await?;
        let statement = sql::change_pool(dialect, pool, stripe, first, last, json(&wanted), json(&held));
        self.execute(statement).await?;
        Ok(())
    }

    /// Forgets a pool, taken numbers and all.
    pub async fn pool_drop(&mut self, pool: &str) -> Result<(), PoolError> {
        let dialect = self.dialect();
        if self.execute(sql::remove_pool(dialect, pool)).await? == 0 {
            return Err(PoolError::Unknown);
        }
        self.execute(sql::remove_free(dialect, pool)).await?;
        Ok(())
    }

    /// Takes any free numbers: all of them, or none.
    pub async fn pool_take(&mut self, pool: &str, count: u32) -> Result<Vec<u64>, PoolError> {
        let wanted = i64::from(count);
        let mut taken: Vec<Interval> = Vec::new();
        let mut missing = wanted;
        while missing > 0 {
            let part = match self.dialect() {
                Dialect::Sqlite => self.take_first(pool, missing).await?,
                Dialect::Postgres => self.take_somewhere(pool, missing).await?,
            };
            match part {
                Some((lo, hi)) => {
                    missing -= hi - lo + 1;
                    taken.push((lo, hi));
                }
                None => {
                    // The unit may go on without them.
                    self.put_back(pool, &taken).await?;
                    return Err(PoolError::Exhausted);
                }
            }
        }
        self.touch();
        Ok(taken.into_iter().flat_map(|(lo, hi)| lo..=hi).filter_map(|n| u64::try_from(n).ok()).collect())
    }

    /// The lowest numbers there are.
    async fn take_first(&mut self, pool: &str, count: i64) -> Result<Option<Interval>, PoolError> {
        let records = self.fetch(sql::first_free(pool)).await?;
        let Some(record) = records.first() else {
            return if self.pool(pool, false).await?.is_some() { Ok(None) } else { Err(PoolError::Unknown) };
        };
        let (lo, hi) = (record.integer(0)?, record.integer(1)?);
        let last = hi.min(lo + count - 1);
        let statement = if last == hi {
            sql::delete_free(Dialect::Sqlite, pool, hi)
        } else {
            sql::raise_free(Dialect::Sqlite, pool, hi, last + 1)
        };
        self.execute(statement).await?;
        Ok(Some((lo, last)))
    }

    /// Numbers of a random stripe that nobody holds; of one that somebody holds
    /// only when there is no other.
    async fn take_somewhere(&mut self, pool: &str, count: i64) -> Result<Option<Interval>, PoolError> {
        for look in 0..LOOKS {
            let at = rand::rng().random_range(0..1_000_000);
            let wait = look > 0;
            self.touch();
            let records = self.fetch(sql::take(pool, count, at, wait)).await?;
            if let Some(record) = records.first() {
                let lo = record.integer(0)?;
                return Ok(Some((lo, lo + record.integer(1)? - 1)));
            }
            if wait {
                let records = self.fetch(sql::has_free(Dialect::Postgres, pool)).await?;
                match records.first() {
                    None => return Err(PoolError::Unknown),
                    Some(record) if record.integer(0)? == 0 => return Ok(None),
                    Some(_) => {}
                }
            }
        }
        let error = StoreError::Retry(format!("the pool '{pool}' changes all the time"));
        Err(self.doom(error).into())
    }

    /// Takes this one.
    pub async fn pool_take_given(&mut self, pool: &str, number: u64) -> Result<(), PoolError> {
        let Some(number) = i64::try_from(number).ok().filter(|n| *n < i64::MAX) else {
            return if self.pool(pool, false).await?.is_some() {
                Err(PoolError::Taken)
            } else {
                Err(PoolError::Unknown)
            };
        };
        match self.dialect() {
            Dialect::Sqlite => self.take_given_alone(pool, number).await,
            Dialect::Postgres => self.take_given_among_others(pool, number).await,
        }
    }

    async fn take_given_alone(&mut self, pool: &str, number: i64) -> Result<(), PoolError> {
        let records = self.fetch(sql::free_around(pool, number)).await?;
        let Some(record) = records.first() else {
            return if self.pool(pool, false).await?.is_some() {
                Err(PoolError::Taken)
            } else {
                Err(PoolError::Unknown)
            };
        };
        let (lo, hi) = (record.integer(0)?, record.integer(1)?);
        let statement = if number == hi {
            sql::delete_free(Dialect::Sqlite, pool, hi)
        } else {
            sql::raise_free(Dialect::Sqlite, pool, hi, number + 1)
        };
        self.execute(statement).await?;
        if lo < number {
            self.insert_free(pool, &[(lo, number - 1)]).await?;
        }
        Ok(())
    }

    /// The interval that holds the number may be held by somebody who splits it
    /// meanwhile: then it is looked for again.
    async fn take_given_among_others(&mut self, pool: &str, number: i64) -> Result<(), PoolError> {
        for _ in 0..LOOKS {
            self.touch();
            if !self.fetch(sql::take_given(pool, number)).await?.is_empty() {
                return Ok(());
            }
            let records = self.fetch(sql::is_free(pool, number)).await?;
            match records.first() {
                None => return Err(PoolError::Unknown),
                Some(record) if record.integer(0)? == 0 => return Err(PoolError::Taken),
                Some(_) => {}
            }
        }
        let error = StoreError::Retry(format!("the pool '{pool}' changes all the time"));
        Err(self.doom(error).into())
    }

    /// Gives back. Numbers outside the ranges, or free already, are ignored.
    pub async fn pool_give_back(&mut self, pool: &str, numbers: &[u64]) -> Result<(), PoolError> {
        let numbers: Vec<i64> =
            numbers.iter().filter_map(|n| i64::try_from(*n).ok()).filter(|n| *n < i64::MAX).collect();
        let runs = normal(numbers.iter().map(|n| (*n, *n)).collect());
        let found = match self.dialect() {
            Dialect::Sqlite => self.pool(pool, false).await?,
            Dialect::Postgres => {
                let records = self.fetch(sql::pool_and_numbers(pool, numbers.clone())).await?;
                records.first().map(read_pool).transpose()?
            }
        };
        let Some(found) = found else { return Err(PoolError::Unknown) };
        self.touch();
        if numbers.iter().any(|n| contains(&found.held, *n)) {
            let now = self.pool(pool, true).await?;
            let held = minus(&now.map(|p| p.held).unwrap_or_default(), &runs);
            self.execute(sql::change_held(self.dialect(), pool, json(&held))).await?;
        }
        for run in cut(&both(&runs, &found.ranges), found.stripe) {
            self.give_back_run(pool, run, found.stripe).await?;
        }
        Ok(())
    }

    /// What `pool_take` took and cannot use; locked by this unit.
    async fn put_back(&mut self, pool: &str, taken: &[Interval]) -> Result<(), PoolError> {
        for run in taken {
            self.give_back_run(pool, *run, i64::MAX - 1).await?;
        }
        Ok(())
    }

    async fn give_back_run(&mut self, pool: &str, run: Interval, stripe: i64) -> Result<(), PoolError> {
        let dialect = self.dialect();
        let mut near: Vec<Interval> = Vec::new();
        for record in self.fetch(sql::free_near(dialect, pool, run.0, run.1)).await? {
            near.push((record.integer(0)?, record.integer(1)?));
        }
        let new = minus(&[run], &normal(near.clone()));
        for (lo, hi) in new {
            let room = stripe.saturating_sub(hi - lo + 1);
            let fits = |n: &&Interval| n.1 - n.0 < room;
            let below = near.iter().find(|n| n.1 == lo - 1).filter(fits);
            let above = near.iter().find(|n| n.0 == hi + 1).filter(fits);
            let wanted: Vec<i64> = below.iter().chain(above.iter()).map(|n| n.1).collect();
            let mut held: Vec<Interval> = Vec::new();
            if !wanted.is_empty() {
                for record in self.fetch(sql::hold_free(dialect, pool, wanted)).await? {
                    held.push((record.integer(0)?, record.integer(1)?));
                }
            }
            // They may have changed until they were held.
            let below = held.iter().find(|n| n.1 == lo - 1).copied();
            let above = held.iter().find(|n| n.0 == hi + 1).copied();
            let together = match (below, above) {
                (Some(b), Some(a)) => (b.1 - b.0).saturating_add(a.1 - a.0).saturating_add(2) <= room,
                _ => true,
            };
            match (below, above) {
                (Some(b), Some(a)) if together => {
                    self.execute(sql::delete_free(dialect, pool, b.1)).await?;
                    self.execute(sql::raise_free(dialect, pool, a.1, b.0)).await?;
                }
                (_, Some(a)) => {
                    self.execute(sql::raise_free(dialect, pool, a.1, lo)).await?;
                }
                (Some(b), None) => {
                    self.execute(sql::move_free(dialect, pool, b.1, (b.0, hi))).await?;
                }
                (None, None) => self.insert_free(pool, &[(lo, hi)]).await?,
            }
        }
        Ok(())
    }

    async fn insert_free(&mut self, pool: &str, intervals: &[Interval]) -> Result<(), PoolError> {
        for statement in sql::insert_free(self.dialect(), pool, intervals) {
            self.execute(statement).await?;
        }
        Ok(())
    }

    async fn pool(&mut self, pool: &str, change: bool) -> Result<Option<Pool>, PoolError> {
        let records = self.fetch(sql::pool(self.dialect(), pool, change)).await?;
        Ok(records.first().map(read_pool).transpose()?)
    }
}

fn read_pool(record: &crate::connection::Record) -> Result<Pool, StoreError> {
    let intervals = |text: String| {
        serde_json::from_str::<Vec<Interval>>(&text)
            .map_err(|error| StoreError::Database(format!("a pool's ranges cannot be read: {error}")))
    };
    Ok(Pool {
        ranges: intervals(record.text(0)?)?,
        held: intervals(record.text(1)?)?,
        stripe: record.integer(2)?,
    })
}

fn json(intervals: &[Interval]) -> String {
    serde_json::to_string(intervals).unwrap_or_else(|_| "[]".to_owned())
}
