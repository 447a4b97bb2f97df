//! What the server really sends to its database, read from its log.
//!
//! At level `trace` the store logs each statement with its values and the
//! number of the connection. From this the transactions of a load are put
//! together again, so that the bare database can be given exactly the same.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// The log level at which the store tells its statements.
pub(crate) const LOG_LEVEL: &str = "warn,hadron_store::statement=trace";

/// A bound value, as the store writes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Boolean(Option<bool>),
    Json(Option<String>),
    Bytes(Vec<u8>),
    Texts(Vec<String>),
    Integers(Vec<i64>),
    OptionalTexts(Vec<Option<String>>),
    OptionalIntegers(Vec<Option<i64>>),
    OptionalBooleans(Vec<Option<bool>>),
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) text: Arc<str>,
    pub(crate) values: Vec<Value>,
}

/// The statements of a unit of work, without those that begin and end it.
pub(crate) type Transaction = Vec<Statement>;

/// What was recorded.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Units of work that write to a table whose name ends with what was asked
    /// for, in the order of their COMMIT.
    pub(crate) transactions: Vec<Transaction>,
    /// Statements of all connections, whatever for.
    pub(crate) statements: u64,
}

#[derive(Deserialize)]
struct Line {
    connection: u64,
    text: String,
    /// JSON in JSON: log fields are scalars.
    values: String,
}

impl Record {
    /// Reads a log; of the units of work, those with an INSERT into `table`.
    pub(crate) fn read(log: &Path, table: &str) -> Result<Record> {
        let text = std::fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
        Record::parse(&text, table)
    }

    fn parse(log: &str, table: &str) -> Result<Record> {
        let mut record = Record::default();
        let mut open: HashMap<u64, Transaction> = HashMap::new();
        let mut texts: HashSet<Arc<str>> = HashSet::new();
        let insert = format!("{table}\"");
        for line in log.lines().filter(|line| line.contains("hadron_store::statement")) {
            let line: Line = serde_json::from_str(line).context("a statement in the log is unreadable")?;
            record.statements += 1;
            let word = line.text.split_whitespace().next().unwrap_or_default();
            match word {
                "BEGIN" | "SAVEPOINT" => drop(open.insert(line.connection, Vec::new())),
                "ROLLBACK" => drop(open.remove(&line.connection)),
                "COMMIT" | "RELEASE" => {
                    let whole = open.remove(&line.connection).unwrap_or_default();
                    let writes = |s: &Statement| s.text.contains("INSERT INTO") && s.text.contains(&insert);
                    if whole.iter().any(writes) {
                        record.transactions.push(whole);
                    }
                }
                _ => {
                    let Some(whole) = open.get_mut(&line.connection) else { continue };
                    let text = match texts.get(line.text.as_str()) {
                        Some(text) => text.clone(),
                        None => Arc::from(line.text),
                    };
                    texts.insert(text.clone());
                    let values = serde_json::from_str(&line.values)
                        .with_context(|| format!("the values of a statement: {}", line.values))?;
                    whole.push(Statement { text, values });
                }
            }
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(connection: u64, text: &str, values: &str) -> String {
        serde_json::json!({
            "target": "hadron_store::statement", "connection": connection, "text": text, "values": values,
        })
        .to_string()
    }

    #[test]
    fn units_of_work_are_told_apart_by_connection() {
        let log = [
            r#"{"target":"hadron_server","message":"serving"}"#.to_owned(),
            line(1, "BEGIN", "[]"),
            line(2, "BEGIN", "[]"),
            line(1, "INSERT INTO \"x__ports\" VALUES ($1)", r#"[{"Text":"a"}]"#),
            line(2, "SELECT 1", "[]"),
            line(2, "COMMIT", "[]"),
            line(1, "SELECT 2", r#"[{"Integer":null}]"#),
            line(1, "COMMIT", "[]"),
            line(3, "SELECT 3", "[]"),
        ]
        .join("\n");
        let record = Record::parse(&log, "__ports").unwrap();
        assert_eq!(record.statements, 8);
        let [only] = record.transactions.as_slice() else { panic!("{record:?}") };
        assert_eq!(only.len(), 2);
        assert_eq!(only[0].values, [Value::Text(Some("a".into()))]);
        assert_eq!(only[1].values, [Value::Integer(None)]);
    }

    #[test]
    fn what_was_rolled_back_is_left_out() {
        let insert = line(1, "INSERT INTO \"x__ports\" VALUES (1)", "[]");
        let log = [line(1, "SAVEPOINT unit", "[]"), insert, line(1, "ROLLBACK TO unit", "[]")].join("\n");
        assert_eq!(Record::parse(&log, "__ports").unwrap().transactions.len(), 0);
    }
}
