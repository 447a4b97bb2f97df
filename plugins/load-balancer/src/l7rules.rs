//! Rules: which requests a policy is about. In Octavia: `L7RuleController`.

mod rules;

use crate::attribute::{
    admin_state_up, fill, hidden, load_balancer, needed_set, one_of, restore, set, statuses, string, tags,
    without,
};
use crate::document::{merged, text};
use crate::kind::Kind;
use crate::load_balancers::LoadBalancer;
use crate::objects::{self, WHOLE, cascading};
use crate::status::{ACTIVE, PENDING_DELETE, Wish};
use crate::{errors, l7policies, touch};
use hadron_sdk::manifest::{Attribute, Called, Collection, Parent, Quota, Standard, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store;
use hadron_sdk::{Document, Error, Result};

const KIND: Kind = Kind::L7Rule;
/// The attribute with a rule's policy.
pub(crate) const POLICY: &str = "l7policy_id";

/// Its attributes.
pub(crate) fn attributes() -> Vec<Attribute> {
    let [provisioning, operating] = statuses();
    vec![
        admin_state_up(),
        provisioning,
        operating,
        needed_set("type", one_of(&rules::TYPES)),
        needed_set("compare_type", one_of(&rules::COMPARISONS)),
        set("key", string(255), Value::Null),
        needed_set("value", string(255)),
        set("invert", Validator::Boolean, json!(false)),
        tags(),
    ]
}

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: KIND.collection().to_owned(),
        member: KIND.member().to_owned(),
        called: Some(Called { collection: "rules".to_owned(), member: "rule".to_owned() }),
        parent: Some(Parent {
            collection: Kind::L7Policy.collection().to_owned(),
            attribute: POLICY.to_owned(),
        }),
        attributes: attributes()
            .into_iter()
            .chain([hidden(POLICY, Validator::Uuid), load_balancer()])
            .collect(),
        references: vec![objects::of_whole(), cascading(POLICY, Kind::L7Policy)],
        not_found: Some("NotFound".to_owned()),
        not_found_says: Some(format!("{} {{id}} not found.", KIND.title())),
        without: without(),
        standard: Standard::NONE,
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}

/// Begins a change of a policy's rules.
fn begin(policy: &str) -> Result<LoadBalancer> {
    let policy = objects::get(Kind::L7Policy, policy)?;
    let held = touch::hold(text(&policy, WHOLE))?;
    if Wish::Change.suits(&held.provisioning_status) && text(&policy, "provisioning_status") != ACTIVE {
        return Err(errors::immutable(Kind::L7Policy.title(), text(&policy, "id")));
    }
    let held = touch::begin(&held.id)?;
    touch::touch(Kind::Listener, [text(&policy, l7policies::LISTENER)])?;
    touch::touch(Kind::L7Policy, [text(&policy, "id")])?;
    Ok(held)
}

/// Makes rules.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    for body in bodies {
        let held = begin(text(&body, POLICY))?;
        insert(&held, body)?;
    }
    Ok(())
}

/// Writes a rule of a policy.
pub(crate) fn insert(held: &LoadBalancer, mut body: Document) -> Result<()> {
    fill(&attributes(), &mut body);
    rules::check(&body)?;
    let policy = text(&body, POLICY).to_owned();
    if objects::with(KIND, POLICY, &policy)?.len() >= rules::MOST {
        return Err(errors::too_many_rules(&policy));
    }
    objects::born(held, &mut body);
    objects::insert(KIND, body).map_err(Error::from)
}

/// Changes one.
pub(crate) fn update(id: &str, current: &Document, mut changes: Document) -> Result<()> {
    restore(&attributes(), &mut changes);
    rules::check(&merged(current, &changes))?;
    begin(text(current, POLICY))?;
    objects::change(KIND, id, changes)
}

/// Has some removed.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    for document in documents {
        begin(text(document, POLICY))?;
        objects::mark(KIND, text(document, "id"), PENDING_DELETE)?;
    }
    Ok(())
}

/// An agent has removed it.
pub(crate) fn removed(id: &str) -> Result<()> {
    store::delete(KIND.collection(), &[id.to_owned()]).or_else(|error| match error {
        store::StoreError::NotFound => Ok(()),
        other => Err(other.into()),
    })
}
