//! Which L3 agent serves a router, and what agents are told. In Neutron:
//! `L3AgentSchedulerDbMixin`, `L3AgentNotifyAPI`.

mod actions;

pub(crate) use actions::{EXTENSION, LIST_AGENTS, POLICY, act, agents_of, extends, of_routers};

use crate::routers::{self, ROUTERS};
use hadron_sdk::manifest::{Attribute, Collection, Key, OnDelete, Reference, Validator};
use hadron_sdk::serde_json::json;
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Document, Result, random, resources, rpc};
use serde::{Deserialize, Serialize};

/// The core plugin's collection of agents.
pub(crate) const AGENTS: &str = "agents";
/// The private collection of who serves what.
const HOSTED: &str = "router_l3_agents";

const L3: &str = "L3 agent";
/// Where agents hear of routers.
const TOPIC: &str = "l3_agent";

/// An agent that serves a router.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Hosted {
    id: String,
    router_id: String,
    agent_id: String,
    host: String,
}

/// The declaration of the private collection.
pub(crate) fn collection() -> Collection {
    let attribute = |name: &str, validate: Validator| Attribute {
        name: name.to_owned(),
        validate,
        index: true,
        ..Attribute::default()
    };
    let cascade = |attribute: &str, collection: &str| Reference {
        attribute: attribute.to_owned(),
        collection: collection.to_owned(),
        on_delete: OnDelete::Cascade,
        ..Reference::default()
    };
    Collection {
        name: HOSTED.to_owned(),
        member: "router_l3_agent".to_owned(),
        private: true,
        attributes: vec![
            attribute("router_id", Validator::Uuid),
            attribute("agent_id", Validator::Uuid),
            attribute("host", Validator::String { max: Some(255) }),
        ],
        // Of two units that choose at the same time, one finds it chosen.
        keys: vec![Key { name: "router_id".to_owned(), attributes: vec!["router_id".to_owned()] }],
        references: vec![cascade("router_id", ROUTERS), cascade("agent_id", AGENTS)],
        ..Collection::default()
    }
}

/// An agent that may serve routers.
#[derive(Clone, Debug, Deserialize)]
struct Candidate {
    id: String,
    host: String,
    availability_zone: Option<String>,
}

fn candidates() -> Result<Vec<Candidate>> {
    let able = Query::all().equal("agent_type", L3).equal("admin_state_up", true).equal("alive", true);
    resources::find(AGENTS, &able.sort("id"))
}

/// Who serves a router.
fn of(router: &str) -> Result<Option<Hosted>> {
    Ok(store::find(HOSTED, &Query::all().equal("router_id", router).limit(1))?.pop())
}

/// Routers that are served at a host.
pub(crate) fn at(host: &str) -> Result<Vec<String>> {
    let rows: Vec<Hosted> = store::find(HOSTED, &Query::all().equal("host", host).sort("router_id"))?;
    Ok(rows.into_iter().map(|row| row.router_id).collect())
}

/// Puts a router to the agent with the fewest, in one of the zones that it wishes
/// for; nowhere where there is none.
fn put(router: &str) -> Result<Option<Hosted>> {
    let wished: Option<Document> = store::get(ROUTERS, router)?;
    let wished: Vec<String> = wished
        .and_then(|mut router| router.remove("availability_zone_hints"))
        .and_then(|hints| hadron_sdk::serde_json::from_value(hints).ok())
        .unwrap_or_default();
    let fits = |agent: &Candidate| {
        wished.is_empty() || agent.availability_zone.as_ref().is_some_and(|zone| wished.contains(zone))
    };
    let mut chosen: Option<(u64, Candidate)> = None;
    for agent in candidates()?.into_iter().filter(fits) {
        let load = store::count(HOSTED, &Query::all().equal("agent_id", agent.id.as_str()))?;
        if chosen.as_ref().is_none_or(|(least, _)| load < *least) {
            chosen = Some((load, agent));
        }
    }
    let Some((_, agent)) = chosen else { return Ok(None) };
    Ok(Some(host(router, &agent)?))
}

/// Writes down that an agent serves a router.
fn host(router: &str, agent: &Candidate) -> Result<Hosted> {
    let hosted = Hosted {
        id: random::uuid(),
        router_id: router.to_owned(),
        agent_id: agent.id.clone(),
        host: agent.host.clone(),
    };
    store::insert(HOSTED, std::slice::from_ref(&hosted))?;
    let zones: Vec<&String> = agent.availability_zone.iter().collect();
    store::update::<Document>(ROUTERS, router, &json!({ "availability_zones": zones }))?;
    Ok(hosted)
}

/// A router is another now: whoever serves it is told, and somebody is found who
/// does.
pub(crate) fn changed(router: &str) -> Result<()> {
    let hosted = match of(router)? {
        Some(hosted) => Some(hosted),
        None => put(router)?,
    };
    hosted.map_or(Ok(()), |hosted| updated(&hosted))
}

/// Tells who serves a router that it is another.
fn updated(hosted: &Hosted) -> Result<()> {
    let to = rpc::to(&format!("{TOPIC}.{}", hosted.host)).version("1.1");
    to.cast("routers_updated", &json!({ "routers": [hosted.router_id] }))
}

/// A router goes.
pub(crate) fn gone(router: &str) -> Result<()> {
    match of(router)? {
        Some(_) => rpc::to(TOPIC).version("1.1").fanout("router_deleted", &json!({ "router_id": router })),
        None => Ok(()),
    }
}

/// Routers that nobody serves are put to agents: one has come. In Neutron:
/// `auto_schedule_routers`.
pub(crate) fn put_all() -> Result<()> {
    let served: Vec<Hosted> = store::find(HOSTED, &Query::all())?;
    let served = served.into_iter().map(|row| row.router_id);
    let left: Vec<routers::Router> = store::find(ROUTERS, &Query::all().none_of("id", served).limit(PAGE))?;
    left.iter().try_for_each(|router| put(&router.id).map(drop))
}

/// Routers that are put to agents in one unit of work.
const PAGE: u32 = 50;
