//! Other plugins' resources, through their owners' rules.

use crate::bindings::resources::{Host, Query};
use crate::bindings::types::Error;
use crate::state::HostState;
use crate::unit::{Failure, Unit};
use crate::{Guard, Refusal, Status, convert, operations};
use hadron_manifest::Verb;
use hadron_store::{CollectionId, Predicate, Row};
use serde_json::{Map, Value};
use std::sync::Arc;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

fn invalid(sentence: String) -> Failure {
    Failure::Refused(Refusal::new(Status::Internal, "PluginFailed", sentence))
}

fn body(text: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(text).map_err(|error| invalid(format!("the body is no JSON object: {error}")))
}

impl HostState {
    /// The collection, if this plugin may do that to it: what its manifest
    /// asks for *and* the operator grants.
    fn granted(&self, name: &str, verb: Verb) -> Result<(Arc<Unit>, CollectionId), Failure> {
        let unit = self
            .unit()
            .cloned()
            .ok_or_else(|| invalid("resources can be used inside a unit of work only".to_owned()))?;
        let (id, _) = unit.set.public(name).ok_or_else(|| {
            Refusal::new(Status::NotFound, "HTTPNotFound", format!("no loaded plugin serves {name}"))
        })?;
        let id = id.clone();
        if verb != Verb::Get && unit.set.owner(&id).is_some_and(|(_, c)| c.of.is_some()) {
            return Err(invalid(format!("{name} are a view: they are written by what they are of")));
        }
        let asked = self
            .plugin
            .manifest
            .requests
            .resources
            .iter()
            .any(|r| r.collection == name && r.verbs.contains(&verb));
        let allowed = match &self.plugin.grants.resources {
            Some(grants) => grants.get(name).is_some_and(|verbs| verbs.contains(&verb)),
            None => true,
        };
        if *id.plugin != *self.plugin.name() && !(asked && allowed) {
            let why =
                if asked { "the operator did not grant it" } else { "its manifest does not ask for it" };
            return Err(Failure::Refused(Refusal::new(
                Status::Forbidden,
                "PluginNotGranted",
                format!("plugin '{}' may not {verb:?} {name}: {why}", self.plugin.name()).to_lowercase(),
            )));
        }
        Ok((unit, id))
    }

    /// Rows that a call of this plugin may see.
    fn visible(&self, unit: &Unit, id: &CollectionId, verb: Verb) -> Predicate {
        if self.plugin.manifest.requests.system && self.plugin.grants.system == Some(true) {
            return Predicate::always();
        }
        unit.core.rows(&unit.caller, id, verb)
    }

    /// A guard that lets through what the plugin may see.
    async fn guard(
        &self,
        unit: &Arc<Unit>,
        id: &CollectionId,
        row: &str,
        verb: Verb,
    ) -> Result<Guard, Failure> {
        let visible = self.visible(unit, id, verb);
        let seen = operations::show(unit, id, row, visible).await?.is_some();
        Ok(Arc::new(move |row: Option<&Row>| match row {
            Some(_) if !seen => {
                Err(Refusal::new(Status::NotFound, "HTTPNotFound", "The resource could not be found."))
            }
            _ => Ok(()),
        }))
    }
}

fn documents(rows: Vec<Row>) -> Vec<String> {
    rows.iter().map(Row::json).collect()
}

impl Host for HostState {
    async fn get(&mut self, collection: String, id: String) -> Answer<Option<String>> {
        convert::answer(
            async {
                let (unit, owner) = self.granted(&collection, Verb::Get)?;
                let visible = self.visible(&unit, &owner, Verb::Get);
                Ok(operations::show(&unit, &owner, &id, visible).await?.map(|row| row.json()))
            }
            .await,
        )
    }

    async fn find(&mut self, collection: String, query: Query) -> Answer<Vec<String>> {
        convert::answer(
            async {
                let (unit, owner) = self.granted(&collection, Verb::Get)?;
                let mut query = convert::query(&query).map_err(invalid)?;
                query.predicate =
                    Predicate::All(vec![query.predicate, self.visible(&unit, &owner, Verb::Get)]);
                Ok(documents(operations::find(&unit, &owner, query).await?))
            }
            .await,
        )
    }

    async fn create(&mut self, collection: String, bodies: Vec<String>) -> Answer<Vec<String>> {
        convert::answer(
            async {
                let (unit, owner) = self.granted(&collection, Verb::Create)?;
                let bodies = bodies.iter().map(|text| body(text)).collect::<Result<_, _>>()?;
                Ok(documents(operations::create(&unit, &owner, bodies).await?))
            }
            .await,
        )
    }

    async fn update(&mut self, collection: String, id: String, changes: String) -> Answer<String> {
        convert::answer(
            async {
                let (unit, owner) = self.granted(&collection, Verb::Update)?;
                let guard = self.guard(&unit, &owner, &id, Verb::Update).await?;
                Ok(operations::update(&unit, &owner, &id, body(&changes)?, &guard).await?.json())
            }
            .await,
        )
    }

    async fn delete(&mut self, collection: String, id: String) -> Answer<()> {
        convert::answer(
            async {
                let (unit, owner) = self.granted(&collection, Verb::Delete)?;
                let guard = self.guard(&unit, &owner, &id, Verb::Delete).await?;
                operations::delete(&unit, &owner, &[id], &guard).await
            }
            .await,
        )
    }
}
