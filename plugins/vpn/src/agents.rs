//! What agents ask and say: which services are at their host, and how these are.
//! In Neutron: `IPsecVpnDriverCallBack`.

use crate::views::World;
use crate::{connections, outside, services, status};
use hadron_sdk::manifest::Topic;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Error, Result, log};

/// Where agents speak.
const TOPIC: &str = "ipsec_driver";
/// What they ask.
const SERVICES: &str = "get_vpn_services_on_host";
/// What they say.
const STATUS: &str = "update_status";

/// Where agents speak.
pub(crate) fn topic() -> Topic {
    Topic::new(TOPIC).version("1.0").reads(&[SERVICES])
}

/// Handles a message of an agent.
pub(crate) fn receive(topic: &str, method: &str, arguments: &Value) -> Result<Value> {
    match method {
        SERVICES => on_host(arguments.get("host").and_then(Value::as_str).unwrap_or_default()),
        STATUS => {
            let said = status::read(arguments.get("status").unwrap_or(&Value::Null))?;
            said.iter().try_for_each(update)?;
            Ok(Value::Null)
        }
        other => Err(Error::no_such_method(topic, other)),
    }
}

/// The services of routers that lead out at a host, those that have connections.
fn on_host(host: &str) -> Result<Value> {
    if !outside::serves(host)? {
        return Ok(Value::Array(Vec::new()));
    }
    let services = services::of_routers(&outside::routers_at(host)?)?;
    Ok(Value::Array(World::load(&services)?.services(&services)?))
}

/// A service and its connections are as an agent says. Of what is gone it may not
/// have heard yet.
fn update(report: &status::Report) -> Result<()> {
    let Some(service) = services::get(&report.id)? else {
        log::warn(&format!("an agent says how the VPN service {} is, which is gone", report.id));
        return Ok(());
    };
    if let Some(status) = report.said.becomes(&service.status) {
        services::set_status(&service.id, status)?;
    }
    for (id, said) in &report.ipsec_site_connections {
        let Some(connection) = connections::get(id)? else { continue };
        if let Some(status) = said.becomes(&connection.status) {
            connections::set_status(id, status)?;
        }
    }
    Ok(())
}
