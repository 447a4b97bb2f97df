//! Numbers and addresses that protocols fix.

/// Types of ICMPv6 that hosts need of each other: multicast listeners (130 to 132,
/// 143), routers and neighbours (RFC 4890, 4.4.1).
pub(crate) const ICMP6_SENT: [u8; 6] = [130, 131, 132, 133, 135, 143];
/// The same of what hosts are sent.
pub(crate) const ICMP6_RECEIVED: [u8; 5] = [130, 131, 132, 134, 135];

/// Its own address on every link (RFC 4291, 2.5.6), made of its MAC address.
pub(crate) fn link_local(mac: &str) -> Option<String> {
    let octets: Option<Vec<u8>> = mac.split(':').map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    let [a, b, c, d, e, f] = octets?.try_into().ok()?;
    let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    let parts = [0xfe80, 0, 0, 0, word(a ^ 2, b), word(c, 0xff), word(0xfe, d), word(e, f)];
    Some(std::net::Ipv6Addr::from(parts).to_string())
}

/// A protocol's number, by IANA's names as Neutron has them.
pub(crate) fn number(protocol: &str, is_v6: bool) -> Option<u8> {
    if let Ok(number) = protocol.parse() {
        return Some(number);
    }
    let known = [
        ("ah", 51),
        ("dccp", 33),
        ("egp", 8),
        ("esp", 50),
        ("gre", 47),
        ("icmpv6", 58),
        ("ipv6-icmp", 58),
        ("igmp", 2),
        ("ipip", 4),
        ("ipv6-encap", 41),
        ("ipv6-frag", 44),
        ("ipv6-nonxt", 59),
        ("ipv6-opts", 60),
        ("ipv6-route", 43),
        ("ospf", 89),
        ("pgm", 113),
        ("rsvp", 46),
        ("sctp", 132),
        ("tcp", 6),
        ("udp", 17),
        ("udplite", 136),
        ("vrrp", 112),
    ];
    match protocol {
        "icmp" => Some(if is_v6 { 58 } else { 1 }),
        name => known.iter().find(|(known, _)| *known == name).map(|(_, number)| *number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_address_makes_an_address_of_the_link() {
        assert_eq!(link_local("fa:16:3e:00:00:01").as_deref(), Some("fe80::f816:3eff:fe00:1"));
        assert_eq!(link_local("odd"), None);
    }
}
