//! Reading documents and attachments.
//!
//! Attachments come as they are stored: [`Stub::encoding`] says whether the bytes are gzip, and
//! [`super::digest::Verifier`] checks and inflates them. What no URL can name (`.` and `..`, very long names) is read
//! through `_bulk_get` without the caller's doing.

use bytes::Bytes;

use super::{CouchError, Database, Document, Read, Stub};
use crate::name::{AttName, DocId, Revision};

/// A document whose attachments arrive one after the other, in the order of [`Document::attachments`].
#[derive(Debug)]
pub struct WithAttachments {
    /// The document.
    pub document: Document,
}

/// One attachment on its way in.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// Its name.
    pub name: AttName,
    /// What the document says of it.
    pub stub: Stub,
    /// Whether the arriving bytes are gzip.
    pub gzip: bool,
    reader: &'a mut WithAttachments,
}

impl WithAttachments {
    /// The next attachment; what is left unread of the one before is skipped.
    pub async fn next(&mut self) -> Result<Option<Incoming<'_>>, CouchError> {
        unimplemented!()
    }
}

impl Incoming<'_> {
    /// The next bytes as stored; `None` after the last one.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CouchError> {
        let _ = &self.reader;
        unimplemented!()
    }
}

/// One attachment as its URL answers.
#[derive(Debug)]
pub struct Download {
    /// `gzip` when the arriving bytes are compressed.
    pub encoding: Option<String>,
    /// How many bytes will arrive, if the server said so.
    pub length: Option<u64>,
    /// The content type.
    pub content_type: Option<String>,
    /// The `ETag`: CouchDB's is the md5 of the stored bytes in quotes.
    pub etag: Option<String>,
}

impl Download {
    /// The next bytes as stored; `None` after the last one. An answer cut short is an error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CouchError> {
        unimplemented!()
    }
}

impl Database {
    /// Reads a document.
    pub async fn document(&self, id: &DocId, read: &Read) -> Result<Document, CouchError> {
        let _ = (id, read);
        unimplemented!()
    }

    /// Reads a document together with the content of all its attachments, in one request.
    pub async fn with_attachments(&self, id: &DocId, read: &Read) -> Result<WithAttachments, CouchError> {
        let _ = (id, read);
        unimplemented!()
    }

    /// Reads one attachment of one revision.
    pub async fn attachment(&self, id: &DocId, name: &AttName, revision: &Revision) -> Result<Download, CouchError> {
        let _ = (id, name, revision);
        unimplemented!()
    }
}
