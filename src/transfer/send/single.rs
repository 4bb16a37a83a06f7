//! One file in one request of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::draft::{self, Draft};
use super::{Outbound, Outcome, ROUNDS, Sender, sort};
use crate::couch::{CouchError, Document, Progress, Written};
use crate::local::blocking;
use crate::transfer::TransferError;

/// How often a file is sent that changes on its way, or arrives damaged.
const TRIES: u32 = 3;

impl Sender<'_> {
    /// Sends one file. The outer error ends the whole transfer.
    pub(super) async fn single(self, file: Outbound) -> Result<(Outbound, Outcome), TransferError> {
        let parent = match &file.replaces {
            Some(_) => match sort(self.current(&file).await)? {
                Ok(parent) => parent,
                Err(error) => return Ok((file, Err(error))),
            },
            None => None,
        };
        // Read just now: what stands there has to be what was to be replaced.
        if let (Some(replaced), Some(document)) = (&file.replaces, &parent)
            && !replaced.is_in(document)
        {
            return self.settle(file, ROUNDS).await;
        }
        self.send_onto(file, parent, ROUNDS).await
    }

    /// Sends a file as the next revision of `parent`, or as a new document. When that changes meanwhile, it is settled
    /// `rounds` times at most.
    pub(super) async fn send_onto(
        self,
        file: Outbound,
        mut parent: Option<Document>,
        rounds: u32,
    ) -> Result<(Outbound, Outcome), TransferError> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let draft = match self.draft(file.clone(), parent.clone()).await? {
                Ok(draft) => draft,
                Err(error) => return Ok((file, Err(error))),
            };
            match self.put(draft).await {
                Err(TransferError::Couch(CouchError::Conflict { .. })) => return self.settle(file, rounds).await,
                Err(TransferError::Couch(CouchError::Source { .. } | CouchError::Corrupted { .. })) if tries > 0 => {}
                Err(TransferError::Altered { .. }) if tries > 0 => parent = self.current(&file).await?,
                other => return Ok((file, sort(other)?)),
            }
        }
    }

    async fn draft(
        &self,
        file: Outbound,
        parent: Option<Document>,
    ) -> Result<Result<Draft, TransferError>, TransferError> {
        let (folder, options) = (self.folder.clone(), self.options.clone());
        let drafting = move || draft::streamed(&folder, file, parent.as_ref(), &options);
        let drafted = blocking(drafting).await.map_err(TransferError::Task)?;
        Ok(drafted.map_err(|failed| failed.1))
    }

    async fn put(&self, mut draft: Draft) -> Outcome {
        let counted = Arc::new(AtomicU64::new(0));
        draft.write.progress = Some(counting(&counted));
        let putting = self.database.put(&draft.write);
        let written = self.watch(putting, &counted).await?;
        if draft.is_predicted(&written) {
            return draft.sent(written).1;
        }
        let read = crate::couch::Read { revision: Some(written.revision.clone()), ..Default::default() };
        let document = self.database.document(&draft.file.id, &read).await?;
        self.compare(&draft, &document, written).await
    }

    /// Waits for a write while the bytes that the socket took are told.
    async fn watch(
        &self,
        putting: impl Future<Output = Result<Written, CouchError>>,
        counted: &AtomicU64,
    ) -> Result<Written, CouchError> {
        const STEP: std::time::Duration = std::time::Duration::from_millis(100);
        let mut told = 0;
        let mut tell = || {
            let sent = counted.load(Ordering::Relaxed);
            (self.progress)(i64::try_from(sent).unwrap_or(i64::MAX) - i64::try_from(told).unwrap_or(i64::MAX));
            told = sent;
        };
        tokio::pin!(putting);
        loop {
            tokio::select! {
                result = &mut putting => {
                    tell();
                    return result;
                }
                () = tokio::time::sleep(STEP) => tell(),
            }
        }
    }
}

/// The client tells how much of the current try was sent; a retry begins anew.
fn counting(counted: &Arc<AtomicU64>) -> Progress {
    let counted = Arc::clone(counted);
    Arc::new(move |sent, _| counted.store(sent, Ordering::Relaxed))
}
