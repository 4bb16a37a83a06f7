//! Going on with an attachment where a broken connection ended.

use super::{CouchError, Database, Download};
use crate::name::{AttName, DocId, Revision};

impl Database {
    /// Reads one attachment of one revision from byte `offset` on, if it is still the one with this `etag` (CouchDB's is
    /// the base64 of the digest in quotes). [`Download::offset`] tells where the bytes begin: 0 when the content is
    /// another one, when it is stored compressed, and with servers that know no ranges (PouchDB).
    pub async fn attachment_from(
        &self,
        id: &DocId,
        name: &AttName,
        revision: &Revision,
        offset: u64,
        etag: &str,
    ) -> Result<Download, CouchError> {
        let _ = (id, name, revision, offset, etag);
        unimplemented!()
    }
}
