//! What is done to resources inside a unit of work: check against policy, act,
//! show. Several operations of one unit see what those before them did.

use crate::access::{Access, Change};
use crate::error::{disallowed, internal};
use crate::etag;
use crate::routes::Place;
use crate::source::Source;
use crate::tables::{Resource, Tables};
use crate::tags::Tagging;
use crate::view::{Mask, Viewer};
use axum::http::{HeaderMap, StatusCode, header};
use hadron_manifest::Verb;
use hadron_runtime::{Guard, Refusal, Status, Work};
use hadron_store::{Answer, Predicate, Row, View};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What is to be done, its bodies validated.
#[derive(Clone)]
pub(crate) struct Operation {
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) deed: Deed,
}

/// What is to be done somewhere.
#[derive(Clone)]
pub(crate) enum Deed {
    /// Make rows.
    Create {
        /// Of these bodies.
        bodies: Vec<Map<String, Value>>,
        /// Whether they came as a list.
        bulk: bool,
    },
    /// Change a row.
    Update {
        /// Which.
        id: String,
        /// What is to be set.
        changes: Map<String, Value>,
        /// What the client saw (`If-Match`).
        seen: Seen,
    },
    /// Remove a row.
    Delete {
        /// Which.
        id: String,
        /// As of an update.
        seen: Seen,
    },
    /// Change a row's tags.
    Tag {
        /// Of which row.
        id: String,
        /// How.
        tagging: Tagging,
    },
    /// Ask the owner what a row is.
    Find {
        /// Which.
        id: String,
        /// The query string, as an object.
        asked: Value,
    },
    /// Do an action.
    Act {
        /// To which row.
        id: String,
        /// Its name.
        action: String,
        /// The method.
        verb: Verb,
        /// What the plugin is given: checked.
        given: Value,
        /// As of an update.
        seen: Seen,
    },
}

/// What the owner of rows that are found on demand is told.
const SHOW: &str = "show";
const DELETE: &str = "delete";

impl Operation {
    /// Does it.
    pub(crate) async fn run(&self, access: &Access, work: &Work) -> Result<Answer, Refusal> {
        let Place { resource, above } = &self.place;
        let above = above.as_deref();
        match &self.deed {
            Deed::Create { bodies, bulk } => {
                check_above(access, work, resource, above).await?;
                let holds = access.may_create(work, resource, bodies).await?;
                work.hold(holds).await?;
                let rows = work.create(&resource.id.0, bodies.clone()).await?;
                let texts = shown(access, work, resource, &rows).await?;
                let body = match bulk {
                    true => format!("{{\"{}\":[{}]}}", resource.name, texts.join(",")),
                    false => one(resource, &texts),
                };
                Ok(answer(StatusCode::CREATED, body))
            }
            Deed::Update { id, changes, seen } => {
                let id = &access.id_of(work, &self.place, id).await?;
                self.check_seen(access, work, id, seen).await?;
                let rule = format!("update_{}", resource.ruled);
                let change =
                    Change { resource, id, above, rule, changes: Some(changes), revision: seen.revision };
                let guard = access.guard(work, change).await?;
                let row = match &resource.view {
                    None => work.update(&resource.id.0, id, changes.clone(), &guard).await?,
                    Some(view) => {
                        guard(self.look(access, work, id).await?.as_ref())?;
                        work.update(&view.of, id, view.translate(changes), &unguarded()).await?;
                        self.look(access, work, id).await?.ok_or_else(|| resource.no_such_row(id))?
                    }
                };
                let texts = shown(access, work, resource, &[row]).await?;
                Ok(answer(StatusCode::OK, one(resource, &texts)))
            }
            Deed::Find { id, asked } => {
                let found = Value::from(self.found(access, work, id, asked.clone()).await?);
                Ok(answer(StatusCode::OK, one(resource, &[found.to_string()])))
            }
            Deed::Delete { id, .. } if resource.on_demand => {
                let found = self.found(access, work, id, Value::from(Map::new())).await?;
                let rule = format!("delete_{}", resource.ruled);
                if !access.allows(&rule, &found) {
                    return Err(disallowed(&format!("rule:{rule}")));
                }
                work.ask(&resource.id.0, id, DELETE, Value::from(found)).await?;
                Ok(answer(StatusCode::NO_CONTENT, String::new()))
            }
            Deed::Delete { id, seen } => {
                let id = &access.id_of(work, &self.place, id).await?;
                self.check_seen(access, work, id, seen).await?;
                let rule = format!("delete_{}", resource.ruled);
                let change = Change { resource, id, above, rule, changes: None, revision: seen.revision };
                let guard = access.guard(work, change).await?;
                match &resource.view {
                    None => work.delete(&resource.id.0, id, &guard).await?,
                    Some(view) => {
                        guard(self.look(access, work, id).await?.as_ref())?;
                        work.delete(&view.of, id, &unguarded()).await?;
                    }
                }
                Ok(answer(StatusCode::NO_CONTENT, String::new()))
            }
            Deed::Tag { id, tagging } => {
                let id = &access.id_of(work, &self.place, id).await?;
                tagging.run(access, work, &self.place, id).await
            }
            Deed::Act { id, action, verb, given, seen } => {
                let id = &access.id_of(work, &self.place, id).await?;
                self.check_seen(access, work, id, seen).await?;
                let rule = action_rule(&access.tables, resource, action, *verb);
                let change = Change { resource, id, above, rule, changes: None, revision: seen.revision };
                let guard = access.guard(work, change).await?;
                let told = work.act(&resource.id.0, id, action, given.clone(), &guard).await?;
                Ok(match verb {
                    Verb::Create => answer(StatusCode::CREATED, told.to_string()),
                    Verb::Get | Verb::Update => answer(StatusCode::OK, told.to_string()),
                    Verb::Delete => answer(StatusCode::NO_CONTENT, String::new()),
                })
            }
        }
    }

    /// What the owner says a row is, where the caller may see it.
    async fn found(
        &self,
        access: &Access,
        work: &Work,
        id: &str,
        asked: Value,
    ) -> Result<Map<String, Value>, Refusal> {
        let resource = &self.place.resource;
        resource.check_id(id)?;
        match work.ask(&resource.id.0, id, SHOW, asked).await? {
            Value::Object(found) if access.allows(&format!("get_{}", resource.ruled), &found) => Ok(found),
            Value::Object(_) => Err(resource.no_such_row(id)),
            _ => Err(internal(&format!("the owner of '{}' answered no object", resource.name))),
        }
    }

    /// A row as its view shows it.
    async fn look(&self, access: &Access, work: &Work, id: &str) -> Result<Option<Row>, Refusal> {
        work.get(&self.place.resource.id.0, id, &Predicate::always(), &access.whole()).await
    }

    /// Whether the row still looks as the client saw it.
    async fn check_seen(&self, access: &Access, work: &Work, id: &str, seen: &Seen) -> Result<(), Refusal> {
        let Some(tags) = &seen.tags else { return Ok(()) };
        let Place { resource, above } = &self.place;
        let mask = access.mask(resource);
        let viewer = Viewer { access, resource, mask: &mask };
        let row = access.show(work, resource, id, above.as_deref(), &viewer.view()).await?;
        let now = etag::of(&one(resource, &viewer.texts(work, &[row], viewer.trimmed()).await?));
        if tags.contains(&now) {
            return Ok(());
        }
        let message = format!("Constrained to {}, but the current tag is {now}", tags.join(", "));
        Err(Refusal::new(Status::Precondition, "PreconditionFailed", message))
    }
}

/// For rows of a view, which the guard was asked about already.
fn unguarded() -> Guard {
    Arc::new(|_| Ok(()))
}

/// The answer of an operation; without a body where there is nothing to show.
pub(crate) fn answer(status: StatusCode, body: String) -> Answer {
    Answer { status: status.as_u16(), body }
}

/// What the client saw of the row that it changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// Its revision.
    pub(crate) revision: Option<i64>,
    /// Tags of its show, one of which must be the row's now.
    pub(crate) tags: Option<Vec<String>>,
}

impl Seen {
    /// As `If-Match` tells it; as in Neutron any form that says neither is
    /// ignored.
    pub(crate) fn of(headers: &HeaderMap) -> Seen {
        let given = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let revision = given.trim().strip_prefix("revision_number=").and_then(|number| number.parse().ok());
        Seen { revision, tags: etag::required(headers) }
    }
}

/// What hangs under a row that the caller does not see is not there either.
pub(crate) async fn check_above(
    access: &Access,
    source: &impl Source,
    resource: &Resource,
    above: Option<&str>,
) -> Result<(), Refusal> {
    if let (Some(parent), Some(id)) = (&resource.parent, above) {
        let view = View { hidden: parent.resource.shown.clone(), ..access.whole() };
        access.show(source, &parent.resource, id, None, &view).await?;
    }
    Ok(())
}

/// Rows that a unit of work answered.
async fn shown(
    access: &Access,
    work: &Work,
    resource: &Arc<Resource>,
    rows: &[Row],
) -> Result<Vec<String>, Refusal> {
    let mask: Mask = access.mask(resource);
    Viewer { access, resource, mask: &mask }.texts(work, rows, false).await
}

/// The body of an answer about one row.
pub(crate) fn one(resource: &Resource, texts: &[String]) -> String {
    format!("{{\"{}\":{}}}", resource.member, texts.first().map_or("null", String::as_str))
}

/// Neutron names the rule of most actions after the action alone; where there
/// is no rule, doing it is a change and asking is a look.
pub(crate) fn action_rule(tables: &Tables, resource: &Resource, action: &str, verb: Verb) -> String {
    let verb = if verb == Verb::Get { "get" } else { "update" };
    let named = [action.to_owned(), format!("{action}_{}", resource.ruled)];
    let declared = named.into_iter().find(|rule| tables.policy.has(rule));
    declared.unwrap_or_else(|| format!("{verb}_{}", resource.ruled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_saw_is_a_revision_or_a_tag() {
        let seen =
            |value: &str| Seen::of(&HeaderMap::from_iter([(header::IF_MATCH, value.parse().unwrap())]));
        assert_eq!(seen("revision_number=9"), Seen { revision: Some(9), tags: None });
        assert_eq!(seen("\"abc\""), Seen { revision: None, tags: Some(vec!["\"abc\"".to_owned()]) });
        for nothing in ["nonsense", "revision_number=x", "*"] {
            assert_eq!(seen(nothing), Seen::default(), "{nothing}");
        }
        assert_eq!(Seen::of(&HeaderMap::new()), Seen::default());
    }
}
