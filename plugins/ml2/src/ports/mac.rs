//! MAC addresses of ports: unique on their network.

use crate::document::text;
use crate::errors;
use crate::net::Mac;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Error, Result, config, random};
use std::collections::HashSet;

/// Tries to find a free one. With a million ports on a network a try fails with
/// 6% probability.
const TRIES: u32 = 16;

/// A MAC address that is needed: of a network, and the one asked for.
pub(crate) struct Request<'a> {
    pub(crate) network_id: &'a str,
    pub(crate) given: Option<Mac>,
}

/// MAC addresses for these ports, in order, with one query unless a chosen one
/// is taken. In Neutron: `_generate_macs`, `_is_mac_in_use`.
pub(crate) fn choose(requests: &[Request<'_>]) -> Result<Vec<Mac>> {
    let base: String = config::or("base_mac", "fa:16:3e:00:00:00".to_owned())?;
    let base = Mac::parse(&base).ok_or_else(|| {
        Error::internal(format!("the configuration key 'base_mac' is no MAC address: {base}"))
    })?;
    let mut chosen: Vec<Option<Mac>> = requests.iter().map(|_| None).collect();
    let mut used: HashSet<(&str, Mac)> = HashSet::new();
    for _ in 0..TRIES {
        let tried: Vec<(usize, &Request<'_>, Mac)> = requests
            .iter()
            .enumerate()
            .filter(|(place, _)| chosen.get(*place).is_some_and(Option::is_none))
            .map(|(place, request)| {
                (place, request, request.given.unwrap_or_else(|| Mac::random(base, random::next())))
            })
            .collect();
        if tried.is_empty() {
            break;
        }
        let taken = taken(&tried)?;
        for (place, request, mac) in tried {
            let key = (request.network_id, mac);
            let free = !taken.contains(&(request.network_id.to_owned(), mac.to_string())) && used.insert(key);
            match (free, request.given, chosen.get_mut(place)) {
                (true, _, Some(slot)) => *slot = Some(mac),
                (false, Some(mac), _) => return Err(errors::mac_in_use(request.network_id, mac)),
                _ => {}
            }
        }
    }
    chosen
        .into_iter()
        .collect::<Option<Vec<Mac>>>()
        .ok_or_else(|| Error::unavailable("MacAddressGenerationFailure", "Unable to generate unique mac."))
}

fn taken(tried: &[(usize, &Request<'_>, Mac)]) -> Result<HashSet<(String, String)>> {
    let networks: HashSet<&str> = tried.iter().map(|(_, request, _)| request.network_id).collect();
    let query = Query::all()
        .any_of("network_id", networks)
        .any_of("mac_address", tried.iter().map(|(_, _, mac)| mac.to_string()));
    let rows: Vec<Document> = store::find("ports", &query)?;
    Ok(rows
        .iter()
        .map(|row| (text(row, "network_id").to_owned(), text(row, "mac_address").to_owned()))
        .collect())
}
