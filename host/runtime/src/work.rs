//! What the API does inside one unit of work: several operations, one after the
//! other, each of which sees what those before it did.

use crate::operations;
use crate::request::{self, Own};
use crate::unit::{Failure, Unit};
use crate::{Caller, Guard, Hold, Refusal, Retag, Runtime, Status};
use futures::future::BoxFuture;
use hadron_store::{Answer, CollectionId, Earlier, Once, Predicate, Query, Row, View};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// How a unit of work is to be done.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Everything runs, nothing is kept: the unit is rolled back at its end, so
    /// nothing is journalled and no driver's postcommit is asked.
    pub dry_run: bool,
    /// The request is to be done once, however often it comes.
    pub once: Option<Once>,
}

/// The answer of a unit of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// What it is.
    pub answer: Answer,
    /// It was given before: nothing was done this time.
    pub replayed: bool,
}

/// A unit of work in the hands of the API. Cheap to clone.
///
/// After a failure nothing more may be done in it: the work ends with the
/// refusal it got, and is undone. Where another run may succeed the runtime
/// makes it, whatever the work made of the refusal.
#[derive(Clone)]
pub struct Work {
    unit: Arc<Unit>,
    notes: Arc<Mutex<Notes>>,
}

/// What is to be known of the work once it is done.
#[derive(Default)]
struct Notes {
    /// Rows it created, in order.
    created: Vec<Own>,
    /// Whether it did anything that deleting rows does not undo.
    more: bool,
    /// Why it has to be run again.
    again: Option<String>,
}

impl Work {
    fn new(unit: Arc<Unit>) -> Work {
        Work { unit, notes: Arc::default() }
    }

    fn told<T>(&self, result: Result<T, Failure>) -> Result<T, Refusal> {
        result.map_err(|failure| {
            if let Failure::Again(reason) = &failure {
                self.notes.lock().again = Some(reason.clone());
            }
            failure.refusal()
        })
    }

    /// Holds the entries that the caller's rights depend on until the end of the
    /// unit; refused where one is gone.
    pub async fn hold(&self, holds: Vec<Hold>) -> Result<(), Refusal> {
        for hold in holds {
            self.told(hold.take(&self.unit).await)?;
        }
        Ok(())
    }

    /// Creates resources, if their projects' quotas allow it. Bodies are
    /// validated; attributes of extenders are among them. Answers the rows as a show would.
    pub async fn create(
        &self,
        collection: &CollectionId,
        bodies: Vec<Map<String, Value>>,
    ) -> Result<Vec<Row>, Refusal> {
        self.unit.budget.named(bodies.len());
        self.told(operations::admit(&self.unit, collection, &bodies).await)?;
        let rows = self.told(operations::create(&self.unit, collection, bodies).await)?;
        let ids = rows.iter().map(|row| row.id.clone()).collect();
        self.notes.lock().created.push(Own { collection: collection.clone(), rows: ids });
        Ok(rows)
    }

    /// Changes one resource. `guard` is asked about the row as it is (may the
    /// caller see it, change it; `If-Match`).
    pub async fn update(
        &self,
        collection: &CollectionId,
        id: &str,
        changes: Map<String, Value>,
        guard: &Guard,
    ) -> Result<Row, Refusal> {
        self.notes.lock().more = true;
        self.unit.budget.named(1);
        self.told(operations::update(&self.unit, collection, id, changes, guard).await)
    }

    /// Removes one resource; `guard` as in `update`.
    pub async fn delete(&self, collection: &CollectionId, id: &str, guard: &Guard) -> Result<(), Refusal> {
        self.notes.lock().more = true;
        self.unit.budget.named(1);
        self.told(operations::delete(&self.unit, collection, &[id.to_owned()], guard).await)
    }

    /// Changes the tags of one resource: `change` is given those that it has.
    /// `guard` as in `update`.
    pub async fn retag(
        &self,
        collection: &CollectionId,
        id: &str,
        guard: &Guard,
        change: &Retag,
    ) -> Result<(), Refusal> {
        self.notes.lock().more = true;
        self.told(operations::retag(&self.unit, collection, id, guard, change).await)
    }

    /// Does an action; `guard` as in `update`.
    pub async fn act(
        &self,
        collection: &CollectionId,
        id: &str,
        action: &str,
        body: Value,
        guard: &Guard,
    ) -> Result<Value, Refusal> {
        self.notes.lock().more = true;
        self.told(operations::act(&self.unit, collection, id, action, body, guard).await)
    }

    /// Asks the owner of a collection for something of a row that need not be there.
    pub async fn ask(
        &self,
        collection: &CollectionId,
        id: &str,
        action: &str,
        body: Value,
    ) -> Result<Value, Refusal> {
        self.notes.lock().more = true;
        self.told(operations::ask(&self.unit, collection, id, action, body).await)
    }

    /// Attributes of rows that this plugin computes: of each, the text of a JSON
    /// object.
    pub async fn compute(
        &self,
        plugin: &str,
        collection: &CollectionId,
        rows: &[Row],
    ) -> Result<Vec<String>, Refusal> {
        self.told(operations::compute(&self.unit, plugin, collection, rows).await)
    }

    /// One row as it is at this point of the unit, if it fits.
    pub async fn get(
        &self,
        collection: &CollectionId,
        id: &str,
        predicate: &Predicate,
        view: &View,
    ) -> Result<Option<Row>, Refusal> {
        let predicate = Predicate::All(vec![Predicate::equal("id", id), predicate.clone()]);
        let (collection, view) = (collection.clone(), view.clone());
        let query = Query { predicate, ..Query::default() };
        let found = self
            .unit
            .store(move |t| Box::pin(async move { t.find(&collection, &query, &view).await }))
            .await
            .map_err(Failure::from);
        Ok(self.told(found)?.pop())
    }

    /// The id of a row that fits at this point of the unit, if there is one.
    pub async fn find(
        &self,
        collection: &CollectionId,
        predicate: Predicate,
    ) -> Result<Option<String>, Refusal> {
        let query = Query { predicate, limit: Some(1), ..Query::default() };
        let found = operations::find(&self.unit, collection, query).await;
        Ok(self.told(found)?.pop().map(|row| row.id))
    }

    /// The rows whose refusal by a driver undoes the work: of work that only
    /// created, all of them. Where it also changed or removed something no
    /// deletion would undo the whole, so nothing is.
    fn own(&self) -> Vec<Own> {
        let notes = self.notes.lock();
        if notes.more { Vec::new() } else { notes.created.clone() }
    }
}

impl Runtime {
    /// Runs work as one unit, all or nothing, and makes the first attempt of
    /// what follows the commit. The work may be run several times.
    pub async fn write(
        &self,
        caller: &Caller,
        terms: Terms,
        work: impl Fn(Work) -> BoxFuture<'static, Result<Answer, Refusal>> + Send + Sync + 'static,
    ) -> Result<Answered, Refusal> {
        let (core, caller) = (self.core.clone(), caller.clone());
        let work = Arc::new(work);
        self.detached(async move {
            let request_id = caller.request_id.clone();
            let Terms { dry_run, once } = terms;
            // Held until nothing can undo the answer any more.
            let _running = once.as_ref().map(|once| core.running.enter(once)).transpose()?;
            let again = once.clone();
            let run = move |unit: Arc<Unit>| -> BoxFuture<'static, Result<Done, Failure>> {
                let (work, once) = (work.clone(), once.clone());
                Box::pin(async move { do_once(unit, once, &*work).await })
            };
            if dry_run {
                let done = request::attempt(&core, caller, run).await.map_err(Failure::refusal)?;
                return Ok(done.answered);
            }
            let (done, mut committed) = request::run(&core, caller, run).await.map_err(Failure::refusal)?;
            committed.once = again;
            request::follow(&core, &request_id, committed, done.own).await?;
            Ok(done.answered)
        })
        .await
    }
}

/// What a run of the work came to.
struct Done {
    answered: Answered,
    own: Vec<Own>,
}

/// Runs the work, unless the request was answered before; then that answer is
/// given again.
async fn do_once(
    unit: Arc<Unit>,
    once: Option<Once>,
    work: &(impl Fn(Work) -> BoxFuture<'static, Result<Answer, Refusal>> + Sync),
) -> Result<Done, Failure> {
    let Some(once) = once else { return do_it(unit, work).await };
    let asked = once.clone();
    let earlier = unit.store(move |t| Box::pin(async move { t.earlier(&asked).await })).await;
    match earlier.map_err(Failure::from)? {
        Earlier::Done(answer) => Ok(Done { answered: Answered { answer, replayed: true }, own: Vec::new() }),
        Earlier::Running => Err(running().into()),
        Earlier::Different => Err(Refusal::new(
            Status::Other(422),
            "IdempotencyKeyReused",
            "The Idempotency-Key was used before for a request that asked for something else.",
        )
        .into()),
        Earlier::None => {
            let done = do_it(unit.clone(), work).await?;
            let answer = done.answered.answer.clone();
            let kept =
                unit.store(move |t| Box::pin(async move { t.keep_answer(&once, &answer).await })).await;
            kept.map_err(Failure::from)?;
            Ok(done)
        }
    }
}

async fn do_it(
    unit: Arc<Unit>,
    work: &(impl Fn(Work) -> BoxFuture<'static, Result<Answer, Refusal>> + Sync),
) -> Result<Done, Failure> {
    let handle = Work::new(unit);
    let result = work(handle.clone()).await;
    let again = handle.notes.lock().again.take();
    match (result, again) {
        (_, Some(reason)) => Err(Failure::Again(reason)),
        (Err(refusal), None) => Err(Failure::Refused(refusal)),
        (Ok(answer), None) => Ok(Done { answered: Answered { answer, replayed: false }, own: handle.own() }),
    }
}

fn running() -> Refusal {
    Refusal::new(
        Status::Conflict,
        "IdempotencyKeyInUse",
        "A request with this Idempotency-Key is being done; try again later.",
    )
}

/// Keys of requests that this process is doing.
#[derive(Default)]
pub(crate) struct Running(Arc<Mutex<HashSet<(String, String, String)>>>);

/// A key that nobody else is doing; given back when dropped.
struct Turn {
    name: (String, String, String),
    running: Arc<Mutex<HashSet<(String, String, String)>>>,
}

impl Running {
    fn enter(&self, once: &Once) -> Result<Turn, Refusal> {
        let name = (once.project.clone(), once.user.clone(), once.key.clone());
        match self.0.lock().insert(name.clone()) {
            true => Ok(Turn { name, running: self.0.clone() }),
            false => Err(running()),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.running.lock().remove(&self.name);
    }
}
