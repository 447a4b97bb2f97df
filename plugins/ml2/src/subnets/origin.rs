//! Where a subnet's network comes from: the request, or a subnet pool.
//! In Neutron: `_get_subnetpool_id`, `_validate_network_subnetpools`.

use super::rules::Asked;
use crate::errors;
use crate::net::{Cidr, Version};
use crate::subnetpools::{self, Held};
use hadron_sdk::{Context, Error, Result, config};
use std::collections::{BTreeMap, BTreeSet};

/// The pool of subnets whose prefixes are delegated to a router later on.
/// In Neutron: `IPV6_PD_POOL_ID`.
pub(super) const DELEGATED: &str = "prefix_delegation";

/// The network of such a subnet until then.
/// In Neutron: `PROVISIONAL_IPV6_PD_PREFIX`.
const PROVISIONAL: (u128, u8) = (0, 64);

/// Which pool a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// None.
    None,
    /// This one.
    Given(String),
    /// The default one of its family.
    Default,
}

/// Whether a network stands for one that is delegated later.
pub(super) fn is_provisional(cidr: &Cidr) -> bool {
    cidr.version() == Version::V6 && (cidr.first(), cidr.prefix()) == PROVISIONAL
}

/// What a subnet got.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) cidr: Cidr,
    /// The id of its pool.
    pub(super) pool: Option<String>,
    /// The address scope of that.
    pub(super) scope: Option<String>,
}

impl Origin {
    /// Whether it is a part of a pool.
    pub(super) fn is_taken(&self) -> bool {
        self.pool.is_some() && !is_provisional(&self.cidr)
    }
}

/// The pools that a request's subnets are taken from: none, and no question
/// asked, where it names none.
#[derive(Default)]
pub(super) struct Pools {
    held: BTreeMap<String, Held>,
    defaults: BTreeMap<u8, String>,
}

impl Pools {
    /// Holds the pools that these requests name, in one order.
    pub(super) fn of(ctx: &Context, requests: &[Asked]) -> Result<Pools> {
        let mut pools = Pools::default();
        let defaults = requests.iter().filter(|asked| asked.pool == Pool::Default);
        for version in defaults.map(|asked| asked.version.number()).collect::<BTreeSet<u8>>() {
            pools.defaults.insert(version, default(ctx, version)?);
        }
        let ids: BTreeSet<String> = requests.iter().filter_map(|asked| pools.id(asked)).collect();
        for id in ids.into_iter().filter(|id| id != DELEGATED) {
            let held = Held::of(ctx, &id)?;
            pools.held.insert(id, held);
        }
        Ok(pools)
    }

    fn id(&self, asked: &Asked) -> Option<String> {
        match &asked.pool {
            Pool::None => None,
            Pool::Given(id) => Some(id.clone()),
            Pool::Default => self.defaults.get(&asked.version.number()).cloned(),
        }
    }

    /// The network of a project's new subnet.
    pub(super) fn take(&mut self, asked: &Asked, project: &str) -> Result<Origin> {
        let id = self.id(asked);
        let held = id.as_ref().and_then(|id| self.held.get_mut(id));
        let (Some(held), given) = (held, asked.cidr) else {
            let provisional = Cidr::of(Version::V6, PROVISIONAL.0, PROVISIONAL.1);
            let cidr = asked.cidr.unwrap_or(provisional);
            // A network that is given is not delegated.
            return Ok(Origin { cidr, pool: id.filter(|_| asked.cidr.is_none()), scope: None });
        };
        if held.pool.version() != asked.version {
            return Err(errors::bad_subnets(format!(
                "Cannot allocate IPv{} subnet from IPv{} subnet pool",
                asked.version.number(),
                held.pool.ip_version
            )));
        }
        let prefix = asked.prefix.unwrap_or_else(|| held.pool.default_prefix());
        // A gateway says which network of that size it is.
        let given = given.or_else(|| asked.gateway.map(|gateway| Cidr::around(gateway, prefix)));
        let cidr = held.take(project, given, prefix)?;
        Ok(Origin { cidr, pool: id, scope: held.pool.address_scope_id.clone() })
    }
}

fn default(ctx: &Context, version: u8) -> Result<String> {
    if version == Version::V6.number() && config::or("ipv6_pd_enabled", false)? {
        return Ok(DELEGATED.to_owned());
    }
    subnetpools::default_of(ctx, version)?
        .ok_or_else(|| errors::bad_subnets(format!("No default subnetpool found for IPv{version}")))
}

/// All subnets of a network, of a family, are of the same pool, or of pools of
/// the same address scope, or of none. `others` are the pools of those that are
/// there, `network_scope` the scope that the network is in.
pub(super) fn check_affinity(
    new: &Origin,
    network_scope: Option<&str>,
    others: &[Option<String>],
) -> Result<()> {
    if let Some(scope) = network_scope
        && new.pool.is_some()
    {
        return match new.scope.as_deref() == Some(scope) {
            true => Ok(()),
            false => Err(subnetpools::scope_affinity()),
        };
    }
    match others.iter().all(|other| *other == new.pool) {
        true => Ok(()),
        false => Err(Error::invalid(
            "NetworkSubnetPoolAffinityError",
            "Subnets hosted on the same network must be allocated from the same subnet pool.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pool: Option<&str>, scope: Option<&str>) -> Origin {
        let cidr = Cidr::parse("10.0.0.0/24").unwrap();
        Origin { cidr, pool: pool.map(str::to_owned), scope: scope.map(str::to_owned) }
    }

    fn kind(new: Origin, network_scope: Option<&str>, others: &[Option<&str>]) -> String {
        let others: Vec<Option<String>> = others.iter().map(|other| other.map(str::to_owned)).collect();
        check_affinity(&new, network_scope, &others).map_or_else(|e| e.fault().kind.clone(), |()| "-".into())
    }

    #[test]
    fn subnets_of_a_network_are_of_one_pool_or_of_one_scope() {
        let pool_affinity = "NetworkSubnetPoolAffinityError";
        assert_eq!(kind(from(None, None), None, &[None, None]), "-");
        assert_eq!(kind(from(Some("p"), None), None, &[]), "-");
        assert_eq!(kind(from(Some("p"), None), None, &[Some("p")]), "-");
        assert_eq!(kind(from(Some("p"), None), None, &[None]), pool_affinity);
        assert_eq!(kind(from(Some("p"), None), None, &[Some("q")]), pool_affinity);
        assert_eq!(kind(from(None, None), None, &[Some("q")]), pool_affinity);
        assert_eq!(kind(from(None, None), Some("s"), &[Some("q")]), pool_affinity);
        assert_eq!(kind(from(Some("p"), Some("s")), Some("s"), &[Some("q")]), "-");
        assert_eq!(
            kind(from(Some("p"), Some("t")), Some("s"), &[Some("q")]),
            "NetworkAddressScopeAffinityError"
        );
        assert_eq!(kind(from(Some(DELEGATED), None), None, &[Some(DELEGATED)]), "-");
    }
}
