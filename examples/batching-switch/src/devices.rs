//! Devices: which one has which hosts, and what each does now.

use crate::session::{Session, State};
use crate::switch::Told;
use hadron_sdk::delivery::Change;
use hadron_sdk::manifest::{Attribute, Collection, Validator};
use hadron_sdk::serde_json::{self, json};
use hadron_sdk::store;
use hadron_sdk::{Document, Error, ResourceRef, Result, config, now};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The configuration key with the devices.
pub(crate) const DEVICES: &str = "devices";

/// The private collection: a row for each device, with its name as its id.
const COLLECTION: &str = "device_states";

/// A device, as the operator configures it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    pub(crate) endpoint: String,
    hosts: Vec<String>,
}

impl Device {
    /// Whether it can be reached at all.
    pub(crate) fn check(&self) -> Result<()> {
        match self.endpoint.starts_with("http://") || self.endpoint.starts_with("https://") {
            true => Ok(()),
            false => Err(Error::internal(format!("a device's endpoint is no URL: '{}'", self.endpoint))),
        }
    }
}

/// Devices by name.
pub(crate) fn configured() -> Result<BTreeMap<String, Device>> {
    config::or(DEVICES, BTreeMap::new())
}

/// The device that has this host.
pub(crate) fn of_host<'a>(devices: &'a BTreeMap<String, Device>, host: &str) -> Option<&'a str> {
    let found = devices.iter().find(|(_, device)| device.hosts.iter().any(|own| own == host));
    found.map(|(name, _)| name.as_str())
}

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let attribute =
        |name: &str, validate| Attribute { name: name.to_owned(), validate, ..Attribute::default() };
    let number = || Validator::Integer { min: None, max: None };
    Collection {
        name: COLLECTION.to_owned(),
        member: "device_state".to_owned(),
        private: true,
        attributes: vec![
            attribute("busy", Validator::Boolean),
            attribute("last", number()),
            attribute("failures", number()),
            attribute("retry", Validator::Any),
        ],
        ..Collection::default()
    }
}

/// What a device does now.
pub(crate) fn state(name: &str) -> Result<State> {
    let found: Option<State> = store::get(COLLECTION, name)?;
    Ok(found.map_or_else(State::default, |state| State { known: true, ..state }))
}

/// A session with the device begins: written to the journal, so that it is told
/// whatever happens to this server.
pub(crate) fn begin(name: &str, state: &State, session: &Session) -> Result<()> {
    let row = json!({"id": name, "busy": true, "last": now(), "failures": state.failures, "retry": []});
    match state.known {
        true => drop(store::update::<Document>(COLLECTION, name, &row)?),
        false => store::insert(COLLECTION, &[row])?,
    }
    let about = ResourceRef { collection: COLLECTION.to_owned(), id: name.to_owned() };
    hadron_sdk::later(&about, &[], "session", &serde_json::to_string(session)?);
    Ok(())
}

/// It has ended: what the device did not take is kept for the next one.
pub(crate) fn end(name: &str, session: &Session, told: Told) -> Change {
    let (failures, retry) = match told {
        Told::Done => (0, &[][..]),
        Told::Failed => (session.failures.saturating_add(1), session.changes.as_slice()),
    };
    let row = json!({"busy": false, "last": now(), "failures": failures, "retry": retry});
    crate::changed(COLLECTION, name, &row)
}
