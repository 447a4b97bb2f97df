//! Entries that give projects access to single rows.

use super::{Bind, Dialect, Ident, Sql};
use crate::schema::{EntriesOf, Field, Objects, Table};
use hadron_manifest::EVERY_PROJECT;

/// Whether an entry allows the action on the row of that alias to every
/// project, or to the one the statement is for.
pub(super) fn is_allowed(sql: &mut Sql, alias: &'static str, entries: Option<&EntriesOf>, action: &str) {
    let Some(entries) = entries else {
        sql.push("FALSE");
        return;
    };
    sql.push("EXISTS (SELECT 1 FROM ").ident(&entries.table).push(" AS g WHERE ");
    sql.column("g", &entries.object).push(" = ").column(alias, &Ident::host("id"));
    sql.push(" AND ");
    allows(sql, entries, action);
    sql.push(")");
}

/// The same as the text of a JSON value; in a statement about targets the list of
/// the projects.
pub(super) fn answer_allowed(sql: &mut Sql, alias: &'static str, entries: Option<&EntriesOf>, action: &str) {
    let Some(entries) = entries.filter(|_| sql.targets) else {
        sql.push("CASE WHEN ");
        is_allowed(sql, alias, entries, action);
        sql.push(" THEN 'true' ELSE 'false' END");
        return;
    };
    sql.push("(SELECT ").either("json_group_array(", "COALESCE(json_agg(");
    sql.column("g", &entries.target).either(")", "), '[]')::text");
    sql.push(" FROM ").ident(&entries.table).push(" AS g WHERE ").column("g", &entries.object);
    sql.push(" = ").column(alias, &Ident::host("id")).push(" AND ").column("g", &entries.action);
    sql.push(" = ").bind(action.into()).push(")");
}

/// The entry `g` is about the action, and for whom the statement is for.
fn allows(sql: &mut Sql, entries: &EntriesOf, action: &str) {
    sql.column("g", &entries.action).push(" = ").bind(action.into());
    sql.push(" AND ").column("g", &entries.target).push(" IN (").bind(EVERY_PROJECT.into());
    if let Some(project) = sql.project.clone() {
        sql.push(", ").bind(Bind::Text(Some(project)));
    }
    sql.push(")");
}

/// The entries that allow an action on a row to a project; they stay until the
/// end of the transaction.
pub(crate) fn hold(dialect: Dialect, entries: &EntriesOf, action: &str, id: &str, project: &str) -> Sql {
    let mut sql = Sql { project: Some(project.to_owned()), ..Sql::new(dialect) };
    sql.push("SELECT g.\"id\" FROM ").ident(&entries.table).push(" AS g WHERE ");
    sql.column("g", &entries.object).push(" = ").bind(id.into()).push(" AND ");
    allows(&mut sql, entries, action);
    sql.push(" ORDER BY g.\"id\"");
    sql.either("", " FOR SHARE");
    sql
}

/// To whom an action on a row is allowed.
pub(crate) fn targets(dialect: Dialect, entries: &EntriesOf, action: &str, id: &str) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").column("g", &entries.target).push(" FROM ").ident(&entries.table);
    sql.push(" AS g WHERE ").column("g", &entries.object).push(" = ").bind(id.into());
    sql.push(" AND ").column("g", &entries.action).push(" = ").bind(action.into());
    sql.push(" ORDER BY ").column("g", &entries.target);
    sql
}

/// Makes an entry for every project of each row whose document says so, as rows
/// did before entries decided the attribute.
pub(crate) fn entries_of_rows(
    dialect: Dialect,
    table: &Table,
    field: &Field,
    action: &str,
    holder: &Table,
    objects: &Objects,
    now: &str,
) -> Option<Sql> {
    let entries = table.entries.as_ref()?;
    let object_type = objects.type_of(&entries.object)?;
    let names = &objects.attributes;
    let values = [
        (&names.object_type, Some(object_type)),
        (&names.object_id, None),
        (&names.action, Some(action)),
        (&names.target, Some(EVERY_PROJECT)),
    ];
    // An id is the row's own; everything else is the same for all.
    let value = |sql: &mut Sql, value: Option<&str>| {
        match value {
            Some(text) => sql.push("CAST(").bind(text.into()).push(" AS TEXT)"),
            None => sql.push("t.\"id\""),
        };
    };
    let columns: Vec<(&Ident, Option<&str>)> = holder
        .columns()
        .filter_map(|(field, column)| {
            values.iter().find(|(name, _)| *name == field.name.as_str()).map(|(_, value)| (column, *value))
        })
        .collect();
    let mut sql = Sql::new(dialect);
    sql.push("INSERT INTO ").ident(&entries.table);
    sql.push(" (\"id\", \"project_id\", \"revision\", \"created_at\", \"updated_at\", \"doc\", ");
    sql.ident(&entries.object);
    for (column, _) in &columns {
        sql.push(", ").ident(column);
    }
    sql.push(") SELECT ");
    sql.either(
        "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || \
         substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
        "gen_random_uuid()::text",
    );
    sql.push(", t.\"project_id\", 0, ").bind(now.into()).push(", ").bind(now.into()).push(", ");
    sql.either("json_object(", "jsonb_build_object(");
    sql.list(values, |sql, (name, text)| {
        value(sql.push("CAST(").bind(name.as_str().into()).push(" AS TEXT), "), text);
    });
    sql.push("), t.\"id\"");
    for (_, text) in &columns {
        value(sql.push(", "), *text);
    }
    sql.push(" FROM ").ident(&table.name).push(" AS t WHERE ");
    kept(&mut sql, table, field);
    sql.either("", "::boolean");
    Some(sql)
}

/// Takes the attribute out of the documents.
pub(crate) fn forget_kept(dialect: Dialect, table: &Table, field: &Field) -> Sql {
    let json = table.json(field.place);
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").ident(&table.name).push(" AS t SET ").ident(&json.column).push(" = ");
    match dialect {
        Dialect::Sqlite => sql.push("json_remove(").json("t", &json).push(", ").path(&field.name).push(")"),
        Dialect::Postgres => sql.json("t", &json).push(" - ").member(&field.name),
    };
    sql.push(" WHERE ");
    kept(&mut sql, table, field);
    sql.push(" IS NOT NULL");
    sql
}

/// What documents hold as the attribute.
fn kept(sql: &mut Sql, table: &Table, field: &Field) {
    let json = table.json(field.place);
    match sql.dialect {
        Dialect::Sqlite => sql.push("json_extract(").json("t", &json).push(", ").path(&field.name).push(")"),
        Dialect::Postgres => sql.push("(").json("t", &json).push(" ->> ").member(&field.name).push(")"),
    };
}
