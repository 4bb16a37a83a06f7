//! Many documents in one request.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::Value;

use super::answer::{Subject, What};
use super::body::Body;
use super::client::{Request, limit};
use super::fault::Fault;
use super::prediction::{predicted_revision, predicted_tombstone};
use super::recognise::{Expected, Found};
use super::retry::{self, Next, Repeat};
use super::write::written;
use super::{Answer, CouchError, Database, Write, Written};
use crate::name::{DocId, Revision};
use crate::secret::redact;

mod text;

/// What became of one document of [`Database::bulk`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkRow {
    /// The document's id.
    pub id: String,
    /// Written, or why not (409 conflict, 403 forbidden, 401 unauthorized; status of the answer as of a single write).
    pub outcome: Result<Written, Answer>,
}

/// What one document of a request is to become.
trait Intention {
    fn id(&self) -> &DocId;

    /// The revision that proves that it has landed.
    fn predicted(&self) -> Option<Revision>;

    fn expected(&self) -> Expected;
}

impl Intention for Write {
    fn id(&self) -> &DocId {
        &self.id
    }

    fn predicted(&self) -> Option<Revision> {
        predicted_revision(self, &|_| None)
    }

    fn expected(&self) -> Expected {
        Expected::of(self)
    }
}

impl Intention for (DocId, Revision) {
    fn id(&self) -> &DocId {
        &self.0
    }

    fn predicted(&self) -> Option<Revision> {
        predicted_tombstone(&self.1)
    }

    fn expected(&self) -> Expected {
        Expected::tombstone(&self.0, &self.1)
    }
}

impl Database {
    /// Writes documents by `_bulk_docs` with the bytes of their new attachments inside; one row for each, in the same
    /// order. All content is in memory at once, about 1.4 times its size.
    ///
    /// One illegal document makes the server refuse all of them (400, 412, 413): then they are sent in smaller and
    /// smaller batches until its row is the only one that has the refusal. After a lost answer all are sent again, and a
    /// document that is then refused as a conflict is looked at to see whether the first try wrote it. An attachment
    /// whose source gives gzip ([`super::NewAttachment::encoded`]) cannot be sent this way and is
    /// [`CouchError::Source`], as is one whose source fails or gives another length than announced. Of documents with
    /// the same id only the first is written.
    pub async fn bulk(&self, writes: &[Write]) -> Result<Vec<BulkRow>, CouchError> {
        let mut rows = Vec::with_capacity(writes.len());
        let mut left = vec![writes];
        let mut doubtful = false;
        while let Some(batch) = left.pop().filter(|batch| !batch.is_empty()) {
            let (text, progress) = text::of_writes(batch).await?;
            let body = Body { progress, ..Body::json(text) };
            match self.bulk_docs("write", body, batch, doubtful).await {
                Ok(mut written) => rows.append(&mut written),
                Err(error) if error.refuses_batch() => {
                    if let ([write], Some(answer)) = (batch, error.answer()) {
                        rows.push(BulkRow { id: write.id.to_string(), outcome: Err(answer.clone()) });
                        continue;
                    }
                    let (first, second) = batch.split_at(batch.len() / 2);
                    left.extend([second, first]);
                    // A missing stub is found by one shard when others have stored what was theirs.
                    doubtful = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(rows)
    }

    /// Deletes documents of these revisions; one row for each, in the same order.
    pub async fn delete_all(&self, documents: &[(DocId, Revision)]) -> Result<Vec<BulkRow>, CouchError> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        self.bulk_docs("delete", Body::json(text::of_tombstones(documents)), documents, false).await
    }

    /// One request, repeated until it is answered. `doubtful`: some of it may have been written before.
    async fn bulk_docs<T: Intention>(
        &self,
        verb: &str,
        body: Body,
        sent: &[T],
        mut doubtful: bool,
    ) -> Result<Vec<BulkRow>, CouchError> {
        let action = format!("{verb} {} documents of `{}`", sent.len(), self.name());
        let subject = Subject::new(action, What::Database { name: self.name().to_string() });
        let mut request = Request::new(Method::POST, self.endpoint("_bulk_docs"), subject);
        request.body = Some(body);
        let client = &self.server().client;
        let mut attempts = client.attempts(&request);
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
        let mut rows = self.bulk_rows(&request, sent, &answer, weak)?;
        if doubtful {
            self.recognise_rows(sent, &mut rows).await?;
        }
        Ok(rows)
    }

    fn bulk_rows<T: Intention>(
        &self,
        request: &Request,
        sent: &[T],
        answer: &Value,
        weak: bool,
    ) -> Result<Vec<BulkRow>, CouchError> {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let answered = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(rows) = in_order(answered, sent).filter(|rows| rows.len() == answered.len()) else {
            return Err(self.protocol(request, "its rows are not those of the documents that were sent"));
        };
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
        Ok(rows.into_iter().map(row).collect())
    }

    /// Finds out which of the conflicts are with our own first try: by the revision where it can be told, otherwise by
    /// reading each document.
    async fn recognise_rows<T: Intention>(&self, sent: &[T], rows: &mut [BulkRow]) -> Result<(), CouchError> {
        let is_conflict = |row: &BulkRow| row.outcome.as_ref().is_err_and(|answer| answer.status == 409);
        let conflicts: Vec<(&T, &mut BulkRow)> = sent.iter().zip(rows).filter(|(_, row)| is_conflict(row)).collect();
        let ids: Vec<DocId> = conflicts.iter().map(|(sent, _)| sent.id().clone()).collect();
        let leaves = self.leaves_of(&ids).await?;
        for ((sent, row), leaf) in conflicts.into_iter().zip(leaves) {
            let current = leaf.map(|(revision, _)| revision);
            let found = match sent.predicted() {
                Some(predicted) if current.as_ref() == Some(&predicted) => Found::Landed(predicted),
                _ => self.recognise(&sent.expected()).await?,
            };
            if let Found::Landed(revision) = found {
                row.outcome = Ok(Written { revision, weak: false, recognised: true });
            }
        }
        Ok(())
    }
}

/// The row of each document that was sent. CouchDB keeps their order; PouchDB Server names first what a
/// `validate_doc_update` refused.
fn in_order<'a, T: Intention>(rows: &'a [Value], sent: &[T]) -> Option<Vec<&'a Value>> {
    let id = |row: &'a Value| row.get("id").and_then(Value::as_str);
    if rows.iter().map(id).eq(sent.iter().map(|sent| Some(sent.id().as_str()))) {
        return Some(rows.iter().collect());
    }
    let by_id: HashMap<&str, &Value> = rows.iter().filter_map(|row| Some((id(row)?, row))).collect();
    if by_id.len() != rows.len() {
        return None;
    }
    sent.iter().map(|sent| by_id.get(sent.id().as_str()).copied()).collect()
}

impl CouchError {
    /// Whether a bulk write may have been refused as a whole for the sake of a document in it: smaller batches will show
    /// which one it is. [`Database::bulk`] makes them by itself.
    pub fn refuses_batch(&self) -> bool {
        self.answer().is_some_and(|answer| matches!(answer.status, 400 | 412 | 413))
    }
}

/// The status that a single write would have been answered with.
pub(super) fn status_of(row: &Value) -> u16 {
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
