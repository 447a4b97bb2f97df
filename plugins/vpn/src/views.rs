//! Services as agents are given them. In Neutron: `make_vpnservice_dict`.

use crate::connections::{self, Connection};
use crate::endpoint_groups::{self, Group};
use crate::endpoints::Family;
use crate::outside::{self, Subnet};
use crate::policies::{Kind, Policy};
use crate::services::Service;
use hadron_sdk::serde_json::{self, Map, Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Services' connections and all that these consist of, read with few questions.
#[derive(Default)]
pub(crate) struct World {
    connections: Vec<Connection>,
    policies: BTreeMap<String, Policy>,
    groups: BTreeMap<String, Group>,
    subnets: BTreeMap<String, Subnet>,
}

fn rows<T: DeserializeOwned>(collection: &str, ids: &BTreeSet<&str>) -> Result<Vec<T>> {
    match ids.is_empty() {
        true => Ok(Vec::new()),
        false => store::find(collection, &Query::all().any_of("id", ids.iter().copied())),
    }
}

impl World {
    /// Reads what there is to know of these services.
    pub(crate) fn load(services: &[Service]) -> Result<World> {
        let connections = connections::of_services(services)?;
        let mut policies: Vec<Policy> = rows(
            Kind::Ike.collection(),
            &connections.iter().map(|connection| connection.ikepolicy_id.as_str()).collect(),
        )?;
        policies.extend(rows::<Policy>(
            Kind::Ipsec.collection(),
            &connections.iter().map(|connection| connection.ipsecpolicy_id.as_str()).collect(),
        )?);
        let groups = connections.iter().flat_map(|c| [&c.local_ep_group_id, &c.peer_ep_group_id]);
        let groups: Vec<Group> =
            rows(endpoint_groups::COLLECTION, &groups.flatten().map(String::as_str).collect())?;
        let of_groups = groups.iter().flat_map(Group::subnets);
        let of_services = services.iter().filter_map(|service| service.subnet_id.as_deref());
        let subnets = outside::subnets(of_groups.chain(of_services))?;
        Ok(World {
            policies: policies.into_iter().map(|policy| (policy.id.clone(), policy)).collect(),
            subnets: subnets.into_iter().map(|subnet| (subnet.id.clone(), subnet)).collect(),
            groups: groups.into_iter().map(|group| (group.id.clone(), group)).collect(),
            connections,
        })
    }

    /// Those of these services that have connections.
    pub(crate) fn services(&self, services: &[Service]) -> Result<Vec<Value>> {
        let mut views = Vec::new();
        for service in services {
            let own = self.connections.iter().filter(|connection| connection.vpnservice_id == service.id);
            let connections =
                own.map(|connection| self.connection(service, connection)).collect::<Result<Vec<_>>>()?;
            if !connections.is_empty() {
                views.push(self.service(service, connections)?);
            }
        }
        Ok(views)
    }

    fn service(&self, service: &Service, connections: Vec<Document>) -> Result<Value> {
        let subnet = match service.subnet_id.as_ref().and_then(|id| self.subnets.get(id)) {
            Some(subnet) => serde_json::to_value(subnet)?,
            // Agents of before look here for the first range of the first connection.
            None => {
                let cidr = connections.first().and_then(|first| first.get("local_cidrs")?.get(0));
                json!({ "cidr": cidr })
            }
        };
        let mut view = object(serde_json::to_value(service)?);
        let external = service.external_v4_ip.as_ref().or(service.external_v6_ip.as_ref());
        view.insert("tenant_id".to_owned(), json!(service.project_id));
        view.insert("external_ip".to_owned(), json!(external));
        view.insert("subnet".to_owned(), subnet);
        view.insert("ipsec_site_connections".to_owned(), json!(connections));
        Ok(Value::Object(view))
    }

    fn connection(&self, service: &Service, connection: &Connection) -> Result<Document> {
        let mut view = object(serde_json::to_value(connection)?);
        let dpd = object(view.shift_remove("dpd").unwrap_or_default());
        view.extend(dpd.into_iter().map(|(name, value)| (format!("dpd_{name}"), value)));
        let (peer, local) = identities(&connection.peer_id, &connection.local_id);
        let here = self.local_cidrs(service, connection);
        let family = connection.peer_address.parse().map(Family::of);
        let external = match family {
            Ok(Family::V6) => &service.external_v6_ip,
            _ => &service.external_v4_ip,
        };
        for (name, value) in [
            ("tenant_id", json!(connection.project_id)),
            ("peer_id", json!(peer)),
            ("local_id", json!(local)),
            ("ikepolicy", self.policy(&connection.ikepolicy_id)),
            ("ipsecpolicy", self.policy(&connection.ipsecpolicy_id)),
            ("peer_cidrs", json!(self.peer_cidrs(service, connection))),
            ("local_ip_vers", json!(here.first().map(|subnet| Family::of(subnet.cidr.addr()).number()))),
            ("local_cidrs", here.iter().map(|subnet| Value::from(subnet.cidr.to_string())).collect()),
            ("external_ip", json!(external)),
        ] {
            view.insert(name.to_owned(), value);
        }
        Ok(view)
    }

    fn local_cidrs(&self, service: &Service, connection: &Connection) -> Vec<&Subnet> {
        match &service.subnet_id {
            Some(subnet) => self.subnets.get(subnet).into_iter().collect(),
            None => {
                let group = connection.local_ep_group_id.as_ref().and_then(|id| self.groups.get(id));
                group.into_iter().flat_map(Group::subnets).filter_map(|id| self.subnets.get(id)).collect()
            }
        }
    }

    fn peer_cidrs<'a>(&'a self, service: &Service, connection: &'a Connection) -> &'a [String] {
        match service.subnet_id {
            Some(_) => &connection.peer_cidrs,
            None => {
                let group = connection.peer_ep_group_id.as_ref().and_then(|id| self.groups.get(id));
                group.map_or(&[], |group| &group.endpoints)
            }
        }
    }

    /// A policy with its lifetime as Neutron's rows have it.
    fn policy(&self, id: &str) -> Value {
        let Some(policy) = self.policies.get(id) else { return Value::Null };
        let mut view = policy.more.clone();
        for (name, value) in [
            ("id", json!(policy.id)),
            ("project_id", json!(policy.project_id)),
            ("lifetime_units", json!(policy.lifetime.units)),
            ("lifetime_value", json!(policy.lifetime.value)),
        ] {
            view.insert(name.to_owned(), value);
        }
        if !policy.transform_protocol.is_empty() {
            view.insert("transform_protocol".to_owned(), json!(policy.transform_protocol));
        }
        Value::Object(view)
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Identities as the daemons take them: names after an `@`, unless both sides have
/// addresses.
fn identities(peer: &str, local: &str) -> (String, String) {
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    if is_address(peer) && (local.is_empty() || is_address(local)) {
        return (peer.to_owned(), local.to_owned());
    }
    let local = if local.is_empty() { String::new() } else { format!("@{local}") };
    (format!("@{peer}"), local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(subnet: Option<&str>) -> Service {
        serde_json::from_value(json!({
            "id": "s", "project_id": "p", "name": "n", "subnet_id": subnet, "router_id": "r",
            "flavor_id": null, "admin_state_up": true, "external_v4_ip": "198.51.100.1",
            "external_v6_ip": "2001:db8::1", "status": "ACTIVE",
        }))
        .unwrap()
    }

    fn connection(peer: &str, cidrs: &[&str], groups: [Option<&str>; 2]) -> Connection {
        serde_json::from_value(json!({
            "id": "c", "project_id": "p", "name": "", "peer_address": peer, "peer_id": peer, "local_id": "",
            "route_mode": "static", "mtu": 1500, "initiator": "bi-directional", "auth_mode": "psk",
            "psk": "secret", "dpd": {"action": "hold", "interval": 30, "timeout": 120},
            "admin_state_up": true, "status": "PENDING_CREATE", "vpnservice_id": "s", "ikepolicy_id": "i",
            "ipsecpolicy_id": "e", "peer_cidrs": cidrs, "local_ep_group_id": groups[0],
            "peer_ep_group_id": groups[1],
        }))
        .unwrap()
    }

    fn world(connections: Vec<Connection>) -> World {
        let policy = |id: &str, more: Value| {
            let mut row = json!({"id": id, "project_id": "p", "lifetime": {"units": "seconds", "value": 60}});
            row.as_object_mut().unwrap().extend(object(more));
            (id.to_owned(), serde_json::from_value(row).unwrap())
        };
        let group = |id: &str, kind: &str, endpoints: &[&str]| {
            let row = json!({"id": id, "project_id": "p", "type": kind, "endpoints": endpoints});
            (id.to_owned(), serde_json::from_value(row).unwrap())
        };
        let subnet = |id: &str, cidr: &str| {
            let row = json!({"id": id, "project_id": "p", "network_id": "n", "cidr": cidr, "ip_version": 4});
            (id.to_owned(), serde_json::from_value(row).unwrap())
        };
        World {
            connections,
            policies: BTreeMap::from([
                policy("i", json!({"ike_version": "v2"})),
                policy("e", json!({"transform_protocol": "esp", "pfs": "group14"})),
            ]),
            groups: BTreeMap::from([
                group("l", "subnet", &["a", "b"]),
                group("q", "cidr", &["172.16.0.0/16", "172.17.0.0/16"]),
            ]),
            subnets: BTreeMap::from([subnet("a", "10.0.0.0/24"), subnet("b", "10.0.1.0/24")]),
        }
    }

    #[test]
    fn a_service_with_a_subnet_joins_that() {
        let own = connection("203.0.113.7", &["172.16.0.0/16"], [None, None]);
        let views = world(vec![own]).services(&[service(Some("a"))]).unwrap();
        let view = &views[0];
        assert_eq!((&view["subnet"]["cidr"], &view["tenant_id"]), (&json!("10.0.0.0/24"), &json!("p")));
        assert_eq!(view["external_ip"], "198.51.100.1");
        let connection = &view["ipsec_site_connections"][0];
        assert_eq!(connection["local_cidrs"], json!(["10.0.0.0/24"]));
        assert_eq!(connection["peer_cidrs"], json!(["172.16.0.0/16"]));
        assert_eq!((&connection["dpd_action"], &connection["dpd_timeout"]), (&json!("hold"), &json!(120)));
        assert_eq!(connection.get("dpd"), None);
        assert_eq!((&connection["local_ip_vers"], &connection["psk"]), (&json!(4), &json!("secret")));
        assert_eq!(
            connection["ikepolicy"],
            json!({"ike_version": "v2", "id": "i", "project_id": "p", "lifetime_units": "seconds",
                   "lifetime_value": 60})
        );
        assert_eq!(connection["ipsecpolicy"]["transform_protocol"], "esp");
    }

    #[test]
    fn a_service_without_joins_what_its_connections_say() {
        let own = connection("2001:db8::7", &[], [Some("l"), Some("q")]);
        let views = world(vec![own]).services(&[service(None)]).unwrap();
        let connection = &views[0]["ipsec_site_connections"][0];
        assert_eq!(views[0]["subnet"], json!({"cidr": "10.0.0.0/24"}));
        assert_eq!(connection["local_cidrs"], json!(["10.0.0.0/24", "10.0.1.0/24"]));
        assert_eq!(connection["peer_cidrs"], json!(["172.16.0.0/16", "172.17.0.0/16"]));
        assert_eq!(connection["external_ip"], "2001:db8::1");
        assert!(world(Vec::new()).services(&[service(None)]).unwrap().is_empty());
    }

    #[test]
    fn identities_that_are_no_addresses_are_marked() {
        let of = |peer: &str, local: &str| {
            let (peer, local) = identities(peer, local);
            [peer, local]
        };
        assert_eq!(of("203.0.113.7", ""), ["203.0.113.7", ""]);
        assert_eq!(of("203.0.113.7", "198.51.100.1"), ["203.0.113.7", "198.51.100.1"]);
        assert_eq!(of("peer.example", ""), ["@peer.example", ""]);
        assert_eq!(of("203.0.113.7", "us.example"), ["@203.0.113.7", "@us.example"]);
    }
}
