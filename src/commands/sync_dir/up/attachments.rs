//! The files become attachments of one document, in one revision.

use std::collections::HashSet;

use anyhow::Result;

use super::{Run, Totals};
use crate::commands::sending::{chain, forward};
use crate::content_type;
use crate::couch::{Attachment, CouchError, Missing, NewAttachment, Read, Write};
use crate::exit::{Exit, Failure};
use crate::local::{FileEntry, Fingerprint, HashCache, Sums, Synced, blocking};
use crate::mark::Mark;
use crate::name::{AttName, DocId};
use crate::path::RelPath;
use crate::plan::Mirror;
use crate::snapshot::library;
use crate::transfer::{self, Outgoing};

impl Run<'_> {
    /// Reads which files the document has.
    pub(super) async fn list_attachments(&mut self, id: &DocId) -> Result<()> {
        self.document = match self.database.document(id, &Read { conflicts: true, ..Read::default() }).await {
            Ok(document) => Some(document),
            Err(CouchError::NotFound { what: Missing::Document { .. }, .. }) => None,
            Err(error) => return Err(self.reached.failure(error)),
        };
        let entries = &mut self.memory.ledger.entries;
        entries.values_mut().for_each(|entry| entry.remote = None);
        let Some(document) = &self.document else { return Ok(()) };
        for (name, stub) in &document.attachments {
            if let Some(path) = self.scope.path_of_attachment(name) {
                entries.entry(path.as_str().into()).or_default().remote = Some(library::held(document, stub));
            }
        }
        if !document.conflicts.is_empty() {
            let message = format!("`{id}` has conflicting revisions; all of them are kept");
            self.context.printer.warning("conflicting_revisions", &message);
        }
        Ok(())
    }

    /// Writes the document `id` with what the plan adds and changes, without what it removes, and otherwise as it is.
    pub(super) async fn send_attachments(&mut self, plan: &Mirror, id: &DocId) -> Result<Totals> {
        let changed = self.fingerprints(plan).await?;
        if changed.is_empty() && plan.count(Mark::Removed) == 0 {
            return Ok(Totals::default());
        }
        let outgoing = changed.iter().map(|(path, fingerprint)| self.outgoing(path, fingerprint));
        let encode = self.reached.welcome.kind.takes_encoded_parts();
        let new = transfer::prepare(&self.tree.folder, outgoing.collect(), encode).await?;
        let write = self.write(plan, id, new);
        let bytes = changed.iter().map(|(_, fingerprint)| fingerprint.length).sum();
        let progress = self.context.printer.progress(bytes, changed.len() as u64);
        let write = Write { progress: Some(forward(&progress)), ..write };
        let written = self.database.put(&write).await;
        progress.finish();
        let written = written.map_err(|error| self.refused(error, &write.id))?;
        let read = Read { revision: Some(written.revision.clone()), ..Read::default() };
        let document = self.database.document(&write.id, &read).await.map_err(|error| self.reached.failure(error))?;
        transfer::verify(&write, &document).map_err(|mismatch| {
            Failure::new(Exit::Failed, format!("`{}` was written, but not as it was sent", write.id)).because(mismatch)
        })?;
        for (path, fingerprint) in &changed {
            let Some(stub) = document.attachment(&self.scope.attachment(path)) else { continue };
            let entry = self.memory.ledger.entries.entry(path.as_str().into()).or_default();
            let digest = stub.digest.map(crate::couch::digest::Digest::md5);
            entry.local = fingerprint.seen();
            entry.remote = Some(library::held(&document, stub));
            entry.base = fingerprint.sha256.map(|sha256| Synced { sha256, digest });
        }
        for change in plan.with(Mark::Removed) {
            self.memory.ledger.entries.remove(change.path.as_str());
        }
        let weak = if written.weak { changed.len() } else { 0 };
        Ok(Totals { files: changed.len(), bytes, weak })
    }

    /// The sums of what is to be sent; a file that cannot be read is left out, and told of.
    async fn fingerprints(&mut self, plan: &Mirror) -> Result<Vec<(RelPath, Fingerprint)>> {
        let changed: HashSet<&str> = plan.transfers().map(|change| change.path.as_str()).collect();
        let files = self.tree.listing.files.iter().filter(|file| changed.contains(file.path.as_str()));
        let (folder, files) = (self.tree.folder.clone(), files.cloned().collect::<Vec<FileEntry>>());
        let reading = move || {
            let read = folder.fingerprints(&files, &HashCache::default(), Sums::Md5AndSha256, &|_| ());
            files.into_iter().map(|file| file.path).zip(read).collect::<Vec<_>>()
        };
        let mut fingerprints = Vec::new();
        for (path, read) in blocking(reading).await? {
            match read {
                Ok(fingerprint) => fingerprints.push((path, fingerprint)),
                Err(error) => self.troubles.file(path.as_str(), &chain(&error)),
            }
        }
        Ok(fingerprints)
    }

    fn outgoing(&self, path: &RelPath, fingerprint: &Fingerprint) -> Outgoing {
        Outgoing {
            name: self.scope.attachment(path),
            path: path.clone(),
            length: fingerprint.length,
            md5: fingerprint.md5,
            content_type: content_type::of_name(path.name(), &self.context.settings.content_types),
            guessed: true,
            stored_as: None,
        }
    }

    fn write(&self, plan: &Mirror, id: &DocId, new: Vec<(AttName, NewAttachment)>) -> Write {
        let document = self.document.as_ref();
        let gone = plan.with(Mark::Removed).map(|change| self.scope.attachment(&change.path));
        let replaced: HashSet<AttName> = gone.chain(new.iter().map(|(name, _)| name.clone())).collect();
        let mut attachments: Vec<(AttName, Attachment)> =
            new.into_iter().map(|(name, new)| (name, Attachment::New(new))).collect();
        let present = document.iter().flat_map(|document| &document.attachments);
        let kept = present.filter(|(name, _)| !replaced.contains(name));
        attachments.extend(kept.map(|(name, stub)| (name.clone(), Attachment::Stub(stub.clone()))));
        attachments.sort_by(|(left, _), (right, _)| left.cmp(right));
        Write {
            id: id.clone(),
            parent: document.map(|document| document.revision.clone()),
            body: document.map(|document| document.body.clone()).unwrap_or_default(),
            attachments,
            progress: None,
        }
    }

    fn refused(&self, error: CouchError, id: &DocId) -> anyhow::Error {
        match error {
            CouchError::Conflict { .. } => {
                let failure = Failure::new(Exit::Conflict, format!("`{id}` changed on the server during this run"));
                failure.because(error).hint("nothing was overwritten; run it again to see what changed").into()
            }
            error => self.reached.failure(error),
        }
    }
}
