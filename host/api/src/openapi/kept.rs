//! Operations on what the host keeps besides rows: tags and quotas.

use super::answers::{body, empty_answer, json_answer, responses};
use super::beyond::{done, terms};
use super::{Context, Operations};
use crate::routes::Place;
use crate::tables::Resource;
use hadron_manifest::{TAG_LENGTH, TAGS};
use serde_json::{Map, Value, json};

/// The group of quotas in the document.
pub(super) const TAG: &str = "quotas";

/// What reading can be refused with.
const READ: [u16; 7] = [400, 401, 403, 404, 429, 500, 503];
/// What a change of tags can.
const WRITE: [u16; 10] = [400, 401, 403, 404, 409, 413, 422, 429, 500, 503];
/// What a change of limits can, which are no rows.
const LIMIT: [u16; 9] = [400, 401, 403, 404, 409, 413, 429, 500, 503];

/// One operation.
struct Parts<'a> {
    id: String,
    group: &'a str,
    summary: &'a str,
    policy: String,
    body: Option<Value>,
    own: (u16, Value),
}

fn operation(context: &Context<'_>, parts: Parts<'_>) -> Value {
    let Parts { id, group, summary, policy, body, own } = parts;
    let reads = id.starts_with("show") || id.starts_with("list");
    let in_units = !reads && group != TAG;
    let refusals: &[u16] = match (reads, in_units) {
        (true, _) => &READ,
        (_, true) => &WRITE,
        (_, false) => &LIMIT,
    };
    let own = if in_units { (own.0, done(own.1)) } else { own };
    let mut operation = json!({
        "operationId": id,
        "tags": [group],
        "summary": summary,
        "x-hadron-policy": policy,
    });
    if in_units {
        super::schema::set(&mut operation, "parameters", json!(terms()));
    }
    if let Some(schema) = body {
        let body = json!({"required": true, "content": {"application/json": {"schema": schema}}});
        super::schema::set(&mut operation, "requestBody", body);
    }
    super::schema::set(&mut operation, "responses", responses(context.auth, vec![own], refusals));
    operation
}

fn about_tags<'a>(
    context: &Context<'_>,
    resource: &'a Resource,
    verb: &str,
    word: &str,
    summary: &'a str,
) -> Parts<'a> {
    let rule = match verb {
        "show" => "get",
        other => other,
    };
    Parts {
        id: format!("{verb}_{word}_of_{}", context.words.word(resource)),
        group: resource.collection(),
        summary,
        policy: format!("{rule}_{}:{TAGS}", resource.ruled),
        body: None,
        own: (204, empty_answer("It is so.")),
    }
}

fn list_of_tags() -> Value {
    let tag = json!({"type": "string", "maxLength": TAG_LENGTH});
    body(&[(TAGS, json!({"type": "array", "items": tag, "uniqueItems": true}))])
}

/// The tags of a row.
pub(super) fn tags(context: &Context<'_>, place: &Place) -> Operations {
    let resource = place.resource.as_ref();
    let parts = |verb: &str, summary| about_tags(context, resource, verb, TAGS, summary);
    let listed = || (200, json_answer("The tags.", list_of_tags()));
    // More than these two members are passed over.
    let given = || {
        let mut schema = list_of_tags();
        super::schema::set(&mut schema, "additionalProperties", json!(true));
        Some(schema)
    };
    vec![
        ("get", operation(context, Parts { own: listed(), ..parts("show", "Show the tags of a row") })),
        (
            "put",
            operation(
                context,
                Parts { own: listed(), body: given(), ..parts("update", "Set the tags of a row") },
            ),
        ),
        (
            "post",
            operation(
                context,
                Parts { own: listed(), body: given(), ..parts("create", "Add tags to a row") },
            ),
        ),
        ("delete", operation(context, parts("delete", "Remove all tags of a row"))),
    ]
}

/// One tag of a row.
pub(super) fn tag(context: &Context<'_>, place: &Place) -> Operations {
    let resource = place.resource.as_ref();
    let parts = |verb: &str, summary| about_tags(context, resource, verb, "tag", summary);
    let added = (201, json_answer("The row has the tag.", json!({"type": "null"})));
    vec![
        ("get", operation(context, parts("show", "Whether a row has a tag"))),
        ("put", operation(context, Parts { own: added, ..parts("update", "Add a tag to a row") })),
        ("delete", operation(context, parts("delete", "Remove a tag of a row"))),
    ]
}

fn about_quotas(verb: &str, id: &str, summary: &'static str, own: (u16, Value)) -> Parts<'static> {
    let policy = format!("{}_quota", if ["show", "list"].contains(&verb) { "get" } else { verb });
    Parts { id: format!("{verb}_{id}"), group: TAG, summary, policy, body: None, own }
}

/// Every quota, each of this schema.
fn limits(context: &Context<'_>, each: &Value) -> Value {
    let members: Vec<(&str, Value)> =
        context.tables.quotas.keys().map(|name| (name.as_str(), each.clone())).collect();
    body(&members)
}

fn limit() -> Value {
    json!({"type": "integer", "minimum": -1, "description": "-1 for none."})
}

fn quota_of(schema: Value) -> (u16, Value) {
    (200, json_answer("The limits.", body(&[("quota", schema)])))
}

/// The limits of all projects that have their own.
pub(super) fn quotas(context: &Context<'_>) -> Operations {
    let rows = json!({"type": "array", "items": {"type": "object"}});
    let own = (200, json_answer("Projects and their limits.", body(&[("quotas", rows)])));
    let parts = about_quotas("list", "quotas", "List the projects that have limits of their own", own);
    vec![("get", operation(context, parts))]
}

/// A project's limits.
pub(super) fn quota(context: &Context<'_>) -> Operations {
    let shown = || quota_of(limits(context, &limit()));
    let mut given: Map<String, Value> =
        context.tables.quotas.keys().map(|name| (name.clone(), limit())).collect();
    for switch in ["force", "check_limit"] {
        given.insert(switch.to_owned(), json!({"$ref": "#/components/schemas/Boolean"}));
    }
    let wanted = json!({
        "type": "object",
        "properties": {"quota": {"type": "object", "properties": given, "additionalProperties": false}},
        "required": ["quota"],
    });
    let gone = (204, empty_answer("The defaults hold again."));
    let update = about_quotas("update", "quota", "Set limits of a project", shown());
    vec![
        ("get", operation(context, about_quotas("show", "quota", "Show a project's limits", shown()))),
        ("put", operation(context, Parts { body: Some(wanted), ..update })),
        (
            "delete",
            operation(context, about_quotas("delete", "quota", "Take a project's own limits away", gone)),
        ),
    ]
}

/// The limits of a project that has none of its own.
pub(super) fn default_quota(context: &Context<'_>) -> Operations {
    let own = quota_of(limits(context, &limit()));
    vec![("get", operation(context, about_quotas("show", "default_quota", "Show the default limits", own)))]
}

/// Limits and what is used.
pub(super) fn quota_details(context: &Context<'_>) -> Operations {
    let number = || json!({"type": "integer"});
    let each = body(&[("limit", limit()), ("used", number()), ("reserved", number())]);
    let own = quota_of(limits(context, &each));
    let summary = "Show a project's limits, and what it uses";
    vec![("get", operation(context, about_quotas("show", "quota_details", summary, own)))]
}

/// Whose the caller's quotas are.
pub(super) fn own_project(context: &Context<'_>, word: &str) -> Operations {
    let id = format!("{word}_id");
    let project = body(&[(word, body(&[(id.as_str(), json!({"type": "string"}))]))]);
    let own = (200, json_answer("The caller's project.", project));
    let parts = about_quotas("show", &format!("own_{word}"), "Show whose the caller's quotas are", own);
    vec![("get", operation(context, parts))]
}
