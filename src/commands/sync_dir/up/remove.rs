//! `--delete`: documents whose files are gone.

use anyhow::Result;

use super::Run;
use crate::mark::Mark;
use crate::name::{DocId, Revision};
use crate::plan::Mirror;

/// Documents deleted in one request.
const AT_ONCE: usize = 500;

impl Run<'_> {
    /// Deletes, after everything else, what the plan removes: each document as it was seen, or not at all.
    pub(super) async fn remove(&mut self, plan: &Mirror) -> Result<usize> {
        if self.scope.document.is_some() {
            // They went with the one write.
            return Ok(plan.count(Mark::Removed));
        }
        let ledger = &self.memory.ledger;
        let mut doomed = Vec::new();
        for change in plan.with(Mark::Removed) {
            let held = ledger.entries.get(change.path.as_str()).and_then(|entry| entry.remote.as_ref());
            if let Some(revision) = held.and_then(|held| Revision::new(&*held.revision).ok()) {
                doomed.push((change.path.clone(), (self.scope.id(&change.path), revision)));
            }
        }
        let mut removed = 0;
        for slice in doomed.chunks(AT_ONCE) {
            let documents: Vec<(DocId, Revision)> = slice.iter().map(|(_, document)| document.clone()).collect();
            let rows = self.database.delete_all(&documents).await.map_err(|error| self.reached.failure(error))?;
            for ((path, _), row) in slice.iter().zip(rows) {
                match row.outcome {
                    Ok(_) => {
                        removed += 1;
                        self.memory.ledger.entries.remove(path.as_str());
                    }
                    Err(answer) if answer.status == 409 => {
                        self.troubles.conflict(path.as_str(), "changed in the database meanwhile, not removed");
                    }
                    Err(answer) => self.troubles.file(path.as_str(), &answer),
                }
            }
        }
        Ok(removed)
    }
}
