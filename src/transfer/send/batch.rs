//! Many small files in one request.

use super::draft::{self, Draft};
use super::single::Onto;
use super::{Outbound, Outcomes, Sender};
use crate::couch::{Answer, BulkRow, CouchError, Document, Write, Written};
use crate::local::{LocalError, blocking};
use crate::name::DocId;
use crate::transfer::TransferError;

impl Sender<'_> {
    /// Sends a batch and settles every file of it. With the error that ends the whole transfer come the files that were
    /// settled before.
    pub(super) async fn batch(self, files: Vec<Outbound>) -> (Outcomes, Result<(), TransferError>) {
        let mut outcomes = Outcomes::new();
        let result = self.settle_all(files, &mut outcomes).await;
        (outcomes, result)
    }

    async fn settle_all(&self, files: Vec<Outbound>, outcomes: &mut Outcomes) -> Result<(), TransferError> {
        let Ok(parents) = self.sort(self.parents(&files).await)? else {
            return self.one_by_one(files, outcomes).await;
        };
        let together = files.into_iter().zip(parents);
        // What is not as it was when this was planned, is looked at by itself.
        let (planned, apart): (Vec<_>, Vec<_>) = together.partition(|(file, parent)| match parent {
            Some(document) => file.replaces_file_of(document),
            None => true,
        });
        let (folder, options) = (self.folder.clone(), self.options.clone());
        let drafting = move || -> Vec<_> {
            let drafted =
                |(file, parent): (_, Option<Document>)| draft::inline(&folder, file, parent.as_ref(), &options);
            planned.into_iter().map(drafted).collect()
        };
        let mut apart: Vec<Outbound> = apart.into_iter().map(|(file, _)| file).collect();
        let mut drafts = Vec::new();
        for drafted in blocking(drafting).await.map_err(TransferError::Task)? {
            match drafted {
                Ok(draft) => drafts.push(draft),
                // It has grown since the folder was listed.
                Err(failed) if matches!(failed.1, TransferError::Local(LocalError::TooLarge { .. })) => {
                    apart.push(failed.0);
                }
                Err(failed) => self.settled(failed.0, Err(failed.1), outcomes),
            }
        }
        if !drafts.is_empty() {
            apart.extend(self.write_all(drafts, outcomes).await?);
        }
        self.one_by_one(apart, outcomes).await
    }

    /// Files whose documents have to be looked at, or whose batch failed as a whole, for a reason that a single one may
    /// not meet.
    async fn one_by_one(&self, files: Vec<Outbound>, outcomes: &mut Outcomes) -> Result<(), TransferError> {
        for file in files {
            outcomes.push(self.deliver(file, Onto::Unseen).await?);
        }
        Ok(())
    }

    /// The documents that files of a batch replace, as they are now.
    async fn parents(&self, files: &[Outbound]) -> Result<Vec<Option<Document>>, TransferError> {
        let ids: Vec<DocId> = files.iter().filter(|file| file.replaces.is_some()).map(|file| file.id.clone()).collect();
        let mut found = self.database.documents(&ids).await?.into_iter();
        Ok(files.iter().map(|file| file.replaces.as_ref().and_then(|_| found.next().flatten())).collect())
    }

    /// Writes drafts in one request, and returns the files that have to be sent by themselves. A document that makes
    /// the server refuse all of them has that refusal as its row.
    async fn write_all(&self, drafts: Vec<Draft>, outcomes: &mut Outcomes) -> Result<Vec<Outbound>, TransferError> {
        let written = {
            // It is never closed.
            let _lane = self.lanes.acquire().await.ok();
            let writes: Vec<Write> = drafts.iter().map(|draft| draft.write.clone()).collect();
            self.database.bulk(&writes).await
        };
        let Ok(rows) = self.sort(written.map_err(TransferError::from))? else {
            return Ok(drafts.into_iter().map(|draft| draft.file).collect());
        };
        self.answered();
        self.take_rows(drafts, rows, outcomes).await
    }

    async fn take_rows(
        &self,
        drafts: Vec<Draft>,
        rows: Vec<BulkRow>,
        outcomes: &mut Outcomes,
    ) -> Result<Vec<Outbound>, TransferError> {
        let (mut doubtful, mut conflicts) = (Vec::new(), Vec::new());
        for (draft, row) in drafts.into_iter().zip(rows) {
            match row.outcome {
                Ok(written) if draft.is_predicted(&written) => {
                    let (file, outcome) = draft.sent(written);
                    self.settled(file, outcome, outcomes);
                }
                Ok(written) => doubtful.push((draft, written)),
                Err(answer) if answer.status == 409 => conflicts.push(draft.file),
                Err(answer) => {
                    let refused = refused(&draft, answer);
                    self.settled(draft.file, Err(refused.into()), outcomes);
                }
            }
        }
        if !doubtful.is_empty() {
            conflicts.extend(self.confirm(doubtful, outcomes).await?);
        }
        Ok(conflicts)
    }
}

/// The refusal of one document, as a single write would have met it.
fn refused(draft: &Draft, answer: Answer) -> CouchError {
    let action = format!("write `{}`", draft.file.id);
    let source = Box::new(answer);
    match source.status {
        401 | 403 => CouchError::Forbidden { action, source },
        413 => CouchError::TooLarge { what: draft.file.id.to_string(), source },
        500..=599 => CouchError::Server { action, source },
        _ => CouchError::Refused { action, source },
    }
}

impl Draft {
    /// Whether a revision is the one that CouchDB computes of exactly this document with exactly these attachments.
    pub(super) fn is_predicted(&self, written: &Written) -> bool {
        crate::couch::predicted_revision(&self.write, &|name| self.stored(name)).as_ref() == Some(&written.revision)
    }
}
