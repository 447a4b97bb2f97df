//! `/v2.0/gadgets/{id}/tags` and `/v2.0/gadgets/{id}/tags/{tag}`: what people
//! write onto a row.
//!
//! The store keeps tags beside the row; no plugin is asked or told. A change of
//! them raises the row's revision, as in Neutron. Its rules are
//! `{get,create,update,delete}_GADGET:tags`, and where there is none, those
//! about looking at and changing the row.

use crate::access::{Access, Change};
use crate::body;
use crate::error::{invalid_input, json_answer};
use crate::operation::{self, Deed, Operation};
use crate::resources::{Answer, Asked, no_content};
use crate::routes::Place;
use crate::source::Source;
use crate::tables::Resource;
use crate::validate::{self, Fault};
use axum::http::StatusCode;
use hadron_manifest::{TAG_LENGTH, TAGS, Validator};
use hadron_runtime::{Guard, Refusal, Retag, Status, Work};
use hadron_store::{Answer as StoredAnswer, Predicate, Row};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most tags of a row. In Neutron: `MAX_TAGS_COUNT`.
const MOST: usize = 50;

impl Asked {
    /// `GET …/tags`.
    pub(crate) async fn tags(self, place: Place, id: &str) -> Answer {
        let tags = self.tags_of(&place, id).await?;
        Ok(json_answer(StatusCode::OK, &json!({ TAGS: tags })))
    }

    /// `GET …/tags/{tag}`.
    pub(crate) async fn has_tag(self, place: Place, id: &str, tag: &str) -> Answer {
        check(tag)?;
        match self.tags_of(&place, id).await?.iter().any(|t| t == tag) {
            true => Ok(no_content()),
            false => Err(no_such_tag(tag)),
        }
    }

    /// `PUT …/tags`: exactly these.
    pub(crate) async fn replace_tags(mut self, place: Place, id: String) -> Answer {
        let tagging = Tagging::Replace(self.given().await?);
        self.write(Operation { place, deed: Deed::Tag { id, tagging } }).await
    }

    /// `POST …/tags`: these too.
    pub(crate) async fn add_tags(mut self, place: Place, id: String) -> Answer {
        let tagging = Tagging::Add(self.given().await?);
        self.write(Operation { place, deed: Deed::Tag { id, tagging } }).await
    }

    /// `PUT …/tags/{tag}`: this one too.
    pub(crate) async fn add_tag(self, place: Place, id: String, tag: String) -> Answer {
        check(&tag)?;
        self.write(Operation { place, deed: Deed::Tag { id, tagging: Tagging::AddOne(tag) } }).await
    }

    /// `DELETE …/tags`: none.
    pub(crate) async fn remove_tags(self, place: Place, id: String) -> Answer {
        self.write(Operation { place, deed: Deed::Tag { id, tagging: Tagging::Clear } }).await
    }

    /// `DELETE …/tags/{tag}`: all but this.
    pub(crate) async fn remove_tag(self, place: Place, id: String, tag: String) -> Answer {
        check(&tag)?;
        self.write(Operation { place, deed: Deed::Tag { id, tagging: Tagging::Remove(tag) } }).await
    }

    /// The tags in the body.
    async fn given(&mut self) -> Result<Vec<String>, Refusal> {
        let body = body::anything(&self.read().await?)?;
        let tags = body.get(TAGS).cloned().ok_or_else(|| invalid_input("Invalid tags body"))?;
        let items = Box::new(Validator::String { max: Some(TAG_LENGTH) });
        let tags = converted(&Validator::List { items, unique: true }, tags)?;
        Ok(serde_json::from_value(tags).unwrap_or_default())
    }

    async fn tags_of(self, place: &Place, part: &str) -> Result<Vec<String>, Refusal> {
        let id = &self.access.id_of(&self.runtime, place, part).await?;
        let resource = &place.resource;
        let guard = guard(&self.access, &self.runtime, place, id, "get").await?;
        let row = self.runtime.get(&resource.id.0, id, &Predicate::always(), &self.access.whole()).await?;
        guard(row.as_ref()).map_err(|r| named(resource, id, r))?;
        Ok(row.as_ref().map(Row::tags).unwrap_or_default())
    }
}

/// A change of a row's tags.
#[derive(Clone)]
pub(crate) enum Tagging {
    /// Exactly these.
    Replace(Vec<String>),
    /// These too.
    Add(Vec<String>),
    /// This one too.
    AddOne(String),
    /// None.
    Clear,
    /// All but this, which must be there.
    Remove(String),
}

impl Tagging {
    fn verb(&self) -> &'static str {
        match self {
            Tagging::Replace(_) | Tagging::AddOne(_) => "update",
            Tagging::Add(_) => "create",
            Tagging::Clear | Tagging::Remove(_) => "delete",
        }
    }

    /// The tags after it; `collection` is the row's.
    fn apply(&self, mut had: Vec<String>, collection: &str) -> Result<Vec<String>, Refusal> {
        let tags = match self {
            Tagging::Replace(new) => new.clone(),
            Tagging::Add(new) => with(had, new),
            Tagging::AddOne(new) => with(had, std::slice::from_ref(new)),
            Tagging::Clear => Vec::new(),
            Tagging::Remove(gone) => {
                let before = had.len();
                had.retain(|tag| tag != gone);
                if had.len() == before {
                    return Err(no_such_tag(gone));
                }
                had
            }
        };
        if tags.len() > MOST { Err(too_many(collection)) } else { Ok(tags) }
    }

    /// Does it.
    pub(crate) async fn run(
        &self,
        access: &Access,
        work: &Work,
        place: &Place,
        id: &str,
    ) -> Result<StoredAnswer, Refusal> {
        let resource = &place.resource;
        let guard = guard(access, work, place, id, self.verb()).await?;
        let (tagging, name) = (self.clone(), resource.name.clone());
        let change: Retag = Arc::new(move |had| tagging.apply(had, &name));
        work.retag(&resource.id.0, id, &guard, &change).await.map_err(|r| named(resource, id, r))?;
        Ok(match self {
            Tagging::Replace(tags) | Tagging::Add(tags) => {
                operation::answer(StatusCode::OK, json!({ TAGS: tags }).to_string())
            }
            Tagging::AddOne(_) => operation::answer(StatusCode::CREATED, Value::Null.to_string()),
            Tagging::Clear | Tagging::Remove(_) => operation::answer(StatusCode::NO_CONTENT, String::new()),
        })
    }
}

/// The check of doing that to the tags.
async fn guard(
    access: &Access,
    source: &impl Source,
    place: &Place,
    id: &str,
    verb: &str,
) -> Result<Guard, Refusal> {
    let Place { resource, above } = place;
    let rule = rule(access, resource, verb);
    let change = Change { resource, id, above: above.as_deref(), rule, changes: None, revision: None };
    access.guard(source, change).await.map_err(|r| named(resource, id, r))
}

/// The rule about doing that to the tags.
fn rule(access: &Access, resource: &Resource, verb: &str) -> String {
    let own = format!("{verb}_{}:{TAGS}", resource.ruled);
    if access.tables.policy.has(&own) {
        return own;
    }
    let verb = if verb == "get" { "get" } else { "update" };
    format!("{verb}_{}", resource.ruled)
}

/// Those that are new after those that are there.
fn with(mut had: Vec<String>, new: &[String]) -> Vec<String> {
    for tag in new {
        if !had.contains(tag) {
            had.push(tag.clone());
        }
    }
    had
}

fn check(tag: &str) -> Result<(), Refusal> {
    if tag.contains('\0') {
        return Err(no_such_tag(&tag.replace('\0', "")));
    }
    converted(&Validator::String { max: Some(TAG_LENGTH) }, Value::from(tag)).map(drop)
}

/// Neutron calls whatever is wrong with a tag an invalid input.
fn converted(validator: &Validator, value: Value) -> Result<Value, Refusal> {
    validate::convert(validator, false, value)
        .map_err(|(Fault::Reason(reason) | Fault::Conversion(reason))| invalid_input(&reason))
}

fn no_such_tag(tag: &str) -> Refusal {
    Refusal::new(Status::NotFound, "TagNotFound", format!("Tag {tag} could not be found."))
}

fn too_many(collection: &str) -> Refusal {
    Refusal::new(
        Status::Invalid,
        "BadRequest",
        format!("Bad {collection} request: The number of tags exceed the per-resource limit of {MOST}."),
    )
}

/// Neutron has a class of its own for tags of what is not there.
fn named(resource: &Resource, id: &str, refusal: Refusal) -> Refusal {
    if refusal == resource.no_such_row(id) {
        let message = format!("Resource {} {id} could not be found.", resource.name);
        return Refusal::new(Status::NotFound, "TagResourceNotFound", message);
    }
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_tag_is_an_invalid_input() {
        assert_eq!(check("red"), Ok(()));
        let long = "x".repeat(256);
        let refusal = check(&long).unwrap_err();
        assert_eq!(refusal.kind, "InvalidInput");
        assert_eq!(
            refusal.message,
            format!("Invalid input for operation: '{long}' exceeds maximum length of 255.")
        );
    }

    #[test]
    fn tags_are_added_once_and_in_order() {
        let had = || vec!["b".to_owned(), "a".to_owned()];
        assert_eq!(with(had(), &["a".to_owned(), "c".to_owned()]), ["b", "a", "c"]);
        assert_eq!(with(had(), &[]), had());
    }
}
