//! Statements about the log of changes.

use super::rows::insert;
use super::{Bind, Dialect, Ident, Sql};
use crate::changes::{Happened, Noted};

/// Operations as they are kept.
pub(crate) const CREATED: i64 = 0;
pub(crate) const UPDATED: i64 = 1;
pub(crate) const DELETED: i64 = 2;

/// Held, shared, by each unit that gives its changes their numbers, until it is
/// committed. The number is arbitrary and never changes.
const COMMITTING: i64 = 4_851_923_017_267;

const COLUMNS: [&str; 5] = ["collection", "resource", "operation", "revision", "document"];

fn code(noted: &Noted) -> i64 {
    match noted.happened {
        Happened::Created => CREATED,
        Happened::Updated => UPDATED,
        Happened::Deleted => DELETED,
    }
}

/// Two parts of the end of a unit on PostgreSQL: the lock, and the changes, which
/// get their numbers after it.
pub(super) fn write_changes(sql: &mut Sql, noted: &[Noted]) {
    sql.push(", held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(").number(COMMITTING);
    sql.push(")), c AS (INSERT INTO hadron_changes (at, ").list(COLUMNS, |sql, column| {
        sql.push(column);
    });
    sql.push(") SELECT ").now().push(", n.collection, n.resource, n.operation, n.revision, n.document");
    sql.push(" FROM held, unnest(");
    let arrays = [
        Bind::Texts(noted.iter().map(|n| n.collection.clone()).collect()),
        Bind::Texts(noted.iter().map(|n| n.id.clone()).collect()),
        Bind::Integers(noted.iter().map(code).collect()),
        Bind::Integers(noted.iter().map(|n| n.revision).collect()),
        Bind::OptionalTexts(noted.iter().map(|n| n.row.clone()).collect()),
    ];
    sql.list(arrays, |sql, array| {
        sql.bind(array);
    });
    sql.push(") WITH ORDINALITY AS n (collection, resource, operation, revision, document, place)");
    sql.push(" ORDER BY n.place)");
}

/// The same on SQLite.
pub(crate) fn insert_changes(now_ms: i64, noted: Vec<Noted>) -> Vec<Sql> {
    let columns: Vec<Ident> = ["at"].into_iter().chain(COLUMNS).map(Ident::host).collect();
    let rows = noted
        .into_iter()
        .map(|n| {
            let operation = code(&n);
            vec![
                now_ms.into(),
                Bind::Text(Some(n.collection)),
                Bind::Text(Some(n.id)),
                operation.into(),
                n.revision.into(),
                Bind::Text(n.row),
            ]
        })
        .collect();
    insert(Dialect::Sqlite, &Ident::host("hadron_changes"), &columns, rows)
}

/// The last number that can be seen.
pub(crate) fn last_change(dialect: Dialect) -> Sql {
    Sql::fixed(dialect, "SELECT COALESCE(max(seq), 0) FROM hadron_changes", Vec::new())
}

/// Transactions that hold the lock. PostgreSQL only.
pub(crate) fn committing() -> Sql {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("SELECT virtualtransaction FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1");
    sql.push(" AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
    sql.push(" AND classid::bigint = ").number(COMMITTING >> 32);
    sql.push(" AND objid::bigint = ").number(COMMITTING & 0xffff_ffff);
    sql
}

const READ: &str = "SELECT seq, collection, resource, operation, revision, document FROM hadron_changes";

/// Changes between two places.
pub(crate) fn changes(dialect: Dialect, after: i64, to: i64, collections: Vec<String>, limit: u32) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push(READ).push(" WHERE seq > ").bind(after.into()).push(" AND seq <= ").bind(to.into());
    sql.push(" AND collection").one_of(Bind::Texts(collections));
    sql.push(" ORDER BY seq LIMIT ").bind(i64::from(limit).into());
    sql
}

/// Removals of these rows.
pub(crate) fn removed(dialect: Dialect, collection: &str, ids: Vec<String>) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push(READ).push(" WHERE operation = ").number(DELETED).push(" AND collection = ");
    sql.bind(collection.into()).push(" AND resource").one_of(Bind::Texts(ids));
    sql.push(" ORDER BY seq");
    sql
}

/// The number up to which changes may be forgotten, and the last that can be seen.
pub(crate) fn ends_of_changes(dialect: Dialect) -> Sql {
    let ends = "SELECT COALESCE((SELECT max(seq) FROM hadron_change_floor), 0), \
                COALESCE((SELECT max(seq) FROM hadron_changes), 0)";
    Sql::fixed(dialect, ends, Vec::new())
}

/// Forgets changes older than that, and all but the last so many; the last one
/// stays, so that no number is given out twice.
pub(crate) fn purge_changes(dialect: Dialect, older_than_ms: i64, most: i64) -> Vec<Sql> {
    let mut floor = Sql::new(dialect);
    floor.push("INSERT INTO hadron_change_floor (name, seq) SELECT 'changes', ");
    floor.either("max(", "GREATEST(");
    // The oldest stand first, so the first young one is found soon.
    floor.push("COALESCE((SELECT seq FROM hadron_changes WHERE at >= ").now().push(" - ");
    floor
        .bind(older_than_ms.into())
        .push(" ORDER BY seq LIMIT 1) - 1, max(seq) - 1, 0), COALESCE(max(seq), 0) - ");
    floor
        .bind(most.max(1).into())
        .push(") FROM hadron_changes WHERE TRUE ON CONFLICT (name) DO UPDATE SET seq = ");
    floor.either("max(", "GREATEST(").push("excluded.seq, hadron_change_floor.seq)");
    let forget = "DELETE FROM hadron_changes WHERE seq <= (SELECT seq FROM hadron_change_floor WHERE name = 'changes')";
    vec![floor, Sql::fixed(dialect, forget, Vec::new())]
}
