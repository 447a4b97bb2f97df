//! Operations that are about no resource: versions, extensions, health, and the
//! description itself.

use super::answers::{body, json_answer, responses};
use super::{Context, Operations};
use serde_json::{Value, json};

/// The tag they have in common.
pub(super) const TAG: &str = "server";

fn operation(id: &str, summary: &str, parameters: Value, responses: Value) -> Operations {
    let mut operation = json!({"operationId": id, "tags": [TAG], "summary": summary});
    if parameters != json!([]) {
        super::schema::set(&mut operation, "parameters", parameters);
    }
    super::schema::set(&mut operation, "responses", responses);
    vec![("get", operation)]
}

/// Paths beside `/v2.0`, which ask for no login.
pub(super) fn open(context: &Context<'_>) -> Vec<(&'static str, Operations)> {
    let text = || json!({"type": "string"});
    let links = || json!({"type": "array", "items": body(&[("rel", text()), ("href", text())])});
    let version = body(&[("id", text()), ("status", text()), ("links", links())]);
    let versions = body(&[("versions", json!({"type": "array", "items": version}))]);
    let health = body(&[
        ("detailed", json!({"const": false})),
        ("reasons", json!({"type": "array", "items": text()})),
    ]);
    let count = || json!({"type": "integer", "minimum": 0});
    let mut bus =
        body(&[("state", json!({"enum": ["in process", "connected", "away"]})), ("reason", text())]);
    super::schema::set(&mut bus, "required", json!(["state"]));
    let ready = body(&[
        ("status", json!({"enum": ["ready", "not ready"]})),
        ("reasons", json!({"type": "array", "items": text()})),
        ("plugins", body(&[("loaded", count()), ("refused", count())])),
        ("bus", bus),
    ]);
    let page = |media: &str| {
        let content =
            json!({media: {"schema": if media == "text/html" { text() } else { json!({"type": "object"}) }}});
        let mut answer = super::answers::empty_answer("The description.");
        super::schema::set(&mut answer, "content", content);
        answer
    };
    let unchanged = super::answers::empty_answer("It is the one that `If-None-Match` names.");
    let known = json!([{
        "name": "If-None-Match", "in": "header", "schema": {"type": "string"},
        "description": "The `ETag` of the description that the caller has.",
    }]);
    let answer = |own: Vec<(u16, Value)>, refusals: &[u16]| responses(context.auth, own, refusals);
    let described = |media: &str| answer(vec![(200, page(media)), (304, unchanged.clone())], &[500]);
    let mut all = vec![
        (
            "/",
            operation(
                "list_versions",
                "List the versions of the API",
                json!([]),
                answer(vec![(200, json_answer("The versions.", versions))], &[500]),
            ),
        ),
        (
            "/healthcheck",
            operation(
                "check_health",
                "Whether the server can reach its database",
                json!([]),
                answer(
                    vec![
                        (200, json_answer("It can.", health.clone())),
                        (503, json_answer("It cannot.", health)),
                    ],
                    &[500],
                ),
            ),
        ),
        (
            "/healthz",
            operation(
                "check_alive",
                "Whether the process answers",
                json!([]),
                answer(vec![(200, json_answer("It does.", body(&[("status", text())])))], &[500]),
            ),
        ),
        (
            "/readyz",
            operation(
                "check_ready",
                "Whether requests should be sent to this server",
                json!([]),
                answer(
                    vec![
                        (200, json_answer("They should.", ready.clone())),
                        (503, json_answer("They should not, for these reasons.", ready)),
                    ],
                    &[500],
                ),
            ),
        ),
        (
            "/openapi.json",
            operation("describe", "This description", known.clone(), described("application/json")),
        ),
        ("/docs", operation("browse", "This description, to be browsed", known, described("text/html"))),
    ];
    for (_, operations) in &mut all {
        for (_, operation) in operations {
            super::schema::set(operation, "security", json!([]));
        }
    }
    all
}

/// `/v2.0/`.
pub(super) fn index(context: &Context<'_>) -> Operations {
    let text = || json!({"type": "string"});
    let links = json!({"type": "array", "items": body(&[("rel", text()), ("href", text())])});
    let resource = body(&[("name", text()), ("collection", text()), ("links", links)]);
    let schema = body(&[("resources", json!({"type": "array", "items": resource}))]);
    let own = vec![(200, json_answer("The core resources.", schema))];
    let answers = responses(context.auth, own, &[400, 401, 429, 500]);
    operation("list_resources", "List the core resources", json!([]), answers)
}

/// `/v2.0/extensions`.
pub(super) fn extensions(context: &Context<'_>) -> Operations {
    let schema = body(&[("extensions", json!({"type": "array", "items": extension_schema()}))]);
    let own = vec![(200, json_answer("The extensions of the plugins that are loaded.", schema))];
    let answers = responses(context.auth, own, &[400, 401, 429, 500]);
    operation("list_extensions", "List the extensions of the API", json!([]), answers)
}

/// `/v2.0/extensions/{alias}`.
pub(super) fn extension(context: &Context<'_>) -> Operations {
    let text = || json!({"type": "string"});
    let unknown = body(&[("message", text()), ("code", text()), ("title", text())]);
    let error = json!({"$ref": "#/components/schemas/Error"});
    let own = vec![
        (200, json_answer("The extension.", body(&[("extension", extension_schema())]))),
        (404, json_answer("There is none of that alias.", json!({"anyOf": [unknown, error]}))),
    ];
    let answers = responses(context.auth, own, &[400, 401, 429, 500]);
    operation("show_extension", "Show an extension of the API", json!([]), answers)
}

fn extension_schema() -> Value {
    let text = || json!({"type": "string"});
    body(&[
        ("name", text()),
        ("alias", text()),
        ("description", text()),
        ("updated", text()),
        ("links", json!({"type": "array"})),
    ])
}
