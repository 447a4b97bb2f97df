//! Statements about the items of list attributes, whatever rows they are of.

use super::filter::{item_operand, list, write_in};
use super::{Dialect, Sql};
use crate::StoreError;
use crate::schema::Table;
use serde_json::Value;

/// For each of these values of the member `by`, the values of `member`: of each
/// the text of JSON.
pub(crate) fn gather(
    dialect: Dialect,
    table: &Table,
    attribute: &str,
    by: &str,
    values: &[Value],
    member: &str,
) -> Result<Sql, StoreError> {
    let list = list(table, attribute)?;
    let (by, member) = (item_operand(list, by)?, item_operand(list, member)?);
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").either("json_quote(", "to_json(");
    by.write(&mut sql);
    sql.either("), json_group_array(", ")::text, json_agg(");
    member.write(&mut sql);
    sql.either(")", ")::text").push(" FROM ").ident(&list.table).push(" AS s WHERE ");
    write_in(&mut sql, &by, values);
    sql.push(" GROUP BY ");
    by.write(&mut sql);
    sql.push(" ORDER BY ");
    by.write(&mut sql);
    Ok(sql)
}
