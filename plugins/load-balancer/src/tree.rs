//! A load balancer with all that it is made of.

use crate::document::{is_true, text};
use crate::kind::Kind;
use crate::objects::{WHOLE, with};
use crate::{attribute, health_monitors, l7policies, l7rules, listeners, load_balancers, members, pools};
use hadron_sdk::manifest::Attribute;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Result, store};

/// The rows.
pub(crate) struct Tree {
    pub(crate) load_balancer: Document,
    listeners: Vec<Document>,
    pools: Vec<Document>,
    members: Vec<Document>,
    monitors: Vec<Document>,
    policies: Vec<Document>,
    rules: Vec<Document>,
}

fn of<'a>(rows: &'a [Document], attribute: &'a str, id: &'a str) -> impl Iterator<Item = &'a Document> {
    rows.iter().filter(move |row| text(row, attribute) == id)
}

fn some(row: &Document, names: &[&str]) -> Document {
    names.iter().map(|name| ((*name).to_owned(), row.get(*name).cloned().unwrap_or_default())).collect()
}

fn put(mut document: Document, name: &str, value: impl Into<Value>) -> Value {
    document.insert(name.to_owned(), value.into());
    Value::Object(document)
}

/// What status trees show of everything.
const STATUS: [&str; 4] = ["id", "name", "provisioning_status", "operating_status"];

impl Tree {
    /// That of a load balancer, if there is one.
    pub(crate) fn load(id: &str) -> Result<Option<Tree>> {
        let Some(load_balancer) = store::get(Kind::LoadBalancer.collection(), id)? else { return Ok(None) };
        let of = |kind| with(kind, WHOLE, id);
        let mut policies = of(Kind::L7Policy)?;
        policies.sort_by_key(|policy| policy.get("position").and_then(Value::as_i64));
        Ok(Some(Tree {
            load_balancer,
            listeners: of(Kind::Listener)?,
            pools: of(Kind::Pool)?,
            members: of(Kind::Member)?,
            monitors: of(Kind::HealthMonitor)?,
            policies,
            rules: of(Kind::L7Rule)?,
        }))
    }

    /// The rows of a sort.
    pub(crate) fn rows(&self, kind: Kind) -> &[Document] {
        match kind {
            Kind::LoadBalancer => std::slice::from_ref(&self.load_balancer),
            Kind::Listener => &self.listeners,
            Kind::Pool => &self.pools,
            Kind::Member => &self.members,
            Kind::HealthMonitor => &self.monitors,
            Kind::L7Policy => &self.policies,
            Kind::L7Rule => &self.rules,
        }
    }

    /// Ids of the pools that a listener uses, by default and by its policies.
    fn pools_of<'a>(&'a self, listener: &'a Document) -> Vec<&'a str> {
        let redirected = of(&self.policies, "listener_id", text(listener, "id"));
        let all = std::iter::once(text(listener, "default_pool_id"))
            .chain(redirected.map(|policy| text(policy, "redirect_pool_id")));
        let mut ids: Vec<&str> = Vec::new();
        for id in all.filter(|id| !id.is_empty()) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// How all of it is. In Octavia: `LoadBalancerStatusResponse`.
    pub(crate) fn statuses(&self) -> Value {
        let listeners: Vec<Value> = self
            .listeners
            .iter()
            .map(|listener| {
                let ids = self.pools_of(listener);
                let pools = self.pools.iter().filter(|pool| ids.contains(&text(pool, "id")));
                put(
                    some(listener, &STATUS),
                    "pools",
                    pools.map(|pool| self.pool_status(pool)).collect::<Vec<_>>(),
                )
            })
            .collect();
        json!({"statuses": {"loadbalancer": put(some(&self.load_balancer, &STATUS), "listeners", listeners)}})
    }

    fn pool_status(&self, pool: &Document) -> Value {
        let id = text(pool, "id");
        let member = |row| {
            some(row, &["id", "name", "operating_status", "provisioning_status", "address", "protocol_port"])
        };
        let members = of(&self.members, "pool_id", id).map(member).map(Value::Object);
        let mut shown = some(pool, &STATUS);
        if let Some(monitor) = of(&self.monitors, "pool_id", id).next() {
            let monitor = some(monitor, &["id", "name", "type", "provisioning_status", "operating_status"]);
            shown.insert("health_monitor".to_owned(), Value::Object(monitor));
        }
        put(shown, "members", members.collect::<Vec<_>>())
    }

    /// All of it, as agents get it: every object with the attributes that the API
    /// shows, and its parts in it.
    pub(crate) fn whole(&self) -> Value {
        let all = |rows: &mut dyn Iterator<Item = &Document>, attributes: &[Attribute]| -> Vec<Value> {
            rows.map(|row| Value::Object(attribute::show(attributes, row))).collect()
        };
        let pools = self.pools.iter().map(|pool| {
            let id = text(pool, "id");
            let mut shown = attribute::show(&pools::attributes(), pool);
            let members = all(&mut of(&self.members, "pool_id", id), &members::attributes());
            shown.insert("members".to_owned(), members.into());
            let monitor = all(&mut of(&self.monitors, "pool_id", id), &health_monitors::attributes()).pop();
            put(shown, "healthmonitor", monitor.unwrap_or_default())
        });
        let listeners = self.listeners.iter().map(|listener| {
            let policies = of(&self.policies, "listener_id", text(listener, "id")).map(|policy| {
                let rules =
                    all(&mut of(&self.rules, "l7policy_id", text(policy, "id")), &l7rules::attributes());
                put(attribute::show(&l7policies::attributes(), policy), "rules", rules)
            });
            let policies: Vec<Value> = policies.collect();
            put(attribute::show(&listeners::attributes(), listener), "l7policies", policies)
        });
        let (pools, listeners): (Vec<Value>, Vec<Value>) = (pools.collect(), listeners.collect());
        let mut shown = attribute::show(&load_balancers::attributes(), &self.load_balancer);
        shown.insert("pools".to_owned(), pools.into());
        put(shown, "listeners", listeners)
    }

    /// Whether anything hangs on the load balancer. In Octavia: `it has children`.
    pub(crate) fn has_children(&self) -> bool {
        !self.listeners.is_empty() || !self.pools.is_empty()
    }

    /// Whether somebody allows packets of some addresses only.
    pub(crate) fn allows_cidrs(&self) -> bool {
        self.listeners.iter().any(|listener| {
            is_true(listener, "admin_state_up") && crate::document::is_said(listener, "allowed_cidrs")
        })
    }
}
