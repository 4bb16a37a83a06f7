//! Files on their way to the disk, and off it.

use anyhow::Result;

use super::list::is_json;
use super::{Down, take};
use crate::commands::media::{Memory, Troubles};
use crate::commands::sending::chain;
use crate::couch::digest::Digest;
use crate::local::{Destination, Entry, Existing, Held, LocalError, Synced, WriteOptions, blocking, sync_file_system};
use crate::mark::Mark;
use crate::media;
use crate::name::{AttName, DocId, Revision};
use crate::path::RelPath;
use crate::plan::Mirror;
use crate::transfer::{self, Arrived, Fetch, ReceiveOptions, TransferError};

/// Documents written as JSON that are read in one request.
const AT_ONCE: usize = 500;

impl Down<'_> {
    /// Removes what runs that were killed have left unfinished, unless it is still of use.
    pub(super) fn clear_away(&self) {
        let Some(tree) = self.tree.as_ref().filter(|_| self.troubles.files() == 0) else { return };
        let into = Destination::open(tree.folder.root());
        if let Err(error) = into.and_then(|into| into.remove_temporaries(&tree.listing, &|_| false)) {
            let message = format!("an unfinished file of an earlier run stays: {}", chain(&error));
            self.context.printer.warning("unfinished_files", &message);
        }
    }

    /// Fetches what the plan adds and changes; how many files and bytes that were.
    pub(super) async fn fetch(&mut self, plan: &Mirror) -> Result<(usize, u64)> {
        let (mut wanted, mut documents) = (Vec::new(), Vec::new());
        for change in plan.transfers() {
            let entry = self.memory.ledger.entries.get(change.path.as_str());
            let Some(held) = entry.and_then(|entry| entry.remote.as_ref()) else { continue };
            let existing = self.before.get(&change.path).map_or(Existing::Refuse, |seen| Existing::ReplaceOnly(*seen));
            match is_json(held) {
                true => documents.push((change.path.clone(), held.clone(), existing)),
                false => wanted.extend(self.wanted(&change.path, held, existing)),
            }
        }
        let bytes = plan.transfers().map(|change| change.bytes).sum();
        let progress = self.context.printer.progress(bytes, plan.transfers().count() as u64);
        let into = Destination::open(&self.order.into.path)?;
        let options = ReceiveOptions { jobs: self.context.settings.network.jobs, durable: self.order.fsync };
        let counting = |bytes: i64| match u64::try_from(bytes) {
            Ok(more) => progress.add(more),
            Err(_) => progress.take_back(bytes.unsigned_abs()),
        };
        let (mut count, mut total) = (0, 0);
        let (memory, troubles, context) = (&mut self.memory, &mut self.troubles, self.context);
        let mut done = |fetch: &Fetch, outcome: Result<Arrived, TransferError>| {
            progress.item_done();
            match outcome {
                Ok(arrived) => {
                    count += 1;
                    total += arrived.length;
                    note(memory, fetch, &arrived);
                }
                Err(TransferError::Local(error)) => not_written(troubles, &fetch.path, &error),
                Err(error) => troubles.file(fetch.path.as_str(), &chain(&error)),
            }
            if memory.is_due() && sync_file_system(into.root()).is_ok() {
                memory.save(context);
            }
        };
        let outcome = transfer::receive(self.database, wanted, &into, options, &counting, &mut done).await;
        let written = match outcome {
            Ok(()) => self.write_documents(&into, documents).await,
            Err(error) => Err(self.failure(error)),
        };
        progress.finish();
        if written.is_err() {
            self.keep();
        }
        let written = written?;
        Ok((count + written.0, total + written.1))
    }

    /// The document and the attachment of a file.
    pub(super) fn source(&self, path: &RelPath, held: &Held) -> (DocId, AttName) {
        let id = held.id.as_deref().and_then(|id| DocId::new(id).ok());
        let name = held.attachment.as_deref().and_then(|name| AttName::new(name).ok());
        let filed = self.order.scope.filed(path);
        (id.unwrap_or_else(|| media::document_id(&filed)), name.unwrap_or_else(|| media::file_attachment(&filed)))
    }

    fn wanted(&self, path: &RelPath, held: &Held, existing: Existing) -> Option<Fetch> {
        let (id, name) = self.source(path, held);
        Some(Fetch {
            path: path.clone(),
            id,
            revision: Revision::new(&*held.revision).ok()?,
            name,
            length: held.length,
            digest: held.digest.map(Digest::from_md5),
            encoded: held.encoded,
            sha256: held.sha256,
            modified: held.modified,
            existing,
            pinned: path.as_str().ends_with(&format!("~{}", held.revision)),
        })
    }

    /// Writes documents as JSON.
    async fn write_documents(
        &mut self,
        into: &Destination,
        documents: Vec<(RelPath, Held, Existing)>,
    ) -> Result<(usize, u64)> {
        let (mut count, mut bytes) = (0, 0);
        for slice in documents.chunks(AT_ONCE) {
            let id = |held: &Held| held.id.as_deref().and_then(|id| DocId::new(id).ok());
            let known: Vec<_> = slice.iter().filter_map(|item| Some((item, id(&item.1)?))).collect();
            let ids: Vec<DocId> = known.iter().map(|(_, id)| id.clone()).collect();
            let found = self.database.readable_documents(&ids).await.map_err(|error| self.reached.failure(error))?;
            for (((path, _, existing), _), document) in known.into_iter().zip(found) {
                let gone = || Err("the document was deleted meanwhile".to_owned());
                let document = match document.map_or_else(gone, |read| read.map_err(|unreadable| unreadable.why)) {
                    Ok(document) => document,
                    Err(why) => {
                        self.troubles.file(path.as_str(), &why);
                        continue;
                    }
                };
                let (text, options) = (take::text(&document), options(*existing, self.order.fsync));
                let (to, at) = (into.clone(), path.clone());
                let size = text.len() as u64;
                match blocking(move || to.write(&at, &text, options)).await? {
                    Ok(()) => {
                        (count, bytes) = (count + 1, bytes + size);
                        // It can be of a later revision than the one that was listed.
                        let held = take::json(&document);
                        let base = held.sha256.map(|sha256| Synced { sha256, digest: held.digest });
                        let entry = Entry { local: None, remote: Some(held), base };
                        self.memory.ledger.entries.insert(path.as_str().into(), entry.into());
                    }
                    Err(error) => not_written(&mut self.troubles, path, &error),
                }
            }
        }
        Ok((count, bytes))
    }

    /// Removes the files that the plan removes, and the folders that are empty then.
    pub(super) fn remove(&mut self, plan: &Mirror) -> Result<usize> {
        let into = Destination::open(&self.order.into.path)?;
        let mut removed = 0;
        for change in plan.with(Mark::Removed) {
            let Some(before) = self.before.get(&change.path) else { continue };
            match into.remove_only(&change.path, *before).and_then(|_| into.remove_empty_parents(&change.path)) {
                Err(LocalError::Changed { .. }) => {
                    self.troubles.conflict(change.path.as_str(), "changed here meanwhile, not removed");
                }
                Ok(()) => {
                    removed += 1;
                    self.memory.ledger.entries.remove(change.path.as_str());
                }
                Err(error) => self.troubles.file(change.path.as_str(), &error),
            }
        }
        Ok(removed)
    }

    /// Keeps the memory, once everything it tells of is on the disk.
    pub(super) fn keep(&mut self) {
        self.memory.ledger.entries.retain(|_, entry| entry.remote.is_some() || entry.base.is_some());
        match sync_file_system(&self.order.into.path) {
            Ok(()) => self.memory.save(self.context),
            Err(error) => {
                let message = format!("this run cannot be remembered: {error}");
                self.context.printer.warning("state", &message);
            }
        }
    }

    fn failure(&self, error: TransferError) -> anyhow::Error {
        match error {
            TransferError::Couch(error) => self.reached.failure(error),
            other => other.into(),
        }
    }
}

/// What was changed or made while the files were on their way stays: as good a conflict as what was there before.
fn not_written(troubles: &mut Troubles, path: &RelPath, error: &LocalError) {
    match error {
        LocalError::Changed { .. } | LocalError::Exists { .. } => {
            troubles.conflict(path.as_str(), "changed here meanwhile, not replaced");
        }
        error => troubles.file(path.as_str(), &chain(error)),
    }
}

fn options(existing: Existing, durable: bool) -> WriteOptions {
    WriteOptions { existing, durable, ..WriteOptions::default() }
}

/// The file and the attachment are equal now.
fn note(memory: &mut Memory, fetch: &Fetch, arrived: &Arrived) {
    let entry = memory.ledger.entries.entry(fetch.path.as_str().into()).or_default();
    entry.local.clone_from(&arrived.seen);
    let digest = arrived.digest.map(Digest::md5);
    entry.base = Some(Synced { sha256: arrived.sha256, digest });
    if let Some(held) = &mut entry.remote {
        held.revision = arrived.revision.as_str().into();
        held.length = arrived.length;
        held.digest = digest;
        held.encoded = arrived.encoded;
        held.sha256 = arrived.claimed;
        held.modified = arrived.modified;
    }
}
