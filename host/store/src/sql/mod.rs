//! The only module that makes SQL text.
//!
//! Text comes from three sources, and a type guards each: words written here
//! (`&'static str`), identifiers made from checked names ([`Ident`]), and names
//! of JSON members ([`Member`]). Every value is bound. So what a client or a
//! plugin sends can never become SQL.

mod answers;
mod changes;
mod ddl;
mod derived;
mod filter;
mod host;
mod items;
mod journal;
mod pools;
mod quotas;
mod rbac;
mod rows;

pub(crate) use answers::*;
pub(crate) use changes::*;
pub(crate) use ddl::*;
use derived::{derived_column, document_column};
pub(crate) use host::*;
pub(crate) use items::*;
pub(crate) use journal::*;
pub(crate) use pools::*;
pub(crate) use quotas::*;
pub(crate) use rbac::*;
pub(crate) use rows::*;

use crate::schema::Json;
use crate::{StoreError, View};
use std::sync::Arc;

/// Which database's SQL is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// PostgreSQL cuts identifiers at 63 bytes, silently.
const LONGEST: usize = 63;

/// A name of a table, column, index or constraint, safe within quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ident(Arc<str>);

impl Ident {
    /// Joins the parts. What is not a lower case letter, a digit, `_`, `:` or
    /// `-` becomes `_`; a name that is too long is cut and gets a hash of the
    /// whole, so that two long names stay different.
    pub(crate) fn new(parts: &[&str]) -> Ident {
        let mut name = String::with_capacity(LONGEST);
        for part in parts {
            name.extend(part.chars().map(|c| if is_plain(c) { c } else { '_' }));
        }
        if name.len() > LONGEST {
            let hash = fnv1a(&name);
            name.truncate(LONGEST - 17);
            name.push_str(&format!("_{hash:016x}"));
        }
        Ident(name.into())
    }

    /// A table of the host's own, or a column every table has.
    pub(crate) fn host(name: &'static str) -> Ident {
        Ident(name.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || "_:-".contains(c)
}

/// FNV-1a, 64 bits: names in the database depend on it, so it never changes.
fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The name of a member of a document, safe within quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member(Arc<str>);

impl Member {
    /// Refuses names that are not made of lower case letters, digits, `_`, `:`
    /// and `-`.
    pub(crate) fn new(name: &str) -> Result<Member, StoreError> {
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(StoreError::Invalid(format!(
                "'{name}' is no name of an attribute: use lower case letters, digits, '_', '-' and ':'"
            )));
        }
        Ok(Member(name.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A bound value.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) enum Bind {
    Text(Option<String>),
    Integer(Option<i64>),
    Boolean(Option<bool>),
    /// Bound as text, cast to the type of documents.
    Json(Option<String>),
    Bytes(Vec<u8>),
    /// An array on PostgreSQL, a JSON array on SQLite.
    Texts(Vec<String>),
    Integers(Vec<i64>),
    /// Columns of rows; PostgreSQL only.
    OptionalTexts(Vec<Option<String>>),
    OptionalIntegers(Vec<Option<i64>>),
    OptionalBooleans(Vec<Option<bool>>),
}

impl From<&str> for Bind {
    fn from(text: &str) -> Bind {
        Bind::Text(Some(text.to_owned()))
    }
}

impl From<i64> for Bind {
    fn from(number: i64) -> Bind {
        Bind::Integer(Some(number))
    }
}

/// One statement with its values.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    pub(crate) dialect: Dialect,
    pub(crate) text: String,
    pub(crate) binds: Vec<Bind>,
    /// Kept prepared by the connection; not for texts that vary without end.
    pub(crate) persistent: bool,
    /// For whom RBAC entries count, besides those for every project.
    project: Option<String>,
    /// What entries decide is answered as the list of the projects they are for.
    targets: bool,
}

impl Sql {
    pub(crate) fn new(dialect: Dialect) -> Sql {
        let text = String::with_capacity(256);
        Sql { dialect, text, binds: Vec::new(), persistent: true, project: None, targets: false }
    }

    /// A statement in which the entries of the view's project count.
    fn seen_by(dialect: Dialect, view: &View) -> Sql {
        Sql { project: view.project.clone(), ..Sql::new(dialect) }
    }

    /// A statement that is the same on both databases but for its values,
    /// written `?` here.
    fn fixed(dialect: Dialect, text: &'static str, binds: Vec<Bind>) -> Sql {
        let mut sql = Sql::new(dialect);
        let mut binds = binds.into_iter();
        for (i, piece) in text.split('?').enumerate() {
            if i > 0
                && let Some(bind) = binds.next()
            {
                sql.bind(bind);
            }
            sql.text.push_str(piece);
        }
        sql
    }

    fn push(&mut self, text: &'static str) -> &mut Sql {
        self.text.push_str(text);
        self
    }

    /// One text or the other.
    fn either(&mut self, sqlite: &'static str, postgres: &'static str) -> &mut Sql {
        match self.dialect {
            Dialect::Sqlite => self.push(sqlite),
            Dialect::Postgres => self.push(postgres),
        }
    }

    fn ident(&mut self, ident: &Ident) -> &mut Sql {
        self.text.push('"');
        self.text.push_str(&ident.0);
        self.text.push('"');
        self
    }

    /// `alias."column"`.
    fn column(&mut self, alias: &'static str, ident: &Ident) -> &mut Sql {
        self.text.push_str(alias);
        self.text.push('.');
        self.ident(ident)
    }

    /// The document in a row's JSON column.
    fn json(&mut self, alias: &'static str, json: &Json) -> &mut Sql {
        let Some(defaults) = &json.defaults else { return self.column(alias, &json.column) };
        self.push("COALESCE(").column(alias, &json.column).push(", '");
        // Written by the host and free of quotes; were there one, it would be
        // doubled and not end the text.
        let text = defaults.replace('\'', "''");
        self.text.push_str(&text);
        self.push("'").either("", "::jsonb").push(")")
    }

    fn number(&mut self, number: i64) -> &mut Sql {
        self.text.push_str(&number.to_string());
        self
    }

    /// The member's name as a text literal.
    fn member(&mut self, member: &Member) -> &mut Sql {
        self.text.push('\'');
        self.text.push_str(&member.0);
        self.text.push('\'');
        self
    }

    /// The member's path as a text literal, for SQLite.
    fn path(&mut self, member: &Member) -> &mut Sql {
        self.text.push_str("'$.\"");
        self.text.push_str(&member.0);
        self.text.push_str("\"'");
        self
    }

    fn bind(&mut self, bind: Bind) -> &mut Sql {
        let json = matches!(bind, Bind::Json(_)) && self.dialect == Dialect::Postgres;
        self.binds.push(bind);
        self.text.push(if self.dialect == Dialect::Sqlite { '?' } else { '$' });
        self.text.push_str(&self.binds.len().to_string());
        if json {
            self.text.push_str("::text::jsonb");
        }
        self
    }

    /// `= ANY (…)` or `IN (…)`: one of the bound values.
    fn one_of(&mut self, values: Bind) -> &mut Sql {
        match self.dialect {
            Dialect::Postgres => self.push(" = ANY (").bind(values).push(")"),
            Dialect::Sqlite => self.push(" IN (SELECT value FROM json_each(").bind(values).push("))"),
        }
    }

    /// Writes the items with commas between them.
    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Sql, T)) -> &mut Sql {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            each(self, item);
        }
        self
    }

    /// Milliseconds since 1970 by the database's clock, which all replicas
    /// share.
    fn now(&mut self) -> &mut Sql {
        self.either(
            "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_apart() {
        let long = "a".repeat(60);
        let one = Ident::new(&[&long, "__", "one"]);
        let two = Ident::new(&[&long, "__", "two"]);
        assert_ne!(one, two);
        assert_eq!(one.as_str().len(), LONGEST);
    }

    #[test]
    fn quotes_cannot_get_into_names() {
        assert_eq!(Ident::new(&["a\"; DROP"]).as_str(), "a_______");
        assert!(Member::new("a'b").is_err());
        assert!(Member::new("provider:network_type").is_ok());
    }
}
