//! A document as the server tells it, taken apart into body and attachments.

use super::digest::Digest;
use crate::json::Object;
use crate::name::{AttName, DocId, Revision};

/// What to ask of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// This revision instead of the current one.
    pub revision: Option<Revision>,
    /// Ask for [`Document::ancestors`].
    pub revisions: bool,
    /// Ask for [`Document::conflicts`].
    pub conflicts: bool,
}

/// An attachment as a document lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stub {
    /// As stored, parameters included.
    pub content_type: String,
    /// Bytes of the content, not compressed.
    pub length: u64,
    /// The md5 of the bytes *as stored*. `None` where the server gives none that can be read.
    pub digest: Option<Digest>,
    /// The generation that brought the attachment.
    pub revpos: Option<u64>,
    /// `gzip` when the stored bytes are compressed.
    pub encoding: Option<String>,
    /// Bytes as stored, when they are compressed.
    pub encoded_length: Option<u64>,
    /// The members as they came, to be sent back verbatim in a later write.
    pub raw: Object,
}

/// A document, without the content of its attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: DocId,
    /// This revision.
    pub revision: Revision,
    /// Whether this revision is a tombstone.
    pub deleted: bool,
    /// All members that do not start with an underscore, in the order of the server.
    pub body: Object,
    /// Its attachments, in the order of the server; no name comes twice.
    pub attachments: Vec<(AttName, Stub)>,
    /// Leaf revisions that lost against this one, if asked for.
    pub conflicts: Vec<Revision>,
    /// Earlier revisions, youngest first, if asked for.
    pub ancestors: Vec<Revision>,
}

impl Document {
    /// The attachment of this name.
    pub fn attachment(&self, name: &AttName) -> Option<&Stub> {
        self.attachments.iter().find(|(known, _)| known == name).map(|(_, stub)| stub)
    }
}
