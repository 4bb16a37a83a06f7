//! One file in one request of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::confirm::Looked;
use super::draft::{self, Draft};
use super::settle::Found;
use super::share::Share;
use super::{Outbound, Outcome, Sender};
use crate::couch::{CouchError, Document, Progress, Written};
use crate::local::blocking;
use crate::transfer::TransferError;

/// How often a file is sent that changes on its way, arrives damaged, or whose document others write meanwhile.
const TRIES: u32 = 4;

/// What a file is sent onto.
pub(super) enum Onto {
    /// This revision, which holds what was to be replaced, or nothing.
    Known(Option<Document>),
    /// What is there now has to be looked at.
    Unseen,
}

impl Sender<'_> {
    /// Sends one file. The outer error ends the whole transfer.
    pub(super) async fn single(self, file: Outbound) -> Result<(Outbound, Outcome), TransferError> {
        let onto = match file.replaces {
            Some(_) => match self.sort(self.current(&file).await)? {
                Ok(Some(document)) if !file.replaces_file_of(&document) => Onto::Unseen,
                Ok(parent) => Onto::Known(parent),
                Err(error) => {
                    Share::new(self.progress, file.length).close();
                    return Ok((file, Err(error)));
                }
            },
            None => Onto::Known(None),
        };
        self.deliver(file, onto).await
    }

    /// Sends a file as the next revision of what is there, or as a new document.
    pub(super) async fn deliver(self, mut file: Outbound, onto: Onto) -> Result<(Outbound, Outcome), TransferError> {
        let share = Share::new(self.progress, file.length);
        let outcome = self.deliver_in_tries(&mut file, onto, &share).await?;
        share.close();
        Ok((file, outcome))
    }

    async fn deliver_in_tries(
        &self,
        file: &mut Outbound,
        mut onto: Onto,
        share: &Share<'_>,
    ) -> Result<Outcome, TransferError> {
        let id = file.id.clone();
        let clash = || Ok(Err(TransferError::Clash { id: id.clone() }));
        for left in (0..TRIES).rev() {
            let parent = match onto {
                Onto::Known(parent) => parent,
                Onto::Unseen => match self.sort(self.look(file).await)? {
                    Ok(Found::Gone) => {
                        file.replaces = None;
                        None
                    }
                    Ok(Found::Foreign) => return Ok(Err(TransferError::Foreign { id: file.id.clone() })),
                    Ok(Found::Ours(sent)) => return Ok(Ok(*sent)),
                    Ok(Found::Edited(document)) => Some(*document),
                    Ok(Found::Replaced) => return clash(),
                    Err(error) => return Ok(Err(error)),
                },
            };
            let draft = match self.draft(file.clone(), parent.clone()).await? {
                Ok(draft) => draft,
                Err(error) => return Ok(Err(error)),
            };
            onto = match self.put(draft, share).await {
                Ok(Looked::Same(sent)) => {
                    self.answered();
                    return Ok(Ok(*sent));
                }
                Ok(Looked::Altered(document)) => {
                    self.answered();
                    if left == 0 {
                        return Ok(Err(TransferError::Altered { id: file.id.clone() }));
                    }
                    *file = file.clone().onto(&document);
                    Onto::Known(Some(*document))
                }
                Err(TransferError::Couch(CouchError::Conflict { .. })) => {
                    self.answered();
                    Onto::Unseen
                }
                Err(TransferError::Couch(CouchError::Source { .. } | CouchError::Corrupted { .. })) if left > 0 => {
                    Onto::Known(parent)
                }
                Err(error) => return self.sort(Err(error)),
            };
            share.set(0);
        }
        clash()
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

    async fn put(&self, mut draft: Draft, share: &Share<'_>) -> Result<Looked, TransferError> {
        let counted = Arc::new(AtomicU64::new(0));
        draft.write.progress = Some(counting(&counted));
        let putting = self.database.put(&draft.write);
        let written = watch(putting, &counted, share).await?;
        if draft.is_predicted(&written) {
            return Ok(Looked::Same(Box::new(draft.held(written))));
        }
        let read = crate::couch::Read { revision: Some(written.revision.clone()), ..Default::default() };
        let document = self.database.document(&draft.file.id, &read).await?;
        self.compare(&draft, document, written).await
    }
}

/// Waits for a write while the bytes that the socket took are told.
async fn watch(
    putting: impl Future<Output = Result<Written, CouchError>>,
    counted: &AtomicU64,
    share: &Share<'_>,
) -> Result<Written, CouchError> {
    const STEP: std::time::Duration = std::time::Duration::from_millis(100);
    tokio::pin!(putting);
    loop {
        tokio::select! {
            result = &mut putting => return result,
            () = tokio::time::sleep(STEP) => share.set(counted.load(Ordering::Relaxed)),
        }
    }
}

/// The client tells how much of the current try was sent; a retry begins anew.
fn counting(counted: &Arc<AtomicU64>) -> Progress {
    let counted = Arc::clone(counted);
    Arc::new(move |sent, _| counted.store(sent, Ordering::Relaxed))
}
