//! A document as the server tells it, taken apart into body and attachments.

use serde_json::Value;

use super::digest::Digest;
use crate::json::Object;
use crate::name::{AttName, DocId, Revision};

/// What to ask of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// This revision instead of the current one.
    pub revision: Option<Revision>,
    /// Ask for [`Document::ancestors`].
    pub revisions: bool,
    /// Ask for [`Document::conflicts`].
    pub conflicts: bool,
}

/// An attachment as a document lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stub {
    /// As stored, parameters included.
    pub content_type: String,
    /// Bytes of the content, not compressed.
    pub length: u64,
    /// The md5 of the bytes *as stored*. `None` where the server gives none that can be read.
    pub digest: Option<Digest>,
    /// The generation that brought the attachment.
    pub revpos: Option<u64>,
    /// `gzip` when the stored bytes are compressed.
    pub encoding: Option<String>,
    /// Bytes as stored, when they are compressed.
    pub encoded_length: Option<u64>,
    /// The members as they came, to be sent back verbatim in a later write.
    pub raw: Object,
}

/// A document, without the content of its attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: DocId,
    /// This revision.
    pub revision: Revision,
    /// Whether this revision is a tombstone.
    pub deleted: bool,
    /// All members that do not start with an underscore, in the order of the server.
    pub body: Object,
    /// Its attachments, in the order of the server; no name comes twice.
    pub attachments: Vec<(AttName, Stub)>,
    /// Leaf revisions that lost against this one, if asked for.
    pub conflicts: Vec<Revision>,
    /// Earlier revisions, youngest first, if asked for.
    pub ancestors: Vec<Revision>,
}

impl Document {
    /// The attachment of this name.
    pub fn attachment(&self, name: &AttName) -> Option<&Stub> {
        self.attachments.iter().find(|(known, _)| known == name).map(|(_, stub)| stub)
    }
}

/// An attachment as an answer has it: what the document says, and its content if that came along.
pub(super) struct Parsed {
    pub(super) document: Document,
    /// Base64 of the content, for each attachment that has its content inside.
    pub(super) data: Vec<Option<String>>,
    /// For each attachment, whether its bytes follow in a part of their own.
    pub(super) follows: Vec<bool>,
}

/// Takes a document apart. The error says what is wrong with it.
pub(super) fn parse(members: Object) -> Result<Parsed, String> {
    let text = |key: &str| members.get(key).and_then(Value::as_str);
    let id = DocId::new(text("_id").ok_or("it has no _id")?).map_err(|error| error.to_string())?;
    let revision = Revision::new(text("_rev").ok_or("it has no _rev")?).map_err(|error| error.to_string())?;
    let deleted = members.get("_deleted") == Some(&Value::Bool(true));
    let conflicts = members.get("_conflicts").map_or(Ok(Vec::new()), revisions)?;
    let ancestors = members.get("_revisions").map_or(Ok(Vec::new()), |history| ancestors(history, &revision))?;
    let (mut body, mut listed) = (Object::new(), Object::new());
    for (key, value) in members {
        match (key.as_str(), value) {
            ("_attachments", Value::Object(attachments)) => listed = attachments,
            (key, _) if key.starts_with('_') => {}
            (_, value) => {
                body.insert(key, value);
            }
        }
    }
    let (mut attachments, mut data, mut follows) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in listed {
        let name =
            AttName::new(name).map_err(|_| "it has an attachment with an empty name, which no request can address")?;
        let Value::Object(mut raw) = value else { return Err(format!("attachment `{name}` is no object")) };
        let content = match raw.remove("data") {
            Some(Value::String(base64)) => Some(base64),
            _ => None,
        };
        follows.push(raw.remove("follows") == Some(Value::Bool(true)));
        attachments.push((name, stub(raw, content.as_deref())));
        data.push(content);
    }
    Ok(Parsed { document: Document { id, revision, deleted, body, attachments, conflicts, ancestors }, data, follows })
}

/// A stub from its members; an attachment that came with its content becomes the stub that it will be.
fn stub(mut raw: Object, content: Option<&str>) -> Stub {
    if let Some(base64) = content {
        let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
        raw.insert("length".to_owned(), Value::from((base64.len() / 4 * 3).saturating_sub(padding)));
    }
    raw.insert("stub".to_owned(), Value::Bool(true));
    let text = |key: &str| raw.get(key).and_then(Value::as_str);
    let number = |key: &str| raw.get(key).and_then(Value::as_u64);
    Stub {
        content_type: text("content_type").unwrap_or("application/octet-stream").to_owned(),
        length: number("length").unwrap_or_default(),
        digest: text("digest").and_then(|digest| digest.parse().ok()),
        revpos: number("revpos"),
        encoding: text("encoding").map(str::to_owned),
        encoded_length: number("encoded_length"),
        raw,
    }
}

fn revisions(value: &Value) -> Result<Vec<Revision>, String> {
    let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(|text| Revision::new(text).map_err(|error| error.to_string())).collect()
}

/// `{"start":3,"ids":["c","b","a"]}` without the revision itself.
fn ancestors(history: &Value, revision: &Revision) -> Result<Vec<Revision>, String> {
    let start = history.get("start").and_then(Value::as_u64).ok_or("its _revisions have no start")?;
    let ids = history.get("ids").and_then(Value::as_array).ok_or("its _revisions have no ids")?;
    let generations = (1..=start).rev();
    let chain = generations.zip(ids.iter().filter_map(Value::as_str));
    let chain: Result<Vec<Revision>, String> = chain
        .map(|(number, hash)| Revision::new(format!("{number}-{hash}")).map_err(|error| error.to_string()))
        .collect();
    let chain = chain?;
    match chain.split_first() {
        Some((first, rest)) if first == revision => Ok(rest.to_vec()),
        _ => Err("its _revisions do not begin with its _rev".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Parsed, String> {
        match crate::json::parse(text.as_bytes()).unwrap() {
            Value::Object(members) => parse(members),
            _ => unreachable!(),
        }
    }

    #[test]
    fn a_document_is_taken_apart() {
        let parsed = parsed(
            r#"{"_id":"doc","_rev":"3-c","z":1.50,"a":{"_x":1},"_conflicts":["2-x"],
                "_revisions":{"start":3,"ids":["c","b","a"]},"_local_seq":7,
                "_attachments":{
                  "b.txt":{"content_type":"text/plain","revpos":1,"digest":"md5-ow8TuVmcFI3po8kLD8p/Hg==","length":352,
                           "stub":true,"encoding":"gzip","encoded_length":68},
                  "a/c":{"content_type":"image/png","revpos":2,"digest":"md5-uV9n9h67A2GWIteY9F/C0w==","data":"AAEC"},
                  "f":{"content_type":"x/y","digest":"odd","length":9,"follows":true}}}"#,
        )
        .unwrap();
        let document = &parsed.document;
        assert_eq!((document.id.as_str(), document.revision.as_str()), ("doc", "3-c"));
        assert_eq!(serde_json::to_string(&document.body).unwrap(), r#"{"z":1.50,"a":{"_x":1}}"#);
        assert_eq!(document.ancestors.iter().map(Revision::as_str).collect::<Vec<_>>(), ["2-b", "1-a"]);
        assert_eq!(document.conflicts[0].as_str(), "2-x");
        let names: Vec<&str> = document.attachments.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b.txt", "a/c", "f"]);
        let [text, image, odd] = &document.attachments[..] else { panic!() };
        assert_eq!((text.1.length, text.1.encoded_length, text.1.encoding.as_deref()), (352, Some(68), Some("gzip")));
        assert_eq!((image.1.length, parsed.data[1].as_deref()), (3, Some("AAEC")));
        assert_eq!(image.1.raw.keys().collect::<Vec<_>>(), ["content_type", "revpos", "digest", "length", "stub"]);
        assert_eq!((odd.1.digest, parsed.follows[2]), (None, true));
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for text in [
            r"{}",
            r#"{"_id":"","_rev":"1-a"}"#,
            r#"{"_id":"x","_rev":"a"}"#,
            r#"{"_id":"x","_rev":"1-a","_attachments":{"":{}}}"#,
            r#"{"_id":"x","_rev":"1-a","_attachments":{"a":1}}"#,
            r#"{"_id":"x","_rev":"1-a","_revisions":{"start":2,"ids":["b"]}}"#,
            r#"{"_id":"x","_rev":"1-a","_revisions":{}}"#,
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
