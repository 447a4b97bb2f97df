//! Statements about kept answers.

use super::{Bind, Dialect, Sql};
use crate::{Answer, Once};

/// Mixed into the numbers of the locks of keys; arbitrary, and never changes.
const LOCKS: i64 = 4_851_923_017_266;

fn name(once: &Once) -> Vec<Bind> {
    vec![once.project.as_str().into(), once.user.as_str().into(), once.key.as_str().into()]
}

/// Whether nobody else is doing what that key names; held until the end of the
/// transaction. PostgreSQL only.
pub(crate) fn claim_answer(once: &Once) -> Sql {
    let mut sql = Sql::new(Dialect::Postgres);
    let Once { project, user, key, .. } = once;
    sql.push("SELECT pg_try_advisory_xact_lock(hashtextextended(");
    sql.bind(Bind::Text(Some(format!("{project}\n{user}\n{key}")))).push(", ").number(LOCKS).push("))");
    sql
}

pub(crate) fn answer(dialect: Dialect, once: &Once) -> Sql {
    let text =
        "SELECT fingerprint, status, body FROM hadron_answers WHERE project = ? AND person = ? AND name = ?";
    Sql::fixed(dialect, text, name(once))
}

pub(crate) fn keep_answer(dialect: Dialect, once: &Once, answer: &Answer) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push(
        "INSERT INTO hadron_answers (project, person, name, fingerprint, status, body, created) VALUES (",
    );
    let mut binds = name(once);
    binds.push(once.fingerprint.as_str().into());
    binds.push(i64::from(answer.status).into());
    binds.push(answer.body.as_str().into());
    sql.list(binds, |sql, bind| {
        sql.bind(bind);
    });
    sql.push(", ").now().push(")");
    sql
}

pub(crate) fn forget_answer(dialect: Dialect, once: &Once) -> Sql {
    let text = "DELETE FROM hadron_answers WHERE project = ? AND person = ? AND name = ?";
    Sql::fixed(dialect, text, name(once))
}

/// Forgets answers older than this.
pub(crate) fn purge_answers(dialect: Dialect, older_than_ms: i64) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM hadron_answers WHERE created < ").now().push(" - ").bind(older_than_ms.into());
    sql
}
