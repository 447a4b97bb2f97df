//! What a port asks of the placement of its device: the resources that its
//! policy guarantees, in groups. In Neutron: `_extend_port_resource_request`.

use crate::rules::Kind;
use crate::text;
use hadron_sdk::Document;
use hadron_sdk::serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

/// A rule that guarantees something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guarantee {
    /// The rule's id.
    pub(crate) id: String,
    /// `egress`, `ingress` or `any`.
    pub(crate) direction: String,
    /// So much of it.
    pub(crate) value: i64,
}

impl Guarantee {
    /// Of a rule's row.
    pub(crate) fn of(kind: Kind, row: &Document) -> Guarantee {
        Guarantee {
            id: text(row, "id").to_owned(),
            direction: text(row, "direction").to_owned(),
            value: row.get(kind.value()).and_then(Value::as_i64).unwrap_or_default(),
        }
    }
}

/// The port that asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    /// The port's id.
    pub(crate) port: &'a str,
    /// The kind of its network card.
    pub(crate) vnic_type: &'a str,
    /// Where the first segment of its network is; none of a tunnel.
    pub(crate) physical_network: Option<&'a str>,
}

/// The network of hosts that tunnels run over. In os-traits:
/// `CUSTOM_NETWORK_TUNNEL_PROVIDER`.
const TUNNEL: &str = "CUSTOM_NETWORK_TUNNEL_PROVIDER";

/// The request, from what is guaranteed of bandwidth and of packets; null where
/// nothing is.
pub(crate) fn request(asker: Asker<'_>, bandwidth: &[Guarantee], packets: &[Guarantee]) -> Value {
    let card = trait_of("VNIC_TYPE_", asker.vnic_type);
    let place = asker.physical_network.map_or_else(|| TUNNEL.to_owned(), |name| trait_of("PHYSNET_", name));
    let groups: Vec<Value> = [
        group(asker.port, Kind::MinimumBandwidth, bandwidth, &[&place, &card]),
        group(asker.port, Kind::MinimumPacketRate, packets, &[&card]),
    ]
    .into_iter()
    .flatten()
    .collect();
    if groups.is_empty() {
        return Value::Null;
    }
    let ids: Vec<&Value> = groups.iter().filter_map(|group| group.get("id")).collect();
    let ids = json!(ids);
    json!({"request_groups": groups, "same_subtree": ids})
}

fn group(port: &str, kind: Kind, guarantees: &[Guarantee], traits: &[&str]) -> Option<Value> {
    if guarantees.is_empty() {
        return None;
    }
    let resources: Map<String, Value> = guarantees
        .iter()
        .map(|one| (class(kind, &one.direction).to_owned(), Value::from(one.value)))
        .collect();
    let rules: Vec<&str> = guarantees.iter().map(|one| one.id.as_str()).collect();
    let id = group_id(port, &rules);
    Some(json!({"id": id, "required": traits, "resources": resources}))
}

/// The resource class of a guarantee. In os-resource-classes: `NET_BW_EGR_…`.
fn class(kind: Kind, direction: &str) -> &'static str {
    match (kind, direction) {
        (Kind::MinimumPacketRate, "ingress") => "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
        (Kind::MinimumPacketRate, "egress") => "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
        (Kind::MinimumPacketRate, _) => "NET_PACKET_RATE_KILOPACKET_PER_SEC",
        (_, "ingress") => "NET_BW_IGR_KILOBIT_PER_SEC",
        _ => "NET_BW_EGR_KILOBIT_PER_SEC",
    }
}

/// The name of a custom trait. In os-traits: `normalize_name`.
fn trait_of(prefix: &str, name: &str) -> String {
    let mut out = format!("CUSTOM_{prefix}");
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() {
            out.push(letter.to_ascii_uppercase());
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out
}

/// The id of a group of resources, the same whenever it is asked for: a UUID of
/// version 5, made of the rules' ids in the space of the port's.
/// In Neutron: `resource_request_group_uuid`.
fn group_id(port: &str, rules: &[&str]) -> String {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = port.bytes().filter_map(nibble).collect();
    let space: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    let hash = Sha1::new().chain_update(space).chain_update(rules.join(":")).finalize();
    let mut bytes: Vec<u8> = hash.iter().copied().take(16).collect();
    if let Some(version) = bytes.get_mut(6) {
        *version = *version & 0x0f | 0x50;
    }
    if let Some(variant) = bytes.get_mut(8) {
        *variant = *variant & 0x3f | 0x80;
    }
    let mut out = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&place) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: &str = "cc017a3a-f2a4-46a0-80d6-676aff14aa39";

    fn guarantee(id: &str, direction: &str, value: i64) -> Guarantee {
        Guarantee { id: id.to_owned(), direction: direction.to_owned(), value }
    }

    fn asker(physical_network: Option<&'static str>) -> Asker<'static> {
        Asker { port: PORT, vnic_type: "normal", physical_network }
    }

    #[test]
    fn a_port_asks_as_neutron_has_it_ask() {
        let bandwidth = [
            guarantee("ad8716d1-f8b7-45e0-bf31-96014a008b91", "egress", 500),
            guarantee("52fef5a2-6787-448b-8331-bfdeba6f2edc", "ingress", 600),
        ];
        let packets = [guarantee("19c80569-04e3-4551-a588-9f6e6a3bb0a1", "any", 5)];
        assert_eq!(
            request(asker(None), &bandwidth, &packets),
            json!({
                "request_groups": [
                    {
                        "id": "8dd6561d-64ad-5e3b-adb9-6214a996230e",
                        "required": ["CUSTOM_NETWORK_TUNNEL_PROVIDER", "CUSTOM_VNIC_TYPE_NORMAL"],
                        "resources": {"NET_BW_EGR_KILOBIT_PER_SEC": 500, "NET_BW_IGR_KILOBIT_PER_SEC": 600},
                    },
                    {
                        "id": "24c8f212-8aaf-5785-9402-7cb395e0e87c",
                        "required": ["CUSTOM_VNIC_TYPE_NORMAL"],
                        "resources": {"NET_PACKET_RATE_KILOPACKET_PER_SEC": 5},
                    },
                ],
                "same_subtree":
                    ["8dd6561d-64ad-5e3b-adb9-6214a996230e", "24c8f212-8aaf-5785-9402-7cb395e0e87c"],
            })
        );
        let one = request(asker(Some("phys-net.1")), &bandwidth[..1], &[]);
        assert_eq!(one["request_groups"][0]["id"], "efedf132-08d8-5ed4-8cfe-b4d08eaf8c72");
        assert_eq!(one["request_groups"][0]["required"][0], "CUSTOM_PHYSNET_PHYS_NET_1");
    }

    #[test]
    fn groups_have_the_ids_that_neutron_gives_them() {
        let port = "296b529d-ad51-4d20-834a-c07888f7d9f5";
        for (rule, group) in [
            ("d3179d8b-df88-4b4b-861f-bd67ebdd5b97", "4213cee5-5414-57ed-a6ee-85c5913abe35"),
            ("d7670af8-4ad7-4553-8cb1-92b85373f666", "61071117-9b11-595a-ac84-b1c98fe7cec0"),
        ] {
            assert_eq!(group_id(port, &[rule]), group);
        }
    }

    #[test]
    fn nothing_guaranteed_is_nothing_asked() {
        assert_eq!(request(asker(None), &[], &[]), Value::Null);
    }
}
