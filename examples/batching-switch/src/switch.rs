//! The switch's interface: one request is one configuration session.

use crate::devices;
use crate::session::Session;
use hadron_sdk::http::Request;
use hadron_sdk::serde_json::json;
use hadron_sdk::{Error, Result, config, log, secrets};

/// Name of the secret that is sent as a bearer token, where it is granted.
pub(crate) const TOKEN: &str = "token";

/// What became of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The switch has it, or will never have it.
    Done,
    /// It may have a part of it.
    Failed,
}

/// Tells a device. `id` is the same when a session is told again after a crash.
pub(crate) fn tell(device: &str, id: &str, session: &Session) -> Result<Told> {
    let Some(found) = devices::configured()?.remove(device) else {
        log::warn(&format!(
            "{device} is configured no more: {} ports are not told of",
            session.changes.len()
        ));
        return Ok(Told::Done);
    };
    let url = format!("{}/sessions", found.endpoint.trim_end_matches('/'));
    let mut request = Request::new("POST", &url).timeout_ms(config::or("timeout_ms", 5000)?);
    if secrets::available(TOKEN) {
        request = request.secret_header("authorization", "Bearer ", TOKEN);
    }
    let request = request
        .json(&json!({"session": id, "changes": session.changes}))
        .map_err(|error| Error::internal(format!("{error:?}")))?;
    Ok(match request.send() {
        Ok(answer) => judge(device, answer.status, session),
        Err(error) => {
            log::warn(&format!("{device} was not reached: {error:?}"));
            Told::Failed
        }
    })
}

fn judge(device: &str, status: u16, session: &Session) -> Told {
    match status {
        200..=299 => Told::Done,
        401 | 403 | 407 | 408 | 425 | 429 | 500..=599 => {
            log::warn(&format!("{device} answered {status}, it is told again"));
            Told::Failed
        }
        status => {
            let ports: Vec<&str> = session.changes.iter().map(|change| change.port.as_str()).collect();
            log::error(&format!("{device} refused a session with {status}: ports {}", ports.join(", ")));
            Told::Done
        }
    }
}
