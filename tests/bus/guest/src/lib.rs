//! The plugin of the bus's tests: answers on the topic `echo`, keeps notes that
//! it is sent, and tells everybody of those that clients make.

use hadron_sdk::manifest::{Attribute, Collection, Topic, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin, rpc};

/// Answers here.
const TOPIC: &str = "echo";
/// Tells of notes there.
const LISTENERS: &str = "listeners";
const NOTES: &str = "notes";

/// The plugin.
pub struct Echo;

impl ServicePlugin for Echo {
    fn manifest() -> Manifest {
        let text = Attribute {
            name: "text".into(),
            validate: Validator::String { max: Some(255) },
            post: true,
            required: true,
            filter: true,
            ..Attribute::default()
        };
        Manifest {
            collections: vec![Collection {
                name: NOTES.into(),
                member: "note".into(),
                attributes: vec![text],
                ..Collection::default()
            }],
            topics: vec![
                Topic::new(TOPIC).version("1.4").reads(&["count", "scribble", "whisper"]),
                Topic::new(TOPIC).namespace("shouted"),
                Topic::new("note.create.end"),
            ],
            ..hadron_sdk::manifest!("echo", "answers what it is asked")
        }
    }

    fn create(_: &Context, _: &str, bodies: Vec<Document>) -> Result<()> {
        store::insert(NOTES, &bodies)?;
        for note in &bodies {
            rpc::cast(LISTENERS, "note_created", &json!({"note": note}))?;
            rpc::fanout(LISTENERS, "note_told", &json!({"note": note}))?;
            rpc::notify("note.create.end", &json!({"note": note}))?;
        }
        Ok(())
    }

    fn delete(_: &Context, _: &str, notes: Vec<Document>) -> Result<()> {
        let ids: Vec<String> =
            notes.iter().filter_map(|note| note.get("id")?.as_str().map(str::to_owned)).collect();
        Ok(store::delete(NOTES, &ids)?)
    }

    fn receive(ctx: &Context, topic: &str, method: &str, arguments: Value) -> Result<Value> {
        match method {
            "echo" => Ok(arguments),
            "who" => Ok(json!({"request": ctx.caller.request_id, "admin": ctx.caller.is_admin})),
            "keep" => {
                let text = arguments.get("text").and_then(Value::as_str).unwrap_or_default();
                keep(text).map(Value::from)
            }
            // It is declared to read, and does not keep to it.
            "scribble" => keep("scribbled").map(Value::from),
            "whisper" => {
                rpc::cast(LISTENERS, "whispered", &json!({}))?;
                Ok(Value::Null)
            }
            "count" => Ok(json!(store::count(NOTES, &Query::all())?)),
            // What it wrote is undone with it.
            "refuse" => {
                keep("refused")?;
                Err(Error::conflict("NoteRefused", "There is no paper left."))
            }
            #[allow(clippy::panic, reason = "to show that it reaches nobody else")]
            "fall" => panic!("told to"),
            "note.create.end" => {
                let text = arguments.pointer("/note/text").and_then(Value::as_str).unwrap_or_default();
                if !text.starts_with("heard ") {
                    keep(&format!("heard {text}"))?;
                }
                Ok(Value::Null)
            }
            _ => Err(Error::no_such_method(topic, method)),
        }
    }
}

fn keep(text: &str) -> Result<String> {
    let id = hadron_sdk::random::uuid();
    store::insert(NOTES, &[json!({"id": id, "project_id": "", "text": text})])?;
    Ok(id)
}

hadron_sdk::service_plugin!(Echo);
