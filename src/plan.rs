//! What has to change, as plain data.
//!
//! A document is compared as a [`Snapshot`]: its members taken apart into leaves, and its attachments. Comparing ours with
//! theirs, and both with the base (the document as of our last push or clone), gives a [`Plan`]; nothing in here reads or
//! writes anything, so a dry run, `status` and `diff` are the same code with the last step missing.

mod compose;
mod guard;
mod merge;
mod mirror;
mod push;
pub mod security;
mod snapshot;
mod summary;
pub mod topology;

pub use compose::{compose, restore};
pub use guard::{Limit, Refusal, Removal, guard};
pub use merge::{File, Files, Merge, MergeInput, Merged, SameField, merge};
pub use mirror::{Fate, FileChange, Mirror, MirrorPolicy, Since, TAKEN, Target, fate};
pub use push::{Clash, Input, Policy, Step, plan};
pub use snapshot::{AttachmentEntry, Content, KeyPath, Snapshot, leaves};
pub use summary::{Counts, Line, lines};

use crate::mark::Mark;
use crate::name::AttName;

/// What a plan speaks of: a leaf of the document's body, or an attachment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The keys that lead to a leaf of the body.
    Member(KeyPath),
    /// An attachment's name.
    Attachment(AttName),
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What changes.
    pub key: Key,
    /// How it changes.
    pub mark: Mark,
    /// The path people know it by: the file it comes from or would be written to.
    pub path: String,
    /// Bytes to send for it: of the attachment, or of the member's JSON text.
    pub bytes: u64,
    /// It replaces or removes something on the other side that no base of ours knows.
    pub overwrites: bool,
}

/// What a push would do to one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Every key of either side, sorted by key; also those that stay as they are.
    pub changes: Vec<Change>,
    /// Whether the tool's own metadata (`couchapp.manifest` and the like) differs, so that a push is due anyway.
    pub metadata: bool,
}

impl Plan {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        !self.metadata && self.changes.iter().all(|change| matches!(change.mark, Mark::Same | Mark::Kept))
    }

    /// The changes that write or remove something.
    pub fn effective(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !matches!(change.mark, Mark::Same | Mark::Kept))
    }

    /// The change of `key`, if either side has it.
    pub fn find(&self, key: &Key) -> Option<&Change> {
        self.changes.binary_search_by(|change| change.key.cmp(key)).ok().map(|index| &self.changes[index])
    }

    /// Whether a change touches the views, so that the server rebuilds their index
    /// ([the view signature](https://docs.couchdb.org/en/stable/ddocs/views/intro.html) covers views, options and language).
    pub fn rebuilds_index(&self) -> bool {
        self.effective().any(|change| match &change.key {
            Key::Member(path) => matches!(path[0].as_str(), "views" | "options" | "language"),
            Key::Attachment(_) => false,
        })
    }
}
