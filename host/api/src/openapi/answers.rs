//! Answers: what an operation can say besides that it is done.

use crate::auth::Auth;
use serde_json::{Map, Value, json};

/// Every status of a refusal: its name among the document's responses, and when
/// it is given.
const REFUSALS: [(u16, &str, &str); 12] = [
    (400, "BadRequest", "The request is not one, or says what is not allowed."),
    (401, "Unauthorized", "Nobody, or somebody unknown, asks."),
    (403, "Forbidden", "Policy says no."),
    (404, "NotFound", "It, or what it hangs under or refers to, is not there, or not for the caller to see."),
    (409, "Conflict", "What is there already is in the way."),
    (410, "Gone", "What is asked for is forgotten."),
    (
        412,
        "PreconditionFailed",
        "The row has another revision than `If-Match` says, or looks otherwise than its tag.",
    ),
    (413, "ContentTooLarge", "The request body is too large."),
    (
        422,
        "UnprocessableContent",
        "The `Idempotency-Key` was used for a request that asked for something else.",
    ),
    (429, "TooManyRequests", "The project makes too many requests, where the operator limits them."),
    (500, "InternalServerError", "The server, or a plugin that it asked, failed."),
    (503, "ServiceUnavailable", "The database cannot be reached; or there is nothing left to give."),
];

/// The id of the request, in every answer.
const REQUEST_ID: &str = "^req-[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$";

/// Headers of the answers, by name.
pub(super) fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "Names the request in the server's log.",
            "required": true,
            "schema": {"type": "string", "pattern": REQUEST_ID},
        },
    })
}

/// The bodies of refusals.
pub(super) fn schemas() -> [(&'static str, Value); 2] {
    let mut error = body(&[
        ("type", json!({"type": "string", "description": "The sort of error, as a class of Neutron's."})),
        ("message", json!({"type": "string", "description": "What is wrong, for people."})),
        ("detail", json!({"type": "string"})),
    ]);
    if let Some(Value::Object(members)) = error.get_mut("properties") {
        let name = json!({"type": ["string", "null"]});
        let mut operation = body(&[("index", json!({"type": "integer"})), ("name", name)]);
        super::schema::set(&mut operation, "description", json!("Of a batch: which operation was refused."));
        members.insert("operation".to_owned(), operation);
    }
    [
        ("Error", body(&[("NeutronError", error)])),
        (
            "Unauthorized",
            body(&[(
                "error",
                body(&[
                    ("code", json!({"const": 401})),
                    ("title", json!({"type": "string"})),
                    ("message", json!({"type": "string"})),
                ]),
            )]),
        ),
    ]
}

/// The refusals that operations refer to.
pub(super) fn refusals() -> Value {
    let all = REFUSALS.iter().map(|(status, name, description)| {
        let schema = if *status == 401 { "Unauthorized" } else { "Error" };
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        let mut answer = json_answer(description, schema);
        if *status == 401
            && let Some(Value::Object(headers)) = answer.get_mut("headers")
        {
            let description = "How to say who asks.";
            let header = json!({"description": description, "required": true, "schema": {"type": "string"}});
            headers.insert("WWW-Authenticate".to_owned(), header);
        }
        if *status == 429
            && let Some(Value::Object(headers)) = answer.get_mut("headers")
        {
            let schema = json!({"type": "string", "pattern": "^[1-9][0-9]*$"});
            let header = json!({"description": "When to come again, s.", "required": true, "schema": schema});
            headers.insert("Retry-After".to_owned(), header);
        }
        ((*name).to_owned(), answer)
    });
    Value::from(all.collect::<Map<_, _>>())
}

/// The answers of an operation: its own, and refusals. That nobody known asks
/// can only be where callers have to say who they are.
pub(super) fn responses(auth: &Auth, own: Vec<(u16, Value)>, refusals: &[u16]) -> Value {
    let anonymous = matches!(auth, Auth::None);
    let mut all: Vec<(u16, Value)> = own;
    for (status, name, _) in REFUSALS {
        let given = all.iter().any(|(own, _)| *own == status);
        if refusals.contains(&status) && !given && !(status == 401 && anonymous) {
            all.push((status, json!({"$ref": format!("#/components/responses/{name}")})));
        }
    }
    all.sort_by_key(|(status, _)| *status);
    Value::from(all.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect::<Map<_, _>>())
}

/// An answer of JSON.
pub(super) fn json_answer(description: &str, schema: Value) -> Value {
    let mut answer = empty_answer(description);
    super::schema::set(&mut answer, "content", json!({"application/json": {"schema": schema}}));
    answer
}

/// An answer without a body.
pub(super) fn empty_answer(description: &str) -> Value {
    let id = json!({"$ref": "#/components/headers/RequestId"});
    json!({"description": description, "headers": {"X-Openstack-Request-Id": id}})
}

/// An object of exactly these members.
pub(super) fn body(members: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
}
