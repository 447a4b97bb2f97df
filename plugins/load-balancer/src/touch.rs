//! Beginning a change: whatever it touches is pending until an agent has carried
//! it out, and the load balancer is changed by nobody else meanwhile. In Octavia:
//! `test_and_set_lb_and_listeners_prov_status`.

use crate::document::{text, typed};
use crate::kind::Kind;
use crate::load_balancers::LoadBalancer;
use crate::status::{ACTIVE, PENDING_UPDATE, Wish};
use crate::{driver, errors, objects};
use hadron_sdk::{Document, Error, Result, store};

/// A load balancer that is kept from other requests until the end of this one.
pub(crate) fn hold(id: &str) -> Result<LoadBalancer> {
    match store::lock(Kind::LoadBalancer.collection(), id) {
        Err(store::StoreError::NotFound) => return Err(errors::not_found(Kind::LoadBalancer.title(), id)),
        other => other.map_err(Error::from)?,
    }
    typed(objects::get(Kind::LoadBalancer, id)?)
}

/// Begins a change of what a load balancer is made of.
pub(crate) fn begin(id: &str) -> Result<LoadBalancer> {
    let held = hold(id)?;
    if !Wish::Change.suits(&held.provisioning_status) {
        return Err(errors::immutable(Kind::LoadBalancer.title(), id));
    }
    objects::mark(Kind::LoadBalancer, id, PENDING_UPDATE)?;
    driver::changed(&held)?;
    Ok(held)
}

/// The change touches these too.
pub(crate) fn touch<'a>(kind: Kind, ids: impl IntoIterator<Item = &'a str>) -> Result<()> {
    ids.into_iter().try_for_each(|id| objects::mark(kind, id, PENDING_UPDATE))
}

/// Listeners that use a pool, by default or where a policy says so.
pub(crate) fn listeners_of(pool: &str) -> Result<Vec<String>> {
    let default = objects::with(Kind::Listener, "default_pool_id", pool)?;
    let mut ids: Vec<String> = default.iter().map(|listener| text(listener, "id").to_owned()).collect();
    for policy in objects::with(Kind::L7Policy, "redirect_pool_id", pool)? {
        let listener = text(&policy, "listener_id").to_owned();
        if !ids.contains(&listener) {
            ids.push(listener);
        }
    }
    Ok(ids)
}

/// Begins a change of a pool or of a part of it. The pool must not be in error.
pub(crate) fn begin_in_pool(pool: &Document) -> Result<LoadBalancer> {
    let id = text(pool, "id");
    // A pool that waits is of a load balancer that waits, which is told of first.
    let held = hold(text(pool, objects::WHOLE))?;
    if Wish::Change.suits(&held.provisioning_status) && text(pool, "provisioning_status") != ACTIVE {
        return Err(errors::immutable(Kind::Pool.title(), id));
    }
    let held = begin(&held.id)?;
    touch(Kind::Listener, listeners_of(id)?.iter().map(String::as_str))?;
    touch(Kind::Pool, [id])?;
    Ok(held)
}
