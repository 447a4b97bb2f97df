//! What a request asks for together with a load balancer. In Octavia:
//! `_graph_create`.

use crate::attribute::take_object;
use crate::document::{objects, text};
use crate::errors;
use hadron_sdk::serde_json::Value;
use hadron_sdk::{Document, Result};
use std::collections::HashSet;

/// The member of a listener with the name of its pool.
pub(crate) const DEFAULT_POOL: &str = "default_pool";
/// The same of a policy.
pub(crate) const REDIRECT_POOL: &str = "redirect_pool";
/// The member of a listener with its policies.
pub(crate) const POLICIES: &str = "l7policies";

/// Pools, and listeners that name them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Graph {
    /// Each of its own name.
    pub(crate) pools: Vec<Document>,
    /// Those, and their policies, have names of pools where there were pools.
    pub(crate) listeners: Vec<Document>,
}

impl Graph {
    pub(crate) fn is_empty(&self) -> bool {
        self.pools.is_empty() && self.listeners.is_empty()
    }
}

/// Whether a pool is told of by its name alone.
fn is_name(pool: &Document) -> bool {
    ["protocol", "lb_algorithm"].iter().all(|name| text(pool, name).is_empty())
}

/// Moves the pool of a listener or a policy to the others, and leaves its name.
fn lift(of: &mut Document, member: &str, pools: &mut Vec<Document>) -> Result<Option<String>> {
    let Some(pool) = take_object(of, member) else { return Ok(None) };
    let name = text(&pool, "name").to_owned();
    if name.is_empty() {
        return Err(errors::validation("Pools must be named when creating a fully populated loadbalancer."));
    }
    of.insert(member.to_owned(), Value::from(name.as_str()));
    if is_name(&pool) {
        return Ok(Some(name));
    }
    pools.push(pool);
    Ok(None)
}

/// What is asked for, if it hangs together.
pub(crate) fn of(mut listeners: Vec<Document>, mut pools: Vec<Document>) -> Result<Graph> {
    let mut referenced = Vec::new();
    for listener in &mut listeners {
        referenced.extend(lift(listener, DEFAULT_POOL, &mut pools)?);
        let mut policies = objects(listener.shift_remove(POLICIES));
        for policy in &mut policies {
            referenced.extend(lift(policy, REDIRECT_POOL, &mut pools)?);
        }
        listener.insert(POLICIES.to_owned(), policies.into_iter().map(Value::Object).collect());
    }
    let mut names = HashSet::new();
    for pool in &pools {
        if !names.insert(text(pool, "name")) {
            return Err(errors::validation(
                "Pool names must be unique when creating a fully populated loadbalancer.",
            ));
        }
        for attribute in ["protocol", "lb_algorithm"] {
            if text(pool, attribute).is_empty() {
                let name = text(pool, "name");
                return Err(errors::validation(format!(
                    "Pool definition for '{name}' missing required attribute: {attribute}"
                )));
            }
        }
    }
    if let Some(missing) = referenced.iter().find(|name| !names.contains(name.as_str())) {
        return Err(errors::validation(format!(
            "Pool '{missing}' was referenced but no full definition was found."
        )));
    }
    Ok(Graph { pools, listeners })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::json;
    use proptest::prelude::*;

    fn documents(value: Value) -> Vec<Document> {
        objects(Some(value))
    }

    fn pool(name: &str) -> Value {
        json!({"name": name, "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"})
    }

    fn message(listeners: Value, pools: Value) -> String {
        of(documents(listeners), documents(pools)).unwrap_err().fault().message.clone()
    }

    #[test]
    fn pools_come_first_and_are_named() {
        let listeners = json!([
            {"default_pool": pool("a"), "l7policies": [{"redirect_pool": {"name": "b"}}, {"action": "REJECT"}]},
            {"default_pool": {"name": "a"}},
        ]);
        let graph = of(documents(listeners), documents(json!([pool("b")]))).unwrap();
        let names: Vec<&str> = graph.pools.iter().map(|pool| text(pool, "name")).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(graph.listeners[0]["default_pool"], "a");
        assert_eq!(graph.listeners[0]["l7policies"][0]["redirect_pool"], "b");
        assert_eq!(graph.listeners[1]["default_pool"], "a");
        assert!(of(Vec::new(), Vec::new()).unwrap().is_empty());
    }

    #[test]
    fn what_does_not_hang_together_is_refused() {
        assert!(
            message(json!([{"default_pool": {"name": "", "protocol": "HTTP"}}]), json!([])).contains("named")
        );
        assert!(message(json!([]), json!([pool("a"), pool("a")])).contains("unique"));
        assert!(
            message(json!([{"default_pool": {"name": "x"}}]), json!([])).contains("Pool 'x' was referenced")
        );
        let bare = json!([{"name": "a", "protocol": "HTTP"}]);
        assert!(message(json!([]), bare).ends_with("missing required attribute: lb_algorithm"));
    }

    proptest! {
        /// Every name that is left in a listener is that of a pool.
        #[test]
        fn names_are_of_pools(of_listeners in prop::collection::vec((0..4_u8, any::<bool>()), 0..6), top in 0..4_u8) {
            let listeners: Vec<Value> = of_listeners.iter().map(|(name, whole)| {
                let name = name.to_string();
                json!({"default_pool": if *whole { pool(&name) } else { json!({"name": name}) }})
            }).collect();
            let pools: Vec<Value> = (0..top).map(|name| pool(&name.to_string())).collect();
            if let Ok(graph) = of(documents(json!(listeners)), documents(json!(pools))) {
                for listener in &graph.listeners {
                    let name = text(listener, "default_pool");
                    prop_assert_eq!(graph.pools.iter().filter(|pool| text(pool, "name") == name).count(), 1);
                }
            }
        }
    }
}
