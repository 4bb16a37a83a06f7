//! Many documents in one request.

use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{Subject, What};
use super::client::{Request, limit};
use super::fault::Fault;
use super::recognise::{Expected, Found};
use super::retry::{self, Next, Repeat};
use super::write::written;
use super::{Answer, CouchError, Database, Written};
use crate::json::Object;
use crate::secret::redact;

/// What became of one document of [`Database::bulk_documents`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkRow {
    /// The document's id.
    pub id: String,
    /// Written, or why not (409 conflict, 403 forbidden, 401 unauthorized; status of the answer as of a single write).
    pub outcome: Result<Written, Answer>,
}

impl Database {
    /// Writes documents by `_bulk_docs` with the bytes of their new attachments inside; one row for each, in the same
    /// order. All content is in memory at once, about 1.4 times its size.
    ///
    /// One illegal document makes the server refuse all of them and store nothing: [`CouchError::refuses_batch`] tells
    /// when to try again with fewer. After a lost answer all are sent again, and a document that is then refused as a
    /// conflict is looked at to see whether the first try wrote it. An attachment whose source gives gzip
    /// ([`super::NewAttachment::encoded`]) cannot be sent this way.
    pub async fn bulk(&self, writes: &[super::Write]) -> Result<Vec<BulkRow>, CouchError> {
        let _ = writes;
        unimplemented!()
    }

    /// Deletes documents of these revisions; one row for each, in the same order.
    pub async fn delete_all(
        &self,
        documents: &[(crate::name::DocId, crate::name::Revision)],
    ) -> Result<Vec<BulkRow>, CouchError> {
        let _ = documents;
        unimplemented!()
    }

    /// Writes documents (with `_id`, perhaps `_rev` and inline `_attachments`) by `_bulk_docs`; one row for each, in
    /// the same order. One illegal document makes the server refuse all of them.
    ///
    /// After a lost answer all are sent again, and a document that is then refused as a conflict is read to see whether
    /// the first try wrote it.
    pub async fn bulk_documents(&self, documents: &[Object]) -> Result<Vec<BulkRow>, CouchError> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let action = format!("write {} documents to `{}`", documents.len(), self.name());
        let subject = Subject::new(action, What::Database { name: self.name().to_string() });
        let request =
            Request::new(Method::POST, self.endpoint("_bulk_docs"), subject).json(&json!({ "docs": documents }));
        let client = &self.server().client;
        let mut attempts = client.attempts(&request);
        let mut doubtful = false;
        let (answer, weak) = loop {
            let fault = match client.exchange(&request).await {
                Ok(reply) => {
                    let weak = reply.status == 202;
                    match reply.json(limit::LARGE).await {
                        Ok(answer) => break (answer, weak),
                        Err(error) => Fault::reading(error),
                    }
                }
                Err(fault) => fault,
            };
            match retry::next(fault.effect, Repeat::Recognise) {
                Next::Stop => return Err(fault.error),
                Next::Recognise => doubtful = true,
                Next::Again => {}
            }
            attempts.again(fault).await?;
        };
        let mut rows = self.bulk_rows(&request, documents, &answer, weak)?;
        if doubtful {
            self.recognise_rows(documents, &mut rows).await?;
        }
        Ok(rows)
    }

    fn bulk_rows(
        &self,
        request: &Request,
        documents: &[Object],
        answer: &Value,
        weak: bool,
    ) -> Result<Vec<BulkRow>, CouchError> {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let rows = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let named = |(row, document): (&Value, &Object)| {
            document
                .get("_id")
                .and_then(Value::as_str)
                .is_none_or(|id| row.get("id").and_then(Value::as_str) == Some(id))
        };
        if rows.len() != documents.len() || !rows.iter().zip(documents).all(named) {
            return Err(self.protocol(request, "its rows are not those of the documents that were sent"));
        }
        let outcome = |row: &Value| match written(row, weak) {
            Some(written) => Ok(written),
            None => Err(Answer {
                request: request.line(),
                status: status_of(row),
                error: text(row, "error"),
                reason: text(row, "reason").map(|reason| redact(&reason)),
            }),
        };
        let row = |row: &Value| BulkRow { id: text(row, "id").unwrap_or_default(), outcome: outcome(row) };
        Ok(rows.iter().map(row).collect())
    }

    async fn recognise_rows(&self, documents: &[Object], rows: &mut [BulkRow]) -> Result<(), CouchError> {
        for (row, document) in rows.iter_mut().zip(documents) {
            let conflict = row.outcome.as_ref().is_err_and(|answer| answer.status == 409);
            let Some(expected) = conflict.then(|| Expected::of_bulk(document)).flatten() else { continue };
            if let Found::Landed(revision) = self.recognise(&expected).await? {
                row.outcome = Ok(Written { revision, weak: false, recognised: true });
            }
        }
        Ok(())
    }
}

impl CouchError {
    /// Whether a bulk write was refused as a whole for the sake of a document in it (400, 412, 413): nothing is stored,
    /// and the same documents in smaller batches will show which one it is.
    pub fn refuses_batch(&self) -> bool {
        self.answer().is_some_and(|answer| matches!(answer.status, 400 | 412 | 413))
    }
}

/// The status that a single write would have been answered with.
fn status_of(row: &Value) -> u16 {
    if let Some(status) = row.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok()) {
        return status;
    }
    match row.get("error").and_then(Value::as_str) {
        Some("conflict") => 409,
        Some("forbidden") => 403,
        Some("unauthorized") => 401,
        Some("not_found") => 404,
        Some("unknown_error" | "internal_server_error") => 500,
        _ => 400,
    }
}
