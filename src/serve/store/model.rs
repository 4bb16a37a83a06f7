//! What goes into a store and comes out of it.

use crate::couch::digest::Digest;
use crate::json::Object;
use crate::name::Revision;
use crate::serve::tree::Tree;

/// How much a database holds.
#[derive(Clone, Debug)]
pub struct Info {
    /// Documents whose winner is no tombstone.
    pub documents: u64,
    /// Documents whose winner is a tombstone.
    pub deleted: u64,
    /// The sequence of the last write. Each write of a document counts one.
    pub sequence: u64,
    /// When it was made, in microseconds; part of nothing but its identity.
    pub instance: u64,
    /// Bytes on the disk.
    pub file_size: u64,
    /// Bytes of live documents and attachments, roughly.
    pub active_size: u64,
}

/// A document with its revisions.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its id.
    pub id: String,
    /// The sequence of its last write.
    pub sequence: u64,
    /// Its revisions.
    pub tree: Tree,
}

/// What one revision holds.
#[derive(Clone, Debug)]
pub struct Body {
    /// Members without the special ones.
    pub members: Object,
    /// In the order of the document.
    pub attachments: Vec<Stored>,
}

/// An attachment that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// As given.
    pub content_type: String,
    /// The generation in which it was last changed.
    pub revpos: u64,
    /// The bytes.
    pub blob: Blob,
}

/// Bytes that are stored, by their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256 of the bytes as they are stored: their address.
    pub address: [u8; 32],
    /// Their md5, which is CouchDB's digest.
    pub digest: Digest,
    /// Their number as they are stored.
    pub stored_length: u64,
    /// Their number when they are expanded.
    pub length: u64,
    /// Whether they are stored compressed.
    pub is_gzip: bool,
}

/// An edit of one document.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Of which document.
    pub id: String,
    /// What is written.
    pub members: Object,
    /// New attachments have been stored before; unchanged ones carry what the store gave for them.
    pub attachments: Vec<Stored>,
    /// Whether it is a tombstone.
    pub is_deleted: bool,
    /// Upon which revisions.
    pub upon: Upon,
}

/// Where an edit joins the tree.
#[derive(Clone, Debug)]
pub enum Upon {
    /// `new_edits=true`: upon this leaf, or as a new document (or upon its tombstone). The revision is computed.
    Leaf(Option<Revision>),
    /// `new_edits=false`: the revision and its ancestors, newest first.
    History(Vec<Revision>),
}

/// What became of an edit.
#[derive(Debug)]
pub enum Outcome {
    /// It is stored as this revision. A replicated revision that was known changes nothing, and is stored as well.
    Stored(Revision),
    /// It is not upon a leaf.
    Conflict,
    /// It was refused by the caller's check; or one of its attachments is not stored (any more): 412 `missing_stub`.
    Refused(Refusal),
}

/// What an edit replaces: `oldDoc` of `validate_doc_update`. That is the leaf that it is upon, which need not be the winner;
/// for a replicated revision the nearest ancestor that is still there; nothing for a new document, even upon a tombstone.
#[derive(Clone, Debug)]
pub struct Previous {
    /// Its revision and the ancestors, newest first.
    pub history: Vec<Revision>,
    /// Whether it is a tombstone.
    pub is_deleted: bool,
    /// What it holds.
    pub body: Body,
}

/// Asked before an edit is stored.
pub type Check<'a> = dyn Fn(&Edit, Option<&Previous>) -> Result<(), Refusal> + 'a;

/// Why `validate_doc_update` refuses: `forbidden` or `unauthorized` (or an error of the function) and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status: 403, 401 or 500.
    pub status: u16,
    /// The word.
    pub error: String,
    /// The reason.
    pub reason: String,
}

/// A row of a listing of documents, in the order of their ids (bytes).
#[derive(Clone, Debug)]
pub struct Row {
    /// The id.
    pub id: String,
    /// The winner.
    pub revision: Revision,
    /// The sequence of the last write.
    pub sequence: u64,
}

/// Which ids, in which order.
#[derive(Clone, Debug, Default)]
pub struct Range {
    /// The first, included.
    pub start: Option<String>,
    /// Whether `start` itself is left out: it was on the page before, and may be deleted since.
    pub excludes_start: bool,
    /// The last.
    pub end: Option<String>,
    /// Whether `end` itself belongs to it.
    pub excludes_end: bool,
    /// From the end to the start; `start` is the greater one then.
    pub is_descending: bool,
    /// So many are passed over.
    pub skip: u64,
    /// So many at most.
    pub limit: Option<u64>,
}

/// The last thing that happened to a document.
#[derive(Clone, Debug)]
pub struct Change {
    /// The sequence.
    pub sequence: u64,
    /// The document.
    pub document: Document,
}
