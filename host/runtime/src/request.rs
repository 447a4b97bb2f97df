//! From a request to an answer: a unit of work, run again when the database asks
//! for it, its commit, and the first attempts of what follows.

use crate::capabilities::plain::milliseconds;
use crate::failpoint;
use crate::instance::Instance;
use crate::journal::{self, Created, Delivered, MESSAGES, UNDO, Undo};
use crate::limits::Budget;
use crate::metrics::Outcome;
use crate::unit::{Failure, Seed, Unit};
use crate::{Caller, Core, Guard, Refusal, Status};
use futures::future::BoxFuture;
use hadron_store::{CollectionId, Entry, EntryState, FirstAttempts, NewEntry, Once};
use hadron_telemetry::{carried, spent};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument;

/// Runs of one unit before the client is told to try again itself.
const MOST_RUNS: u32 = 20;
/// Further runs of a unit that found a key taken. Most plugins look before they
/// write, so the second run finds what the first one clashed with; as Neutron
/// does for `DBDuplicateEntry`.
const MOST_CLASHES: u32 = 3;
/// A unit that takes longer than this, waiting included, is given up.
const LONGEST_UNIT: Duration = Duration::from_secs(30);
/// Longest wait for admission.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// `req-` and a UUID, as OpenStack's services make them.
pub(crate) fn request_id() -> String {
    format!("req-{}", uuid::Uuid::new_v4())
}

/// A guard that lets everything through.
pub(crate) fn unguarded() -> Guard {
    Arc::new(|_| Ok(()))
}

/// What is left when a unit was committed.
#[derive(Default)]
pub(crate) struct Committed {
    /// The unit.
    pub(crate) unit: String,
    /// Journal entries it wrote, claimed by this server.
    pub(crate) entries: Vec<NewEntry>,
    /// Whether they may be attempted at once.
    pub(crate) attempts: FirstAttempts,
    /// Its instances, for first attempts.
    pub(crate) instances: HashMap<String, Vec<Instance>>,
    /// The kept answer that tells of it.
    pub(crate) once: Option<Once>,
}

/// Runs a unit of work until it is committed or refused.
pub(crate) async fn run<T: Send>(
    core: &Arc<Core>,
    caller: Caller,
    work: impl Fn(Arc<Unit>) -> BoxFuture<'static, Result<T, Failure>> + Send,
) -> Result<(T, Committed), Failure> {
    until_done(core, caller, Purpose::Writing, work).await
}

/// As `run`, for work that is only tried: what it writes is undone.
pub(crate) async fn attempt<T: Send>(
    core: &Arc<Core>,
    caller: Caller,
    work: impl Fn(Arc<Unit>) -> BoxFuture<'static, Result<T, Failure>> + Send,
) -> Result<T, Failure> {
    until_done(core, caller, Purpose::Trial, work).await.map(|(value, _)| value)
}

/// As `run`, for work that only reads: it waits for no writer, and is refused
/// what it would write or send.
pub(crate) async fn read<T: Send>(
    core: &Arc<Core>,
    caller: Caller,
    work: impl Fn(Arc<Unit>) -> BoxFuture<'static, Result<T, Failure>> + Send,
) -> Result<T, Failure> {
    until_done(core, caller, Purpose::Reading, work).await.map(|(value, _)| value)
}

/// What a unit is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It writes, and is committed.
    Writing,
    /// It writes, and is undone.
    Trial,
    /// It reads, on a connection for that.
    Reading,
}

impl Purpose {
    /// What its plugins may spend: little where others wait for its transaction.
    fn budget(self, core: &Core) -> Budget {
        let settings = &core.settings;
        match self {
            Purpose::Writing | Purpose::Trial => Budget::new(settings.call_limit, settings.unit_limit),
            Purpose::Reading => Budget::new(settings.delivery_limit, settings.delivery_limit),
        }
    }
}

async fn until_done<T: Send>(
    core: &Arc<Core>,
    caller: Caller,
    purpose: Purpose,
    work: impl Fn(Arc<Unit>) -> BoxFuture<'static, Result<T, Failure>> + Send,
) -> Result<(T, Committed), Failure> {
    let began = Instant::now();
    let admitted = tokio::time::timeout(LONGEST_WAIT, core.admission.acquire()).await;
    spent::waiting(began.elapsed());
    let _admitted = admitted.map_err(|_| busy())?.map_err(|_| busy())?;
    let seed =
        Seed { id: uuid::Uuid::new_v4().to_string(), now: milliseconds(), set: core.set.load_full(), caller };
    // Of the highest level, so that lines have its fields whatever is logged.
    let span = tracing::error_span!("unit", unit = seed.id);
    let began = Instant::now();
    let ended = async {
        let (mut runs, mut clashes) = (0, 0);
        loop {
            runs += 1;
            match once(core, &seed, purpose, &work).await {
                Err(Undone { failure: Failure::Again(reason), .. }) if runs < MOST_RUNS => {
                    tracing::debug!(runs, reason, "the unit is run again");
                    core.metrics.rerun(&reason);
                    let most = 1u64 << runs.min(6);
                    tokio::time::sleep(Duration::from_millis(rand::random_range(0..=most))).await;
                }
                Err(Undone { clashed: true, failure }) if clashes < MOST_CLASHES => {
                    clashes += 1;
                    tracing::debug!(runs, %failure, "a key was taken: the unit is run again");
                    core.metrics.rerun("a key was taken");
                }
                other => return other.map_err(|undone| undone.failure),
            }
        }
    }
    .instrument(span)
    .await;
    let outcome = match &ended {
        Ok(_) => Outcome::done,
        Err(Failure::Refused(_)) => Outcome::refused,
        Err(Failure::Plugin { .. }) => Outcome::plugin_failed,
        Err(Failure::Again(_)) => Outcome::given_up,
    };
    core.metrics.unit(outcome, began.elapsed());
    ended
}

/// A run that was rolled back.
struct Undone {
    failure: Failure,
    /// A key that it wrote was taken, perhaps just before.
    clashed: bool,
}

impl<F: Into<Failure>> From<F> for Undone {
    fn from(failure: F) -> Undone {
        Undone { failure: failure.into(), clashed: false }
    }
}

fn sends() -> Failure {
    Failure::Refused(Refusal::new(
        Status::Internal,
        "PluginFailed",
        "what only reads was about to send something, or to do it later",
    ))
}

fn busy() -> Failure {
    Failure::Refused(Refusal::new(
        Status::Unavailable,
        "ServiceUnavailable",
        "the server is busy, try again later",
    ))
}

async fn once<T: Send>(
    core: &Arc<Core>,
    seed: &Seed,
    purpose: Purpose,
    work: &(impl Fn(Arc<Unit>) -> BoxFuture<'static, Result<T, Failure>> + Send),
) -> Result<(T, Committed), Undone> {
    let transaction = match purpose {
        Purpose::Writing | Purpose::Trial => core.store.begin(&seed.id).await?,
        Purpose::Reading => core.store.begin_reading(&seed.id).await?,
    };
    let unit = Unit::new(core.clone(), seed.clone(), purpose.budget(core), transaction);
    let result = match tokio::time::timeout(LONGEST_UNIT, work(unit.clone())).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Refused(Refusal::new(
            Status::Unavailable,
            "ServiceUnavailable",
            format!("the request took longer than {} s and was undone", LONGEST_UNIT.as_secs()),
        ))),
    };
    // The instances hold the unit and the unit holds them: taken apart here.
    let instances = unit.take_instances();
    let transaction = unit.transaction.lock().await.take();
    let Some(transaction) = transaction else { return Err(busy().into()) };
    match result {
        Ok(value) => match purpose {
            Purpose::Writing => {
                let entries = unit.take_outbox();
                failpoint::hit(failpoint::BEFORE_COMMIT);
                let attempts = transaction.commit(entries.clone()).await?;
                failpoint::hit(failpoint::AFTER_COMMIT);
                Ok((value, Committed { unit: seed.id.clone(), entries, attempts, instances, once: None }))
            }
            Purpose::Trial | Purpose::Reading => {
                transaction.rollback().await;
                if purpose == Purpose::Reading && !unit.take_outbox().is_empty() {
                    return Err(sends().into());
                }
                Ok((value, Committed::default()))
            }
        },
        Err(failure) => {
            let clashed = transaction.clashed();
            transaction.rollback().await;
            Err(Undone { failure, clashed })
        }
    }
}

/// Rows of a collection that a request created itself: a refusal of theirs
/// undoes the request.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) collection: CollectionId,
    pub(crate) rows: Vec<String>,
}

/// Whose turn it is to speak: a create is answered or undone, never both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The client still waits.
    Open,
    /// The client was told that it is done.
    Answered,
    /// It is being undone; the client will get the refusal.
    Undoing,
}

/// Makes the first attempts of what a unit left, and waits for them as long as
/// the delivery budget lasts. A refusal of the request's own create comes back
/// as the client's error, with everything undone.
pub(crate) async fn follow(
    core: &Arc<Core>,
    request_id: &str,
    committed: Committed,
    own: Vec<Own>,
) -> Result<(), Refusal> {
    if committed.entries.is_empty() {
        return Ok(());
    }
    let verdict = Arc::new(Mutex::new(Verdict::Open));
    let attempts = first_attempts(core.clone(), request_id.to_owned(), committed, own, verdict.clone());
    let mut attempts = core.tasks.spawn(carried(attempts));
    let outcome = match tokio::time::timeout(core.settings.delivery_budget, &mut attempts).await {
        Ok(outcome) => outcome,
        Err(_) => {
            {
                let mut verdict = verdict.lock();
                if *verdict == Verdict::Open {
                    *verdict = Verdict::Answered;
                    return Ok(());
                }
            }
            attempts.await
        }
    };
    match outcome {
        Ok(Some(refusal)) => Err(refusal),
        _ => Ok(()),
    }
}

/// As `follow`, for units that no client waits for.
pub(crate) fn follow_in_background(core: &Arc<Core>, request_id: &str, committed: Committed) {
    if !committed.entries.is_empty() {
        let answered = Arc::new(Mutex::new(Verdict::Answered));
        let attempts = first_attempts(core.clone(), request_id.to_owned(), committed, Vec::new(), answered);
        core.tasks.spawn(carried(attempts));
    }
}

async fn first_attempts(
    core: Arc<Core>,
    request_id: String,
    committed: Committed,
    own: Vec<Own>,
    verdict: Arc<Mutex<Verdict>>,
) -> Option<Refusal> {
    let Committed { unit, entries, attempts, mut instances, once } = committed;
    let mut held = core.hand.take(entries.iter().map(|entry| entry.id.clone()));
    let all: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    let (messages, mut waiting): (Vec<NewEntry>, Vec<NewEntry>) =
        entries.into_iter().partition(|entry| entry.target == MESSAGES);
    let mut free = attempts == FirstAttempts::Now;
    // What is done makes room for what comes after it: a row's entries wait for
    // those of the rows it refers to.
    while !waiting.is_empty() {
        let now = if std::mem::take(&mut free) {
            std::mem::take(&mut waiting)
        } else {
            take_ready(&core, &mut waiting).await
        };
        let mut done = false;
        for group in journal::groups(now.into_iter().map(|new| claimed(new, &unit)).collect()) {
            match journal::attempt(&core, &request_id, &group, &mut instances).await {
                Delivered::Done => done = true,
                Delivered::Later(reason) => {
                    group.iter().for_each(|entry| held.put_down(&entry.new.id));
                    put_off(&core, &group, &reason).await;
                }
                Delivered::Refused(refusal) => {
                    if is_own(&own, &group) && undoing(&verdict) {
                        drop(held);
                        return Some(match undo(&core, &request_id, &own, all, once).await {
                            Ok(()) => refusal,
                            Err(failure) => failure.refusal(),
                        });
                    }
                    refused_group(&core, &request_id, &group, &refusal).await;
                }
            }
        }
        if !done {
            break;
        }
    }
    let waiting: Vec<String> = waiting.into_iter().map(|entry| entry.id).collect();
    waiting.iter().for_each(|id| held.put_down(id));
    if !waiting.is_empty() {
        if let Err(error) = core.store.journal().release(&waiting).await {
            tracing::warn!(%error, "entries are delivered when their lease has ended");
        }
        core.wake.notify_one();
    }
    let messages = messages.into_iter().map(|message| claimed(message, &unit)).collect();
    for (entry, delivered) in journal::send(&core, messages).await {
        let group = [entry];
        match delivered {
            Delivered::Done => {}
            Delivered::Later(reason) => put_off(&core, &group, &reason).await,
            Delivered::Refused(refusal) => give_up(&core, &group, &refusal).await,
        }
    }
    None
}

/// Takes out those that nothing goes before.
async fn take_ready(core: &Core, waiting: &mut Vec<NewEntry>) -> Vec<NewEntry> {
    let ids: Vec<String> = waiting.iter().map(|entry| entry.id.clone()).collect();
    match core.store.journal().ready(&ids).await {
        Ok(ready) => {
            let ready: HashSet<String> = ready.into_iter().collect();
            waiting.extract_if(.., |entry| ready.contains(&entry.id)).collect()
        }
        Err(error) => {
            tracing::warn!(%error, "the journal cannot be asked; what follows this request is done in the background");
            Vec::new()
        }
    }
}

/// Claims the verdict for undoing, unless the client was answered.
fn undoing(verdict: &Mutex<Verdict>) -> bool {
    let mut verdict = verdict.lock();
    if *verdict == Verdict::Open {
        *verdict = Verdict::Undoing;
    }
    *verdict == Verdict::Undoing
}

fn is_own(own: &[Own], group: &[Entry]) -> bool {
    let created = |new: &NewEntry| {
        own.iter().any(|own| *new.collection == *own.collection.name && own.rows.contains(&new.resource))
    };
    group.iter().all(|entry| entry.new.operation == "create" && created(&entry.new))
}

/// An entry this server has just written, and claimed.
fn claimed(new: NewEntry, unit: &str) -> Entry {
    Entry {
        new,
        unit: unit.to_owned(),
        state: EntryState::Pending,
        attempts: 0,
        error: None,
        created_at: String::new(),
        due_at: String::new(),
    }
}

/// Writes down that the create is to be undone, then undoes it; a crash between
/// the two leaves the undoing to whoever reads the journal next. A failure when
/// it could not be written down: what was created stays, and its entries are
/// delivered again, so the client must not be told that it is gone.
async fn undo(
    core: &Arc<Core>,
    request_id: &str,
    own: &[Own],
    entries: Vec<String>,
    once: Option<Once>,
) -> Result<(), Failure> {
    failpoint::hit(failpoint::BEFORE_UNDO);
    let created = |own: &Own| Created {
        plugin: own.collection.plugin.to_string(),
        collection: own.collection.name.to_string(),
        rows: own.rows.clone(),
    };
    let undo = Undo { created: own.iter().map(created).collect(), entries, once };
    let caller = Caller::system(request_id);
    let posted = run(core, caller, move |unit| {
        let payload = serde_json::to_string(&undo).unwrap_or_default().into();
        let first = undo.created.first();
        let resource = first.and_then(|created| created.rows.first().cloned()).unwrap_or_default();
        let collection = first.map(|created| created.collection.clone()).unwrap_or_default();
        Box::pin(async move {
            unit.post(NewEntry {
                id: unit.uuid(),
                target: UNDO.to_owned(),
                kind: UNDO.to_owned(),
                operation: "delete".to_owned(),
                collection,
                resource,
                revision: i64::MAX,
                after: Vec::new(),
                payload,
            });
            Ok(())
        })
    })
    .await;
    let ((), committed) = posted.inspect_err(|failure| {
        tracing::error!(%failure, "a refused create cannot be undone now; its entries are delivered again");
    })?;
    failpoint::hit(failpoint::AFTER_UNDO_ENTRY);
    let unit = committed.unit.clone();
    for new in committed.entries {
        let held = core.hand.take([new.id.clone()]);
        let group = [claimed(new, &unit)];
        let delivered = journal::attempt(core, request_id, &group, &mut HashMap::new()).await;
        drop(held);
        if let Delivered::Later(reason) = delivered {
            put_off(core, &group, &reason).await;
        }
    }
    Ok(())
}

/// Waits longer with each attempt, up to a minute, and never in step with
/// others.
pub(crate) fn backoff(attempts: u32) -> Duration {
    let base = 500u64.saturating_mul(1 << attempts.min(7)).min(60_000);
    Duration::from_millis(rand::random_range(base / 2..=base))
}

/// Tries the entries again later.
pub(crate) async fn put_off(core: &Core, group: &[Entry], reason: &str) {
    for entry in group {
        tracing::warn!(
            entry = entry.new.id,
            recipient = entry.new.target,
            resource = entry.new.resource,
            reason,
            "an entry of the journal is tried again later"
        );
        if let Err(error) = core.store.journal().failed(&entry.new.id, reason, backoff(entry.attempts)).await
        {
            tracing::warn!(%error, "the entry is delivered again when its lease has ended");
        }
    }
}

/// Entries of one call were refused, as a whole, whichever of them was at fault:
/// of several, each is attempted alone, so that the others are delivered.
pub(crate) async fn refused_group(core: &Arc<Core>, request_id: &str, group: &[Entry], refusal: &Refusal) {
    if group.len() < 2 {
        return give_up(core, group, refusal).await;
    }
    for entry in group.chunks(1) {
        match journal::attempt(core, request_id, entry, &mut HashMap::new()).await {
            Delivered::Done => core.wake.notify_one(),
            Delivered::Later(reason) => put_off(core, entry, &reason).await,
            Delivered::Refused(refusal) => give_up(core, entry, &refusal).await,
        }
    }
}

/// Leaves refused entries to the operator.
async fn give_up(core: &Core, group: &[Entry], refusal: &Refusal) {
    for entry in group {
        tracing::error!(
            entry = entry.new.id, recipient = entry.new.target, resource = entry.new.resource, %refusal,
            "an entry of the journal was refused; see `hadron journal show`"
        );
        if let Err(error) = core.store.journal().refused(&entry.new.id, &refusal.to_string()).await {
            tracing::warn!(%error, "the entry is delivered again when its lease has ended");
        }
    }
}
