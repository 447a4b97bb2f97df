//! What is in an address group: networks, each written in one way, in order.

use super::errors;
use crate::net::Cidr;
use hadron_sdk::{Error, Result};
use std::collections::BTreeSet;

/// The addresses of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses(BTreeSet<String>);

impl Addresses {
    /// Those of a request, host bits cut, none twice. In Neutron:
    /// `_process_requested_addresses`.
    pub(crate) fn given(texts: &[String]) -> Result<Addresses> {
        let networks = texts.iter().map(|text| {
            let network = Cidr::parse(text).map(|network| network.to_string());
            network.ok_or_else(|| Error::invalid("AddrFormatError", format!("invalid IPNetwork {text}")))
        });
        Ok(Addresses(networks.collect::<Result<_>>()?))
    }

    /// Those of a row.
    pub(crate) fn kept(texts: Vec<String>) -> Addresses {
        Addresses(texts.into_iter().collect())
    }

    /// With others, none of which it has. `id` is the group's.
    pub(crate) fn with(&self, others: &Addresses, id: &str) -> Result<Addresses> {
        match listed(others.0.intersection(&self.0)) {
            None => Ok(Addresses(self.0.union(&others.0).cloned().collect())),
            Some(known) => Err(errors::already_there(&known, id)),
        }
    }

    /// Without others, all of which it has. `id` is the group's.
    pub(crate) fn without(&self, others: &Addresses, id: &str) -> Result<Addresses> {
        match listed(others.0.difference(&self.0)) {
            None => Ok(Addresses(self.0.difference(&others.0).cloned().collect())),
            Some(unknown) => Err(errors::not_there(&unknown, id)),
        }
    }

    /// In order.
    pub(crate) fn list(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

/// As Neutron's messages list them; none where there is none.
fn listed<'a>(addresses: impl Iterator<Item = &'a String>) -> Option<String> {
    let all: Vec<String> = addresses.map(|address| format!("'{address}'")).collect();
    if all.is_empty() { None } else { Some(format!("[{}]", all.join(", "))) }
}

/// Refuses what is no network with its length: in Neutron, `validate_subnet`.
pub(crate) fn check_given(texts: &[String]) -> Result<()> {
    let is_network = |text: &String| {
        let octets =
            text.split('/').next().is_some_and(|address| address.parse::<std::net::IpAddr>().is_ok());
        text.contains('/') && octets && Cidr::parse(text).is_some()
    };
    match texts.iter().find(|text| !is_network(text)) {
        None => Ok(()),
        Some(text) => {
            Err(crate::errors::bad_attribute("addresses", format!("'{text}' is not a valid IP subnet")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses(texts: &[&str]) -> Addresses {
        Addresses::given(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn host_bits_are_cut_and_nothing_is_twice() {
        let all = addresses(&["10.0.0.5/24", "10.0.0.0/24", "10.3.0.1", "2001:DB8::1/64"]);
        assert_eq!(all.list(), ["10.0.0.0/24", "10.3.0.1/32", "2001:db8::/64"]);
        let error = Addresses::given(&["x".to_owned()]).unwrap_err();
        assert_eq!(error.fault().message, "invalid IPNetwork x");
    }

    #[test]
    fn what_is_there_is_not_added_and_what_is_not_there_not_removed() {
        let group = addresses(&["10.0.0.0/24"]);
        let error = group.with(&addresses(&["10.0.0.7/24", "10.1.0.0/24"]), "g").unwrap_err();
        assert_eq!(error.fault().message, "Addresses ['10.0.0.0/24'] already exist in the address group g.");
        let error = group.without(&addresses(&["10.9.0.0/24"]), "g").unwrap_err();
        assert_eq!(error.fault().message, "Addresses ['10.9.0.0/24'] not found in the address group g.");
    }

    #[test]
    fn a_request_names_networks_with_their_length() {
        let check = |text: &str| check_given(&[text.to_owned()]).is_ok();
        assert!(check("10.0.0.5/24") && check("2001:DB8::1/64"));
        for wrong in ["10.0.0.5", "x", "10.0.0/24", "10.0.0.0/33", "/24", ""] {
            assert!(!check(wrong), "{wrong}");
        }
    }

    fn some() -> impl Strategy<Value = Addresses> {
        prop::collection::vec((0..8_u8, 20..=24_u8), 0..6).prop_map(|all| {
            Addresses::given(&all.iter().map(|(n, p)| format!("10.0.{n}.9/{p}")).collect::<Vec<_>>()).unwrap()
        })
    }

    proptest! {
        #[test]
        fn what_was_added_can_be_removed_again(group in some(), others in some()) {
            if let Ok(more) = group.with(&others, "g") {
                prop_assert_eq!(more.list().len(), group.list().len() + others.list().len());
                prop_assert_eq!(more.without(&others, "g").unwrap(), group);
            } else {
                prop_assert!(group.list().iter().any(|address| others.list().contains(address)));
            }
        }

        #[test]
        fn what_was_removed_can_be_added_again(group in some(), others in some()) {
            match group.without(&others, "g") {
                Ok(less) => prop_assert_eq!(less.with(&others, "g").unwrap(), group),
                Err(_) => prop_assert!(others.list().iter().any(|address| !group.list().contains(address))),
            }
        }

        #[test]
        fn normalizing_twice_is_normalizing_once(group in some()) {
            let texts: Vec<String> = group.list().into_iter().map(str::to_owned).collect();
            prop_assert_eq!(Addresses::given(&texts).unwrap(), group.clone());
            prop_assert_eq!(Addresses::kept(texts), group);
        }
    }
}
