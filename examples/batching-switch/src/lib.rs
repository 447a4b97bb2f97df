//! Configures slow switches: the changes of many requests, in few sessions, at a
//! bounded rate, without losing one. `README.md` says how, and why so.
//!
//! | module | what is in it |
//! |---|---|
//! | this one | what is heard and when; nothing is decided here |
//! | [`devices`] | which device has which hosts, and what it does now |
//! | [`queue`] | ports that a device is to be told of |
//! | [`session`] | what goes into a session, and when: without asking anybody |
//! | [`switch`] | the switch's interface: replace this |
#![deny(unsafe_code)]

mod devices;
mod queue;
mod session;
mod switch;

use hadron_sdk::delivery::{Change, Entry, WorkOutcome};
use hadron_sdk::events::{Event, Moment};
use hadron_sdk::manifest::{self, ConfigKey, Requests, ResourceRequest, Subscription, Tick, Verb};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin, config, now, serde_json};
use session::Session;

/// The plugin.
pub struct BatchingSwitch;

impl ServicePlugin for BatchingSwitch {
    fn manifest() -> Manifest {
        let key = |name: &str, description: &str, default: Value| ConfigKey {
            name: name.to_owned(),
            description: description.to_owned(),
            default,
        };
        Manifest {
            collections: vec![queue::collection(), devices::collection()],
            events: vec![Subscription {
                collection: "ports".to_owned(),
                on: vec![
                    manifest::Moment::AfterCreate,
                    manifest::Moment::BeforeUpdate,
                    manifest::Moment::AfterUpdate,
                    manifest::Moment::AfterDelete,
                ],
            }],
            ticks: vec![Tick { name: "sessions".to_owned(), every_seconds: 1 }],
            start: true,
            config: vec![
                key(
                    devices::DEVICES,
                    "devices by name: endpoint, as http://10.0.0.5:8080/v1, and hosts",
                    json!({}),
                ),
                key("most", "ports that one session tells of, at most", json!(100)),
                key("interval_ms", "time between a device's sessions, ms", json!(1000)),
                key("timeout_ms", "how long a session may take, ms", json!(5000)),
            ],
            requests: Requests {
                http: true,
                secrets: vec![switch::TOKEN.to_owned()],
                resources: vec![ResourceRequest {
                    collection: queue::NETWORKS.to_owned(),
                    verbs: vec![Verb::Get],
                }],
                system: true,
                ..Requests::default()
            },
            ..hadron_sdk::manifest!("batching-switch", "configures slow switches: many changes, one session")
        }
    }

    /// A plugin that could never do its work is better refused when it is added.
    fn start(_: &Context) -> Result<()> {
        devices::configured()?.values().try_for_each(devices::Device::check)?;
        limits().map(drop)
    }

    /// Inside the request's transaction: what becomes of a port is written down
    /// for the device of its host.
    fn notify(_: &Context, event: Event) -> Result<()> {
        let devices = devices::configured()?;
        let of = |port: &Document, host: &str| {
            let name = devices::of_host(&devices, queue::text(port, host))?;
            Some((name.to_owned(), port.clone()))
        };
        let read = |texts: &[String]| -> Result<Vec<Document>> {
            texts.iter().map(|text| Ok(serde_json::from_str(text)?)).collect()
        };
        let ports = read(&event.documents)?;
        let told = ports.iter().filter_map(|port| of(port, queue::HOST));
        match event.moment {
            Moment::AfterCreate | Moment::AfterUpdate => queue::put(told, queue::wanted),
            Moment::AfterDelete => queue::put(told, queue::gone),
            // It leaves the host that it was on.
            Moment::BeforeUpdate => {
                let changes = read(&event.changes)?;
                let leaves = |(port, changes): &(&Document, &Document)| {
                    changes.get(queue::HOST).is_some_and(|host| port.get(queue::HOST) != Some(host))
                };
                let leaving = ports.iter().zip(&changes).filter(leaves);
                queue::put(leaving.filter_map(|(port, _)| of(port, queue::HOST)), queue::gone)
            }
            Moment::BeforeCreate | Moment::BeforeDelete => Ok(()),
        }
    }

    /// Begins a session with each device that has something to be told, and may
    /// be told now.
    fn tick(_: &Context, _: &str) -> Result<()> {
        let limits = limits()?;
        for name in devices::configured()?.keys() {
            let state = devices::state(name)?;
            let Some(room) = session::room(&state, now(), limits) else { continue };
            let waiting = queue::first(name, room)?;
            let ids: Vec<String> = waiting.iter().map(|(id, _)| id.clone()).collect();
            let changes = session::merged(&state.retry, waiting.into_iter().map(|(_, change)| change));
            if changes.is_empty() {
                continue;
            }
            devices::begin(name, &state, &Session { changes, failures: state.failures })?;
            queue::take(&ids)?;
        }
        Ok(())
    }

    /// After the commit, again where a crash cut it short.
    fn deliver(entry: Entry) -> WorkOutcome {
        let device = entry.about.id.clone();
        let told = serde_json::from_str::<Session>(&entry.payload)
            .map_err(Error::from)
            .and_then(|session| Ok((switch::tell(&device, &entry.id, &session)?, session)));
        match told {
            Ok((told, session)) => WorkOutcome::Done(vec![devices::end(&device, &session, told)]),
            Err(error) => WorkOutcome::Refused(error),
        }
    }
}

fn limits() -> Result<session::Limits> {
    let (most, interval_ms): (u32, u64) = (config::or("most", 100)?, config::or("interval_ms", 1000)?);
    match most {
        0 => Err(Error::internal("the configuration key 'most' must be at least 1")),
        most => Ok(session::Limits { most, interval_ms }),
    }
}

/// Changes to a row of the plugin's own, by what came of its work.
fn changed(collection: &str, id: &str, document: &Value) -> Change {
    Change {
        collection: collection.to_owned(),
        id: id.to_owned(),
        operation: hadron_sdk::Operation::Update,
        document: document.to_string(),
    }
}

hadron_sdk::service_plugin!(BatchingSwitch);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&BatchingSwitch::manifest()), Vec::<String>::new());
    }
}
