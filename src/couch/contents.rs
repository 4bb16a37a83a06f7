//! Small documents with the content of all their attachments, many in one request.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::Method;
use serde_json::{Value, json};

use super::{CouchError, Database, Document, document};
use crate::name::{AttName, DocId};

/// A document and the content of its attachments, in memory.
#[derive(Debug)]
pub struct Contents {
    /// The document, as it is now.
    pub document: Document,
    /// Base64 of the content of each of [`Document::attachments`].
    data: Vec<Option<String>>,
}

/// The content of an attachment is no base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its content is no base64")]
pub struct NoBase64;

impl Contents {
    /// The content of an attachment, not compressed; `None` when it did not come along. Decodes base64, so that it is
    /// better done off the async threads.
    pub fn content(&self, name: &AttName) -> Option<Result<Vec<u8>, NoBase64>> {
        let at = self.document.attachments.iter().position(|(known, _)| known == name)?;
        let base64 = self.data.get(at)?.as_ref()?;
        Some(BASE64_STANDARD.decode(base64).map_err(|_| NoBase64))
    }
}

impl Database {
    /// The current revision of each document with the content of *all* its attachments; `None` for what is missing,
    /// deleted or cannot be taken apart. An answer of more than `limit` bytes is not read ([`CouchError::Protocol`]);
    /// content is there as base64.
    ///
    /// By `_bulk_get` as JSON: CouchDB answers it twice as fast as `_all_docs` with keys, and faster than its parts.
    pub async fn contents(&self, ids: &[DocId], limit: usize) -> Result<Vec<Option<Contents>>, CouchError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let target = self.endpoint("_bulk_get").query("attachments", "true").query("att_encoding_info", "true");
        let documents: Vec<Value> = ids.iter().map(|id| json!({ "id": id.as_str() })).collect();
        let request = self.request(Method::POST, target, "read").json(&json!({ "docs": documents }));
        let mut answer = self.server().client.json(&request, limit).await?;
        let results = match answer.get_mut("results").map(Value::take) {
            Some(Value::Array(results)) if results.len() == ids.len() => results,
            _ => return Err(self.protocol(&request, "its results are not those that were asked for")),
        };
        let is_of = |(id, result): (&DocId, &Value)| result.get("id").and_then(Value::as_str) == Some(id.as_str());
        if !ids.iter().zip(&results).all(is_of) {
            return Err(self.protocol(&request, "its results are not those that were asked for"));
        }
        Ok(ids.iter().zip(results).map(|(id, result)| contents_of(id, result)).collect())
    }
}

/// The document in a result.
fn contents_of(id: &DocId, mut result: Value) -> Option<Contents> {
    let found = result.get_mut("docs")?.get_mut(0)?.get_mut("ok").map(Value::take)?;
    let Value::Object(members) = found else { return None };
    let parsed = document::parse(members).ok()?;
    let is_right = parsed.document.id == *id && !parsed.document.deleted;
    is_right.then_some(Contents { document: parsed.document, data: parsed.data })
}
