//! One file on both sides: what making the target match the source does with it. The same rules hold in both directions.

use crate::mark::Mark;
use crate::path::RelPath;

/// What stands on the target's side of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing.
    Absent,
    /// Something that this tool did not make.
    Foreign,
    /// The same content as the source.
    Same,
    /// Another content than the source, or a content where the source has none.
    Other(Since),
}

/// What became of the target since both sides were last known to be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Nothing: what differs was done on the source's side.
    Unchanged,
    /// It was changed, too.
    Changed,
    /// Nothing is remembered of it.
    Unknown,
}

/// What a mirror is asked to do with differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirrorPolicy {
    /// Remove from the target what the source does not have.
    pub delete: bool,
    /// Overwrite what was changed on the target.
    pub force: bool,
}

/// The reason where something else stands in a file's place.
pub const TAKEN: &str = "something else has this name there";

/// What happens to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// As it is shown.
    pub mark: Mark,
    /// It replaces or removes something that is not known to have come from here: to be confirmed.
    pub overwrites: bool,
    /// Why, where the mark alone does not tell.
    pub reason: Option<&'static str>,
}

/// What happens to a file that the source has (`source`) or not; `None` when there is none on either side.
pub fn fate(source: bool, target: Target, policy: MirrorPolicy) -> Option<Fate> {
    let plain = |mark| Fate { mark, overwrites: false, reason: None };
    let because = |mark, reason| Fate { mark, overwrites: false, reason: Some(reason) };
    Some(match (source, target) {
        (true, Target::Absent) => plain(Mark::New),
        (true, Target::Same) => plain(Mark::Same),
        (true, Target::Foreign) => because(Mark::Conflict, TAKEN),
        (true, Target::Other(Since::Unchanged)) => plain(Mark::Changed),
        (true, Target::Other(Since::Changed)) if !policy.force => {
            because(Mark::Conflict, "changed on both sides, or only in the target, since the last run")
        }
        // Whoever forces it has seen it listed as a conflict.
        (true, Target::Other(Since::Changed)) => because(Mark::Changed, "overwrites"),
        (true, Target::Other(Since::Unknown)) => {
            Fate { mark: Mark::Changed, overwrites: true, reason: Some("overwrites") }
        }
        (false, Target::Absent | Target::Foreign | Target::Same) => return None,
        (false, Target::Other(_)) if !policy.delete => plain(Mark::Kept),
        (false, Target::Other(since)) => {
            Fate { mark: Mark::Removed, overwrites: since != Since::Unchanged, reason: None }
        }
    })
}

/// A file of a mirror that does not stay as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Its path below the folder.
    pub path: RelPath,
    /// What happens to it.
    pub fate: Fate,
    /// Bytes of its content on the source's side; for what goes, on the target's.
    pub bytes: u64,
}

/// What a mirror does: the files that change, by path, and how many stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    /// Every file but those that are the same.
    pub changes: Vec<FileChange>,
    /// Files that are the same on both sides.
    pub same: usize,
    /// Their bytes.
    pub same_bytes: u64,
}

impl Mirror {
    /// Adds a file.
    pub fn add(&mut self, path: RelPath, fate: Fate, bytes: u64) {
        if fate.mark == Mark::Same {
            self.same += 1;
            self.same_bytes += bytes;
        } else {
            self.changes.push(FileChange { path, fate, bytes });
        }
    }

    /// The changes with `mark`.
    pub fn with(&self, mark: Mark) -> impl Iterator<Item = &FileChange> {
        self.changes.iter().filter(move |change| change.fate.mark == mark)
    }

    /// How many files have `mark`.
    pub fn count(&self, mark: Mark) -> usize {
        if mark == Mark::Same { self.same } else { self.with(mark).count() }
    }

    /// What is to be transferred: new and changed files.
    pub fn transfers(&self) -> impl Iterator<Item = &FileChange> {
        self.changes.iter().filter(|change| matches!(change.fate.mark, Mark::New | Mark::Changed))
    }

    /// How many files replace or remove something that has to be confirmed.
    pub fn overwrites(&self) -> usize {
        self.changes.iter().filter(|change| change.fate.overwrites).count()
    }

    /// The figures that the valves look at.
    pub fn removal(&self, what: &'static str) -> super::Removal {
        let removed = self.count(Mark::Removed) as u64;
        let sources = [Mark::New, Mark::Changed, Mark::Same, Mark::Conflict].map(|mark| self.count(mark) as u64);
        let total = self.same + self.changes.iter().filter(|change| change.fate.mark != Mark::New).count();
        super::Removal { source: sources.iter().sum(), removed, total: total as u64, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_its_fate() {
        use Since::{Changed, Unchanged, Unknown};
        let careful = MirrorPolicy::default();
        let delete = MirrorPolicy { delete: true, force: false };
        let force = MirrorPolicy { delete: false, force: true };
        let cases = [
            (true, Target::Absent, careful, Some((Mark::New, false))),
            (true, Target::Same, careful, Some((Mark::Same, false))),
            (true, Target::Foreign, force, Some((Mark::Conflict, false))),
            (true, Target::Other(Unchanged), careful, Some((Mark::Changed, false))),
            (true, Target::Other(Changed), careful, Some((Mark::Conflict, false))),
            (true, Target::Other(Changed), delete, Some((Mark::Conflict, false))),
            (true, Target::Other(Changed), force, Some((Mark::Changed, false))),
            (true, Target::Other(Unknown), careful, Some((Mark::Changed, true))),
            (false, Target::Absent, delete, None),
            (false, Target::Foreign, delete, None),
            (false, Target::Same, delete, None),
            (false, Target::Other(Unchanged), careful, Some((Mark::Kept, false))),
            (false, Target::Other(Unknown), force, Some((Mark::Kept, false))),
            (false, Target::Other(Unchanged), delete, Some((Mark::Removed, false))),
            (false, Target::Other(Changed), delete, Some((Mark::Removed, true))),
            (false, Target::Other(Unknown), delete, Some((Mark::Removed, true))),
        ];
        for (source, target, policy, expected) in cases {
            let fate = fate(source, target, policy).map(|fate| (fate.mark, fate.overwrites));
            assert_eq!(fate, expected, "{source} {target:?} {policy:?}");
        }
    }

    #[test]
    fn the_valves_see_what_is_there() {
        let mut mirror = Mirror::default();
        let fates = [(true, Target::Absent), (true, Target::Same), (false, Target::Other(Since::Unchanged))];
        for (index, (source, target)) in fates.into_iter().enumerate() {
            let fate = fate(source, target, MirrorPolicy { delete: true, force: false }).unwrap();
            mirror.add(RelPath::new(format!("{index}")).unwrap(), fate, 10);
        }
        let removal = mirror.removal("documents");
        assert_eq!((removal.source, removal.removed, removal.total), (2, 1, 2));
        assert_eq!((mirror.transfers().count(), mirror.same_bytes), (1, 10));
    }
}
