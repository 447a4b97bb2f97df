//! Makes the tables fit the manifests, by adding only.
//!
//! What the manifests want is compared with what is really there (tables,
//! columns, indexes, foreign keys) and with what the same plugins declared
//! before. What would lose data or change a type is refused before anything is
//! done; everything is done in one transaction.

use crate::connection::Conn;
use crate::fault::Fault;
use crate::schema::{Index, KEPT_BY_HOST, Reference, Schema, Table, table_name};
use crate::sql::{self, Dialect, Ident, Sql};
use crate::store::Inner;
use crate::{CollectionId, Migration, StoreError};
use hadron_manifest::{Attribute, Collection, Column, Extends, ListTable, Manifest};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How often a migration that got in the way of units is tried.
const TRIES: u32 = 5;
const AGAIN: Duration = Duration::from_millis(200);

/// The part of a manifest that tables are made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Declared {
    collections: Vec<Collection>,
    extends: Vec<Extends>,
}

impl Declared {
    fn of(manifest: &Manifest) -> Declared {
        Declared { collections: manifest.collections.clone(), extends: manifest.extends.clone() }
    }
}

/// What is in the database.
struct Real {
    columns: HashMap<String, HashSet<String>>,
    names: HashSet<String>,
    declared: HashMap<String, Declared>,
}

pub(crate) async fn migrate(
    store: &Arc<Inner>,
    manifests: &[Arc<Manifest>],
    dry: bool,
) -> Result<Migration, StoreError> {
    let schema = Schema::build(manifests)?;
    // Two calls of this process must not swap each other's schema.
    let _turn = store.migrating.lock().await;
    let mut tries = 0;
    let steps = loop {
        tries += 1;
        let mut session = store.database.alone().await?;
        let outcome = match session.conn() {
            Ok(conn) => run(conn, &schema, manifests, dry).await,
            Err(error) => Err(error.into()),
        };
        let error = match outcome {
            Ok(steps) if dry => {
                session.rollback().await;
                return Ok(Migration { steps });
            }
            Ok(steps) => match session.commit().await {
                Ok(()) => break steps,
                Err(error) => error,
            },
            Err(fault) => {
                session.rollback().await;
                fault.inside()
            }
        };
        match error {
            StoreError::Retry(_) if tries < TRIES => tokio::time::sleep(AGAIN).await,
            other => return Err(crate::database::outside(other)),
        }
    };
    store.set_schema(schema);
    Ok(Migration { steps })
}

async fn run(
    conn: &mut Conn,
    schema: &Schema,
    manifests: &[Arc<Manifest>],
    dry: bool,
) -> Result<Vec<String>, Fault> {
    if conn.dialect() == Dialect::Postgres {
        conn.simple(sql::MIGRATION_PATIENCE).await?;
        conn.simple(sql::MIGRATION_LOCK).await?;
    }
    let real = read(conn).await?;
    for manifest in manifests {
        if let Some(old) = real.declared.get(&manifest.name) {
            refuse_losses(conn, &real, schema, manifest, old).await?;
        }
    }
    let mut plan = Plan { dialect: conn.dialect(), steps: Vec::new() };
    for table in schema.tables() {
        plan.table(&table, &real);
    }
    for table in schema.tables() {
        plan.entries(schema, &table, &real);
    }
    for table in schema.tables() {
        plan.constraints(&table, &real);
    }
    for manifest in manifests {
        plan.counts(schema, manifest, &real);
    }
    let mut sentences = Vec::with_capacity(plan.steps.len());
    for step in plan.steps {
        if !dry {
            for statement in step.statements {
                conn.execute(statement).await.map_err(|error| match Fault::from(error) {
                    Fault::Unique(_) | Fault::Reference(..) => Fault::Store(StoreError::Invalid(format!(
                        "the rows that are there do not allow to {}",
                        step.sentence
                    ))),
                    other => other,
                })?;
            }
        }
        sentences.push(step.sentence);
    }
    for manifest in manifests {
        let declared = Declared::of(manifest);
        if !dry && real.declared.get(&manifest.name) != Some(&declared) {
            let text = serde_json::to_string(&declared)
                .map_err(|error| StoreError::Invalid(format!("a manifest cannot be kept: {error}")))?;
            conn.execute(sql::declare(conn.dialect(), &manifest.name, text)).await?;
        }
    }
    Ok(sentences)
}

async fn read(conn: &mut Conn) -> Result<Real, Fault> {
    let dialect = conn.dialect();
    let mut real = Real { columns: HashMap::new(), names: HashSet::new(), declared: HashMap::new() };
    for record in conn.fetch(sql::real_columns(dialect)).await? {
        real.columns.entry(record.text(0)?).or_default().insert(record.text(1)?);
    }
    for record in conn.fetch(sql::real_names(dialect)).await? {
        real.names.insert(record.text(0)?);
    }
    for record in conn.fetch(sql::declared(dialect)).await? {
        // What an older or newer server wrote and this one cannot read is not
        // compared with.
        if let Ok(declared) = serde_json::from_str(&record.text(1)?) {
            real.declared.insert(record.text(0)?, declared);
        }
    }
    Ok(real)
}

impl Real {
    fn has_table(&self, table: &Ident) -> bool {
        self.columns.contains_key(table.as_str())
    }

    fn has_column(&self, table: &Ident, column: &Ident) -> bool {
        self.columns.get(table.as_str()).is_some_and(|columns| columns.contains(column.as_str()))
    }

    /// Whether rows held the attribute when it was last declared.
    fn was_kept(&self, table: &Table, attribute: &str) -> bool {
        let own = self.declared.get(&*table.id.plugin).into_iter().flat_map(|d| &d.collections);
        own.filter(|c| c.name == *table.id.name)
            .any(|c| c.attribute(attribute).is_some_and(|a| a.rbac.is_none()))
    }

    /// Whether an attribute had a column of its own when it was last declared.
    fn had_column(&self, table: &Table, attribute: &str) -> bool {
        let own = self.declared.get(&*table.id.plugin).into_iter().flat_map(|d| &d.collections);
        let extended = self
            .declared
            .values()
            .flat_map(|d| &d.extends)
            .filter(|e| e.collection == *table.id.name)
            .any(|e| extended_column(e, attribute));
        own.filter(|c| c.name == *table.id.name).any(|c| has_column(c, attribute)) || extended
    }
}

fn has_column(collection: &Collection, attribute: &str) -> bool {
    collection.attribute(attribute).is_some_and(|a| a.index)
        || collection.keys.iter().any(|k| k.attributes.iter().any(|a| a == attribute))
        || collection.indexes.iter().flatten().any(|a| a == attribute)
        || collection.references.iter().any(|r| r.attribute == attribute)
}

fn extended_column(extends: &Extends, attribute: &str) -> bool {
    extends.attributes.iter().any(|a| a.name == attribute && a.index)
        || extends.references.iter().any(|r| r.attribute == attribute)
}

/// Something to be done, and the sentence that tells it.
struct Step {
    sentence: String,
    statements: Vec<Sql>,
}

struct Plan {
    dialect: Dialect,
    steps: Vec<Step>,
}

impl Plan {
    fn step(&mut self, sentence: String, statements: Vec<Sql>) {
        self.steps.push(Step { sentence, statements });
    }

    fn table(&mut self, table: &Table, real: &Real) {
        let dialect = self.dialect;
        let name = &table.id.name;
        let fresh = !real.has_table(&table.name);
        if fresh {
            self.step(
                format!("make the table '{}' of the collection '{name}'", table.name.as_str()),
                vec![sql::create_table(dialect, table)],
            );
        } else {
            for extension in &table.extensions {
                if !real.has_column(&table.name, &extension.column) {
                    let whose = match &*extension.plugin {
                        KEPT_BY_HOST => "that the host keeps".to_owned(),
                        plugin => format!("of '{plugin}'"),
                    };
                    self.step(
                        format!("add a column for the attributes {whose} to '{name}'"),
                        vec![sql::add_json_column(dialect, table, &extension.column)],
                    );
                }
            }
            for (field, column) in table.columns() {
                let attribute = field.name.as_str();
                let fill = sql::backfill(dialect, table, field, column);
                if !real.has_column(&table.name, column) {
                    self.step(
                        format!("add a column for the attribute '{attribute}' to '{name}'"),
                        vec![sql::add_column(dialect, table, column, field.kind), fill],
                    );
                } else if !real.had_column(table, attribute) && !table.is_extension(field) {
                    self.step(format!("fill the column of '{attribute}' of '{name}' again"), vec![fill]);
                }
            }
        }
        for (object_type, column) in table.objects.iter().flat_map(|o| &o.columns) {
            if !fresh && !real.has_column(&table.name, column) {
                self.step(
                    format!("add a column for objects of the type '{object_type}' to '{name}'"),
                    vec![sql::add_column(dialect, table, column, Column::Text)],
                );
            }
        }
        for list in &table.lists {
            if !real.has_table(&list.table) {
                let mut statements = vec![sql::create_list(dialect, table, list)];
                if !fresh {
                    statements.push(sql::backfill_list(dialect, table, list));
                }
                self.step(
                    format!("make a table for the items of '{}' of '{name}'", list.attribute.as_str()),
                    statements,
                );
            }
        }
    }

    /// Entries in the place of what rows held before entries decided it.
    fn entries(&mut self, schema: &Schema, table: &Table, real: &Real) {
        let Some(entries) = table.entries.as_ref().filter(|_| real.has_table(&table.name)) else { return };
        let Some(holder) = schema.tables().into_iter().find(|t| t.name == entries.table) else { return };
        let Some(objects) = &holder.objects else { return };
        let now = crate::time::now();
        for (field, action) in table.decided().filter(|(f, _)| real.was_kept(table, f.name.as_str())) {
            let made = sql::entries_of_rows(self.dialect, table, field, action, &holder, objects, &now);
            let mut statements: Vec<Sql> = made.into_iter().collect();
            statements.push(sql::forget_kept(self.dialect, table, field));
            if let Some(quota) = &holder.quota {
                statements.extend(sql::recount(self.dialect, &holder, quota));
            }
            self.step(
                format!(
                    "keep '{}' of '{}' as entries of '{}'",
                    field.name.as_str(),
                    table.id.name,
                    holder.id.name
                ),
                statements,
            );
        }
    }

    /// Rows that were not counted until now. A table that is made here has none.
    fn counts(&mut self, schema: &Schema, manifest: &Manifest, real: &Real) {
        for collection in &manifest.collections {
            let id =
                CollectionId { plugin: manifest.name.as_str().into(), name: collection.name.as_str().into() };
            let (Some(quota), Ok(table)) = (collection.quota_name(), schema.table(&id)) else { continue };
            let declared = real.declared.get(&manifest.name).into_iter().flat_map(|d| &d.collections);
            let counted =
                declared.filter(|c| c.name == collection.name).any(|c| c.quota_name() == Some(quota));
            if real.has_table(&table.name) && !counted {
                let statements = sql::recount(self.dialect, &table, quota);
                self.step(format!("count the rows of '{}' of each project", collection.name), statements);
            }
        }
    }

    /// Indexes and foreign keys, once all tables are there.
    fn constraints(&mut self, table: &Table, real: &Real) {
        let name = table.id.name.to_string();
        self.indexes(&name, &table.name, &table.keys, true, real);
        self.indexes(&name, &table.name, &table.indexes, false, real);
        self.references(&name, &table.name, &table.references, real);
        for list in &table.lists {
            self.indexes(&name, &list.table, &list.keys, true, real);
            self.indexes(&name, &list.table, &list.indexes, false, real);
            self.references(&name, &list.table, &list.references, real);
        }
    }

    fn indexes(&mut self, name: &str, table: &Ident, indexes: &[Index], unique: bool, real: &Real) {
        for index in indexes.iter().filter(|i| !real.names.contains(i.name.as_str())) {
            let what = if unique { "key" } else { "index" };
            self.step(
                format!("add the {what} '{}' to '{name}'", index.says),
                vec![sql::create_index(self.dialect, table, index, unique)],
            );
        }
    }

    fn references(&mut self, name: &str, table: &Ident, references: &[Reference], real: &Real) {
        // SQLite's came with their columns.
        if self.dialect == Dialect::Sqlite {
            return;
        }
        for reference in references.iter().filter(|r| !real.names.contains(r.name.as_str())) {
            self.step(
                format!("make '{}' of '{name}' refer to '{}'", reference.attribute, reference.target.name),
                vec![sql::add_reference(self.dialect, table, reference)],
            );
        }
    }
}

fn refuse(sentence: String) -> Fault {
    Fault::Store(StoreError::Invalid(sentence))
}

/// Whether the table is there and has rows whose column is not null.
async fn has_rows(conn: &mut Conn, real: &Real, table: &Ident, column: &Ident) -> Result<bool, Fault> {
    if !real.has_column(table, column) {
        return Ok(false);
    }
    Ok(!conn.fetch(sql::has_rows(conn.dialect(), table, column)).await?.is_empty())
}

/// Compares a manifest with what the same plugin declared before.
async fn refuse_losses(
    conn: &mut Conn,
    real: &Real,
    schema: &Schema,
    new: &Manifest,
    old: &Declared,
) -> Result<(), Fault> {
    let plugin = &new.name;
    for before in &old.collections {
        let name = &before.name;
        let table = table_name(plugin, name);
        let rows = has_rows(conn, real, &table, &Ident::host("id")).await?;
        let Some(after) = new.collections.iter().find(|c| c.name == *name) else {
            if rows {
                return Err(refuse(format!(
                    "'{plugin}' no longer declares the collection '{name}', which has rows: they would be lost"
                )));
            }
            continue;
        };
        for attribute in &before.attributes {
            let stays = after.attribute(&attribute.name);
            check_attribute(name, attribute, stays, rows, has_column(before, &attribute.name))?;
            let moves = attribute.rbac.is_none() && stays.is_some_and(|now| now.rbac.is_some());
            if moves && rows && !schema.has_entries(&table) {
                return Err(refuse(format!(
                    "what rows of '{name}' hold as '{}' is kept as entries now, and no loaded plugin holds entries",
                    attribute.name
                )));
            }
        }
        for key in &before.keys {
            if !after.keys.contains(key) {
                return Err(refuse(format!("the key '{}' of '{name}' is gone or changed", key.name)));
            }
        }
        for reference in &before.references {
            if !after.references.iter().any(|now| same_key(now, reference)) {
                return Err(refuse(format!(
                    "the reference '{}' of '{name}' is gone or changed",
                    reference.attribute
                )));
            }
        }
        for reference in &after.references {
            let known = before.references.iter().any(|r| r.attribute == reference.attribute);
            if !known && has_column(before, &reference.attribute) {
                return Err(refuse(format!(
                    "'{}' of '{name}' has a column already and cannot become a reference",
                    reference.attribute
                )));
            }
        }
    }
    for before in &old.extends {
        let none = Extends::default();
        let after = new.extends.iter().find(|e| e.collection == before.collection).unwrap_or(&none);
        let column = Ident::new(&["x_", plugin]);
        let mut rows = false;
        for table in real.columns.keys().filter(|t| t.ends_with(&format!("__{}", before.collection))) {
            rows |= has_rows(conn, real, &Ident::new(&[table]), &column).await?;
        }
        for attribute in &before.attributes {
            let stays = after.attributes.iter().find(|a| a.name == attribute.name);
            let had_column = extended_column(before, &attribute.name);
            check_attribute(&before.collection, attribute, stays, rows, had_column)?;
        }
        for reference in &before.references {
            if !after.references.iter().any(|now| same_key(now, reference)) {
                return Err(refuse(format!(
                    "the reference '{}' that '{plugin}' adds to '{}' is gone or changed",
                    reference.attribute, before.collection
                )));
            }
        }
        for reference in &after.references {
            let known = before.references.iter().any(|r| r.attribute == reference.attribute);
            if !known && extended_column(before, &reference.attribute) {
                return Err(refuse(format!(
                    "'{}' that '{plugin}' adds to '{}' has a column already and cannot become a reference",
                    reference.attribute, before.collection
                )));
            }
        }
    }
    Ok(())
}

fn check_attribute(
    collection: &str,
    before: &Attribute,
    after: Option<&Attribute>,
    rows: bool,
    had_column: bool,
) -> Result<(), Fault> {
    let name = &before.name;
    let Some(after) = after else {
        if rows {
            return Err(refuse(format!(
                "the attribute '{name}' of '{collection}' is no longer declared: its values would be lost"
            )));
        }
        return Ok(());
    };
    let (old, new) = (before.validate.column(), after.validate.column());
    if old != new && (rows || had_column) {
        return Err(refuse(format!(
            "the attribute '{name}' of '{collection}' changes its type from {} to {}",
            says(old),
            says(new)
        )));
    }
    if let Some(list) = &before.list
        && !after.list.as_ref().is_some_and(|new| same_list(list, new))
    {
        return Err(refuse(format!(
            "the columns or keys of the list '{name}' of '{collection}' are changed, which is not possible yet"
        )));
    }
    Ok(())
}

/// Whether it is the same foreign key; what it says is free to change.
fn same_key(a: &hadron_manifest::Reference, b: &hadron_manifest::Reference) -> bool {
    (&a.attribute, &a.collection, a.on_delete) == (&b.attribute, &b.collection, b.on_delete)
}

fn same_list(a: &ListTable, b: &ListTable) -> bool {
    let columns = |list: &ListTable| -> Vec<(String, Option<String>)> {
        list.columns.iter().map(|c| (c.name.clone(), c.references.clone())).collect()
    };
    columns(a) == columns(b) && a.keys == b.keys
}

fn says(column: Column) -> &'static str {
    match column {
        Column::Text => "text",
        Column::Integer => "whole numbers",
        Column::Boolean => "booleans",
    }
}
