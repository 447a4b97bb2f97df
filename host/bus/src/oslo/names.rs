//! How exchanges and queues are called.

/// A host's own queue on a topic.
pub(crate) fn at_host(topic: &str, host: &str) -> String {
    format!("{topic}.{host}")
}

/// The exchange of a topic's fanouts.
pub(crate) fn fanout_exchange(topic: &str) -> String {
    format!("{topic}_fanout")
}

/// A consumer's queue of a topic's fanouts.
pub(crate) fn fanout_queue(topic: &str, id: &str) -> String {
    format!("{topic}_fanout_{id}")
}

/// A process's queue of answers.
pub(crate) fn reply_queue(id: &str) -> String {
    format!("reply_{id}")
}

/// What tells a process's own queues, where their names are to stay the same.
pub(crate) fn of_process(host: &str, number: u64) -> String {
    format!("{host}:hadron:{number}")
}

/// Where notifications of a topic go, of the only priority sent here.
pub(crate) fn notifications(topic: &str) -> String {
    format!("{topic}.info")
}
