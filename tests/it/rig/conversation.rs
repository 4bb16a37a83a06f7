//! The stand-in and a real CouchDB are asked the same questions and must give the same answers.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest as _, Md5};
use regex::Regex;
use serde_json::{Value, json};

use crate::harness::{Database, Endpoint, Response, cases};

/// The headers that a client may depend on.
const HEADERS: [&str; 7] =
    ["content-type", "content-encoding", "content-range", "accept-ranges", "content-security-policy", "etag", "allow"];

/// A conversation as text: each question with its answer.
struct Transcript<'a> {
    database: Database<'a>,
    text: String,
    revision: String,
}

impl Transcript<'_> {
    fn ask(&mut self, method: &str, rest: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let target = self.database.beneath(&rest.replace("{rev}", &self.revision));
        let response = self.database.endpoint().send(method, &target, headers, body.to_vec());
        let _ = writeln!(self.text, "{method} {rest} {headers:?}\n  {}", response.status);
        let mut shown: Vec<_> = response.headers.iter().filter(|(name, _)| HEADERS.contains(&name.as_str())).collect();
        shown.sort();
        for (name, value) in shown {
            let value = if value.starts_with("multipart/") { "multipart/…" } else { value };
            let _ = writeln!(self.text, "  {name}: {value}");
        }
        match serde_json::from_slice::<Value>(&response.body) {
            Ok(value) => {
                if let Some(revision) = value["rev"].as_str().or_else(|| value["_rev"].as_str()) {
                    revision.clone_into(&mut self.revision);
                }
                let _ = writeln!(self.text, "  {value}");
            }
            Err(_) => drop(writeln!(self.text, "  {}", String::from_utf8_lossy(&response.body).escape_debug())),
        }
        response
    }

    fn json(&mut self, method: &str, rest: &str, value: &Value) -> Response {
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        self.ask(method, rest, &headers, value.to_string().as_bytes())
    }

    fn get(&mut self, rest: &str) -> Response {
        self.ask("GET", rest, &[("accept", "application/json")], b"")
    }

    /// The conversation without what is different on each server by its nature.
    fn finish(self) -> String {
        let mut text = self.text.replace(self.database.name(), "[DB]");
        for (pattern, name) in [
            (r#""id":"[0-9a-f]{32}""#, r#""id":"…""#),
            (r"--[0-9a-f]{32}\b", "--…"),
            (r"fake[0-9a-f]{28}", "…"),
            (r#","ref":\d+"#, ""),
            (r#""(update_seq|purge_seq|instance_start_time)":"[^"]*""#, r#""$1":"…""#),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
        }
        text
    }
}

fn begin(endpoint: &Endpoint) -> Transcript<'_> {
    Transcript { database: endpoint.database(), text: String::new(), revision: String::new() }
}

fn md5(bytes: &[u8]) -> String {
    format!("md5-{}", STANDARD.encode(Md5::digest(bytes)))
}

fn related(document: &Value, parts: &[&[u8]]) -> Vec<u8> {
    let mut body = format!("--xyz\r\nContent-Type: application/json\r\n\r\n{document}").into_bytes();
    for part in parts {
        body.extend_from_slice(b"\r\n--xyz\r\n\r\n");
        body.extend_from_slice(part);
    }
    body.extend_from_slice(b"\r\n--xyz--");
    body
}

fn documents(endpoint: &Endpoint) -> String {
    let mut talk = begin(endpoint);
    talk.json("PUT", "a", &json!({ "x": 1 }));
    talk.json("PUT", "a", &json!({ "x": 2 }));
    talk.json("PUT", "a?rev={rev}", &json!({ "x": 2 }));
    let second = talk.revision.clone();
    talk.json("PUT", "a", &json!({ "x": 3, "_rev": second, "big": 123_456_789_012_345_678_i64 }));
    talk.ask("PUT", "a?rev={rev}", &[], br#"{"n":[1e2,1e22,0.10,-0.0,1e-7,123456789012345678901234567890]}"#);
    for rest in
        ["a", "a?revs=true", "a?conflicts=true", "a?revs_info=true", "b", "a?rev=9-aaaa0d3ecfa1be7b9fd4b8e86d4d2eb3"]
    {
        talk.get(rest);
    }
    talk.get(&format!("a?rev={second}"));
    talk.get("a?rev=foo");
    talk.json("PUT", "a?rev=foo", &json!({}));
    talk.json("PUT", "c", &json!({ "_rev": "foo" }));
    talk.json("PUT", &format!("a?rev={second}"), &json!({ "_rev": "1-aaaa0d3ecfa1be7b9fd4b8e86d4d2eb3" }));
    talk.json("PUT", "c", &json!({ "_foo": 1 }));
    talk.json("PUT", "c", &json!([1]));
    talk.ask("PUT", "c", &[("content-type", "application/json")], br#"{"a":"#);
    talk.json("PUT", "_c", &json!({}));
    talk.json("PUT", "c?rev=1-aaaa0d3ecfa1be7b9fd4b8e86d4d2eb3", &json!({}));
    talk.get("a");
    talk.ask("DELETE", "a", &[], b"");
    talk.ask("DELETE", "a?rev={rev}", &[], b"");
    let tombstone = talk.revision.clone();
    talk.get("a");
    talk.get(&format!("a?rev={tombstone}"));
    talk.json("PUT", &format!("a?rev={tombstone}"), &json!({}));
    talk.json("PUT", "a", &json!({ "again": true }));
    talk.get("a?revs=true");
    talk.ask("DELETE", "nothing?rev={rev}", &[], b"");
    talk.finish()
}

fn lists(endpoint: &Endpoint) -> String {
    let mut talk = begin(endpoint);
    talk.json(
        "POST",
        "_bulk_docs",
        &json!({ "docs": [{ "_id": "a" }, { "_id": "b", "x": 1 }, { "_id": "b" }, { "_id": "_design/x" }] }),
    );
    talk.json("POST", "_bulk_docs", &json!({ "docs": [{ "_id": "c" }, { "_id": "_c" }] }));
    talk.json("POST", "_bulk_docs", &json!({ "docs": [{ "_id": "c" }, { "_id": "d", "_foo": 1 }] }));
    // An unknown stub refuses the whole request, too, but what went to another shard is stored: no answer to rely on.
    talk.ask("POST", "_bulk_docs", &[], b"{}");
    talk.get("c");
    talk.get("b");
    talk.ask("DELETE", "b?rev={rev}", &[], b"");
    for rest in [
        "_all_docs",
        "_all_docs?include_docs=true",
        "_all_docs?startkey=%22_design/%22&endkey=%22_design0%22",
        "_all_docs?key=%22a%22",
        "_all_docs?limit=1",
    ] {
        talk.get(rest);
    }
    // Only real servers count the rows before the first.
    let offset = Regex::new(r#""offset":\d+"#).unwrap();
    talk.text = offset.replace_all(&talk.text, r#""offset":…"#).into_owned();
    talk.json("POST", "_all_docs", &json!({ "keys": ["a", "b", "zz"] }));
    talk.json(
        "POST",
        "_bulk_get",
        &json!({ "docs": [{ "id": "a" }, { "id": "zz" }, { "id": "a", "rev": "3-aaaa0d3ecfa1be7b9fd4b8e86d4d2eb3" }] }),
    );
    // A conflict: two first revisions of one document.
    let revisions = |hash: &str| json!({ "_id": "k", "_rev": format!("1-{hash}"), "_revisions": { "start": 1, "ids": [hash] }, "by": hash });
    let (one, two) = ("1".repeat(32), "2".repeat(32));
    talk.json("POST", "_bulk_docs", &json!({ "new_edits": false, "docs": [revisions(&one), revisions(&two)] }));
    talk.get("k?conflicts=true");
    talk.get(&format!("k?rev=1-{one}"));
    talk.finish()
}

fn listings(endpoint: &Endpoint) -> String {
    let mut talk = begin(endpoint);
    let files = json!({
        "t": { "content_type": "text/plain", "data": STANDARD.encode("abc") },
        "p": { "content_type": "image/png", "data": STANDARD.encode("abc") },
    });
    let numbers = json!([0, 255, 256, -1, 2_147_483_648_i64, 1.5, 1e22, true, null, {}, [], [1, 2], "é😀"]);
    let docs = json!([
        { "_id": "with files", "_attachments": files, "n": numbers },
        { "_id": "b" }, { "_id": "B" }, { "_id": "é" }, { "_id": "😀" }, { "_id": "\u{fb00}" }, { "_id": "~" },
    ]);
    talk.json("POST", "_bulk_docs", &json!({ "docs": docs }));
    let (one, two) = ("1".repeat(32), "2".repeat(32));
    let revisions =
        |hash: &str| json!({ "_id": "k", "_rev": format!("1-{hash}"), "_revisions": { "start": 1, "ids": [hash] } });
    talk.json("POST", "_bulk_docs", &json!({ "new_edits": false, "docs": [revisions(&one), revisions(&two)] }));
    let read = "include_docs=true&conflicts=true&att_encoding_info=true";
    for rest in [
        "limit=3",
        "startkey=%22b%22&limit=2",
        "startkey=%22b%22&endkey=%22k%22&inclusive_end=false",
        "startkey=%22z%22&endkey=%22a%22",
        "startkey=%22b%22&skip=1&limit=1",
    ] {
        talk.get(&format!("_all_docs?{read}&{rest}"));
    }
    talk.json("POST", &format!("_all_docs?{read}"), &json!({ "keys": ["k", "with files", "zz", "k"] }));
    talk.json("POST", &format!("_all_docs?{read}"), &json!({ "startkey": "b", "endkey": "k", "limit": 1 }));
    let offset = Regex::new(r#""offset":\d+"#).unwrap();
    talk.text = offset.replace_all(&talk.text, r#""offset":…"#).into_owned();
    talk.get("b");
    talk.json("POST", "_bulk_docs", &json!({ "docs": [{ "_id": "b", "_rev": talk.revision, "_deleted": true }] }));
    for since in ["abc", "5", "%225-abc%22", "-1"] {
        talk.get(&format!("_changes?since={since}"));
    }
    talk.json(
        "PUT",
        "_design/v",
        &json!({ "views": { "x": {
        "map": "function (doc) { emit([doc._id.length, 1]); if (doc.n) emit(doc.n.length, 7); }", "reduce": "_count",
    } } }),
    );
    for view in ["x/_view", "v/_view/x?reduce=false", "v/_view/nothing", "nothing/_view/x"] {
        talk.get(&format!("_design/{view}"));
    }
    talk.finish()
}

fn attachments(endpoint: &Endpoint) -> String {
    let mut talk = begin(endpoint);
    let data = |bytes: &[u8]| STANDARD.encode(bytes);
    let text = "hello hello hello ".repeat(30);
    talk.json(
        "PUT",
        "_design/x",
        &json!({ "_attachments": {
            "a.txt": { "content_type": "text/plain", "data": data(text.as_bytes()) },
            "b.png": { "content_type": "image/png", "data": data(&[0, 1, 2]) },
            "empty": { "data": "" },
            "dir/c.js": { "content_type": "application/javascript; charset=utf-8", "data": data(b"var a;") },
            "gone": "<html>",
        } }),
    );
    for rest in ["_design/x", "_design/x?att_encoding_info=true", "_design/x?attachments=true", "_design/x/nothing"] {
        talk.get(rest);
    }
    talk.ask("GET", "_design/x?attachments=true", &[("accept", "multipart/related,application/json")], b"");
    let digest = ("x-digest", "shown");
    for (name, headers) in [
        ("a.txt", vec![digest]),
        ("a.txt", vec![digest, ("accept-encoding", "gzip")]),
        ("a.txt", vec![digest, ("range", "bytes=2-4")]),
        ("b.png", vec![digest]),
        ("b.png", vec![digest, ("accept-encoding", "gzip")]),
        ("b.png", vec![digest, ("range", "bytes=1-")]),
        ("b.png", vec![digest, ("range", "bytes=-2")]),
        ("b.png", vec![digest, ("range", "bytes=9-")]),
        ("empty", vec![digest]),
        ("dir/c.js", vec![digest]),
        ("dir%2Fc.js", vec![digest]),
    ] {
        talk.ask("GET", &format!("_design/x/{name}"), &headers, b"");
        talk.ask("HEAD", &format!("_design/x/{name}"), &headers, b"");
    }
    talk.get("_design%2Fx");
    // Stubs.
    let stubs = talk.database.document("_design/x");
    stubs["_rev"].as_str().unwrap().clone_into(&mut talk.revision);
    let mut kept = stubs.clone();
    kept["_attachments"].as_object_mut().unwrap().shift_remove("b.png");
    kept["more"] = json!(1);
    talk.json("PUT", "_design/x", &kept);
    talk.get("_design/x?att_encoding_info=true");
    for stub in [
        json!({ "stub": true }),
        json!({ "stub": true, "revpos": 7 }),
        json!({ "stub": true, "revpos": 1, "digest": "md5-*" }),
        json!({ "stub": true, "revpos": 7, "digest": stubs["_attachments"]["a.txt"]["digest"], "content_type": "other/type" }),
    ] {
        talk.json("PUT", "_design/x?rev={rev}", &json!({ "_attachments": { "a.txt": stub } }));
    }
    talk.get("_design/x");
    for bad in [json!({ "q": { "stub": true } }), json!({ "_q": { "data": "AAAA" } }), json!({ "q": { "data": "*A" } })]
    {
        talk.json("PUT", "bad", &json!({ "_attachments": bad }));
    }
    // One after the other.
    talk.ask("PUT", "s/x.txt", &[("content-type", "text/plain")], b"hello");
    let first = talk.revision.clone();
    talk.ask("PUT", "s/y", &[("content-type", "application/octet-stream")], b"hello");
    talk.ask("PUT", &format!("s/_y?rev={first}"), &[("content-type", "application/octet-stream")], b"hello");
    talk.ask("PUT", &format!("s/y?rev={first}"), &[("content-type", "application/octet-stream")], b"hello");
    talk.get("s");
    talk.ask("DELETE", "s/y", &[], b"");
    talk.ask("DELETE", "s/nothing?rev={rev}", &[], b"");
    talk.ask("DELETE", "s/y?rev={rev}", &[], b"");
    talk.get("s");
    talk.ask("PUT", "t/x?rev={rev}", &[("content-type", "text/plain")], b"hello");
    talk.finish()
}

fn multipart(endpoint: &Endpoint) -> String {
    let mut talk = begin(endpoint);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    std::io::Write::write_all(&mut encoder, "hello ".repeat(50).as_bytes()).unwrap();
    let gzip = encoder.finish().unwrap();
    let follows = |bytes: &[u8]| json!({ "follows": true, "content_type": "text/plain", "length": bytes.len(), "digest": md5(bytes) });
    let with = |member: &Value, key: &str, value: Value| {
        let mut member = member.clone();
        member[key] = value;
        member
    };
    let good = follows(b"hello");
    let without_length = json!({ "follows": true, "content_type": "text/plain" });
    let packed = json!({
        "follows": true, "content_type": "text/plain", "encoding": "gzip", "length": 300, "encoded_length": gzip.len(),
        "digest": md5(&gzip),
    });
    let tables: Vec<(&str, Value, Vec<&[u8]>)> = vec![
        ("good", json!({ "a": good, "b": follows(b"you") }), vec![b"hello", b"you"]),
        ("swapped", json!({ "a": good, "b": follows(b"world") }), vec![b"world", b"hello"]),
        ("wrong-digest", json!({ "a": follows(b"hallo") }), vec![b"hello"]),
        ("no-md5", json!({ "a": with(&good, "digest", json!("sha1-AAAA")) }), vec![b"hello"]),
        ("longer", json!({ "a": with(&good, "length", json!(4)) }), vec![b"hello"]),
        ("shorter", json!({ "a": with(&good, "length", json!(6)) }), vec![b"hello"]),
        ("no-length", json!({ "a": without_length }), vec![b"hello"]),
        ("packed", json!({ "a": packed }), vec![&gzip]),
        ("prohibited", json!({ "_a": good }), vec![b"hello"]),
        ("empty", json!({ "a": follows(b"") }), vec![b""]),
    ];
    let content_type = [("content-type", "multipart/related;boundary=\"xyz\""), ("accept", "application/json")];
    for (id, attachments, parts) in tables {
        let body = related(&json!({ "id": id, "_attachments": attachments }), &parts);
        talk.ask("PUT", id, &content_type, &body);
        talk.get(&format!("{id}?att_encoding_info=true"));
        talk.ask("GET", &format!("{id}/a"), &[("x-digest", "shown")], b"");
    }
    // Kept and new ones in one revision.
    talk.get("good");
    let kept = talk.database.document("good")["_attachments"]["b"].clone();
    let body = related(&json!({ "_attachments": { "b": kept, "c": follows(b"new") } }), &[b"new"]);
    talk.ask("PUT", "good?rev={rev}", &content_type, &body);
    talk.get("good?att_encoding_info=true");
    talk.ask("PUT", "good", &content_type, &body);
    talk.finish()
}

fn databases(endpoint: &Endpoint) -> String {
    let database = endpoint.unmade_database();
    let mut text = String::new();
    let mut note =
        |response: Response| writeln!(text, "{} {}", response.status, String::from_utf8_lossy(&response.body)).unwrap();
    note(database.endpoint().get(&database.target()));
    note(database.get("doc"));
    note(database.put("doc", &json!({})));
    note(endpoint.delete(&database.target()));
    note(endpoint.send("PUT", &database.target(), &[], Vec::new()));
    note(endpoint.send("PUT", &database.target(), &[], Vec::new()));
    note(endpoint.send("PUT", "/Capital", &[], Vec::new()));
    note(endpoint.delete(&format!("{}?rev=1-aaaa0d3ecfa1be7b9fd4b8e86d4d2eb3", database.target())));
    note(database.get("_security"));
    note(database.get("_design/none/_info"));
    for (method, body) in [("GET", ""), ("PUT", "\"on\""), ("GET", ""), ("DELETE", ""), ("DELETE", "")] {
        note(endpoint.send(method, "/_node/_local/_config/couchapp_test/key", &[], body.into()));
    }
    note(endpoint.get("/_session"));
    note(endpoint.get("/_up"));
    let head = endpoint.head(&database.target());
    assert!(head.body.is_empty());
    note(head);
    note(endpoint.send("PATCH", &database.beneath("doc"), &[], Vec::new()));
    text.replace(r#","authenticated":"default""#, "")
}

/// The view signature changes with the views and with nothing else, and means the same after a change back.
fn signatures(endpoint: &Endpoint) -> String {
    let database = endpoint.database();
    let views = json!({ "v": { "map": "function (doc) { emit(1); }" } });
    let more = json!({ "v": { "map": "function (doc) { emit(2); }" } });
    let mut signatures: Vec<Value> = Vec::new();
    let mut places = Vec::new();
    for document in [
        json!({ "views": views }),
        json!({ "views": views, "shows": { "a": "function () {}" }, "_attachments": { "a": { "data": "" } } }),
        json!({ "views": more }),
        json!({ "views": views, "couchapp": {} }),
        json!({ "views": views, "options": { "local_seq": true } }),
    ] {
        let mut document = document;
        if let Some(revision) = database.get("_design/x").json()["_rev"].as_str() {
            document["_rev"] = json!(revision);
        }
        database.put("_design/x", &document).expect(201);
        let signature = database.get("_design/x/_info").expect(200).json()["view_index"]["signature"].clone();
        let place = signatures.iter().position(|other| *other == signature).unwrap_or(signatures.len());
        places.push(place);
        signatures.push(signature);
    }
    format!("{places:?}")
}

#[test]
fn the_stand_in_prefers_longer_branches_and_then_greater_hashes() {
    let endpoint = Endpoint::fake();
    let database = endpoint.database();
    let revision = |path: &[&str]| {
        let generation = path.len();
        json!({ "_id": "k", "_rev": format!("{generation}-{}", path[0]), "_revisions": { "start": generation, "ids": path } })
    };
    let docs = json!([revision(&["ff"]), revision(&["aa"]), revision(&["bb", "aa"])]);
    database.post("_bulk_docs", &json!({ "new_edits": false, "docs": docs })).expect(201);
    let document = database.get("k?conflicts=true").json();
    assert_eq!((&document["_rev"], &document["_conflicts"]), (&json!("2-bb"), &json!(["1-ff"])));
}

#[test]
fn the_stand_in_compresses_as_the_tool_does() {
    let mut seed = 7_u32;
    for length in 0..cases(40) {
        let next = |seed: &mut u32| {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"abcdefgh \n"[(*seed >> 24) as usize % 10]
        };
        let content: Vec<u8> = (0..length * 97).map(|_| next(&mut seed)).collect();
        let endpoint = Endpoint::fake();
        let database = endpoint.database();
        database.store(
            "a",
            &json!({ "_attachments": { "t": { "content_type": "text/css", "data": STANDARD.encode(&content) } } }),
        );
        assert_eq!(database.attachment("a", "t"), content);
        if length == 39 {
            let digest = database.document("a")["_attachments"]["t"]["digest"].clone();
            assert!(digest.as_str().unwrap().starts_with("md5-"));
        }
    }
}

macro_rules! same_as_couchdb {
    ($($name:ident),*) => {
        mod couchdb {
            use crate::harness::{Endpoint, Kind};

            $(
                #[test]
                #[cfg_attr(not(endpoint), ignore = "set COUCHAPP_TEST_URL to a CouchDB")]
                fn $name() {
                    let real = Endpoint::from_environment();
                    assert_eq!(real.kind(), Kind::CouchDb, "only Apache CouchDB tells the truth about itself");
                    let fake = Endpoint::fake();
                    let (real, fake) = (super::$name(&real), super::$name(&fake));
                    let difference = similar::TextDiff::from_lines(&real, &fake);
                    assert!(real == fake, "{}", difference.unified_diff().header("CouchDB", "stand-in"));
                }
            )*
        }
    };
}

same_as_couchdb!(documents, lists, listings, attachments, multipart, databases, signatures);
