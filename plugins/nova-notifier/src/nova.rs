//! Nova's interface: `POST /os-server-external-events`, and what its answers
//! mean.

use hadron_sdk::delivery::WorkOutcome;
use hadron_sdk::http::{Request, Response};
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::{Error, Result, config, log, secrets};

/// The configuration key with Nova's URL.
pub(crate) const ENDPOINT: &str = "endpoint";
/// The configuration key with the time that Nova has to answer.
pub(crate) const TIMEOUT: &str = "timeout_ms";
/// Name of the secret that is sent as `X-Auth-Token`, where it is granted.
pub(crate) const TOKEN: &str = "token";

/// What an answer means.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// Nova has heard it; of single events it may say more.
    Heard,
    /// None of the instances is known there: they are gone, or not yet.
    Unknown,
    /// It may hear it another time.
    Away,
    /// It will never take it.
    Misunderstood,
}

/// Where events are sent to.
///
/// # Errors
/// Where the operator has not said so, or the value is no URL.
pub(crate) fn endpoint() -> Result<String> {
    match config::get::<String>(ENDPOINT)? {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            Ok(format!("{}/os-server-external-events", url.trim_end_matches('/')))
        }
        Some(url) => Err(Error::internal(format!("the configuration key '{ENDPOINT}' is no URL: '{url}'"))),
        None => {
            Err(Error::internal(format!("the configuration key '{ENDPOINT}' is missing: where is Nova?")))
        }
    }
}

/// Sends events. Those that Nova does not take are logged and dropped, as
/// Neutron does: no later attempt would fare better.
pub(crate) fn tell(events: &str) -> WorkOutcome {
    match request(events) {
        Ok(request) => match request.send() {
            Ok(answer) => settle(&answer, events),
            Err(error) => {
                log::warn(&format!("Nova was not reached: {error:?}"));
                WorkOutcome::Later
            }
        },
        Err(error) => WorkOutcome::Refused(error),
    }
}

fn request(events: &str) -> Result<Request> {
    let mut request = Request::new("POST", &endpoint()?).timeout_ms(config::or(TIMEOUT, 2000)?);
    if secrets::available(TOKEN) {
        request = request.secret_header("x-auth-token", "", TOKEN);
    }
    let events: Value = serde_json::from_str(events)?;
    request.json(&events).map_err(|error| Error::internal(format!("{error:?}")))
}

fn settle(answer: &Response, events: &str) -> WorkOutcome {
    match verdict(answer.status) {
        Verdict::Heard => unheard(answer)
            .iter()
            .for_each(|event| log::warn(&format!("Nova could not do anything with an event: {event}"))),
        Verdict::Unknown => log::info(&format!("Nova knows none of the instances of {events}")),
        Verdict::Misunderstood => log::error(&format!("Nova answered {} to {events}", answer.status)),
        Verdict::Away => {
            log::warn(&format!("Nova answered {}, it is told again later", answer.status));
            return WorkOutcome::Later;
        }
    }
    WorkOutcome::Done(Vec::new())
}

fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Heard,
        404 => Verdict::Unknown,
        // Overloaded, or not well; or the operator has to mend the token.
        401 | 403 | 407 | 408 | 425 | 429 | 500..=599 => Verdict::Away,
        _ => Verdict::Misunderstood,
    }
}

/// Events that Nova names with another code than 200 (a 207 tells of each).
fn unheard(answer: &Response) -> Vec<Value> {
    let body: Value = answer.json().unwrap_or_default();
    let events = body.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
    events.into_iter().filter(|event| event.get("code").is_some_and(|code| code != 200)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;

    #[test]
    fn an_answer_says_whether_to_ask_again() {
        for (statuses, expected) in [
            (&[200, 207][..], Verdict::Heard),
            (&[404], Verdict::Unknown),
            (&[401, 403, 429, 500, 503], Verdict::Away),
            (&[400, 405], Verdict::Misunderstood),
        ] {
            for status in statuses {
                assert_eq!(verdict(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn of_several_events_nova_tells_which_it_did_not_take() {
        let body = json!({"events": [{"name": "a", "code": 200}, {"name": "b", "code": 422}]});
        let answer = Response { status: 207, headers: Vec::new(), body: body.to_string().into_bytes() };
        assert_eq!(unheard(&answer), [json!({"name": "b", "code": 422})]);
    }
}
