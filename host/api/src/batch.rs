//! `POST /v2.0/batch`: several operations as one unit of work.
//!
//! ```json
//! {"operations": [
//!   {"op": "create", "collection": "gadgets", "name": "g", "body": {"level": 5}},
//!   {"op": "update", "collection": "gadgets", "id": {"$ref": "g.id"}, "body": {"level": 6}}
//! ]}
//! ```
//!
//! All of it happens or none. Operations are done in order; each is validated
//! and checked against policy when its turn comes, and sees what those before it
//! did. `{"$ref": "NAME.MEMBER"}` stands for a member of what an earlier
//! operation answered.

use crate::access::Access;
use crate::actions;
use crate::body;
use crate::error::{self, bad_request};
use crate::operation::{Deed, Operation, Seen};
use crate::routes::Place;
use crate::tables::{Resource, Tables};
use crate::validate;
use axum::response::Response;
use hadron_runtime::{Refusal, Work};
use hadron_store::Answer;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The member that makes an object a reference.
const REFERENCE: &str = "$ref";

/// A batch whose form was checked: what is left to find out is found out in its
/// unit of work.
pub(crate) struct Batch {
    steps: Vec<Step>,
    /// The step of the last run that failed.
    failed: Mutex<Option<usize>>,
}

/// One operation as it was written.
#[derive(Debug)]
struct Step {
    name: Option<String>,
    resource: Arc<Resource>,
    /// The row that the collection hangs under; may be a reference.
    parent: Option<Value>,
    act: Act,
    revision: Option<i64>,
}

/// What it does; ids and bodies may hold references.
#[derive(Debug)]
enum Act {
    Create(Map<String, Value>),
    Update(Value, Map<String, Value>),
    Delete(Value),
    Action(Value, String, Value),
}

impl Batch {
    /// Reads a body; `most` operations are taken.
    pub(crate) fn read(bytes: &[u8], tables: &Tables, most: usize) -> Result<Batch, Refusal> {
        let Value::Object(mut body) = body::anything(bytes)? else { return Err(expected_operations()) };
        let Some(Value::Array(items)) = body.remove("operations") else { return Err(expected_operations()) };
        if let Some(name) = body.keys().next() {
            return Err(bad_request(format!("A batch has no '{name}'")));
        }
        if items.is_empty() || items.len() > most {
            return Err(bad_request(format!(
                "A batch has 1 to {most} operations, and this one has {}",
                items.len()
            )));
        }
        let mut steps: Vec<Step> = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let step = Step::read(item, tables, &steps);
            steps.push(step.map_err(|sentence| bad_request(format!("Operation {index}: {sentence}")))?);
        }
        Ok(Batch { steps, failed: Mutex::default() })
    }

    /// Does it all.
    pub(crate) async fn run(&self, access: &Access, work: &Work) -> Result<Answer, Refusal> {
        let mut answers: HashMap<&str, Value> = HashMap::new();
        let mut results = Vec::with_capacity(self.steps.len());
        for (index, step) in self.steps.iter().enumerate() {
            *self.failed.lock() = Some(index);
            let answer = step.operation(access, &answers)?.run(access, work).await?;
            if let Some(name) = &step.name {
                answers.insert(name, step.answered(&answer));
            }
            results.push(format!(
                "{{\"name\":{},\"status\":{},\"body\":{}}}",
                json!(step.name),
                answer.status,
                if answer.body.is_empty() { "null" } else { &answer.body }
            ));
        }
        *self.failed.lock() = None;
        Ok(Answer { status: 200, body: format!("{{\"results\":[{}]}}", results.join(",")) })
    }

    /// The answer to a batch that was refused: the operation's own, with which
    /// one it was.
    pub(crate) fn refused(&self, refusal: &Refusal) -> Response {
        let failed = *self.failed.lock();
        let Some((index, step)) = failed.and_then(|index| Some((index, self.steps.get(index)?))) else {
            return error::answer(refusal);
        };
        error::answer_about(refusal, &json!({"index": index, "name": step.name}))
    }
}

fn expected_operations() -> Refusal {
    bad_request("A batch is an object with the list 'operations'")
}

impl Step {
    fn read(item: Value, tables: &Tables, earlier: &[Step]) -> Result<Step, String> {
        let Value::Object(mut item) = item else { return Err("it is no object".to_owned()) };
        let op = text(&mut item, "op")?.ok_or("'op' is missing")?;
        let collection = text(&mut item, "collection")?.ok_or("'collection' is missing")?;
        let name = text(&mut item, "name")?;
        if let Some(name) = &name {
            if name.is_empty() || name.contains('.') {
                return Err(format!("'{name}' is no name: it must not be empty nor hold a '.'"));
            }
            if earlier.iter().any(|step| step.name.as_ref() == Some(name)) {
                return Err(format!("an earlier operation is named '{name}' already"));
            }
        }
        let revision = match item.remove("revision_number") {
            None => None,
            Some(value) => Some(value.as_i64().ok_or("'revision_number' is no whole number")?),
        };
        let (resource, nested) = find(tables, &collection)?;
        let parent = match (item.remove("parent"), nested) {
            (Some(parent), true) => Some(parent),
            (None, false) => None,
            (Some(_), false) => return Err(format!("'{collection}' hangs under no 'parent'")),
            (None, true) => return Err(format!("'parent' is missing: '{collection}' hangs under a row")),
        };
        let act = match op.as_str() {
            "create" if !resource.creates() => return Err(format!("no '{collection}' are made")),
            "update" if !resource.changes() => return Err(format!("no '{collection}' are changed")),
            "delete" if !resource.deletes() => return Err(format!("no '{collection}' are deleted")),
            "create" => Act::Create(object(&mut item)?),
            "update" => Act::Update(id(&mut item)?, object(&mut item)?),
            "delete" => Act::Delete(id(&mut item)?),
            "action" => {
                let action = text(&mut item, "action")?.ok_or("'action' is missing")?;
                if !resource.actions.iter().any(|a| a.name == action && a.writes()) {
                    return Err(format!("'{collection}' have no action '{action}'"));
                }
                let given = item.remove("body").unwrap_or_else(|| Value::Object(Map::new()));
                Act::Action(id(&mut item)?, action, given)
            }
            other => {
                return Err(format!("'op' is create, update, delete or action, and not '{other}'"));
            }
        };
        if let Some(name) = item.keys().next() {
            return Err(format!("'{op}' has no '{name}'"));
        }
        if revision.is_some() && matches!(act, Act::Create(_)) {
            return Err("'create' has no 'revision_number'".to_owned());
        }
        let step = Step { name, resource, parent, act, revision };
        step.check_references(earlier)?;
        Ok(step)
    }

    /// References name operations that come before.
    fn check_references(&self, earlier: &[Step]) -> Result<(), String> {
        let known = |path: &str| {
            let name = path.split('.').next().unwrap_or_default();
            match earlier.iter().any(|step| step.name.as_deref() == Some(name)) {
                true => Ok(()),
                false => Err(format!("'{path}' refers to no earlier operation")),
            }
        };
        let mut parts: Vec<&Value> = self.parent.iter().collect();
        match &self.act {
            Act::Create(body) => parts.extend(body.values()),
            Act::Update(id, body) => parts.extend(body.values().chain([id])),
            Act::Delete(id) => parts.push(id),
            Act::Action(id, _, given) => parts.extend([id, given]),
        }
        parts.into_iter().try_for_each(|part| each_reference(part, &known))
    }

    /// The operation, with references resolved and its body validated.
    fn operation(&self, access: &Access, answers: &HashMap<&str, Value>) -> Result<Operation, Refusal> {
        let fill = |value: &Value| filled(value, answers).map_err(bad_request);
        let id = |value: &Value| match fill(value)? {
            Value::String(id) => Ok(id),
            other => Err(bad_request(format!("{other} is no id"))),
        };
        let object = |body: &Map<String, Value>| {
            body.iter().map(|(name, value)| Ok((name.clone(), fill(value)?))).collect::<Result<_, Refusal>>()
        };
        let above = self.parent.as_ref().map(id).transpose()?;
        let (resource, caller) = (&self.resource, &access.caller);
        let seen = Seen { revision: self.revision, tags: None };
        let deed = match &self.act {
            Act::Create(body) => {
                let body = validate::create(resource, caller, object(body)?, above.as_deref())?;
                Deed::Create { bodies: vec![body], bulk: false }
            }
            Act::Update(row, body) => {
                let changes = validate::update(resource, caller, object(body)?)?;
                Deed::Update { id: id(row)?, changes, seen }
            }
            Act::Delete(row) => Deed::Delete { id: id(row)?, seen },
            Act::Action(row, name, given) => {
                let action = resource.actions.iter().find(|a| a.name == *name);
                let action = action.ok_or_else(|| bad_request(format!("there is no action '{name}'")))?;
                let given = actions::whole(action, fill(given)?)?;
                Deed::Act { id: id(row)?, action: name.clone(), verb: action.verb, given, seen }
            }
        };
        Ok(Operation { place: Place { resource: self.resource.clone(), above }, deed })
    }

    /// What references to this step see: the row, or what an action answered.
    fn answered(&self, answer: &Answer) -> Value {
        let mut body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        match (&self.act, body.get_mut(&self.resource.member)) {
            (Act::Action(..), _) | (_, None) => body,
            (_, Some(row)) => row.take(),
        }
    }
}

/// The collection at a path as URLs have it; one below another's rows has its
/// parent's path before its own. And whether it hangs under rows.
fn find(tables: &Tables, path: &str) -> Result<(Arc<Resource>, bool), String> {
    if let Some(resource) = tables.at(path) {
        return Ok((resource.clone(), false));
    }
    let child = path.rsplit_once('/').and_then(|(parent, own)| tables.child(tables.at(parent)?, own));
    child.map(|child| (child.clone(), true)).ok_or_else(|| format!("there is no collection '{path}'"))
}

fn text(item: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match item.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("'{name}' is no text")),
    }
}

fn object(item: &mut Map<String, Value>) -> Result<Map<String, Value>, String> {
    match item.remove("body") {
        Some(Value::Object(body)) => Ok(body),
        _ => Err("'body' must be an object".to_owned()),
    }
}

fn id(item: &mut Map<String, Value>) -> Result<Value, String> {
    let id = item.remove("id").ok_or("'id' is missing")?;
    match id.is_string() || reference(&id).is_some() {
        true => Ok(id),
        false => Err("'id' must be a text or a reference".to_owned()),
    }
}

/// What a value refers to, where it is a reference.
fn reference(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get(REFERENCE)?.as_str()
}

fn each_reference(value: &Value, check: &impl Fn(&str) -> Result<(), String>) -> Result<(), String> {
    if let Some(path) = reference(value) {
        return check(path);
    }
    match value {
        Value::Object(members) => members.values().try_for_each(|value| each_reference(value, check)),
        Value::Array(items) => items.iter().try_for_each(|value| each_reference(value, check)),
        _ => Ok(()),
    }
}

/// The value with what its references stand for in their places.
fn filled(value: &Value, answers: &HashMap<&str, Value>) -> Result<Value, String> {
    if let Some(path) = reference(value) {
        let mut parts = path.split('.');
        let first = parts.next().and_then(|name| answers.get(name));
        let found = parts.try_fold(first, |found, part| {
            let found = found?;
            let by_place = || part.parse::<usize>().ok().and_then(|place| found.get(place));
            Some(found.get(part).or_else(by_place))
        });
        return found
            .flatten()
            .cloned()
            .ok_or_else(|| format!("'{path}' refers to nothing that was answered"));
    }
    Ok(match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| Ok((name.clone(), filled(value, answers)?)))
                .collect::<Result<_, String>>()?,
        ),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| filled(item, answers)).collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::tables;
    use proptest::prelude::*;

    fn read(operations: Value) -> Result<usize, String> {
        let body = json!({"operations": operations}).to_string();
        let batch = Batch::read(body.as_bytes(), &tables(), 3).map_err(|refusal| refusal.message);
        batch.map(|batch| batch.steps.len())
    }

    #[test]
    fn what_is_wrong_with_its_form_is_told_with_its_place() {
        let create = |name: &str| json!({"op": "create", "collection": "gadgets", "name": name, "body": {}});
        assert_eq!(read(json!([create("a"), create("b")])), Ok(2));
        for (operations, sentence) in [
            (json!([]), "A batch has 1 to 3 operations, and this one has 0"),
            (json!([1]), "Operation 0: it is no object"),
            (json!([create("a"), create("a")]), "Operation 1: an earlier operation is named 'a' already"),
            (json!([create("a.b")]), "Operation 0: 'a.b' is no name: it must not be empty nor hold a '.'"),
            (json!([{"op": "create"}]), "Operation 0: 'collection' is missing"),
            (
                json!([{"op": "create", "collection": "nosuch", "body": {}}]),
                "Operation 0: there is no collection 'nosuch'",
            ),
            (json!([{"op": "create", "collection": "gadgets"}]), "Operation 0: 'body' must be an object"),
            (
                json!([{"op": "drop", "collection": "gadgets"}]),
                "Operation 0: 'op' is create, update, delete or action, and not 'drop'",
            ),
            (json!([{"op": "delete", "collection": "gadgets"}]), "Operation 0: 'id' is missing"),
            (
                json!([{"op": "delete", "collection": "gadgets", "id": {"$ref": "later.id"}}]),
                "Operation 0: 'later.id' refers to no earlier operation",
            ),
            (
                json!([{"op": "create", "collection": "gadgets/parts", "body": {}}]),
                "Operation 0: 'parent' is missing: 'gadgets/parts' hangs under a row",
            ),
            (
                json!([{"op": "delete", "collection": "gadgets", "id": "x", "body": {}}]),
                "Operation 0: 'delete' has no 'body'",
            ),
        ] {
            assert_eq!(read(operations), Err(sentence.to_owned()));
        }
        let many = Value::from(vec![json!({"op": "delete", "collection": "gadgets", "id": "x"}); 4]);
        assert_eq!(read(many), Err("A batch has 1 to 3 operations, and this one has 4".to_owned()));
    }

    #[test]
    fn references_stand_for_members_at_any_depth() {
        let answers = HashMap::from([("a", json!({"id": "x", "places": [{"room": 5}]}))]);
        let filled = |value: Value| filled(&value, &answers);
        assert_eq!(filled(json!({"$ref": "a.id"})), Ok(json!("x")));
        assert_eq!(filled(json!([{"in": {"$ref": "a.places.0.room"}}])), Ok(json!([{"in": 5}])));
        assert_eq!(filled(json!({"$ref": "a"})).map(|row| row["id"].clone()), Ok(json!("x")));
        assert_eq!(filled(json!({"$ref": "a.id", "more": 1})), Ok(json!({"$ref": "a.id", "more": 1})));
        assert_eq!(
            filled(json!({"$ref": "a.nosuch.id"})),
            Err("'a.nosuch.id' refers to nothing that was answered".to_owned())
        );
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(text in "[\\[\\]{}:,\"a-z$. 0-9]{0,60}") {
            drop(Batch::read(format!("{{\"operations\":[{text}]}}").as_bytes(), &tables(), 3));
        }
    }
}
