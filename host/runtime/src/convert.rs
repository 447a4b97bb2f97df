//! Between the contract's types and the host's own.

use crate::bindings::{exported, store as wit_store, types};
use crate::plugins::Plugin;
use crate::unit::{Failure, Unit};
use crate::{Refusal, Status};
use hadron_manifest::Moment;
use hadron_store::{Direction, Predicate, Query};
use serde_json::{Map, Value};

/// The context that a call of this unit carries.
pub(crate) fn context(unit: &Unit) -> types::Context {
    types::Context {
        unit_id: unit.id.clone(),
        caller: types::Caller {
            request_id: unit.caller.request_id.clone(),
            user_id: unit.caller.user_id.clone(),
            project_id: unit.caller.project_id.clone(),
            roles: unit.caller.roles.clone(),
            is_admin: unit.caller.is_admin,
        },
    }
}

/// A plugin's refusal.
pub(crate) fn refusal(error: types::Error) -> Refusal {
    let (status, fault) = match error {
        types::Error::Invalid(fault) => (Status::Invalid, fault),
        types::Error::Forbidden(fault) => (Status::Forbidden, fault),
        types::Error::NotFound(fault) => (Status::NotFound, fault),
        types::Error::Conflict(fault) => (Status::Conflict, fault),
        types::Error::Unavailable(fault) => (Status::Unavailable, fault),
        types::Error::Internal(fault) => (Status::Internal, fault),
        types::Error::Other((status @ 400..=599, fault)) => (Status::Other(status), fault),
        types::Error::Other((_, fault)) => (Status::Internal, fault),
    };
    Refusal::new(status, fault.kind, fault.message)
}

/// A refusal, for a plugin that asked another.
pub(crate) fn error(refusal: Refusal) -> types::Error {
    let fault = types::Fault { kind: refusal.kind, message: refusal.message, detail: String::new() };
    match refusal.status {
        Status::Invalid => types::Error::Invalid(fault),
        Status::Forbidden => types::Error::Forbidden(fault),
        Status::NotFound => types::Error::NotFound(fault),
        Status::Conflict => types::Error::Conflict(fault),
        Status::Precondition => types::Error::Other((412, fault)),
        Status::Unavailable => types::Error::Unavailable(fault),
        Status::Internal => types::Error::Internal(fault),
        Status::Other(status) => types::Error::Other((status, fault)),
    }
}

/// Takes a failure back to the plugin that called: refusals as values, the
/// need to run again past it, to the unit's runner.
pub(crate) fn answer<T>(result: Result<T, Failure>) -> wasmtime::Result<Result<T, types::Error>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(again @ Failure::Again(_)) => Err(crate::state::Abort(again).into()),
        Err(failure) => Ok(Err(error(failure.refusal()))),
    }
}

/// A moment, in the contract's words.
pub(crate) fn moment(moment: Moment) -> exported::subscriber::Moment {
    use exported::subscriber::Moment as To;
    match moment {
        Moment::BeforeCreate => To::BeforeCreate,
        Moment::AfterCreate => To::AfterCreate,
        Moment::BeforeUpdate => To::BeforeUpdate,
        Moment::AfterUpdate => To::AfterUpdate,
        Moment::BeforeDelete => To::BeforeDelete,
        Moment::AfterDelete => To::AfterDelete,
    }
}

/// A plugin answered something that the contract does not allow.
pub(crate) fn misbehaved(plugin: &Plugin, hook: &'static str, reason: String) -> Failure {
    Failure::Plugin {
        plugin: plugin.manifest.name.clone(),
        version: plugin.manifest.version.clone(),
        hook,
        reason,
    }
}

/// A plugin's JSON.
pub(crate) fn parse(plugin: &Plugin, hook: &'static str, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| misbehaved(plugin, hook, format!("it answered with bad JSON: {error}")))
}

/// A plugin's JSON object.
pub(crate) fn object(plugin: &Plugin, hook: &'static str, text: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(text)
        .map_err(|error| misbehaved(plugin, hook, format!("it answered with bad JSON: {error}")))
}

/// A plugin's conditions as a predicate; the error is a sentence.
pub(crate) fn predicate(conditions: &[wit_store::Condition]) -> Result<Predicate, String> {
    conditions.iter().map(condition).collect::<Result<_, _>>().map(Predicate::All)
}

fn condition(condition: &wit_store::Condition) -> Result<Predicate, String> {
    use wit_store::Comparison;
    let name = || condition.attribute.clone();
    let values: Vec<Value> = condition
        .values
        .iter()
        .map(|text| {
            serde_json::from_str(text)
                .map_err(|e| format!("a value for '{}' is no JSON: {e}", condition.attribute))
        })
        .collect::<Result<_, _>>()?;
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        other => Err(format!("'{}' is compared as text with {other}", condition.attribute)),
    };
    let one = || {
        values.first().cloned().ok_or_else(|| format!("'{}' is compared with nothing", condition.attribute))
    };
    Ok(match condition.comparison {
        Comparison::Equal => Predicate::In(name(), values),
        Comparison::NotEqual => Predicate::Not(Box::new(Predicate::In(name(), values))),
        Comparison::Contains => Predicate::Any(
            values
                .into_iter()
                .map(|v| Ok(Predicate::Contains(name(), text(v)?)))
                .collect::<Result<_, String>>()?,
        ),
        Comparison::StartsWith => Predicate::Any(
            values
                .into_iter()
                .map(|v| Ok(Predicate::StartsWith(name(), text(v)?)))
                .collect::<Result<_, String>>()?,
        ),
        Comparison::Less => Predicate::Less(name(), one()?),
        Comparison::Greater => Predicate::Greater(name(), one()?),
    })
}

/// A plugin's query; the error is a sentence.
pub(crate) fn query(query: &wit_store::Query) -> Result<Query, String> {
    Ok(Query {
        predicate: predicate(&query.conditions)?,
        sort: query.sort.iter().map(|name| (name.clone(), Direction::Ascending)).collect(),
        limit: (query.limit > 0).then_some(query.limit),
        marker: None,
        reverse: false,
    })
}
