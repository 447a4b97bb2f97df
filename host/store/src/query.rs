//! Questions about a collection, free of SQL.

use serde_json::Value;

/// A condition on rows. Attribute names are those of the manifest, the standard
/// ones (`id`, `project_id`, `revision_number`, `created_at`, `updated_at`), or
/// `LIST.MEMBER` for a list attribute with a side table (true when one item
/// fits; a list of scalars has the member `value`).
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// All hold; true when empty.
    All(Vec<Predicate>),
    /// One holds; false when empty.
    Any(Vec<Predicate>),
    /// It does not hold (or is null).
    Not(Box<Predicate>),
    /// Equal to one of the values; `Value::Null` matches an absent or null one.
    In(String, Vec<Value>),
    /// Text that is one of these but for the case of its (ASCII) letters.
    Alike(String, Vec<String>),
    /// Text that contains this text.
    Contains(String, String),
    /// Text that starts with this text.
    StartsWith(String, String),
    /// Smaller than the value.
    Less(String, Value),
    /// Greater than the value.
    Greater(String, Value),
    /// One item of the list attribute fits all of the conditions, whose
    /// attribute names are members of the item.
    Item(String, Vec<Predicate>),
    /// The row that the reference attribute names fits; its attributes are the
    /// standard ones and declared ones that are no lists.
    Referred(String, Box<Predicate>),
}

impl Predicate {
    /// Holds for every row.
    pub fn always() -> Predicate {
        Predicate::All(Vec::new())
    }

    /// Holds for none.
    pub fn never() -> Predicate {
        Predicate::Any(Vec::new())
    }

    /// Equal to the text.
    pub fn equal(attribute: &str, value: &str) -> Predicate {
        Predicate::In(attribute.to_owned(), vec![Value::from(value)])
    }
}

/// Direction of a sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first, nulls first.
    Ascending,
    /// Largest first, nulls last.
    Descending,
}

/// Which rows, in which order, how many.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Rows that fit.
    pub predicate: Predicate,
    /// Sort keys; ties by id, ascending.
    pub sort: Vec<(String, Direction)>,
    /// Most rows.
    pub limit: Option<u32>,
    /// Only rows after (with `reverse`: before) the row with this id.
    pub marker: Option<String>,
    /// The page before the marker instead of the one after; rows still come in
    /// the order of `sort`.
    pub reverse: bool,
}

impl Default for Query {
    fn default() -> Query {
        Query { predicate: Predicate::always(), sort: Vec::new(), limit: None, marker: None, reverse: false }
    }
}

/// What of a row is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Attributes removed by the database before the row is sent.
    pub hidden: Vec<String>,
    /// Whether derived attributes are answered.
    pub derived: bool,
    /// For which project attributes that RBAC entries decide are answered, and
    /// compared in conditions. None: they are not answered, and only entries
    /// for every project count.
    pub project: Option<String>,
}
