//! What Neutron's API has not: terms of writes, entity tags, batches, and the
//! stream of changes.

use super::answers::{body, empty_answer, json_answer, responses};
use super::schema::set;
use super::{Context, Operations};
use serde_json::{Value, json};

/// The group of batches and of the stream in the document.
pub(super) const TAG: &str = "beyond Neutron";

/// What a batch can be refused with: whatever its operations can.
const BATCH: [u16; 11] = [400, 401, 403, 404, 409, 412, 413, 422, 429, 500, 503];
/// What a watch can.
const WATCH: [u16; 7] = [400, 401, 403, 410, 429, 500, 503];

/// How a write is to be done.
pub(super) fn terms() -> Vec<Value> {
    let dry_run = json!({
        "name": "dry_run", "in": "query",
        "description": "`true`: the request is done whole and rolled back; the answer is what it would have been.",
        "schema": {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[01])$"},
    });
    let key = json!({
        "name": "Idempotency-Key", "in": "header",
        "description": "Names the request: asked again under the same key it is answered as before, and not done again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    });
    vec![dry_run, key]
}

/// The answer of a write that may have been a dry run, or given before.
pub(super) fn done(mut answer: Value) -> Value {
    header(&mut answer, "X-Hadron-Dry-Run", "Where it was a dry run: `true`.");
    header(&mut answer, "Idempotency-Replayed", "Where the answer was given before: `true`.");
    answer
}

/// The tag of what a client has already.
pub(super) fn if_none_match() -> Value {
    json!({
        "name": "If-None-Match", "in": "header", "schema": {"type": "string"},
        "description": "The `ETag` of an answer: 304 while this one would be the same.",
    })
}

/// The answers of a look: the whole, which says its tag, or that it is the same.
pub(super) fn looked(mut whole: Value) -> Vec<(u16, Value)> {
    header(&mut whole, "ETag", "Of this very answer; long lists have none.");
    let mut same = empty_answer("It is what `If-None-Match` names.");
    header(&mut same, "ETag", "Of the answer.");
    vec![(200, whole), (304, same)]
}

fn header(answer: &mut Value, name: &str, description: &str) {
    if let Some(Value::Object(headers)) = answer.get_mut("headers") {
        headers.insert(name.to_owned(), json!({"description": description, "schema": {"type": "string"}}));
    }
}

/// An operation of a batch, with its members; it always has `op` and `collection`.
fn step(op: &str, members: &[(&str, Value)], needed: &[&str]) -> Value {
    let mut step = body(&[("op", json!({"const": op})), ("collection", json!({"type": "string"}))]);
    let name = json!({"type": ["string", "null"], "pattern": "^[^.]+$", "description": "For references to what it answers."});
    let always = [("name", name), ("parent", row())];
    for (member, schema) in always.into_iter().chain(members.iter().cloned()) {
        set(step.get_mut("properties").unwrap_or(&mut Value::Null), member, schema);
    }
    let required: Vec<&str> = ["op", "collection"].iter().chain(needed).copied().collect();
    set(&mut step, "required", json!(required));
    set(&mut step, "title", json!(op));
    step
}

/// An id, or a reference to one.
fn row() -> Value {
    let reference = json!({
        "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "string"},
        "description": "`{\"$ref\": \"NAME.MEMBER\"}`: what an earlier operation answered.",
    });
    json!({"anyOf": [{"type": "string"}, reference]})
}

/// `POST /v2.0/batch`.
pub(super) fn batch(context: &Context<'_>) -> Operations {
    let document = || json!({"type": "object"});
    let revision = || json!({"type": "integer"});
    let steps = [
        step("create", &[("body", document())], &["body"]),
        step(
            "update",
            &[("id", row()), ("body", document()), ("revision_number", revision())],
            &["id", "body"],
        ),
        step("delete", &[("id", row()), ("revision_number", revision())], &["id"]),
        step(
            "action",
            &[
                ("id", row()),
                ("action", json!({"type": "string"})),
                ("body", json!({})),
                ("revision_number", revision()),
            ],
            &["id", "action"],
        ),
    ];
    let operations = json!({"type": "array", "minItems": 1, "items": {"oneOf": steps}});
    let result = body(&[
        ("name", json!({"type": ["string", "null"]})),
        ("status", json!({"type": "integer"})),
        ("body", json!({"description": "As of a request of its own."})),
    ]);
    let results = body(&[("results", json!({"type": "array", "items": result}))]);
    let own = vec![(200, done(json_answer("What each operation came to.", results)))];
    let schema = body(&[("operations", operations)]);
    let operation = json!({
        "operationId": "batch",
        "tags": [TAG],
        "summary": "Do several operations as one: all of them or none",
        "parameters": terms(),
        "requestBody": {"required": true, "content": {"application/json": {"schema": schema}}},
        "responses": responses(context.auth, own, &BATCH),
    });
    vec![("post", operation)]
}

/// `GET /v2.0/watch`.
pub(super) fn watch(context: &Context<'_>) -> Operations {
    let cursor = || json!({"type": "string", "pattern": "^\\+?[0-9]+$"});
    let parameters = json!([
        {
            "name": "collections", "in": "query", "schema": {"type": "string"},
            "description": "Names of collections, separated by commas; without it all are watched.",
        },
        {
            "name": "since", "in": "query", "schema": cursor(),
            "description": "The cursor to go on from: the `id` of an event.",
        },
        {
            "name": "Last-Event-ID", "in": "header", "schema": cursor(),
            "description": "The same, as clients send it that come again by themselves; it counts before `since`.",
        },
    ]);
    let mut stream = empty_answer(
        "Server-sent events, until the client goes or has to come again: `started`, `created`, `updated`, \
         `deleted`, `expired`. The data of a change is an object with `collection`, `id`, `revision_number`, \
         and the row under its singular.",
    );
    let event = json!({
        "type": "object",
        "description": "An event, by its fields.",
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]+$", "description": "A cursor."},
            "event": {"enum": ["started", "created", "updated", "deleted", "expired"]},
            "data": {"type": "string", "contentMediaType": "application/json"},
        },
        "required": ["id"],
    });
    set(&mut stream, "content", json!({"text/event-stream": {"schema": event}}));
    let operation = json!({
        "operationId": "watch",
        "tags": [TAG],
        "summary": "Be told what changes, of what the caller may see",
        "x-hadron-policy": "watch",
        "parameters": parameters,
        "responses": responses(context.auth, vec![(200, stream)], &WATCH),
    });
    vec![("get", operation)]
}
