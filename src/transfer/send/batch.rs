//! Many small files in one request.

use super::draft::{self, Draft};
use super::{Outbound, Outcomes, ROUNDS, Sender, sort};
use crate::couch::{Answer, BulkRow, CouchError, Document, Write, Written};
use crate::local::{LocalError, blocking};
use crate::name::DocId;
use crate::transfer::TransferError;

impl Sender<'_> {
    /// Sends a batch and settles every file of it.
    pub(super) async fn batch(self, files: Vec<Outbound>) -> Result<Outcomes, TransferError> {
        let Ok(parents) = sort(self.parents(&files).await)? else { return self.one_by_one(files).await };
        let mut outcomes = Vec::new();
        let mut pairs = Vec::new();
        for (file, parent) in files.into_iter().zip(parents) {
            // Read just now: what stands there has to be what was to be replaced.
            match (&file.replaces, &parent) {
                (Some(replaced), Some(document)) if !replaced.is_in(document) => {
                    outcomes.push(self.settle(file, ROUNDS).await?);
                }
                _ => pairs.push((file, parent)),
            }
        }
        let (folder, options) = (self.folder.clone(), self.options.clone());
        let drafting = move || -> Vec<_> {
            let pairs = pairs.into_iter();
            pairs.map(|(file, parent)| draft::inline(&folder, file, parent.as_ref(), &options)).collect()
        };
        let mut drafts = Vec::new();
        for drafted in blocking(drafting).await.map_err(TransferError::Task)? {
            match drafted {
                Ok(draft) => drafts.push(draft),
                // It has grown since the folder was listed.
                Err(failed) if matches!(failed.1, TransferError::Local(LocalError::TooLarge { .. })) => {
                    outcomes.push(self.single(failed.0).await?);
                }
                Err(failed) => outcomes.push((failed.0, Err(failed.1))),
            }
        }
        self.write_all(drafts, &mut outcomes).await?;
        Ok(outcomes)
    }

    /// A batch that fails as a whole, for a reason that another may not meet: each file by itself.
    async fn one_by_one(&self, files: Vec<Outbound>) -> Result<Outcomes, TransferError> {
        let mut outcomes = Vec::with_capacity(files.len());
        for file in files {
            outcomes.push(self.single(file).await?);
        }
        Ok(outcomes)
    }

    /// The documents that files of a batch replace, as they are now.
    async fn parents(&self, files: &[Outbound]) -> Result<Vec<Option<Document>>, TransferError> {
        let ids: Vec<DocId> = files.iter().filter(|file| file.replaces.is_some()).map(|file| file.id.clone()).collect();
        let mut found = self.database.documents(&ids).await?.into_iter();
        Ok(files.iter().map(|file| file.replaces.as_ref().and_then(|_| found.next().flatten())).collect())
    }

    /// Writes drafts in one request. A document that makes the server refuse all of them has that refusal as its row.
    async fn write_all(&self, drafts: Vec<Draft>, outcomes: &mut Outcomes) -> Result<(), TransferError> {
        let rows = {
            // It is never closed.
            let _lane = self.lanes.acquire().await.ok();
            let writes: Vec<Write> = drafts.iter().map(|draft| draft.write.clone()).collect();
            sort(self.database.bulk(&writes).await.map_err(TransferError::Couch))?
        };
        if let Ok(rows) = rows {
            return self.settle_rows(drafts, rows, outcomes).await;
        }
        let files = drafts.into_iter().map(|draft| draft.file).collect();
        outcomes.extend(self.one_by_one(files).await?);
        Ok(())
    }

    async fn settle_rows(
        &self,
        drafts: Vec<Draft>,
        rows: Vec<BulkRow>,
        outcomes: &mut Outcomes,
    ) -> Result<(), TransferError> {
        let mut doubtful = Vec::new();
        for (draft, row) in drafts.into_iter().zip(rows) {
            (self.progress)(i64::try_from(draft.fingerprint.length).unwrap_or(i64::MAX));
            match row.outcome {
                Ok(written) if draft.is_predicted(&written) => outcomes.push(draft.sent(written)),
                Ok(written) => doubtful.push((draft, written)),
                Err(answer) if answer.status == 409 => outcomes.push(self.settle(draft.file, ROUNDS).await?),
                Err(answer) => outcomes.push((draft.file.clone(), Err(refused(&draft, answer).into()))),
            }
        }
        self.confirm(doubtful, outcomes).await
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
