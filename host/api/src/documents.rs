//! The documents that name no resource: versions, the index, extensions.

use crate::error::json_answer;
use crate::tables::Tables;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

/// `GET /`: `base` is scheme and host.
pub(crate) fn versions(base: &str) -> Response {
    let link = json!({"rel": "self", "href": format!("{base}/v2.0/")});
    json_answer(StatusCode::OK, &json!({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}))
}

/// Any other version; answered by what finds the version, not by Neutron's API.
pub(crate) fn unknown_version() -> Response {
    json_answer(StatusCode::NOT_FOUND, &json!({"code": 404, "title": "Not Found", "description": null}))
}

/// `GET /v2.0/`.
pub(crate) fn index(tables: &Tables, base: &str) -> Response {
    let resources: Vec<Value> = tables
        .core()
        .map(|resource| {
            let link = json!({"rel": "self", "href": format!("{base}/v2.0/{}", resource.path)});
            json!({"name": resource.member, "collection": resource.name, "links": [link]})
        })
        .collect();
    json_answer(StatusCode::OK, &json!({"resources": resources}))
}

/// `GET /v2.0/extensions`.
pub(crate) fn extensions(tables: &Tables) -> Response {
    let all: Vec<&Value> = tables.extensions.values().collect();
    json_answer(StatusCode::OK, &json!({"extensions": all}))
}

/// `GET /v2.0/extensions/{alias}`; an unknown one is told in webob's words.
pub(crate) fn extension(tables: &Tables, alias: &str) -> Response {
    match tables.extensions.get(alias) {
        Some(extension) => json_answer(StatusCode::OK, &json!({"extension": extension})),
        None => json_answer(
            StatusCode::NOT_FOUND,
            &json!({
                "message": format!(
                    "The resource could not be found.<br /><br />\nExtension with alias {alias} does not exist\n\n"
                ),
                "code": "404 Not Found",
                "title": "Not Found",
            }),
        ),
    }
}
