//! Attributes that the host adds to collections by itself: Neutron's standard
//! attributes, on every resource that does not do without them.

use crate::{Attribute, Collection, ListTable, ListTableColumn, Validator};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The attribute with a row's tags.
pub const TAGS: &str = "tags";

/// The attribute with what people say about a row.
pub const DESCRIPTION: &str = "description";

/// Longest tag, in characters. In Neutron: `MAX_TAG_LEN`.
pub const TAG_LENGTH: u32 = 255;

/// Longest description, in characters. In Neutron: `DESCRIPTION_FIELD_SIZE`.
const DESCRIPTION_LENGTH: u32 = 255;

/// Which of the standard attributes that can be written a collection has;
/// those that cannot are taken away by `Collection::without`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Standard {
    /// `description`: free text, kept by the host unless the collection
    /// declares an attribute of that name itself.
    pub description: bool,
    /// `tags`, with the resource's `/tags` below its URL.
    pub tags: Tags,
}

impl Standard {
    /// Neither of them.
    pub const NONE: Standard = Standard { description: false, tags: Tags::None };
}

impl Default for Standard {
    fn default() -> Standard {
        Standard { description: true, tags: Tags::Kept }
    }
}

/// Whether rows have tags, and whether they can be born with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tags {
    /// There are none.
    None,
    /// They are set through `/tags`, once the row exists.
    #[default]
    Kept,
    /// They are accepted in a create request too.
    AtCreation,
}

impl Collection {
    /// The attributes that the host keeps for the collection's rows, beside
    /// those that it declares: none of a private one or a view, and none that it declares
    /// itself.
    pub fn kept(&self) -> Vec<Attribute> {
        if self.private || self.of.is_some() {
            return Vec::new();
        }
        let mut kept = Vec::new();
        if self.standard.description && self.attribute(DESCRIPTION).is_none() {
            kept.push(description());
        }
        if self.standard.tags != Tags::None && self.attribute(TAGS).is_none() {
            kept.push(tags(self.standard.tags == Tags::AtCreation));
        }
        kept
    }
}

fn description() -> Attribute {
    Attribute {
        name: DESCRIPTION.to_owned(),
        validate: Validator::String { max: Some(DESCRIPTION_LENGTH) },
        post: true,
        put: true,
        default: Some(json!("")),
        filter: true,
        ..Attribute::default()
    }
}

fn tags(post: bool) -> Attribute {
    let tag = Validator::String { max: Some(TAG_LENGTH) };
    Attribute {
        name: TAGS.to_owned(),
        validate: Validator::List { items: Box::new(tag), unique: true },
        post,
        default: Some(json!([])),
        filter: true,
        enforce: true,
        list: Some(ListTable {
            columns: vec![ListTableColumn { name: "value".to_owned(), references: None, filter: true }],
            keys: Vec::new(),
        }),
        ..Attribute::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(collection: &Collection) -> Vec<String> {
        collection.kept().into_iter().map(|a| a.name).collect()
    }

    #[test]
    fn every_public_collection_has_them_unless_it_says_otherwise() {
        assert_eq!(names(&Collection::default()), ["description", "tags"]);
        assert!(names(&Collection { private: true, ..Collection::default() }).is_empty());
        let without = Standard::NONE;
        assert!(names(&Collection { standard: without, ..Collection::default() }).is_empty());
        let own = Attribute { name: "tags".to_owned(), ..Attribute::default() };
        assert_eq!(names(&Collection { attributes: vec![own], ..Collection::default() }), ["description"]);
    }

    #[test]
    fn a_manifest_says_it_in_words() {
        let collection: Collection =
            serde_json::from_value(json!({"standard": {"tags": "at_creation"}})).unwrap();
        assert_eq!(collection.standard.tags, Tags::AtCreation);
        assert!(collection.standard.description);
        assert!(collection.kept().iter().any(|a| a.name == "tags" && a.post));
    }
}
