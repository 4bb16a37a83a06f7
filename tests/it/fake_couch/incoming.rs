//! Documents on their way in: which members they may have, and what becomes of their attachments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value};

use super::attachment::Attachment;
use super::store::{Attachments, Node, Rev};
use crate::wire::Answer;

/// A document as it was sent, with its special members taken out.
pub(crate) struct Incoming {
    /// `_id`
    pub(crate) id: Option<String>,
    /// `_rev`
    pub(crate) rev: Option<Rev>,
    /// `_revisions`, the newest first.
    pub(crate) revisions: Vec<Rev>,
    is_deleted: bool,
    body: Map<String, Value>,
    attachments: Map<String, Value>,
}

fn bad_request(reason: &str) -> Answer {
    Answer::error(400, "bad_request", reason)
}

/// What CouchDB answers when a clause of its own code does not match: wrong digests end here.
fn function_clause() -> Answer {
    Answer::error(500, "unknown_error", "function_clause")
}

/// Refuses ids that are empty or reserved.
pub(crate) fn check_id(id: &str) -> Result<(), Answer> {
    if id.is_empty() {
        return Err(Answer::error(400, "illegal_docid", "Document id must not be empty"));
    }
    let reserved = |prefix: &str| id.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
    if id.starts_with('_') && !reserved("_design/") && !reserved("_local/") {
        return Err(Answer::error(400, "illegal_docid", "Only reserved document ids may start with underscore."));
    }
    Ok(())
}

/// Refuses attachment names that begin with an underscore.
pub(crate) fn check_attachment_name(name: &str) -> Result<(), Answer> {
    if name.starts_with('_') {
        return Err(bad_request(&format!("Attachment name '{name}' starts with prohibited character '_'")));
    }
    Ok(())
}

impl Incoming {
    /// Takes a document apart.
    pub(crate) fn new(value: Value) -> Result<Self, Answer> {
        let Value::Object(members) = value else { return Err(bad_request("Document must be a JSON object")) };
        let mut document = Self {
            id: None,
            rev: None,
            revisions: Vec::new(),
            is_deleted: false,
            body: Map::new(),
            attachments: Map::new(),
        };
        for (key, value) in members {
            match (key.as_str(), value) {
                ("_id", Value::String(id)) => document.id = Some(id),
                ("_id", _) => return Err(Answer::error(400, "illegal_docid", "Document id must be a string")),
                ("_rev", Value::String(rev)) => document.rev = Some(Rev::parse(&rev)?),
                ("_rev", _) => return Err(bad_request("Invalid rev format")),
                ("_deleted", value) => document.is_deleted = value == Value::Bool(true),
                ("_attachments", Value::Object(attachments)) => document.attachments = attachments,
                ("_revisions", value) => document.revisions = revisions(&value)?,
                ("_conflicts" | "_deleted_conflicts" | "_revs_info" | "_local_seq", _) => {}
                (special, _) if special.starts_with('_') => {
                    let reason = format!("Bad special document member: {special}");
                    return Err(Answer::error(400, "doc_validation", &reason));
                }
                (_, value) => drop(document.body.insert(key, value)),
            }
        }
        Ok(document)
    }

    /// Refuses what is over `max_document_size`, for which attachments do not count.
    pub(crate) fn check_size(&self, id: &str) -> Result<(), Answer> {
        let size: usize = self.body.iter().map(|(key, value)| key.len() + value.to_string().len() + 4).sum();
        if size > 8_000_000 { Err(Answer::error(413, "document_too_large", id)) } else { Ok(()) }
    }

    /// The revision to add on `parent`: stubs are looked up there, `parts` are the bytes that follow, `limit` is the
    /// largest attachment allowed.
    pub(crate) fn into_node(
        self,
        id: &str,
        parent: Option<(&Rev, &Node)>,
        parts: Vec<Vec<u8>>,
        limit: u64,
    ) -> Result<Node, Answer> {
        if id.starts_with("_design/") {
            check_design(&self.body)?;
        }
        let kept = parent.map_or(&[] as &[_], |(_, node)| &node.attachments);
        let revpos = parent.map_or(0, |(rev, _)| rev.generation) + 1;
        let mut parts = parts.into_iter();
        let mut attachments = Attachments::new();
        for (name, member) in &self.attachments {
            // CouchDB drops what is no object, and says 201.
            let Value::Object(member) = member else { continue };
            check_attachment_name(name)?;
            let attachment = if member.get("stub") == Some(&Value::Bool(true)) {
                from_stub(id, name, member, kept)?
            } else if member.get("follows") == Some(&Value::Bool(true)) {
                from_part(member, parts.next(), revpos)?
            } else {
                from_data(name, member, revpos)?
            };
            if attachment.stored.len() as u64 > limit {
                return Err(Answer::error(413, "attachment_too_large", name));
            }
            attachments.push((name.clone(), attachment));
        }
        Ok(Node { parent: None, is_deleted: self.is_deleted, is_known: true, body: self.body, attachments })
    }
}

fn revisions(value: &Value) -> Result<Vec<Rev>, Answer> {
    let start = value["start"].as_u64().ok_or_else(|| bad_request("_revisions.start isn't an integer."))?;
    let hashes = value["ids"].as_array().ok_or_else(|| bad_request("_revisions.ids isn't a array."))?;
    let revision = |(age, hash): (u64, &Value)| {
        let hash = hash.as_str().ok_or_else(|| bad_request("RevId isn't a string"))?;
        Ok(Rev { generation: start.saturating_sub(age), hash: hash.to_owned() })
    };
    (0..).zip(hashes).map(revision).collect()
}

fn text<'a>(member: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    member.get(key).and_then(Value::as_str)
}

fn content_type(member: &Map<String, Value>) -> &str {
    text(member, "content_type").unwrap_or("application/octet-stream")
}

/// The 16 bytes of a digest; other kinds than md5 are ignored.
fn digest(member: &Map<String, Value>) -> Result<Option<Vec<u8>>, Answer> {
    let Some(encoded) = text(member, "digest").and_then(|digest| digest.strip_prefix("md5-")) else { return Ok(None) };
    STANDARD.decode(encoded).map(Some).map_err(|_| function_clause())
}

fn from_stub(
    id: &str,
    name: &str,
    member: &Map<String, Value>,
    kept: &[(String, Attachment)],
) -> Result<Attachment, Answer> {
    let missing = || Answer::error(412, "missing_stub", &format!("Invalid attachment stub in {id} for {name}"));
    let (_, attachment) = kept.iter().find(|(other, _)| other == name).ok_or_else(missing)?;
    // A digest must be well formed, but is not compared: only the generation is.
    digest(member)?;
    match member.get("revpos").and_then(Value::as_u64) {
        Some(revpos) if revpos != attachment.revpos => Err(missing()),
        _ => Ok(attachment.clone()),
    }
}

fn from_part(member: &Map<String, Value>, part: Option<Vec<u8>>, revpos: u64) -> Result<Attachment, Answer> {
    let content = part.ok_or_else(|| bad_request("attachment shorter than expected"))?;
    let length = member.get("length").and_then(Value::as_u64).ok_or_else(function_clause)?;
    let is_gzip = text(member, "encoding") == Some("gzip");
    let encoded_length = member.get("encoded_length").and_then(Value::as_u64);
    let expected = if is_gzip { encoded_length.unwrap_or(length) } else { length };
    match (content.len() as u64).cmp(&expected) {
        std::cmp::Ordering::Less => return Err(bad_request("attachment shorter than expected")),
        std::cmp::Ordering::Greater => return Err(bad_request("attachment longer than expected")),
        std::cmp::Ordering::Equal => {}
    }
    // The digest is of the bytes as they travel.
    if digest(member)?.is_some_and(|digest| digest != Md5::digest(&content).as_slice()) {
        return Err(function_clause());
    }
    if !is_gzip {
        return Ok(Attachment::plain(content_type(member), &content, revpos));
    }
    let stored = Bytes::from(content);
    Ok(Attachment { content_type: content_type(member).to_owned(), stored, length, is_gzip, revpos })
}

fn from_data(name: &str, member: &Map<String, Value>, revpos: u64) -> Result<Attachment, Answer> {
    let invalid = || bad_request(&format!("Invalid attachment data for {name}"));
    let data = text(member, "data").ok_or_else(invalid)?;
    let content = STANDARD.decode(data).map_err(|_| invalid())?;
    Ok(Attachment::plain(content_type(member), &content, revpos))
}

/// What CouchDB checks of a design document before it stores it, but for the syntax of functions.
fn check_design(body: &Map<String, Value>) -> Result<(), Answer> {
    let invalid = |reason: String| Answer::error(400, "invalid_design_doc", &reason);
    let an_object = |name: &str, value: &Value| match value {
        Value::Object(_) => Ok(()),
        _ => Err(invalid(format!("`{name}` field must have object type"))),
    };
    for name in ["filters", "lists", "options", "shows", "updates", "views"] {
        body.get(name).map_or(Ok(()), |value| an_object(name, value))?;
    }
    let views = body.get("views").and_then(Value::as_object);
    for (name, view) in views.into_iter().flatten().filter(|(name, _)| *name != "lib") {
        an_object(&format!("views.{name}"), view)?;
        let is_query = body.get("language").and_then(Value::as_str) == Some("query");
        for function in ["map", "reduce"].iter().filter(|_| !is_query) {
            if view.get(function).is_some_and(|source| !source.is_string()) {
                return Err(invalid(format!("`views.{name}.{function}` field must have string type")));
            }
        }
    }
    Ok(())
}
