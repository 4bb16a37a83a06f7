//! Databases, documents and their revision trees, by CouchDB's rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::attachment::{Attachment, Shown};
use super::{number, term};
use crate::wire::Answer;

/// A revision; the greatest of all leaves that are not deleted wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rev {
    /// The generation.
    pub(crate) generation: u64,
    /// The hash.
    pub(crate) hash: String,
}

impl Rev {
    /// Reads `3-9c31ab…`.
    pub(crate) fn parse(text: &str) -> Result<Self, Answer> {
        let (generation, hash) = text.split_once('-').unwrap_or_default();
        match generation.parse() {
            Ok(generation) if !hash.is_empty() => Ok(Self { generation, hash: hash.to_owned() }),
            _ => Err(Answer::error(400, "bad_request", "Invalid rev format")),
        }
    }
}

impl std::fmt::Display for Rev {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.generation, self.hash)
    }
}

/// Attachments by name, in the order of the document.
pub(crate) type Attachments = Vec<(String, Attachment)>;

/// One revision of a document.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The revision before it.
    pub(crate) parent: Option<Rev>,
    /// Whether it is a tombstone.
    pub(crate) is_deleted: bool,
    /// Whether its content is known: the ancestors of a replicated revision are names only.
    pub(crate) is_known: bool,
    /// The members that do not begin with an underscore.
    pub(crate) body: Map<String, Value>,
    /// Its attachments.
    pub(crate) attachments: Attachments,
}

/// A document with all its revisions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    nodes: BTreeMap<Rev, Node>,
}

/// What a `GET` asks a document to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// How attachments are shown.
    pub(crate) shown: Shown,
    /// `att_encoding_info`
    pub(crate) with_encoding: bool,
    /// `revs`
    pub(crate) with_revisions: bool,
    /// `revs_info`
    pub(crate) with_status: bool,
    /// `conflicts`
    pub(crate) with_conflicts: bool,
}

impl View {
    /// The document as a plain `GET` shows it.
    pub(crate) const PLAIN: Self = Self {
        shown: Shown::Stub,
        with_encoding: false,
        with_revisions: false,
        with_status: false,
        with_conflicts: false,
    };
}

fn conflict() -> Answer {
    Answer::error(409, "conflict", "Document update conflict.")
}

impl Document {
    /// The leaves, the least first.
    fn leaves(&self) -> impl Iterator<Item = (&Rev, &Node)> {
        let parents: Vec<&Rev> = self.nodes.values().filter_map(|node| node.parent.as_ref()).collect();
        self.nodes.iter().filter(move |(rev, _)| !parents.contains(rev))
    }

    /// The winning leaf.
    pub(crate) fn winner(&self) -> Option<(&Rev, &Node)> {
        self.leaves().max_by_key(|(rev, node)| (!node.is_deleted, (*rev).clone()))
    }

    /// The winner, unless the document is deleted.
    pub(crate) fn live(&self) -> Option<(&Rev, &Node)> {
        self.winner().filter(|(_, node)| !node.is_deleted)
    }

    /// A revision whose content is there.
    pub(crate) fn revision(&self, rev: &Rev) -> Option<(&Rev, &Node)> {
        self.nodes.get_key_value(rev).filter(|(_, node)| node.is_known)
    }

    /// The leaves for `open_revs=all`.
    pub(crate) fn open_revisions(&self) -> impl Iterator<Item = (&Rev, &Node)> {
        self.leaves()
    }

    /// The revision that a write with `given` builds on, or why there is none.
    pub(crate) fn parent_for(&self, given: Option<&Rev>) -> Result<Option<Rev>, Answer> {
        match (self.live(), given) {
            (Some(_), Some(given)) if self.leaves().any(|(rev, node)| rev == given && !node.is_deleted) => {
                Ok(Some(given.clone()))
            }
            (None, None) => Ok(self.winner().map(|(rev, _)| rev.clone())),
            _ => Err(conflict()),
        }
    }

    /// Adds a revision on `parent` and says which.
    pub(crate) fn add(&mut self, parent: Option<Rev>, mut node: Node) -> Rev {
        let generation = parent.as_ref().map_or(0, |rev| rev.generation) + 1;
        let hash = term::revision_hash(node.is_deleted, parent.as_ref(), &node.body, &node.attachments);
        let rev = Rev { generation, hash };
        node.parent = parent;
        self.nodes.insert(rev.clone(), node);
        rev
    }

    /// Adds a revision made elsewhere with its ancestors, the newest first (`new_edits=false`).
    pub(crate) fn add_foreign(&mut self, path: &[Rev], mut node: Node) {
        let Some((rev, ancestors)) = path.split_first() else { return };
        if self.revision(rev).is_some() {
            return;
        }
        node.parent = ancestors.first().cloned();
        self.nodes.insert(rev.clone(), node);
        for (position, ancestor) in ancestors.iter().enumerate() {
            let parent = ancestors.get(position + 1).cloned();
            let unknown = || Node {
                parent: parent.clone(),
                is_deleted: false,
                is_known: false,
                body: Map::new(),
                attachments: Vec::new(),
            };
            self.nodes.entry(ancestor.clone()).or_insert_with(unknown);
        }
    }

    /// A revision and its ancestors, the newest first.
    fn ancestry(&self, rev: &Rev) -> Vec<Rev> {
        let next = |rev: &Rev| self.nodes.get(rev).and_then(|node| node.parent.clone());
        std::iter::successors(Some(rev.clone()), next).collect()
    }

    /// A revision as JSON.
    pub(crate) fn to_json(&self, id: &str, rev: &Rev, node: &Node, view: View) -> Value {
        let mut shown = Map::new();
        shown.insert("_id".into(), json!(id));
        shown.insert("_rev".into(), json!(rev.to_string()));
        if node.is_deleted {
            shown.insert("_deleted".into(), json!(true));
        }
        shown.extend(node.body.clone());
        shown.values_mut().for_each(number::show);
        let ancestry = self.ancestry(rev);
        if view.with_revisions {
            let ids: Vec<_> = ancestry.iter().map(|rev| rev.hash.as_str()).collect();
            shown.insert("_revisions".into(), json!({ "start": rev.generation, "ids": ids }));
        }
        if view.with_status {
            let status = |rev: &Rev| if self.revision(rev).is_some() { "available" } else { "missing" };
            let list: Vec<_> =
                ancestry.iter().map(|rev| json!({ "rev": rev.to_string(), "status": status(rev) })).collect();
            shown.insert("_revs_info".into(), json!(list));
        }
        if view.with_conflicts {
            let winner = self.winner().map(|(rev, _)| rev);
            let losers = self.leaves().filter(|(leaf, node)| !node.is_deleted && Some(*leaf) != winner);
            let losers: Vec<_> = losers.map(|(rev, _)| rev.to_string()).collect();
            if !losers.is_empty() {
                shown.insert("_conflicts".into(), json!(losers));
            }
        }
        if !node.attachments.is_empty() {
            let list: Map<_, _> = node
                .attachments
                .iter()
                .map(|(name, file)| (name.clone(), file.to_json(view.shown, view.with_encoding)))
                .collect();
            shown.insert("_attachments".into(), Value::Object(list));
        }
        Value::Object(shown)
    }
}

/// A database.
#[derive(Debug)]
pub(crate) struct Database {
    /// When it was made; another value means another database of the same name.
    pub(crate) instance_start_time: String,
    /// Its documents, deleted ones included.
    pub(crate) documents: BTreeMap<String, Document>,
    /// `_local` documents: how often they were written, and their bodies.
    pub(crate) local: BTreeMap<String, (u64, Map<String, Value>)>,
    /// How many writes there have been.
    pub(crate) sequence: u64,
    /// The last write of each document.
    pub(crate) changed: BTreeMap<String, u64>,
    /// `_security`
    pub(crate) security: Value,
    /// Ids that nobody may write, as a `validate_doc_update` would have it, and what is said about it.
    pub(crate) forbidden: BTreeMap<String, String>,
}

impl Database {
    /// An empty database.
    pub(crate) fn new(instance_start_time: String) -> Self {
        let nobody = json!({ "roles": ["_admin"] });
        let security = json!({ "members": nobody, "admins": nobody });
        let (documents, local, changed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let forbidden = BTreeMap::new();
        Self { instance_start_time, documents, local, sequence: 0, changed, security, forbidden }
    }

    /// Counts a write of a document.
    pub(crate) fn count(&mut self, id: &str) {
        self.sequence += 1;
        self.changed.insert(id.to_owned(), self.sequence);
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
