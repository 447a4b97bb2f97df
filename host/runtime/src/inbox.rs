//! Messages that arrive, each handed to the plugin that declared its topic, in a
//! unit of work of its own.
//!
//! The topics of all plugins are consumed once in a server. Where several
//! plugins declare one, a message goes to the first that has the method; one
//! that goes to every server goes to all of them.

use crate::background::by_itself;
use crate::plugins::Plugin;
use crate::request::{self, follow_in_background, request_id};
use crate::unit::{Failure, Unit};
use crate::{Caller, Core, convert};
use futures::future::BoxFuture;
use hadron_bus::{Message, NO_SUCH_METHOD, RemoteError, Spread, Taken};
use hadron_manifest::Topic;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Consumes the topics of all plugins that take part.
pub(crate) async fn serve(core: Arc<Core>) {
    let mut consuming: HashMap<String, JoinSet<()>> = HashMap::new();
    let mut changes = core.changes.subscribe();
    loop {
        let set = core.set.load_full();
        let wanted: BTreeSet<&str> = set
            .active()
            .flat_map(|plugin| &plugin.manifest.topics)
            .map(|topic| topic.name.as_str())
            .collect();
        // Those that nobody declares any more are dropped, and so aborted; what
        // was taken of them is finished.
        consuming.retain(|topic, _| wanted.contains(topic.as_str()));
        for topic in wanted {
            consuming.entry(topic.to_owned()).or_insert_with(|| {
                let mut task = JoinSet::new();
                task.spawn(consume(core.clone(), topic.to_owned()));
                task
            });
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Takes messages one after the other and has them handled side by side, as
/// many as there are places; others wait at the broker.
async fn consume(core: Arc<Core>, topic: String) {
    let mut consumer = core.bus.consume(&topic);
    while let Some(delivery) = consumer.next().await {
        let Ok(place) = core.inbox.clone().acquire_owned().await else { return };
        let taken = delivery.take().await;
        let handling = core.clone();
        core.tasks.spawn(async move {
            handle(&handling, taken).await;
            drop(place);
        });
    }
}

async fn handle(core: &Arc<Core>, taken: Taken) {
    let Taken { message, spread, answering } = taken;
    let id = asked_as(&message);
    by_itself(&id, async {
        let answer = answer(core, &id, &message, spread).await;
        let Message { topic, method, .. } = &message;
        match &answer {
            Ok(_) => {}
            // Who asked is told.
            Err(error) if answering.is_awaited() => {
                tracing::info!(topic, method, %error, "a call is refused")
            }
            Err(error) => tracing::warn!(topic, method, %error, "a message could not be handled"),
        }
        core.metrics.handled(&message.topic, answer.is_err());
        answering.send(answer);
    })
    .await;
}

/// The sender's request goes on here, so that its lines are found by one id;
/// what is no such id is not let into the log.
fn asked_as(message: &Message) -> String {
    let given = message
        .request_id
        .as_deref()
        .filter(|id| id.strip_prefix("req-").is_some_and(|id| uuid::Uuid::try_parse(id).is_ok()));
    given.map_or_else(request_id, str::to_owned)
}

/// Whether a message is one of those that a plugin declares.
fn fits(topic: &Topic, message: &Message) -> bool {
    topic.name == message.topic
        && topic.namespace == message.namespace
        && topic.version.as_deref().is_none_or(|version| {
            version.parse::<hadron_bus::Version>().is_ok_and(|version| version.understands(message.version))
        })
}

async fn answer(core: &Arc<Core>, id: &str, message: &Message, spread: Spread) -> Result<Value, RemoteError> {
    let set = core.set.load_full();
    let listens = |plugin: &&Arc<Plugin>| plugin.manifest.topics.iter().any(|topic| fits(topic, message));
    let mut listeners = set.active().filter(listens).peekable();
    if listeners.peek().is_none() {
        return Err(RemoteError::unsupported_version(message));
    }
    let mut answer = Err(RemoteError::no_such_method(&message.topic, &message.method));
    // Such names are never called from outside, by the peers' convention.
    if message.method.starts_with('_') {
        return answer;
    }
    for plugin in listeners {
        match receive(core, id, plugin, message).await {
            Err(Failure::Refused(refusal)) if refusal.kind == NO_SUCH_METHOD => continue,
            Ok(value) => answer = Ok(value),
            Err(failure) => {
                let refusal = failure.refusal();
                answer = Err(RemoteError::new(refusal.kind, refusal.message));
            }
        }
        if spread == Spread::Cast {
            break;
        }
    }
    answer
}

/// Whether the plugin says of the message that handling it only reads.
fn reads(plugin: &Plugin, message: &Message) -> bool {
    plugin.manifest.topics.iter().any(|topic| fits(topic, message) && topic.reads.contains(&message.method))
}

/// How many items a message names: what is in the lists among its arguments, which
/// may be objects of lists.
fn items(arguments: &Value) -> usize {
    match arguments {
        Value::Array(list) => list.len(),
        Value::Object(members) => members.values().map(items).sum(),
        _ => 0,
    }
}

/// Has one plugin handle a message, as a unit of work of the system.
async fn receive(
    core: &Arc<Core>,
    id: &str,
    plugin: &Arc<Plugin>,
    message: &Message,
) -> Result<Value, Failure> {
    let caller = Caller::system(id);
    let (called, message) = (plugin.clone(), Arc::new(message.clone()));
    let reads = reads(plugin, &message);
    let work = move |unit: Arc<Unit>| -> BoxFuture<'static, Result<Value, Failure>> {
        let (plugin, message) = (called.clone(), message.clone());
        Box::pin(async move {
            unit.budget.named(items(&message.arguments));
            let ctx = convert::context(&unit);
            let text = unit
                .call(&plugin, "receive", move |instance| {
                    Box::pin(async move {
                        let (exports, store) = instance.service()?;
                        let Message { topic, method, arguments, .. } = &*message;
                        let arguments = arguments.to_string();
                        exports
                            .hadron_host_messages()
                            .call_receive(store, &ctx, topic, method, &arguments)
                            .await
                    })
                })
                .await?
                .map_err(|error| Failure::Refused(convert::refusal(error)))?;
            convert::parse(&plugin, "receive", &text)
        })
    };
    if reads {
        return request::read(core, caller, work).await;
    }
    let (value, committed) = request::run(core, caller, work).await?;
    follow_in_background(core, id, committed);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_bus::Version;
    use serde_json::json;

    #[test]
    fn a_message_fits_by_topic_namespace_and_version() {
        let message = |version: &str, namespace: Option<&str>| Message {
            version: version.parse::<Version>().unwrap(),
            namespace: namespace.map(str::to_owned),
            ..Message::new("t", "m", json!({}))
        };
        let (plain, ours) = (message("1.2", None), message("1.2", Some("n")));
        assert!(fits(&Topic::new("t"), &plain) && fits(&Topic::new("t"), &message("7.0", None)));
        assert!(fits(&Topic::new("t").version("1.2"), &plain));
        assert!(!fits(&Topic::new("t").version("1.1"), &plain));
        assert!(!fits(&Topic::new("t").version("2.9"), &plain));
        assert!(!fits(&Topic::new("other"), &plain));
        assert!(!fits(&Topic::new("t"), &ours));
        assert!(fits(&Topic::new("t").namespace("n"), &ours));
        assert!(!fits(&Topic::new("t").namespace("n"), &plain));
    }

    #[test]
    fn what_a_message_names_is_in_its_lists() {
        let pulled = json!({"resource_type": "Port", "filter_kwargs": {"id": ["a", "b", ["c", "d"]]}});
        assert_eq!(items(&pulled), 3);
        assert_eq!(items(&json!({"devices_up": ["a"], "devices_down": ["b", "c"], "host": "h"})), 3);
        assert_eq!(items(&json!(null)), 0);
    }

    #[test]
    fn only_what_looks_like_a_requests_id_is_taken_for_one() {
        let given =
            |id: &str| Message { request_id: Some(id.to_owned()), ..Message::new("t", "m", json!({})) };
        let good = "req-10460669-e755-44c4-abc1-4f37dd0666eb";
        assert_eq!(asked_as(&given(good)), good);
        for bad in ["", "req-", "req-1\nreq-2", "10460669-e755-44c4-abc1-4f37dd0666eb"] {
            let id = asked_as(&given(bad));
            assert!(id != bad && id.starts_with("req-") && id.len() == good.len(), "{id}");
        }
    }
}
