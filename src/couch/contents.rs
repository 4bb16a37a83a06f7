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
    pub async fn contents(&self, ids: &[DocId], limit: usize) -> Result<Vec<Option<Contents>>, CouchError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let target = ["include_docs", "attachments", "att_encoding_info"]
            .into_iter()
            .fold(self.endpoint("_all_docs"), |target, key| target.query(key, "true"));
        let keys: Vec<&str> = ids.iter().map(DocId::as_str).collect();
        let request = self.request(Method::POST, target, "read").json(&json!({ "keys": keys }));
        let mut answer = self.server().client.json(&request, limit).await?;
        let rows = match answer.get_mut("rows").map(Value::take) {
            Some(Value::Array(rows)) if rows.len() == ids.len() => rows,
            _ => return Err(self.protocol(&request, "its rows are not those that were asked for")),
        };
        let is_row = |(id, row): (&DocId, &Value)| row.get("key").and_then(Value::as_str) == Some(id.as_str());
        if !ids.iter().zip(&rows).all(is_row) {
            return Err(self.protocol(&request, "its rows are not those that were asked for"));
        }
        Ok(ids.iter().zip(rows).map(|(id, row)| contents_of(id, row)).collect())
    }
}

/// The document in a row.
fn contents_of(id: &DocId, mut row: Value) -> Option<Contents> {
    let Value::Object(members) = row.get_mut("doc").map(Value::take)? else { return None };
    let parsed = document::parse(members).ok()?;
    let is_right = parsed.document.id == *id && !parsed.document.deleted;
    is_right.then_some(Contents { document: parsed.document, data: parsed.data })
}
