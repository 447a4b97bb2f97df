//! Statements about the rows of collections.

use super::filter::{Operand, ROW, filter, operand};
use super::{Bind, Dialect, Ident, Member, Sql, answer_allowed, derived_column, document_column};
use crate::schema::{List, Place, Table};
use crate::{Direction, Predicate, Query, StoreError, View};
use hadron_manifest::Column;

/// A place in the sort order: the values of a row's sort keys, as the database
/// gave them, and its id.
pub(crate) struct Mark {
    pub(crate) values: Vec<Bind>,
    pub(crate) id: String,
}

/// Columns of every row that is read: id, project, revision, created, updated,
/// document, one of each extension, one of each derived attribute, one of each
/// that entries decide.
pub(crate) const FIXED_COLUMNS: usize = 6;

fn columns(sql: &mut Sql, table: &Table, view: &View) {
    sql.push("t.\"id\", t.\"project_id\", t.\"revision\", t.\"created_at\", t.\"updated_at\", ");
    match &table.view {
        None => json_column(sql, table, Place::Document, view),
        Some(members) => {
            let shown = members.iter().filter(|(name, _)| !view.hidden.iter().any(|h| h == name.as_str()));
            document_column(sql, ROW, &shown.map(|(name, shown)| (name, shown)).collect::<Vec<_>>());
        }
    }
    for i in 0..table.shown_extensions().len() {
        sql.push(", ");
        json_column(sql, table, Place::Extension(i), view);
    }
    if view.derived {
        for derived in &table.derived {
            sql.push(", ");
            if view.hidden.contains(&derived.name) {
                sql.push("'null'");
            } else {
                derived_column(sql, ROW, &derived.from);
            }
        }
    }
    if view.project.is_some() && table.view.is_none() {
        for (field, action) in table.decided() {
            sql.push(", ");
            if view.hidden.iter().any(|h| h == field.name.as_str()) {
                sql.push("'null'");
            } else {
                answer_allowed(sql, ROW, table.entries.as_ref(), action);
            }
        }
    }
}

fn json_column(sql: &mut Sql, table: &Table, place: Place, view: &View) {
    let hidden: Vec<&Member> = table
        .fields
        .iter()
        .filter(|f| f.place == place && f.rbac.is_none() && view.hidden.iter().any(|h| h == f.name.as_str()))
        .map(|f| &f.name)
        .collect();
    let json = table.json(place);
    match (sql.dialect, hidden.is_empty()) {
        (Dialect::Sqlite, true) => {
            sql.json(ROW, &json);
        }
        (Dialect::Sqlite, false) => {
            sql.push("json_remove(").json(ROW, &json).push(", ");
            sql.list(hidden, |sql, member| {
                sql.path(member);
            });
            sql.push(")");
        }
        (Dialect::Postgres, true) => {
            sql.json(ROW, &json).push("::text");
        }
        (Dialect::Postgres, false) => {
            sql.push("(").json(ROW, &json).push(" - ARRAY[");
            sql.list(hidden, |sql, member| {
                sql.member(member);
            });
            sql.push("]::text[])::text");
        }
    }
}

/// Rows that fit, in order.
pub(crate) fn select(
    dialect: Dialect,
    table: &Table,
    query: &Query,
    view: &View,
    mark: Option<&Mark>,
) -> Result<Sql, StoreError> {
    let keys = sort_keys(table, query)?;
    let mut sql = Sql::seen_by(dialect, view);
    // A page before a marker is read from its end, then turned round.
    if query.reverse {
        sql.push("WITH page AS (");
    }
    sql.push("SELECT ");
    columns(&mut sql, table, view);
    if query.reverse {
        for (i, (key, _)) in keys.iter().enumerate() {
            sql.push(", ");
            key.write(&mut sql);
            sql.push(" AS sort_").number(i as i64);
        }
    }
    sql.push(" FROM ").ident(&table.name).push(" AS t WHERE ");
    filter(&mut sql, table, &query.predicate)?;
    if let Some(mark) = mark {
        sql.push(" AND (");
        beyond(&mut sql, &keys, mark, query.reverse);
        sql.push(")");
    }
    sql.push(" ORDER BY ");
    for (key, direction) in &keys {
        key.write(&mut sql);
        sql.push(order(*direction, query.reverse));
    }
    sql.push(if query.reverse { "t.\"id\" DESC" } else { "t.\"id\"" });
    if let Some(limit) = query.limit {
        sql.push(" LIMIT ").bind(i64::from(limit).into());
    }
    if query.reverse {
        sql.push(") SELECT * FROM page ORDER BY ");
        for (i, (_, direction)) in keys.iter().enumerate() {
            sql.push("sort_").number(i as i64).push(order(*direction, false));
        }
        sql.push("\"id\"");
    }
    Ok(sql)
}

fn sort_keys(table: &Table, query: &Query) -> Result<Vec<(Operand, Direction)>, StoreError> {
    let mut keys = Vec::new();
    for (name, direction) in &query.sort {
        if table.field(name).is_some_and(|f| f.list.is_some()) {
            return Err(StoreError::Invalid(format!("'{name}' of '{}' cannot be sorted by", table.id.name)));
        }
        keys.push((operand(table, name)?, *direction));
    }
    Ok(keys)
}

fn order(direction: Direction, turned: bool) -> &'static str {
    match (direction, turned) {
        (Direction::Ascending, false) | (Direction::Descending, true) => " ASC NULLS FIRST, ",
        (Direction::Descending, false) | (Direction::Ascending, true) => " DESC NULLS LAST, ",
    }
}

/// Rows after the mark (before it, when turned).
fn beyond(sql: &mut Sql, keys: &[(Operand, Direction)], mark: &Mark, turned: bool) {
    let mut open = 0;
    for ((key, direction), value) in keys.iter().zip(&mark.values) {
        let rising = (*direction == Direction::Ascending) != turned;
        let null = matches!(value, Bind::Text(None) | Bind::Integer(None) | Bind::Boolean(None));
        sql.push("(");
        match (rising, null) {
            (true, false) => {
                key.write(sql);
                sql.push(" > ").bind(value.clone());
            }
            (true, true) => {
                key.write(sql);
                sql.push(" IS NOT NULL");
            }
            (false, false) => {
                key.write(sql);
                sql.push(" < ").bind(value.clone()).push(" OR ");
                key.write(sql);
                sql.push(" IS NULL");
            }
            (false, true) => {
                sql.push("FALSE");
            }
        }
        sql.push(") OR (");
        key.write(sql);
        if null {
            sql.push(" IS NULL");
        } else {
            sql.push(" = ").bind(value.clone());
        }
        sql.push(" AND (");
        open += 1;
    }
    sql.push("t.\"id\"").push(if turned { " < " } else { " > " }).bind(mark.id.as_str().into());
    for _ in 0..open {
        sql.push("))");
    }
}

/// The sort keys of one row, and of which types they are.
pub(crate) fn mark(
    dialect: Dialect,
    table: &Table,
    query: &Query,
    view: &View,
    id: &str,
) -> Result<(Sql, Vec<Column>), StoreError> {
    let keys = sort_keys(table, query)?;
    let mut sql = Sql::seen_by(dialect, view);
    sql.push("SELECT ");
    for (key, _) in &keys {
        key.write(&mut sql);
        sql.push(", ");
    }
    sql.push("t.\"id\" FROM ").ident(&table.name).push(" AS t WHERE t.\"id\" = ").bind(id.into());
    Ok((sql, keys.iter().map(|(key, _)| key.kind).collect()))
}

/// One row.
pub(crate) fn by_id(
    dialect: Dialect,
    table: &Table,
    id: &str,
    predicate: &Predicate,
    view: &View,
) -> Result<Sql, StoreError> {
    let mut sql = Sql::seen_by(dialect, view);
    sql.push("SELECT ");
    columns(&mut sql, table, view);
    sql.push(" FROM ").ident(&table.name).push(" AS t WHERE t.\"id\" = ").bind(id.into());
    if *predicate != Predicate::always() {
        sql.push(" AND ");
        filter(&mut sql, table, predicate)?;
    }
    Ok(sql)
}

/// How many rows fit.
pub(crate) fn count(dialect: Dialect, table: &Table, predicate: &Predicate) -> Result<Sql, StoreError> {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT count(*) FROM ").ident(&table.name).push(" AS t WHERE ");
    filter(&mut sql, table, predicate)?;
    Ok(sql)
}

/// The revision of a row, which nobody changes or comes to refer to until the end
/// of the transaction: a foreign key waits for `FOR UPDATE`, and for no less.
pub(crate) fn lock(dialect: Dialect, table: &Table, id: &str) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT t.\"revision\" FROM ")
        .ident(&table.name)
        .push(" AS t WHERE t.\"id\" = ")
        .bind(id.into());
    sql.either("", " FOR UPDATE");
    sql
}

/// Most values of one statement: SQLite has 32,766, PostgreSQL 65,535.
const MOST_BINDS: usize = 30_000;

/// Adds rows to a table. On PostgreSQL many rows are one statement whose text
/// does not depend on how many there are.
pub(crate) fn insert(dialect: Dialect, table: &Ident, columns: &[Ident], rows: Vec<Vec<Bind>>) -> Vec<Sql> {
    let begin = |sql: &mut Sql| {
        sql.push("INSERT INTO ").ident(table).push(" (");
        sql.list(columns, |sql, column| {
            sql.ident(column);
        });
        sql.push(")");
    };
    if dialect == Dialect::Postgres && rows.len() > 1 {
        let mut sql = Sql::new(dialect);
        begin(&mut sql);
        sql.push(" SELECT ");
        let (arrays, casts) = transpose(columns.len(), rows);
        sql.list(casts.iter().enumerate(), |sql, (i, cast)| {
            sql.push("u.c").number(i as i64).push(cast);
        });
        sql.push(" FROM unnest(");
        sql.list(arrays, |sql, array| {
            sql.bind(array);
        });
        sql.push(") AS u (");
        sql.list(0..columns.len(), |sql, i| {
            sql.push("c").number(i as i64);
        });
        sql.push(")");
        return vec![sql];
    }
    let most = (MOST_BINDS / columns.len().max(1)).max(1);
    let mut statements = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let part: Vec<_> = rows.by_ref().take(most).collect();
        let mut sql = Sql::new(dialect);
        sql.persistent = part.len() == 1;
        begin(&mut sql);
        sql.push(" VALUES ");
        sql.list(part, |sql, row| {
            sql.push("(");
            sql.list(row, |sql, bind| {
                sql.bind(bind);
            });
            sql.push(")");
        });
        statements.push(sql);
    }
    statements
}

/// Rows as one array for each column, and what to cast its items to.
fn transpose(width: usize, rows: Vec<Vec<Bind>>) -> (Vec<Bind>, Vec<&'static str>) {
    let mut columns: Vec<Vec<Bind>> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, bind) in columns.iter_mut().zip(row) {
            column.push(bind);
        }
    }
    columns
        .into_iter()
        .map(|column| match column.first() {
            Some(Bind::Integer(_)) => {
                let each = |b| if let Bind::Integer(n) = b { n } else { None };
                (Bind::OptionalIntegers(column.into_iter().map(each).collect()), "")
            }
            Some(Bind::Boolean(_)) => {
                let each = |b| if let Bind::Boolean(n) = b { n } else { None };
                (Bind::OptionalBooleans(column.into_iter().map(each).collect()), "")
            }
            first => {
                let cast = if matches!(first, Some(Bind::Json(_))) { "::jsonb" } else { "" };
                let each = |b| if let Bind::Text(t) | Bind::Json(t) = b { t } else { None };
                (Bind::OptionalTexts(column.into_iter().map(each).collect()), cast)
            }
        })
        .unzip()
}

/// Writes a row that has this revision.
pub(crate) fn update(
    dialect: Dialect,
    table: &Table,
    id: &str,
    revision: i64,
    values: Vec<(Ident, Bind)>,
) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").ident(&table.name).push(" SET \"revision\" = ").bind((revision + 1).into());
    for (column, bind) in values {
        sql.push(", ").ident(&column).push(" = ").bind(bind);
    }
    sql.push(" WHERE \"id\" = ").bind(id.into()).push(" AND \"revision\" = ").bind(revision.into());
    sql
}

/// Removes rows, locking them in the order of their ids; answers their
/// projects, and these columns.
pub(crate) fn delete(dialect: Dialect, table: &Table, ids: Vec<String>, answering: &[&Ident]) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM ").ident(&table.name).push(" WHERE \"id\"");
    match (dialect, ids.as_slice()) {
        (_, [id]) => {
            sql.push(" = ").bind(id.as_str().into());
        }
        (Dialect::Sqlite, _) => {
            sql.one_of(Bind::Texts(ids));
        }
        (Dialect::Postgres, _) => {
            sql.push(" IN (SELECT \"id\" FROM ").ident(&table.name).push(" WHERE \"id\"");
            sql.one_of(Bind::Texts(ids)).push(" ORDER BY \"id\" FOR UPDATE)");
        }
    }
    sql.push(" RETURNING \"project_id\"");
    for column in answering {
        sql.push(", ").ident(column);
    }
    sql
}

/// Raises the revisions of rows, whatever they are, locking the rows in the
/// order of their ids; answers ids and new revisions.
pub(crate) fn revise(dialect: Dialect, table: &Ident, ids: Vec<String>, now: &str) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").ident(table).push(" SET \"revision\" = \"revision\" + 1, \"updated_at\" = ");
    sql.bind(now.into()).push(" WHERE \"id\"");
    match dialect {
        Dialect::Sqlite => {
            sql.one_of(Bind::Texts(ids));
        }
        Dialect::Postgres => {
            sql.push(" IN (SELECT \"id\" FROM ").ident(table).push(" WHERE \"id\"");
            sql.one_of(Bind::Texts(ids)).push(" ORDER BY \"id\" FOR NO KEY UPDATE)");
        }
    }
    sql.push(" RETURNING \"id\", \"revision\"");
    sql
}

/// Rows as they are at last, with all that the log of changes keeps of them: those
/// whose column is one of these ids, which nobody changes or refers to from here
/// on until the end of the transaction.
pub(crate) fn at_last(dialect: Dialect, table: &Table, column: &Ident, ids: Vec<String>) -> Sql {
    let mut sql = Sql { targets: true, ..Sql::new(dialect) };
    sql.push("SELECT ");
    columns(&mut sql, table, &View { hidden: Vec::new(), derived: true, project: Some(String::new()) });
    sql.push(" FROM ").ident(&table.name).push(" AS t WHERE ").column(ROW, column).one_of(Bind::Texts(ids));
    sql.push(" ORDER BY t.\"id\"").either("", " FOR UPDATE OF t");
    sql
}

/// Removes the items of a row's list.
pub(crate) fn delete_items(dialect: Dialect, list: &List, owner: &str) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM ").ident(&list.table).push(" WHERE \"owner\" = ").bind(owner.into());
    sql
}

/// Which of these ids are there: for finding out which reference failed.
pub(crate) fn existing(dialect: Dialect, table: &Ident, ids: Vec<String>) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT \"id\" FROM ").ident(table).push(" WHERE \"id\"").one_of(Bind::Texts(ids));
    sql
}

/// Ids of rows that refer to one of these, and to which.
pub(crate) fn referring(
    dialect: Dialect,
    table: &Ident,
    row: &Ident,
    column: &Ident,
    ids: Vec<String>,
) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").ident(row).push(", ").ident(column).push(" FROM ").ident(table);
    sql.push(" WHERE ").ident(column).one_of(Bind::Texts(ids));
    sql.push(" ORDER BY ").ident(row);
    sql
}
