//! Small documents with the content of all their attachments, many in one request.

use super::{CouchError, Database, Document};
use crate::name::{AttName, DocId};

/// A document and the content of its attachments, in memory.
#[derive(Debug)]
pub struct Contents {
    /// The document, as it is now.
    pub document: Document,
    data: Vec<Option<String>>,
}

impl Contents {
    /// The content of an attachment, inflated; `None` when it did not come along. The error says what is wrong with it.
    /// Decodes base64, so that it is better done off the async threads.
    pub fn content(&self, name: &AttName) -> Option<Result<Vec<u8>, String>> {
        let _ = (name, &self.data);
        unimplemented!()
    }
}

impl Database {
    /// The current revision of each document with the content of *all* its attachments; `None` for what is missing or
    /// deleted. An answer of more than `limit` bytes is not read ([`CouchError::Protocol`]): content is there as base64.
    pub async fn contents(&self, ids: &[DocId], limit: usize) -> Result<Vec<Option<Contents>>, CouchError> {
        let _ = (ids, limit);
        unimplemented!()
    }
}
