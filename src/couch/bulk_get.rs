//! Many documents of given revisions with their attachments, in one request and in bounded memory.

use bytes::Bytes;

use super::{CouchError, Database, Document, Stub};
use crate::name::{AttName, DocId, Revision};

/// Documents on their way in, as a sequence of [`Piece`]s.
#[derive(Debug)]
pub struct BulkGet {
    _private: (),
}

/// What an answer is made of.
#[derive(Debug)]
pub enum Piece {
    /// A document begins. Its attachments follow.
    Document(Box<Document>),
    /// An attachment of the document before begins. Its bytes follow.
    Attachment {
        /// Its name.
        name: AttName,
        /// What the document says of it.
        stub: Box<Stub>,
        /// Whether the bytes that follow are gzip.
        gzip: bool,
    },
    /// Bytes as stored (64 KiB at most, or a whole attachment that came inside of JSON).
    Bytes(Bytes),
    /// The attachment is whole, as far as the framing tells.
    AttachmentEnd,
}

impl BulkGet {
    /// The next piece; `None` after the last one. An answer cut short is an error.
    pub async fn next(&mut self) -> Result<Option<Piece>, CouchError> {
        unimplemented!()
    }
}

impl Database {
    /// Reads these revisions with all their attachments. What the server does not have (any longer) is left out, so a
    /// document that is not among the pieces when they end is missing; a deleted one comes with
    /// [`Document::deleted`].
    pub async fn bulk_get(&self, wanted: &[(DocId, Revision)]) -> Result<BulkGet, CouchError> {
        let _ = wanted;
        unimplemented!()
    }
}
