//! Writing documents: one document with all its attachments is one `PUT` and one revision.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;

use super::digest::Digest;
use super::{CouchError, Database, Stub};
use crate::json::Object;
use crate::name::{AttName, DocId, Revision};

/// The bytes of an attachment.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What [`Source::open`] gives.
pub type Opening<'a> = Pin<Box<dyn Future<Output = io::Result<ByteStream>> + Send + 'a>>;

/// Told how many bytes of the body of the current try were handed to the socket, and how many there are. A retry starts
/// again from zero.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Where the bytes of an upload come from. Opened anew for every try.
pub trait Source: Send + Sync {
    /// Opens the bytes from their beginning.
    fn open(&self) -> Opening<'_>;
}

/// Bytes in memory.
impl Source for Bytes {
    fn open(&self) -> Opening<'_> {
        unimplemented!()
    }
}

/// How the bytes of a [`NewAttachment`] are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Bytes of the gzip that the source gives.
    pub length: u64,
}

/// An attachment whose bytes go along.
#[derive(Clone)]
pub struct NewAttachment {
    /// Content type, parameters included.
    pub content_type: String,
    /// Bytes of the content, not compressed.
    pub length: u64,
    /// Set when the source gives gzip ([`super::Kind::takes_encoded_parts`] tells which servers take it).
    pub encoded: Option<Encoded>,
    /// The md5 of the bytes that the source gives; CouchDB checks it.
    pub digest: Digest,
    /// The bytes.
    pub source: Arc<dyn Source>,
}

/// One attachment of a document to be written.
#[derive(Clone, Debug)]
pub enum Attachment {
    /// Keep what the server has: the stub of the parent revision, sent back as it came.
    Stub(Stub),
    /// Send these bytes.
    New(NewAttachment),
}

/// A document to be written.
#[derive(Clone)]
pub struct Write {
    /// Its id.
    pub id: DocId,
    /// The revision this write replaces; `None` creates (a deleted document is created, too).
    pub parent: Option<Revision>,
    /// All members but those that start with an underscore.
    pub body: Object,
    /// All attachments that the document shall have: one that is left out is dropped by the server.
    pub attachments: Vec<(AttName, Attachment)>,
    /// Hears how much was sent.
    pub progress: Option<Progress>,
}

/// A write that the server has carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The new revision.
    pub revision: Revision,
    /// 202: fewer copies were written than the cluster wants. Delete nothing on the strength of it.
    pub weak: bool,
    /// The answer was lost and the document was read to find that the write has landed.
    pub recognised: bool,
}

impl Database {
    /// Writes a document with all its attachments as one revision.
    ///
    /// An answer that is lost leads to reading the document: [`CouchError::Conflict`] is never given for our own write,
    /// and nothing is written twice.
    pub async fn put(&self, write: &Write) -> Result<Written, CouchError> {
        let _ = write;
        unimplemented!()
    }

    /// Deletes a document.
    pub async fn delete(&self, id: &DocId, revision: &Revision) -> Result<Written, CouchError> {
        let _ = (id, revision);
        unimplemented!()
    }
}

impl fmt::Debug for NewAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAttachment")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .field("encoded", &self.encoded)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write")
            .field("id", &self.id)
            .field("parent", &self.parent)
            .field("body", &self.body)
            .field("attachments", &self.attachments)
            .finish_non_exhaustive()
    }
}
