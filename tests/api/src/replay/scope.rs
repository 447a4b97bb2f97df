//! Which probes a server has to answer as Neutron did, and how much of the
//! answer: that follows from the extensions it advertises.

use super::Probe;
use super::identities::Identities;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What the beginnings of paths after `/v2.0/` are about, where that is a resource
/// that is not there.
const OTHER_RESOURCES: [(&str, &str); 1] = [("floatingip_pools", "pools of floating IPs")];

/// Extensions whose plugins Neutron was recorded without.
const NOT_RECORDED: [&str; 5] =
    ["l3-conntrack-helper", "lbaasv2", "logging", "network-segment-range", "port-hint-ovs-tx-steering"];

/// Attributes that belong to an extension: collection, name, alias.
const ATTRIBUTES: [(&str, &str, &str); 58] = [
    ("*", "created_at", "standard-attr-timestamp"),
    ("*", "description", "standard-attr-description"),
    ("*", "project_id", "project-id"),
    ("*", "revision_number", "standard-attr-revisions"),
    ("*", "tags", "standard-attr-tag"),
    ("*", "updated_at", "standard-attr-timestamp"),
    // Shown by mistake in some of Neutron's answers.
    ("*", "standard_attr_id", "-"),
    ("network", "availability_zone_hints", "network_availability_zone"),
    ("network", "availability_zones", "network_availability_zone"),
    ("network", "dns_domain", "dns-integration"),
    ("network", "ipv4_address_scope", "address-scope"),
    ("network", "ipv6_address_scope", "address-scope"),
    ("network", "is_default", "external-net"),
    ("network", "l2_adjacency", "l2_adjacency"),
    ("network", "mtu", "net-mtu"),
    ("network", "port_security_enabled", "port-security"),
    ("network", "provider:network_type", "provider"),
    ("network", "provider:physical_network", "provider"),
    ("network", "provider:segmentation_id", "provider"),
    ("network", "qinq", "qinq"),
    ("network", "qos_policy_id", "qos"),
    ("network", "router:external", "external-net"),
    ("network", "segments", "multi-provider"),
    ("network", "vlan_transparent", "vlan-transparent"),
    ("subnet", "dns_publish_fixed_ip", "subnet-dns-publish-fixed-ip"),
    ("subnet", "router:external", "subnet-external-network"),
    ("subnet", "segment_id", "segment"),
    ("subnet", "service_types", "subnet-service-types"),
    ("subnet", "subnetpool_id", "subnet_allocation"),
    ("subnet", "use_default_subnetpool", "default-subnetpools"),
    ("port", "allowed_address_pairs", "allowed-address-pairs"),
    ("port", "binding:host_id", "binding"),
    ("port", "binding:profile", "binding"),
    ("port", "binding:vif_details", "binding"),
    ("port", "binding:vif_type", "binding"),
    ("port", "binding:vnic_type", "binding"),
    ("port", "data_plane_status", "data-plane-status"),
    ("port", "device_profile", "port-device-profile"),
    ("port", "dns_assignment", "dns-integration"),
    ("port", "dns_domain", "dns-domain-ports"),
    ("port", "dns_name", "dns-integration"),
    ("port", "extra_dhcp_opts", "extra_dhcp_opt"),
    ("port", "hints", "port-hints"),
    ("port", "ip_allocation", "ip_allocation"),
    ("port", "numa_affinity_policy", "port-numa-affinity-policy"),
    ("port", "port_security_enabled", "port-security"),
    ("port", "propagate_uplink_status", "uplink-status-propagation"),
    ("port", "qos_network_policy_id", "qos-port-network-policy"),
    ("port", "qos_policy_id", "qos"),
    ("port", "resource_request", "port-resource-request"),
    ("port", "security_groups", "security-group"),
    ("port", "trunk_details", "trunk-details"),
    ("router", "enable_default_route_bfd", "enable-default-route-bfd"),
    ("router", "enable_default_route_ecmp", "enable-default-route-ecmp"),
    ("router", "ha_vr_id", "l3-ha"),
    ("floatingip", "qos_policy_id", "qos-fip"),
    ("port_forwarding", "external_port_range", "floating-ip-port-forwarding-port-ranges"),
    ("port_forwarding", "internal_port_range", "floating-ip-port-forwarding-port-ranges"),
];

/// What is done with a probe.
pub(super) enum Verdict {
    /// It is sent, and its answer compared.
    In,
    /// It is about this, which is not there.
    Out(&'static str),
}

/// What the server under test says it has.
pub(super) struct Scope {
    advertised: BTreeSet<String>,
}

impl Scope {
    /// Asks the server.
    pub(super) async fn of(http: &reqwest::Client, url: &str) -> anyhow::Result<Scope> {
        let text =
            http.get(format!("{url}/v2.0/extensions")).send().await?.error_for_status()?.text().await?;
        let body: Value = serde_json::from_str(&text)?;
        let list = body.get("extensions").and_then(Value::as_array).cloned().unwrap_or_default();
        let alias = |extension: &Value| extension.get("alias").and_then(Value::as_str).map(str::to_owned);
        Ok(Scope { advertised: list.iter().filter_map(alias).collect() })
    }

    /// Whether a probe is sent.
    pub(super) fn verdict(&self, probe: &Probe) -> Verdict {
        if probe.who == "none" && !probe.note.contains("versions") {
            return Verdict::Out("a missing or wrong token");
        }
        if probe.status >= 500 {
            return Verdict::Out("what Neutron failed at");
        }
        let path = probe.path.strip_prefix("/v2.0/").unwrap_or_default();
        match OTHER_RESOURCES.iter().find(|(start, _)| begins(path, start)) {
            Some((_, about)) => Verdict::Out(about),
            None => Verdict::In,
        }
    }

    /// Whether an attribute of a collection belongs to what is advertised.
    fn has(&self, member: &str, attribute: &str) -> bool {
        let found =
            ATTRIBUTES.iter().find(|(of, name, _)| (*of == "*" || *of == member) && *name == attribute);
        found.is_none_or(|(.., alias)| self.advertised.contains(*alias))
    }

    /// A request's document without attributes that the server cannot know.
    pub(super) fn without_unknown(&self, document: &Value) -> Value {
        self.pruned(document)
    }

    /// Takes attributes of extensions that are not advertised out of all
    /// resources in a document.
    fn pruned(&self, document: &Value) -> Value {
        let Some(members) = document.as_object() else { return document.clone() };
        let pruned = members.iter().map(|(name, value)| {
            let member = name.strip_suffix('s').unwrap_or(name);
            let is_extended = ATTRIBUTES.iter().any(|(of, ..)| *of == member);
            let value = match value {
                Value::Object(row) if is_extended => Value::Object(self.row(member, row)),
                Value::Array(rows) if is_extended => rows
                    .iter()
                    .map(|row| {
                        row.as_object().map_or(row.clone(), |row| Value::Object(self.row(member, row)))
                    })
                    .collect(),
                _ => value.clone(),
            };
            (name.clone(), value)
        });
        Value::Object(pruned.collect())
    }

    fn row(&self, member: &str, row: &Map<String, Value>) -> Map<String, Value> {
        let kept = row.iter().filter(|(name, _)| self.has(member, name));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// What Neutron would have answered with only the advertised extensions, and
    /// without what probes out of scope left behind.
    pub(super) fn expected(&self, probe: &Probe, recorded: &Value, identities: &Identities) -> Value {
        if probe.status >= 300 {
            return recorded.clone();
        }
        let mut expected = self.pruned(recorded);
        if is_loose(probe) {
            cut_layers(&mut expected);
        }
        cut_titles(&mut expected);
        cut_quotas(&mut expected);
        cut_numbers(&mut expected);
        cut_rules(&mut expected);
        keep(&mut expected, "extensions", |row| {
            row["alias"].as_str().is_some_and(|alias| self.advertised.contains(alias))
        });
        let made_here = |row: &Value| row["id"].as_str().is_none_or(|id| identities.knows(id));
        for kind in ["networks", "subnets", "ports"] {
            if !is_loose(probe) {
                keep(&mut expected, kind, made_here);
            }
        }
        for row in rows(&mut expected) {
            if let Some(Value::Array(subnets)) = row.get_mut("subnets") {
                subnets.retain(|id| id.as_str().is_some_and(|id| identities.knows(id)));
            }
        }
        expected
    }

    /// The server's answer, without what cannot be expected of the recording: a
    /// network had got a second segment there, and showed its segments in
    /// another way from then on.
    pub(super) fn comparable(&self, probe: &Probe, got: &Value) -> Value {
        let mut got = got.clone();
        let recorded: BTreeSet<String> = {
            let mut body = probe.body.clone();
            let split = rows(&mut body).into_iter().filter(|row| row.contains_key("segments"));
            split.filter_map(|row| Some(row.get("name")?.as_str()?.to_owned())).collect()
        };
        for row in rows(&mut got) {
            if row.get("name").and_then(Value::as_str).is_some_and(|name| recorded.contains(name)) {
                row.retain(|name, _| !name.starts_with("provider:"));
            }
        }
        if is_loose(probe) {
            cut_layers(&mut got);
        }
        if !recorded.is_empty() || is_loose(probe) {
            return got;
        }
        keep(&mut got, "extensions", |row| {
            row["alias"].as_str().is_some_and(|alias| !NOT_RECORDED.contains(&alias))
        });
        cut_titles(&mut got);
        cut_quotas(&mut got);
        cut_numbers(&mut got);
        cut_rules(&mut got);
        got
    }
}

/// Any network may be the first, also one of several segments, which are shown
/// in another way than a single one.
fn cut_layers(body: &mut Value) {
    for row in rows(body) {
        row.retain(|name, _| name != "segments" && !name.starts_with("provider:"));
    }
}

/// Which number a segment gets is the server's to choose.
fn cut_numbers(body: &mut Value) {
    if let Some(Value::Array(segments)) = body.get_mut("segments") {
        for segment in segments.iter_mut().filter_map(Value::as_object_mut) {
            segment.remove("segmentation_id");
        }
    }
}

/// Of rules that are shown with their group Neutron shows a number of its
/// database, and not always whether the group is the default.
fn cut_rules(body: &mut Value) {
    for group in rows(body) {
        let Some(Value::Array(rules)) = group.get_mut("security_group_rules") else { continue };
        for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
            rule.retain(|name, _| !["standard_attr_id", "belongs_to_default_sg"].contains(&name.as_str()));
        }
    }
}

/// The title of the extension about tags names all resources there are.
fn cut_titles(body: &mut Value) {
    for row in rows(body).into_iter().filter(|row| row.get("alias").is_some_and(|a| a == "standard-attr-tag"))
    {
        row.remove("name");
    }
}

/// Quotas of other resources, and numbers of rows: some of the recording's were
/// made by probes that are out of scope.
fn cut_quotas(body: &mut Value) {
    let Some(Value::Object(quota)) = body.get_mut("quota") else { return };
    let here = ["network", "subnet", "port", "rbac_policy", "security_group", "security_group_rule"];
    quota.retain(|name, _| here.contains(&name.as_str()));
    for details in quota.values_mut().filter_map(Value::as_object_mut) {
        details.remove("used");
    }
}

/// Whether a path begins with whole parts: `qos/policies`, `agents?x`.
fn begins(path: &str, start: &str) -> bool {
    path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '.']))
}

/// A list of one row: of what a server makes without being asked to, such as a
/// project's default security group, that is where its id is learned.
pub(super) fn is_one_found(probe: &Probe) -> bool {
    let rows = probe.body.as_object().and_then(|body| body.values().next()).and_then(Value::as_array);
    probe.method == "GET" && !is_loose(probe) && rows.is_some_and(|rows| rows.len() == 1)
}

/// A page of a list for which no order was asked: it may hold any rows.
pub(super) fn is_loose(probe: &Probe) -> bool {
    let paged = ["limit=1", "limit=2"].iter().any(|limit| probe.path.contains(limit));
    probe.status == 200 && paged && !probe.path.contains("sort_key")
}

fn keep(body: &mut Value, name: &str, which: impl Fn(&Value) -> bool) {
    if let Some(Value::Array(rows)) = body.get_mut(name) {
        rows.retain(|row| which(row));
    }
}

/// The resources of a body.
fn rows(body: &mut Value) -> Vec<&mut Map<String, Value>> {
    let members = body.as_object_mut().into_iter().flat_map(|body| body.values_mut());
    members
        .flat_map(|value| match value {
            Value::Array(rows) => rows.iter_mut().filter_map(Value::as_object_mut).collect::<Vec<_>>(),
            Value::Object(row) => vec![row],
            _ => Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attributes_of_what_is_not_advertised_are_taken_out() {
        let scope = Scope { advertised: BTreeSet::from(["net-mtu".to_owned()]) };
        let network = json!({"name": "x", "mtu": 1, "router:external": true, "description": ""});
        assert_eq!(
            scope.pruned(&json!({"networks": [network]})),
            json!({"networks": [{"name": "x", "mtu": 1}]})
        );
        assert_eq!(scope.pruned(&json!({"NeutronError": {"mtu": 1}})), json!({"NeutronError": {"mtu": 1}}));
    }

    #[test]
    fn paths_begin_with_whole_parts() {
        assert!(begins("qos/policies", "qos"));
        assert!(!begins("networks", "network"));
        assert!(begins("agents?host=x", "agents"));
    }
}
