//! The way out of a router. In Neutron: `_update_router_gw_info`.

use super::Router;
use super::attached::{self, Attached, Ports};
use super::attributes::ROUTERS;
use super::routes;
use crate::outside::{self, GATEWAY, Port, Subnet};
use crate::{errors, floating_ips};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Context, Document, Result, config, store};
use serde::Deserialize;
use std::net::IpAddr;

/// The setting about source addresses where a request says nothing.
pub(crate) const SNAT: &str = "enable_snat_by_default";

/// An address that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Asked {
    subnet_id: Option<String>,
    ip_address: Option<IpAddr>,
}

/// A way out that is asked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Info {
    network_id: String,
    enable_snat: Option<bool>,
    #[serde(default)]
    external_fixed_ips: Option<Vec<Asked>>,
}

impl Info {
    /// What a request asks for: nothing, by null or by an empty object.
    pub(crate) fn read(given: Option<Value>) -> Result<Option<Info>> {
        match given {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(given)) if given.is_empty() => Ok(None),
            Some(given) if given.get("network_id").is_none() => Err(errors::no_network(&given)),
            Some(given) => Ok(Some(Info::deserialize(given)?)),
        }
    }

    fn asked(&self) -> &[Asked] {
        self.external_fixed_ips.as_deref().unwrap_or_default()
    }

    /// A router's address is not that of the next router.
    fn check_addresses(&self, subnets: &[Subnet]) -> Result<()> {
        let taken = |asked: &&Asked| {
            let address = asked.ip_address;
            address.is_some() && subnets.iter().any(|subnet| subnet.gateway_ip == address)
        };
        match self.asked().iter().find(taken).and_then(|asked| asked.ip_address) {
            Some(address) => {
                Err(errors::bad_router(format!("External IP {address} is the same as the gateway IP")))
            }
            None => Ok(()),
        }
    }

    /// Whether a gateway's port has not what is asked for.
    fn differs(&self, port: &Port) -> bool {
        let asked = self.asked();
        let met = |asked: &Asked| {
            port.fixed_ips.iter().any(|ip| {
                asked.subnet_id.as_ref().is_none_or(|subnet| *subnet == ip.subnet_id)
                    && asked.ip_address.is_none_or(|address| address == ip.ip_address)
            })
        };
        !asked.is_empty() && (asked.len() != port.fixed_ips.len() || !asked.iter().all(met))
    }

    /// The addresses as a port is asked for them.
    fn fixed_ips(&self) -> Value {
        self.asked()
            .iter()
            .map(|asked| {
                let mut one = Document::new();
                if let Some(subnet) = &asked.subnet_id {
                    one.insert("subnet_id".to_owned(), json!(subnet));
                }
                if let Some(address) = asked.ip_address {
                    one.insert("ip_address".to_owned(), json!(address));
                }
                Value::Object(one)
            })
            .collect()
    }
}

/// Gives a router this way out, or none. The router's lock is held.
pub(crate) fn set(ctx: &Context, router: &Router, info: Option<&Info>) -> Result<()> {
    let ports = Ports::of(&router.id)?;
    let (Some(info), now) = (info, ports.gateway()) else {
        if let Some((row, _)) = ports.gateway() {
            check_ways(router, &ports, &[])?;
            close(router, row)?;
        }
        return note(&router.id, None, default_snat()?);
    };
    let network = outside::network(ctx, &info.network_id)?;
    if !network.is_external {
        return Err(errors::bad_router(format!("Network {} is not an external network", network.id)));
    }
    let subnets = outside::subnets_of([network.id.as_str()])?;
    info.check_addresses(&subnets)?;
    check_ways(router, &ports, &subnets)?;
    let snat = info.enable_snat.map_or_else(default_snat, Ok)?;
    let port = match now {
        Some((row, port)) if row.network_id == network.id => match info.differs(port) {
            true => outside::readdress(&port.id, &info.fixed_ips())?,
            false => port.clone(),
        },
        now => {
            if let Some((row, _)) = now {
                close(router, row)?;
            }
            open(&router.id, info, &subnets)?
        }
    };
    note(&router.id, Some(&port), snat)
}

fn default_snat() -> Result<bool> {
    config::or(SNAT, true)
}

/// Routes that stay lead over what is left.
fn check_ways(router: &Router, ports: &Ports, outside: &[Subnet]) -> Result<()> {
    if router.routes.is_empty() {
        return Ok(());
    }
    let (mut cidrs, own) = ports.reach(|row| !row.is_gateway());
    cidrs.extend(outside.iter().map(|subnet| subnet.cidr));
    routes::check(&router.routes, &cidrs, &own)
}

fn close(router: &Router, gateway: &Attached) -> Result<()> {
    if floating_ips::any_by(&router.id)? {
        return Err(errors::gateway_needed(&router.id, &gateway.network_id));
    }
    // No row refers to the port when it goes.
    let nothing = json!({"gw_port_id": null, "external_gateway_info": null});
    store::update::<Document>(ROUTERS, &router.id, &nothing)?;
    attached::remove(gateway)
}

fn open(router: &str, info: &Info, subnets: &[Subnet]) -> Result<Port> {
    // What was the gateway is gone by now.
    Ports::of(router)?.check_apart(subnets)?;
    let mut body = json!({"project_id": "", "network_id": info.network_id, "device_id": router,
        "device_owner": GATEWAY, "admin_state_up": true, "name": ""});
    if !info.asked().is_empty()
        && let Some(body) = body.as_object_mut()
    {
        body.insert("fixed_ips".to_owned(), info.fixed_ips());
    }
    let port = outside::make_port(&body)?;
    attached::attach(router, &port, GATEWAY)?;
    Ok(port)
}

/// Writes down what the router shows of its way out.
fn note(router: &str, port: Option<&Port>, snat: bool) -> Result<()> {
    let info = port.map(|port| {
        json!({"network_id": port.network_id, "external_fixed_ips": attached::addresses(port),
            "enable_snat": snat})
    });
    let changes = json!({"external_gateway_info": info, "gw_port_id": port.map(|port| &port.id),
        "enable_snat": snat});
    store::update::<Document>(ROUTERS, router, &changes).map(drop)
}

/// Somebody gave the port of a gateway other addresses.
pub(crate) fn moved(gateway: &Attached, port: &Port) -> Result<()> {
    let router: Option<Document> = store::get(ROUTERS, &gateway.router_id)?;
    let snat = router.as_ref().and_then(|router| router.get("enable_snat")).and_then(Value::as_bool);
    note(&gateway.router_id, Some(port), snat.unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json;

    fn info(addresses: Value) -> Info {
        serde_json::from_value(json!({"network_id": "n", "external_fixed_ips": addresses})).unwrap()
    }

    fn port(addresses: Value) -> Port {
        serde_json::from_value(json!({"id": "p", "network_id": "n", "fixed_ips": addresses})).unwrap()
    }

    #[test]
    fn a_port_that_has_what_is_asked_for_stays() {
        let one = json!({"subnet_id": "s", "ip_address": "192.0.2.5"});
        let port = port(json!([one]));
        assert!(!info(json!([])).differs(&port) && !info(json!([one])).differs(&port));
        assert!(!info(json!([{"subnet_id": "s"}])).differs(&port));
        assert!(info(json!([{"subnet_id": "t"}])).differs(&port));
        assert!(info(json!([{"ip_address": "192.0.2.6"}])).differs(&port));
        assert!(info(json!([one, {"subnet_id": "t"}])).differs(&port));
    }

    #[test]
    fn the_next_routers_address_is_its_own() {
        let subnet = json!({"id": "s", "network_id": "n", "ip_version": 4, "cidr": "192.0.2.0/24",
            "gateway_ip": "192.0.2.1"});
        let subnets: Vec<Subnet> = vec![serde_json::from_value(subnet).unwrap()];
        let message = |info: Info| info.check_addresses(&subnets).map_err(|e| e.fault().message.clone());
        assert_eq!(message(info(json!([{"ip_address": "192.0.2.2"}]))), Ok(()));
        let refused = "Bad router request: External IP 192.0.2.1 is the same as the gateway IP.";
        assert_eq!(message(info(json!([{"ip_address": "192.0.2.1"}]))), Err(refused.to_owned()));
    }
}
