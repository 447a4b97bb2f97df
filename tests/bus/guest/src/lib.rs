//! The plugin of the bus's tests: answers on the topic `echo`, keeps notes that
//! it is sent, and tells everybody of those that clients make.

use hadron_sdk::delivery::{Change, Entry, WorkOutcome};
use hadron_sdk::manifest::{Attribute, Collection, Topic, Validator};
use hadron_sdk::rpc::CallError;
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Context, Document, Error, Manifest, Operation, ResourceRef, Result, ServicePlugin, rpc};

/// Answers here.
const TOPIC: &str = "echo";
/// Tells of notes there.
const LISTENERS: &str = "listeners";
const NOTES: &str = "notes";
/// Asked there, of the kind of work, about notes that are questions.
const EXPERTS: &str = "experts";
const ASK: &str = "ask";

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
            let id = note.get("id").and_then(Value::as_str).unwrap_or_default();
            if let Some(question) =
                note.get("text").and_then(Value::as_str).filter(|text| text.ends_with('?'))
            {
                // Not now: the note may yet be undone.
                if !matches!(ask(question), Err(CallError::Denied(_))) {
                    return Err(Error::conflict("Called", "Somebody was called before the commit."));
                }
                rpc::to(EXPERTS)
                    .version("1.3")
                    .namespace("told")
                    .fanout("asked", &json!({"text": question}))?;
                let about = ResourceRef { collection: NOTES.to_owned(), id: id.to_owned() };
                hadron_sdk::later(&about, &[], ASK, &json!(question).to_string());
            }
        }
        Ok(())
    }

    fn delete(_: &Context, _: &str, notes: Vec<Document>) -> Result<()> {
        let ids: Vec<String> =
            notes.iter().filter_map(|note| note.get("id")?.as_str().map(str::to_owned)).collect();
        Ok(store::delete(NOTES, &ids)?)
    }

    /// What an expert answers is what the note says then.
    fn deliver(entry: Entry) -> WorkOutcome {
        let question: String = hadron_sdk::serde_json::from_str(&entry.payload).unwrap_or_default();
        let text = match ask(&question) {
            Ok(answer) => answer.as_str().unwrap_or_default().to_owned(),
            Err(CallError::Remote(error)) => format!("{}: {}", error.class, error.message),
            Err(CallError::TimedOut | CallError::Unreachable(_)) => return WorkOutcome::Later,
            Err(error) => return WorkOutcome::Refused(Error::conflict("NotAsked", format!("{error:?}"))),
        };
        WorkOutcome::Done(vec![Change {
            collection: NOTES.to_owned(),
            id: entry.about.id,
            operation: Operation::Update,
            document: json!({"text": text}).to_string(),
        }])
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

/// Asks one of the experts.
fn ask(question: &str) -> std::result::Result<Value, CallError> {
    rpc::to(EXPERTS).version("1.2").namespace("asked").call("answer", &json!({"text": question}), 1500)
}

fn keep(text: &str) -> Result<String> {
    let id = hadron_sdk::random::uuid();
    store::insert(NOTES, &[json!({"id": id, "project_id": "", "text": text})])?;
    Ok(id)
}

hadron_sdk::service_plugin!(Echo);
