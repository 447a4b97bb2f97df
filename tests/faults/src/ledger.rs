//! What the clients asked for and what they were told: the one side of the
//! comparison. The other, what is there, is in `observed`.

use std::collections::{BTreeMap, BTreeSet};

/// Collections that the campaign works on, parents first.
pub const KINDS: [&str; 3] = ["networks", "subnets", "ports"];

/// How far a request got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It was not made.
    #[default]
    Unsent,
    /// It was sent and nobody knows what came of it.
    Unknown,
    /// It was acknowledged.
    Done,
    /// It was refused.
    Refused,
}

/// A resource as its client sees it. It is known by its name, whose part before
/// the first dot never changes: an id is known only from an answer.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its collection.
    pub kind: &'static str,
    /// The request that created it; a bulk's members share one.
    pub batch: u64,
    /// Its id, once it is known.
    pub id: Option<String>,
    /// How its creation went.
    pub created: Fate,
    /// How its deletion went.
    pub deleted: Fate,
    /// The name that was acknowledged last.
    pub name: String,
    /// A name whose update was not answered.
    pub renaming: Option<String>,
}

/// Everything, by the constant part of the names.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The records.
    pub records: BTreeMap<String, Record>,
    /// Answers that nobody should get: a sentence each.
    pub outrages: Vec<String>,
    /// What the device refuses and a client was told is done: a sentence each.
    pub unwanted: Vec<String>,
    /// Whether the database was away: a create may then be answered before its
    /// device could be asked, and its refusal waits for the operator.
    pub database_was_away: bool,
    /// Requests acknowledged, refused, unanswered.
    pub counts: (u64, u64, u64),
    batches: u64,
}

/// The part of a name that never changes.
pub fn base(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

impl Ledger {
    /// A request to create these goes out; its number.
    pub fn creating(&mut self, kind: &'static str, names: &[String]) {
        self.batches += 1;
        for name in names {
            let record = Record {
                kind,
                batch: self.batches,
                id: None,
                created: Fate::Unknown,
                deleted: Fate::Unsent,
                name: name.clone(),
                renaming: None,
            };
            self.records.insert(base(name).to_owned(), record);
        }
    }

    /// They were created, with these ids.
    pub fn created(&mut self, names: &[String], ids: &[String]) {
        for (name, id) in names.iter().zip(ids) {
            self.change(name, |record| {
                record.created = Fate::Done;
                record.id = Some(id.clone());
            });
        }
    }

    /// They were refused.
    pub fn not_created(&mut self, names: &[String]) {
        for name in names {
            self.change(name, |record| record.created = Fate::Refused);
        }
    }

    /// An update of a name goes out.
    pub fn renaming(&mut self, name: &str, new: &str) {
        self.change(name, |record| record.renaming = Some(new.to_owned()));
    }

    /// It was acknowledged, or refused.
    pub fn renamed(&mut self, name: &str, done: bool) {
        self.change(name, |record| {
            if let Some(new) = record.renaming.take().filter(|_| done) {
                record.name = new;
            }
        });
    }

    /// A deletion goes out, got its answer, or is known to have failed.
    pub fn deleted(&mut self, name: &str, fate: Fate) {
        self.change(name, |record| record.deleted = fate);
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.records.get_mut(base(name)) {
            change(record);
        }
    }

    /// Takes what is there for the truth about everything that was unknown:
    /// `found` answers, for a constant part, the id and name of what is there.
    /// What is known to be gone is forgotten.
    pub fn settle(&mut self, found: &BTreeMap<String, (String, String)>) {
        for (base, record) in &mut self.records {
            match found.get(base) {
                Some((id, name)) => {
                    record.created = Fate::Done;
                    record.deleted = Fate::Unsent;
                    record.id = Some(id.clone());
                    record.name.clone_from(name);
                    record.renaming = None;
                }
                None => record.deleted = Fate::Done,
            }
        }
        self.records.retain(|_, record| record.deleted != Fate::Done);
    }

    /// Ids that a client was told.
    pub fn ids(&self) -> BTreeSet<&str> {
        self.records.values().filter_map(|record| record.id.as_deref()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_unknown_becomes_what_is_there() {
        let mut ledger = Ledger::default();
        let names = ["a".to_owned(), "b".to_owned()];
        ledger.creating("ports", &names);
        ledger.settle(&BTreeMap::from([("a".to_owned(), ("id".to_owned(), "a.1".to_owned()))]));
        assert_eq!(ledger.records.len(), 1);
        let record = &ledger.records["a"];
        assert_eq!(
            (record.created, record.id.as_deref(), record.name.as_str()),
            (Fate::Done, Some("id"), "a.1")
        );
    }

    #[test]
    fn an_update_counts_only_when_it_was_acknowledged() {
        let mut ledger = Ledger::default();
        let names = ["a".to_owned()];
        ledger.creating("ports", &names);
        ledger.created(&names, &["id".to_owned()]);
        ledger.renaming("a", "a.1");
        ledger.renamed("a", false);
        assert_eq!(ledger.records["a"].name, "a");
        ledger.renaming("a", "a.2");
        ledger.renamed("a", true);
        assert_eq!(ledger.records["a"].name, "a.2");
    }
}
