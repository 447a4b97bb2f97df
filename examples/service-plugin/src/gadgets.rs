//! Rules of gadgets.

use crate::declaration::TOPIC;
use crate::parts;
use hadron_sdk::delivery::{Change, Entry, WorkOutcome};
use hadron_sdk::http::Request;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Comparison, InsertError, Query, StoreError};
use hadron_sdk::{Document, Error, Operation, ResourceRef, Result, config, later, log, resources, rpc};

const COLLECTION: &str = "gadgets";

/// Coats of polish one can take at a time.
const MOST_COATS: u64 = 10;

/// A member that is a text; empty where it is missing.
pub(crate) fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Makes gadgets, each with a port if it is to be plugged in. The rows are
/// written before other plugins are asked: they may ask back.
pub(crate) fn create(mut bodies: Vec<Document>) -> Result<()> {
    for body in &mut bodies {
        body.insert("shine".into(), json!(0));
        body.insert("port_id".into(), Value::Null);
        body.insert("acknowledged".into(), json!(false));
        body.insert("announced".into(), json!(false));
    }
    store::insert(COLLECTION, &bodies).map_err(not_written)?;
    for body in &bodies {
        let id = text(body, "id");
        if body.get("plugged") == Some(&json!(true)) {
            plug(id, body)?;
        }
        announce_later(id, body);
        changed(id)?;
    }
    Ok(())
}

fn not_written(error: InsertError) -> Error {
    match error {
        InsertError::Store(StoreError::MissingReference(_)) => {
            Error::not_found("NetworkNotFound", "A gadget's network could not be found.")
        }
        other => other.into(),
    }
}

/// Makes a port for it, by the rules of whoever owns ports.
fn plug(id: &str, body: &Document) -> Result<()> {
    let port = json!({
        "network_id": body.get("network_id"),
        "name": format!("gadget {}", text(body, "name")),
        "device_id": id,
        "device_owner": "acme:gadget",
    });
    let made: Vec<Document> = resources::create("ports", &[port])?;
    let port = made.first().ok_or_else(|| Error::internal("a port was asked for and none was made"))?;
    store::update::<Document>(COLLECTION, id, &json!({"port_id": port.get("id")}))?;
    Ok(())
}

/// Tells everybody who listens that a gadget changed; sent after the commit.
fn changed(id: &str) -> Result<()> {
    rpc::cast(TOPIC, "gadget_changed", &json!({"id": id}))
}

/// The message comes back, as it would to any agent that listens.
pub(crate) fn acknowledge(arguments: &Value) -> Result<Value> {
    let id = arguments.get("id").and_then(Value::as_str).unwrap_or_default();
    match store::get::<Document>(COLLECTION, id)? {
        Some(gadget) if gadget.get("acknowledged") == Some(&json!(false)) => {
            store::update::<Document>(COLLECTION, id, &json!({"acknowledged": true}))?;
        }
        // It was acknowledged before, or is gone.
        _ => {}
    }
    Ok(Value::Null)
}

/// Has `announce` called after the commit.
fn announce_later(id: &str, body: &Document) {
    let about = ResourceRef { collection: COLLECTION.into(), id: id.into() };
    let payload = json!({"id": id, "name": text(body, "name")});
    later(&about, &[], "announce", &payload.to_string());
}

/// Tells the webhook of a new gadget; the gadget shows when that is done.
pub(crate) fn announce(entry: &Entry) -> WorkOutcome {
    let webhook = match config::get::<String>("webhook") {
        Ok(Some(webhook)) => webhook,
        Ok(None) => return WorkOutcome::Done(Vec::new()),
        Err(error) => return WorkOutcome::Refused(error),
    };
    let mut request = Request::new("POST", &webhook).header("content-type", "application/json");
    request.body = entry.payload.clone().into_bytes();
    match request.send() {
        Ok(answer) if answer.is_success() => WorkOutcome::Done(vec![Change {
            collection: COLLECTION.into(),
            id: entry.about.id.clone(),
            operation: Operation::Update,
            document: r#"{"announced": true}"#.into(),
        }]),
        other => {
            log::warn(&format!("gadget {} could not be announced: {other:?}", entry.about.id));
            WorkOutcome::Later
        }
    }
}

/// Changes one.
pub(crate) fn update(id: &str, changes: Document) -> Result<()> {
    store::update::<Document>(COLLECTION, id, &changes)?;
    changed(id)
}

/// Removes gadgets, and the ports made for them.
pub(crate) fn delete(documents: &[Document]) -> Result<()> {
    let ids: Vec<String> = documents.iter().map(|document| text(document, "id").to_owned()).collect();
    store::delete(COLLECTION, &ids)?;
    for port in documents.iter().map(|document| text(document, "port_id")).filter(|id| !id.is_empty()) {
        match resources::delete("ports", port) {
            // Somebody else removed it.
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// `PUT /v2.0/gadgets/{id}/polish` with `{"coats": 3}`.
pub(crate) fn polish(id: &str, body: &Value) -> Result<Value> {
    let coats = body.get("coats").map_or(Some(1), Value::as_u64);
    let coats = coats.filter(|coats| (1..=MOST_COATS).contains(coats)).ok_or_else(|| {
        Error::invalid_input(format!("'coats' must be a whole number from 1 to {MOST_COATS}"))
    })?;
    let gadget: Document = store::get(COLLECTION, id)?
        .ok_or_else(|| Error::not_found("GadgetNotFound", format!("Gadget {id} could not be found.")))?;
    let shine = gadget.get("shine").and_then(Value::as_u64).unwrap_or_default() + coats;
    let gadget: Document = store::update(COLLECTION, id, &json!({ "shine": shine }))?;
    Ok(json!({"id": id, "shine": gadget.get("shine")}))
}

/// Every second a coat of polish comes off.
pub(crate) fn wear_off() -> Result<()> {
    let shiny = Query::all().condition("shine", Comparison::Greater, [0]);
    for gadget in store::find::<Document>(COLLECTION, &shiny)? {
        let shine = gadget.get("shine").and_then(Value::as_u64).unwrap_or_default().saturating_sub(1);
        store::update::<Document>(COLLECTION, text(&gadget, "id"), &json!({ "shine": shine }))?;
    }
    Ok(())
}

/// `weight`: that of all parts; one query for the page.
pub(crate) fn compute(documents: &[Document]) -> Result<Vec<Document>> {
    let ids: Vec<&str> = documents.iter().map(|document| text(document, "id")).collect();
    let weights = parts::weights(&ids)?;
    Ok(weights
        .into_iter()
        .map(|weight| Document::from_iter([("weight".to_owned(), json!(weight))]))
        .collect())
}
