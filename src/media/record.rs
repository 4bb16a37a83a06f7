//! The `file` member of a document, both ways, and the bodies that carry it.

use serde_json::Value;

use super::time;
use crate::hexadecimal;
use crate::json::Object;
use crate::name::escape::{document_id, file_attachment};
use crate::name::{AttName, DocId};
use crate::path::RelPath;

/// The member that belongs to the tool.
const FILE: &str = "file";
/// What a new document says it is.
const TYPE: &str = "file";

/// The members of `file` that are no facts.
const OWN: [&str; 8] = ["path", "name", "folder", "size", "content_type", "modified", "sha256", "attachment"];

/// What a document says about its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where the file is, beneath the folder.
    pub path: RelPath,
    /// Its length in bytes.
    pub size: u64,
    /// Its type, as the attachment has it.
    pub content_type: String,
    /// When its content was last written: nanoseconds since 1970, UTC.
    pub modified: i64,
    /// The sum of its content. What another document claims here proves nothing about its attachment.
    pub sha256: [u8; 32],
    /// The key under `_attachments` where its content is: [`file_attachment`] unless a document says otherwise.
    pub attachment: AttName,
    /// What the file itself tells ([`describe`](super::describe)), in this order after the members above. A member
    /// with the name of one of those is not written.
    pub facts: Object,
}

impl Record {
    /// The value of the document's `file` member.
    pub fn member(&self) -> Object {
        let folder = self.path.parent().map(|folder| folder.as_str().to_owned()).unwrap_or_default();
        let mut member = Object::new();
        let mut set = |key: &str, value: Value| member.insert(key.to_owned(), value);
        set("path", self.path.as_str().into());
        set("name", self.path.name().into());
        set("folder", folder.into());
        set("size", self.size.into());
        set("content_type", self.content_type.as_str().into());
        set("modified", time::to_text(self.modified).into());
        set("sha256", hexadecimal::encode(&self.sha256).into());
        for (key, value) in self.facts.iter().filter(|(key, _)| !OWN.contains(&key.as_str())) {
            set(key, value.clone());
        }
        if self.attachment.as_str() != self.path.name() {
            set("attachment", self.attachment.as_str().into());
        }
        member
    }

    /// The record of a document that this tool made: its `file` is well-formed and its id is the one that belongs to
    /// `file.path`. `None` for any other document, which therefore is not ours to touch. `file.name` and
    /// `file.folder` only repeat the path and are not asked.
    pub fn read(id: &DocId, body: &Object) -> Option<Self> {
        let file = body.get(FILE)?.as_object()?;
        let text = |key: &str| file.get(key)?.as_str();
        let path = RelPath::new(text("path")?).ok()?;
        if document_id(&path) != *id {
            return None;
        }
        let attachment = match file.get("attachment") {
            None => file_attachment(&path),
            Some(key) => stored_key(key.as_str()?)?,
        };
        let facts = file.iter().filter(|(key, _)| !OWN.contains(&key.as_str()));
        Some(Self {
            size: file.get("size")?.as_u64()?,
            content_type: text("content_type")?.to_owned(),
            modified: time::from_text(text("modified")?)?,
            sha256: hexadecimal::decode(text("sha256")?)?,
            facts: facts.map(|(key, value)| (key.clone(), value.clone())).collect(),
            attachment,
            path,
        })
    }
}

/// A key that a server can hold and a URL can address.
fn stored_key(text: &str) -> Option<AttName> {
    if matches!(text, "." | "..") {
        return None;
    }
    AttName::new(text).ok().filter(|name| !name.is_prohibited())
}

/// The body of a new document: `type`, `tags` (each once, in their order) and `file`; no `_id`, no `_attachments`.
pub fn created(record: &Record, tags: &[String]) -> Object {
    let mut body = Object::new();
    body.insert("type".to_owned(), TYPE.into());
    body.insert("tags".to_owned(), distinct(tags.iter().map(String::as_str)).into());
    body.insert(FILE.to_owned(), record.member().into());
    body
}

/// `body` with `file` replaced where it stands; all else, and the order of the keys, as people left it.
pub fn updated(body: &Object, record: &Record) -> Object {
    let mut body = body.clone();
    body.insert(FILE.to_owned(), record.member().into());
    body
}

/// Whether the document has all of the `wanted` tags, as members of an array `tags`.
pub fn has_tags(body: &Object, wanted: &[String]) -> bool {
    let tags = body.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    wanted.iter().all(|wanted| tags.iter().any(|tag| tag.as_str() == Some(wanted)))
}

/// The names of the folders that the file is in, outermost first, each once.
pub fn folder_tags(path: &RelPath) -> Vec<String> {
    distinct(path.components().rev().skip(1).collect::<Vec<_>>().into_iter().rev())
}

fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in texts {
        if !kept.iter().any(|kept| kept == text) {
            kept.push(text.to_owned());
        }
    }
    kept
}
