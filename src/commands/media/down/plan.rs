//! Database and folder side by side.

use std::collections::HashSet;

use anyhow::Result;

use super::{Down, take};
use crate::filter::Verdict;
use crate::local::{Before, FileEntry, blocking};
use crate::mark::Mark;
use crate::path::RelPath;
use crate::plan::{Mirror, MirrorPolicy, Since, Target, fate};
use crate::snapshot::tree::{Alike, compare, is_as_in_base};

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
                self.plan_file(file, alike, policy, &mut plan)?;
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
    fn plan_file(
        &mut self,
        file: &FileEntry,
        alike: Option<Result<Alike, crate::local::LocalError>>,
        policy: MirrorPolicy,
        plan: &mut Mirror,
    ) -> Result<()> {
        let Some(tree) = &self.tree else { return Ok(()) };
        let is_left_out = matches!(self.order.rules.verdict(&file.path, false), Verdict::Ignored(_));
        let alike = alike.filter(|_| !is_left_out);
        let entry = self.memory.ledger.entries.entry(file.path.as_str().into()).or_default();
        let since = |entry: &mut crate::local::Entry| {
            is_as_in_base(&tree.folder, file, entry).map(|same| match same {
                None => Since::Unknown,
                Some(true) => Since::Unchanged,
                Some(false) => Since::Changed,
            })
        };
        let (source, target) = match alike {
            Some(Ok(Alike::Same)) => (true, Target::Same),
            Some(Ok(Alike::Other | Alike::Unknown)) => (true, Target::Other(since(entry)?)),
            Some(Err(error)) => {
                self.troubles.file(file.path.as_str(), &error);
                return Ok(());
            }
            // What nothing here ever wrote is somebody's own file.
            None if entry.base.is_none() && !self.order.delete_strangers => return Ok(()),
            None => (false, Target::Other(since(entry)?)),
        };
        let length = entry.remote.as_ref().map_or(file.length, |held| held.length);
        if let Some(fate) = fate(source, target, policy) {
            if matches!(fate.mark, Mark::Changed | Mark::Removed) {
                self.before.insert(file.path.clone(), Before::of(file));
            }
            plan.add(file.path.clone(), fate, length);
        }
        Ok(())
    }
}
