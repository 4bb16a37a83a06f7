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

/// What is known of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its body is there.
    Available,
    /// It is a tombstone.
    Deleted,
    /// It is known by name only.
    Missing,
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
    /// Whether every leaf is a tombstone, and so the document.
    pub fn is_deleted(&self) -> bool {
        unimplemented!()
    }
    /// What is known of a revision, as `revs_info` tells; `None` when it is unknown.
    pub fn status(&self, _revision: &Revision) -> Option<Status> {
        unimplemented!()
    }
    /// Whether a revision is a leaf.
    pub fn is_leaf(&self, _revision: &Revision) -> bool {
        unimplemented!()
    }
    /// The leaves that descend from a revision (itself, if it is one): `open_revs` with `latest=true`.
    pub fn leaves_upon(&self, _revision: &Revision) -> Vec<Leaf> {
        unimplemented!()
    }
    /// Those of `revisions` that are unknown, in CouchDB's order (ascending): `missing` of `_revs_diff`.
    pub fn missing(&self, _revisions: &[Revision]) -> Vec<Revision> {
        unimplemented!()
    }
    /// The leaves that a missing revision may descend from: `possible_ancestors` of `_revs_diff`, in CouchDB's order.
    pub fn possible_ancestors(&self, _missing: &[Revision]) -> Vec<Revision> {
        unimplemented!()
    }
    /// Whether a revision is known, with or without its body.
    pub fn contains(&self, _revision: &Revision) -> bool {
        unimplemented!()
    }
}
