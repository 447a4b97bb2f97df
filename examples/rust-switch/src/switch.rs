//! The switch's interface: two idempotent requests, and what its answers mean.

use hadron_sdk::delivery::Outcome;
use hadron_sdk::http::{Request, Response};
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Error, Result, config, log, secrets};

/// Name of the secret that is sent as a bearer token, where it is granted.
pub(crate) const TOKEN: &str = "token";

/// What became of telling the switch.
#[derive(Debug)]
pub(crate) enum Told {
    /// It has it.
    Done,
    /// It cannot be reached, or is not well.
    Later,
    /// It will not have it, and says why.
    Refused(Error),
}

impl Told {
    /// For the host, with the resource's new status if it is done.
    pub(crate) fn outcome(self, status: Option<&str>) -> Outcome {
        match (self, status) {
            (Told::Done, Some(status)) => Outcome::status(status),
            (Told::Done, None) => Outcome::ok(),
            (Told::Later, _) => Outcome::Later,
            (Told::Refused(error), _) => Outcome::Refused(error),
        }
    }
}

/// Makes the resource on the switch what the body says.
pub(crate) fn put(collection: &str, id: &str, body: &Value) -> Told {
    send("PUT", collection, id, Some(body))
}

/// Takes the resource off the switch.
pub(crate) fn delete(collection: &str, id: &str) -> Told {
    send("DELETE", collection, id, None)
}

fn send(method: &str, collection: &str, id: &str, body: Option<&Value>) -> Told {
    let what = format!("{method} {collection}/{id}");
    let answer = match request(method, collection, id, body) {
        Ok(request) => request.send(),
        Err(error) => return Told::Refused(error),
    };
    match answer {
        Ok(answer) => judge(method, &what, &answer),
        Err(error) => {
            log::warn(&format!("{what}: the switch was not reached: {error:?}"));
            Told::Later
        }
    }
}

fn request(method: &str, collection: &str, id: &str, body: Option<&Value>) -> Result<Request> {
    let endpoint: String = config::or("endpoint", String::new())?;
    let url = format!("{}/{collection}/{id}", endpoint.trim_end_matches('/'));
    let mut request = Request::new(method, &url).timeout_ms(config::or("timeout_ms", 2000)?);
    if secrets::available(TOKEN) {
        request = request.secret_header("authorization", "Bearer ", TOKEN);
    }
    match body {
        Some(body) => request.json(body).map_err(|error| Error::internal(format!("{error:?}"))),
        None => Ok(request),
    }
}

fn judge(method: &str, what: &str, answer: &Response) -> Told {
    match answer.status {
        200..=299 => Told::Done,
        404 | 410 if method == "DELETE" => Told::Done,
        // Overloaded, or not well: it may do it another time. Or it does not
        // know us: that is the operator's to mend, not the client's.
        401 | 403 | 407 | 408 | 425 | 429 | 500..=599 => {
            log::warn(&format!("{what}: the switch answered {}, it is asked again later", answer.status));
            Told::Later
        }
        status => {
            let reason = reason(answer);
            log::error(&format!("{what}: the switch refused it with {status}: {reason}"));
            Told::Refused(Error::conflict("SwitchRefused", format!("The switch refused it: {reason}")))
        }
    }
}

/// What the switch says: `{"error": "…"}`, or whatever it sent.
fn reason(answer: &Response) -> String {
    let named = answer.json::<Value>().ok().and_then(|body| Some(body.get("error")?.as_str()?.to_owned()));
    named.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn what_the_switch_says_is_what_the_client_is_told() {
        assert_eq!(reason(&answer(409, r#"{"error": "no room"}"#)), "no room");
        assert_eq!(reason(&answer(400, "plain words")), "plain words");
    }

    #[test]
    fn success_and_a_resource_that_is_gone_already_are_done() {
        assert!(matches!(judge("PUT", "", &answer(204, "")), Told::Done));
        assert!(matches!(judge("DELETE", "", &answer(404, "")), Told::Done));
    }
}
