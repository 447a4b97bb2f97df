//! Statements about pools of numbers.

use super::{Bind, Dialect, Ident, Sql};

/// A pool as it was defined, if there is one; `change` keeps it from being
/// changed by others, otherwise only its definition stays as it is.
pub(crate) fn pool(dialect: Dialect, pool: &str, change: bool) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ranges, held, stripe FROM hadron_pools WHERE pool = ").bind(pool.into());
    if change {
        sql.either("", " FOR UPDATE");
    }
    sql
}

/// As `pool`, and holds every one of these numbers against others who give the
/// same back; PostgreSQL only.
pub(crate) fn pool_and_numbers(pool: &str, numbers: Vec<i64>) -> Sql {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("SELECT p.ranges, p.held, p.stripe, (SELECT count(l.held) FROM (SELECT pg_advisory_xact_lock(");
    sql.push("hashtextextended(").bind(pool.into()).push(", n)) AS held FROM (SELECT n FROM unnest(");
    sql.bind(Bind::Integers(numbers)).push(") AS u(n) ORDER BY n) AS o) AS l)");
    sql.push(" FROM hadron_pools AS p WHERE p.pool = ").bind(pool.into()).push(" FOR KEY SHARE OF p");
    sql
}

pub(crate) fn insert_pool(
    dialect: Dialect,
    pool: &str,
    stripe: i64,
    first: i64,
    last: i64,
    ranges: String,
) -> Sql {
    Sql::fixed(
        dialect,
        "INSERT INTO hadron_pools (pool, stripe, first, last, ranges, held) VALUES (?, ?, ?, ?, ?, '[]') \
         ON CONFLICT (pool) DO NOTHING",
        vec![pool.into(), stripe.into(), first.into(), last.into(), Bind::Text(Some(ranges))],
    )
}

/// A pool's new definition. On PostgreSQL a change of the row's key would keep
/// others out; none changes here.
pub(crate) fn change_pool(
    dialect: Dialect,
    pool: &str,
    stripe: i64,
    first: i64,
    last: i64,
    ranges: String,
    held: String,
) -> Sql {
    Sql::fixed(
        dialect,
        "UPDATE hadron_pools SET stripe = ?, first = ?, last = ?, ranges = ?, held = ? WHERE pool = ?",
        vec![
            stripe.into(),
            first.into(),
            last.into(),
            Bind::Text(Some(ranges)),
            Bind::Text(Some(held)),
            pool.into(),
        ],
    )
}

pub(crate) fn change_held(dialect: Dialect, pool: &str, held: String) -> Sql {
    Sql::fixed(
        dialect,
        "UPDATE hadron_pools SET held = ? WHERE pool = ?",
        vec![Bind::Text(Some(held)), pool.into()],
    )
}

pub(crate) fn remove_pool(dialect: Dialect, pool: &str) -> Sql {
    Sql::fixed(dialect, "DELETE FROM hadron_pools WHERE pool = ?", vec![pool.into()])
}

pub(crate) fn remove_free(dialect: Dialect, pool: &str) -> Sql {
    Sql::fixed(dialect, "DELETE FROM hadron_pool_free WHERE pool = ?", vec![pool.into()])
}

/// All free intervals, held until the end of the transaction.
pub(crate) fn all_free(dialect: Dialect, pool: &str) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT lo, hi FROM hadron_pool_free WHERE pool = ").bind(pool.into()).push(" ORDER BY hi");
    sql.either("", " FOR UPDATE");
    sql
}

pub(crate) fn insert_free(dialect: Dialect, pool: &str, intervals: &[(i64, i64)]) -> Vec<Sql> {
    let columns = [Ident::host("pool"), Ident::host("lo"), Ident::host("hi")];
    let rows = intervals.iter().map(|(lo, hi)| vec![pool.into(), (*lo).into(), (*hi).into()]).collect();
    super::insert(dialect, &Ident::host("hadron_pool_free"), &columns, rows)
}

pub(crate) fn delete_free(dialect: Dialect, pool: &str, hi: i64) -> Sql {
    Sql::fixed(
        dialect,
        "DELETE FROM hadron_pool_free WHERE pool = ? AND hi = ?",
        vec![pool.into(), hi.into()],
    )
}

/// Sets the lower end of a free interval.
pub(crate) fn raise_free(dialect: Dialect, pool: &str, hi: i64, lo: i64) -> Sql {
    Sql::fixed(
        dialect,
        "UPDATE hadron_pool_free SET lo = ? WHERE pool = ? AND hi = ?",
        vec![lo.into(), pool.into(), hi.into()],
    )
}

/// Sets both ends of a free interval.
pub(crate) fn move_free(dialect: Dialect, pool: &str, hi: i64, to: (i64, i64)) -> Sql {
    Sql::fixed(
        dialect,
        "UPDATE hadron_pool_free SET lo = ?, hi = ? WHERE pool = ? AND hi = ?",
        vec![to.0.into(), to.1.into(), pool.into(), hi.into()],
    )
}

/// The first free interval; SQLite only, where one taker is at work at a time.
pub(crate) fn first_free(pool: &str) -> Sql {
    Sql::fixed(
        Dialect::Sqlite,
        "SELECT lo, hi FROM hadron_pool_free WHERE pool = ? ORDER BY hi LIMIT 1",
        vec![pool.into()],
    )
}

/// The free interval that holds a number; SQLite only.
pub(crate) fn free_around(pool: &str, number: i64) -> Sql {
    Sql::fixed(
        Dialect::Sqlite,
        "SELECT lo, hi FROM (SELECT lo, hi FROM hadron_pool_free WHERE pool = ? AND hi >= ? ORDER BY hi LIMIT 1) \
         WHERE lo <= ?",
        vec![pool.into(), number.into(), number.into()],
    )
}

/// Takes up to `count` numbers from one free interval: the first one above a
/// random place (`at`, in millionths of the pool) that nobody holds, or with
/// `wait` the first one there is, once nobody holds it. Answers the first number
/// and how many. PostgreSQL only.
pub(crate) fn take(pool: &str, count: i64, at: i64, wait: bool) -> Sql {
    let skip = if wait { " FOR UPDATE" } else { " FOR UPDATE SKIP LOCKED" };
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("WITH place AS (SELECT first + (last - first) / 1000000 * ").bind(at.into());
    sql.push(" + (last - first) % 1000000 * ").bind(at.into());
    sql.push(" / 1000000 AS spot FROM hadron_pools WHERE pool = ").bind(pool.into());
    sql.push("), above AS (SELECT lo, hi FROM hadron_pool_free WHERE pool = ").bind(pool.into());
    sql.push(" AND hi >= (SELECT spot FROM place) ORDER BY hi LIMIT 1").push(skip);
    sql.push("), below AS (SELECT lo, hi FROM hadron_pool_free WHERE pool = ").bind(pool.into());
    sql.push(" AND hi < (SELECT spot FROM place) AND NOT EXISTS (SELECT 1 FROM above) ORDER BY hi LIMIT 1")
        .push(skip);
    sql.push("), pick AS (SELECT lo, hi FROM above UNION ALL SELECT lo, hi FROM below)");
    sql.push(", part AS (UPDATE hadron_pool_free AS f SET lo = pick.lo + ").bind(count.into());
    sql.push(" FROM pick WHERE f.pool = ").bind(pool.into());
    sql.push(" AND f.hi = pick.hi AND pick.hi - pick.lo >= ").bind(count.into());
    sql.push("), whole AS (DELETE FROM hadron_pool_free AS f USING pick WHERE f.pool = ").bind(pool.into());
    sql.push(" AND f.hi = pick.hi AND pick.hi - pick.lo < ").bind(count.into());
    sql.push(") SELECT lo, LEAST(").bind(count.into()).push(", hi - lo + 1) FROM pick");
    sql
}

/// Whether there is such a pool, and whether it has a free number now: as one
/// number, absent, 0 or 1. A row that somebody took and has not committed yet
/// counts as free.
pub(crate) fn has_free(dialect: Dialect, pool: &str) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT (SELECT count(*) FROM (SELECT 1 FROM hadron_pool_free WHERE pool = ").bind(pool.into());
    sql.push(" LIMIT 1) AS f) FROM hadron_pools WHERE pool = ").bind(pool.into());
    sql
}

/// Takes this number out of the interval that holds it. PostgreSQL only.
pub(crate) fn take_given(pool: &str, number: i64) -> Sql {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("WITH pick AS (SELECT lo, hi FROM hadron_pool_free WHERE pool = ").bind(pool.into());
    sql.push(" AND hi = (SELECT hi FROM hadron_pool_free WHERE pool = ").bind(pool.into());
    sql.push(" AND hi >= ").bind(number.into()).push(" ORDER BY hi LIMIT 1) AND lo <= ").bind(number.into());
    sql.push(" FOR UPDATE), part AS (UPDATE hadron_pool_free AS f SET lo = ").bind((number + 1).into());
    sql.push(" FROM pick WHERE f.pool = ").bind(pool.into());
    sql.push(" AND f.hi = pick.hi AND pick.hi > ").bind(number.into());
    sql.push("), whole AS (DELETE FROM hadron_pool_free AS f USING pick WHERE f.pool = ").bind(pool.into());
    sql.push(" AND f.hi = pick.hi AND pick.hi = ").bind(number.into());
    sql.push("), rest AS (INSERT INTO hadron_pool_free (pool, lo, hi) SELECT ").bind(pool.into());
    sql.push(", lo, ").bind((number - 1).into()).push(" FROM pick WHERE lo < ").bind(number.into());
    sql.push(") SELECT lo FROM pick");
    sql
}

/// Whether the number is free, as far as is committed. PostgreSQL only.
pub(crate) fn is_free(pool: &str, number: i64) -> Sql {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("SELECT (SELECT count(*) FROM (SELECT lo FROM hadron_pool_free WHERE pool = ").bind(pool.into());
    sql.push(" AND hi >= ").bind(number.into()).push(" ORDER BY hi LIMIT 1) AS f WHERE lo <= ");
    sql.bind(number.into()).push(") FROM hadron_pools WHERE pool = ").bind(pool.into());
    sql
}

/// Free intervals that touch these numbers, and the next one above.
pub(crate) fn free_near(dialect: Dialect, pool: &str, lo: i64, hi: i64) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT lo, hi FROM hadron_pool_free WHERE pool = ").bind(pool.into());
    sql.push(" AND hi >= ")
        .bind((lo - 1).into())
        .push(" AND hi <= COALESCE((SELECT hi FROM hadron_pool_free");
    sql.push(" WHERE pool = ").bind(pool.into()).push(" AND hi > ").bind(hi.into());
    sql.push(" ORDER BY hi LIMIT 1), ").bind(hi.into()).push(") ORDER BY hi");
    sql
}

/// Those of two intervals (by their upper ends) that can be held at once.
pub(crate) fn hold_free(dialect: Dialect, pool: &str, his: Vec<i64>) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT lo, hi FROM hadron_pool_free WHERE pool = ").bind(pool.into()).push(" AND hi");
    sql.one_of(Bind::Integers(his)).push(" ORDER BY hi").either("", " FOR UPDATE SKIP LOCKED");
    sql
}
