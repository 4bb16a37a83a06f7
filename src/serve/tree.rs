//! The revision tree of a document: which revisions it has, which of them wins, how edits and replicated revisions join it.
//! Pure. <https://docs.couchdb.org/en/3.5.x/replication/conflicts.html>

use crate::name::Revision;

/// The revisions of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree;

/// A leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The revision.
    pub revision: Revision,
    /// Whether it is a tombstone.
    pub is_deleted: bool,
}

impl Tree {
    /// The leaves, the winner first, in CouchDB's order: live before deleted, then the greatest generation and hash.
    pub fn leaves(&self) -> Vec<Leaf> {
        unimplemented!()
    }
    /// The winner.
    pub fn winner(&self) -> Option<Leaf> {
        unimplemented!()
    }
    /// A revision and its ancestors, newest first; `None` when it is unknown.
    pub fn history(&self, _revision: &Revision) -> Option<Vec<Revision>> {
        unimplemented!()
    }
    /// The ancestors with what is known of each, as `revs_info` tells: `available`, `missing` or `deleted`.
    pub fn contains(&self, _revision: &Revision) -> bool {
        unimplemented!()
    }
}
