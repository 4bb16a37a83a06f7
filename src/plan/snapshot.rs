//! One side of a comparison.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Key;
use crate::json::{self, Object};
use crate::name::AttName;

/// The keys that lead from the root of a body to one of its members; never empty.
pub type KeyPath = Vec<String>;

/// The members of `couchapp` that a push generates: they follow from the rest, so they are not compared leaf by leaf.
pub(super) const GENERATED: [&str; 3] = ["manifest", "objects", "signatures"];

/// What is known of an attachment's bytes. Equal values mean equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes a server holds, by the digest it reports (md5 of the *stored*, perhaps compressed, bytes).
    Stored(String),
    /// Bytes on disk that no server is known to hold, by their md5.
    Local([u8; 16]),
}

/// An attachment as far as comparing goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentEntry {
    /// Length of the plain bytes.
    pub length: u64,
    /// The content type, parameters included.
    pub content_type: String,
    /// The bytes.
    pub content: Content,
}

impl AttachmentEntry {
    /// Same bytes and the same content type; types that differ only in parameters (`; charset=utf-8`) are the same.
    pub fn same(&self, other: &Self) -> bool {
        let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        self.content == other.content && essence(&self.content_type) == essence(&other.content_type)
    }
}

/// A document taken apart: the leaves of its body, and its attachments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Leaves: every value that is no object, and every empty object.
    pub members: BTreeMap<KeyPath, Value>,
    /// Attachments by name.
    pub attachments: BTreeMap<AttName, AttachmentEntry>,
}

impl Snapshot {
    /// Takes `body` (a document without its underscore members) apart.
    pub fn new(body: &Object, attachments: BTreeMap<AttName, AttachmentEntry>) -> Self {
        Self { members: leaves(body), attachments }
    }

    /// Every key of this side.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        let members = self.members.keys().cloned().map(Key::Member);
        members.chain(self.attachments.keys().cloned().map(Key::Attachment))
    }

    /// Whether this side has `key`.
    pub fn has(&self, key: &Key) -> bool {
        match key {
            Key::Member(path) => self.members.contains_key(path),
            Key::Attachment(name) => self.attachments.contains_key(name),
        }
    }

    /// Whether both sides have `key` with the same content, or neither has it.
    pub fn agrees(&self, other: &Self, key: &Key) -> bool {
        match key {
            Key::Member(path) => match (self.members.get(path), other.members.get(path)) {
                (Some(left), Some(right)) => json::same(left, right),
                (left, right) => left.is_none() && right.is_none(),
            },
            Key::Attachment(name) => match (self.attachments.get(name), other.attachments.get(name)) {
                (Some(left), Some(right)) => left.same(right),
                (left, right) => left.is_none() && right.is_none(),
            },
        }
    }

    /// Bytes that `key` takes on the wire: an attachment's length, a member's JSON text.
    pub fn bytes(&self, key: &Key) -> u64 {
        match key {
            Key::Member(path) => self.members.get(path).map_or(0, |value| value.to_string().len() as u64),
            Key::Attachment(name) => self.attachments.get(name).map_or(0, |entry| entry.length),
        }
    }
}

/// The leaves of `body`, without the generated members of `couchapp`.
pub fn leaves(body: &Object) -> BTreeMap<KeyPath, Value> {
    let mut found = BTreeMap::new();
    for (key, value) in body {
        match value.as_object() {
            Some(metadata) if key == "couchapp" => {
                let mut own = metadata.clone();
                own.retain(|key, _| !GENERATED.contains(&key.as_str()));
                if !own.is_empty() {
                    collect(&mut vec![key.clone()], &Value::Object(own), &mut found);
                }
            }
            _ => collect(&mut vec![key.clone()], value, &mut found),
        }
    }
    found
}

fn collect(path: &mut KeyPath, value: &Value, found: &mut BTreeMap<KeyPath, Value>) {
    match value.as_object().filter(|object| !object.is_empty()) {
        Some(object) => {
            for (key, value) in object {
                path.push(key.clone());
                collect(path, value, found);
                path.pop();
            }
        }
        None => {
            found.insert(path.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leaves_leave_out_what_a_push_generates() {
        let body = json!({
            "views": {"x": {"map": "m"}},
            "lib": {},
            "n": [1, {"a": 2}],
            "couchapp": {"name": "x", "manifest": ["a"], "signatures": {}, "objects": {}},
        });
        let found = leaves(body.as_object().unwrap());
        let paths: Vec<String> = found.keys().map(|path| path.join(".")).collect();
        assert_eq!(paths, ["couchapp.name", "lib", "n", "views.x.map"]);
        let bare = json!({"couchapp": {"manifest": []}});
        assert!(leaves(bare.as_object().unwrap()).is_empty());
        let odd = json!({"couchapp": 5});
        assert_eq!(leaves(odd.as_object().unwrap()).len(), 1);
    }

    #[test]
    fn content_types_are_the_same_up_to_parameters() {
        let entry = |content_type: &str| AttachmentEntry {
            length: 1,
            content_type: content_type.into(),
            content: Content::Stored("md5-x".into()),
        };
        assert!(entry("text/html").same(&entry("Text/HTML; charset=utf-8")));
        assert!(!entry("text/html").same(&entry("text/plain")));
        let other = AttachmentEntry { content: Content::Local([0; 16]), ..entry("text/html") };
        assert!(!entry("text/html").same(&other));
    }
}
