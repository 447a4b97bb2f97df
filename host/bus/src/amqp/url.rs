//! Where a broker is.

use lapin::uri::{AMQPScheme, AMQPUri};
use secrecy::{ExposeSecret, SecretString};
use std::str::FromStr;
use std::time::Duration;

/// The name that oslo.messaging has for this transport.
const THEIRS: &str = "rabbit://";
const OURS: &str = "amqp://";

/// `amqp://USER:PASSWORD@HOST:PORT/VHOST`; its password is not shown.
#[derive(Clone, Debug)]
pub struct Url(SecretString);

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Url, String> {
        parse(text)?;
        Ok(Url(text.into()))
    }
}

fn parse(text: &str) -> Result<AMQPUri, String> {
    let text = match text.strip_prefix(THEIRS) {
        Some(rest) => format!("{OURS}{rest}"),
        None => text.to_owned(),
    };
    // Its own words may show the password.
    let mut uri: AMQPUri =
        text.parse().map_err(|_| "it is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST".to_owned())?;
    if uri.scheme == AMQPScheme::AMQPS {
        return Err("TLS towards the broker is not there yet: amqp:// only".to_owned());
    }
    // As peers read it: the root is a name of its own.
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned();
    }
    Ok(uri)
}

impl Url {
    /// For a connection.
    pub(super) fn uri(&self, heartbeat: Duration, patience: Duration) -> Result<AMQPUri, String> {
        let mut uri = parse(self.0.expose_secret())?;
        uri.query.heartbeat = Some(u16::try_from(heartbeat.as_secs()).unwrap_or(u16::MAX));
        uri.query.connection_timeout = Some(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
        Ok(uri)
    }

    /// For people: without user and password.
    pub fn shown(&self) -> String {
        parse(self.0.expose_secret())
            .map(|uri| format!("{}:{}{}", uri.authority.host, uri.authority.port, slashed(&uri.vhost)))
            .unwrap_or_default()
    }
}

fn slashed(vhost: &str) -> String {
    if vhost.starts_with('/') { vhost.to_owned() } else { format!("/{vhost}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_urls_are_read_as_they_read_them() {
        for (text, shown) in [
            ("amqp://u:p@h:1234/v", "h:1234/v"),
            ("rabbit://u:p@h:1234/", "h:1234/"),
            ("amqp://h", "h:5672/"),
            ("amqp://u:p%40@h/%2f", "h:5672/"),
        ] {
            assert_eq!(text.parse::<Url>().unwrap().shown(), shown, "{text}");
        }
        assert!(!format!("{:?}", "amqp://u:s3cret@h/".parse::<Url>().unwrap()).contains("s3cret"));
        for text in ["", "h:5672", "http://u:s3cret@h/", "amqps://u:s3cret@h/"] {
            let error = text.parse::<Url>().unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
