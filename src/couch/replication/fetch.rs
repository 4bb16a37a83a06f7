//! Documents of given revisions as text.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::super::client::{Reply, limit};
use super::super::rows::{Rows, RowsError, unreadable};
use super::super::{CouchError, Database};
use super::{RevisionText, raw};
use crate::name::{DocId, Revision};

/// What an answer held.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The revisions that the server has. Others are unknown to it, no longer kept, or cannot be read.
    pub texts: Vec<RevisionText>,
    /// The answer was so large that it was not read to its end: what is not among the texts may still come.
    pub is_cut: bool,
    /// Why a document, by its id, has a revision that is not among the texts, in the server's words or ours: it was
    /// superseded, or it cannot be read.
    pub reasons: HashMap<String, String>,
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
                    take(row, &mut fetched).map_err(|why| reply.protocol(why))?;
                }
                Ok(None) => break,
                Err(RowsError::TooLarge(_)) if each.is_some() => return Ok(Fetched { is_cut: true, ..fetched }),
                Err(error) => return Err(unreadable(&reply, &error)),
            }
        }
        if length >= most && !fetched.texts.is_empty() {
            return Ok(Fetched { is_cut: true, ..fetched });
        }
    }
    rows.finish().map_err(|error| unreadable(&reply, &error))?;
    Ok(fetched)
}

/// Takes the documents out of one element of `results`. One that cannot be had keeps no other from being read.
fn take(row: &[u8], fetched: &mut Fetched) -> Result<(), String> {
    let member = |text, wanted: &str| {
        let members = raw::members(text)?;
        members.into_iter().find(|(key, _)| key == wanted).map(|(_, value)| value)
    };
    let documents = member(row, "docs").and_then(raw::elements).ok_or("a row without documents")?;
    for document in documents {
        let found = member(document, "ok").map(RevisionText::read);
        let why = match found {
            Some(Ok(text)) => {
                fetched.texts.push(text);
                continue;
            }
            Some(Err(why)) => why,
            None => member(document, "error").map(said).unwrap_or_default(),
        };
        let id = member(row, "id").and_then(|id| serde_json::from_slice::<String>(id).ok());
        fetched.reasons.insert(id.ok_or("a row without an id")?, why);
    }
    Ok(())
}

/// The words of an error in a row.
fn said(error: &[u8]) -> String {
    let error: Value = serde_json::from_slice(error).unwrap_or_default();
    let word = |key| error.get(key).and_then(Value::as_str).filter(|word| !word.is_empty());
    let words: Vec<&str> = ["error", "reason"].into_iter().filter_map(word).collect();
    crate::secret::redact(&words.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(row: &str) -> Result<Fetched, String> {
        let mut fetched = Fetched::default();
        take(row.as_bytes(), &mut fetched).map(|()| fetched)
    }

    #[test]
    fn only_what_the_server_has_is_among_the_texts() {
        let row = r#"{"id":"a","docs":[{"ok":{"_id":"a","_rev":"1-a","x":0.10}},
            {"error":{"id":"a","rev":"2-b","error":"not_found","reason":"missing"}}]}"#;
        let found = taken(row).unwrap();
        assert_eq!(found.texts.len(), 1);
        assert_eq!(found.texts[0].text, br#"{"_id":"a","_rev":"1-a","x":0.10}"#.as_slice());
        assert_eq!(found.reasons["a"], "not_found: missing");
        for bad in ["{}", "7", r#"{"docs":{}}"#, r#"{"docs":[{"ok":{}}]}"#] {
            assert!(taken(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let rows = [
            (
                r#"{"id":"a","docs":[{"ok":{"_id":"a","_rev":"1-a","_attachments":{"":{"length":1}}}}]}"#,
                "an attachment",
            ),
            (r#"{"id":"a","docs":[{"error":{"error":"internal_server_error"}}]}"#, "internal_server_error"),
            (r#"{"id":"a","docs":[{}]}"#, ""),
        ];
        for (row, why) in rows {
            let found = taken(row).unwrap();
            assert!(found.texts.is_empty() && found.reasons["a"].starts_with(why), "{row}: {found:?}");
        }
    }
}
