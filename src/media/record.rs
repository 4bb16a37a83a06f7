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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn record(path: &str) -> Record {
        let path = RelPath::new(path).unwrap();
        Record {
            size: 301_442,
            content_type: "image/jpeg".to_owned(),
            modified: 1_284_896_843_000_000_000,
            sha256: [0xab; 32],
            attachment: file_attachment(&path),
            facts: object(json!({"width": 1600, "height": 1200, "taken": "2010-09-18T16:02:11", "size": 1})),
            path,
        }
    }

    fn object(value: Value) -> Object {
        match value {
            Value::Object(object) => object,
            other => panic!("{other} is no object"),
        }
    }

    fn read(id: &str, file: Value) -> Option<Record> {
        let body = Object::from_iter([("file".to_owned(), file)]);
        Record::read(&DocId::new(id).unwrap(), &body)
    }

    fn keys(object: &Object) -> Vec<&str> {
        object.keys().map(String::as_str).collect()
    }

    #[test]
    fn a_record_is_written_as_people_see_it() {
        let body = created(&record("2010/beach/IMG_0042.jpg"), &["beach".into(), "sea".into(), "beach".into()]);
        let expected = json!({
            "type": "file",
            "tags": ["beach", "sea"],
            "file": {
                "path": "2010/beach/IMG_0042.jpg", "name": "IMG_0042.jpg", "folder": "2010/beach", "size": 301_442,
                "content_type": "image/jpeg", "modified": "2010-09-19T11:47:23Z", "sha256": "ab".repeat(32),
                "width": 1600, "height": 1200, "taken": "2010-09-18T16:02:11"
            }
        });
        assert_eq!(Value::from(body.clone()), expected);
        assert_eq!(serde_json::to_string(&body).unwrap(), expected.to_string(), "in this order");
        let member = record("a/_x.jpg").member();
        assert_eq!((&member["name"], &member["attachment"]), (&json!("_x.jpg"), &json!("~_x.jpg")));
        assert_eq!(record("x.jpg").member()["folder"], "");
        assert_eq!(created(&record("x"), &[])["tags"], json!([]));
    }

    #[test]
    fn an_update_leaves_what_people_added() {
        let mut body = created(&record("a.jpg"), &["old".into()]);
        body.insert("caption".into(), json!("Sunset"));
        body.insert("type".into(), json!("photo"));
        body.insert("tags".into(), json!({"mine": true}));
        body.insert("_attachments".into(), json!({"a.jpg": {}}));
        let newer = Record { size: 7, ..record("a.jpg") };
        let after = updated(&body, &newer);
        assert_eq!(keys(&after), keys(&body));
        assert_eq!(after["file"], Value::from(newer.member()));
        for key in ["caption", "type", "tags", "_attachments"] {
            assert_eq!(after[key], body[key], "{key}");
        }
    }

    #[test]
    fn documents_of_others_are_no_records() {
        let whole = Value::from(record("_a.jpg").member());
        assert_eq!(read("~_a.jpg", whole.clone()).unwrap().path.as_str(), "_a.jpg");
        assert_eq!(read("a.jpg", whole.clone()), None, "another id");
        let bad = [
            ("path", json!("../a.jpg")),
            ("path", json!("~_a.jpg")),
            ("path", json!(null)),
            ("size", json!(-1)),
            ("size", json!(1.5)),
            ("size", json!("301442")),
            ("content_type", json!(1)),
            ("modified", json!("yesterday")),
            ("modified", json!("9999-01-01T00:00:00Z")),
            ("modified", json!(1_284_896_843)),
            ("sha256", json!("ab")),
            ("sha256", json!("z".repeat(64))),
            ("attachment", json!("")),
            ("attachment", json!("_a.jpg")),
            ("attachment", json!("..")),
            ("attachment", json!(null)),
        ];
        for (key, value) in bad {
            let mut file = whole.clone();
            file[key] = value.clone();
            assert_eq!(read("~_a.jpg", file), None, "{key} {value}");
        }
        for key in ["path", "size", "content_type", "modified", "sha256"] {
            let mut file = object(whole.clone());
            file.remove(key);
            assert_eq!(read("~_a.jpg", file.into()), None, "no {key}");
        }
        for file in [json!(null), json!([]), json!("file"), json!({})] {
            assert_eq!(read("~_a.jpg", file), None);
        }
    }

    #[test]
    fn a_renamed_attachment_is_found_by_its_key() {
        let mut file = Value::from(record("a.jpg").member());
        file["attachment"] = json!("elsewhere");
        file["name"] = json!("edited by somebody");
        let found = read("a.jpg", file).unwrap();
        assert_eq!(found.attachment.as_str(), "elsewhere");
        assert_eq!(found.member()["name"], "a.jpg");
    }

    #[test]
    fn tags_are_all_asked_for() {
        let wanted = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        let body = object(json!({"tags": ["a", 1, "b"]}));
        assert!(has_tags(&body, &[]) && has_tags(&body, &wanted(&["b", "a"])));
        assert!(!has_tags(&body, &wanted(&["a", "c"])) && !has_tags(&body, &wanted(&["1"])));
        for tags in [json!("a"), json!({"a": "a"}), json!(null)] {
            let body = object(json!({ "tags": tags }));
            assert!(!has_tags(&body, &wanted(&["a"])) && has_tags(&body, &[]), "{tags}");
        }
        assert_eq!(folder_tags(&RelPath::new("2010/beach/2010/x.jpg").unwrap()), ["2010", "beach"]);
        assert_eq!(folder_tags(&RelPath::new("x.jpg").unwrap()), Vec::<String>::new());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            Just(json!(["a"])),
            Just(json!({"path": "a"})),
        ]
    }

    proptest! {
        #[test]
        fn records_come_back(
            path in "[_~a/.é ]{1,8}",
            size in 0..=u64::MAX,
            modified: i64,
            sha256: [u8; 32],
            content_type in "\\PC{0,20}",
        ) {
            let Ok(path) = RelPath::new(path) else { return Ok(()) };
            let facts = record("x").facts.into_iter().filter(|(key, _)| key != "size").collect();
            let attachment = file_attachment(&path);
            let record = Record { path, size, content_type, modified, sha256, attachment, facts };
            let text = serde_json::to_vec(&created(&record, &[])).unwrap();
            let body = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(Record::read(&document_id(&record.path), &body), Some(record));
        }

        #[test]
        fn any_document_is_read_or_refused(
            changes in prop::collection::vec((prop::sample::select(OWN.to_vec()), any_value()), 1..4),
        ) {
            let mut file = record("a.jpg").member();
            for (key, value) in changes {
                file.insert(key.to_owned(), value);
            }
            if let Some(found) = read("a.jpg", file.into()) {
                prop_assert_eq!(found.path.as_str(), "a.jpg");
                let again = read("a.jpg", found.member().into());
                prop_assert_eq!(again, Some(found));
            }
        }
    }
}
