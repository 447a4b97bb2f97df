//! Statements that make tables.

use super::filter::{ROW, extracted};
use super::{Bind, Dialect, Ident, Sql};
use crate::schema::{Field, Index, List, Reference, Table};
use hadron_manifest::Column;

fn column_type(sql: &mut Sql, kind: Column) {
    match kind {
        Column::Text => sql.either("TEXT", "TEXT COLLATE \"C\""),
        Column::Integer => sql.push("BIGINT"),
        Column::Boolean => sql.push("BOOLEAN"),
    };
}

fn text_column(sql: &mut Sql, name: &'static str, more: &'static str) {
    sql.ident(&Ident::host(name)).push(" ");
    column_type(sql, Column::Text);
    sql.push(more).push(", ");
}

fn json_type(sql: &mut Sql) {
    sql.either("TEXT", "JSONB");
}

/// A foreign key within CREATE TABLE or ADD COLUMN, which is SQLite's only way.
fn inline(sql: &mut Sql, references: &[Reference], column: &Ident) {
    if sql.dialect == Dialect::Sqlite
        && let Some(reference) = references.iter().find(|r| r.column == *column)
    {
        sql.push(" CONSTRAINT ").ident(&reference.name);
        target(sql, reference);
    }
}

/// What refers by 'restrict' is checked at the end of a statement, so that rows
/// which the same statement removes do not count.
fn target(sql: &mut Sql, reference: &Reference) {
    sql.push(" REFERENCES ").ident(&reference.table).push(" (\"id\")");
    if reference.cascade {
        sql.push(" ON DELETE CASCADE");
    }
}

/// The table of a collection.
pub(crate) fn create_table(dialect: Dialect, table: &Table) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE ").ident(&table.name).push(" (");
    text_column(&mut sql, "id", " NOT NULL");
    sql.push("\"project_id\" ");
    column_type(&mut sql, Column::Text);
    inline(&mut sql, &table.references, &Ident::host("project_id"));
    sql.push(", \"revision\" BIGINT NOT NULL, ");
    text_column(&mut sql, "created_at", " NOT NULL");
    text_column(&mut sql, "updated_at", " NOT NULL");
    sql.push("\"doc\" ");
    json_type(&mut sql);
    sql.push(" NOT NULL");
    for extension in &table.extensions {
        sql.push(", ").ident(&extension.column).push(" ");
        json_type(&mut sql);
    }
    for (field, column) in table.columns() {
        sql.push(", ").ident(column).push(" ");
        column_type(&mut sql, field.kind);
        inline(&mut sql, &table.references, column);
    }
    for (_, column) in table.objects.iter().flat_map(|o| &o.columns) {
        sql.push(", ").ident(column).push(" ");
        column_type(&mut sql, Column::Text);
        inline(&mut sql, &table.references, column);
    }
    sql.push(", CONSTRAINT ").ident(&Ident::new(&[table.name.as_str(), "__pkey"]));
    sql.push(" PRIMARY KEY (\"id\"))");
    sql
}

/// The side table of a list attribute.
pub(crate) fn create_list(dialect: Dialect, table: &Table, list: &List) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE ").ident(&list.table).push(" (");
    sql.push("\"owner\" ");
    column_type(&mut sql, Column::Text);
    sql.push(" NOT NULL CONSTRAINT ").ident(&list.owner).push(" REFERENCES ").ident(&table.name);
    sql.push(" (\"id\") ON DELETE CASCADE, \"position\" BIGINT NOT NULL");
    for column in &list.columns {
        sql.push(", ").ident(&column.column).push(" ");
        column_type(&mut sql, column.kind);
        inline(&mut sql, &list.references, &column.column);
    }
    sql.push(", PRIMARY KEY (\"owner\", \"position\"))");
    sql.either(" WITHOUT ROWID", "");
    sql
}

/// A column of its own for an attribute.
pub(crate) fn add_column(dialect: Dialect, table: &Table, column: &Ident, kind: Column) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("ALTER TABLE ").ident(&table.name).push(" ADD COLUMN ").ident(column).push(" ");
    column_type(&mut sql, kind);
    inline(&mut sql, &table.references, column);
    sql
}

/// A column for an extender's attributes.
pub(crate) fn add_json_column(dialect: Dialect, table: &Table, column: &Ident) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("ALTER TABLE ").ident(&table.name).push(" ADD COLUMN ").ident(column).push(" ");
    json_type(&mut sql);
    sql
}

/// Fills a new column from the documents.
pub(crate) fn backfill(dialect: Dialect, table: &Table, field: &Field, column: &Ident) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").ident(&table.name).push(" AS t SET ").ident(column).push(" = ");
    extracted(table, field.place, &field.name, field.kind).write(&mut sql);
    sql
}

/// Fills a new side table from the documents.
pub(crate) fn backfill_list(dialect: Dialect, table: &Table, list: &List) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("INSERT INTO ").ident(&list.table).push(" (\"owner\", \"position\"");
    for column in &list.columns {
        sql.push(", ").ident(&column.column);
    }
    sql.push(") SELECT t.\"id\", ").either("e.key", "e.place - 1");
    for column in &list.columns {
        sql.push(", ");
        match (dialect, list.scalar) {
            (Dialect::Sqlite, true) => {
                sql.push("e.value");
            }
            (Dialect::Sqlite, false) => {
                sql.push("json_extract(e.value, ").path(&column.member).push(")");
            }
            (Dialect::Postgres, _) => {
                sql.push("CAST(");
                if list.scalar {
                    sql.push("e.item #>> '{}'");
                } else {
                    sql.push("e.item ->> ").member(&column.member);
                }
                sql.push(match column.kind {
                    Column::Text => " AS text)",
                    Column::Integer => " AS bigint)",
                    Column::Boolean => " AS boolean)",
                });
            }
        }
    }
    let json = table.json(list.place).column;
    sql.push(" FROM ").ident(&table.name).push(" AS t, ");
    match dialect {
        Dialect::Sqlite => {
            sql.push("json_each(").column(ROW, &json).push(", ").path(&list.attribute).push(") AS e");
            sql.push(" WHERE json_type(").column(ROW, &json).push(", ").path(&list.attribute);
            sql.push(") = 'array'");
        }
        Dialect::Postgres => {
            sql.push("jsonb_array_elements(CASE jsonb_typeof(").column(ROW, &json).push(" -> ");
            sql.member(&list.attribute).push(") WHEN 'array' THEN ").column(ROW, &json).push(" -> ");
            sql.member(&list.attribute).push(" ELSE '[]' END) WITH ORDINALITY AS e (item, place)");
        }
    }
    sql
}

/// An index, or a key.
pub(crate) fn create_index(dialect: Dialect, table: &Ident, index: &Index, unique: bool) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push(if unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
    sql.ident(&index.name).push(" ON ").ident(table).push(" (");
    let nulls_first = dialect == Dialect::Postgres && !unique;
    sql.list(&index.columns, |sql, column| {
        sql.ident(column);
        // So that it serves the order in which rows are listed.
        if nulls_first {
            sql.push(" NULLS FIRST");
        }
    });
    sql.push(")");
    sql
}

/// A foreign key of an existing table; PostgreSQL only.
pub(crate) fn add_reference(dialect: Dialect, table: &Ident, reference: &Reference) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("ALTER TABLE ").ident(table).push(" ADD CONSTRAINT ").ident(&reference.name);
    sql.push(" FOREIGN KEY (").ident(&reference.column).push(")");
    target(&mut sql, reference);
    sql
}

/// Whether a table has a row (whose column is not null).
pub(crate) fn has_rows(dialect: Dialect, table: &Ident, column: &Ident) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT 1 FROM ").ident(table).push(" WHERE ").ident(column).push(" IS NOT NULL LIMIT 1");
    sql
}

/// All columns: table, column.
pub(crate) fn real_columns(dialect: Dialect) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.either(
        "SELECT m.name, p.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS p WHERE m.type = 'table'",
        "SELECT c.relname::text, a.attname::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid \
         WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 \
         AND NOT a.attisdropped",
    );
    sql
}

/// Names of all indexes and foreign keys.
pub(crate) fn real_names(dialect: Dialect) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.either(
        "SELECT name FROM sqlite_schema WHERE type = 'index'",
        "SELECT relname::text FROM pg_class WHERE relkind = 'i' AND relnamespace = current_schema()::regnamespace \
         UNION ALL SELECT conname::text FROM pg_constraint WHERE connamespace = current_schema()::regnamespace",
    );
    sql
}

/// What each plugin declared when it was last migrated.
pub(crate) fn declared(dialect: Dialect) -> Sql {
    Sql::fixed(dialect, "SELECT plugin, declared FROM hadron_schema", Vec::new())
}

/// Keeps what a plugin declares.
pub(crate) fn declare(dialect: Dialect, plugin: &str, declared: String) -> Sql {
    Sql::fixed(
        dialect,
        "INSERT INTO hadron_schema (plugin, declared) VALUES (?, ?) \
         ON CONFLICT (plugin) DO UPDATE SET declared = excluded.declared",
        vec![plugin.into(), Bind::Text(Some(declared))],
    )
}
