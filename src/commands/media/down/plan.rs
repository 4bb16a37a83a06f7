//! Database and folder side by side.

use std::collections::HashSet;

use anyhow::Result;

use super::{Down, take};
use crate::commands::sending::chain;
use crate::couch::{CouchError, Read};
use crate::filter::Verdict;
use crate::local::{Before, FileEntry, Held, LocalError, Sums, Synced, blocking};
use crate::mark::Mark;
use crate::name::Revision;
use crate::path::RelPath;
use crate::plan::{Mirror, MirrorPolicy, Since, Target, fate};
use crate::snapshot::tree::{Alike, compare, is_as_in_base};
use crate::transfer::{self, TransferError};

impl Down<'_> {
    /// Decides what happens to every file of either side.
    pub(super) async fn plan(&mut self) -> Result<Mirror> {
        if self.order.delete && self.unreadable {
            let message = "nothing is removed, because not every document could be read";
            self.context.printer.warning("read_errors", message);
        }
        let policy = MirrorPolicy { delete: self.order.delete && !self.unreadable, force: self.order.force };
        let mut plan = Mirror::default();
        let mut here: HashSet<Box<str>> = HashSet::new();
        if let Some(tree) = &mut self.tree {
            let files = std::mem::take(&mut tree.listing.files);
            let (folder, checksum) = (tree.folder.clone(), self.order.checksum || self.order.verify);
            let mut ledger = std::mem::take(&mut self.memory.ledger);
            let comparing = move || {
                let compared = compare(&folder, &files, &mut ledger, checksum, &|_| ());
                (files, ledger, compared)
            };
            let (files, ledger, compared) = blocking(comparing).await?;
            self.memory.ledger = ledger;
            self.memory.news |= compared.read > 0;
            here.extend(files.iter().map(|file| file.path.as_str().into()));
            for (file, alike) in files.iter().zip(compared.alike) {
                self.plan_file(file, alike, policy, &mut plan).await?;
            }
        }
        for (key, entry) in &self.memory.ledger.entries {
            let Some(held) = entry.remote.as_ref().filter(|_| !here.contains(key)) else { continue };
            if let Some(why) = take::refusal(key) {
                self.troubles.entry(why);
                continue;
            }
            let Ok(path) = RelPath::new(&**key) else { continue };
            let is_left_out = matches!(self.order.rules.verdict(&path, false), Verdict::Ignored(_));
            if let Some(fate) = fate(true, Target::Absent, policy).filter(|_| !is_left_out) {
                plan.add(path, fate, held.length);
            }
        }
        plan.changes.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(plan)
    }

    /// A file that stands in the folder.
    async fn plan_file(
        &mut self,
        file: &FileEntry,
        alike: Option<Result<Alike, LocalError>>,
        policy: MirrorPolicy,
        plan: &mut Mirror,
    ) -> Result<()> {
        let is_left_out = matches!(self.order.rules.verdict(&file.path, false), Verdict::Ignored(_));
        let is_same = match alike.filter(|_| !is_left_out) {
            Some(Ok(Alike::Same)) => Some(Ok(true)),
            Some(Ok(Alike::Other)) => Some(Ok(false)),
            Some(Ok(Alike::Unknown)) => Some(self.compare_there(file).await?),
            Some(Err(error)) => Some(Err(chain(&error))),
            None => None,
        };
        let is_there = is_same.is_some();
        let target = match is_same {
            Some(Ok(true)) => Ok(Target::Same),
            Some(Err(why)) => Err(why),
            // What nothing here ever wrote is somebody's own file.
            None if !self.order.delete_strangers && !self.is_known(file) => return Ok(()),
            Some(Ok(false)) | None => self.since(file).map(Target::Other).map_err(|error| chain(&error)),
        };
        let target = match target {
            Ok(target) => target,
            Err(why) => {
                self.troubles.file(file.path.as_str(), &why);
                return Ok(());
            }
        };
        let remote = self.memory.ledger.entries.get(file.path.as_str()).and_then(|entry| entry.remote.as_ref());
        let length = remote.map_or(file.length, |held| held.length);
        if let Some(fate) = fate(is_there, target, policy) {
            if matches!(fate.mark, Mark::Changed | Mark::Removed) {
                self.before.insert(file.path.clone(), Before::of(file));
            }
            plan.add(file.path.clone(), fate, length);
        }
        Ok(())
    }

    /// Whether a run wrote the file, or found it equal.
    fn is_known(&self, file: &FileEntry) -> bool {
        self.memory.ledger.entries.get(file.path.as_str()).is_some_and(|entry| entry.base.is_some())
    }

    /// What became of the file since both sides were equal.
    fn since(&mut self, file: &FileEntry) -> Result<Since, LocalError> {
        let Some(tree) = &self.tree else { return Ok(Since::Unknown) };
        let entry = self.memory.ledger.entries.entry(file.path.as_str().into()).or_default();
        Ok(match is_as_in_base(&tree.folder, file, entry)? {
            None => Since::Unknown,
            Some(true) => Since::Unchanged,
            Some(false) => Since::Changed,
        })
    }

    /// Reads what the server holds, which it compresses in a way of its own, so that its digest tells nothing. Whether it
    /// is the same as the file, or why that cannot be told.
    async fn compare_there(&mut self, file: &FileEntry) -> Result<Result<bool, String>> {
        let entry = self.memory.ledger.entries.get(file.path.as_str());
        let Some((tree, entry)) = self.tree.as_ref().zip(entry) else { return Ok(Ok(false)) };
        let Some(held) = entry.remote.clone() else { return Ok(Ok(false)) };
        let seen = entry.local.as_ref().filter(|seen| seen.matches(file)).map(|seen| (seen.md5, seen.sha256));
        let (md5, sha256) = if let Some(sums) = seen {
            sums
        } else {
            let (folder, path) = (tree.folder.clone(), file.path.clone());
            match blocking(move || folder.fingerprint(&path, Sums::Md5AndSha256, &|_| ())).await? {
                Ok(fingerprint) => (fingerprint.md5, fingerprint.sha256.unwrap_or_default()),
                Err(error) => return Ok(Err(chain(&error))),
            }
        };
        let is_same = match self.stored(&file.path, &held).await {
            Ok(stored) => stored == Some(md5),
            Err(TransferError::Couch(error)) => return Err(self.reached.failure(error)),
            Err(error) => return Ok(Err(chain(&error))),
        };
        if is_same && let Some(entry) = self.memory.ledger.entries.get_mut(file.path.as_str()) {
            entry.base = Some(Synced { sha256, digest: held.digest });
            self.memory.news = true;
        }
        Ok(Ok(is_same))
    }

    /// The md5 of the content that the server holds; `None` when it is gone.
    async fn stored(&self, path: &RelPath, held: &Held) -> Result<Option<[u8; 16]>, TransferError> {
        let (id, name) = self.source(path, held);
        let read = Read { revision: Revision::new(&*held.revision).ok(), ..Read::default() };
        let document = match self.database.document(&id, &read).await {
            Err(CouchError::NotFound { .. }) => return Ok(None),
            document => document?,
        };
        let Some(stub) = document.attachment(&name) else { return Ok(None) };
        match transfer::content_md5(self.database, &id, &document.revision, &name, stub).await {
            Err(TransferError::Couch(CouchError::NotFound { .. })) => Ok(None),
            stored => stored.map(Some),
        }
    }
}
