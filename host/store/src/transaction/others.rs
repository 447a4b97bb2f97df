//! What becomes of other rows when rows come, change and go: those that show
//! them, and those that go along.

use super::Transaction;
use crate::changes::Happened;
use crate::rows::{self, Parts};
use crate::schema::{Showing, Table};
use crate::sql::{self, Ident};
use crate::{CollectionId, StoreError, time};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Transaction {
    /// Raises the revisions of rows that show these, or did; of a change, where
    /// it shows.
    pub(super) async fn revise_shown(
        &mut self,
        table: &Table,
        rows: &[&Parts],
        changed: Option<&[String]>,
    ) -> Result<(), StoreError> {
        let schema = self.schema.clone();
        let shows =
            |s: &&Showing| s.documents || changed.is_none_or(|changed| changed.contains(&s.attribute));
        for showing in schema.showing(&table.id).iter().filter(shows) {
            let Some(field) = table.field(&showing.attribute) else { continue };
            let parents = rows.iter().filter_map(|row| row.text_of(field)).map(str::to_owned).collect();
            self.revise(showing, parents).await?;
        }
        Ok(())
    }

    /// Raises revisions, and what this unit knows of them: a row that it read
    /// before may still be changed by it.
    pub(super) async fn revise(
        &mut self,
        showing: &Showing,
        ids: BTreeSet<String>,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let now = time::now();
        let ids = ids.into_iter().collect();
        for record in self.fetch(sql::revise(self.dialect(), &showing.table, ids, &now)).await? {
            let id = record.text(0).map_err(|error| self.doom(error))?;
            let revision = record.integer(1).map_err(|error| self.doom(error))?;
            if showing.public {
                self.changes.add(&showing.by, &id, Happened::Updated, revision, None);
            }
            if let Some(seen) = self.seen.get_mut(&(showing.by.clone(), id))
                && seen.revision + 1 == revision
            {
                seen.revision = revision;
                if let Some(row) = &mut seen.whole {
                    row.revision = revision;
                    row.updated_at.clone_from(&now);
                }
            }
        }
        Ok(())
    }

    /// Notes what a deletion is about to remove, with what goes by cascade: for
    /// the log of changes rows as they are now, and what they count where the
    /// deletion itself does not tell. The rows are held from here on.
    pub(super) async fn note_removal(
        &mut self,
        table: &Arc<Table>,
        ids: &[String],
    ) -> Result<(), StoreError> {
        let schema = self.schema.clone();
        let mut gone: BTreeSet<(CollectionId, String)> = BTreeSet::new();
        let mut removed = Vec::new();
        let mut fresh = vec![(table.clone(), Ident::host("id"), ids.to_vec())];
        let mut cascaded = false;
        while let Some((table, column, ids)) = fresh.pop() {
            let taking = schema.takes_noted(&table.id);
            if !table.is_noted() && !taking {
                continue;
            }
            let statement = sql::at_last(self.dialect(), &table, &column, ids);
            let mut rows = Vec::new();
            for record in self.fetch(statement).await? {
                let row = rows::at_last(&table, &record).map_err(|error| self.doom(error))?;
                if gone.insert((table.id.clone(), row.id.clone())) {
                    rows.push(row);
                }
            }
            if let Some(quota) = table.quota.as_ref().filter(|_| cascaded) {
                rows.iter().for_each(|row| self.counts.add(row.project_id.as_deref(), quota, -1));
            }
            cascaded = true;
            if taking && !rows.is_empty() {
                let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
                for incoming in schema.incoming(&table.id).into_iter().filter(|i| i.cascade) {
                    fresh.push((self.table(&incoming.from)?, incoming.column, ids.clone()));
                }
            }
            if table.public {
                removed.extend(rows.into_iter().map(|row| (table.id.clone(), row)));
            }
        }
        // What a row takes with it goes before it.
        for (collection, row) in removed.into_iter().rev() {
            let text = serde_json::to_string(&row).map_err(|error| StoreError::Invalid(error.to_string()));
            let text = text.map_err(|error| self.doom(error))?;
            self.changes.add(&collection, &row.id, Happened::Deleted, row.revision, Some(text));
        }
        Ok(())
    }
}
