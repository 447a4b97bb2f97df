//! Writes every call that a mechanism driver gets to the log.
//!
//! For operators who want to see what a driver would be told, and the smallest
//! complete example of one. In Neutron: `ml2.drivers.logger`, a test driver.

use hadron_sdk::delivery::Outcome;
use hadron_sdk::{
    BindingAnswer, BindingRequest, Context, Manifest, MechanismDriver, NetworkContext, Operation,
    PortContext, Result, SubnetContext, log,
};

/// The driver.
pub struct Logger;

fn say(hook: &str, operation: Operation, id: &str, now: &impl std::fmt::Debug) {
    log::info(&format!("{hook} {operation:?} {id}: {now:?}"));
}

impl MechanismDriver for Logger {
    fn manifest() -> Manifest {
        let hooks = ["network", "subnet", "port"]
            .iter()
            .flat_map(|what| [format!("{what}-precommit"), format!("{what}-postcommit")])
            .chain(["bind-port".to_owned()])
            .collect();
        Manifest { hooks, ..hadron_sdk::manifest!("mech-logger", "writes every call of a driver to the log") }
    }

    fn network_precommit(_: &Context, operation: Operation, items: Vec<NetworkContext>) -> Result<()> {
        items.iter().for_each(|item| say("network-precommit", operation, &item.current.id, item));
        Ok(())
    }
    fn network_postcommit(operation: Operation, items: Vec<NetworkContext>) -> Outcome {
        items.iter().for_each(|item| say("network-postcommit", operation, &item.current.id, item));
        Outcome::ok()
    }

    fn subnet_precommit(_: &Context, operation: Operation, items: Vec<SubnetContext>) -> Result<()> {
        items.iter().for_each(|item| say("subnet-precommit", operation, &item.current.id, item));
        Ok(())
    }
    fn subnet_postcommit(operation: Operation, items: Vec<SubnetContext>) -> Outcome {
        items.iter().for_each(|item| say("subnet-postcommit", operation, &item.current.id, item));
        Outcome::ok()
    }

    fn port_precommit(_: &Context, operation: Operation, items: Vec<PortContext>) -> Result<()> {
        items.iter().for_each(|item| say("port-precommit", operation, &item.current.id, item));
        Ok(())
    }
    fn port_postcommit(operation: Operation, items: Vec<PortContext>) -> Outcome {
        items.iter().for_each(|item| say("port-postcommit", operation, &item.current.id, item));
        Outcome::ok()
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        Ok(requests
            .iter()
            .map(|request| {
                log::info(&format!("bind-port {}: {request:?}", request.port.current.id));
                BindingAnswer::Decline
            })
            .collect())
    }
}

hadron_sdk::mechanism_driver!(Logger);
