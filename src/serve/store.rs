//! Databases on the disk: documents in SQLite, large attachments in files named by their content.
//!
//! Everything here blocks: call it from a blocking task. A write that has returned survives the death of the process.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::couch::digest::Digest;
use crate::json::Object;
use crate::name::Revision;
use crate::serve::tree::Tree;

/// All databases of one endpoint, beneath one folder.
pub struct Store;

/// One database.
pub struct Database;

/// What a store failed at.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is a database of this name already.
    #[error("the database exists")]
    Exists,
    /// There is no such database (any more).
    #[error("the database does not exist")]
    Missing,
    /// A digest that the client gave is not that of its bytes.
    #[error("the bytes are not those of the digest")]
    Digest,
    /// SQLite or the disk failed.
    #[error("the store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

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

impl Store {
    /// Opens or makes the folder.
    pub fn open(_root: &Path) -> Result<Self, StoreError> {
        unimplemented!()
    }
    /// The names of all databases, in order.
    pub fn names(&self) -> Vec<String> {
        unimplemented!()
    }
    /// Makes a database.
    pub fn create(&self, _name: &str) -> Result<Arc<Database>, StoreError> {
        unimplemented!()
    }
    /// A database that exists.
    pub fn database(&self, _name: &str) -> Result<Arc<Database>, StoreError> {
        unimplemented!()
    }
    /// Removes a database. Those who hold it get [`StoreError::Missing`] from then on.
    pub fn delete(&self, _name: &str) -> Result<(), StoreError> {
        unimplemented!()
    }
}

impl Database {
    /// Its name.
    pub fn name(&self) -> &str {
        unimplemented!()
    }
    /// How much it holds.
    pub fn info(&self) -> Result<Info, StoreError> {
        unimplemented!()
    }
    /// A document with all its revisions, deleted or not.
    pub fn document(&self, _id: &str) -> Result<Option<Document>, StoreError> {
        unimplemented!()
    }
    /// Many documents at once, in the order that was asked for.
    pub fn documents(&self, _ids: &[&str]) -> Result<Vec<Option<Document>>, StoreError> {
        unimplemented!()
    }
    /// What a revision holds; `None` when it is not there (any more).
    pub fn body(&self, _id: &str, _revision: &Revision) -> Result<Option<Body>, StoreError> {
        unimplemented!()
    }
    /// Many at once.
    pub fn bodies(&self, _wanted: &[(&str, &Revision)]) -> Result<Vec<Option<Body>>, StoreError> {
        unimplemented!()
    }
    /// Writes edits, in one transaction and in order; later edits see earlier ones. `check` is asked just before an edit is
    /// stored, with what it replaces (CouchDB's `validate_doc_update`). It may read the database, but not write to it.
    pub fn write(&self, _edits: Vec<Edit>, _check: &Check<'_>) -> Result<Vec<Outcome>, StoreError> {
        unimplemented!()
    }
    /// Documents whose winner is no tombstone, design documents included, by id.
    pub fn rows(&self, _range: &Range) -> Result<Vec<Row>, StoreError> {
        unimplemented!()
    }
    /// How many documents come before the first of a range: the `offset` of a listing.
    pub fn offset(&self, _range: &Range) -> Result<u64, StoreError> {
        unimplemented!()
    }
    /// The last change of each document after `since`, oldest first. Descending: newest first and before `since`, where 0
    /// is before nothing.
    pub fn changes(&self, _since: u64, _limit: u64, _is_descending: bool) -> Result<Vec<Change>, StoreError> {
        unimplemented!()
    }
    /// Rings after every write, with the last sequence; ends when the database is deleted.
    pub fn bell(&self) -> tokio::sync::watch::Receiver<u64> {
        unimplemented!()
    }
    /// Begins to store bytes. What no revision refers to is swept away later.
    pub fn begin_blob(&self, _is_gzip: bool) -> Result<BlobWriter, StoreError> {
        unimplemented!()
    }
    /// Reads stored bytes from a point, in pieces of its own choice. An error when they are damaged.
    pub fn read_blob(&self, _blob: &Blob, _from: u64) -> Result<BlobReader, StoreError> {
        unimplemented!()
    }
    /// A `_local` document: its revision number (`0-N`) and members.
    pub fn local(&self, _id: &str) -> Result<Option<(u64, Object)>, StoreError> {
        unimplemented!()
    }
    /// Writes a `_local` document: its revision number becomes `upon` and one, whatever is there, as CouchDB does it.
    /// `members` of `None` removes it, and gives 0. `None`: there was nothing to remove.
    pub fn write_local(
        &self,
        _id: &str,
        _upon: Option<u64>,
        _members: Option<&Object>,
    ) -> Result<Option<u64>, StoreError> {
        unimplemented!()
    }
    /// `_local` documents by id.
    pub fn locals(&self, _range: &Range) -> Result<Vec<(String, u64)>, StoreError> {
        unimplemented!()
    }
    /// A value that belongs to the database: `security`, `revs_limit`.
    pub fn setting(&self, _name: &str) -> Result<Option<serde_json::Value>, StoreError> {
        unimplemented!()
    }
    /// Sets such a value.
    pub fn set(&self, _name: &str, _value: &serde_json::Value) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Drops the bodies of revisions that are no leaves, and what no revision refers to any more.
    pub fn compact(&self) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Where indexes of this database may keep files; goes with the database.
    pub fn index_folder(&self) -> std::path::PathBuf {
        unimplemented!()
    }
}

/// Bytes being stored. Dropped without an end, it leaves nothing behind.
pub struct BlobWriter;

impl BlobWriter {
    /// Takes the next bytes, as they are stored.
    pub fn write(&mut self, _bytes: &[u8]) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Ends; the bytes are there for good when this returns and a revision refers to them.
    pub fn finish(self) -> Result<Blob, StoreError> {
        unimplemented!()
    }
}

/// Bytes being read.
pub struct BlobReader;

impl BlobReader {
    /// The next bytes, as they are stored; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        unimplemented!()
    }
}
