//! A mechanism driver for a top-of-rack switch with an HTTP interface.
//!
//! Networks, subnets and ports are written to the switch after the transaction
//! that made them: `PUT ENDPOINT/networks/ID` with the whole of it, `DELETE`
//! when it is gone. Both may be repeated, so the driver needs no memory: when
//! the switch does not answer, it says *later* and is called again. Ports of the
//! switch's hosts are bound by the driver itself, since no agent runs there.
//!
//! | module | what is in it |
//! |---|---|
//! | this one | which hooks are wanted, and what they do |
//! | [`body`] | what the switch is told, as JSON |
//! | [`switch`] | the switch's interface: requests, and what answers mean |
//! | [`binding`] | which ports are bound, and how |
#![deny(unsafe_code)]

mod binding;
mod body;
mod switch;

use hadron_sdk::delivery::Outcome;
use hadron_sdk::manifest::{ConfigKey, Requests};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{
    BindingAnswer, BindingRequest, Context, Error, Manifest, MechanismDriver, NetworkContext, Operation,
    PortContext, Result, SubnetContext, config,
};
use switch::Told;

/// The driver.
pub struct RustSwitch;

impl MechanismDriver for RustSwitch {
    fn manifest() -> Manifest {
        let key = |name: &str, description: &str, default: Value| ConfigKey {
            name: name.into(),
            description: description.into(),
            default,
        };
        Manifest {
            hooks: ["network-postcommit", "subnet-postcommit", "port-postcommit", "bind-port"]
                .map(String::from)
                .to_vec(),
            start: true,
            config: vec![
                key("endpoint", "where the switch is, as http://10.0.0.5:8080/v1", Value::Null),
                key("hosts", "hosts whose ports the switch plugs in; empty for all", json!([])),
                key("timeout_ms", "how long the switch may take to answer, ms", json!(2000)),
            ],
            requests: Requests { http: true, secrets: vec![switch::TOKEN.into()], ..Requests::default() },
            ..hadron_sdk::manifest!("rust-switch", "configures a top-of-rack switch over HTTP")
        }
    }

    /// A driver that could never do its work is better refused when it is added.
    fn start(_: &Context) -> Result<()> {
        match config::get::<String>("endpoint")? {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => Ok(()),
            Some(url) => Err(Error::internal(format!("the configuration key 'endpoint' is no URL: '{url}'"))),
            None => Err(Error::internal("the configuration key 'endpoint' is missing: where is the switch?")),
        }
    }

    fn network_postcommit(operation: Operation, items: Vec<NetworkContext>) -> Outcome {
        tell(operation, "networks", items.iter().map(|item| (&item.current.id, body::network(&item.current))))
            .outcome(None)
    }

    fn subnet_postcommit(operation: Operation, items: Vec<SubnetContext>) -> Outcome {
        tell(operation, "subnets", items.iter().map(|item| (&item.current.id, body::subnet(&item.current))))
            .outcome(None)
    }

    fn port_postcommit(operation: Operation, items: Vec<PortContext>) -> Outcome {
        let told = tell(operation, "ports", items.iter().map(|item| (&item.current.id, body::port(item))));
        match operation {
            Operation::Delete => told.outcome(None),
            Operation::Create | Operation::Update => told.outcome(binding::status(&items)),
        }
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        let hosts: Vec<String> = config::or("hosts", Vec::new())?;
        Ok(requests.iter().map(|request| binding::answer(request, &hosts)).collect())
    }
}

/// Tells the switch of each resource. The first that is not done decides: what
/// was told before it is told again when the call is repeated, and that is no
/// harm.
fn tell<'a>(
    operation: Operation,
    collection: &str,
    items: impl Iterator<Item = (&'a String, Value)>,
) -> Told {
    for (id, body) in items {
        let told = match operation {
            Operation::Create | Operation::Update => switch::put(collection, id, &body),
            Operation::Delete => switch::delete(collection, id),
        };
        if !matches!(told, Told::Done) {
            return told;
        }
    }
    Told::Done
}

hadron_sdk::mechanism_driver!(RustSwitch);
