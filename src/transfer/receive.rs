//! Many attachments on their way to files, by the means that is fastest for their size.
//!
//! Small ones come by the hundred inside of `_all_docs`, middle ones by `_bulk_get`, large ones each by its own request,
//! which goes on where a broken connection or an earlier run ended. No file gets its name before its length, the digest
//! of the stored bytes and the SHA-256 that the document claims are found right, as far as each is known; what arrives
//! damaged is asked for again by a request of its own, and one damaged item spoils no other.

use super::TransferError;
use crate::couch::Database;
use crate::couch::digest::Digest;
use crate::local::{Destination, Existing, Seen};
use crate::name::{AttName, DocId, Revision};
use crate::path::RelPath;

/// An attachment to be written to a file.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Where it goes.
    pub path: RelPath,
    /// The document.
    pub id: DocId,
    /// Its revision as of the listing. If it is there no longer, what the document has now is written.
    pub revision: Revision,
    /// This revision or none: a losing one, or one that somebody named.
    pub pinned: bool,
    /// The attachment.
    pub name: AttName,
    /// The length of the content in bytes.
    pub length: u64,
    /// The digest of the stored bytes; `None` where the server says something else.
    pub digest: Option<Digest>,
    /// The stored bytes are compressed.
    pub encoded: bool,
    /// The SHA-256 that the document claims.
    pub sha256: Option<[u8; 32]>,
    /// The file's modification time, in nanoseconds since 1970; `None` leaves it to the system.
    pub modified: Option<i64>,
    /// What to do about a file that stands there.
    pub existing: Existing,
}

/// A file that is whole and has its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The revision that it is of: a later one than was asked for when the document changed meanwhile.
    pub revision: Revision,
    /// Bytes of the content.
    pub length: u64,
    /// MD5 of the content.
    pub md5: [u8; 16],
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// The digest of the stored bytes, as the document says; it was found right.
    pub digest: Option<Digest>,
    /// The stored bytes are compressed.
    pub encoded: bool,
    /// The SHA-256 that the document claims.
    pub claimed: Option<[u8; 32]>,
    /// The modification time that the document gives and the file got.
    pub modified: Option<i64>,
    /// By what the file can be recognised later; `None` when it is too young.
    pub seen: Option<Seen>,
}

/// How files are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// Sync each file and its folder; otherwise sync the file system before anything is recorded as done.
    pub durable: bool,
    /// How many requests are in flight at once.
    pub jobs: usize,
}

impl Default for ReceiveOptions {
    /// Four requests, no sync.
    fn default() -> Self {
        Self { durable: false, jobs: 4 }
    }
}

/// Writes attachments to files. `progress` hears of bytes of content (negative: bytes that have to come again); `done`
/// hears of each file once, in no order.
///
/// The error is one that would befall the rest as well (credentials, an unreachable server, a full disk): then some have
/// not been heard of.
pub async fn receive(
    database: &Database,
    wanted: Vec<Fetch>,
    into: &Destination,
    options: ReceiveOptions,
    progress: &(dyn Fn(i64) + Sync),
    done: &mut dyn FnMut(&Fetch, Result<Arrived, TransferError>),
) -> Result<(), TransferError> {
    let _ = (database, wanted, into, options, progress, done);
    unimplemented!()
}
