//! A document as a client sends it: what CouchDB's `couch_doc:from_json_obj` makes of JSON. Pure.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use crate::couch::digest::Digest;
use crate::json::Object;
use crate::name::Revision;
use crate::serve::failure::Failure;
use crate::serve::store::{Blob, Stored};

/// The largest document without its attachments (`max_document_size`).
const LARGEST: usize = 8_000_000;
/// The largest attachment (`max_attachment_size`).
pub(in crate::serve) const LARGEST_ATTACHMENT: u64 = 1 << 30;

/// A document that is to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::serve) struct Incoming {
    /// Its `_id`; empty when it has none.
    pub(in crate::serve) id: String,
    /// The generation of the newest of `hashes`; 0 without any.
    pub(in crate::serve) generation: u64,
    /// `_rev`, or the ids of `_revisions`, newest first.
    pub(in crate::serve) hashes: Vec<String>,
    /// `_deleted`
    pub(in crate::serve) is_deleted: bool,
    /// The members that are not special.
    pub(in crate::serve) members: Object,
    /// `_attachments`
    pub(in crate::serve) attachments: Vec<Attachment>,
}

/// An attachment that is to be written.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::serve) struct Attachment {
    /// Its name.
    pub(in crate::serve) name: String,
    /// As given.
    pub(in crate::serve) content_type: String,
    /// As given.
    pub(in crate::serve) revpos: Option<u64>,
    /// Where its bytes are.
    pub(in crate::serve) source: Source,
}

/// Where the bytes of an attachment are.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::serve) enum Source {
    /// In the revision before.
    Stub,
    /// In the document.
    Inline(Vec<u8>),
    /// In a part that follows.
    Follows(Follows),
    /// In the store already.
    Stored(Blob),
}

/// What is said about a part that follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::serve) struct Follows {
    /// Of the bytes as they are sent.
    pub(in crate::serve) digest: Option<Digest>,
    /// Of the content.
    pub(in crate::serve) length: Option<u64>,
    /// Of the bytes as they are sent; `None` when they are not compressed.
    pub(in crate::serve) encoded_length: Option<u64>,
    /// Whether they are compressed.
    pub(in crate::serve) is_gzip: bool,
}

impl Incoming {
    /// Takes a document apart.
    pub(in crate::serve) fn parse(value: Value) -> Result<Self, Failure> {
        let Value::Object(object) = value else {
            return Err(Failure::bad_request("Document must be a JSON object"));
        };
        let mut document = Self::default();
        let mut size = 2;
        for (key, value) in object {
            if key.starts_with('_') {
                document.take_special(key, value)?;
            } else {
                size += key.len() + 4 + encoded_size(&value);
                document.members.insert(key, value);
            }
        }
        if size > LARGEST {
            return Err(Failure::new(413, "document_too_large", document.id));
        }
        match document.attachments.iter().find(|attachment| attachment.is_too_large()) {
            Some(attachment) => Err(Failure::new(413, "attachment_too_large", attachment.name.clone())),
            None => Ok(document),
        }
    }

    fn take_special(&mut self, key: String, value: Value) -> Result<(), Failure> {
        match (key.as_str(), value) {
            ("_id", value) => {
                let id = value.as_str().ok_or_else(|| illegal_id("Document id must be a string"))?;
                check_id(id)?;
                id.clone_into(&mut self.id);
            }
            ("_rev", value) if self.hashes.is_empty() => {
                let (generation, hash) = parse_revision(value.as_str().unwrap_or_default())?;
                (self.generation, self.hashes) = (generation, vec![hash]);
            }
            ("_revisions", Value::Object(revisions)) => self.take_revisions(&revisions)?,
            ("_attachments", Value::Object(attachments)) => {
                // CouchDB passes over what is no object.
                let objects = attachments.into_iter().filter_map(|(name, value)| match value {
                    Value::Object(members) => Some((name, members)),
                    _ => None,
                });
                self.attachments =
                    objects.map(|(name, members)| Attachment::parse(name, members)).collect::<Result<_, _>>()?;
            }
            ("_deleted", Value::Bool(is_deleted)) => self.is_deleted = is_deleted,
            ("_rev" | "_revs_info" | "_local_seq" | "_conflicts" | "_deleted_conflicts", _) => {}
            (
                "_access"
                | "_replication_state"
                | "_replication_state_time"
                | "_replication_state_reason"
                | "_replication_id"
                | "_replication_stats",
                value,
            ) => {
                self.members.insert(key, value);
            }
            _ => return Err(invalid(format!("Bad special document member: {key}"))),
        }
        Ok(())
    }

    fn take_revisions(&mut self, revisions: &Object) -> Result<(), Failure> {
        let start = revisions.get("start").and_then(Value::as_u64);
        let start = start.ok_or_else(|| invalid("_revisions.start isn't an integer."))?;
        let ids = revisions.get("ids").and_then(Value::as_array);
        let ids = ids.ok_or_else(|| invalid("_revisions.ids isn't a array."))?;
        let hash = |id: &Value| {
            let id = id.as_str().ok_or_else(|| invalid("RevId isn't a string"))?;
            hash(id).ok_or_else(|| invalid("RevId isn't a valid hexadecimal"))
        };
        self.hashes = ids.iter().map(hash).collect::<Result<_, _>>()?;
        self.generation = if self.hashes.is_empty() { 0 } else { start };
        Ok(())
    }

    /// The revision that it is upon, or that it is: `None` without one.
    pub(in crate::serve) fn revision(&self) -> Option<Result<Revision, Failure>> {
        let hash = self.hashes.first()?;
        Some(revision(self.generation, hash))
    }

    /// The revision and its ancestors, newest first.
    pub(in crate::serve) fn history(&self) -> Result<Vec<Revision>, Failure> {
        let generations = (0..=self.generation).rev();
        generations.zip(&self.hashes).map(|(generation, hash)| revision(generation, hash)).collect()
    }

    /// Whether any attachment is said to be there already.
    pub(in crate::serve) fn has_stubs(&self) -> bool {
        self.attachments.iter().any(|attachment| attachment.source == Source::Stub)
    }

    /// Refuses names that CouchDB refuses.
    pub(in crate::serve) fn check_attachment_names(&self) -> Result<(), Failure> {
        self.attachments.iter().try_for_each(|attachment| check_attachment_name(&attachment.name))
    }
}

impl From<Stored> for Attachment {
    fn from(stored: Stored) -> Self {
        let Stored { name, content_type, revpos, blob } = stored;
        Self { name, content_type, revpos: Some(revpos), source: Source::Stored(blob) }
    }
}

impl Attachment {
    fn parse(name: String, members: Object) -> Result<Self, Failure> {
        let text = |key: &str| members.get(key).and_then(Value::as_str);
        let number = |key: &str| members.get(key).and_then(Value::as_u64);
        let is = |key: &str| members.get(key) == Some(&Value::Bool(true));
        let content_type = match members.get("content_type") {
            None => "application/octet-stream".to_owned(),
            Some(Value::String(text)) => text.clone(),
            // More than CouchDB can bear.
            Some(_) => return Err(Failure::new(500, "unknown_error", "function_clause")),
        };
        let revpos = number("revpos");
        let source = if is("stub") {
            digest(&members)?;
            Source::Stub
        } else if is("follows") {
            let is_gzip = match text("encoding") {
                None | Some("identity") => false,
                Some("gzip") => true,
                Some(_) => return Err(Failure::new(500, "unknown_error", "badarg")),
            };
            let (digest, length) = (digest(&members)?, number("length"));
            let encoded_length = number("encoded_length").filter(|_| is_gzip);
            Source::Follows(Follows { digest, length, encoded_length, is_gzip })
        } else {
            let mut members = members;
            match members.remove("data") {
                Some(Value::String(data)) => Source::Inline(decode(&data).ok_or_else(|| invalid_data(&name))?),
                _ => return Err(invalid_data(&name)),
            }
        };
        Ok(Self { name, content_type, revpos, source })
    }

    fn is_too_large(&self) -> bool {
        match &self.source {
            Source::Inline(data) => data.len() as u64 > LARGEST_ATTACHMENT,
            Source::Follows(follows) => {
                follows.encoded_length.or(follows.length).is_some_and(|length| length > LARGEST_ATTACHMENT)
            }
            Source::Stub | Source::Stored(_) => false,
        }
    }
}

fn invalid_data(name: &str) -> Failure {
    Failure::bad_request(format!("Invalid attachment data for {name}"))
}

/// Base64 as Erlang reads it: white space is passed over.
fn decode(data: &str) -> Option<Vec<u8>> {
    match BASE64_STANDARD.decode(data) {
        Err(_) if data.contains([' ', '\t', '\r', '\n']) => {
            BASE64_STANDARD.decode(data.split_ascii_whitespace().collect::<String>()).ok()
        }
        decoded => decoded.ok(),
    }
}

/// A digest that is no base64 is more than CouchDB can bear.
fn digest(members: &Object) -> Result<Option<Digest>, Failure> {
    let Some(text) = members.get("digest").and_then(Value::as_str).filter(|text| text.starts_with("md5-")) else {
        return Ok(None);
    };
    let clause = || Failure::new(500, "unknown_error", "function_clause");
    let bytes = BASE64_STANDARD.decode(&text["md5-".len()..]).map_err(|_| clause())?;
    match <[u8; 16]>::try_from(bytes) {
        Ok(md5) => Ok(Some(Digest::from_md5(md5))),
        // What a stub says is never looked at.
        Err(_) if members.get("stub") == Some(&Value::Bool(true)) => Ok(None),
        Err(_) => Err(clause()),
    }
}

/// The id of a document that is written.
pub(in crate::serve) fn check_id(id: &str) -> Result<(), Failure> {
    match id {
        "" => Err(illegal_id("Document id must not be empty")),
        "_design/" | "_local/" => Err(illegal_id(format!("Illegal document id `{id}`"))),
        id if id.starts_with('_') && !id.starts_with("_design/") && !id.starts_with("_local/") => {
            Err(illegal_id("Only reserved document ids may start with underscore."))
        }
        _ => Ok(()),
    }
}

/// The name of an attachment that is written.
pub(in crate::serve) fn check_attachment_name(name: &str) -> Result<(), Failure> {
    if name.starts_with('_') {
        return Err(Failure::bad_request(format!("Attachment name '{name}' starts with prohibited character '_'")));
    }
    Ok(())
}

/// A revision as text: its generation and its hash.
pub(in crate::serve) fn parse_revision(text: &str) -> Result<(u64, String), Failure> {
    let parsed = text.split_once('-').and_then(|(generation, id)| Some((generation.parse().ok()?, hash(id)?)));
    parsed.ok_or_else(invalid_revision)
}

/// A revision of a document that is not local.
pub(in crate::serve) fn revision_of(text: &str) -> Result<Revision, Failure> {
    let (generation, hash) = parse_revision(text)?;
    revision(generation, &hash)
}

/// An array of revisions.
pub(in crate::serve) fn revisions_of(value: &Value) -> Result<Vec<Revision>, Failure> {
    let items = value.as_array().ok_or_else(|| Failure::bad_request("Invalid list of revisions"))?;
    items.iter().map(|item| revision_of(item.as_str().unwrap_or_default())).collect()
}

fn revision(generation: u64, hash: &str) -> Result<Revision, Failure> {
    Revision::new(format!("{generation}-{hash}")).map_err(|_| invalid_revision())
}

fn invalid_revision() -> Failure {
    Failure::bad_request("Invalid rev format")
}

/// 32 digits are a number to CouchDB; anything else is text.
fn hash(id: &str) -> Option<String> {
    if id.len() != 32 {
        return Some(id.to_owned());
    }
    id.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| id.to_ascii_lowercase())
}

fn illegal_id(reason: impl Into<String>) -> Failure {
    Failure::new(400, "illegal_docid", reason)
}

fn invalid(reason: impl Into<String>) -> Failure {
    Failure::new(400, "doc_validation", reason)
}

/// The size of a value as JSON, roughly as `couch_ejson_size` counts.
fn encoded_size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| encoded_size(item) + 1).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(key, value)| key.len() + 4 + encoded_size(value)).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(value: Value) -> (u16, String, String) {
        let failure = Incoming::parse(value).unwrap_err();
        (failure.status.as_u16(), failure.error, failure.reason.unwrap_or_default())
    }

    #[test]
    fn a_document_is_taken_apart() {
        let document = Incoming::parse(json!({
            "_id": "a", "_rev": "2-ABCDEF", "b": 1, "_deleted": true, "_conflicts": ["1-x"],
            "_attachments": {"s": {"stub": true, "revpos": 1}, "i": {"data": "AA=="}, "n": 7}
        }));
        let document = document.unwrap();
        assert_eq!((document.id.as_str(), document.generation, document.is_deleted), ("a", 2, true));
        assert_eq!(document.revision().unwrap().unwrap().as_str(), "2-ABCDEF");
        assert_eq!(Value::Object(document.members.clone()), json!({"b": 1}));
        let names: Vec<&str> = document.attachments.iter().map(|attachment| attachment.name.as_str()).collect();
        assert_eq!(names, ["s", "i"]);
        assert!(document.has_stubs());
    }

    #[test]
    fn histories_are_counted_down() {
        let revisions = json!({"_rev": "9-x", "_revisions": {"start": 3, "ids": ["c", "b"]}});
        let document = Incoming::parse(revisions).unwrap();
        let history: Vec<String> = document.history().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(history, ["3-c", "2-b"]);
    }

    #[test]
    fn what_couchdb_refuses_is_refused_in_its_words() {
        let doc = |text: &str| (400, "doc_validation".to_owned(), text.to_owned());
        let bad = |text: &str| (400, "bad_request".to_owned(), text.to_owned());
        let id = |text: &str| (400, "illegal_docid".to_owned(), text.to_owned());
        let table = [
            (json!([]), bad("Document must be a JSON object")),
            (json!({"_id": 1}), id("Document id must be a string")),
            (json!({"_id": ""}), id("Document id must not be empty")),
            (json!({"_id": "_x"}), id("Only reserved document ids may start with underscore.")),
            (json!({"_id": "_design/"}), id("Illegal document id `_design/`")),
            (json!({"_rev": "foo"}), bad("Invalid rev format")),
            (json!({"_rev": 1}), bad("Invalid rev format")),
            (json!({"_rev": "1-zz345678901234567890123456789012"}), bad("Invalid rev format")),
            (json!({"_foo": 1}), doc("Bad special document member: _foo")),
            (json!({"_deleted": 1}), doc("Bad special document member: _deleted")),
            (json!({"_attachments": []}), doc("Bad special document member: _attachments")),
            (json!({"_revisions": {"ids": []}}), doc("_revisions.start isn't an integer.")),
            (json!({"_revisions": {"start": 1}}), doc("_revisions.ids isn't a array.")),
            (json!({"_attachments": {"a": {}}}), bad("Invalid attachment data for a")),
        ];
        for (value, expected) in table {
            assert_eq!(refusal(value.clone()), expected, "{value}");
        }
        let large = json!({"_id": "l", "x": "x".repeat(8_000_001)});
        assert_eq!(refusal(large), (413, "document_too_large".to_owned(), "l".to_owned()));
    }
}
