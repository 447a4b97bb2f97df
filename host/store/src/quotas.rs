//! Limits of projects, and how much they use.
//!
//! A unit counts the rows that it makes and removes, and writes the counts in
//! its own transaction. On PostgreSQL each unit leaves a row of its own, so that
//! no creator waits for another's COMMIT; in the background they are folded into
//! one. A unit that is checked against a limit takes its turn at the end, just
//! before its COMMIT, and looks again: of concurrent creators none gets past it.

use crate::store::Inner;
use crate::transaction::Transaction;
use crate::{StoreError, sql};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Numbers by quota's name.
pub type Numbers = BTreeMap<String, i64>;

/// Limits that projects have of their own, and how much they use.
#[derive(Clone)]
pub struct Quotas {
    pub(crate) store: Arc<Inner>,
}

impl Quotas {
    /// A project's own limits; -1 is none.
    pub async fn limits(&self, project: &str) -> Result<Numbers, StoreError> {
        let database = &self.store.database;
        let mut limits = Numbers::new();
        for record in database.read(sql::limits(database.dialect(), project)).await? {
            limits.insert(record.text(0)?, record.integer(1)?);
        }
        Ok(limits)
    }

    /// The own limits of every project that has some.
    pub async fn all(&self) -> Result<BTreeMap<String, Numbers>, StoreError> {
        let database = &self.store.database;
        let mut all = BTreeMap::<String, Numbers>::new();
        for record in database.read(sql::all_limits(database.dialect())).await? {
            all.entry(record.text(0)?).or_default().insert(record.text(1)?, record.integer(2)?);
        }
        Ok(all)
    }

    /// How many rows a project has, by quota; what it has none of is not in it.
    pub async fn usage(&self, project: &str) -> Result<Numbers, StoreError> {
        let database = &self.store.database;
        let mut usage = Numbers::new();
        for record in database.read(sql::usage(database.dialect(), project)).await? {
            usage.insert(record.text(0)?, record.integer(1)?);
        }
        Ok(usage)
    }

    /// Sets limits of a project, all of them or none.
    pub async fn set(&self, project: &str, limits: &Numbers) -> Result<(), StoreError> {
        let dialect = self.store.database.dialect();
        let statements =
            limits.iter().map(|(quota, limit)| sql::set_limit(dialect, project, quota, *limit)).collect();
        self.store.database.write_all(statements).await.map(drop)
    }

    /// Takes a project's own limits away; `NotFound` when it has none.
    pub async fn clear(&self, project: &str) -> Result<(), StoreError> {
        let statement = sql::clear_limits(self.store.database.dialect(), project);
        let gone = self.store.database.write_all(vec![statement]).await?;
        if gone.iter().sum::<u64>() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

/// Rows made and removed, and limits to look at again.
#[derive(Default)]
pub(crate) struct Counts {
    by: BTreeMap<(String, Arc<str>), i64>,
    /// In the order in which they are held.
    wanted: BTreeMap<(String, String), Wanted>,
}

/// What a request wants of a limited quota.
#[derive(Clone, Copy)]
struct Wanted {
    rows: i64,
    default: i64,
}

impl Counts {
    pub(crate) fn add(&mut self, project: Option<&str>, quota: &Arc<str>, by: i64) {
        if let Some(project) = project {
            *self.by.entry((project.to_owned(), quota.clone())).or_default() += by;
        }
    }

    /// What is to be written.
    pub(crate) fn all(&self) -> Vec<sql::Count<'_>> {
        let changed = self.by.iter().filter(|(_, by)| **by != 0);
        changed.map(|((project, quota), by)| sql::Count { project, quota, by: *by }).collect()
    }
}

impl Transaction {
    /// Whether a project may have so many rows more: `OverQuota` when not. Asked
    /// before they are made; where there is a limit it is looked at again when
    /// the unit commits. Rows that are made besides (by plugins, on their own
    /// account) are counted and not refused. `default` is the limit of a project
    /// that has none of its own; -1 is none.
    pub async fn admit(
        &mut self,
        project: &str,
        quota: &str,
        rows: i64,
        default: i64,
    ) -> Result<(), StoreError> {
        let key = (project.to_owned(), quota.to_owned());
        let before = self.counts.wanted.get(&key).map_or(0, |wanted| wanted.rows);
        let wanted = Wanted { rows: rows.saturating_add(before), default };
        if self.fits(project, quota, wanted).await? {
            self.counts.wanted.insert(key, wanted);
        }
        Ok(())
    }

    /// Whether there is a limit at all, given that it is kept.
    async fn fits(&mut self, project: &str, quota: &str, wanted: Wanted) -> Result<bool, StoreError> {
        let records = self.fetch(sql::limit_and_use(self.dialect(), project, quota, wanted.default)).await?;
        let read = || -> Result<(i64, i64), StoreError> {
            match records.first() {
                Some(record) => Ok((record.integer(0)?, record.integer(1)?)),
                None => Ok((-1, 0)),
            }
        };
        let (limit, used) = read().map_err(|error| self.doom(error))?;
        match limit {
            ..0 => Ok(false),
            limit if used.saturating_add(wanted.rows) <= limit => Ok(true),
            _ => Err(self.doom(StoreError::OverQuota(quota.to_owned()))),
        }
    }

    /// Looks at limits again, one unit at a time.
    pub(crate) async fn keep_limits(&mut self) -> Result<(), StoreError> {
        for ((project, quota), wanted) in std::mem::take(&mut self.counts.wanted) {
            self.fetch(sql::hold_limit(&project, &quota)).await?;
            self.fits(&project, &quota, wanted).await?;
        }
        Ok(())
    }
}
