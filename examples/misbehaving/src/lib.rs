//! A driver that does what drivers must not, to show that only its own calls
//! fail for it. Its configuration says what, and for which networks.
#![deny(unsafe_code)]
#![allow(clippy::panic, reason = "misbehaving is its purpose")]

use hadron_sdk::delivery::{Change, Outcome, Report};
use hadron_sdk::http::Request;
use hadron_sdk::manifest::{ConfigKey, Requests};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::Query;
use hadron_sdk::{
    BindingAnswer, BindingRequest, Bound, Context, Document, Error, Manifest, MechanismDriver,
    NetworkContext, Operation, Result, config, log, store,
};

/// The driver.
pub struct Misbehaving;

/// The configured misdeed, if it is due for one of these names.
fn due<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mode: String = config::or("mode", String::new()).ok()?;
    let only: String = config::or("only", String::new()).ok()?;
    (only.is_empty() || names.any(|name| name == only)).then_some(mode)
}

fn eat() -> usize {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        // Written to, so that it is not optimised away.
        eaten.push(vec![eaten.len() as u8; 1 << 20]);
        if eaten.len() > 1 << 14 {
            return eaten.iter().map(Vec::len).sum();
        }
    }
}

fn spin() -> u64 {
    let mut turns = 0u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
        if turns == u64::MAX {
            return turns;
        }
    }
}

/// Deeper with each call, and with something to do on the way back.
fn dive(depth: u64) -> u64 {
    match std::hint::black_box(depth) {
        u64::MAX => 0,
        depth => std::hint::black_box(dive(depth + 1)) + depth,
    }
}

fn call_out() -> Result<()> {
    let url: String = config::or("endpoint", String::new())?;
    match Request::new("GET", &url).send() {
        Ok(answer) => Err(Error::internal(format!("it got out: {}", answer.status))),
        Err(error) => Err(Error::forbidden("CalledOut", format!("{error:?}"))),
    }
}

/// What can be done in either phase.
fn misbehave(mode: &str) {
    match mode {
        "trap" => panic!("this driver was told to panic"),
        "loop" => log::info(&format!("turned {} times", spin())),
        "eat-memory" => log::info(&format!("ate {} bytes", eat())),
        "overflow-stack" => log::info(&format!("came back from {}", dive(0))),
        "flood-log" => (0..100_000).for_each(|line| log::info(&format!("line {line} {}", "x".repeat(1000)))),
        _ => {}
    }
}

impl MechanismDriver for Misbehaving {
    fn manifest() -> Manifest {
        let key = |name: &str, description: &str, default: Value| ConfigKey {
            name: name.into(),
            description: description.into(),
            default,
        };
        Manifest {
            hooks: ["network-precommit", "network-postcommit", "bind-port"].map(String::from).to_vec(),
            config: vec![
                key(
                    "mode",
                    "what to do: trap, loop, eat-memory, overflow-stack, flood-log, call-out-in-precommit, veto; after-trap, after-loop, after-call-out, after-store, after-change; bind-trap, bind-bad-json, bind-wrong-segment, bind-too-few",
                    json!(""),
                ),
                key("only", "the name of the networks to do it for; empty for all", json!("")),
                key("endpoint", "where to call out to", json!("http://127.0.0.1:1/")),
            ],
            requests: Requests { http: true, ..Requests::default() },
            ..hadron_sdk::manifest!("misbehaving", "does what drivers must not")
        }
    }

    fn network_precommit(_: &Context, operation: Operation, items: Vec<NetworkContext>) -> Result<()> {
        let Some(mode) = due(items.iter().map(|item| item.current.name.as_str())) else { return Ok(()) };
        if operation == Operation::Delete {
            return Ok(());
        }
        match mode.as_str() {
            "call-out-in-precommit" => call_out(),
            "veto" => Err(Error::conflict("Vetoed", "This driver wants no such network.")),
            mode => {
                misbehave(mode);
                Ok(())
            }
        }
    }

    fn network_postcommit(operation: Operation, items: Vec<NetworkContext>) -> Outcome {
        let Some(mode) = due(items.iter().map(|item| item.current.name.as_str())) else {
            return Outcome::ok();
        };
        if operation == Operation::Delete {
            return Outcome::ok();
        }
        match mode.as_str() {
            "after-call-out" => match call_out() {
                Err(error) => Outcome::Refused(error),
                Ok(()) => Outcome::ok(),
            },
            "after-store" => match store::find::<Document>("networks", &Query::all()) {
                Err(error) => Outcome::Refused(error),
                Ok(_) => Outcome::ok(),
            },
            // A change to a collection that is not its own.
            "after-change" => Outcome::Done(Report {
                changes: items
                    .iter()
                    .map(|item| Change {
                        collection: "networks".into(),
                        id: item.current.id.clone(),
                        operation: Operation::Update,
                        document: r#"{"name": "stolen"}"#.into(),
                    })
                    .collect(),
                ..Report::default()
            }),
            mode => {
                if let Some(mode) = mode.strip_prefix("after-") {
                    misbehave(mode);
                }
                Outcome::ok()
            }
        }
    }

    fn bind_port(_: &Context, requests: Vec<BindingRequest>) -> Result<Vec<BindingAnswer>> {
        let names = requests.iter().map(|request| request.port.network.name.as_str());
        let mode = due(names).unwrap_or_default();
        let bound = |segment: &str, details: &str| {
            BindingAnswer::Bound(Bound {
                segment_id: segment.into(),
                vif_type: "other".into(),
                vif_details: details.into(),
                status: "ACTIVE".into(),
            })
        };
        let answer = |request: &BindingRequest| {
            let segment = request.segments.first().map_or("", |segment| segment.id.as_str());
            match mode.as_str() {
                "bind-bad-json" => bound(segment, "{no json"),
                "bind-wrong-segment" => bound("11111111-2222-4333-8444-555555555555", "{}"),
                _ => BindingAnswer::Decline,
            }
        };
        match mode.as_str() {
            "bind-trap" => panic!("this driver was told to panic"),
            "bind-too-few" => Ok(Vec::new()),
            _ => Ok(requests.iter().map(answer).collect()),
        }
    }
}

hadron_sdk::mechanism_driver!(Misbehaving);
