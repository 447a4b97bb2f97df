//! Statements about limits of projects, and about how much they use.
//!
//! Use is the sum of a project's rows in `hadron_usage`: one that stands for all
//! that is settled, whose unit is empty, and on PostgreSQL one of each unit that
//! is not folded into it yet.

use super::{Bind, Dialect, Sql};
use crate::schema::Table;

/// The row of which project and quota a count is about.
pub(crate) struct Count<'a> {
    pub(crate) project: &'a str,
    pub(crate) quota: &'a str,
    /// More rows, or fewer.
    pub(crate) by: i64,
}

/// The limit, and how much is used.
pub(crate) fn limit_and_use(dialect: Dialect, project: &str, quota: &str, default: i64) -> Sql {
    Sql::fixed(
        dialect,
        "SELECT COALESCE((SELECT most FROM hadron_quotas WHERE project = ? AND quota = ?), ?), \
         CAST(COALESCE((SELECT SUM(used) FROM hadron_usage WHERE project = ? AND quota = ?), 0) AS bigint)",
        vec![project.into(), quota.into(), default.into(), project.into(), quota.into()],
    )
}

/// Waits until nobody else is about to commit against this limit, and keeps
/// others waiting until the end of the transaction; PostgreSQL only.
pub(crate) fn hold_limit(project: &str, quota: &str) -> Sql {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("SELECT pg_advisory_xact_lock(hashtextextended(")
        .bind(Bind::Text(Some(format!("quota {quota} {project}"))));
    sql.push(", 0))");
    sql
}

/// Settles a count at once, where there is one writer at a time.
pub(crate) fn settle(count: &Count<'_>) -> Sql {
    Sql::fixed(
        Dialect::Sqlite,
        "INSERT INTO hadron_usage (project, quota, unit, used) VALUES (?, ?, '', ?) \
         ON CONFLICT (project, quota, unit) DO UPDATE SET used = used + excluded.used",
        vec![count.project.into(), count.quota.into(), count.by.into()],
    )
}

/// Writes a unit's counts down beside the others', so that it waits for nobody.
pub(super) fn note(sql: &mut Sql, unit: &str, counts: &[Count<'_>]) {
    let texts = |of: fn(&Count<'_>) -> String| Bind::Texts(counts.iter().map(of).collect());
    sql.push("INSERT INTO hadron_usage (project, quota, unit, used) SELECT n.project, n.quota, ");
    sql.bind(unit.into()).push(", n.used FROM unnest(").bind(texts(|c| c.project.to_owned()));
    sql.push(", ").bind(texts(|c| c.quota.to_owned())).push(", ");
    sql.bind(Bind::Integers(counts.iter().map(|c| c.by).collect()));
    sql.push(") AS n (project, quota, used)");
}

/// The constraint that a unit's second commit violates here.
pub(crate) const USAGE_KEY: &str = "hadron_usage_pkey";

/// Most counts that are folded at once.
const FOLD: i64 = 10_000;

/// Folds units' counts into the settled ones; PostgreSQL only. What a running
/// transaction still holds is left alone.
pub(crate) fn fold_usage() -> Sql {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push(
        "WITH gone AS (DELETE FROM hadron_usage WHERE (project, quota, unit) IN \
         (SELECT project, quota, unit FROM hadron_usage WHERE unit <> '' LIMIT ",
    );
    sql.number(FOLD).push(
        " FOR UPDATE SKIP LOCKED) RETURNING project, quota, used) \
         INSERT INTO hadron_usage (project, quota, unit, used) \
         SELECT project, quota, '', CAST(SUM(used) AS bigint) FROM gone GROUP BY project, quota \
         ORDER BY project, quota \
         ON CONFLICT (project, quota, unit) DO UPDATE SET used = hadron_usage.used + excluded.used",
    );
    sql
}

/// How much a project uses: quota, number.
pub(crate) fn usage(dialect: Dialect, project: &str) -> Sql {
    Sql::fixed(
        dialect,
        "SELECT quota, CAST(SUM(used) AS bigint) FROM hadron_usage WHERE project = ? GROUP BY quota",
        vec![project.into()],
    )
}

/// A project's own limits: quota, limit.
pub(crate) fn limits(dialect: Dialect, project: &str) -> Sql {
    Sql::fixed(dialect, "SELECT quota, most FROM hadron_quotas WHERE project = ?", vec![project.into()])
}

/// Every project's own limits: project, quota, limit.
pub(crate) fn all_limits(dialect: Dialect) -> Sql {
    Sql::fixed(dialect, "SELECT project, quota, most FROM hadron_quotas ORDER BY project, quota", Vec::new())
}

pub(crate) fn set_limit(dialect: Dialect, project: &str, quota: &str, limit: i64) -> Sql {
    Sql::fixed(
        dialect,
        "INSERT INTO hadron_quotas (project, quota, most) VALUES (?, ?, ?) \
         ON CONFLICT (project, quota) DO UPDATE SET most = excluded.most",
        vec![project.into(), quota.into(), limit.into()],
    )
}

pub(crate) fn clear_limits(dialect: Dialect, project: &str) -> Sql {
    Sql::fixed(dialect, "DELETE FROM hadron_quotas WHERE project = ?", vec![project.into()])
}

/// Counts a table's rows anew, with nobody writing meanwhile.
pub(crate) fn recount(dialect: Dialect, table: &Table, quota: &str) -> Vec<Sql> {
    let mut statements = Vec::new();
    if dialect == Dialect::Postgres {
        let mut sql = Sql::new(dialect);
        sql.push("LOCK TABLE ").ident(&table.name).push(" IN SHARE MODE");
        statements.push(sql);
    }
    statements.push(Sql::fixed(dialect, "DELETE FROM hadron_usage WHERE quota = ?", vec![quota.into()]));
    let mut sql = Sql::new(dialect);
    sql.push("INSERT INTO hadron_usage (project, quota, unit, used) SELECT t.\"project_id\", ");
    sql.bind(quota.into()).push(", '', count(*) FROM ").ident(&table.name);
    sql.push(" AS t WHERE t.\"project_id\" IS NOT NULL GROUP BY t.\"project_id\"");
    statements.push(sql);
    statements
}
