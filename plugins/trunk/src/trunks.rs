//! Trunks: what requests do to them. In Neutron: `TrunkPlugin`.

use crate::ports::{self, Known};
use crate::sub_ports::{self, Asked, SubPort};
use crate::{errors, objects, text};
use hadron_sdk::events::{Event as Heard, Moment as Happened};
use hadron_sdk::manifest::{Moment, Subscription};
use hadron_sdk::serde_json::{self, Value, json};
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Document, Error, Result};
use hadron_versioned_objects::Event;
use serde::Deserialize;

pub(crate) const COLLECTION: &str = "trunks";
/// The attribute with a trunk's sub-ports.
pub(crate) const SUB_PORTS: &str = "sub_ports";
/// The hidden attribute with all ports of a trunk, its parent's first: a port
/// has one place in one trunk.
pub(crate) const MEMBERS: &str = "members";
/// Actions, with the names of Neutron's rules about them.
pub(crate) const ADD: &str = "add_subports";
pub(crate) const REMOVE: &str = "remove_subports";
pub(crate) const GET: &str = "get_subports";

/// How trunks are. In Neutron: `TRUNK_DOWN_STATUS` and its like.
pub(crate) const DOWN: &str = "DOWN";
pub(crate) const BUILD: &str = "BUILD";
pub(crate) const DEGRADED: &str = "DEGRADED";
pub(crate) const ERROR: &str = "ERROR";

/// A trunk's row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Trunk {
    pub(crate) id: String,
    pub(crate) port_id: String,
    pub(crate) admin_state_up: bool,
    pub(crate) status: String,
    pub(crate) sub_ports: Vec<SubPort>,
}

impl Trunk {
    fn check_enabled(&self) -> Result<()> {
        if self.admin_state_up { Ok(()) } else { Err(errors::trunk_disabled(&self.id)) }
    }
}

/// A trunk that is there.
pub(crate) fn get(id: &str) -> Result<Trunk> {
    store::get(COLLECTION, id)?.ok_or_else(|| errors::trunk_not_found(id))
}

fn members(parent: &str, sub_ports: &[SubPort]) -> Value {
    let sub_ports = sub_ports.iter().map(|sub_port| sub_port.port_id.as_str());
    std::iter::once(parent).chain(sub_ports).collect()
}

/// Makes trunks. One after the other, so that each knows of those before it.
pub(crate) fn create(bodies: Vec<Document>) -> Result<()> {
    bodies.into_iter().try_for_each(create_one)
}

fn create_one(mut body: Document) -> Result<()> {
    let list = body.remove(SUB_PORTS).unwrap_or_default();
    let asked = sub_ports::asked(&list).map_err(|wrong| {
        Error::invalid("HTTPBadRequest", format!("Invalid input for {SUB_PORTS}. Reason: {wrong}."))
    })?;
    let (id, parent) = (text(&body, "id").to_owned(), text(&body, "port_id").to_owned());
    let known = Known::load(asked.iter().map(|one| one.port_id.as_str()).chain([parent.as_str()]))?;
    let places = Places::of(asked.iter().map(|one| one.port_id.as_str()).chain([parent.as_str()]))?;
    places.check_free(&parent)?;
    if known.port(&parent)?.is_bound() {
        return Err(errors::parent_port_in_use(&parent));
    }
    let added = chosen(asked, &parent, &known, &places)?;
    let sub_ports = sub_ports::with(&[], added).map_err(|segment| errors::duplicate(&segment, &id))?;
    let mut document = Document::new();
    for name in ["admin_state_up", "id", "project_id", "name", "port_id"] {
        document.insert(name.to_owned(), body.remove(name).unwrap_or_default());
    }
    document.insert("status".to_owned(), Value::from(DOWN));
    document.insert(SUB_PORTS.to_owned(), json!(sub_ports));
    document.insert(MEMBERS.to_owned(), members(&parent, &sub_ports));
    store::insert(COLLECTION, &[document]).map_err(|error| not_written(error, &parent, &sub_ports))?;
    ports::annotate(&parent, Some(&id))
}

/// The sub-ports asked for, in their segments.
fn chosen(mut asked: Vec<Asked>, parent: &str, known: &Known, places: &Places) -> Result<Vec<SubPort>> {
    known.inherit(&mut asked);
    let mut chosen = Vec::with_capacity(asked.len());
    for one in asked {
        if one.port_id == parent {
            return Err(errors::parent_port_in_use(parent));
        }
        known.check_mtu(&one.port_id, parent)?;
        let segment = one.segment()?;
        places.check_free(&one.port_id)?;
        known.check_unused(&one.port_id)?;
        chosen.push(SubPort { port_id: one.port_id, segment });
    }
    Ok(chosen)
}

/// Where ports are in trunks already.
struct Places(Vec<Trunk>);

impl Places {
    fn of<'a>(ports: impl Iterator<Item = &'a str>) -> Result<Places> {
        Ok(Places(store::find(COLLECTION, &Query::all().any_of(MEMBERS, ports))?))
    }

    fn check_free(&self, port: &str) -> Result<()> {
        let Places(trunks) = self;
        if trunks.iter().any(|trunk| trunk.sub_ports.iter().any(|sub_port| sub_port.port_id == port)) {
            return Err(errors::trunk_port_in_use(port));
        }
        match trunks.iter().any(|trunk| trunk.port_id == port) {
            true => Err(errors::parent_port_in_use(port)),
            false => Ok(()),
        }
    }
}

/// A sub-port is not deleted, as its reference says of a parent. In Neutron:
/// `enforce_port_deletion_rules`.
pub(crate) fn check_none_has(ports: &[String]) -> Result<()> {
    let Places(trunks) = Places::of(ports.iter().map(String::as_str))?;
    for trunk in trunks {
        if let Some(sub_port) = trunk.sub_ports.iter().find(|sub_port| ports.contains(&sub_port.port_id)) {
            return Err(errors::sub_port_of(&sub_port.port_id, &trunk.id));
        }
    }
    Ok(())
}

/// What a refused statement means. Two units can put the same port into a trunk,
/// or one can delete it meanwhile; the keys and references tell.
fn not_written(error: InsertError, parent: &str, sub_ports: &[SubPort]) -> Error {
    let last = sub_ports.last().map_or(parent, |sub_port| sub_port.port_id.as_str());
    match error {
        InsertError::Store(StoreError::Duplicate(_)) => errors::trunk_port_in_use(last),
        InsertError::Store(StoreError::MissingReference(name)) if name == "port_id" => {
            errors::port_not_found(parent)
        }
        InsertError::Store(StoreError::MissingReference(_)) => errors::port_not_found(last),
        other => other.into(),
    }
}

/// Changes a trunk.
pub(crate) fn update(id: &str, changes: &Document) -> Result<()> {
    store::update::<Document>(COLLECTION, id, changes).map(drop)
}

/// What agents hear of: trunks that come and go.
pub(crate) fn subscription() -> Subscription {
    Subscription { collection: COLLECTION.to_owned(), on: vec![Moment::AfterCreate, Moment::AfterDelete] }
}

/// They have.
pub(crate) fn heard(event: &Heard) -> Result<()> {
    let documents = event.documents.iter().map(|text| Ok(serde_json::from_str(text)?));
    let became = match event.moment {
        Happened::AfterCreate => Event::Created,
        _ => Event::Deleted,
    };
    objects::tell(&documents.collect::<Result<Vec<Document>>>()?, became)
}

/// Removes trunks and gives their sub-ports up.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let mut ids = Vec::with_capacity(documents.len());
    for document in documents {
        let trunk = Trunk::deserialize(document.clone())?;
        trunk.check_enabled()?;
        let parent = ports::find(std::iter::once(trunk.port_id.as_str()))?;
        if parent.values().any(ports::Port::is_bound) {
            return Err(errors::trunk_in_use(&trunk.id));
        }
        ports::annotate(&trunk.port_id, None)?;
        ports::give_up(trunk.sub_ports.iter().map(|sub_port| sub_port.port_id.as_str()))?;
        ids.push(trunk.id);
    }
    Ok(store::delete(COLLECTION, &ids)?)
}

/// What an action was given.
fn given(body: &Value) -> Result<Vec<Asked>> {
    sub_ports::asked(body.get(SUB_PORTS).unwrap_or(&Value::Null)).map_err(Error::invalid_input)
}

/// Puts sub-ports into a trunk.
pub(crate) fn add(id: &str, body: &Value) -> Result<Value> {
    let trunk = get(id)?;
    let asked = given(body)?;
    let ports = || asked.iter().map(|one| one.port_id.as_str());
    let known = Known::load(ports().chain([trunk.port_id.as_str()]))?;
    let places = Places::of(ports())?;
    let added = chosen(asked.clone(), &trunk.port_id, &known, &places)?;
    trunk.check_enabled()?;
    if trunk.status == ERROR {
        return Err(errors::trunk_in_error(id));
    }
    let sub_ports =
        sub_ports::with(&trunk.sub_ports, added).map_err(|segment| errors::duplicate(&segment, id))?;
    let new = sub_ports.iter().filter(|one| !trunk.sub_ports.contains(one));
    objects::tell_sub_ports(id, new, Event::Created)?;
    rewire(&trunk, &sub_ports)
}

/// Takes sub-ports out of a trunk and gives them up.
pub(crate) fn remove(id: &str, body: &Value) -> Result<Value> {
    let trunk = get(id)?;
    trunk.check_enabled()?;
    let asked = given(body)?;
    let left = sub_ports::without(&trunk.sub_ports, &asked)
        .map_err(|missing| errors::sub_port_not_found(id, &missing))?;
    let gone = trunk.sub_ports.iter().filter(|one| !left.contains(one));
    objects::tell_sub_ports(id, gone, Event::Deleted)?;
    let answer = rewire(&trunk, &left)?;
    ports::give_up(asked.iter().map(|one| one.port_id.as_str()))?;
    Ok(answer)
}

/// Gives a trunk other sub-ports: until an agent has plugged them in it is down.
fn rewire(trunk: &Trunk, sub_ports: &[SubPort]) -> Result<Value> {
    if trunk.status == DOWN && trunk.sub_ports == *sub_ports {
        let current: Option<Document> = store::get(COLLECTION, &trunk.id)?;
        return Ok(shown(current.unwrap_or_default()));
    }
    let changes = json!({
        "status": DOWN,
        SUB_PORTS: sub_ports,
        MEMBERS: members(&trunk.port_id, sub_ports),
    });
    let written = store::try_update(COLLECTION, &trunk.id, &changes)
        .map_err(|error| not_written(error, &trunk.port_id, sub_ports))?;
    Ok(shown(serde_json::from_str(&written)?))
}

fn shown(mut document: Document) -> Value {
    document.shift_remove(MEMBERS);
    Value::Object(document)
}

/// The sub-ports of a trunk.
pub(crate) fn sub_ports_of(id: &str) -> Result<Value> {
    Ok(json!({ SUB_PORTS: get(id)?.sub_ports }))
}

/// Says how a trunk is.
pub(crate) fn set_status(trunk: &Trunk, status: &str) -> Result<()> {
    if trunk.status == status {
        return Ok(());
    }
    store::update::<Document>(COLLECTION, &trunk.id, &json!({ "status": status })).map(drop)
}

/// Trunks that have one of these ports as their parent.
pub(crate) fn of_parents<'a>(ports: impl Iterator<Item = &'a str>) -> Result<Vec<Trunk>> {
    store::find(COLLECTION, &Query::all().any_of("port_id", ports))
}
