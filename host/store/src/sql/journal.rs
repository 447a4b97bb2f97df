//! Statements about journal entries, and the rules of their order.

use super::changes::write_changes;
use super::host::insert_unit;
use super::quotas::{Count, note};
use super::{Bind, Dialect, Sql};
use crate::changes::Noted;
use crate::journal::{EntryFilter, NewEntry};

/// States as they are kept.
pub(crate) const FAILING: i64 = 1;
pub(crate) const REFUSED: i64 = 2;

const COLUMNS: [&str; 9] =
    ["id", "target", "kind", "operation", "collection", "resource", "revision", "payload", "unit"];

/// What `entries` read: see `journal::entry`.
const READ: &str = "e.id, e.target, e.kind, e.operation, e.collection, e.resource, e.revision, e.payload, e.unit, \
                    e.state, e.attempts, e.error, e.created, e.due";

/// Entries of other units that are looked at, at most, to find out whether
/// anything goes before a unit's own: more are a backlog.
pub(crate) const LOOKED_AT: usize = 16;

/// What a unit's entries are about and come after: target, row. An entry of
/// another unit about one of these may go before one of them.
fn about(entries: &[NewEntry]) -> (Vec<String>, Vec<String>) {
    let mut keys: Vec<(&str, &str)> = entries
        .iter()
        .flat_map(|e| e.after.iter().chain([&e.resource]).map(|row| (e.target.as_str(), row.as_str())))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter().map(|(target, row)| (target.to_owned(), row.to_owned())).unzip()
}

/// What a unit deletes: target, row. What refers to the row may go before.
fn deleted(entries: &[NewEntry]) -> (Vec<String>, Vec<String>) {
    let deletions = entries.iter().filter(|e| e.operation == "delete");
    deletions.map(|e| (e.target.clone(), e.resource.clone())).unzip()
}

/// The end of a unit on PostgreSQL, in one statement whose text hardly varies:
/// its id, what it counted, its changes, its entries, already claimed, and what
/// they come after. Answers entries of other units, [`LOOKED_AT`] at most, that
/// may go before.
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
        sql.push(" SELECT '' WHERE false");
        return sql;
    }
    sql.push(", j AS (INSERT INTO hadron_journal (");
    sql.list(COLUMNS, |sql, column| {
        sql.push(column);
    });
    sql.push(", state, attempts, owner, until, due, created) SELECT n.*, ").bind(unit.into());
    sql.push(", 0, 0, ").bind(owner.into()).push(", ").now().push(" + ").bind(lease_ms.into());
    sql.push(", ").now().push(", ").now().push(" FROM unnest(");
    let texts = |of: fn(&NewEntry) -> &str| Bind::Texts(entries.iter().map(|e| of(e).to_owned()).collect());
    let arrays = vec![
        texts(|e| &e.id),
        texts(|e| &e.target),
        texts(|e| &e.kind),
        texts(|e| &e.operation),
        texts(|e| &e.collection),
        texts(|e| &e.resource),
        Bind::Integers(entries.iter().map(|e| e.revision).collect()),
        texts(|e| &e.payload),
    ];
    sql.list(arrays, |sql, array| {
        sql.bind(array);
    });
    sql.push(") AS n), a AS (INSERT INTO hadron_journal_after (entry, resource) SELECT * FROM ");
    pairs(&mut sql, after(entries).into_iter().unzip());
    // The statement does not see what it writes itself.
    sql.push(") SELECT f.id FROM ");
    pairs(&mut sql, about(entries));
    sql.push(" AS k (target, resource) CROSS JOIN LATERAL (SELECT e.id FROM hadron_journal AS e");
    sql.push(" WHERE e.target = k.target AND e.resource = k.resource LIMIT ").number(LOOKED_AT as i64);
    sql.push(") AS f UNION ALL SELECT f.id FROM ");
    pairs(&mut sql, deleted(entries));
    sql.push(" AS k (target, resource) CROSS JOIN LATERAL (SELECT e.id FROM hadron_journal_after AS r");
    sql.push(" JOIN hadron_journal AS e ON e.id = r.entry WHERE r.resource = k.resource");
    sql.push(" AND e.target = k.target LIMIT ").number(LOOKED_AT as i64).push(") AS f LIMIT ");
    sql.number(LOOKED_AT as i64);
    sql
}

fn pairs(sql: &mut Sql, (one, other): (Vec<String>, Vec<String>)) {
    sql.push("unnest(").bind(Bind::Texts(one)).push(", ").bind(Bind::Texts(other)).push(")");
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

/// What entries come after, on SQLite; before the entries themselves. One text
/// whatever their number, so that it is kept prepared.
pub(crate) fn insert_afters(entries: &[NewEntry]) -> Option<Sql> {
    let pairs = after(entries);
    if pairs.is_empty() {
        return None;
    }
    let mut sql = Sql::new(Dialect::Sqlite);
    sql.push("INSERT INTO hadron_journal_after (entry, resource)");
    sql.push(" SELECT value ->> 0, value ->> 1 FROM json_each(");
    sql.bind(Bind::Text(Some(serde_json::json!(pairs).to_string()))).push(")");
    Some(sql)
}

/// Rows of one statement that inserts entries: fewer than that, and the text is
/// kept prepared.
const ENTRIES_TOGETHER: usize = 16;

/// Entries, on SQLite, where a unit needs no id: nobody else can lose it. For
/// each, entries of other units that may go before, [`LOOKED_AT`] at most, with
/// blanks between.
pub(crate) fn insert_entries(
    unit: &str,
    owner: &str,
    now_ms: i64,
    lease_ms: i64,
    entries: &[NewEntry],
) -> Vec<Sql> {
    entries
        .chunks(ENTRIES_TOGETHER)
        .map(|entries| {
            let mut sql = Sql::new(Dialect::Sqlite);
            sql.binds.extend([unit.into(), owner.into(), now_ms.into(), (now_ms + lease_ms).into()]);
            sql.push("INSERT INTO hadron_journal (");
            sql.list(COLUMNS, |sql, column| {
                sql.push(column);
            });
            sql.push(", state, attempts, owner, until, due, created) VALUES ");
            sql.list(entries, |sql, e| {
                sql.push("(").bind(e.id.as_str().into());
                for text in [&e.target, &e.kind, &e.operation, &e.collection, &e.resource] {
                    sql.push(", ").bind(text.as_str().into());
                }
                sql.push(", ").bind(e.revision.into()).push(", ").bind((&*e.payload).into());
                sql.push(", ?1, 0, 0, ?2, ?4, ?3, ?3)");
            });
            sql.push(" RETURNING (SELECT group_concat(id, ' ') FROM (");
            sql.push("SELECT f.id FROM hadron_journal AS f WHERE f.target = hadron_journal.target");
            sql.push(" AND f.resource = hadron_journal.resource AND f.unit <> ?1");
            sql.push(" UNION ALL SELECT f.id FROM hadron_journal_after AS r CROSS JOIN hadron_journal AS f");
            sql.push(" ON f.target = hadron_journal.target AND f.resource = r.resource AND f.unit <> ?1");
            sql.push(" WHERE r.entry = hadron_journal.id");
            sql.push(" UNION ALL SELECT f.id FROM hadron_journal_after AS r CROSS JOIN hadron_journal AS f");
            sql.push(" ON f.id = r.entry AND f.target = hadron_journal.target AND f.unit <> ?1");
            sql.push(" WHERE hadron_journal.operation = 'delete' AND r.resource = hadron_journal.resource");
            sql.push(" LIMIT ").number(LOOKED_AT as i64).push("))");
            sql
        })
        .collect()
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
