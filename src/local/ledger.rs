//! What is remembered of a folder of files and the place it is kept in step with: sums, revisions, the last agreement.
//!
//! Nothing here is needed: a ledger that is lost costs time, never data. It is kept outside of the folder, one for each
//! folder, place and selection, and holds no credential, for addresses cannot hold any.

use std::collections::BTreeMap;

use super::{FileEntry, Fingerprint};

mod file;
mod line;

pub use file::{LedgerFile, LedgerKey};

/// The memory of one folder and one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The update sequence that [`Entry::remote`] is as of; opaque.
    pub sequence: Option<String>,
    /// What is known of each path. Boxed, so that a tree of half-filled nodes stays small.
    pub entries: BTreeMap<Box<str>, Box<Entry>>,
}

/// What is known of one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The file's sums.
    pub local: Option<Seen>,
    /// The document or attachment.
    pub remote: Option<Held>,
    /// The content when both sides were last known equal.
    pub base: Option<Synced>,
}

/// A file's sums, to be trusted while length, time and inode are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The length in bytes.
    pub length: u64,
    /// When its content last changed, in nanoseconds since 1970.
    pub modified: i64,
    /// Its number on its device; 0 where there are none.
    pub inode: u64,
    /// MD5 of the bytes.
    pub md5: [u8; 16],
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// What the server holds for a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The document's id; `None` for the one that the path gives.
    pub id: Option<Box<str>>,
    /// The attachment's name; `None` for the usual one.
    pub attachment: Option<Box<str>>,
    /// The document's revision.
    pub revision: Box<str>,
    /// The length of the content in bytes.
    pub length: u64,
    /// MD5 of the stored bytes; `None` where the server says something else.
    pub digest: Option<[u8; 16]>,
    /// The stored bytes are compressed, so that the digest is not that of the content.
    pub encoded: bool,
    /// The SHA-256 that the document claims; a claim, not a proof.
    pub sha256: Option<[u8; 32]>,
    /// The time that the document gives, in nanoseconds since 1970.
    pub modified: Option<i64>,
    /// The document was not made by this tool.
    pub foreign: bool,
    /// The document holds more than the file: members or attachments that people added.
    pub extras: bool,
}

/// The content when both sides were last known equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// MD5 of the stored bytes, as the server gave it.
    pub digest: Option<[u8; 16]>,
}

impl Seen {
    /// Whether `file` still looks like what was read.
    pub fn matches(&self, file: &FileEntry) -> bool {
        (self.length, self.modified, self.inode) == (file.length, file.modified, file.inode)
    }
}

impl Fingerprint {
    /// What to remember; `None` when the file was too young to be recognised by its time, or SHA-256 was not asked for.
    pub fn seen(&self) -> Option<Seen> {
        let (inode, sha256) = (self.recognised_by()?, self.sha256?);
        Some(Seen { length: self.length, modified: self.modified, inode, md5: self.md5, sha256 })
    }
}
