//! What a row can be told and asked: `/v2.0/gadgets/{id}/polish`, and rows that
//! are put to it, `/v2.0/gadgets/{id}/friends/{friend_id}`.

use crate::body;
use crate::error::{bad_request, method_not_allowed};
use crate::listing::{self, Parameters};
use crate::operation::{Deed, Operation, Seen};
use crate::resources::{Answer, Asked};
use crate::routes::Place;
use crate::terms;
use crate::validate;
use axum::http::Method;
use hadron_manifest::{Action, Verb};
use hadron_runtime::{Refusal, Terms};
use serde_json::{Map, Value};

impl Asked {
    /// The action at these parts of the path below a row.
    pub(crate) async fn act(mut self, place: Place, id: String, told: &[String], method: &Method) -> Answer {
        let (action, values) = find(&place.resource.actions, told, method)?;
        let body = match action.verb {
            Verb::Get => asked(listing::parameters(&self.query)?),
            Verb::Create | Verb::Update => body::anything(&self.read().await?)?,
            Verb::Delete => Value::from(Map::new()),
        };
        let given = given(action, values, body)?;
        let (name, verb) = (action.name.clone(), action.verb);
        let deed = Deed::Act { id, action: name, verb, given, seen: Seen::of(&self.headers) };
        let operation = Operation { place, deed };
        if verb != Verb::Get {
            return self.write(operation).await;
        }
        let answered = self.run(operation, Terms::default()).await?;
        Ok(terms::answer(answered, false))
    }
}

/// A query string as an object; a parameter that is repeated is a list.
pub(crate) fn asked(parameters: Parameters) -> Value {
    let mut asked: Map<String, Value> = Map::new();
    for (name, value) in parameters {
        let value = Value::from(value);
        match asked.get_mut(&name) {
            None => drop(asked.insert(name, value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::from(vec![first.take(), value]),
        }
    }
    Value::from(asked)
}

/// The action at these parts of a path by this method, and the values of its
/// variables.
fn find<'a>(
    actions: &'a [Action],
    told: &[String],
    method: &Method,
) -> Result<(&'a Action, Map<String, Value>), Refusal> {
    let asked = |action: &Action| {
        *method
            == match action.verb {
                Verb::Get => Method::GET,
                Verb::Create => Method::POST,
                Verb::Update => Method::PUT,
                Verb::Delete => Method::DELETE,
            }
    };
    let found = actions.iter().filter(|action| asked(action)).find_map(|action| {
        let values = action.values(told)?.into_iter();
        Some((action, values.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()))
    });
    found.ok_or_else(method_not_allowed)
}

/// What a plugin is given: the values of the path's variables, and of the body
/// what the action takes.
fn given(action: &Action, values: Map<String, Value>, body: Value) -> Result<Value, Refusal> {
    let mut given = match (&action.takes, body) {
        (None, body) if values.is_empty() => return Ok(body),
        (None, Value::Object(members)) => members,
        (Some(takes), Value::Object(members)) => {
            let members = match &takes.member {
                None => members,
                Some(member) => body::single(members, member)?,
            };
            validate::taken(&takes.attributes, members)?
        }
        _ => return Err(bad_request("Body contains invalid data")),
    };
    given.extend(values);
    Ok(Value::from(given))
}

/// The same of a body that has the path's variables among its members.
pub(crate) fn whole(action: &Action, mut body: Value) -> Result<Value, Refusal> {
    let mut values = Map::new();
    for name in action.variables() {
        let value = body.as_object_mut().and_then(|members| members.remove(name));
        match value.filter(Value::is_string) {
            Some(value) => values.insert(name.to_owned(), value),
            None => return Err(bad_request(format!("The body must have the text '{name}'"))),
        };
    }
    given(action, values, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::tables;
    use serde_json::json;

    const ID: &str = "4fb4dec0-5f47-409f-a688-e15287ac626a";

    fn told(path: &str, method: Method, body: Value) -> Result<(String, Value), (u16, String)> {
        let tables = tables();
        let actions = &tables.at("gadgets").unwrap().actions;
        let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        let (action, values) = find(actions, &parts, &method).map_err(|_| (405, String::new()))?;
        let given = given(action, values, body).map_err(|refusal| (400, refusal.message))?;
        Ok((action.name.clone(), given))
    }

    #[test]
    fn the_method_and_the_path_choose_the_action() {
        let polish = |method| told("polish", method, json!(["any"]));
        assert_eq!(polish(Method::PUT), Ok(("polish".to_owned(), json!(["any"]))));
        assert_eq!(polish(Method::POST), Err((405, String::new())));
        assert_eq!(
            told("friends/7", Method::DELETE, json!({})),
            Ok(("forget".to_owned(), json!({"friend_id": "7"})))
        );
        assert_eq!(told("friends", Method::DELETE, json!({})), Err((405, String::new())));
    }

    #[test]
    fn a_question_has_a_list_of_what_is_repeated() {
        let asked = |query: &str| asked(listing::parameters(query).unwrap());
        assert_eq!(asked("a=1&b=2&a=3&a=4"), json!({"a": ["1", "3", "4"], "b": "2"}));
        assert_eq!(asked(""), json!({}));
    }

    #[test]
    fn the_body_is_what_the_action_takes() {
        let befriend = |body| told("friends", Method::POST, body).map(|(_, given)| given);
        assert_eq!(befriend(json!({"friend": {"id": ID}})), Ok(json!({"id": ID, "close": false})));
        for (body, message) in [
            (json!({}), "Unable to find 'friend' in request body"),
            (json!({"friend": 1}), "Object 'friend' contains invalid data"),
            (json!([]), "Body contains invalid data"),
            (json!({"friend": {}}), "Failed to parse request. Required attribute 'id' not specified"),
            (json!({"friend": {"id": ID, "x": 1}}), "Unrecognized attribute(s) 'x'"),
            (json!({"friend": {"id": "x"}}), "Invalid input for id. Reason: 'x' is not a valid UUID."),
        ] {
            assert_eq!(befriend(body), Err((400, message.to_owned())));
        }
    }

    #[test]
    fn a_body_can_bring_the_values_of_the_path() {
        let tables = tables();
        let actions = &tables.at("gadgets").unwrap().actions;
        let forget = actions.iter().find(|action| action.name == "forget").unwrap();
        let whole = |body| whole(forget, body).map_err(|refusal| refusal.message);
        assert_eq!(whole(json!({"friend_id": "7"})), Ok(json!({"friend_id": "7"})));
        for body in [json!({}), json!({"friend_id": 7}), json!([])] {
            assert_eq!(whole(body), Err("The body must have the text 'friend_id'".to_owned()));
        }
    }
}
