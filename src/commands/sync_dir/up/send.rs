//! New and changed files on their way, and what is remembered of each.

use anyhow::Result;

use super::{Run, Totals, tell_of_conflicts};
use crate::commands::media::files;
use crate::commands::sending::chain;
use crate::couch::digest::Digest;
use crate::local::{Entry, Held, Ledger, Synced};
use crate::media;
use crate::plan::{FileChange, Mirror};
use crate::report::Progress;
use crate::transfer::{self, Outbound, Replaced, SendOptions, Sent, TransferError};

/// Files whose sending is prepared at once: there may be hundreds of thousands.
const AT_ONCE: usize = 20_000;

impl Run<'_> {
    /// Sends what the plan adds and changes.
    pub(super) async fn send(&mut self, plan: &Mirror) -> Result<Totals> {
        let changes: Vec<&FileChange> = plan.transfers().collect();
        let bytes = changes.iter().map(|change| change.bytes).sum();
        let progress = self.context.printer.progress(bytes, changes.len() as u64);
        let mut totals = Totals::default();
        for changes in changes.chunks(AT_ONCE) {
            let outcome = self.send_some(changes, &progress, &mut totals).await;
            if let Err(error) = outcome {
                progress.finish();
                self.warn(&totals);
                self.memory.save(self.context);
                return Err(self.failure(error));
            }
        }
        progress.finish();
        Ok(totals)
    }

    async fn send_some(
        &mut self,
        changes: &[&FileChange],
        progress: &Progress,
        totals: &mut Totals,
    ) -> Result<(), TransferError> {
        let outbound = changes.iter().map(|change| self.outbound(change)).collect();
        let counting = |bytes: i64| match u64::try_from(bytes) {
            Ok(more) => progress.add(more),
            Err(_) => progress.take_back(bytes.unsigned_abs()),
        };
        let (options, context) = (self.options(), self.context);
        let (memory, troubles, told) = (&mut self.memory, &mut self.troubles, &mut self.told);
        let mut done = |file: Outbound, outcome: transfer::Outcome| {
            progress.item_done();
            match outcome {
                Ok(sent) => {
                    totals.files += 1;
                    totals.bytes += sent.fingerprint.length;
                    totals.weak += usize::from(sent.weak);
                    if sent.has_conflicts && told.insert(file.id.clone()) {
                        tell_of_conflicts(context, &file.id);
                    }
                    note(&mut memory.ledger, &file, &sent);
                }
                Err(TransferError::Clash { .. }) => {
                    troubles.conflict(file.path.as_str(), "somebody else changed it meanwhile");
                }
                Err(error) => troubles.file(file.path.as_str(), &chain(&error)),
            }
            if memory.is_due() {
                memory.save(context);
            }
        };
        transfer::send(self.database, &self.tree.folder, outbound, &options, &counting, &mut done).await
    }

    fn outbound(&self, change: &FileChange) -> Outbound {
        let held = self.memory.ledger.entries.get(change.path.as_str()).and_then(|entry| entry.remote.as_ref());
        Outbound {
            path: change.path.clone(),
            filed: self.scope.filed(&change.path),
            id: self.scope.id(&change.path),
            length: change.bytes,
            replaces: held
                .map(|held| Replaced { revision: held.revision.clone(), digest: held.digest.map(Digest::from_md5) }),
        }
    }

    /// Tells of what could be lost with the nodes that have it.
    pub(super) fn warn(&self, sent: &Totals) {
        if sent.weak > 0 {
            let message = format!("stored on fewer nodes than the cluster wants: {}", files(sent.weak));
            self.context.printer.warning("weak", &message);
        }
    }

    fn options(&self) -> SendOptions {
        SendOptions {
            tags: self.command.tags.clone(),
            tags_from_folders: self.command.tags_from_folders,
            facts: self.command.metadata,
            thumbnails: self.command.thumbnails,
            content_types: self.context.settings.content_types.clone(),
            compresses: self.reached.welcome.kind.takes_encoded_parts(),
            force: self.command.force,
            jobs: self.context.settings.network.jobs,
        }
    }

    fn failure(&self, error: TransferError) -> anyhow::Error {
        match error {
            TransferError::Couch(error) => self.reached.failure(error),
            other => other.into(),
        }
    }
}

/// Both sides are equal now.
fn note(ledger: &mut Ledger, file: &Outbound, sent: &Sent) {
    let path = file.path.as_str();
    let sha256 = sent.fingerprint.sha256.unwrap_or_default();
    let digest = sent.digest.map(Digest::md5);
    let held = Held {
        id: None,
        attachment: (sent.attachment != media::file_attachment(&file.filed)).then(|| sent.attachment.as_str().into()),
        revision: sent.revision.as_str().into(),
        length: sent.fingerprint.length,
        digest,
        encoded: sent.encoded,
        sha256: Some(sha256),
        modified: Some(sent.fingerprint.modified),
        foreign: false,
        extras: ledger.entries.get(path).and_then(|entry| entry.remote.as_ref()).is_some_and(|held| held.extras),
    };
    let entry = Entry { local: sent.fingerprint.seen(), remote: Some(held), base: Some(Synced { sha256, digest }) };
    ledger.entries.insert(path.into(), Box::new(entry));
}
