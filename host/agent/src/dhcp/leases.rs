//! dnsmasq's lease file, written before it starts: leases of ports that are gone
//! are left out, and ports whose lease is not known here (another server gave it)
//! are put in, so that their machines can renew it.
//!
//! A line is `EXPIRY MAC ADDRESS NAME CLIENT`, of IPv6 `EXPIRY IAID ADDRESS NAME
//! DUID`; `duid DUID` is the server's own. In Neutron: `_output_init_lease_file`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Who has which address by its MAC address, as in the hosts file.
pub(super) type Owners = BTreeMap<IpAddr, String>;

/// A lease, as its line says it.
struct Lease<'a> {
    address: IpAddr,
    /// The MAC address; of IPv6 the number of the association.
    of: &'a str,
}

fn lease(line: &str) -> Option<Lease<'_>> {
    let mut fields = line.split(' ');
    let (_, of, address) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Lease { address: address.parse().ok()?, of })
}

/// Whether a lease still holds: its address has the same owner.
fn holds(lease: &Lease<'_>, before: &Owners, now: &Owners) -> bool {
    let Some(owner) = now.get(&lease.address) else { return false };
    match lease.address {
        IpAddr::V4(_) => lease.of.eq_ignore_ascii_case(owner),
        // A lease of IPv6 does not say whose it is.
        IpAddr::V6(_) => before.get(&lease.address).is_none_or(|earlier| earlier == owner),
    }
}

/// Whether a lease must go that is in the file: `before` is who had the addresses
/// when it was written, `now` who has them.
pub(super) fn has_stale(file: &str, before: &Owners, now: &Owners) -> bool {
    file.lines().filter_map(lease).any(|lease| !holds(&lease, before, now))
}

/// The file to start with.
pub(super) fn renewed(file: &str, before: &Owners, now: &Owners) -> String {
    let mut lines = String::new();
    let mut known = BTreeSet::new();
    let mut keep = |line: &str| {
        lines.push_str(line);
        lines.push('\n');
    };
    let all: Vec<(&str, Option<Lease<'_>>)> = file.lines().map(|line| (line, lease(line))).collect();
    let of = |is_v6: bool| {
        let leases = all.iter().filter_map(|(line, lease)| Some((line, lease.as_ref()?)));
        leases.filter(move |(_, lease)| lease.address.is_ipv6() == is_v6)
    };
    for (line, lease) in of(false).filter(|(_, lease)| holds(lease, before, now)) {
        if known.insert(lease.address) {
            keep(line);
        }
    }
    for (address, mac) in now.iter().filter(|(address, _)| address.is_ipv4()) {
        if !known.contains(address) {
            // Without an end: the machine's next request gives it one.
            keep(&format!("0 {mac} {address} * *"));
        }
    }
    all.iter().map(|(line, _)| line).filter(|line| line.starts_with("duid ")).for_each(|line| keep(line));
    for (line, lease) in of(true).filter(|(_, lease)| holds(lease, before, now)) {
        if known.insert(lease.address) {
            keep(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owners(all: &[(&str, &str)]) -> Owners {
        all.iter().map(|(address, mac)| (address.parse().unwrap(), (*mac).to_owned())).collect()
    }

    const FILE: &str = "1700000000 fa:16:3e:00:00:01 10.0.0.5 web 01:fa\n\
        1700000000 fa:16:3e:00:00:02 10.0.0.6 * *\n\
        duid 00:01\n\
        1700000000 7 2001:db8::5 web 00:04\n";

    #[test]
    fn leases_that_hold_stay_and_others_go() {
        let before = owners(&[
            ("10.0.0.5", "fa:16:3e:00:00:01"),
            ("10.0.0.6", "fa:16:3e:00:00:02"),
            ("2001:db8::5", "fa:16:3e:00:00:01"),
        ]);
        assert!(!has_stale(FILE, &before, &before));
        assert_eq!(renewed(FILE, &before, &before), FILE);
        let moved = owners(&[
            ("10.0.0.5", "fa:16:3e:00:00:01"),
            ("10.0.0.6", "fa:16:3e:00:00:09"),
            ("10.0.0.7", "fa:16:3e:00:00:03"),
            ("2001:db8::5", "fa:16:3e:00:00:09"),
        ]);
        assert!(has_stale(FILE, &before, &moved));
        assert_eq!(
            renewed(FILE, &before, &moved),
            "1700000000 fa:16:3e:00:00:01 10.0.0.5 web 01:fa\n0 fa:16:3e:00:00:09 10.0.0.6 * *\n\
             0 fa:16:3e:00:00:03 10.0.0.7 * *\nduid 00:01\n"
        );
    }

    proptest! {
        #[test]
        fn what_was_renewed_has_nothing_stale_and_stays(
            leased in prop::collection::btree_map(2_u8..20, 0_u8..4, 0..10),
            wanted in prop::collection::btree_map(2_u8..20, 0_u8..4, 0..10),
            noise in ".*",
        ) {
            let mac = |n: &u8| format!("fa:16:3e:00:00:{n:02x}");
            let six = |n: &u8| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(*n)]);
            let of = |map: &BTreeMap<u8, u8>| -> Owners {
                map.iter().flat_map(|(n, m)| [(IpAddr::from([10, 0, 0, *n]), mac(m)), (six(n), mac(m))]).collect()
            };
            let (before, now) = (of(&leased), of(&wanted));
            let lines = leased.iter().map(|(n, m)| format!("1 {} 10.0.0.{n} * *\n1 {m} {} * 00\n", mac(m), six(n)));
            let file: String = lines.chain([noise, "\nduid 00:01\n".to_owned()]).collect();
            let fresh = renewed(&file, &before, &now);
            prop_assert!(!has_stale(&fresh, &now, &now), "{}", fresh);
            prop_assert_eq!(renewed(&fresh, &now, &now), fresh.clone());
            // Each machine of IPv4 has a lease, and nobody else has.
            let held: Owners = fresh.lines().filter_map(lease).filter(|l| l.address.is_ipv4()).map(|l| (l.address, l.of.to_owned())).collect();
            prop_assert_eq!(held, now.into_iter().filter(|(address, _)| address.is_ipv4()).collect::<Owners>());
        }
    }
}
