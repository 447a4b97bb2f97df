//! Predicates and sort keys as SQL.

use super::{Bind, Dialect, Ident, Member, Sql, is_allowed};
use crate::schema::{EntriesOf, Json, List, ParentValue, Place, Reference, Table, standard};
use crate::{Predicate, StoreError};
use hadron_manifest::Column;
use serde_json::Value;

/// What an attribute's name means: an expression and its type.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    alias: &'static str,
    source: Source,
    pub(crate) kind: Column,
}

#[derive(Clone, Debug)]
enum Source {
    Column(Ident),
    Member(Json, Member),
    /// Not kept: true where entries allow this action.
    Decided(Option<EntriesOf>, String),
}

/// Where names are looked up.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Row(&'a Table),
    Item(&'a List),
    /// The row that the reference names.
    Above(&'a Reference),
}

/// The row's alias in every statement about rows.
pub(super) const ROW: &str = "t";
const ITEM: &str = "s";
const ABOVE: &str = "u";

/// Writes the condition.
pub(crate) fn filter(sql: &mut Sql, table: &Table, predicate: &Predicate) -> Result<(), StoreError> {
    write(sql, Scope::Row(table), predicate)
}

/// The attribute as an expression of the row.
pub(super) fn operand(table: &Table, name: &str) -> Result<Operand, StoreError> {
    if let Some((column, kind)) = standard(name) {
        return Ok(Operand { alias: ROW, source: Source::Column(column), kind });
    }
    let field = table.field(name).ok_or_else(|| unknown(table.id.name.as_ref(), name))?;
    let source = match (&field.rbac, &field.column) {
        (Some(action), _) => Source::Decided(table.entries.clone(), action.clone()),
        (None, Some(column)) => Source::Column(column.clone()),
        (None, None) => Source::Member(table.json(field.place), field.kept.clone()),
    };
    Ok(Operand { alias: ROW, source, kind: field.kind })
}

/// A member of a JSON column as its attribute's type, for filling new columns.
pub(super) fn extracted(table: &Table, place: Place, member: &Member, kind: Column) -> Operand {
    Operand { alias: ROW, source: Source::Member(table.json(place), member.clone()), kind }
}

fn unknown(collection: &str, name: &str) -> StoreError {
    StoreError::Invalid(format!("'{collection}' has no attribute '{name}'"))
}

impl Operand {
    /// The expression; text is compared and sorted by code point.
    pub(super) fn write(&self, sql: &mut Sql) {
        let (json, member) = match &self.source {
            Source::Member(json, member) => (json, member),
            Source::Column(column) => {
                sql.column(self.alias, column);
                return;
            }
            Source::Decided(entries, action) => {
                return is_allowed(sql, self.alias, entries.as_ref(), action);
            }
        };
        match sql.dialect {
            Dialect::Sqlite => {
                sql.push("json_extract(").json(self.alias, json).push(", ").path(member).push(")");
            }
            Dialect::Postgres => {
                let (open, close) = match self.kind {
                    Column::Text => ("(", ") COLLATE \"C\""),
                    Column::Integer => ("CAST(", " AS bigint)"),
                    Column::Boolean => ("CAST(", " AS boolean)"),
                };
                sql.push(open).json(self.alias, json).push(" ->> ").member(member).push(close);
            }
        }
    }
}

fn write(sql: &mut Sql, scope: Scope<'_>, predicate: &Predicate) -> Result<(), StoreError> {
    match predicate {
        Predicate::All(parts) => write_joined(sql, scope, parts, "TRUE", " AND "),
        Predicate::Any(parts) => write_joined(sql, scope, parts, "FALSE", " OR "),
        Predicate::Not(inner) => {
            sql.push("((");
            write(sql, scope, inner)?;
            sql.push(") IS NOT TRUE)");
            Ok(())
        }
        Predicate::Item(attribute, conditions) => {
            let Scope::Row(table) = scope else {
                return Err(StoreError::Invalid(format!("'{attribute}' is asked for within a list's item")));
            };
            let list = list(table, attribute)?;
            exists(sql, list, |sql| write_joined(sql, Scope::Item(list), conditions, "TRUE", " AND "))
        }
        Predicate::Referred(attribute, condition) => {
            let Scope::Row(table) = scope else {
                return Err(StoreError::Invalid(format!("'{attribute}' is asked for within another row")));
            };
            referred(sql, table, attribute, condition)
        }
        Predicate::In(name, _)
        | Predicate::Alike(name, _)
        | Predicate::Contains(name, _)
        | Predicate::StartsWith(name, _)
        | Predicate::Less(name, _)
        | Predicate::Greater(name, _) => match scope {
            Scope::Row(table) => match item_of(table, name)? {
                Some((list, member)) => {
                    let operand = item_operand(list, member)?;
                    exists(sql, list, |sql| compare(sql, name, &operand, predicate))
                }
                None => compare(sql, name, &operand(table, name)?, predicate),
            },
            Scope::Item(list) => compare(sql, name, &item_operand(list, name)?, predicate),
            Scope::Above(reference) => compare(sql, name, &above_operand(reference, name)?, predicate),
        },
    }
}

fn write_joined(
    sql: &mut Sql,
    scope: Scope<'_>,
    parts: &[Predicate],
    empty: &'static str,
    between: &'static str,
) -> Result<(), StoreError> {
    match parts {
        [] => {
            sql.push(empty);
            Ok(())
        }
        [one] => write(sql, scope, one),
        _ => {
            sql.push("(");
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    sql.push(between);
                }
                write(sql, scope, part)?;
            }
            sql.push(")");
            Ok(())
        }
    }
}

/// `LIST.MEMBER`, or the name of a list of scalars.
fn item_of<'a, 'b>(table: &'a Table, name: &'b str) -> Result<Option<(&'a List, &'b str)>, StoreError> {
    if let Some((attribute, member)) = name.split_once('.') {
        return Ok(Some((list(table, attribute)?, member)));
    }
    Ok(table.field(name).and_then(|f| table.list_of(f)).filter(|l| l.scalar).map(|l| (l, "value")))
}

/// The side table of a list attribute.
pub(super) fn list<'a>(table: &'a Table, attribute: &str) -> Result<&'a List, StoreError> {
    let field = table.field(attribute).ok_or_else(|| unknown(&table.id.name, attribute))?;
    table.list_of(field).ok_or_else(|| {
        StoreError::Invalid(format!("'{attribute}' of '{}' cannot be searched by its items", table.id.name))
    })
}

/// A member of the items of a list, which are rows of the alias `s`.
pub(super) fn item_operand(list: &List, member: &str) -> Result<Operand, StoreError> {
    let column = list.columns.iter().find(|c| c.member.as_str() == member).ok_or_else(|| {
        StoreError::Invalid(format!("'{member}' of '{}' cannot be searched", list.attribute.as_str()))
    })?;
    Ok(Operand { alias: ITEM, source: Source::Column(column.column.clone()), kind: column.kind })
}

fn above_operand(reference: &Reference, name: &str) -> Result<Operand, StoreError> {
    if let Some((column, kind)) = standard(name) {
        return Ok(Operand { alias: ABOVE, source: Source::Column(column), kind });
    }
    let found = reference.above.iter().find_map(|a| Some((a, a.kind.filter(|_| a.name == name)?)));
    let (found, kind) = found.ok_or_else(|| unknown(&reference.target.name, name))?;
    let source = match &found.value {
        ParentValue::Column(column) => Source::Column(column.clone()),
        ParentValue::Member(json, member) => {
            Source::Member(Json { column: json.clone(), defaults: None }, member.clone())
        }
        ParentValue::Decided(entries, action) => Source::Decided(entries.clone(), action.clone()),
    };
    Ok(Operand { alias: ABOVE, source, kind })
}

/// The ids of all rows that fit are gathered once: then an index on the
/// reference serves, also where this is one side of an OR, which a correlated
/// EXISTS would turn into a scan.
fn referred(sql: &mut Sql, table: &Table, attribute: &str, condition: &Predicate) -> Result<(), StoreError> {
    let reference = table.references.iter().find(|r| r.attribute == attribute).ok_or_else(|| {
        StoreError::Invalid(format!("'{attribute}' of '{}' is no reference", table.id.name))
    })?;
    sql.column(ROW, &reference.column)
        .either(" IN (SELECT u.\"id\" FROM ", " = ANY (ARRAY(SELECT u.\"id\" FROM ");
    sql.ident(&reference.table).push(" AS u WHERE ");
    write(sql, Scope::Above(reference), condition)?;
    sql.either(")", "))");
    Ok(())
}

fn exists(
    sql: &mut Sql,
    list: &List,
    condition: impl FnOnce(&mut Sql) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    sql.push("EXISTS (SELECT 1 FROM ").ident(&list.table).push(" AS s WHERE s.\"owner\" = t.\"id\" AND ");
    condition(sql)?;
    sql.push(")");
    Ok(())
}

fn compare(sql: &mut Sql, name: &str, operand: &Operand, predicate: &Predicate) -> Result<(), StoreError> {
    match predicate {
        Predicate::In(_, values) if matches!(operand.source, Source::Decided(..)) => {
            let asks = |truth: bool| {
                values.iter().any(|v| value_of(operand.kind, v) == Some(Bind::Boolean(Some(truth))))
            };
            match (asks(true), asks(false)) {
                (true, true) => {
                    sql.push("TRUE");
                }
                (false, false) => {
                    sql.push("FALSE");
                }
                (truth, _) => {
                    sql.push(if truth { "" } else { "NOT " });
                    operand.write(sql);
                }
            }
            Ok(())
        }
        Predicate::In(_, values) => {
            write_in(sql, operand, values);
            Ok(())
        }
        Predicate::Alike(_, texts) => {
            if operand.kind != Column::Text {
                return Err(StoreError::Invalid(format!("'{name}' is no text that has letters")));
            }
            let texts = texts.iter().filter(|text| !text.contains('\0'));
            sql.push("lower(");
            operand.write(sql);
            sql.push(")").one_of(Bind::Texts(texts.map(|text| text.to_ascii_lowercase()).collect()));
            Ok(())
        }
        Predicate::Contains(_, text) | Predicate::StartsWith(_, text) => {
            if operand.kind != Column::Text {
                return Err(StoreError::Invalid(format!("'{name}' is no text that could be searched")));
            }
            // Neither database can hold this character in text.
            if text.contains('\0') {
                sql.push("FALSE");
                return Ok(());
            }
            let starts = matches!(predicate, Predicate::StartsWith(..));
            match (sql.dialect, starts) {
                (Dialect::Sqlite, true) => {
                    sql.push("substr(");
                    operand.write(sql);
                    sql.push(", 1, length(").bind(text.as_str().into()).push(")) = ");
                    sql.bind(text.as_str().into());
                }
                (Dialect::Sqlite, false) => {
                    sql.push("instr(");
                    operand.write(sql);
                    sql.push(", ").bind(text.as_str().into()).push(") > 0");
                }
                (Dialect::Postgres, true) => {
                    sql.push("starts_with(");
                    operand.write(sql);
                    sql.push(", ").bind(text.as_str().into()).push(")");
                }
                (Dialect::Postgres, false) => {
                    sql.push("strpos(");
                    operand.write(sql);
                    sql.push(", ").bind(text.as_str().into()).push(") > 0");
                }
            }
            Ok(())
        }
        Predicate::Less(_, value) | Predicate::Greater(_, value) => {
            let sign = if matches!(predicate, Predicate::Less(..)) { " < " } else { " > " };
            match value_of(operand.kind, value) {
                Some(bind) => {
                    operand.write(sql);
                    sql.push(sign).bind(bind);
                }
                None => {
                    sql.push("FALSE");
                }
            }
            Ok(())
        }
        _ => Err(StoreError::Invalid(format!("'{name}' is not compared with anything"))),
    }
}

/// Equal to one of the values; those that cannot be values of that type match
/// nothing.
pub(super) fn write_in(sql: &mut Sql, operand: &Operand, values: &[Value]) {
    let null = values.iter().any(Value::is_null);
    let mut binds: Vec<Bind> =
        values.iter().filter(|v| !v.is_null()).filter_map(|v| value_of(operand.kind, v)).collect();
    sql.push("(");
    if binds.len() > 1 {
        operand.write(sql);
        match operand.kind {
            Column::Text => {
                let texts = binds.into_iter().filter_map(|b| if let Bind::Text(t) = b { t } else { None });
                let texts = texts.collect();
                sql.one_of(Bind::Texts(texts));
            }
            Column::Integer => {
                let numbers =
                    binds.into_iter().filter_map(|b| if let Bind::Integer(n) = b { n } else { None });
                let numbers = numbers.collect();
                sql.one_of(Bind::Integers(numbers));
            }
            Column::Boolean => {
                sql.push(" IN (").list(binds, |sql, bind| {
                    sql.bind(bind);
                });
                sql.push(")");
            }
        }
    } else if let Some(bind) = binds.pop() {
        operand.write(sql);
        sql.push(" = ").bind(bind);
    } else if !null {
        sql.push("FALSE");
    }
    if null {
        if values.len() > 1 && sql.text.as_bytes().last() != Some(&b'(') {
            sql.push(" OR ");
        }
        operand.write(sql);
        sql.push(" IS NULL");
    }
    sql.push(")");
}

/// The value as one of that type, where it can be one.
fn value_of(kind: Column, value: &Value) -> Option<Bind> {
    match (kind, value) {
        (_, Value::Null) => None,
        (Column::Text, Value::String(text)) => (!text.contains('\0')).then(|| text.as_str().into()),
        (Column::Text, other) => Some(Bind::Text(Some(other.to_string()))),
        (Column::Integer, Value::Number(number)) => number.as_i64().map(Bind::from),
        (Column::Integer, Value::String(text)) => text.parse::<i64>().ok().map(Bind::from),
        (Column::Integer, _) => None,
        (Column::Boolean, Value::Bool(truth)) => Some(Bind::Boolean(Some(*truth))),
        (Column::Boolean, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => Some(Bind::Boolean(Some(true))),
            "false" => Some(Bind::Boolean(Some(false))),
            _ => None,
        },
        (Column::Boolean, _) => None,
    }
}
