//! Refusals as HTTP answers: the one place where a status is assigned.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hadron_runtime::{Refusal, Status};
use hadron_store::StoreError;
use serde_json::{Map, Value, json};

/// Neutron's sentence for an error that is the server's own.
const INTERNAL: &str = "Request Failed: internal server error while processing your request.";

/// Neutron's sentence for a method that a path does not know.
const MALFORMED: &str =
    "The server could not comply with the request since it is either malformed or otherwise incorrect.";

/// The HTTP status of a refusal.
pub(crate) fn status(refusal: &Refusal) -> StatusCode {
    match refusal.status {
        Status::Invalid => StatusCode::BAD_REQUEST,
        Status::Forbidden => StatusCode::FORBIDDEN,
        Status::NotFound => StatusCode::NOT_FOUND,
        Status::Conflict => StatusCode::CONFLICT,
        Status::Precondition => StatusCode::PRECONDITION_FAILED,
        Status::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Status::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        // A plugin may name any status; one that is no error would tell the
        // client that its request was done.
        Status::Other(code) => StatusCode::from_u16(code)
            .ok()
            .filter(|s| s.is_client_error() || s.is_server_error())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The refusal as Neutron words it.
pub(crate) fn answer(refusal: &Refusal) -> Response {
    let status = status(refusal);
    if status.is_server_error() {
        tracing::error!(kind = %refusal.kind, message = %refusal.message, "the request failed");
    }
    json_answer(status, &json!({"NeutronError": said(refusal)}))
}

/// The refusal of one operation of several, and which one it was.
pub(crate) fn answer_about(refusal: &Refusal, operation: &Value) -> Response {
    let mut error = said(refusal);
    error.insert("operation".to_owned(), operation.clone());
    json_answer(status(refusal), &json!({"NeutronError": error}))
}

fn said(refusal: &Refusal) -> Map<String, Value> {
    let members = [("type", &refusal.kind), ("message", &refusal.message), ("detail", &String::new())];
    members.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text.as_str()))).collect()
}

/// Nobody, or somebody unknown, asks: keystonemiddleware's body, and what the
/// client should try (`WWW-Authenticate`).
pub(crate) fn unauthorized(challenge: HeaderValue) -> Response {
    let body = json!({"error": {
        "code": 401,
        "title": "Unauthorized",
        "message": "The request you have made requires authentication.",
    }});
    let mut response = json_answer(StatusCode::UNAUTHORIZED, &body);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// Keystone cannot be asked who it is: keystonemiddleware's body.
pub(crate) fn identity_unavailable() -> Response {
    let body = json!({
        "message": "The server is currently unavailable. Please try again at a later time.<br /><br />\n\
                    The Keystone service is temporarily unavailable.\n\n",
        "code": "503 Service Unavailable",
        "title": "Service Unavailable",
    });
    json_answer(StatusCode::SERVICE_UNAVAILABLE, &body)
}

/// An answer of JSON.
pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Response {
    text_answer(status, body.to_string())
}

/// An answer whose JSON text is made already.
pub(crate) fn text_answer(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The request cannot be understood.
pub(crate) fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(Status::Invalid, "HTTPBadRequest", message)
}

/// A value cannot be converted; Neutron's `InvalidInput`.
pub(crate) fn invalid_input(reason: &str) -> Refusal {
    Refusal::new(Status::Invalid, "InvalidInput", format!("Invalid input for operation: {reason}."))
}

/// No such path.
pub(crate) fn no_such_path() -> Refusal {
    Refusal::new(Status::NotFound, "HTTPNotFound", "The resource could not be found.")
}

/// The path does not know the method.
pub(crate) fn method_not_allowed() -> Refusal {
    Refusal::new(Status::Other(405), "HTTPMethodNotAllowed", MALFORMED)
}

/// The body is larger than this many bytes.
pub(crate) fn too_large(limit: usize) -> Refusal {
    Refusal::new(
        Status::Other(413),
        "HTTPRequestEntityTooLarge",
        format!("The request body is larger than {limit} bytes."),
    )
}

/// Policy says no; `rules` as Neutron writes them.
pub(crate) fn disallowed(rules: &str) -> Refusal {
    Refusal::new(Status::Forbidden, "PolicyNotAuthorized", format!("{rules} is disallowed by policy"))
}

/// Something that is not the client's fault; the context is logged only.
pub(crate) fn internal(context: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%context, "internal error");
    Refusal::new(Status::Internal, "HTTPInternalServerError", INTERNAL)
}

/// An error of a read.
pub(crate) fn from_store(error: StoreError) -> Refusal {
    match error {
        StoreError::Invalid(message) => bad_request(message),
        StoreError::Unavailable(_) | StoreError::Retry(_) => {
            tracing::error!(%error, "a read failed");
            Refusal::new(
                Status::Unavailable,
                "ServiceUnavailable",
                "The database is unavailable; try again later.",
            )
        }
        other => internal(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_cannot_make_a_refusal_look_like_success() {
        assert_eq!(status(&Refusal::new(Status::Other(200), "X", "x")), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(status(&Refusal::new(Status::Other(507), "X", "x")).as_u16(), 507);
        assert_eq!(status(&Refusal::new(Status::Other(9), "X", "x")), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn conversions_name_the_operation() {
        assert_eq!(
            invalid_input("'abc' cannot be converted to boolean").message,
            "Invalid input for operation: 'abc' cannot be converted to boolean."
        );
    }
}
