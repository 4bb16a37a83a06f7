//! Folder and database side by side.

use std::collections::HashSet;

use anyhow::Result;

use super::Run;
use crate::filter::Verdict;
use crate::local::{FileEntry, Held, Synced, blocking};
use crate::mark::Mark;
use crate::name::AttName;
use crate::path::RelPath;
use crate::plan::{Fate, Mirror, MirrorPolicy, Since, Target, fate};
use crate::snapshot::tree::{Alike, compare};
use crate::transfer;

/// Why the removal of a document has to be confirmed, although the file in it came from here.
pub(super) const MORE: &str = "has more than the file";

impl Run<'_> {
    /// Compares both sides and decides what happens to every file.
    pub(super) async fn plan(&mut self) -> Result<Mirror> {
        let files = std::mem::take(&mut self.tree.listing.files);
        let (folder, checksum) = (self.tree.folder.clone(), self.command.checksum);
        let mut ledger = std::mem::take(&mut self.memory.ledger);
        let comparing = move || {
            let compared = compare(&folder, &files, &mut ledger, checksum, &|_| ());
            (files, ledger, compared)
        };
        let (files, ledger, compared) = blocking(comparing).await?;
        self.memory.ledger = ledger;
        self.memory.news |= compared.read > 0;
        let policy = MirrorPolicy { delete: self.command.delete, force: self.command.force };
        let mut plan = Mirror::default();
        for (file, alike) in files.iter().zip(compared.alike) {
            let target = match alike {
                None => Target::Absent,
                Some(Err(error)) => {
                    self.troubles.file(file.path.as_str(), &error);
                    continue;
                }
                Some(Ok(alike)) => self.target(file, alike).await?,
            };
            if target == Target::Same && self.is_touched(file) {
                self.touched.push((file.path.clone(), file.modified));
            }
            if let Some(fate) = fate(true, target, policy) {
                plan.add(file.path.clone(), fate, file.length);
            }
        }
        self.plan_absent(&files, policy, &mut plan);
        self.tree.listing.files = files;
        Ok(plan)
    }

    /// What stands in the database in the place of a file.
    async fn target(&mut self, file: &FileEntry, alike: Alike) -> Result<Target> {
        let Some(entry) = self.memory.ledger.entries.get_mut(file.path.as_str()) else { return Ok(Target::Absent) };
        let Some(held) = entry.remote.clone() else { return Ok(Target::Absent) };
        if held.foreign {
            return Ok(Target::Foreign);
        }
        match alike {
            Alike::Same => return Ok(Target::Same),
            Alike::Other => {}
            Alike::Unknown => {
                let seen = entry.local.clone();
                if let Some(seen) = seen
                    && self.holds(file, &held, seen.md5).await?
                {
                    let base = Synced { sha256: seen.sha256, digest: held.digest };
                    self.memory.ledger.entries.entry(file.path.as_str().into()).or_default().base = Some(base);
                    return Ok(Target::Same);
                }
            }
        }
        let base = self.memory.ledger.entries.get(file.path.as_str()).and_then(|entry| entry.base.as_ref());
        Ok(Target::Other(since(base, &held)))
    }

    /// Whether a file that is the same in the database has another time there, which `--times` corrects.
    fn is_touched(&self, file: &FileEntry) -> bool {
        let entry = self.memory.ledger.entries.get(file.path.as_str());
        let held = entry.and_then(|entry| entry.remote.as_ref());
        let has_other_time = held.is_some_and(|held| held.digest.is_some() && held.modified != Some(file.modified));
        self.command.times && self.scope.document.is_none() && has_other_time
    }

    /// Reads what the server holds: it compresses in a way of its own, so that its digest tells nothing.
    async fn holds(&self, file: &FileEntry, held: &Held, md5: [u8; 16]) -> Result<bool> {
        let documents = self.database.documents(&[self.scope.id(&file.path)]).await;
        let documents = documents.map_err(|error| self.reached.failure(error))?;
        let Some(document) = documents.into_iter().flatten().next() else { return Ok(false) };
        let recorded = held.attachment.as_deref().and_then(|name| AttName::new(name).ok());
        let name = recorded.unwrap_or_else(|| self.scope.attachment(&file.path));
        let Some(stub) = document.attachment(&name) else { return Ok(false) };
        let stored = transfer::content_md5(self.database, &document.id, &document.revision, &name, stub).await?;
        Ok(stored == md5)
    }

    /// What is only in the database; what the rules leave out counts on neither side.
    fn plan_absent(&mut self, files: &[FileEntry], policy: MirrorPolicy, plan: &mut Mirror) {
        let here: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let is_incomplete = self.tree.is_incomplete();
        let policy = MirrorPolicy { delete: policy.delete && !is_incomplete, ..policy };
        let mut withheld = 0;
        for (path, entry) in &self.memory.ledger.entries {
            let Some(held) = entry.remote.as_ref().filter(|held| !held.foreign) else { continue };
            let Some(path) = RelPath::new(&**path).ok().filter(|path| !here.contains(path.as_str())) else { continue };
            let is_excluded = matches!(self.tree.rules.verdict(&path, false), Verdict::Ignored(_));
            if is_excluded && !(self.command.delete && self.command.delete_excluded) {
                continue;
            }
            withheld += usize::from(self.command.delete && is_incomplete);
            match fate(false, Target::Other(since(entry.base.as_ref(), held)), policy) {
                // With the file goes what people have added to its document.
                Some(fate) if fate.mark == Mark::Removed && held.extras => {
                    plan.add(path, Fate { overwrites: true, reason: Some(MORE), ..fate }, held.length);
                }
                Some(fate) => plan.add(path, fate, held.length),
                None => {}
            }
        }
        if withheld > 0 {
            let message = "nothing is removed, because not everything in the folder could be read";
            self.context.printer.warning("read_errors", message);
        }
    }
}

/// What became of the database's side since both were known to be equal.
fn since(base: Option<&Synced>, held: &Held) -> Since {
    match base {
        None => Since::Unknown,
        Some(base) if base.digest.is_some() && base.digest == held.digest => Since::Unchanged,
        Some(_) => Since::Changed,
    }
}
