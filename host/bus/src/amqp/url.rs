//! Where a broker is, or the brokers of a cluster.

use lapin::uri::{AMQPScheme, AMQPUri};
use secrecy::{ExposeSecret, SecretString};
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::time::Duration;

/// Scheme, and whether it is TLS. `rabbit` is oslo.messaging's name for this
/// transport.
const SCHEMES: [(&str, bool); 3] = [("amqp", false), ("rabbit", false), ("amqps", true)];
/// What peers' URLs ask for TLS with.
const SSL: &str = "ssl";
const FORM: &str = "it is not of the form amqp://USER:PASSWORD@HOST:PORT[,USER:PASSWORD@HOST:PORT…]/VHOST";

/// `amqp://USER:PASSWORD@HOST:PORT/VHOST`, or several `USER:PASSWORD@HOST:PORT`
/// with commas between; passwords are not shown. Of several, one without a user
/// has that of the one before.
#[derive(Clone, Debug)]
pub struct Url(SecretString);

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Url, String> {
        parse(text)?;
        Ok(Url(text.into()))
    }
}

/// Errors never show what is in the URL.
fn parse(text: &str) -> Result<Vec<AMQPUri>, String> {
    let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
    let (_, mut tls) = *SCHEMES.iter().find(|(name, _)| *name == scheme).ok_or(FORM)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    for (name, value) in query.split('&').filter_map(|option| option.split_once('=')) {
        tls |= name == SSL && ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str());
    }
    let (brokers, vhost) = match rest.split_once('/') {
        Some((brokers, vhost)) => (brokers, vhost),
        None => (rest, ""),
    };
    let mut user = None;
    brokers
        .split(',')
        .map(|broker| {
            let place = match broker.rsplit_once('@') {
                Some((login, place)) => {
                    user = Some(login);
                    place
                }
                None => broker,
            };
            let login = user.map(|user| format!("{user}@")).unwrap_or_default();
            let scheme = if tls { "amqps" } else { "amqp" };
            one(&format!("{scheme}://{login}"), place, vhost)
        })
        .collect()
}

/// Of what comes before the place.
fn one(before: &str, place: &str, vhost: &str) -> Result<AMQPUri, String> {
    if place.is_empty() || place.starts_with(':') {
        return Err(FORM.to_owned());
    }
    // Addresses of version 6 are passed over by who reads the rest.
    let address = place.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let address = address.filter(|(_, rest)| rest.is_empty() || rest.starts_with(':'));
    let (address, place) = match address {
        Some((address, rest)) => {
            address.parse::<Ipv6Addr>().map_err(|_| FORM.to_owned())?;
            (Some(address), format!("v6{rest}"))
        }
        None => (None, place.to_owned()),
    };
    // Its own words may show the password.
    let text = format!("{before}{place}/{vhost}");
    let mut uri: AMQPUri = text.parse().map_err(|_| FORM.to_owned())?;
    if let Some(address) = address {
        address.clone_into(&mut uri.authority.host);
    }
    if uri.authority.host.is_empty() {
        return Err(FORM.to_owned());
    }
    // As peers read it: the root is a name of its own.
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned();
    }
    Ok(uri)
}

impl Url {
    /// Whether connections are made by TLS.
    pub fn is_tls(&self) -> bool {
        self.brokers().first().is_some_and(|uri| uri.scheme == AMQPScheme::AMQPS)
    }

    /// For connections; at least one.
    pub(super) fn uris(&self, heartbeat: Duration, patience: Duration) -> Vec<AMQPUri> {
        let mut uris = self.brokers();
        for uri in &mut uris {
            uri.query.heartbeat = Some(u16::try_from(heartbeat.as_secs()).unwrap_or(u16::MAX));
            uri.query.connection_timeout = Some(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
        }
        uris
    }

    /// What was parsed once is parsed again.
    fn brokers(&self) -> Vec<AMQPUri> {
        parse(self.0.expose_secret()).unwrap_or_default()
    }

    /// For people: without users and passwords.
    pub fn shown(&self) -> String {
        let brokers = self.brokers();
        let places: Vec<String> = brokers.iter().map(place).collect();
        let vhost = brokers.first().map(|uri| uri.vhost.as_str()).unwrap_or_default();
        format!(
            "{}{}",
            places.join(","),
            if vhost.starts_with('/') { vhost.to_owned() } else { format!("/{vhost}") }
        )
    }
}

/// Host and port, for people.
pub(super) fn place(uri: &AMQPUri) -> String {
    let (host, number) = (&uri.authority.host, uri.authority.port);
    if host.contains(':') { format!("[{host}]:{number}") } else { format!("{host}:{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn peers_urls_are_read_as_they_read_them() {
        for (text, shown, tls) in [
            ("amqp://u:p@h:1234/v", "h:1234/v", false),
            ("rabbit://u:p@h:1234/", "h:1234/", false),
            ("amqp://h", "h:5672/", false),
            ("amqp://u:p%40@h/%2f", "h:5672/", false),
            ("amqps://u:p@h/", "h:5671/", true),
            ("amqp://u:p@[::1]:1,[fd00::2]/v", "[::1]:1,[fd00::2]:5672/v", false),
            ("amqp://10.0.0.1/", "10.0.0.1:5672/", false),
            ("rabbit://u:p@h:1/v?ssl=True&x=1", "h:1/v", true),
            ("rabbit://u:p@a:1,u:q@b:2,c:3/v", "a:1,b:2,c:3/v", false),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!((url.shown().as_str(), url.is_tls()), (shown, tls), "{text}");
        }
        assert!(!format!("{:?}", "amqp://u:s3cret@h/".parse::<Url>().unwrap()).contains("s3cret"));
        for text in [
            "",
            "h:5672",
            "http://u:s3cret@h/",
            "amqp://",
            "amqp://u:s3cret@h,,g/",
            "amqp://u:s3cret@h:x/",
            "amqp://u:s3cret@[::x]/",
            "amqp://u:s3cret@:1/",
        ] {
            let error = text.parse::<Url>().unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn each_broker_has_its_user_or_that_of_the_one_before() {
        let url: Url = "rabbit://u:p@a:1,b:2,v:q@c:3/".parse().unwrap();
        let uris = url.uris(Duration::from_secs(1), Duration::from_secs(1));
        let users: Vec<_> = uris.iter().map(|uri| uri.authority.userinfo.username.as_str()).collect();
        assert_eq!(users, ["u", "u", "v"]);
        assert!(uris.iter().all(|uri| uri.vhost == "/"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_url_or_told_to_be_none(text in "(amqps?|rabbit|x)?(://)?[a-z:@,/?=&%0-9\\[\\] ]{0,40}") {
            if let Ok(url) = text.parse::<Url>() {
                let uris = url.uris(Duration::ZERO, Duration::ZERO);
                prop_assert!(!uris.is_empty());
                prop_assert!(uris.iter().all(|uri| !uri.authority.host.is_empty()));
                prop_assert!(url.shown().contains(&place(&uris[0])));
            }
        }

        #[test]
        fn no_error_shows_a_password(password in "[a-z]{12}", rest in "\\PC{0,12}") {
            if let Err(error) = format!("amqp://u:{password}@{rest}").parse::<Url>() {
                prop_assert!(!error.contains(&password));
            }
        }
    }
}
