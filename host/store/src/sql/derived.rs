//! Attributes of a row that are answered from other rows, in the query that reads
//! it.

use super::{Bind, Dialect, Member, Sql, answer_allowed};
use crate::schema::{ParentValue, RowsOf, Shown, Source};

/// Members of one object: PostgreSQL takes 100 arguments, two a member.
const MOST_MEMBERS: usize = 50;

/// The alias of rows that are found from a row of that alias.
fn below(alias: &'static str) -> &'static str {
    if alias == "r" { "n" } else { "r" }
}

/// The attribute of the row of that alias, as the text of a JSON value.
pub(super) fn derived_column(sql: &mut Sql, alias: &'static str, source: &Source) {
    match source {
        Source::Referring(rows) => ids(sql, alias, rows),
        Source::Rows(sources) => documents(sql, alias, sources),
        Source::Parent { column, table, value } => {
            sql.push("COALESCE((SELECT ");
            match (sql.dialect, value) {
                (_, ParentValue::Decided(entries, action)) => {
                    answer_allowed(sql, "p", entries.as_ref(), action);
                }
                (Dialect::Sqlite, ParentValue::Column(column)) => {
                    sql.push("json_quote(").column("p", column).push(")");
                }
                (Dialect::Postgres, ParentValue::Column(column)) => {
                    sql.push("to_json(").column("p", column).push(")::text");
                }
                (Dialect::Sqlite, ParentValue::Member(json, member)) => {
                    sql.column("p", json).push(" -> ").path(member);
                }
                (Dialect::Postgres, ParentValue::Member(json, member)) => {
                    sql.push("(").column("p", json).push(" -> ").member(member).push(")::text");
                }
            }
            sql.push(" FROM ").ident(table).push(" AS p WHERE p.\"id\" = ");
            sql.column(alias, column).push("), 'null')");
        }
    }
}

fn ids(sql: &mut Sql, alias: &'static str, rows: &RowsOf) {
    let row = below(alias);
    sql.either("(SELECT json_group_array(", "(SELECT COALESCE(json_agg(");
    sql.push(row).push(".\"id\" ORDER BY ").push(row).push(".\"created_at\", ").push(row).push(".\"id\"");
    sql.either(") FROM ", "), '[]')::text FROM ");
    of(sql, alias, rows).push(")");
}

/// The rows that refer to the row of that alias.
fn of<'a>(sql: &'a mut Sql, alias: &'static str, rows: &RowsOf) -> &'a mut Sql {
    let row = below(alias);
    sql.ident(&rows.table).push(" AS ").push(row).push(" WHERE ").column(row, &rows.column);
    sql.push(" = ").push(alias).push(".\"id\"")
}

fn documents(sql: &mut Sql, alias: &'static str, sources: &[RowsOf]) {
    let row = below(alias);
    sql.either("(SELECT json_group_array(json(d.o)", "(SELECT COALESCE(jsonb_agg(d.o");
    sql.push(" ORDER BY d.s, d.c, d.i").either(") FROM (", "), '[]')::text FROM (");
    for (place, rows) in sources.iter().enumerate() {
        sql.push(if place > 0 { " UNION ALL SELECT " } else { "SELECT " });
        object(sql, row, rows);
        sql.push(" AS o, ").number(place as i64).push(" AS s, ");
        sql.push(row).push(".\"created_at\" AS c, ").push(row).push(".\"id\" AS i FROM ");
        of(sql, alias, rows);
    }
    sql.push(") AS d)");
}

/// One row's document.
fn object(sql: &mut Sql, row: &'static str, rows: &RowsOf) {
    let shown = rows.members.iter().map(|(name, shown)| (name, Value::Shown(shown)));
    let add = rows.add.iter().map(|(name, value)| (name, Value::Constant(value)));
    build(sql, row, &shown.chain(add).collect::<Vec<_>>());
}

/// What a view shows of the row of that alias, as the text of an object.
pub(super) fn document_column(sql: &mut Sql, alias: &'static str, members: &[(&Member, &Shown)]) {
    let members: Vec<_> = members.iter().map(|(name, shown)| (*name, Value::Shown(shown))).collect();
    sql.either("", "(");
    build(sql, alias, &members);
    sql.either("", ")::text");
}

/// A member's value.
enum Value<'a> {
    Shown(&'a Shown),
    Constant(&'a serde_json::Value),
}

fn build(sql: &mut Sql, row: &'static str, members: &[(&Member, Value<'_>)]) {
    if members.is_empty() {
        sql.either("'{}'", "'{}'::jsonb");
    }
    // SQLite's objects cannot be put together; it takes more arguments.
    let most = if sql.dialect == Dialect::Postgres { MOST_MEMBERS } else { members.len().max(1) };
    for (part, members) in members.chunks(most).enumerate() {
        sql.push(if part > 0 { " || " } else { "" });
        sql.either("json_object(", "jsonb_build_object(").list(members, |sql, (name, value)| {
            sql.member(name).push(", ");
            match value {
                Value::Shown(shown) => member(sql, row, shown),
                Value::Constant(constant) => {
                    sql.either("json(", "").bind(Bind::Json(Some(constant.to_string()))).either(")", "");
                }
            }
        });
        sql.push(")");
    }
}

fn member(sql: &mut Sql, row: &'static str, shown: &Shown) {
    match shown {
        Shown::Column(column) => {
            sql.column(row, column);
        }
        Shown::Member(json, member) => {
            sql.push("(").json(row, json).push(" -> ");
            match sql.dialect {
                Dialect::Sqlite => sql.path(member),
                Dialect::Postgres => sql.member(member),
            };
            sql.push(")");
        }
        // Answered as text elsewhere.
        Shown::Decided(entries, action) => {
            sql.either("json(", "(");
            answer_allowed(sql, row, entries.as_ref(), action);
            sql.either(")", ")::jsonb");
        }
        Shown::Derived(source) => {
            sql.either("json(", "(");
            derived_column(sql, row, source);
            sql.either(")", ")::jsonb");
        }
    }
}
