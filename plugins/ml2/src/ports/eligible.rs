//! From which subnets of its network a port can have addresses: where subnets
//! are on segments, from those that its host is connected to; without a host
//! the port waits for one. In Neutron: `Subnet.find_candidate_subnets`.

use super::plan::Wanted;
use crate::segments::{self, Reach};
use crate::subnets::Subnet;
use hadron_sdk::Result;
use std::borrow::Cow;

/// Subnets for a port.
#[derive(Debug)]
pub(crate) enum Eligible<'a> {
    /// These; none where the network has none.
    Of(Cow<'a, [Subnet]>),
    /// It is not known yet which.
    Later,
}

/// Whether a network is routed.
pub(crate) fn is_routed(subnets: &[Subnet]) -> bool {
    subnets.iter().any(|subnet| subnet.segment_id.is_some())
}

/// Which of a network's subnets a port on this host (empty: on none yet) can
/// have addresses of, if it asks for these or for any.
pub(crate) fn choose<'a>(
    network_id: &str,
    subnets: &'a [Subnet],
    host: &str,
    wanted: Option<&[Wanted]>,
    reach: &Reach,
) -> Result<Eligible<'a>> {
    if !is_routed(subnets) {
        return Ok(Eligible::Of(Cow::Borrowed(subnets)));
    }
    if !host.is_empty() {
        let connected = |subnet: &&Subnet| match &subnet.segment_id {
            Some(segment) => reach.holds(host, segment),
            None => true,
        };
        let connected: Vec<Subnet> = subnets.iter().filter(connected).cloned().collect();
        return match connected.is_empty() {
            true => Err(segments::host_not_connected(host, network_id)),
            false => Ok(Eligible::Of(Cow::Owned(connected))),
        };
    }
    match wanted {
        None => Ok(Eligible::Later),
        Some(wanted) => Ok(Eligible::Of(on_one_segment(subnets, wanted)?)),
    }
}

/// The subnets of the one segment that all wishes are on; all subnets where a
/// wish is for none of them, which is complained about later.
/// In Neutron: `_query_filter_by_fixed_ips_segment`.
fn on_one_segment<'a>(subnets: &'a [Subnet], wanted: &[Wanted]) -> Result<Cow<'a, [Subnet]>> {
    let mut segment: Option<&Option<String>> = None;
    for want in wanted {
        let found = subnets.iter().find(|subnet| match (&want.subnet_id, want.ip_address) {
            (Some(id), _) => subnet.id == *id,
            (None, Some(address)) => subnet.cidr.contains(address),
            (None, None) => false,
        });
        let Some(found) = found else { return Ok(Cow::Borrowed(subnets)) };
        match segment {
            Some(segment) if *segment != found.segment_id => return Err(segments::different_segments()),
            _ => segment = Some(&found.segment_id),
        }
    }
    let Some(segment) = segment else { return Ok(Cow::Owned(Vec::new())) };
    Ok(Cow::Owned(subnets.iter().filter(|subnet| subnet.segment_id == *segment).cloned().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::{from_value, json};

    fn subnet(id: &str, cidr: &str, segment: Option<&str>) -> Subnet {
        from_value(json!({"id": id, "network_id": "N", "cidr": cidr, "segment_id": segment})).unwrap()
    }

    fn routed() -> Vec<Subnet> {
        vec![
            subnet("a", "10.1.0.0/24", Some("one")),
            subnet("b", "10.2.0.0/24", Some("two")),
            subnet("c", "10.3.0.0/24", Some("two")),
        ]
    }

    fn by_subnet(id: &str) -> Wanted {
        Wanted { subnet_id: Some(id.into()), ip_address: None }
    }

    fn chosen(subnets: &[Subnet], host: &str, wanted: Option<&[Wanted]>) -> String {
        let reach = Reach::to("h", &["two"]);
        match choose("N", subnets, host, wanted, &reach) {
            Ok(Eligible::Of(subnets)) => {
                subnets.iter().map(|subnet| subnet.id.as_str()).collect::<Vec<_>>().join(" ")
            }
            Ok(Eligible::Later) => "later".into(),
            Err(error) => error.fault().kind.clone(),
        }
    }

    #[test]
    fn a_network_that_is_not_routed_serves_every_host() {
        let plain = [subnet("a", "10.1.0.0/24", None)];
        assert_eq!(chosen(&plain, "", None), "a");
        assert_eq!(chosen(&plain, "elsewhere", None), "a");
        assert_eq!(chosen(&[], "elsewhere", None), "");
    }

    #[test]
    fn a_host_gets_addresses_of_the_segments_that_it_is_connected_to() {
        assert_eq!(chosen(&routed(), "h", None), "b c");
        assert_eq!(chosen(&routed(), "h", Some(&[by_subnet("a")])), "b c");
        assert_eq!(chosen(&routed(), "elsewhere", None), "HostNotConnectedToAnySegment");
    }

    #[test]
    fn without_a_host_a_port_waits_or_says_where_it_is() {
        assert_eq!(chosen(&routed(), "", None), "later");
        assert_eq!(chosen(&routed(), "", Some(&[])), "");
        assert_eq!(chosen(&routed(), "", Some(&[by_subnet("b")])), "b c");
        let address = Wanted { subnet_id: None, ip_address: Some("10.1.0.9".parse().unwrap()) };
        assert_eq!(chosen(&routed(), "", Some(std::slice::from_ref(&address))), "a");
        let both = [address, by_subnet("c")];
        assert_eq!(chosen(&routed(), "", Some(&both)), "FixedIpsSubnetsNotOnSameSegment");
        assert_eq!(chosen(&routed(), "", Some(&[by_subnet("foreign")])), "a b c");
    }
}
