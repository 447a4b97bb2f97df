//! A server, a broker, and stand-in agents that report over it.

use crate::world;
use hadron_sdk_testing::{Builder, Client, Error, Result, Server, until};
use hadron_test_support::{Agent, Peer, RabbitMq};
use serde_json::Value;
use std::time::Duration;

/// How long tests wait for what should happen soon, on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// All three. The broker ends last.
pub struct Cloud {
    /// The agents, and whatever else speaks over the broker.
    pub peer: Peer,
    /// The server.
    pub server: Server,
    /// The broker.
    pub broker: RabbitMq,
}

impl Cloud {
    /// A cloud with the drivers of Open vSwitch and of these agents, each of
    /// which has reported once; none where there is no broker, said loudly.
    pub async fn start(toml: &str, agents: &[Agent]) -> Result<Option<Cloud>> {
        Cloud::of(world::builder().mechanism_drivers(&["openvswitch"]).config(toml), agents).await
    }

    /// As `start`, of another server.
    pub async fn of(builder: Builder, agents: &[Agent]) -> Result<Option<Cloud>> {
        let Some(broker) = RabbitMq::start() else { return Ok(None) };
        let Some(peer) = Peer::start(&broker.url()) else { return Ok(None) };
        let bus = format!("[bus]\nurl = '{}'\n", broker.url());
        let server = builder.config(&bus).start().await?;
        peer.play(agents);
        Ok(Some(Cloud { peer, server, broker }))
    }

    /// A client of the server, an administrator.
    pub fn client(&self) -> Client {
        self.server.client()
    }

    /// Looks again and again until there is an answer.
    pub async fn until<T, F>(&self, what: &str, look: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        until(what, SOON, look).await
    }

    /// The agent of that type on that host, as the API shows it.
    pub async fn agent(&self, kind: &str, host: &str) -> Result<Value> {
        let path = format!("/v2.0/agents?agent_type={}&host={host}", kind.replace(' ', "%20"));
        let mut found = world::list(&self.client(), &path).await?;
        found.pop().ok_or_else(|| Error::new(format!("there is no {kind} on {host}")))
    }

    /// What agents at a host were told by that method, until now.
    pub fn told(&self, host: &str, method: &str) -> Vec<Value> {
        let is = |event: &Value| {
            event["event"] == "received" && event["host"] == host && event["method"] == method
        };
        self.peer.events(is).into_iter().map(|mut event| event["arguments"]["payload"].take()).collect()
    }

    /// Waits until a port has this status; the port.
    pub async fn status(&self, port: &str, status: &str) -> Result<Value> {
        let path = format!("/v2.0/ports/{port}");
        self.until(&format!("port {port} to be {status}"), || async {
            let port = self.client().get(&path).await?.expect(200)?["port"].take();
            Ok(Some(port).filter(|port| port["status"] == status))
        })
        .await
    }
}
