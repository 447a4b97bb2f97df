//! What every project has from its first use of a collection on: made by the
//! collection's owner before the first read of the project's rows in it since
//! this server started. That others do so too at the same time does no harm.

use crate::unit::Failure;
use crate::{Caller, Refusal, Runtime, operations, request};
use hadron_store::CollectionId;
use parking_lot::Mutex;
use std::collections::HashSet;

/// Most projects, times collections, that are remembered; after them all are
/// asked about once more.
const MOST: usize = 100_000;

/// Projects by the collections that they used.
#[derive(Default)]
pub(crate) struct FirstUses(Mutex<HashSet<(CollectionId, String)>>);

impl FirstUses {
    fn know(&self, use_: &(CollectionId, String)) -> bool {
        self.0.lock().contains(use_)
    }

    fn remember(&self, use_: (CollectionId, String)) {
        let mut known = self.0.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(use_);
    }
}

impl Runtime {
    /// Sees to it that a project has what it has from its first use of the
    /// collection on. Nothing where there is no project.
    pub async fn first_use(
        &self,
        caller: &Caller,
        collection: &CollectionId,
        project: &str,
    ) -> Result<(), Refusal> {
        let use_ = (collection.clone(), project.to_owned());
        if project.is_empty() || self.core.first_uses.know(&use_) {
            return Ok(());
        }
        let (core, caller) = (self.core.clone(), caller.clone());
        self.detached(async move {
            let (request_id, asked) = (caller.request_id.clone(), use_.clone());
            let work = request::run(&core, caller, move |unit| {
                let (collection, project) = asked.clone();
                Box::pin(async move { operations::first_use(&unit, &collection, project).await })
            });
            let ((), committed) = work.await.map_err(Failure::refusal)?;
            request::follow(&core, &request_id, committed, Vec::new()).await?;
            core.first_uses.remember(use_);
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_remembered_than_fits() {
        let (uses, id) = (FirstUses::default(), CollectionId { plugin: "p".into(), name: "c".into() });
        for project in 0..=MOST {
            uses.remember((id.clone(), project.to_string()));
        }
        assert!(uses.know(&(id.clone(), MOST.to_string())) && !uses.know(&(id, "0".into())));
    }
}
