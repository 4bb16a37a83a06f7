//! Many documents in one request.

use super::{Answer, CouchError, Database, Written};
use crate::json::Object;

/// What became of one document of [`Database::bulk_documents`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkRow {
    /// The document's id.
    pub id: String,
    /// Written, or why not (409 conflict, 403 forbidden, 401 unauthorized; status of the answer as of a single write).
    pub outcome: Result<Written, Answer>,
}

impl Database {
    /// Writes documents (with `_id`, perhaps `_rev` and inline `_attachments`) by `_bulk_docs`; one row for each, in
    /// the same order. One illegal document makes the server refuse all of them.
    pub async fn bulk_documents(&self, documents: &[Object]) -> Result<Vec<BulkRow>, CouchError> {
        let _ = documents;
        unimplemented!()
    }
}
