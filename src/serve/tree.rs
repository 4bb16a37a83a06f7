//! The revision tree of a document: which revisions it has, which of them wins, how edits and replicated revisions join it.
//!
//! Pure. The rules are CouchDB's: <https://docs.couchdb.org/en/3.5.x/replication/conflicts.html>. A revision is there once and
//! has one parent. Histories that agree on every parent (all do whose revisions were computed, as a revision is a hash over
//! its parent) give the same tree in any order; a forged one is cut where it contradicts what is known.

mod encoding;
mod key;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use self::key::Key;
use crate::name::Revision;

pub use self::encoding::Unreadable;

/// The revisions of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Ascending by their keys, and so parents before children.
    nodes: Vec<Node>,
}

/// A revision in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    key: Key,
    /// A parent that is in the tree.
    parent: Option<Key>,
    is_deleted: bool,
    /// `None` for a revision that is known by name only.
    place: Option<Place>,
}

/// Where the body of a revision is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of its body.
    pub number: u64,
    /// Its bytes and those of its attachments.
    pub size: u64,
}

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
        self.sorted_leaves().into_iter().map(Node::leaf).collect()
    }

    /// The winner.
    pub fn winner(&self) -> Option<Leaf> {
        self.sorted_leaves().first().map(|node| node.leaf())
    }

    /// A revision and its ancestors, newest first; `None` when it is unknown.
    pub fn history(&self, revision: &Revision) -> Option<Vec<Revision>> {
        let node = self.node(&Key::of(revision)?)?;
        Some(self.path(node).map(|node| node.key.revision()).collect())
    }

    /// Whether every leaf is a tombstone, and so the document.
    pub fn is_deleted(&self) -> bool {
        self.sorted_leaves().first().is_none_or(|node| node.is_deleted)
    }

    /// What is known of a revision, as `revs_info` tells; `None` when it is unknown.
    pub fn status(&self, revision: &Revision) -> Option<Status> {
        let node = self.node(&Key::of(revision)?)?;
        Some(match (node.place, node.is_deleted) {
            (None, _) => Status::Missing,
            (Some(_), true) => Status::Deleted,
            (Some(_), false) => Status::Available,
        })
    }

    /// Whether a revision is a leaf.
    pub fn is_leaf(&self, revision: &Revision) -> bool {
        Key::of(revision).is_some_and(|key| self.node(&key).is_some() && !self.parents().contains(&key))
    }

    /// The leaves that descend from a revision (itself, if it is one), the winner first: `open_revs` with `latest=true`.
    pub fn leaves_upon(&self, revision: &Revision) -> Vec<Leaf> {
        let Some(key) = Key::of(revision) else { return Vec::new() };
        let descends = |leaf: &&Node| self.path(leaf).any(|node| node.key == key);
        self.sorted_leaves().into_iter().filter(descends).map(Node::leaf).collect()
    }

    /// Those of `revisions` that are unknown, in CouchDB's order (ascending): `missing` of `_revs_diff`.
    pub fn missing(&self, revisions: &[Revision]) -> Vec<Revision> {
        let mut missing: Vec<_> = revisions.iter().filter(|revision| !self.contains(revision)).collect();
        missing.sort_by_cached_key(|revision| Key::of(revision));
        missing.into_iter().cloned().collect()
    }

    /// The leaves that a missing revision may descend from: `possible_ancestors` of `_revs_diff`, in CouchDB's order.
    pub fn possible_ancestors(&self, missing: &[Revision]) -> Vec<Revision> {
        let newest = missing.iter().map(Revision::generation).max().unwrap_or_default();
        let is_older = |node: &&Node| node.key.generation < newest;
        self.sorted_leaves().into_iter().filter(is_older).map(|node| node.key.revision()).collect()
    }

    /// Whether a revision is known, with or without its body.
    pub fn contains(&self, revision: &Revision) -> bool {
        Key::of(revision).is_some_and(|key| self.node(&key).is_some())
    }

    /// Where the body of a revision is kept, and whether it is a tombstone; `None` when it is not there.
    pub(super) fn place(&self, revision: &Revision) -> Option<(Place, bool)> {
        let node = self.node(&Key::of(revision)?)?;
        Some((node.place?, node.is_deleted))
    }

    /// The bytes of all leaves.
    pub(super) fn size(&self) -> u64 {
        self.sorted_leaves().iter().filter_map(|leaf| leaf.place).map(|place| place.size).sum()
    }

    /// Adds a revision with its ancestors, newest first. A body that is there stays. Ancestors that do not count down one by
    /// one are left out. `false`: nothing has changed.
    pub(super) fn merge(&mut self, history: &[Revision], is_deleted: bool, place: Place) -> bool {
        let mut keys = consecutive(history).into_iter().peekable();
        let Some(first) = keys.peek().cloned() else { return false };
        let mut has_changed = false;
        while let Some(key) = keys.next() {
            let parent = keys.peek().cloned();
            match self.find(&key) {
                Ok(_) if parent.is_none() => break,
                Ok(at) if self.nodes[at].parent == parent => continue,
                Ok(at) if self.nodes[at].parent.is_some() => break,
                // What was before a root comes to be known.
                Ok(at) => self.nodes[at].parent = parent,
                Err(at) => self.nodes.insert(at, Node { key, parent, is_deleted: false, place: None }),
            }
            has_changed = true;
        }
        if let Ok(at) = self.find(&first)
            && self.nodes[at].place.is_none()
        {
            (self.nodes[at].is_deleted, self.nodes[at].place) = (is_deleted, Some(place));
            has_changed = true;
        }
        has_changed
    }

    /// Forgets all but the newest `limit` revisions (at least one) on the way to each leaf. Gives the places of bodies that
    /// nothing refers to any more.
    pub(super) fn stem(&mut self, limit: u64) -> Vec<Place> {
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        if self.nodes.len() <= limit {
            return Vec::new();
        }
        let leaves = self.sorted_leaves();
        let kept: BTreeSet<Key> =
            leaves.into_iter().flat_map(|leaf| self.path(leaf).take(limit)).map(|node| node.key.clone()).collect();
        if kept.len() == self.nodes.len() {
            return Vec::new();
        }
        let (stay, go): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.nodes).into_iter().partition(|node| kept.contains(&node.key));
        self.nodes = stay;
        for node in &mut self.nodes {
            node.parent = node.parent.take().filter(|parent| kept.contains(parent));
        }
        go.into_iter().filter_map(|node| node.place).collect()
    }

    /// Forgets the bodies of all revisions that are no leaves; gives their places.
    pub(super) fn strip(&mut self) -> Vec<Place> {
        let parents: BTreeSet<Key> = self.parents().into_iter().cloned().collect();
        self.nodes.iter_mut().filter(|node| parents.contains(&node.key)).filter_map(|node| node.place.take()).collect()
    }

    fn find(&self, key: &Key) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.key.cmp(key))
    }

    fn node(&self, key: &Key) -> Option<&Node> {
        self.find(key).ok().and_then(|at| self.nodes.get(at))
    }

    /// A node and its ancestors, newest first.
    fn path<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        std::iter::successors(Some(node), |node| node.parent.as_ref().and_then(|parent| self.node(parent)))
    }

    fn parents(&self) -> BTreeSet<&Key> {
        self.nodes.iter().filter_map(|node| node.parent.as_ref()).collect()
    }

    fn sorted_leaves(&self) -> Vec<&Node> {
        let parents = self.parents();
        let mut leaves: Vec<_> = self.nodes.iter().filter(|node| !parents.contains(&node.key)).collect();
        leaves.sort_by(|left, right| left.is_deleted.cmp(&right.is_deleted).then_with(|| right.key.cmp(&left.key)));
        leaves
    }
}

impl Node {
    fn leaf(&self) -> Leaf {
        Leaf { revision: self.key.revision(), is_deleted: self.is_deleted }
    }
}

/// The beginning of a history whose generations count down one by one.
fn consecutive(history: &[Revision]) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::with_capacity(history.len());
    for key in history.iter().map_while(Key::of) {
        if keys.last().is_some_and(|child| child.generation.checked_sub(1) != Some(key.generation)) {
            break;
        }
        keys.push(key);
    }
    keys
}
