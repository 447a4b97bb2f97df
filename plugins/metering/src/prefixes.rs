//! Which traffic a rule is about: what may be said of it, and when two rules are
//! about the same. In Neutron: `validate_metering_label_rule`,
//! `verify_rule_overlap`.

use ipnet::IpNet;
use std::net::IpAddr;

/// The address at the other side, whichever side that is.
pub(crate) const REMOTE: &str = "remote_ip_prefix";
/// The address that traffic comes from.
pub(crate) const SOURCE: &str = "source_ip_prefix";
/// The address that traffic goes to.
pub(crate) const DESTINATION: &str = "destination_ip_prefix";

/// What is wrong with a rule: a sentence.
pub(crate) type Wrong = String;

/// What a rule says of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefixes {
    pub(crate) remote: Option<IpNet>,
    pub(crate) source: Option<IpNet>,
    pub(crate) destination: Option<IpNet>,
}

impl Prefixes {
    /// What a request says; an empty text is none.
    pub(crate) fn read<'a>(given: impl Fn(&str) -> Option<&'a str>) -> Result<Prefixes, Wrong> {
        let one = |name: &str| -> Result<Option<IpNet>, Wrong> {
            let Some(text) = given(name).filter(|text| !text.is_empty()) else { return Ok(None) };
            parse(text).map(Some).ok_or_else(|| {
                format!(
                    "{name}: {text} is invalid ['{text}' does not appear to be an IPv4 or IPv6 interface]."
                )
            })
        };
        let prefixes =
            Prefixes { remote: one(REMOTE)?, source: one(SOURCE)?, destination: one(DESTINATION)? };
        match (&prefixes.remote, prefixes.source.is_some() || prefixes.destination.is_some()) {
            (Some(_), true) => {
                Err("Cannot use 'remote-ip-prefix' in conjunction with 'source-ip-prefix' or \
                                    'destination-ip-prefix'."
                    .to_owned())
            }
            (None, false) => {
                Err("You must define at least one of the following parameters 'remote_ip_prefix', or \
                 'source_ip_prefix' or 'destination_ip_prefix'."
                    .to_owned())
            }
            _ => Ok(prefixes),
        }
    }

    /// The three, by the names of their attributes.
    pub(crate) fn named(&self) -> [(&'static str, Option<String>); 3] {
        let text = |prefix: &Option<IpNet>| prefix.as_ref().map(IpNet::to_string);
        [(REMOTE, text(&self.remote)), (SOURCE, text(&self.source)), (DESTINATION, text(&self.destination))]
    }

    /// Whether some remote address is in both. Sources and destinations may be in
    /// several rules.
    pub(crate) fn overlap(&self, other: &Prefixes) -> bool {
        match (&self.remote, &other.remote) {
            (Some(one), Some(other)) => overlap(one, other),
            _ => false,
        }
    }
}

/// An address with the length of its prefix, which is the whole of it where none
/// is given. Host bits are kept, as Neutron keeps them.
pub(crate) fn parse(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Of two prefixes that overlap one holds the other.
fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn read(said: &[(&str, &'static str)]) -> Result<Prefixes, Wrong> {
        Prefixes::read(|name| said.iter().find(|(said, _)| *said == name).map(|(_, text)| *text))
    }

    #[test]
    fn what_a_rule_says_is_kept_as_neutron_keeps_it() {
        let said = |text: &'static str| read(&[(REMOTE, text)]).unwrap().remote.unwrap().to_string();
        assert_eq!(said("10.0.0.5/24"), "10.0.0.5/24");
        assert_eq!(said("10.0.0.5"), "10.0.0.5/32");
        assert_eq!(said("2001:DB8:0::/64"), "2001:db8::/64");
        assert_eq!(said("2001:db8::1"), "2001:db8::1/128");
        let both = read(&[(SOURCE, "10.0.0.0/8"), (DESTINATION, "2001:db8::/64"), (REMOTE, "")]).unwrap();
        let named = both.named().map(|(_, text)| text);
        assert_eq!(named, [None, Some("10.0.0.0/8".to_owned()), Some("2001:db8::/64".to_owned())]);
    }

    #[test]
    fn a_rule_is_about_a_remote_side_or_about_sources_and_destinations() {
        let wrong = read(&[(SOURCE, "10.0.0.0/33")]).unwrap_err();
        assert_eq!(
            wrong,
            "source_ip_prefix: 10.0.0.0/33 is invalid ['10.0.0.0/33' does not appear to be an IPv4 or IPv6 \
             interface]."
        );
        for beside in [SOURCE, DESTINATION] {
            let wrong = read(&[(REMOTE, "10.0.0.0/8"), (beside, "10.0.0.0/8")]).unwrap_err();
            assert!(wrong.starts_with("Cannot use 'remote-ip-prefix' in conjunction with"), "{wrong}");
        }
        let nothing: [&[(&str, &str)]; 2] = [&[], &[(REMOTE, ""), (SOURCE, "")]];
        for said in nothing {
            assert!(read(said).unwrap_err().starts_with("You must define at least one of"));
        }
    }

    fn small() -> impl Strategy<Value = IpNet> {
        (any::<u8>(), 24_u8..=32)
            .prop_map(|(last, length)| IpNet::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), length).unwrap())
    }

    fn remote(net: IpNet) -> Prefixes {
        Prefixes { remote: Some(net), ..Prefixes::default() }
    }

    proptest! {
        /// Two rules overlap exactly when there is an address that is in both.
        #[test]
        fn overlap_means_that_an_address_is_in_both(one in small(), other in small()) {
            let mut all = (0..=u8::MAX).map(|last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
            let shared = all.any(|address| one.contains(&address) && other.contains(&address));
            prop_assert_eq!(remote(one).overlap(&remote(other)), shared);
            prop_assert_eq!(remote(other).overlap(&remote(one)), shared);
        }

        #[test]
        fn sources_and_destinations_never_overlap(one in small(), other in small()) {
            let source = Prefixes { source: Some(one), ..Prefixes::default() };
            let destination = Prefixes { destination: Some(other), ..Prefixes::default() };
            prop_assert!(!source.overlap(&destination) && !source.overlap(&source));
            prop_assert!(!source.overlap(&remote(other)));
        }

        #[test]
        fn families_do_not_overlap(one in small(), length in 0_u8..=128) {
            let other = IpNet::new("::ffff:0:0".parse().unwrap(), length).unwrap();
            prop_assert!(!remote(one).overlap(&remote(other)));
        }
    }
}
