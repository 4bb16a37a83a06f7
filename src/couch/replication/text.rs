//! A revision of a document as JSON text, and what has to be known of it to hand it on.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Deserialize;

use super::raw;
use crate::name::{AttName, DocId, Revision};

/// A revision of a document as a server gave it: with its history, and with attachments as stubs or inside.
#[derive(Clone, Debug)]
pub struct RevisionText {
    /// The document.
    pub id: DocId,
    /// The revision.
    pub revision: Revision,
    /// This revision and those before it, as far as they are known, youngest first.
    pub history: Vec<Revision>,
    /// Its attachments, in the order of the document.
    pub attachments: Vec<Held>,
    pub(super) text: Bytes,
}

/// An attachment as a document lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub name: AttName,
    /// Bytes of the content, not compressed.
    pub length: u64,
    /// Bytes as stored, when they are compressed by gzip.
    pub gzip: Option<u64>,
    /// The generation that brought it.
    pub revpos: u64,
    /// As the document says.
    pub content_type: String,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    length: u64,
    encoding: Option<String>,
    encoded_length: Option<u64>,
    revpos: Option<u64>,
    content_type: Option<String>,
}

#[derive(Deserialize)]
struct History {
    start: u64,
    ids: Vec<String>,
}

impl RevisionText {
    /// Looks into a text. The error says what is wrong with it.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let members = raw::members(text).ok_or("a document is no object")?;
        let members: HashMap<&str, &[u8]> = members.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        let string = |key: &str| {
            let value = members.get(key).ok_or_else(|| format!("a document has no {key}"))?;
            serde_json::from_slice::<String>(value).map_err(|error| format!("{key} of a document: {error}"))
        };
        let id = DocId::new(string("_id")?).map_err(|error| error.to_string())?;
        let revision = Revision::new(string("_rev")?).map_err(|error| error.to_string())?;
        let history = members.get("_revisions").map(|value| history(value)).transpose()?;
        let history = history.unwrap_or_else(|| vec![revision.clone()]);
        let attachments = members.get("_attachments").map(|value| attachments(value)).transpose()?;
        let text = Bytes::copy_from_slice(text);
        Ok(Self { id, revision, history, attachments: attachments.unwrap_or_default(), text })
    }

    /// How long the text is, in bytes.
    pub fn length(&self) -> usize {
        self.text.len()
    }

    /// How many bytes of attachments stand behind it.
    pub fn attached(&self) -> u64 {
        self.attachments.iter().map(|held| held.length).sum()
    }

    /// The attachments that a database with these leaves has for certain: those that an ancestor of this revision had.
    pub fn known_to(&self, leaves: &[Revision]) -> Vec<bool> {
        let known = leaves.iter().filter(|leaf| self.history.contains(leaf)).map(Revision::generation).max();
        self.attachments.iter().map(|held| known.is_some_and(|known| held.revpos > 0 && held.revpos <= known)).collect()
    }
}

fn history(value: &[u8]) -> Result<Vec<Revision>, String> {
    let history: History = serde_json::from_slice(value).map_err(|error| format!("_revisions: {error}"))?;
    let generations = (0..=history.start).rev();
    let texts = history.ids.iter().zip(generations).map(|(hash, generation)| format!("{generation}-{hash}"));
    texts.map(|text| Revision::new(text).map_err(|error| error.to_string())).collect()
}

fn attachments(value: &[u8]) -> Result<Vec<Held>, String> {
    let listed = raw::members(value).ok_or("_attachments of a document are no object")?;
    let held = listed.into_iter().map(|(name, value)| {
        let facts: Listed = serde_json::from_slice(value).map_err(|error| format!("attachment `{name}`: {error}"))?;
        let gzip = facts.encoding.is_some_and(|encoding| encoding == "gzip");
        Ok(Held {
            name: AttName::new(name).map_err(|error| format!("an attachment: {error}"))?,
            length: facts.length,
            gzip: facts.encoded_length.filter(|_| gzip),
            revpos: facts.revpos.unwrap_or_default(),
            content_type: facts.content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        })
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revisions(texts: &[&str]) -> Vec<Revision> {
        texts.iter().map(|text| Revision::new(*text).unwrap()).collect()
    }

    #[test]
    fn a_text_is_kept_as_it_is() {
        let text = br#"{"_id":"a","_rev":"3-c","n":1e400,"_revisions":{"start":3,"ids":["c","b"]},
            "_attachments":{"x":{"stub":true,"revpos":2,"length":5,"digest":"md5-x"},
            "y":{"revpos":3,"length":9,"encoding":"gzip","encoded_length":4,"stub":true}}}"#;
        let read = RevisionText::read(text).unwrap();
        assert_eq!(read.text, text.as_slice());
        assert_eq!(read.history, revisions(&["3-c", "2-b"]));
        assert_eq!(read.attachments.iter().map(|held| held.gzip).collect::<Vec<_>>(), [None, Some(4)]);
        assert_eq!((read.attached(), read.length()), (14, text.len()));
    }

    #[test]
    fn only_a_true_ancestor_proves_an_attachment() {
        let text = br#"{"_id":"a","_rev":"3-c","_revisions":{"start":3,"ids":["c","b","a"]},
            "_attachments":{"x":{"stub":true,"revpos":2,"length":5},"y":{"revpos":3,"length":9},"z":{"length":1}}}"#;
        let read = RevisionText::read(text).unwrap();
        for (leaves, known) in [
            (&["2-b"][..], [true, false, false]),
            (&["1-a"], [false, false, false]),
            (&["2-x"], [false, false, false]),
            (&["2-x", "1-a", "2-b"], [true, false, false]),
            (&["7-x"], [false, false, false]),
            (&[], [false, false, false]),
        ] {
            assert_eq!(read.known_to(&revisions(leaves)), known, "{leaves:?}");
        }
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for text in [
            "[]",
            r#"{"_rev":"1-a"}"#,
            r#"{"_id":"a"}"#,
            r#"{"_id":"","_rev":"1-a"}"#,
            r#"{"_id":"a","_rev":"x"}"#,
            r#"{"_id":"a","_rev":"1-a","_revisions":7}"#,
            r#"{"_id":"a","_rev":"1-a","_attachments":[]}"#,
            r#"{"_id":"a","_rev":"1-a","_attachments":{"":{}}}"#,
        ] {
            assert!(RevisionText::read(text.as_bytes()).is_err(), "{text}");
        }
        let many = r#"{"_id":"a","_rev":"1-a","_revisions":{"start":1,"ids":["a","b","c"]}}"#;
        assert!(RevisionText::read(many.as_bytes()).is_err(), "there is no generation 0");
    }
}
