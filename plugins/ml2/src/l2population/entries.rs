//! Which entries of forwarding tables come and go with what happens to a port.
//! In Neutron: `L2populationMechanismDriver`.

use crate::binding::Level;
use crate::document::{text, typed};
use crate::ports::FixedIp;
use hadron_sdk::serde_json::{Map, Value, json};
use hadron_sdk::{Document, Result};
use std::collections::BTreeMap;

/// Stands for whatever has no entry of its own: the host has ports of the
/// network. In Neutron: `FLOODING_ENTRY`.
fn flooding() -> Entry {
    ("00:00:00:00:00:00".to_owned(), "0.0.0.0".to_owned())
}

/// A MAC address and one of the IP addresses behind it.
type Entry = (String, String);

/// How far a port is. In Neutron: `PORT_STATUS_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    /// Frames for it go there.
    Yes,
    /// It is being plugged in, again perhaps: who knows of it keeps it.
    Still,
    No,
}

/// Where a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) network: String,
    /// The type of the segment that its host plugs it into, and its number.
    pub(super) segment: (String, Option<u32>),
    entries: Vec<Entry>,
    carried: Carried,
}

impl Place {
    /// The place of a port; none of one that is plugged in nowhere.
    pub(super) fn of(port: &Document) -> Result<Option<Place>> {
        let host = text(port, "binding:host_id");
        let levels: Vec<Level> = typed(port, "binding_levels")?;
        let Some(bottom) = levels.last().filter(|_| !host.is_empty()) else { return Ok(None) };
        let mac = text(port, "mac_address");
        let addresses: Vec<FixedIp> = typed(port, "fixed_ips")?;
        Ok(Some(Place {
            host: host.to_owned(),
            network: text(port, "network_id").to_owned(),
            segment: (bottom.segment.network_type.clone(), bottom.segment.segmentation_id),
            entries: addresses.iter().map(|ip| (mac.to_owned(), ip.ip_address.to_string())).collect(),
            carried: match text(port, "status") {
                "ACTIVE" => Carried::Yes,
                "DOWN" => Carried::No,
                _ => Carried::Still,
            },
        }))
    }

    /// Whether frames for it go there.
    pub(super) fn is_active(&self) -> bool {
        self.carried == Carried::Yes
    }

    fn is_same(&self, other: &Place) -> bool {
        (&self.host, &self.network, &self.segment) == (&other.host, &other.network, &other.segment)
    }
}

/// What hosts of a network are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News<'a> {
    /// A port is there.
    Came(&'a Place),
    /// It is there no more.
    Went(&'a Place),
    /// It has other addresses: from, to.
    Renamed(&'a Place, &'a Place),
}

/// What becomes known of a port that was there and is here now.
pub(super) fn news<'a>(was: Option<&'a Place>, is: Option<&'a Place>) -> Vec<News<'a>> {
    let known = was.filter(|was| was.carried != Carried::No);
    let stays = is.filter(|is| is.carried != Carried::No && known.is_some_and(|known| known.is_same(is)));
    let mut news = Vec::new();
    match (known, stays) {
        (Some(known), None) => news.push(News::Went(known)),
        (Some(known), Some(stays)) if known.entries != stays.entries => {
            news.push(News::Renamed(known, stays));
        }
        _ => {}
    }
    let came = is.filter(|is| is.is_active());
    let was_active = stays.is_some() && known.is_some_and(Place::is_active);
    news.extend(came.filter(|_| !was_active).map(News::Came));
    news
}

/// Entries of several networks, by where tunnels to their hosts end. In Neutron:
/// `fdb_entries`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table(BTreeMap<String, OfNetwork>);

#[derive(Debug, PartialEq, Eq)]
struct OfNetwork {
    segment: (String, Option<u32>),
    ports: BTreeMap<String, Vec<Entry>>,
}

impl Table {
    fn at(&mut self, place: &Place, ip: &str) -> &mut Vec<Entry> {
        let of_network = self
            .0
            .entry(place.network.clone())
            .or_insert_with(|| OfNetwork { segment: place.segment.clone(), ports: BTreeMap::new() });
        of_network.ports.entry(ip.to_owned()).or_default()
    }

    /// The host's end is one of the network's; said once.
    pub(super) fn flood(&mut self, place: &Place, ip: &str) {
        let entries = self.at(place, ip);
        if !entries.contains(&flooding()) {
            entries.insert(0, flooding());
        }
    }

    /// The port is behind that end.
    pub(super) fn add(&mut self, place: &Place, ip: &str) {
        let entries = self.at(place, ip);
        entries.extend(place.entries.iter().cloned());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(|network| network.ports.values().all(Vec::is_empty))
    }

    /// As agents read it.
    pub(super) fn written(&self) -> Value {
        let networks = self.0.iter().map(|(network, of)| {
            let (network_type, number) = &of.segment;
            let told = json!({"segment_id": number, "network_type": network_type, "ports": of.ports});
            (network.clone(), told)
        });
        Value::Object(networks.collect::<Map<_, _>>())
    }
}

/// That a port has other addresses, behind that end, as agents read it. In
/// Neutron: `chg_ip`.
pub(super) fn renamed(was: &Place, is: &Place, ip: &str) -> Value {
    let only = |of: &Place, not_of: &Place| -> Vec<Entry> {
        of.entries.iter().filter(|entry| !not_of.entries.contains(entry)).cloned().collect()
    };
    let mut sides = Map::new();
    for (name, entries) in [("before", only(was, is)), ("after", only(is, was))] {
        if !entries.is_empty() {
            sides.insert(name.to_owned(), json!(entries));
        }
    }
    json!({"chg_ip": {is.network.as_str(): {ip: sides}}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn place(host: &str, status: &str, ips: &[&str]) -> Option<Place> {
        let segment =
            json!({"id": "s", "network_type": "vxlan", "physical_network": null, "segmentation_id": 5});
        let fixed_ips: Vec<Value> =
            ips.iter().map(|ip| json!({"subnet_id": "S", "ip_address": ip})).collect();
        let port = json!({"binding:host_id": host, "network_id": "N", "mac_address": "m", "status": status,
            "fixed_ips": fixed_ips, "binding_levels": [{"driver": "d", "segment": segment}]});
        Place::of(port.as_object().unwrap()).unwrap()
    }

    fn told(was: &Option<Place>, is: &Option<Place>) -> Vec<&'static str> {
        let news = news(was.as_ref(), is.as_ref());
        news.iter()
            .map(|one| match one {
                News::Came(_) => "came",
                News::Went(_) => "went",
                News::Renamed(..) => "renamed",
            })
            .collect()
    }

    #[test]
    fn a_port_comes_when_it_is_active_and_goes_when_it_is_down_moved_or_gone() {
        let at = |host, status| place(host, status, &["10.0.0.5"]);
        assert_eq!(told(&at("h", "DOWN"), &at("h", "ACTIVE")), ["came"]);
        assert_eq!(told(&None, &at("h", "ACTIVE")), ["came"]);
        assert_eq!(told(&at("h", "ACTIVE"), &at("h", "DOWN")), ["went"]);
        assert_eq!(told(&at("h", "ACTIVE"), &at("k", "DOWN")), ["went"]);
        assert_eq!(told(&at("h", "ACTIVE"), &at("k", "ACTIVE")), ["went", "came"]);
        assert_eq!(told(&at("h", "ACTIVE"), &None), ["went"]);
        assert_eq!(told(&at("h", "ACTIVE"), &at("h", "ACTIVE")), [] as [&str; 0]);
        // Its agent plugs it in again: nobody forgets it meanwhile.
        assert_eq!(told(&at("h", "ACTIVE"), &at("h", "BUILD")), [] as [&str; 0]);
        assert_eq!(told(&at("h", "BUILD"), &at("h", "ACTIVE")), ["came"]);
        assert_eq!(told(&at("h", "DOWN"), &at("k", "DOWN")), [] as [&str; 0]);
        assert_eq!(place("", "ACTIVE", &[]), None);
    }

    #[test]
    fn other_addresses_are_told_of_ports_that_are_known() {
        let (was, is) =
            (place("h", "ACTIVE", &["10.0.0.5"]), place("h", "ACTIVE", &["10.0.0.5", "10.0.0.6"]));
        assert_eq!(told(&was, &is), ["renamed"]);
        let (was, is) = (was.unwrap(), is.unwrap());
        assert_eq!(
            renamed(&was, &is, "192.0.2.1"),
            json!({"chg_ip": {"N": {"192.0.2.1": {"after": [["m", "10.0.0.6"]]}}}})
        );
        assert_eq!(
            renamed(&is, &was, "192.0.2.1"),
            json!({"chg_ip": {"N": {"192.0.2.1": {"before": [["m", "10.0.0.6"]]}}}})
        );
        let down = [place("h", "DOWN", &["10.0.0.5"]), place("h", "DOWN", &["10.0.0.7"])];
        assert_eq!(told(&down[0], &down[1]), [] as [&str; 0]);
    }

    #[test]
    fn a_table_is_written_as_agents_read_it() {
        let place = place("h", "ACTIVE", &["10.0.0.5"]).unwrap();
        let mut table = Table::default();
        assert!(table.is_empty());
        table.add(&place, "192.0.2.1");
        table.flood(&place, "192.0.2.1");
        table.flood(&place, "192.0.2.1");
        assert!(!table.is_empty());
        assert_eq!(
            table.written(),
            json!({"N": {"segment_id": 5, "network_type": "vxlan",
                "ports": {"192.0.2.1": [["00:00:00:00:00:00", "0.0.0.0"], ["m", "10.0.0.5"]]}}})
        );
    }

    proptest! {
        /// Whatever happens to a port, in whatever order: hosts that do as they are
        /// told know an active port where it is and with its addresses, and a port
        /// that is down nowhere.
        #[test]
        fn who_follows_the_news_knows_where_ports_are(
            steps in prop::collection::vec((0..2_u8, 0..3_u8, 1..4_u8), 1..12),
        ) {
            let mut known: BTreeSet<(String, String)> = BTreeSet::new();
            let mut was: Option<Place> = None;
            for (host, status, addresses) in steps {
                let ips: Vec<String> = (0..addresses).map(|n| format!("10.0.0.{n}")).collect();
                let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
                let host = if host == 0 { "h" } else { "k" };
                let is = place(host, ["ACTIVE", "BUILD", "DOWN"][usize::from(status)], &ips);
                let entries = |place: &Place| -> Vec<_> {
                    place.entries.iter().map(|(_, ip)| (place.host.clone(), ip.clone())).collect()
                };
                for one in news(was.as_ref(), is.as_ref()) {
                    match one {
                        News::Came(place) => known.extend(entries(place)),
                        News::Went(place) => known.retain(|entry| !entries(place).contains(entry)),
                        News::Renamed(from, to) => {
                            known.retain(|entry| !entries(from).contains(entry));
                            known.extend(entries(to));
                        }
                    }
                }
                let here = is.as_ref().unwrap();
                match here.carried {
                    Carried::Yes => prop_assert_eq!(&known, &entries(here).into_iter().collect()),
                    Carried::No => prop_assert!(known.is_empty()),
                    Carried::Still => prop_assert!(known.iter().all(|(at, _)| *at == here.host)),
                }
                was = is;
            }
        }
    }
}
