//! What failed, in the words of the manifest: which key, which reference, which
//! rows stand in the way.

use super::Transaction;
use crate::connection::Record;
use crate::fault::{self, Fault};
use crate::rows::{self, Parts};
use crate::schema::{Constraint, Incoming, Table};
use crate::sql::{self, Dialect, Ident, Sql};
use crate::{CollectionId, Predicate, StoreError, View};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// What a statement was about, for naming its failure.
pub(super) enum Doing<'a> {
    Reading,
    Writing(&'a Table, &'a [Parts], &'a [String]),
    Deleting(&'a Table, &'a [String]),
}

impl Transaction {
    /// Names a failure in the words of the manifest.
    pub(super) async fn failed(&mut self, fault: Fault, doing: Doing<'_>) -> StoreError {
        let error = match (fault, doing) {
            (Fault::Unique(name), _) => {
                self.clashed = true;
                StoreError::Duplicate(self.key(&name))
            }
            (Fault::Reference(name, from), Doing::Deleting(table, ids)) => {
                let named = name.map(|name| match self.schema.constraint(&name) {
                    Some(Constraint::Reference(collection, _)) => collection.clone(),
                    _ => from.unwrap_or(name),
                });
                self.in_the_way(named, table, ids).await.unwrap_or_else(|error| error)
            }
            (Fault::Reference(Some(name), _), _) => match self.schema.constraint(&name) {
                Some(Constraint::Reference(_, attribute)) => StoreError::MissingReference(attribute.clone()),
                _ => StoreError::MissingReference(name),
            },
            (Fault::Reference(None, _), Doing::Writing(table, parts, ids)) => {
                match self.missing_reference(table, parts, ids).await {
                    Ok(attribute) => StoreError::MissingReference(attribute),
                    Err(error) => error,
                }
            }
            (fault, _) => fault.inside(),
        };
        self.doom(error)
    }

    fn key(&self, name: &str) -> String {
        match self.schema.constraint(name) {
            Some(Constraint::Key(says)) => says.clone(),
            _ => self.schema.key_of_columns(name).unwrap_or_else(|| name.to_owned()),
        }
    }

    /// SQLite does not say which reference failed: the first that names a row
    /// which is not there.
    async fn missing_reference(
        &mut self,
        table: &Table,
        parts: &[Parts],
        ids: &[String],
    ) -> Result<String, StoreError> {
        let mut wanted: Vec<(String, Ident, BTreeSet<String>)> = Vec::new();
        for reference in &table.references {
            let values = parts.iter().filter_map(|p| p.referred(table, reference)).map(str::to_owned);
            wanted.push((reference.attribute.clone(), reference.table.clone(), values.collect()));
        }
        for list in &table.lists {
            for reference in &list.references {
                let values = parts
                    .iter()
                    .flat_map(|p| p.list_values(list, &reference.column))
                    .map(str::to_owned)
                    .collect();
                wanted.push((reference.attribute.clone(), reference.table.clone(), values));
            }
        }
        for (attribute, target, mut values) in wanted {
            if target == table.name {
                ids.iter().for_each(|id| {
                    values.remove(id);
                });
            }
            if values.is_empty() {
                continue;
            }
            let statement = sql::existing(self.dialect(), &target, values.iter().cloned().collect());
            for record in &self.ask(statement).await? {
                values.remove(&record.text(0)?);
            }
            if !values.is_empty() {
                return Ok(attribute);
            }
        }
        Ok("unknown".to_owned())
    }

    /// What a deletion is answered that a reference did not allow; `named` is the
    /// referring collection, where the database told.
    async fn in_the_way(
        &mut self,
        named: Option<String>,
        table: &Table,
        ids: &[String],
    ) -> Result<StoreError, StoreError> {
        let refuses = self.schema.refuses();
        if let Some(collection) = named.as_ref().filter(|_| !refuses) {
            return Ok(StoreError::InUse(collection.clone()));
        }
        if self.dialect() == Dialect::Postgres {
            // It takes no question after a failure. Nothing but the rollback would
            // come of the unit anyway.
            self.conn()?.simple("ROLLBACK").await.map_err(|error| fault::of(error).inside())?;
        }
        let Some(way) = self.obstacle(table, ids).await? else {
            let unknown = "a plugin that is not loaded".to_owned();
            return Ok(StoreError::InUse(named.unwrap_or(unknown)));
        };
        let Some(refusal) = &way.incoming.refusal else {
            return Ok(StoreError::InUse(way.incoming.from.name.to_string()));
        };
        let from = self.schema.table(&way.incoming.from)?;
        let statement = sql::by_id(self.dialect(), &from, &way.by, &Predicate::always(), &View::default())?;
        let records = self.ask(statement).await?;
        let by = records.first().map(|record| rows::row(&from, &View::default(), record)).transpose()?;
        let by = by.and_then(|row| serde_json::from_str(&row.json()).ok()).unwrap_or_default();
        Ok(StoreError::Refused {
            error: refusal.error.clone(),
            message: filled(&refusal.message, &way.id, &way.by, &by),
        })
    }

    /// A row that would stay and refers to one that would be removed; of several
    /// one whose reference says what is answered then.
    async fn obstacle(&mut self, table: &Table, ids: &[String]) -> Result<Option<Obstacle>, StoreError> {
        let mut gone: HashMap<CollectionId, BTreeSet<String>> = HashMap::new();
        let mut fresh = vec![(table.id.clone(), ids.to_vec())];
        let mut restricting = Vec::new();
        gone.insert(table.id.clone(), ids.iter().cloned().collect());
        let schema = self.schema.clone();
        while let Some((target, ids)) = fresh.pop() {
            for incoming in schema.incoming(&target) {
                let statement = sql::referring(
                    self.dialect(),
                    &incoming.table,
                    &incoming.row,
                    &incoming.column,
                    ids.clone(),
                );
                let mut rows = Vec::new();
                for record in &self.ask(statement).await? {
                    rows.push((record.text(0)?, record.text(1)?));
                }
                if incoming.cascade {
                    let known = gone.entry(incoming.from.clone()).or_default();
                    let new = rows.into_iter().map(|(row, _)| row).filter(|row| known.insert(row.clone()));
                    let new: Vec<String> = new.collect();
                    if !new.is_empty() {
                        fresh.push((incoming.from, new));
                    }
                } else {
                    let each =
                        rows.into_iter().map(|(by, id)| Obstacle { incoming: incoming.clone(), by, id });
                    restricting.extend(each);
                }
            }
        }
        restricting.retain(|way| !gone.get(&way.incoming.from).is_some_and(|gone| gone.contains(&way.by)));
        let told = restricting.iter().position(|way| way.incoming.refusal.is_some()).unwrap_or(0);
        Ok((told < restricting.len()).then(|| restricting.swap_remove(told)))
    }

    /// A question about a failure: that it fails too says nothing new.
    async fn ask(&mut self, statement: Sql) -> Result<Vec<Record>, StoreError> {
        self.conn()?.fetch(statement).await.map_err(|error| fault::of(error).inside())
    }
}

/// A row in the way of a deletion.
struct Obstacle {
    incoming: Incoming,
    /// The row that refers.
    by: String,
    /// The row referred to.
    id: String,
}

/// The sentence with `{id}`, `{by}` and `{by.ATTRIBUTE}` in it filled in.
fn filled(message: &str, id: &str, by: &str, row: &Map<String, Value>) -> String {
    let mut pieces = message.split('{');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').unwrap_or(("", piece));
        match (name, name.strip_prefix("by.").and_then(|name| row.get(name))) {
            ("id", _) => out.push_str(id),
            ("by", _) => out.push_str(by),
            (_, Some(Value::String(text))) => out.push_str(text),
            (_, Some(value)) => out.push_str(&value.to_string()),
            _ => out.extend(["{", name, "}"]),
        }
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_rows() {
        let row = Map::from_iter([("owner".to_owned(), Value::from("o"))]);
        let told = |message: &str| filled(message, "1", "2", &row);
        assert_eq!(told("{id} is held by {by.owner} ({by})."), "1 is held by o (2).");
        assert_eq!(told("no names"), "no names");
        assert_eq!(told("{other} {by.x}"), "{other} {by.x}");
    }
}
