//! Writing what is asked for together with a load balancer.

use crate::document::{objects, text};
use crate::graph::{DEFAULT_POOL, Graph, POLICIES, REDIRECT_POOL};
use crate::load_balancers::LoadBalancer;
use crate::settings::Settings;
use crate::{l7policies, l7rules, listeners, pools};
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Error, Result};
use std::collections::HashMap;

/// Puts the id of a pool where its name is.
fn resolve(of: &mut Document, member: &str, attribute: &str, ids: &HashMap<String, String>) -> Result<()> {
    let Some(Value::String(name)) = of.shift_remove(member) else { return Ok(()) };
    let id = ids.get(&name).ok_or_else(|| Error::internal(format!("no pool '{name}' was made")))?;
    of.insert(attribute.to_owned(), Value::from(id.as_str()));
    Ok(())
}

/// Writes all of it: pools with members and monitors, then listeners with policies
/// and rules.
pub(crate) fn write(settings: &Settings, held: &LoadBalancer, graph: Graph) -> Result<()> {
    let mut ids = HashMap::new();
    for pool in graph.pools {
        let name = text(&pool, "name").to_owned();
        ids.insert(name, pools::insert(settings, held, pool)?);
    }
    for mut listener in graph.listeners {
        let policies = objects(listener.shift_remove(POLICIES));
        resolve(&mut listener, DEFAULT_POOL, "default_pool_id", &ids)?;
        let listener = listeners::insert(settings, held, listener)?;
        for mut policy in policies {
            let rules = objects(policy.shift_remove("rules"));
            resolve(&mut policy, REDIRECT_POOL, "redirect_pool_id", &ids)?;
            policy.insert("listener_id".to_owned(), Value::from(listener.as_str()));
            let policy = l7policies::insert(held, policy)?;
            for mut rule in rules {
                rule.insert(l7rules::POLICY.to_owned(), Value::from(policy.as_str()));
                l7rules::insert(held, rule)?;
            }
        }
    }
    Ok(())
}
