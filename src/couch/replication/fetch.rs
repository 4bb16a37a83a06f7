//! Documents of given revisions as text.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::client::{Reply, limit};
use super::super::rows::{Rows, RowsError};
use super::super::{CouchError, Database};
use super::{RevisionText, raw};
use crate::name::{DocId, Revision};

/// What an answer held.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The revisions that the server has. Others are unknown to it, or no longer kept.
    pub texts: Vec<RevisionText>,
    /// The answer was so large that it was not read to its end: what is not among the texts may still come.
    pub is_cut: bool,
}

impl Database {
    /// Reads these revisions with their histories, with attachments as stubs or inside (`_bulk_get`). No more is read
    /// once about `most` bytes have come, but always one document.
    pub async fn revision_texts(
        &self,
        wanted: &[(DocId, Revision)],
        attachments: bool,
        most: usize,
    ) -> Result<Fetched, CouchError> {
        self.texts(wanted, attachments, most, None).await
    }

    /// The same with attachments inside, for documents that should be small: nothing is read after `most` bytes in all,
    /// nor after one that has more than `each`.
    pub async fn small_texts(
        &self,
        wanted: &[(DocId, Revision)],
        most: usize,
        each: usize,
    ) -> Result<Fetched, CouchError> {
        self.texts(wanted, true, most, Some(each)).await
    }

    async fn texts(
        &self,
        wanted: &[(DocId, Revision)],
        attachments: bool,
        most: usize,
        each: Option<usize>,
    ) -> Result<Fetched, CouchError> {
        let named = |(id, revision): &(DocId, Revision)| json!({ "id": id.as_str(), "rev": revision.as_str() });
        let documents: Vec<Value> = wanted.iter().map(named).collect();
        let mut target = self.endpoint("_bulk_get").query("revs", "true").query("att_encoding_info", "true");
        if attachments {
            target = target.query("attachments", "true");
        }
        // JSON, though CouchDB would rather give parts: ids are written into their headers as they are.
        let request = self.request(Method::POST, target, "read").json(&json!({ "docs": documents }));
        self.server().client.repeat(&request, |reply| read(reply, most, each)).await
    }
}

async fn read(mut reply: Reply, most: usize, each: Option<usize>) -> Result<Fetched, CouchError> {
    let mut rows = Rows::new("results", each.unwrap_or(limit::LARGE));
    let (mut fetched, mut length) = (Fetched::default(), 0);
    while let Some(chunk) = reply.chunk().await? {
        rows.push(&chunk);
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    length += row.len();
                    fetched.texts.extend(documents(row).map_err(|why| reply.protocol(why))?);
                }
                Ok(None) => break,
                Err(RowsError::TooLarge(_)) if each.is_some() => return Ok(Fetched { is_cut: true, ..fetched }),
                Err(error) => return Err(reply.protocol(error.to_string())),
            }
        }
        if length >= most && !fetched.texts.is_empty() {
            return Ok(Fetched { is_cut: true, ..fetched });
        }
    }
    rows.finish().map_err(|error| reply.protocol(error.to_string()))?;
    Ok(fetched)
}

/// The documents in one element of `results`; what the server says of those that it does not have is left out.
fn documents(row: &[u8]) -> Result<Vec<RevisionText>, String> {
    let member = |text, wanted: &str| {
        let members = raw::members(text)?;
        members.into_iter().find(|(key, _)| key == wanted).map(|(_, value)| value)
    };
    let documents = member(row, "docs").and_then(raw::elements).ok_or("a row without documents")?;
    documents.into_iter().filter_map(|document| member(document, "ok")).map(RevisionText::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_has_is_among_the_texts() {
        let row = br#"{"id":"a","docs":[{"ok":{"_id":"a","_rev":"1-a","x":0.10}},
            {"error":{"id":"a","rev":"2-b","error":"not_found","reason":"missing"}}]}"#;
        let found = documents(row).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text, br#"{"_id":"a","_rev":"1-a","x":0.10}"#.as_slice());
        for bad in ["{}", "7", r#"{"docs":{}}"#, r#"{"docs":[{"ok":{}}]}"#] {
            assert!(documents(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
