//! A unit of work's transaction.

use crate::changes::{Happened, Noted, Notes};
use crate::connection::{Conn, Record};
use crate::database::Session;
use crate::fault::{self, Fault};
use crate::journal::interdependent;
use crate::metrics::Outcome;
use crate::quotas::Counts;
use crate::rows::{self, Parts};
use crate::schema::{Constraint, Schema, Showing, Table};
use crate::sql::{self, Bind, Dialect, Ident, Mark, Sql};
use crate::store::Inner;
use crate::{CollectionId, FirstAttempts, NewEntry, NewRow, Predicate, Query, Row, StoreError, View, time};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// A unit of work's transaction. Dropped without `commit`, it is rolled back.
/// After an error other than `NotFound` and pools' `Exhausted`, `Taken`,
/// `Unknown` it is doomed.
pub struct Transaction {
    session: Session,
    pub(crate) store: Arc<Inner>,
    schema: Arc<Schema>,
    unit: String,
    seen: HashMap<(CollectionId, String), Seen>,
    doomed: bool,
    clashed: bool,
    wrote: bool,
    pub(crate) counts: Counts,
    began: Instant,
    changes: Notes,
}

/// What this unit knows of a row.
struct Seen {
    /// The revision when the unit first read it, or that it wrote itself.
    revision: i64,
    /// The whole of the row, where it was read without anything hidden.
    whole: Option<Box<Row>>,
}

/// Rows of a larger answer are remembered by their revisions only.
const KEPT_WHOLE: usize = 16;

/// What a statement was about, for naming its failure.
enum Doing<'a> {
    Reading,
    Writing(&'a Table, &'a [Parts], &'a [String]),
    Deleting(&'a Table, &'a [String]),
}

impl Transaction {
    pub(crate) async fn begin(store: Arc<Inner>, unit: &str) -> Result<Transaction, StoreError> {
        let session = store.database.session().await?;
        let schema = store.schema();
        Ok(Transaction {
            session,
            store,
            schema,
            unit: unit.to_owned(),
            seen: HashMap::new(),
            doomed: false,
            clashed: false,
            wrote: false,
            counts: Counts::default(),
            began: Instant::now(),
            changes: Notes::default(),
        })
    }

    pub(crate) fn conn(&mut self) -> Result<&mut Conn, StoreError> {
        if self.doomed {
            return Err(StoreError::Doomed);
        }
        self.session.conn()
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.store.database.dialect()
    }

    /// The unit changed something: it leaves its id behind.
    pub(crate) fn touch(&mut self) {
        self.wrote = true;
    }

    /// Whether a key was taken that another unit, at the same time, may have
    /// taken: run again, this one sees what the other wrote. On SQLite no two
    /// units write at the same time.
    pub fn clashed(&self) -> bool {
        self.clashed && self.dialect() == Dialect::Postgres
    }

    /// After this nothing but `rollback` is possible.
    pub(crate) fn doom(&mut self, error: StoreError) -> StoreError {
        if !matches!(error, StoreError::NotFound) {
            self.doomed = true;
        }
        error
    }

    pub(crate) async fn fetch(&mut self, statement: Sql) -> Result<Vec<Record>, StoreError> {
        self.fetch_for(statement, Doing::Reading).await
    }

    pub(crate) async fn execute(&mut self, statement: Sql) -> Result<u64, StoreError> {
        self.touch();
        self.execute_for(statement, Doing::Reading).await
    }

    async fn fetch_for(&mut self, statement: Sql, doing: Doing<'_>) -> Result<Vec<Record>, StoreError> {
        match self.conn()?.fetch(statement).await.map_err(fault::of) {
            Ok(records) => Ok(records),
            Err(fault) => Err(self.failed(fault, doing).await),
        }
    }

    async fn execute_for(&mut self, statement: Sql, doing: Doing<'_>) -> Result<u64, StoreError> {
        match self.conn()?.execute(statement).await.map_err(fault::of) {
            Ok(changed) => Ok(changed),
            Err(fault) => Err(self.failed(fault, doing).await),
        }
    }

    /// Names a failure in the words of the manifest.
    async fn failed(&mut self, fault: Fault, doing: Doing<'_>) -> StoreError {
        let error = match (fault, doing) {
            (Fault::Unique(name), _) => {
                self.clashed = true;
                StoreError::Duplicate(self.key(&name))
            }
            (Fault::Reference(Some(name), table), doing) => {
                let deleting = matches!(doing, Doing::Deleting(..));
                match (self.schema.constraint(&name), deleting) {
                    (Some(Constraint::Reference(collection, _)), true) => {
                        StoreError::InUse(collection.clone())
                    }
                    (Some(Constraint::Reference(_, attribute)), false) => {
                        StoreError::MissingReference(attribute.clone())
                    }
                    (_, true) => StoreError::InUse(table.unwrap_or(name)),
                    (_, false) => StoreError::MissingReference(name),
                }
            }
            (Fault::Reference(None, _), Doing::Writing(table, parts, ids)) => {
                match self.missing_reference(table, parts, ids).await {
                    Ok(attribute) => StoreError::MissingReference(attribute),
                    Err(error) => error,
                }
            }
            (Fault::Reference(None, _), Doing::Deleting(table, ids)) => match self.in_use(table, ids).await {
                Ok(collection) => StoreError::InUse(collection),
                Err(error) => error,
            },
            (fault, _) => fault.inside(),
        };
        self.doom(error)
    }

    fn key(&self, name: &str) -> String {
        match self.schema.constraint(name) {
            Some(Constraint::Key(says)) => says.clone(),
            _ => self.schema.key_of_columns(name).unwrap_or_else(|| name.to_owned()),
        }
    }

    /// SQLite does not say which reference failed: the first that names a row
    /// which is not there.
    async fn missing_reference(
        &mut self,
        table: &Table,
        parts: &[Parts],
        ids: &[String],
    ) -> Result<String, StoreError> {
        let mut wanted: Vec<(String, Ident, BTreeSet<String>)> = Vec::new();
        for reference in &table.references {
            let values = parts.iter().filter_map(|p| p.referred(table, reference)).map(str::to_owned);
            wanted.push((reference.attribute.clone(), reference.table.clone(), values.collect()));
        }
        for list in &table.lists {
            for reference in &list.references {
                let values = parts
                    .iter()
                    .flat_map(|p| p.list_values(list, &reference.column))
                    .map(str::to_owned)
                    .collect();
                wanted.push((reference.attribute.clone(), reference.table.clone(), values));
            }
        }
        for (attribute, target, mut values) in wanted {
            if target == table.name {
                ids.iter().for_each(|id| {
                    values.remove(id);
                });
            }
            if values.is_empty() {
                continue;
            }
            let statement = sql::existing(self.dialect(), &target, values.iter().cloned().collect());
            let records = self.conn()?.fetch(statement).await.map_err(|e| fault::of(e).inside())?;
            for record in &records {
                values.remove(&record.text(0)?);
            }
            if !values.is_empty() {
                return Ok(attribute);
            }
        }
        Ok("unknown".to_owned())
    }

    /// SQLite does not say which rows are in the way either: the first
    /// collection with rows that would stay and refer to a removed one.
    async fn in_use(&mut self, table: &Table, ids: &[String]) -> Result<String, StoreError> {
        let mut gone: HashMap<CollectionId, BTreeSet<String>> = HashMap::new();
        let mut fresh = vec![(table.id.clone(), ids.to_vec())];
        let mut restricting = Vec::new();
        gone.insert(table.id.clone(), ids.iter().cloned().collect());
        let schema = self.schema.clone();
        while let Some((target, ids)) = fresh.pop() {
            for incoming in schema.incoming(&target) {
                let statement = sql::referring(
                    self.dialect(),
                    &incoming.table,
                    &incoming.row,
                    &incoming.column,
                    ids.clone(),
                );
                let records = self.conn()?.fetch(statement).await.map_err(|e| fault::of(e).inside())?;
                let mut rows = Vec::new();
                for record in &records {
                    rows.push(record.text(0)?);
                }
                if incoming.cascade {
                    let known = gone.entry(incoming.from.clone()).or_default();
                    rows.retain(|row| known.insert(row.clone()));
                    if !rows.is_empty() {
                        fresh.push((incoming.from, rows));
                    }
                } else if !rows.is_empty() {
                    restricting.push((incoming.from, rows));
                }
            }
        }
        let stays = |from: &CollectionId, row: &String| !gone.get(from).is_some_and(|g| g.contains(row));
        Ok(restricting
            .into_iter()
            .find(|(from, rows)| rows.iter().any(|row| stays(from, row)))
            .map_or_else(|| "a plugin that is not loaded".to_owned(), |(from, _)| from.name.to_string()))
    }

    fn table(&mut self, collection: &CollectionId) -> Result<Arc<Table>, StoreError> {
        if self.doomed {
            return Err(StoreError::Doomed);
        }
        let table = self.schema.table(collection);
        table.map_err(|error| self.doom(error))
    }

    fn remember(&mut self, collection: &CollectionId, row: &Row, whole: bool) {
        let key = (collection.clone(), row.id.clone());
        let whole = whole.then(|| Box::new(row.clone()));
        match self.seen.get_mut(&key) {
            // What was read first counts: a plugin may have decided by it.
            Some(seen) => {
                if seen.revision == row.revision && seen.whole.is_none() {
                    seen.whole = whole;
                }
            }
            None => {
                self.seen.insert(key, Seen { revision: row.revision, whole });
            }
        }
    }

    /// One row; remembers the revision it read.
    pub async fn get(
        &mut self,
        collection: &CollectionId,
        id: &str,
        view: &View,
    ) -> Result<Option<Row>, StoreError> {
        let table = self.table(collection)?;
        if id.contains('\0') {
            return Ok(None);
        }
        let statement = sql::by_id(self.dialect(), &table, id, &Predicate::always(), view);
        let statement = statement.map_err(|error| self.doom(error))?;
        let records = self.fetch(statement).await?;
        let Some(record) = records.first() else { return Ok(None) };
        let row = rows::row(&table, view, record).map_err(|error| self.doom(error))?;
        self.remember(collection, &row, view.hidden.is_empty());
        Ok(Some(row))
    }

    /// Rows that fit; remembers their revisions.
    pub async fn find(
        &mut self,
        collection: &CollectionId,
        query: &Query,
        view: &View,
    ) -> Result<Vec<Row>, StoreError> {
        let table = self.table(collection)?;
        let dialect = self.dialect();
        let mark = match &query.marker {
            Some(id) => {
                let (statement, kinds) =
                    sql::mark(dialect, &table, query, view, id).map_err(|e| self.doom(e))?;
                let records = self.fetch(statement).await?;
                Some(read_mark(records.first(), &kinds, id)?)
            }
            None => None,
        };
        let statement = sql::select(dialect, &table, query, view, mark.as_ref());
        let statement = statement.map_err(|error| self.doom(error))?;
        let records = self.fetch(statement).await?;
        let whole = view.hidden.is_empty() && records.len() <= KEPT_WHOLE;
        let mut found = Vec::with_capacity(records.len());
        for record in &records {
            let row = rows::row(&table, view, record).map_err(|error| self.doom(error))?;
            self.remember(collection, &row, whole);
            found.push(row);
        }
        Ok(found)
    }

    /// How many fit.
    pub async fn count(
        &mut self,
        collection: &CollectionId,
        predicate: &Predicate,
    ) -> Result<u64, StoreError> {
        let table = self.table(collection)?;
        let statement = sql::count(self.dialect(), &table, predicate).map_err(|e| self.doom(e))?;
        let records = self.fetch(statement).await?;
        let count = records.first().map_or(Ok(0), |r| r.integer(0)).map_err(|e| self.doom(e))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Adds rows in one statement (and one for each side table); the rows as
    /// they are now, without derived attributes.
    pub async fn insert(
        &mut self,
        collection: &CollectionId,
        rows: Vec<NewRow>,
    ) -> Result<Vec<Row>, StoreError> {
        let table = self.table(collection)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let now = time::now();
        let prepared = prepare(&table, &rows, &now);
        let (all, parts) = prepared.map_err(|error| self.doom(error))?;
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        self.touch();
        let mut columns = Vec::new();
        let mut values = Vec::with_capacity(all.len());
        for row in all {
            let (names, row): (Vec<Ident>, Vec<Bind>) = row.into_iter().unzip();
            columns = names;
            values.push(row);
        }
        let dialect = self.dialect();
        for statement in sql::insert(dialect, &table.name, &columns, values) {
            self.execute_for(statement, Doing::Writing(&table, &parts, &ids)).await?;
        }
        for list in &table.lists {
            let mut items = Vec::new();
            for (part, id) in parts.iter().zip(&ids) {
                items.extend(part.items(list, id).map_err(|error| self.doom(error))?);
            }
            self.insert_items(&table, list, items, &parts, &ids).await?;
        }
        let all: Vec<&Parts> = parts.iter().collect();
        self.revise_shown(&table, &all).await?;
        let mut written = Vec::with_capacity(rows.len());
        if let Some(quota) = &table.quota {
            rows.iter().for_each(|row| self.counts.add(row.project_id.as_deref(), quota, 1));
        }
        for (row, part) in rows.into_iter().zip(&parts) {
            let (document, extensions) = part.texts(&table);
            let row = Row {
                id: row.id,
                project_id: row.project_id,
                revision: 0,
                created_at: now.clone(),
                updated_at: now.clone(),
                document,
                extensions,
                derived: Vec::new(),
            };
            self.seen.insert(
                (collection.clone(), row.id.clone()),
                Seen { revision: 0, whole: Some(Box::new(row.clone())) },
            );
            if table.public {
                self.changes.add(collection, &row.id, Happened::Created, 0, None);
            }
            written.push(row);
        }
        Ok(written)
    }

    async fn insert_items(
        &mut self,
        table: &Table,
        list: &crate::schema::List,
        items: Vec<Vec<Bind>>,
        parts: &[Parts],
        ids: &[String],
    ) -> Result<(), StoreError> {
        if items.is_empty() {
            return Ok(());
        }
        let columns: Vec<Ident> = [Ident::host("owner"), Ident::host("position")]
            .into_iter()
            .chain(list.columns.iter().map(|c| c.column.clone()))
            .collect();
        for statement in sql::insert(self.dialect(), &list.table, &columns, items) {
            self.execute_for(statement, Doing::Writing(table, parts, ids)).await?;
        }
        Ok(())
    }

    /// Sets members of the document and of extenders' documents, raises the
    /// revision by one. `Retry` when the row's revision is not the one this
    /// unit read. Without any change of a value nothing is written.
    pub async fn update(
        &mut self,
        collection: &CollectionId,
        id: &str,
        changes: Map<String, Value>,
        extensions: Vec<(String, Map<String, Value>)>,
    ) -> Result<Row, StoreError> {
        let table = self.table(collection)?;
        let key = (collection.clone(), id.to_owned());
        if self.seen.get(&key).is_none_or(|seen| seen.whole.is_none()) {
            let read_before = self.seen.contains_key(&key);
            let read = self.get(collection, id, &View::default()).await?;
            if read.is_none() && read_before {
                return Err(self.doom(stale()));
            }
        }
        let Some(seen) = self.seen.get(&key) else { return Err(StoreError::NotFound) };
        let Some(row) = seen.whole.as_ref().map(|row| (**row).clone()) else {
            // It was read with another revision than now.
            return Err(self.doom(stale()));
        };
        let shown = !self.schema.showing(collection).is_empty();
        let merged = Parts::of_texts(&table, &row.document, &row.extensions).and_then(|mut parts| {
            let before = shown.then(|| parts.clone());
            let changed = parts.merge(&table, changes, extensions)?;
            Ok((before, parts, changed))
        });
        let (before, parts, changed) = merged.map_err(|error| self.doom(error))?;
        if changed.is_empty() {
            return Ok(row);
        }
        let now = time::now();
        let mut values = vec![(Ident::host("updated_at"), Bind::Text(Some(now.clone())))];
        values.extend(parts.columns(&table).map_err(|error| self.doom(error))?);
        self.touch();
        let dialect = self.dialect();
        let statement = sql::update(dialect, &table, id, row.revision, values);
        let parts = [parts];
        let ids = [id.to_owned()];
        if self.execute_for(statement, Doing::Writing(&table, &parts, &ids)).await? == 0 {
            return Err(self.doom(stale()));
        }
        for list in table.lists.iter().filter(|l| changed.iter().any(|c| c == l.attribute.as_str())) {
            self.execute(sql::delete_items(dialect, list, id)).await?;
            let items = parts.first().map_or(Ok(Vec::new()), |p| p.items(list, id));
            let items = items.map_err(|error| self.doom(error))?;
            self.insert_items(&table, list, items, &parts, &ids).await?;
        }
        if self.schema.showing(collection).iter().any(|s| changed.contains(&s.attribute)) {
            let both: Vec<&Parts> = before.iter().chain(&parts).collect();
            self.revise_shown(&table, &both).await?;
        }
        let (document, extensions) = parts.first().map(|p| p.texts(&table)).unwrap_or_default();
        let row = Row {
            revision: row.revision + 1,
            updated_at: now,
            document,
            extensions,
            derived: Vec::new(),
            ..row
        };
        self.seen.insert(key, Seen { revision: row.revision, whole: Some(Box::new(row.clone())) });
        if table.public {
            self.changes.add(collection, id, Happened::Updated, row.revision, None);
        }
        Ok(row)
    }

    /// Removes rows and what refers to them by cascade. Ids that are not there
    /// are `NotFound`.
    pub async fn delete(&mut self, collection: &CollectionId, ids: &[String]) -> Result<(), StoreError> {
        let table = self.table(collection)?;
        let ids: Vec<String> = ids.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        if ids.is_empty() {
            return Ok(());
        }
        if ids.iter().any(|id| id.contains('\0')) {
            return Err(StoreError::NotFound);
        }
        self.touch();
        self.note_removal(&table, &ids).await?;
        let wanted = ids.len();
        let schema = self.schema.clone();
        let showing = schema.showing(collection);
        let columns: Vec<&Ident> = showing.iter().map(|showing| &showing.column).collect();
        let statement = sql::delete(self.dialect(), &table, ids.clone(), &columns);
        let gone = self.fetch_for(statement, Doing::Deleting(&table, &ids)).await?;
        for (place, showing) in showing.iter().enumerate() {
            let parents = gone.iter().map(|record| record.optional_text(place + 1));
            let parents: Result<Vec<_>, _> = parents.collect();
            let parents = parents.map_err(|error| self.doom(error))?;
            self.revise(showing, parents.into_iter().flatten().collect()).await?;
        }
        if let Some(quota) = &table.quota {
            for record in &gone {
                let project = record.optional_text(0).map_err(|error| self.doom(error))?;
                self.counts.add(project.as_deref(), quota, -1);
            }
        }
        for id in ids {
            self.seen.remove(&(collection.clone(), id));
        }
        if gone.len() < wanted { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Raises the revisions of rows that show these, or did.
    async fn revise_shown(&mut self, table: &Table, rows: &[&Parts]) -> Result<(), StoreError> {
        let schema = self.schema.clone();
        for showing in schema.showing(&table.id) {
            let Some(field) = table.field(&showing.attribute) else { continue };
            let parents = rows.iter().filter_map(|row| row.text_of(field)).map(str::to_owned).collect();
            self.revise(showing, parents).await?;
        }
        Ok(())
    }

    /// Raises revisions, and what this unit knows of them: a row that it read
    /// before may still be changed by it.
    async fn revise(&mut self, showing: &Showing, ids: BTreeSet<String>) -> Result<(), StoreError> {
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
    async fn note_removal(&mut self, table: &Arc<Table>, ids: &[String]) -> Result<(), StoreError> {
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

    /// Holds the row until the end of the unit. `Retry` when this unit read it
    /// before and it has changed since.
    pub async fn lock(&mut self, collection: &CollectionId, id: &str) -> Result<(), StoreError> {
        let table = self.table(collection)?;
        if id.contains('\0') {
            return Err(StoreError::NotFound);
        }
        let records = self.fetch(sql::lock(self.dialect(), &table, id)).await?;
        let Some(record) = records.first() else { return Err(StoreError::NotFound) };
        let revision = record.integer(0).map_err(|error| self.doom(error))?;
        match self.seen.get(&(collection.clone(), id.to_owned())) {
            Some(seen) if seen.revision != revision => Err(self.doom(stale())),
            _ => Ok(()),
        }
    }

    /// Whether RBAC entries allow that project the action on the row; if so they
    /// stay until the end of the unit: who removes one waits, or has done so.
    pub async fn hold(
        &mut self,
        collection: &CollectionId,
        id: &str,
        action: &str,
        project: &str,
    ) -> Result<bool, StoreError> {
        let table = self.table(collection)?;
        match &table.entries {
            Some(entries) if !id.contains('\0') => {
                let statement = sql::hold(self.dialect(), entries, action, id, project);
                Ok(!self.fetch(statement).await?.is_empty())
            }
            _ => Ok(false),
        }
    }

    /// To which projects (`*`: to every one) RBAC entries allow the action on
    /// the row.
    pub async fn targets(
        &mut self,
        collection: &CollectionId,
        id: &str,
        action: &str,
    ) -> Result<Vec<String>, StoreError> {
        let table = self.table(collection)?;
        match &table.entries {
            Some(entries) if !id.contains('\0') => {
                let records = self.fetch(sql::targets(self.dialect(), entries, action, id)).await?;
                records.iter().map(|record| record.text(0)).collect()
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Completes a journal entry within this unit (a driver's report).
    pub async fn complete(&mut self, entry: &str) -> Result<(), StoreError> {
        let ids = vec![entry.to_owned()];
        match self.dialect() {
            Dialect::Postgres => {
                self.execute(sql::complete(ids)).await?;
            }
            Dialect::Sqlite => {
                self.touch();
                let conn = self.conn()?;
                if let Err(fault) = crate::journal::complete_in_steps(conn, ids).await {
                    return Err(self.doom(fault.inside()));
                }
            }
        }
        Ok(())
    }

    /// Writes the unit's id and its journal entries, and commits. When this
    /// returns `Ok` the unit is on stable storage. `Retry` only when it
    /// certainly was not committed (after a lost connection it looks the
    /// unit's id up).
    pub async fn commit(self, entries: Vec<NewEntry>) -> Result<FirstAttempts, StoreError> {
        let (metrics, began) = (self.store.database.connector.metrics.clone(), self.began);
        let ended = self.end(entries).await;
        metrics.ended(began, if ended.is_ok() { Outcome::committed } else { Outcome::rolled_back });
        ended
    }

    async fn end(mut self, entries: Vec<NewEntry>) -> Result<FirstAttempts, StoreError> {
        if self.doomed {
            self.session.rollback().await;
            return Err(StoreError::Doomed);
        }
        let changes = self.changes.take();
        let news = !changes.is_empty();
        let ahead = match self.finish(&entries, changes).await {
            Ok(ahead) => ahead,
            Err(Finish::Committed) => {
                self.session.rollback().await;
                return Ok(FirstAttempts::Ask);
            }
            Err(Finish::Failed(error)) => {
                self.session.rollback().await;
                return Err(error);
            }
        };
        // Before the COMMIT: what is done now may be removed, and forgotten,
        // while it waits for the disk.
        let free =
            ahead.len() < sql::LOOKED_AT && self.store.desk.are_done(&ahead) && !interdependent(&entries);
        let attempts = if free { FirstAttempts::Now } else { FirstAttempts::Ask };
        let (store, unit, may_be_lost) = (self.store, self.unit, self.wrote || !entries.is_empty());
        match (self.session.commit().await, store.database.dialect()) {
            (Ok(()), _) => {}
            // Nothing to lose, nothing to look up.
            (Err(_), Dialect::Postgres) if !may_be_lost => {}
            (Err(StoreError::Unavailable(why)), Dialect::Postgres) => {
                store.was_committed(&unit, &why).await?;
                return Ok(FirstAttempts::Ask);
            }
            (Err(error), _) => return Err(error),
        }
        if news {
            store.following.tell();
        }
        Ok(attempts)
    }

    /// Writes what ends a unit; entries of other units that may go before its
    /// own. What they are about was decided before this statement: whoever
    /// changed one of these rows earlier has committed, since the unit waited
    /// for it.
    async fn finish(&mut self, entries: &[NewEntry], changes: Vec<Noted>) -> Result<Vec<String>, Finish> {
        let owner = self.store.owner.clone();
        let lease = time::millis(self.store.lease);
        let mut ahead = Vec::new();
        match self.dialect() {
            Dialect::Sqlite => {
                let now = time::now_ms();
                let settled: Vec<Sql> = self.counts.all().iter().map(sql::settle).collect();
                for statement in settled
                    .into_iter()
                    .chain(sql::insert_changes(now, changes))
                    .chain(sql::insert_afters(entries))
                {
                    self.execute(statement).await?;
                }
                for statement in sql::insert_entries(&self.unit, &owner, now, lease, entries) {
                    self.touch();
                    for record in self.fetch(statement).await? {
                        let ids = record.optional_text(0)?.unwrap_or_default();
                        ahead.extend(ids.split_whitespace().map(str::to_owned));
                    }
                }
            }
            Dialect::Postgres => {
                if !self.wrote && entries.is_empty() {
                    return Ok(ahead);
                }
                self.keep_limits().await?;
                let counts = self.counts.all();
                let statement = sql::finish_unit(&self.unit, &owner, lease, entries, &counts, &changes);
                match self.conn()?.fetch(statement).await.map_err(fault::of) {
                    Ok(records) => {
                        for record in records {
                            ahead.push(record.text(0)?);
                        }
                    }
                    Err(Fault::Unique(name)) if [sql::UNIT_KEY, sql::USAGE_KEY].contains(&name.as_str()) => {
                        // An earlier run of this unit was committed after all.
                        return Err(Finish::Committed);
                    }
                    Err(fault) => return Err(self.failed(fault, Doing::Reading).await.into()),
                }
            }
        }
        Ok(ahead)
    }

    /// Undoes everything.
    pub async fn rollback(self) {
        let (metrics, began) = (self.store.database.connector.metrics.clone(), self.began);
        self.session.rollback().await;
        metrics.ended(began, Outcome::rolled_back);
    }
}

/// What `StoreError::Retry` says of a row that changed after the unit read it.
pub const STALE: &str = "a row was changed by somebody else";
/// Why a unit was not ended.
enum Finish {
    /// An earlier run of it was committed after all.
    Committed,
    Failed(StoreError),
}

impl From<StoreError> for Finish {
    fn from(error: StoreError) -> Finish {
        Finish::Failed(error)
    }
}

fn stale() -> StoreError {
    StoreError::Retry(STALE.to_owned())
}

/// Columns with their values, and the parsed documents, of new rows.
type Prepared = (Vec<Vec<(Ident, Bind)>>, Vec<Parts>);

fn prepare(table: &Table, rows: &[NewRow], now: &str) -> Result<Prepared, StoreError> {
    let mut all = Vec::with_capacity(rows.len());
    let mut parts = Vec::with_capacity(rows.len());
    for row in rows {
        if row.id.is_empty()
            || row.id.contains('\0')
            || row.project_id.as_deref().is_some_and(|p| p.contains('\0'))
        {
            return Err(StoreError::Invalid("a row needs an id of printable text".to_owned()));
        }
        let part = Parts::of_new(table, row)?;
        let mut columns = vec![
            (Ident::host("id"), Bind::Text(Some(row.id.clone()))),
            (Ident::host("project_id"), Bind::Text(row.project_id.clone())),
            (Ident::host("revision"), Bind::Integer(Some(0))),
            (Ident::host("created_at"), Bind::Text(Some(now.to_owned()))),
            (Ident::host("updated_at"), Bind::Text(Some(now.to_owned()))),
        ];
        columns.extend(part.columns(table)?);
        all.push(columns);
        parts.push(part);
    }
    Ok((all, parts))
}

/// The place of a marker; `NotFound` when there is no such row.
pub(crate) fn read_mark(
    record: Option<&Record>,
    kinds: &[hadron_manifest::Column],
    id: &str,
) -> Result<Mark, StoreError> {
    use hadron_manifest::Column;
    let record = record.ok_or(StoreError::NotFound)?;
    let mut values = Vec::with_capacity(kinds.len());
    for (i, kind) in kinds.iter().enumerate() {
        values.push(match kind {
            Column::Text => Bind::Text(record.optional_text(i)?),
            Column::Integer => Bind::Integer(record.optional_integer(i)?),
            Column::Boolean => Bind::Boolean(record.optional_boolean(i)?),
        });
    }
    Ok(Mark { values, id: id.to_owned() })
}
