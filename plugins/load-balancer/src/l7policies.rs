//! Policies: what a listener does with some requests. In Octavia:
//! `L7PolicyController`.

mod rules;

use crate::attribute::{
    admin_state_up, asked, between, description, fill, list, load_balancer, name, needed, needed_set,
    nested as object, once, one_of, restore, set, statuses, string, tags, without,
};
use crate::document::{given, merged, number, text};
use crate::kind::Kind;
use crate::load_balancers::LoadBalancer;
use crate::objects::{self, WHOLE, cascading};
use crate::protocol::PROMETHEUS;
use crate::status::PENDING_DELETE;
use crate::{errors, graph, l7rules, listeners, pools, touch};
use hadron_sdk::manifest::{
    Attribute, Called, Collection, Derived, DerivedFrom, Quota, Reference, RowsOf, Standard, Validator,
};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store;
use hadron_sdk::{Document, Error, Result};

const KIND: Kind = Kind::L7Policy;
/// The attribute with a policy's listener.
pub(crate) const LISTENER: &str = "listener_id";
const POOL: &str = "redirect_pool_id";
const POSITION: &str = "position";

/// Its attributes.
pub(crate) fn attributes() -> Vec<Attribute> {
    let codes = Validator::Enum { values: rules::CODES.iter().map(|code| json!(code)).collect() };
    let [provisioning, operating] = statuses();
    vec![
        name(),
        description(),
        admin_state_up(),
        provisioning,
        operating,
        needed_set("action", one_of(&rules::ACTIONS)),
        set(POOL, Validator::Uuid, Value::Null),
        set("redirect_url", string(255), Value::Null),
        set("redirect_prefix", string(255), Value::Null),
        set("redirect_http_code", codes, Value::Null),
        set(POSITION, between(1, rules::LAST), json!(rules::LAST)),
        tags(),
    ]
}

/// What one is asked for with, together with a load balancer.
pub(crate) fn nested() -> Validator {
    let mut attributes: Vec<Attribute> =
        attributes().into_iter().filter(|attribute| attribute.name != POOL).collect();
    attributes.push(asked(graph::REDIRECT_POOL, pools::nested()));
    attributes.push(once("rules", list(object(&l7rules::attributes())), json!([])));
    object(&attributes)
}

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let own = [needed(LISTENER, Validator::Uuid), load_balancer()];
    Collection {
        name: KIND.collection().to_owned(),
        member: KIND.member().to_owned(),
        called: Some(Called { collection: "l7policies".to_owned(), member: "l7policy".to_owned() }),
        path_prefix: crate::manifest::PREFIX.to_owned(),
        attributes: attributes().into_iter().chain(own).collect(),
        references: vec![
            objects::of_whole(),
            cascading(LISTENER, Kind::Listener),
            Reference {
                attribute: POOL.to_owned(),
                collection: Kind::Pool.collection().to_owned(),
                ..Reference::default()
            },
        ],
        derived: vec![Derived {
            name: "rules".to_owned(),
            from: DerivedFrom::Rows(vec![RowsOf {
                collection: Kind::L7Rule.collection().to_owned(),
                attribute: l7rules::POLICY.to_owned(),
                show: vec!["id".to_owned()],
                ..RowsOf::default()
            }]),
        }],
        not_found: Some("NotFound".to_owned()),
        not_found_says: Some(format!("{} {{id}} not found.", KIND.title())),
        without: without(),
        standard: Standard::NONE,
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}

/// Makes policies.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    for body in bodies {
        let listener = objects::visible(Kind::Listener, text(&body, LISTENER))?;
        let held = touch::begin(text(&listener, WHOLE))?;
        touch::touch(Kind::Listener, [text(&listener, "id")])?;
        insert(&held, body)?;
    }
    Ok(())
}

/// Writes a policy of a listener; its id.
pub(crate) fn insert(held: &LoadBalancer, mut body: Document) -> Result<String> {
    fill(&attributes(), &mut body);
    rules::settle(&mut body)?;
    let listener = objects::get(Kind::Listener, text(&body, LISTENER))?;
    check_target(&listener, &body)?;
    let id = objects::born(held, &mut body);
    let position = number(&body, POSITION).unwrap_or(rules::LAST);
    objects::insert(KIND, body).map_err(Error::from)?;
    stand(text(&listener, "id"), &id, position)?;
    Ok(id)
}

/// A pool that is redirected to is of the same load balancer and understands the
/// listener.
fn check_target(listener: &Document, policy: &Document) -> Result<()> {
    let protocol = text(listener, "protocol");
    if protocol == PROMETHEUS {
        return Err(errors::no_children(PROMETHEUS));
    }
    match given(policy, POOL) {
        Some(pool) => listeners::check_pool(text(listener, WHOLE), protocol, pool),
        None => Ok(()),
    }
}

/// Policies of a listener, in their order.
fn order(listener: &str) -> Result<Vec<Document>> {
    let mut policies = objects::with(KIND, LISTENER, listener)?;
    policies.sort_by_key(|policy| number(policy, POSITION));
    Ok(policies)
}

/// Numbers policies in this order.
fn count(policies: &[Document], order: &[String]) -> Result<()> {
    for (place, id) in (1_i64..).zip(order) {
        let there = policies.iter().find(|policy| text(policy, "id") == id);
        if there.is_some_and(|policy| number(policy, POSITION) != Some(place)) {
            store::update::<Document>(KIND.collection(), id, &json!({ POSITION: place }))?;
        }
    }
    Ok(())
}

/// Puts a policy at its place among those of its listener.
fn stand(listener: &str, id: &str, position: i64) -> Result<()> {
    let policies = order(listener)?;
    let ids = crate::document::ids(&policies);
    count(&policies, &rules::placed(&ids, id, position))
}

/// Changes one.
pub(crate) fn update(id: &str, current: &Document, mut changes: Document) -> Result<()> {
    restore(&attributes(), &mut changes);
    let says = |changes: &Document| {
        ["action", POOL, "redirect_url", "redirect_prefix"].iter().any(|name| given(changes, name).is_some())
    };
    if says(&changes) {
        settle(current, &mut changes)?;
    }
    let listener = objects::get(Kind::Listener, text(current, LISTENER))?;
    check_target(&listener, &merged(current, &changes))?;
    touch::begin(text(current, WHOLE))?;
    touch::touch(Kind::Listener, [text(&listener, "id")])?;
    let position = changes.shift_remove(POSITION).and_then(|position| position.as_i64());
    objects::change(KIND, id, changes)?;
    position.map_or(Ok(()), |position| stand(text(&listener, "id"), id, position))
}

/// What a change says of an action, with what is known of its target.
fn settle(current: &Document, changes: &mut Document) -> Result<()> {
    // The action that is there stays unless another one, or another's target, is told.
    let action = given(changes, "action").map(str::to_owned);
    if action.as_deref() == given(current, "action") {
        for name in [POOL, "redirect_url", "redirect_prefix", "redirect_http_code"] {
            if !changes.contains_key(name) {
                changes.insert(name.to_owned(), current.get(name).cloned().unwrap_or_default());
            }
        }
    }
    if !changes.contains_key("redirect_http_code") {
        let code = current.get("redirect_http_code").cloned().unwrap_or_default();
        changes.insert("redirect_http_code".to_owned(), code);
    }
    rules::settle(changes)
}

/// Has some removed.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        touch::begin(text(document, WHOLE))?;
        touch::touch(Kind::Listener, [text(document, LISTENER)])?;
        objects::mark(KIND, text(document, "id"), PENDING_DELETE)?;
    }
    Ok(())
}

/// An agent has removed it; those behind it move up.
pub(crate) fn removed(id: &str) -> Result<()> {
    let Some(row) = store::get::<Document>(KIND.collection(), id)? else { return Ok(()) };
    store::delete(KIND.collection(), &[id.to_owned()])?;
    let policies = order(text(&row, LISTENER))?;
    count(&policies, &crate::document::ids(&policies))
}
