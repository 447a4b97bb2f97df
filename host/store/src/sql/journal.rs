//! Statements about journal entries, and the rules of their order.

use super::changes::write_changes;
use super::host::insert_unit;
use super::quotas::{Count, note};
use super::rows::insert;
use super::{Bind, Dialect, Ident, Sql};
use crate::changes::Noted;
use crate::journal::{EntryFilter, NewEntry};

/// States as they are kept.
pub(crate) const PENDING: i64 = 0;
pub(crate) const FAILING: i64 = 1;
pub(crate) const REFUSED: i64 = 2;

const COLUMNS: [&str; 9] =
    ["id", "target", "kind", "operation", "collection", "resource", "revision", "payload", "unit"];

/// What `entries` read: see `journal::entry`.
const READ: &str = "e.id, e.target, e.kind, e.operation, e.collection, e.resource, e.revision, e.payload, e.unit, \
                    e.state, e.attempts, e.error, e.created, e.due";

/// The end of a unit on PostgreSQL, in one statement whose text hardly varies:
/// its id, what it counted, its changes, its entries, already claimed, and what
/// they come after.
pub(crate) fn finish_unit(
    unit: &str,
    owner: &str,
    lease_ms: i64,
    entries: &[NewEntry],
    counts: &[Count<'_>],
    changes: &[Noted],
) -> Sql {
    if entries.is_empty() && counts.is_empty() && changes.is_empty() {
        return insert_unit(Dialect::Postgres, unit);
    }
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("WITH u AS (INSERT INTO hadron_units (id, created) VALUES (").bind(unit.into());
    sql.push(", ").now().push("))");
    if !counts.is_empty() {
        sql.push(", q AS (");
        note(&mut sql, unit, counts);
        sql.push(")");
    }
    if !changes.is_empty() {
        write_changes(&mut sql, changes);
    }
    if entries.is_empty() {
        sql.push(" SELECT 1");
        return sql;
    }
    sql.push(", j AS (INSERT INTO hadron_journal (");
    sql.list(COLUMNS, |sql, column| {
        sql.push(column);
    });
    sql.push(", state, attempts, owner, until, due, created) SELECT n.*, ").bind(unit.into());
    sql.push(", 0, 0, ").bind(owner.into()).push(", ").now().push(" + ").bind(lease_ms.into());
    sql.push(", ").now().push(", ").now().push(" FROM unnest(");
    let texts = |of: fn(&NewEntry) -> String| Bind::Texts(entries.iter().map(of).collect());
    let arrays = vec![
        texts(|e| e.id.clone()),
        texts(|e| e.target.clone()),
        texts(|e| e.kind.clone()),
        texts(|e| e.operation.clone()),
        texts(|e| e.collection.clone()),
        texts(|e| e.resource.clone()),
        Bind::Integers(entries.iter().map(|e| e.revision).collect()),
        texts(|e| e.payload.to_string()),
    ];
    sql.list(arrays, |sql, array| {
        sql.bind(array);
    });
    sql.push(") AS n) INSERT INTO hadron_journal_after (entry, resource) SELECT * FROM unnest(");
    let (owners, resources) = after(entries).into_iter().unzip();
    sql.bind(Bind::Texts(owners)).push(", ").bind(Bind::Texts(resources)).push(")");
    sql
}

fn after(entries: &[NewEntry]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for entry in entries {
        let mut resources: Vec<&String> = entry.after.iter().filter(|r| **r != entry.resource).collect();
        resources.sort();
        resources.dedup();
        pairs.extend(resources.into_iter().map(|r| (entry.id.clone(), r.clone())));
    }
    pairs
}

/// The same on SQLite, where a unit needs no id: nobody else can lose it.
pub(crate) fn insert_entries(
    unit: &str,
    owner: &str,
    now_ms: i64,
    lease_ms: i64,
    entries: &[NewEntry],
) -> Vec<Sql> {
    let columns: Vec<Ident> = COLUMNS
        .into_iter()
        .chain(["state", "attempts", "owner", "until", "due", "created"])
        .map(Ident::host)
        .collect();
    let rows = entries
        .iter()
        .map(|e| {
            vec![
                e.id.as_str().into(),
                e.target.as_str().into(),
                e.kind.as_str().into(),
                e.operation.as_str().into(),
                e.collection.as_str().into(),
                e.resource.as_str().into(),
                e.revision.into(),
                Bind::Text(Some(e.payload.to_string())),
                unit.into(),
                PENDING.into(),
                0.into(),
                owner.into(),
                (now_ms + lease_ms).into(),
                now_ms.into(),
                now_ms.into(),
            ]
        })
        .collect();
    let mut statements = insert(Dialect::Sqlite, &Ident::host("hadron_journal"), &columns, rows);
    let pairs = after(entries)
        .into_iter()
        .map(|(entry, resource)| vec![Bind::Text(Some(entry)), Bind::Text(Some(resource))])
        .collect();
    let columns = [Ident::host("entry"), Ident::host("resource")];
    statements.extend(insert(Dialect::Sqlite, &Ident::host("hadron_journal_after"), &columns, pairs));
    statements
}

/// True for an entry `e` that another one goes before. `done` are entries that
/// are done already, but not yet removed.
fn blocked(sql: &mut Sql, done: &[String]) {
    let not_done = |sql: &mut Sql| {
        if !done.is_empty() {
            sql.push(" AND NOT f.id");
            sql.one_of(Bind::Texts(done.to_vec()));
        }
    };
    // Earlier changes of the same row. A deletion passes those that keep
    // failing, unless one is being tried this moment.
    sql.push(
        "(EXISTS (SELECT 1 FROM hadron_journal AS f WHERE f.target = e.target AND f.resource = e.resource",
    );
    sql.push(" AND f.id <> e.id AND (f.revision < e.revision OR (e.operation = 'delete' AND f.operation <> 'delete'))");
    sql.push(" AND NOT (e.operation = 'delete' AND f.state <> 0 AND (f.owner IS NULL OR f.until <= ").now();
    sql.push("))");
    not_done(sql);
    // While the row's deletion is being delivered, what failed is not tried.
    sql.push(") OR (e.state <> 0 AND EXISTS (SELECT 1 FROM hadron_journal AS f WHERE f.target = e.target");
    sql.push(
        " AND f.resource = e.resource AND f.operation = 'delete' AND f.id <> e.id AND f.owner IS NOT NULL",
    );
    sql.push(" AND f.until > ").now().push(")");
    // Making or changing the rows it refers to. A deletion needs them no more
    // when they keep failing.
    sql.push(") OR EXISTS (SELECT 1 FROM hadron_journal_after AS a JOIN hadron_journal AS f");
    sql.push(" ON f.target = e.target AND f.resource = a.resource");
    sql.push(
        " WHERE a.entry = e.id AND f.operation <> 'delete' AND NOT (e.operation = 'delete' AND f.state <> 0)",
    );
    not_done(sql);
    // A deletion goes after everything that refers to the row.
    sql.push(") OR (e.operation = 'delete' AND EXISTS (SELECT 1 FROM hadron_journal_after AS a");
    sql.push(
        " JOIN hadron_journal AS f ON f.id = a.entry WHERE a.resource = e.resource AND f.target = e.target",
    );
    not_done(sql);
    // The offset keeps PostgreSQL from answering this out of a hash of the
    // whole journal instead of an index.
    sql.push(" LIMIT 1 OFFSET 0)))");
}

/// Of these entries of this server's, those that nothing goes before.
pub(crate) fn ready(dialect: Dialect, ids: &[String], owner: &str, done: &[String]) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT e.id FROM hadron_journal AS e WHERE e.id").one_of(Bind::Texts(ids.to_vec()));
    sql.push(" AND e.owner = ").bind(owner.into()).push(" AND NOT ");
    blocked(&mut sql, done);
    sql
}

/// Claims what is due.
pub(crate) fn claim(dialect: Dialect, owner: &str, lease_ms: i64, limit: u32, done: &[String]) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("WITH due AS ").either("", "MATERIALIZED ").push("(SELECT e.id FROM hadron_journal AS e");
    sql.push(" WHERE e.state <> 2 AND e.due <= ").now();
    sql.push(" AND (e.owner IS NULL OR e.until <= ").now().push(")");
    if !done.is_empty() {
        sql.push(" AND NOT e.id").one_of(Bind::Texts(done.to_vec()));
    }
    sql.push(" AND NOT ");
    blocked(&mut sql, done);
    sql.push(" ORDER BY e.due, e.id LIMIT ").bind(i64::from(limit).into());
    sql.either("", " FOR UPDATE OF e SKIP LOCKED");
    sql.push(") UPDATE hadron_journal AS e SET owner = ").bind(owner.into());
    sql.push(", until = ").now().push(" + ").bind(lease_ms.into());
    sql.push(" WHERE e.id IN (SELECT id FROM due) RETURNING ");
    // SQLite knows no alias in RETURNING.
    match dialect {
        Dialect::Sqlite => sql.push(
            "id, target, kind, operation, collection, resource, revision, payload, unit, state, attempts, error, \
             created, due",
        ),
        Dialect::Postgres => sql.push(READ),
    };
    sql
}

/// The rows that these entries come after: entry, row.
pub(crate) fn afters(dialect: Dialect, ids: Vec<String>) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT entry, resource FROM hadron_journal_after WHERE entry").one_of(Bind::Texts(ids));
    sql.push(" ORDER BY entry, resource");
    sql
}

/// Removes entries that are done, and with a deletion what failed before it, in
/// one statement; PostgreSQL only.
pub(crate) fn complete(ids: Vec<String>) -> Sql {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("WITH d AS (DELETE FROM hadron_journal WHERE id").one_of(Bind::Texts(ids.clone()));
    sql.push(
        " RETURNING target, resource, operation, revision), s AS (DELETE FROM hadron_journal AS f USING d",
    );
    sql.push(
        " WHERE d.operation = 'delete' AND f.target = d.target AND f.resource = d.resource AND f.state <> 0",
    );
    sql.push(" AND f.operation <> 'delete' AND NOT f.id").one_of(Bind::Texts(ids.clone()));
    // Joined and not `... OR entry IN (...)`, which would read the whole table.
    sql.push(" RETURNING f.id) DELETE FROM hadron_journal_after WHERE entry IN (SELECT * FROM unnest(");
    sql.bind(Bind::Texts(ids)).push(") UNION ALL SELECT id FROM s)");
    sql
}

/// The same in steps: what a deletion supersedes.
pub(crate) fn superseded(dialect: Dialect, ids: Vec<String>) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT f.id FROM hadron_journal AS d JOIN hadron_journal AS f ON f.target = d.target");
    sql.push(" AND f.resource = d.resource WHERE d.operation = 'delete' AND f.operation <> 'delete'");
    sql.push(" AND f.state <> 0 AND d.id").one_of(Bind::Texts(ids));
    sql
}

/// Removes entries.
pub(crate) fn remove_entries(dialect: Dialect, ids: Vec<String>) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM hadron_journal WHERE id").one_of(Bind::Texts(ids));
    sql
}

/// Removes what entries came after.
pub(crate) fn remove_afters(dialect: Dialect, ids: Vec<String>) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM hadron_journal_after WHERE entry").one_of(Bind::Texts(ids));
    sql
}

/// After an attempt.
pub(crate) fn set_state(dialect: Dialect, id: &str, state: i64, error: &str, delay_ms: i64) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE hadron_journal SET state = ")
        .bind(state.into())
        .push(", attempts = attempts + 1, error = ");
    sql.bind(Bind::Text(Some(error.replace('\0', " ")))).push(", owner = NULL, until = 0, due = ").now();
    sql.push(" + ").bind(delay_ms.into()).push(" WHERE id = ").bind(id.into());
    sql
}

/// Gives claims of this server up.
pub(crate) fn release(dialect: Dialect, ids: Vec<String>, owner: &str) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE hadron_journal SET owner = NULL, until = 0, due = ").now().push(" WHERE id");
    sql.one_of(Bind::Texts(ids)).push(" AND owner = ").bind(owner.into());
    sql
}

fn filtered(sql: &mut Sql, filter: &EntryFilter) {
    sql.push("TRUE");
    if let Some(target) = &filter.target {
        sql.push(" AND e.target = ").bind(target.as_str().into());
    }
    if let Some(resource) = &filter.resource {
        sql.push(" AND e.resource = ").bind(resource.as_str().into());
    }
}

/// Entries, oldest first.
pub(crate) fn entries(dialect: Dialect, filter: &EntryFilter) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").push(READ).push(" FROM hadron_journal AS e WHERE ");
    filtered(&mut sql, filter);
    sql.push(" ORDER BY e.created, e.resource, e.revision, e.id");
    if filter.limit > 0 {
        sql.push(" LIMIT ").bind(i64::from(filter.limit).into());
    }
    sql
}

/// One entry.
pub(crate) fn entry(dialect: Dialect, id: &str) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").push(READ).push(" FROM hadron_journal AS e WHERE e.id = ").bind(id.into());
    sql
}

/// Makes entries due and pending, the oldest first. What is being delivered
/// stays claimed.
pub(crate) fn retry(dialect: Dialect, filter: &EntryFilter) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE hadron_journal SET state = 0, due = ").now();
    sql.push(" WHERE id IN (SELECT e.id FROM hadron_journal AS e WHERE ");
    filtered(&mut sql, filter);
    sql.push(" ORDER BY e.created, e.id");
    if filter.limit > 0 {
        sql.push(" LIMIT ").bind(i64::from(filter.limit).into());
    }
    sql.push(")");
    sql
}

/// By target and state: how many, and the age of the oldest in milliseconds.
pub(crate) fn backlog(dialect: Dialect) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT target, state, count(*), ").now().push(" - min(created) FROM hadron_journal");
    sql.push(" GROUP BY target, state");
    sql
}

/// How many entries a target has.
pub(crate) fn pending(dialect: Dialect, target: &str) -> Sql {
    Sql::fixed(dialect, "SELECT count(*) FROM hadron_journal WHERE target = ?", vec![target.into()])
}
