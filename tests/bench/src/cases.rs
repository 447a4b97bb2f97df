//! The requests that are measured.

use crate::client::{self, Connection};
use crate::load::{Outcome, Worker};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Case {
    NetworkCreate,
    PortCreate,
    PortShow,
    PortUpdate,
    PortList1000,
    PortList1000Member,
    PortBulk100,
    PortDelete,
}

impl Case {
    /// In the order in which they are run: ports are made before they are
    /// shown, changed and deleted.
    pub(crate) const ALL: [Case; 8] = [
        Case::NetworkCreate,
        Case::PortCreate,
        Case::PortShow,
        Case::PortUpdate,
        Case::PortList1000,
        Case::PortList1000Member,
        Case::PortBulk100,
        Case::PortDelete,
    ];

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Case::NetworkCreate => "network create",
            Case::PortCreate => "port create on a /16",
            Case::PortShow => "port show",
            Case::PortUpdate => "port update",
            Case::PortList1000 => "list of 1,000 ports",
            Case::PortList1000Member => "the same, as a member",
            Case::PortBulk100 => "bulk create of 100 ports",
            Case::PortDelete => "port delete",
        }
    }

    /// Whether drivers have a part in it.
    pub(crate) fn writes(self) -> bool {
        !matches!(self, Case::PortShow | Case::PortList1000 | Case::PortList1000Member)
    }

    /// Headers about the caller.
    fn headers(self) -> &'static str {
        match self {
            // Of the project that callers without one have, so that it sees as
            // many ports; what it may not see of each is masked.
            Case::PortList1000Member => "X-Roles: member,reader\r\n",
            _ => "",
        }
    }
}

/// Ports of the list that is measured.
pub(crate) const LISTED: usize = 1000;
/// Ports of a bulk.
const BULK: usize = 100;

/// What requests are about.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// A network with a /16 for single ports.
    pub(crate) network: String,
    /// One for bulks.
    pub(crate) bulk: String,
    /// One with exactly [`LISTED`] ports.
    pub(crate) listed: String,
    /// Ports made on `network`.
    pub(crate) ports: RefCell<Vec<String>>,
    /// The number of the next request.
    pub(crate) next: Cell<usize>,
}

impl Plan {
    /// Makes the networks.
    pub(crate) async fn make(connection: &mut Connection, listed: &str) -> Result<Plan> {
        Ok(Plan {
            network: network(connection).await?,
            bulk: network(connection).await?,
            listed: listed.to_owned(),
            ..Plan::default()
        })
    }

    /// Puts the next request into the buffer; false when there is none.
    fn request(&self, case: Case, out: &mut Vec<u8>) -> bool {
        let number = self.next.get();
        self.next.set(number + 1);
        let ports = self.ports.borrow();
        let port = |number: usize| ports.get(number).map(|id| format!("/v2.0/ports/{id}"));
        let network = &self.network;
        let (method, path, body) = match case {
            Case::NetworkCreate => {
                ("POST", "/v2.0/networks".to_owned(), format!(r#"{{"network":{{"name":"n-{number}"}}}}"#))
            }
            Case::PortCreate => (
                "POST",
                "/v2.0/ports".to_owned(),
                format!(r#"{{"port":{{"network_id":"{network}","name":"p-{number}"}}}}"#),
            ),
            Case::PortShow | Case::PortUpdate => {
                let Some(path) = port(number % ports.len().max(1)) else { return false };
                match case {
                    Case::PortShow => ("GET", path, String::new()),
                    _ => ("PUT", path, format!(r#"{{"port":{{"name":"q-{number}"}}}}"#)),
                }
            }
            Case::PortList1000 | Case::PortList1000Member => {
                ("GET", format!("/v2.0/ports?network_id={}", self.listed), String::new())
            }
            Case::PortBulk100 => ("POST", "/v2.0/ports".to_owned(), bulk(&self.bulk)),
            Case::PortDelete => {
                let Some(path) = port(number) else { return false };
                ("DELETE", path, String::new())
            }
        };
        client::request(out, method, &path, case.headers(), &body);
        true
    }

    /// Begins at the first port again.
    pub(crate) fn rewind(&self) {
        self.next.set(0);
    }
}

fn bulk(network: &str) -> String {
    let mut body = String::from(r#"{"ports":["#);
    for number in 0..BULK {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(body, r#"{comma}{{"network_id":"{network}","name":"b-{number}"}}"#);
    }
    body.push_str("]}");
    body
}

/// A connection that sends one kind of request.
pub(crate) struct Sender<'a> {
    pub(crate) connection: Connection,
    pub(crate) plan: &'a Plan,
    pub(crate) case: Case,
    pub(crate) request: Vec<u8>,
}

impl Worker for Sender<'_> {
    async fn work(&mut self) -> Result<Outcome> {
        if !self.plan.request(self.case, &mut self.request) {
            return Ok(Outcome::Exhausted);
        }
        let (status, body) = self.connection.send(&self.request).await?;
        if !(200..300).contains(&status) {
            return Ok(Outcome::Failed(format!("{status} {}", String::from_utf8_lossy(body))));
        }
        if self.case == Case::PortCreate
            && let Some(id) = client::first_id(body)
        {
            self.plan.ports.borrow_mut().push(id);
        }
        Ok(Outcome::Done)
    }
}

/// Sends one request, which must succeed.
pub(crate) async fn must<'a>(
    connection: &'a mut Connection,
    method: &str,
    path: &str,
    body: &str,
) -> Result<&'a [u8]> {
    let mut bytes = Vec::new();
    client::request(&mut bytes, method, path, "", body);
    let (status, answer) = connection.send(&bytes).await?;
    if !(200..300).contains(&status) {
        bail!("{method} {path} was answered {status}: {}", String::from_utf8_lossy(answer));
    }
    Ok(answer)
}

/// Makes a network with a /16; its id.
pub(crate) async fn network(connection: &mut Connection) -> Result<String> {
    let answer = must(connection, "POST", "/v2.0/networks", r#"{"network":{"name":"bench"}}"#).await?;
    let id = client::first_id(answer).context("a network without an id")?;
    let subnet = format!(r#"{{"subnet":{{"network_id":"{id}","ip_version":4,"cidr":"10.0.0.0/16"}}}}"#);
    must(connection, "POST", "/v2.0/subnets", &subnet).await?;
    Ok(id)
}

/// Makes a network with [`LISTED`] ports, and sees that a list has them.
pub(crate) async fn listed(connection: &mut Connection) -> Result<String> {
    let id = network(connection).await?;
    for _ in 0..LISTED / BULK {
        must(connection, "POST", "/v2.0/ports", &bulk(&id)).await?;
    }
    let answer = must(connection, "GET", &format!("/v2.0/ports?network_id={id}"), "").await?;
    let found = client::ids(answer).count();
    if found != LISTED {
        bail!("the list has {found} ports instead of {LISTED}");
    }
    Ok(id)
}
