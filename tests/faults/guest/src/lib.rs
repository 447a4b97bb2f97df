//! The driver of the fault campaign: every network, subnet and port is put on a
//! device that keeps a record, and taken off it again.
//!
//! It does nothing clever, so that what the record shows is the host's doing:
//! one `PUT /KIND/ID` or `DELETE /KIND/ID` an item, a 409 is a refusal, and
//! whatever else goes wrong is tried again.
// An outcome is what a hook answers, large as it is; it is made once a call.
#![allow(clippy::result_large_err)]

use hadron_sdk::delivery::Outcome;
use hadron_sdk::http::Request;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{
    Error, Manifest, MechanismDriver, NetworkContext, Operation, PortContext, SubnetContext, config, log,
};

/// The driver.
pub struct Recorder;

/// How long the device may take for one request.
const PATIENCE_MS: u32 = 2_000;

impl MechanismDriver for Recorder {
    fn manifest() -> Manifest {
        let mut manifest = Manifest {
            hooks: ["network", "subnet", "port"].map(|what| format!("{what}-postcommit")).into(),
            config: vec![hadron_sdk::manifest::ConfigKey {
                name: "url".into(),
                description: "where the device is".into(),
                default: Value::Null,
            }],
            ..hadron_sdk::manifest!("mech-recorder", "sends everything to a device that keeps a record")
        };
        manifest.requests.http = true;
        manifest
    }

    fn network_postcommit(operation: Operation, items: Vec<NetworkContext>) -> Outcome {
        all(items.iter().map(|item| {
            let network = &item.current;
            send(operation, "networks", &network.id, json!({"name": network.name}))
        }))
    }

    fn subnet_postcommit(operation: Operation, items: Vec<SubnetContext>) -> Outcome {
        all(items.iter().map(|item| {
            let subnet = &item.current;
            let body = json!({"name": subnet.name, "network": subnet.network_id, "cidr": subnet.cidr});
            send(operation, "subnets", &subnet.id, body)
        }))
    }

    fn port_postcommit(operation: Operation, items: Vec<PortContext>) -> Outcome {
        all(items.iter().map(|item| {
            let port = &item.current;
            let addresses: Vec<&str> = port.fixed_ips.iter().map(|ip| ip.ip_address.as_str()).collect();
            let body = json!({"name": port.name, "network": port.network_id, "addresses": addresses});
            send(operation, "ports", &port.id, body)
        }))
    }
}

/// Up to the first that does not go well.
fn all(mut outcomes: impl Iterator<Item = Result<(), Outcome>>) -> Outcome {
    outcomes.find_map(Result::err).unwrap_or_else(Outcome::ok)
}

fn send(operation: Operation, kind: &str, id: &str, body: Value) -> Result<(), Outcome> {
    let url: Option<String> = config::get("url").map_err(Outcome::Refused)?;
    let url =
        url.ok_or_else(|| Outcome::Refused(Error::internal("the driver was not told the device's url")))?;
    let target = format!("{url}/{kind}/{id}");
    let request = match operation {
        Operation::Delete => Ok(Request::new("DELETE", &target)),
        Operation::Create => Request::new("PUT", &format!("{target}?create")).json(&body),
        Operation::Update => Request::new("PUT", &target).json(&body),
    };
    match request.and_then(|request| request.timeout_ms(PATIENCE_MS).send()) {
        Ok(answer) if answer.is_success() => Ok(()),
        Ok(answer) if answer.status == 409 => {
            Err(Outcome::Refused(Error::conflict("DeviceRefused", format!("The device does not want {id}."))))
        }
        Ok(answer) => {
            log::warn(&format!("the device answered {}", answer.status));
            Err(Outcome::Later)
        }
        Err(error) => {
            log::warn(&format!("the device cannot be reached: {error:?}"));
            Err(Outcome::Later)
        }
    }
}

hadron_sdk::mechanism_driver!(Recorder);
