//! Operations on resources: what each path of a resource can be asked.

use super::answers::{body, empty_answer, json_answer, responses};
use super::beyond::{done, if_none_match, looked, terms};
use super::parameters;
use super::rows;
use super::{Context, Operations};
use crate::operation::action_rule;
use crate::routes::Place;
use crate::tables::Resource;
use hadron_manifest::{Action, Validator, Verb};
use serde_json::{Map, Value, json};

/// What reading can be refused with.
const READ: [u16; 7] = [400, 401, 403, 404, 429, 500, 503];
/// What a change without a body can.
const DELETE: [u16; 10] = [400, 401, 403, 404, 409, 412, 422, 429, 500, 503];
/// What a change with a body can.
const WRITE: [u16; 11] = [400, 401, 403, 404, 409, 412, 413, 422, 429, 500, 503];
/// What a create can: there is no revision yet.
const CREATE: [u16; 10] = [400, 401, 403, 404, 409, 413, 422, 429, 500, 503];

/// What varies from operation to operation.
struct Parts {
    id: String,
    summary: String,
    policy: String,
    parameters: Vec<Value>,
    body: Option<Body>,
    responses: Value,
}

/// What is sent: its schema, and whether it must be.
struct Body {
    schema: Value,
    required: bool,
}

fn operation(resource: &Resource, parts: Parts) -> Value {
    let mut operation = json!({
        "operationId": parts.id,
        "tags": [resource.collection()],
        "summary": parts.summary,
        "x-hadron-policy": parts.policy,
    });
    if !parts.parameters.is_empty() {
        super::schema::set(&mut operation, "parameters", json!(parts.parameters));
    }
    if let Some(Body { schema, required }) = parts.body {
        let body = json!({"required": required, "content": {"application/json": {"schema": schema}}});
        super::schema::set(&mut operation, "requestBody", body);
    }
    super::schema::set(&mut operation, "responses", parts.responses);
    operation
}

/// All rows: list, create.
pub(super) fn collection(context: &Context<'_>, place: &Place) -> Operations {
    let resource = &place.resource;
    let (word, class) = (context.words.word(resource), context.words.class(resource));
    let list = operation(
        resource,
        Parts {
            id: format!("list_{}", resource.collection()),
            summary: format!("List {}", spaced(&resource.name)),
            policy: format!("get_{}", resource.ruled),
            parameters: [parameters::of_list(resource), vec![if_none_match()]].concat(),
            body: None,
            responses: responses(
                context.auth,
                looked(json_answer("The rows that the caller may see.", listed(resource, &class))),
                &READ,
            ),
        },
    );
    let create = operation(
        resource,
        Parts {
            id: format!("create_{word}"),
            summary: format!("Create one {}, or several: all of them or none", spaced(&resource.member)),
            policy: format!("create_{}", resource.ruled),
            parameters: terms(),
            body: Some(Body { schema: to_create(resource, &class), required: true }),
            responses: responses(
                context.auth,
                vec![(201, done(created(context, resource, &class)))],
                &CREATE,
            ),
        },
    );
    let mut operations = vec![("get", list)];
    if resource.creates() {
        operations.push(("post", create));
    }
    operations
}

/// One row: show, update, delete.
pub(super) fn item(context: &Context<'_>, place: &Place) -> Operations {
    let resource = &place.resource;
    let (word, class) = (context.words.word(resource), context.words.class(resource));
    let named = |verb: &str, parameters: Vec<Value>, body: Option<Body>, responses: Value| {
        let policy = if verb == "show" { "get" } else { verb };
        let mut letters = verb.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        let verb_title: String = first.into_iter().chain(letters).collect();
        let parts = Parts {
            id: format!("{verb}_{word}"),
            summary: format!("{verb_title} one {}", spaced(&resource.member)),
            policy: format!("{policy}_{}", resource.ruled),
            parameters,
            body,
            responses,
        };
        operation(resource, parts)
    };
    let one =
        |description: &str, schema: Value| json_answer(description, body(&[(&resource.member, schema)]));
    let to_change = json!({
        "type": "object",
        "properties": {(&resource.member): refer(&format!("{class}Update"))},
        "required": [resource.member],
    });
    let mut operations = vec![
        (
            "get",
            named(
                "show",
                vec![parameters::fields(resource), if_none_match()],
                None,
                responses(
                    context.auth,
                    looked(one("The row.", refer(&class))),
                    if resource.on_demand { &DELETE } else { &READ },
                ),
            ),
        ),
        (
            "put",
            named(
                "update",
                conditional(),
                Some(Body { schema: to_change, required: true }),
                responses(
                    context.auth,
                    vec![(200, done(one("The row as it is now.", whole(resource, &class))))],
                    &WRITE,
                ),
            ),
        ),
        (
            "delete",
            named(
                "delete",
                conditional(),
                None,
                responses(context.auth, vec![(204, done(empty_answer("It is gone.")))], &DELETE),
            ),
        ),
    ];
    operations.retain(|(method, _)| match *method {
        "put" => resource.changes(),
        "delete" => resource.deletes(),
        _ => true,
    });
    operations
}

/// Something a row can be told, or asked.
pub(super) fn action(context: &Context<'_>, place: &Place, action: &Action) -> (&'static str, Value) {
    let resource = &place.resource;
    let told = |status: u16| (status, json_answer("What the plugin answers.", json!({})));
    let (method, answer, refused) = match action.verb {
        Verb::Get => ("get", told(200), [READ.as_slice(), &[412]].concat()),
        Verb::Create => ("post", told(201), WRITE.to_vec()),
        Verb::Update => ("put", told(200), WRITE.to_vec()),
        Verb::Delete => ("delete", (204, empty_answer("It is done.")), DELETE.to_vec()),
    };
    let sent = matches!(action.verb, Verb::Create | Verb::Update);
    let (parameters, (status, answer)) = match action.writes() {
        true => (conditional(), (answer.0, done(answer.1))),
        false => (vec![parameters::if_match()], answer),
    };
    let parts = Parts {
        id: format!("{}_{}", action.name, context.words.word(resource)),
        summary: format!(
            "{} one {}: {}",
            if action.writes() { "Tell" } else { "Ask" },
            spaced(&resource.member),
            spaced(&action.name)
        ),
        policy: action_rule(context.tables, resource, &action.name, action.verb),
        parameters,
        body: sent.then(|| taken(action)),
        responses: responses(context.auth, vec![(status, answer)], &refused),
    };
    (method, operation(resource, parts))
}

/// What an action is sent.
fn taken(action: &Action) -> Body {
    let Some(takes) = &action.takes else { return Body { schema: json!({}), required: false } };
    let attributes = Validator::Object { members: takes.attributes.clone() };
    let attributes = super::schema::accepted(&attributes, false);
    let schema = match &takes.member {
        None => attributes,
        Some(member) => {
            json!({"type": "object", "properties": {member: attributes}, "required": [member]})
        }
    };
    Body { schema, required: true }
}

/// How a change is to be done, and of which state of the row.
fn conditional() -> Vec<Value> {
    [vec![parameters::if_match()], terms()].concat()
}

/// `{"gadgets": […], "gadgets_links": […]}`.
fn listed(resource: &Resource, class: &str) -> Value {
    let links = format!("{}_links", resource.name);
    json!({
        "type": "object",
        "properties": {
            (&resource.name): {"type": "array", "items": refer(class)},
            (&links): {
                "description": "The pages before and after; only where there is a `limit`.",
                "type": "array",
                "items": body(&[("rel", json!({"enum": ["next", "previous"]})), ("href", json!({"type": "string"}))]),
            },
        },
        "required": [resource.name],
        "additionalProperties": false,
    })
}

/// One, or several at once. Where both are given the list counts.
fn to_create(resource: &Resource, class: &str) -> Value {
    let (one, several) = (&resource.member, &resource.name);
    let document = refer(&format!("{class}Create"));
    let mut single = json!({
        "title": "one",
        "type": "object",
        "properties": {one: document},
        "required": [one],
    });
    if one != several {
        super::schema::set(&mut single, "not", json!({"required": [several]}));
    }
    // An item that has the singular for a member is taken for a body of its own.
    let wrapped = json!({"type": "object", "properties": {one: document}, "required": [one]});
    let items = json!({"anyOf": [document, wrapped]});
    let bulk = json!({
        "title": "several",
        "type": "object",
        "properties": {several: {"type": "array", "items": items, "minItems": 1}},
        "required": [several],
    });
    json!({"oneOf": [single, bulk]})
}

fn created(context: &Context<'_>, resource: &Resource, class: &str) -> Value {
    let row = whole(resource, class);
    let bulk = body(&[(&resource.name, json!({"type": "array", "items": row.clone()}))]);
    let mut answer = json_answer(
        "What was made, as it was asked for: one or several.",
        json!({"oneOf": [body(&[(&resource.member, row)]), bulk]}),
    );
    // A child's path needs the parent's id too, which its answer does not name.
    if resource.parent.is_none() {
        let word = context.words.word(resource);
        let id =
            format!("$response.body#/{}/{}", resource.member, resource.named_by.as_deref().unwrap_or("id"));
        let links: Map<String, Value> = ["show", "update", "delete"]
            .map(|verb| {
                let parameters = json!({format!("{word}_id"): id});
                (verb.to_owned(), json!({"operationId": format!("{verb}_{word}"), "parameters": parameters}))
            })
            .into_iter()
            .collect();
        super::schema::set(&mut answer, "links", Value::from(links));
    }
    answer
}

/// A row in the answer to a change: there is no choosing of attributes.
fn whole(resource: &Resource, class: &str) -> Value {
    json!({"allOf": [refer(class), {"required": rows::always(resource)}]})
}

fn refer(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}
