//! A unit of work's transaction.

mod blame;
mod ending;
mod others;

use crate::changes::{Happened, Notes};
use crate::connection::{Conn, Record};
use crate::database::Session;
use crate::fault;
use crate::quotas::Counts;
use crate::rows::{self, Parts};
use crate::schema::{Schema, Table};
use crate::sql::{self, Bind, Dialect, Ident, Mark, Sql};
use crate::store::Inner;
use crate::{CollectionId, NewRow, Predicate, Query, Row, StoreError, View, time};
use blame::Doing;
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

impl Transaction {
    pub(crate) async fn begin(store: Arc<Inner>, unit: &str) -> Result<Transaction, StoreError> {
        let session = store.database.session().await?;
        Ok(Transaction::over(session, store, unit))
    }

    pub(crate) async fn begin_reading(store: Arc<Inner>, unit: &str) -> Result<Transaction, StoreError> {
        let session = store.database.reading().await?;
        Ok(Transaction::over(session, store, unit))
    }

    fn over(session: Session, store: Arc<Inner>, unit: &str) -> Transaction {
        let schema = store.schema();
        Transaction {
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
        }
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

    fn table(&mut self, collection: &CollectionId) -> Result<Arc<Table>, StoreError> {
        if self.doomed {
            return Err(StoreError::Doomed);
        }
        let table = self.schema.table(collection);
        table.map_err(|error| self.doom(error))
    }

    /// The table, unless it is a view of another.
    fn writable(&mut self, collection: &CollectionId) -> Result<Arc<Table>, StoreError> {
        let table = self.table(collection)?;
        match &table.view {
            None => Ok(table),
            Some(_) => Err(self.doom(StoreError::Invalid(format!("'{}' keeps no rows", collection.name)))),
        }
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

    /// What the items of a list attribute have, of all rows: for each of these
    /// values of the member `by` the list of the values of `member`; both as the
    /// text of JSON.
    pub async fn gather(
        &mut self,
        collection: &CollectionId,
        attribute: &str,
        by: &str,
        values: &[Value],
        member: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let table = self.table(collection)?;
        let statement = sql::gather(self.dialect(), &table, attribute, by, values, member);
        let statement = statement.map_err(|error| self.doom(error))?;
        let records = self.fetch(statement).await?;
        records.iter().map(|record| Ok((record.text(0)?, record.text(1)?))).collect()
    }

    /// Adds rows in one statement (and one for each side table); the rows as
    /// they are now, without derived attributes.
    pub async fn insert(
        &mut self,
        collection: &CollectionId,
        rows: Vec<NewRow>,
    ) -> Result<Vec<Row>, StoreError> {
        let table = self.writable(collection)?;
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
        self.revise_shown(&table, &all, None).await?;
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
        Ok(self.change(collection, id, changes, extensions).await?.0)
    }

    /// As `update`; also whether anything was written.
    pub async fn change(
        &mut self,
        collection: &CollectionId,
        id: &str,
        changes: Map<String, Value>,
        extensions: Vec<(String, Map<String, Value>)>,
    ) -> Result<(Row, bool), StoreError> {
        let table = self.writable(collection)?;
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
            return Ok((row, false));
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
        if shown {
            let both: Vec<&Parts> = before.iter().chain(&parts).collect();
            self.revise_shown(&table, &both, Some(&changed)).await?;
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
        Ok((row, true))
    }

    /// Removes rows and what refers to them by cascade. Ids that are not there
    /// are `NotFound`.
    pub async fn delete(&mut self, collection: &CollectionId, ids: &[String]) -> Result<(), StoreError> {
        let table = self.writable(collection)?;
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

    /// Holds the row until the end of the unit: no other changes it, or comes to
    /// refer to it. `Retry` when this unit read it
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
}

/// What `StoreError::Retry` says of a row that changed after the unit read it.
pub const STALE: &str = "a row was changed by somebody else";

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
