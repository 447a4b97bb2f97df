//! The port with a load balancer's addresses. In Octavia:
//! `AllowedAddressPairsDriver.allocate_vip`, `deallocate_vip`.

mod choice;

use crate::document::{given, list, text};
use crate::errors;
use choice::{FixedIp, Subnet};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::Query;
use hadron_sdk::{Document, Error, Result, resources};
use serde::Deserialize;

pub(crate) const PORTS: &str = "ports";
pub(crate) const NETWORKS: &str = "networks";
pub(crate) const SUBNETS: &str = "subnets";
pub(crate) const SECURITY_GROUPS: &str = "security_groups";
pub(crate) const QOS_POLICIES: &str = "qos_policies";
/// The owner of ports that are made for addresses. In Octavia: `OCTAVIA_OWNER`.
const OWNER: &str = "Octavia";

/// A port, as far as load balancers care.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    id: String,
    network_id: String,
    device_id: String,
    device_owner: String,
    fixed_ips: Vec<FixedIp>,
    qos_policy_id: Option<String>,
}

fn device(load_balancer: &str) -> String {
    format!("lb-{load_balancer}")
}

fn subnet(id: &str) -> Result<Subnet> {
    resources::get(SUBNETS, id)?.ok_or_else(|| errors::no_such("Subnet", id))
}

/// A subnet that members are said to be in must be there.
pub(crate) fn check_subnet(id: &str) -> Result<()> {
    match resources::get::<Subnet>(SUBNETS, id)? {
        Some(_) => Ok(()),
        None => Err(errors::not_found("Subnet", id)),
    }
}

/// So must be a policy for quality of service.
pub(crate) fn check_qos(id: &str) -> Result<()> {
    match resources::get::<Document>(QOS_POLICIES, id) {
        // Where no plugin has such policies there is none either.
        Ok(None) | Err(Error::NotFound(_)) => Err(errors::no_such("qos_policy", id)),
        other => other.map(drop),
    }
}

/// And security groups.
pub(crate) fn check_security_groups(ids: &[&str]) -> Result<()> {
    for id in ids {
        if resources::get::<Document>(SECURITY_GROUPS, id)?.is_none() {
            return Err(errors::no_such("Security Group", id));
        }
    }
    Ok(())
}

/// Finds or makes the port that a load balancer asks for, and fills in what of its
/// addresses was not asked for.
pub(crate) fn allocate(id: &str, body: &mut Document) -> Result<()> {
    if let Some(policy) = given(body, "vip_qos_policy_id") {
        check_qos(policy)?;
    }
    check_security_groups(&list(body, "vip_sg_ids"))?;
    let additional = additional(body)?;
    let port = match given(body, "vip_port_id") {
        Some(port) => existing(port, body)?,
        None => make(id, body, &additional)?,
    };
    let first = choice::of_port(&port.fixed_ips, given(body, "vip_subnet_id"), given(body, "vip_address"))?;
    choice::check_additional(
        Some(&first.subnet_id),
        &port.network_id,
        &additional.iter().map(|(subnet, _)| subnet.clone()).collect::<Vec<_>>(),
    )?;
    let more = additional.iter().map(|(subnet, address)| {
        let found = choice::of_port(&port.fixed_ips, Some(&subnet.id), address.as_deref())?;
        Ok(json!({"subnet_id": found.subnet_id, "ip_address": found.ip_address, "port_id": port.id}))
    });
    let more = more.collect::<Result<Vec<Value>>>()?;
    for (name, value) in [
        ("vip_port_id", Value::from(port.id)),
        ("vip_network_id", Value::from(port.network_id)),
        ("vip_subnet_id", Value::from(first.subnet_id)),
        ("vip_address", Value::from(first.ip_address)),
        ("additional_vips", Value::from(more)),
    ] {
        body.insert(name.to_owned(), value);
    }
    if let (None, Some(policy)) = (given(body, "vip_qos_policy_id"), port.qos_policy_id) {
        body.insert("vip_qos_policy_id".to_owned(), Value::from(policy));
    }
    Ok(())
}

/// Subnets of further addresses, with the address where one is asked for.
fn additional(body: &Document) -> Result<Vec<(Subnet, Option<String>)>> {
    let asked = crate::document::objects(body.get("additional_vips").cloned());
    let one = |asked: Document| {
        let id = given(&asked, "subnet_id")
            .ok_or_else(|| errors::validation("Additional VIPs must include a subnet_id."))?;
        Ok((subnet(id)?, given(&asked, "ip_address").map(str::to_owned)))
    };
    asked.into_iter().map(one).collect()
}

/// A port that is given must be free.
fn existing(id: &str, body: &Document) -> Result<Port> {
    let port: Port = resources::get(PORTS, id)?.ok_or_else(|| errors::no_such("Port", id))?;
    if !port.device_id.is_empty() {
        let (id, device) = (&port.id, &port.device_id);
        return Err(errors::validation(format!("Port {id} is already used by device {device} ")));
    }
    if let Some(asked) = given(body, "vip_subnet_id") {
        subnet(asked)?;
    }
    Ok(port)
}

fn make(id: &str, body: &Document, additional: &[(Subnet, Option<String>)]) -> Result<Port> {
    let (network, first) = place(body)?;
    choice::check_additional(
        Some(&first),
        &network,
        &additional.iter().map(|(subnet, _)| subnet.clone()).collect::<Vec<_>>(),
    )?;
    let fixed_ip = |subnet: &str, address: Option<&str>| match address {
        Some(address) => json!({"subnet_id": subnet, "ip_address": address}),
        None => json!({ "subnet_id": subnet }),
    };
    let fixed_ips: Vec<Value> = std::iter::once(fixed_ip(&first, given(body, "vip_address")))
        .chain(additional.iter().map(|(subnet, address)| fixed_ip(&subnet.id, address.as_deref())))
        .collect();
    let mut port = Document::new();
    for (name, value) in [
        ("network_id", json!(network)),
        ("name", json!(format!("octavia-lb-{id}"))),
        ("device_id", json!(device(id))),
        ("device_owner", json!(OWNER)),
        ("admin_state_up", json!(false)),
        ("project_id", json!(text(body, "project_id"))),
        ("fixed_ips", json!(fixed_ips)),
    ] {
        port.insert(name.to_owned(), value);
    }
    let groups = list(body, "vip_sg_ids");
    if !groups.is_empty() {
        port.insert("security_groups".to_owned(), json!(groups));
    }
    if let Some(policy) = given(body, "vip_qos_policy_id") {
        port.insert("qos_policy_id".to_owned(), json!(policy));
    }
    let mut made: Vec<Port> = resources::create(PORTS, &[port])?;
    made.pop().ok_or_else(|| Error::internal("no port was made for the addresses"))
}

/// The network and the subnet that an address is wanted of.
fn place(body: &Document) -> Result<(String, String)> {
    match (given(body, "vip_network_id"), given(body, "vip_subnet_id")) {
        (Some(id), asked) => {
            let network: Option<Document> = resources::get(NETWORKS, id)?;
            network.ok_or_else(|| errors::no_such("Network", id))?;
            let query = Query::all().equal("network_id", id).sort("created_at");
            let subnets: Vec<Subnet> = resources::find(SUBNETS, &query)?;
            let subnet = match asked {
                Some(asked) if subnets.iter().any(|subnet| subnet.id == asked) => asked.to_owned(),
                Some(asked) => return Err(errors::no_such("Subnet", asked)),
                None => choice::of_network(&subnets, given(body, "vip_address"))?,
            };
            Ok((id.to_owned(), subnet))
        }
        (None, Some(id)) => Ok((subnet(id)?.network_id, id.to_owned())),
        (None, None) => Err(errors::vip_needed()),
    }
}

/// A load balancer's port gets other groups, or another policy.
pub(crate) fn change(port: &str, changes: &Value) -> Result<()> {
    resources::update::<Document>(PORTS, port, changes).map(drop)
}

/// The port is plugged in at a host.
pub(crate) fn plug(port: &str, host: &str) -> Result<Document> {
    resources::update(PORTS, port, &json!({"binding:host_id": host, "admin_state_up": true}))
}

/// What agents have to know of a load balancer's addresses: its port, and the
/// subnets of that.
pub(crate) fn told(load_balancer: &Document) -> Result<(Value, Value)> {
    let port: Option<Document> = resources::get(PORTS, text(load_balancer, "vip_port_id"))?;
    let query = Query::all().equal("network_id", text(load_balancer, "vip_network_id"));
    let subnets: Vec<Document> = resources::find(SUBNETS, &query)?;
    Ok((port.map_or(Value::Null, Value::Object), subnets.into_iter().map(Value::Object).collect()))
}

/// The load balancer is gone: a port that was made for it goes too, another is
/// left unplugged.
pub(crate) fn deallocate(load_balancer: &str, port: &str) -> Result<()> {
    let Some(port) = resources::get::<Port>(PORTS, port)? else { return Ok(()) };
    match port.device_owner == OWNER && port.device_id == device(load_balancer) {
        true => resources::delete(PORTS, &port.id),
        false => change(&port.id, &json!({"binding:host_id": ""})),
    }
}
