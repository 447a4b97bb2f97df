//! What L3 agents ask and tell. In Neutron: `L3RpcCallback`.

use crate::floating_ips::{self, FLOATING_IPS};
use crate::outside::{NETWORKS, PORTS, SUBNETS};
use crate::routers::ROUTERS;
use crate::routers::attached::{self, Attached};
use crate::{agents, conntrack_helpers, port_forwardings, text};
use hadron_sdk::manifest::Topic;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, resources};
use std::collections::{BTreeMap, BTreeSet};

/// Where agents ask.
const TOPIC: &str = "q-l3-plugin";

/// What of it only reads.
const READS: [&str; 3] = ["get_service_plugin_list", "get_host_ha_router_count", "get_ports_by_subnet"];

/// Services of which agents ask whether they are there.
const PLUGINS: [&str; 2] = ["router", "port_forwarding"];

/// The topic that is listened to.
pub(crate) fn topic() -> Topic {
    Topic::new(TOPIC).reads(&READS)
}

/// Answers an agent.
pub(crate) fn receive(method: &str, arguments: &Value) -> Result<Value> {
    let word = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    match method {
        "get_service_plugin_list" => Ok(json!(PLUGINS)),
        // None of them is highly available.
        "get_host_ha_router_count" => Ok(json!(0)),
        "get_router_ids" => {
            agents::put_all()?;
            agents::at(word("host")).map(Value::from)
        }
        "sync_routers" => sync(word("host"), arguments.get("router_ids").and_then(Value::as_array)),
        "update_floatingip_statuses" => {
            statuses(arguments.get("fip_statuses").and_then(Value::as_object))?;
            Ok(Value::Null)
        }
        "get_ports_by_subnet" => {
            let on = Query::all().equal("fixed_ips.subnet_id", word("subnet_id"));
            let ports: Vec<Document> = resources::find(PORTS, &on)?;
            Ok(json!(ports))
        }
        other => Err(Error::no_such_method(TOPIC, other)),
    }
}

/// Floating IPs are as an agent says.
fn statuses(told: Option<&Document>) -> Result<()> {
    for (id, status) in told.into_iter().flatten() {
        let Some(known) = store::get::<Document>(FLOATING_IPS, id)? else { continue };
        // One that has left its router is down, whatever was before.
        let is_out = text(&known, "router_id").is_empty();
        let status = if is_out { floating_ips::DOWN } else { status.as_str().unwrap_or_default() };
        if ["ACTIVE", "DOWN", "ERROR"].contains(&status) && text(&known, "status") != status {
            store::update::<Document>(FLOATING_IPS, id, &json!({ "status": status }))?;
        }
    }
    Ok(())
}

/// What an agent needs to know of routers that are put to it: of those that are
/// asked for, or of all. Their ports are at its host from now on. In Neutron:
/// `sync_routers`.
fn sync(host: &str, asked: Option<&Vec<Value>>) -> Result<Value> {
    let own: BTreeSet<String> = agents::at(host)?.into_iter().collect();
    let ids: Vec<String> = match asked {
        Some(asked) => {
            asked.iter().filter_map(Value::as_str).filter(|id| own.contains(*id)).map(str::to_owned).collect()
        }
        None => own.into_iter().collect(),
    };
    let world = World::load(&ids, host)?;
    Ok(world.routers.iter().map(|router| world.router(router, host)).collect())
}

/// Routers and all that belongs to them, read with few questions.
struct World {
    routers: Vec<Document>,
    attached: Vec<Attached>,
    ports: BTreeMap<String, Document>,
    subnets: Vec<Document>,
    networks: BTreeMap<String, Document>,
    floating_ips: Vec<Document>,
    forwarding: BTreeMap<String, Vec<String>>,
    helpers: Vec<Document>,
}

impl World {
    fn load(ids: &[String], host: &str) -> Result<World> {
        let routers: Vec<Document> = match ids {
            [] => Vec::new(),
            ids => store::find(ROUTERS, &Query::all().any_of("id", ids.iter().cloned()).sort("id"))?,
        };
        let mut all = Vec::new();
        for id in ids {
            all.extend(attached::of(id)?);
        }
        let mut ports = BTreeMap::new();
        let known = Query::all().any_of("id", all.iter().map(|row| row.port_id.as_str()));
        for mut port in resources::find::<Document>(PORTS, &known)? {
            let id = text(&port, "id").to_owned();
            if text(&port, "binding:host_id") != host {
                port = resources::update(PORTS, &id, &json!({ "binding:host_id": host }))?;
            }
            ports.insert(id, port);
        }
        let on: BTreeSet<&str> = all.iter().map(|row| row.network_id.as_str()).collect();
        let floating_ips = floating_ips::of_routers(ids)?;
        Ok(World {
            subnets: resources::find(SUBNETS, &Query::all().any_of("network_id", on.iter().copied()))?,
            networks: resources::find::<Document>(NETWORKS, &Query::all().any_of("id", on))?
                .into_iter()
                .map(|network| (text(&network, "id").to_owned(), network))
                .collect(),
            forwarding: port_forwardings::forwarding(&floating_ips)?.into_iter().collect(),
            helpers: conntrack_helpers::of_routers(ids)?,
            routers,
            attached: all,
            ports,
            floating_ips,
        })
    }

    fn router(&self, router: &Document, host: &str) -> Value {
        let id = text(router, "id");
        let own: Vec<&Attached> = self.attached.iter().filter(|row| row.router_id == id).collect();
        let ports = |gateway: bool| {
            let rows = own.iter().filter(move |row| row.is_gateway() == gateway);
            rows.filter_map(|row| self.port(&row.port_id))
        };
        let gateway = ports(true).next();
        let floating: Vec<Value> = self
            .floating_ips
            .iter()
            .filter(|ip| text(ip, "router_id") == id)
            .map(|ip| self.floating(ip))
            .collect();
        let managed: Vec<Value> = self
            .floating_ips
            .iter()
            .filter(|ip| text(ip, "router_id") == id && self.forwarding.contains_key(text(ip, "id")))
            .map(|ip| json!(format!("{}/32", text(ip, "floating_ip_address"))))
            .collect();
        let helpers: Vec<&Document> =
            self.helpers.iter().filter(|helper| text(helper, conntrack_helpers::PARENT) == id).collect();
        let mut shown = router.clone();
        for (name, value) in [
            ("gw_port_host", json!(gateway.as_ref().map(|_| host))),
            ("gw_port", json!(gateway)),
            ("_interfaces", ports(false).collect()),
            ("_floatingips", json!(floating)),
            ("_floatingip_agent_interfaces", json!([])),
            ("_snat_router_interfaces", json!([])),
            ("fip_managed_by_port_forwardings", json!(managed)),
            ("conntrack_helpers", json!(helpers)),
            ("ha_vr_id", json!(0)),
        ] {
            shown.insert(name.to_owned(), value);
        }
        Value::Object(shown)
    }

    fn floating(&self, ip: &Document) -> Value {
        let mut shown = ip.clone();
        let forwardings = self.forwarding.get(text(ip, "id")).cloned().unwrap_or_default();
        shown.insert("port_forwardings".to_owned(), json!(forwardings));
        shown.insert("host".to_owned(), Value::Null);
        shown.insert("fixed_ip_address_scope".to_owned(), self.scope_of(ip));
        Value::Object(shown)
    }

    /// The address scope of what a floating IP stands for.
    fn scope_of(&self, ip: &Document) -> Value {
        let port = self.ports.get(text(ip, "port_id"));
        let network = port.and_then(|port| self.networks.get(text(port, "network_id")));
        network.and_then(|network| network.get("ipv4_address_scope")).cloned().unwrap_or_default()
    }

    /// A port with what its router needs to know of its network.
    fn port(&self, id: &str) -> Option<Value> {
        let mut port = self.ports.get(id)?.clone();
        let network = self.networks.get(text(&port, "network_id"))?;
        let mut addresses: Vec<Document> = port
            .get("fixed_ips")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|ip| ip.as_object().cloned())
            .collect();
        let all = self.subnets.iter().filter(|subnet| text(subnet, "network_id") == text(network, "id"));
        let is_own =
            |subnet: &&Document| addresses.iter().any(|ip| text(ip, "subnet_id") == text(subnet, "id"));
        let (own, others): (Vec<&Document>, Vec<&Document>) = all.partition(is_own);
        for ip in &mut addresses {
            let subnet = own.iter().find(|subnet| text(subnet, "id") == text(ip, "subnet_id"));
            let length = subnet.and_then(|subnet| text(subnet, "cidr").split_once('/')?.1.parse::<u8>().ok());
            ip.insert("prefixlen".to_owned(), json!(length));
        }
        let of = |name: &str| network.get(name).cloned().unwrap_or_default();
        for (name, value) in [
            ("fixed_ips", json!(addresses)),
            ("subnets", own.into_iter().map(subnet).collect()),
            ("extra_subnets", others.into_iter().map(subnet).collect()),
            ("address_scopes", json!({"4": of("ipv4_address_scope"), "6": of("ipv6_address_scope")})),
            ("mtu", of("mtu")),
        ] {
            port.insert(name.to_owned(), value);
        }
        Some(Value::Object(port))
    }
}

/// What a router needs to know of a subnet.
fn subnet(subnet: &Document) -> Value {
    ["id", "cidr", "gateway_ip", "dns_nameservers", "ipv6_ra_mode", "subnetpool_id"]
        .map(|name| (name.to_owned(), subnet.get(name).cloned().unwrap_or_default()))
        .into_iter()
        .collect::<Document>()
        .into()
}
