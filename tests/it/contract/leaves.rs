//! Databases with everything that a replication has to carry, and what two of them hold.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::album::noise;
use crate::harness::{Database, Kind};

/// All leaves of all documents.
pub(crate) fn leaves(database: &Database<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let changes = database.get("_changes?style=all_docs").expect(200).json();
    let rows = changes["results"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let leaf = |row: &Value| row["changes"].as_array().unwrap().iter().map(|leaf| text(&leaf["rev"])).collect();
    rows.iter().map(|row| (text(&row["id"]), leaf(row))).collect()
}

/// Each leaf as the database gives it, with its history and the content of its attachments.
pub(crate) fn contents(database: &Database<'_>) -> BTreeMap<(String, String), Value> {
    let mut contents = BTreeMap::new();
    for (id, revisions) in leaves(database) {
        for revision in revisions {
            let asked = json!({ "docs": [{ "id": id, "rev": revision }] });
            let answer = database.post("_bulk_get?revs=true&attachments=true", &asked).expect(200).json();
            let mut document = answer["results"][0]["docs"][0]["ok"].clone();
            assert!(document.is_object(), "{id} {revision}: {answer}");
            if database.endpoint().kind() == Kind::PouchDb {
                // It dates what is sent inside of JSON anew.
                let attachments = document["_attachments"].as_object_mut().into_iter().flatten();
                attachments.for_each(|(_, attachment)| drop(attachment.as_object_mut().unwrap().remove("revpos")));
            }
            contents.insert((id.clone(), revision), document);
        }
    }
    contents
}

#[track_caller]
pub(crate) fn same(left: &Database<'_>, right: &Database<'_>) {
    assert_eq!(leaves(left), leaves(right));
    let (left, right) = (contents(left), contents(right));
    for (key, document) in &left {
        assert_eq!(document, &right[key], "{key:?}");
    }
}

/// Stores revisions as they are.
pub(crate) fn graft(database: &Database<'_>, documents: &Value) {
    let rows = database.post("_bulk_docs", &json!({ "new_edits": false, "docs": documents })).ok().json();
    let refused = rows.as_array().unwrap().iter().any(|row| row.get("error").is_some());
    assert!(!refused, "{rows}");
}

/// A history whose hashes are made of a letter.
pub(crate) fn history(letter: char, length: u64) -> Value {
    let ids: Vec<String> = (1..=length).rev().map(|number| format!("{letter:0>30}{number:02x}")).collect();
    json!({ "start": length, "ids": ids })
}

/// A bit of everything that a database can hold.
pub(crate) fn fill(database: &Database<'_>) {
    let ids = [
        "plain",
        "a/b",
        "a b",
        "ä+ö",
        "日本語",
        "\u{1f600}",
        "a+b",
        "%2F",
        "x\u{1}y",
        "line\nbreak",
        "quote\"",
        "..",
        ".",
        "?q=1&r",
        "UPPER",
        "~",
    ];
    let documents: Vec<Value> =
        ids.iter().map(|id| json!({ "_id": id, "of": id, "": { "_x": [null, true] } })).collect();
    let rows = database.post("_bulk_docs", &json!({ "docs": documents })).ok().json();
    assert!(rows.as_array().unwrap().iter().all(|row| row["ok"] == true), "{rows}");
    let numbers = r#"{"a":0.10,"b":1e3,"c":12345678901234567890,"d":-0.0,"e":1.5}"#;
    let headers = [("content-type", "application/json")];
    database.endpoint().send("PUT", &database.beneath("numbers"), &headers, numbers.as_bytes().to_vec()).ok();
    let revision = database.store("gone", &json!({ "x": 1 }));
    database.endpoint().delete(&database.beneath(&format!("gone?rev={revision}"))).ok();
    graft(
        database,
        &json!([
            { "_id": "branched", "x": 1, "_rev": "2-b", "_revisions": { "start": 2, "ids": ["b", "a"] } },
            { "_id": "branched", "x": 2, "_rev": "2-c", "_revisions": { "start": 2, "ids": ["c", "a"] } },
            { "_id": "branched", "_deleted": true, "_rev": "3-d", "_revisions": { "start": 3, "ids": ["d", "e", "a"] } },
            { "_id": "rooted twice", "x": 1, "_rev": "1-a", "_revisions": { "start": 1, "ids": ["a"] } },
            { "_id": "rooted twice", "x": 2, "_rev": "1-b", "_revisions": { "start": 1, "ids": ["b"] } },
            { "_id": "buried", "_deleted": true, "kept": "text", "_rev": "4-a", "_revisions": { "start": 4, "ids": ["a"] } },
            { "_id": "long", "x": 1, "_rev": history('a', 90)["ids"][0].as_str().map(|hash| format!("90-{hash}")), "_revisions": history('a', 90) },
        ]),
    );
    let inside =
        |content: &[u8], content_type: &str| json!({ "content_type": content_type, "data": STANDARD.encode(content) });
    let text = "some text that is compressed\n".repeat(400);
    database.store(
        "attached",
        &json!({ "x": 1, "_attachments": {
            "small.jpg": inside(&noise(5000, 1), "image/jpeg"), "empty": inside(b"", "image/png"),
            "text.txt": inside(text.as_bytes(), "text/plain"), "odd ü/n+a%me \"x\".bin": inside(&noise(100, 2), "application/octet-stream"),
        }}),
    );
    database.store("large", &json!({ "_attachments": { "large.jpg": inside(&noise(900_000, 3), "image/jpeg"),
        "large.txt": inside("many lines\n".repeat(90_000).as_bytes(), "text/plain; charset=utf-8"), "small": inside(b"x", "image/png") }}));
    database.store(
        "_design/app",
        &json!({ "filters": { "even": "function (doc, req) { return doc.n % 2 == (req.query.odd ? 1 : 0); }" },
        "_attachments": { "index.html": inside(text.as_bytes(), "text/html") }}),
    );
}
