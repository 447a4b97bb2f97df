//! Work that nobody waits for: the journal's later attempts, and ticks.

use crate::bindings::types::Error;
use crate::hand::Held;
use crate::journal::{self, Delivered};
use crate::plugins::Plugin;
use crate::request::{self, follow_in_background, put_off, refused_group, request_id};
use crate::unit::{Failure, Unit};
use crate::{Caller, Core, convert};
use futures::future::BoxFuture;
use hadron_store::Entry;
use hadron_telemetry::Request;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::Instrument;

/// How often the journal is looked through when nothing wakes the worker.
const LOOK: Duration = Duration::from_millis(250);
/// Entries claimed at a time.
const CLAIM: u32 = 128;
/// Claimed entries that wait in this process, at most.
const MOST_WAITING: usize = 1024;

/// Delivers the journal: a queue and a task for each target, so that a slow
/// device delays nobody else.
pub(crate) async fn deliver(core: Arc<Core>) {
    let mut queues: HashMap<String, mpsc::UnboundedSender<(Entry, Held)>> = HashMap::new();
    let waiting = Arc::new(AtomicUsize::new(0));
    loop {
        let _ = tokio::time::timeout(LOOK, core.wake.notified()).await;
        while waiting.load(Ordering::Relaxed) < MOST_WAITING {
            let claimed = match core.store.journal().claim(CLAIM).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(%error, "the journal cannot be read");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    break;
                }
            };
            if claimed.is_empty() {
                break;
            }
            for entry in claimed {
                let held = core.hand.take([entry.new.id.clone()]);
                if held.is_empty() {
                    continue;
                }
                waiting.fetch_add(1, Ordering::Relaxed);
                let target = entry.new.target.clone();
                let queue = queues.entry(target).or_insert_with(|| {
                    let (sender, receiver) = mpsc::unbounded_channel();
                    core.tasks.spawn(deliver_to_one(core.clone(), receiver, waiting.clone()));
                    sender
                });
                // The task ends only with the queue, which is here.
                let _ = queue.send((entry, held));
            }
        }
    }
}

async fn deliver_to_one(
    core: Arc<Core>,
    mut queue: mpsc::UnboundedReceiver<(Entry, Held)>,
    waiting: Arc<AtomicUsize>,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, CLAIM as usize).await > 0 {
        let count = batch.len();
        let mut held = HashMap::new();
        let mut entries = Vec::new();
        for (entry, hold) in batch.drain(..) {
            held.insert(entry.new.id.clone(), hold);
            entries.push(entry);
        }
        let (messages, entries) = entries.into_iter().partition(journal::is_message);
        by_itself(&request_id(), send(&core, messages, &mut held)).await;
        for group in journal::groups(entries) {
            let id = request_id();
            let attempt = async {
                let delivered = journal::attempt(&core, &id, &group, &mut HashMap::new()).await;
                // Before they are put down: each is attempted alone, and an undoing
                // must not overtake that.
                if let Delivered::Refused(refusal) = &delivered {
                    refused_group(&core, &id, &group, refusal).await;
                }
                group.iter().for_each(|entry| drop(held.remove(&entry.new.id)));
                match delivered {
                    Delivered::Done => core.wake.notify_one(),
                    Delivered::Later(reason) => put_off(&core, &group, &reason).await,
                    Delivered::Refused(_) => {}
                }
            };
            by_itself(&id, attempt).await;
        }
        waiting.fetch_sub(count, Ordering::Relaxed);
    }
}

/// Sends messages of the journal, all at once.
async fn send(core: &Arc<Core>, messages: Vec<Entry>, held: &mut HashMap<String, Held>) {
    for (entry, delivered) in journal::send(core, messages).await {
        let group = std::slice::from_ref(&entry);
        match delivered {
            Delivered::Done => {}
            Delivered::Later(reason) => put_off(core, group, &reason).await,
            Delivered::Refused(refusal) => refused_group(core, "", group, &refusal).await,
        }
        held.remove(&entry.new.id);
    }
}

/// Keeps a task for each tick of each plugin that takes part.
pub(crate) async fn tick(core: Arc<Core>) {
    let mut running: HashMap<String, tokio::task::JoinSet<()>> = HashMap::new();
    let mut changes = core.changes.subscribe();
    loop {
        let set = core.set.load_full();
        running.retain(|name, _| set.plugin(name).is_some());
        for plugin in set.active() {
            let mut tasks = tokio::task::JoinSet::new();
            for tick in &plugin.manifest.ticks {
                tasks.spawn(ticks(core.clone(), plugin.clone(), tick.name.clone(), tick.every_seconds));
            }
            // Those of the version before are dropped, and so aborted.
            running.insert(plugin.manifest.name.clone(), tasks);
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Does what no client asked for as a request of the server's own, so that its
/// lines are found by one id.
pub(crate) async fn by_itself<T>(id: &str, work: impl Future<Output = T>) -> T {
    let span = tracing::error_span!("request", request = id);
    Request::new(id.to_owned(), None).scope(work.instrument(span)).await
}

/// Runs a call of a plugin as a unit of work of the system.
pub(crate) async fn system(
    core: &Arc<Core>,
    work: impl Fn(Arc<Unit>) -> BoxFuture<'static, Result<(), Failure>> + Send,
) -> Result<(), Failure> {
    let id = request_id();
    let caller = Caller::system(&id);
    by_itself(&id, async {
        let ((), committed) = request::run(core, caller, work).await?;
        follow_in_background(core, &id, committed);
        Ok(())
    })
    .await
}

fn refused(error: Error) -> Failure {
    Failure::Refused(convert::refusal(error))
}

async fn ticks(core: Arc<Core>, plugin: Arc<Plugin>, tick: String, every: u32) {
    let period = Duration::from_secs(u64::from(every.max(1)));
    loop {
        tokio::time::sleep(period).await;
        let name = plugin.manifest.name.as_str();
        match core.store.components().claim_tick(name, &tick, period).await {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                tracing::warn!(plugin = name, tick, %error, "a tick is left out");
                continue;
            }
        }
        let (called, what) = (plugin.clone(), tick.clone());
        let done = system(&core, move |unit| {
            let (plugin, tick) = (called.clone(), what.clone());
            Box::pin(async move {
                let ctx = convert::context(&unit);
                unit.call(&plugin, "tick", move |instance| {
                    Box::pin(async move {
                        let (exports, store) = instance.service()?;
                        exports.hadron_host_ticker().call_tick(store, &ctx, &tick).await
                    })
                })
                .await?
                .map_err(refused)
            })
        })
        .await;
        if let Err(failure) = done {
            tracing::warn!(plugin = name, tick, %failure, "a tick failed");
        }
    }
}
