//! The sorts of objects that a load balancer is made of.

/// A sort of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    LoadBalancer,
    Listener,
    Pool,
    Member,
    HealthMonitor,
    L7Policy,
    L7Rule,
}

impl Kind {
    /// All of them: what is part of another comes after it.
    pub(crate) const ALL: [Kind; 7] = [
        Kind::LoadBalancer,
        Kind::Pool,
        Kind::Listener,
        Kind::HealthMonitor,
        Kind::Member,
        Kind::L7Policy,
        Kind::L7Rule,
    ];

    /// The collection with its rows.
    pub(crate) const fn collection(self) -> &'static str {
        match self {
            Kind::LoadBalancer => "load_balancers",
            Kind::Listener => "listeners",
            Kind::Pool => "pools",
            Kind::Member => "pool_members",
            Kind::HealthMonitor => "health_monitors",
            Kind::L7Policy => "l7policies",
            Kind::L7Rule => "l7rules",
        }
    }

    /// One of them, as quotas call it. In Octavia: `octavia.common.constants`.
    pub(crate) const fn member(self) -> &'static str {
        match self {
            Kind::LoadBalancer => "load_balancer",
            Kind::Listener => "listener",
            Kind::Pool => "pool",
            Kind::Member => "member",
            Kind::HealthMonitor => "health_monitor",
            Kind::L7Policy => "l7policy",
            Kind::L7Rule => "l7rule",
        }
    }

    /// Several, as agents call them. In octavia-lib: `DriverLibrary`.
    pub(crate) const fn reported(self) -> &'static str {
        match self {
            Kind::LoadBalancer => "loadbalancers",
            Kind::Listener => "listeners",
            Kind::Pool => "pools",
            Kind::Member => "members",
            Kind::HealthMonitor => "healthmonitors",
            Kind::L7Policy => "l7policies",
            Kind::L7Rule => "l7rules",
        }
    }

    /// One, in sentences.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Kind::LoadBalancer => "Load Balancer",
            Kind::Listener => "Listener",
            Kind::Pool => "Pool",
            Kind::Member => "Member",
            Kind::HealthMonitor => "Health Monitor",
            Kind::L7Policy => "L7 Policy",
            Kind::L7Rule => "L7 Rule",
        }
    }

    /// The sort of a collection's rows.
    pub(crate) fn of_collection(collection: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.collection() == collection)
    }
}
