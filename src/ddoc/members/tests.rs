use std::collections::BTreeSet;

use super::super::tests::{path, sources};
use super::super::{FoldOptions, fold};
use super::*;

fn body(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

fn shown(leaves: &BTreeMap<String, Value>) -> Vec<String> {
    leaves.iter().map(|(path, value)| format!("{path} {value}")).collect()
}

#[test]
fn a_folder_is_shown_by_its_files() {
    let files = [
        ("views/a/map.js", "m\n"),
        ("data.json", "{\"x\": {\"y\": 1}}"),
        ("couchapp.json", "{\"name\": \"n\", \"v\": 1}"),
        ("couchapp/extra", "e"),
        ("_fields.json", "{\"a/b\": 1, \"\": 2}"),
        ("README.md", "r"),
    ];
    let files = files.into_iter().map(|(name, text)| (path(name), text.as_bytes().to_vec())).collect();
    let (mut sources, _) = sources(&files, &BTreeSet::new());
    sources.directories.insert(path("empty"));
    let folded = fold(&sources, &FoldOptions::default()).unwrap();
    let expected = [
        "README.md \"r\"",
        "_fields.json {\"\":2,\"a/b\":1}",
        "couchapp.json {\"name\":\"n\",\"v\":1}",
        "couchapp/extra \"e\"",
        "data.json {\"x\":{\"y\":1}}",
        "empty {}",
        "views/a/map.js \"m\"",
    ];
    assert_eq!(shown(&leaves(&folded.body, &folded.origins)), expected);

    // The other side of a comparison goes by the same names, and by usual ones for what the folder does not have.
    let remote = body(serde_json::json!({
        "README": {"now": "an object"}, "data": 5, "views": {"a": {"map": "other", "reduce": "_sum"}, "b": {"map": "new"}},
        "couchapp": {"name": "n", "added": 1, "manifest": ["x"], "signatures": {}, "objects": {}}, "lib": {"n": 1}, "c/d": 3,
    }));
    let expected = [
        "README.md {\"now\":\"an object\"}",
        "_fields.json {\"c/d\":3}",
        "couchapp.json {\"name\":\"n\",\"added\":1}",
        "data.json 5",
        "lib.json {\"n\":1}",
        "views/a/map.js \"other\"",
        "views/a/reduce \"_sum\"",
        "views/b/map.js \"new\"",
    ];
    assert_eq!(shown(&leaves(&remote, &folded.origins)), expected);
}

#[test]
fn nothing_of_a_document_is_left_out() {
    let document =
        body(serde_json::json!({"a": {"b": {}, "c": [1]}, "couchapp": 5, "": 1, "x/y": {"z": "t"}, "e": {}}));
    let found = leaves(&document, &Origins::new());
    let expected =
        ["_fields.json {\"\":1,\"couchapp\":5,\"x/y\":{\"z\":\"t\"}}", "a.json {\"b\":{},\"c\":[1]}", "e.json {}"];
    assert_eq!(shown(&found), expected);
}

#[test]
fn a_plain_document_is_one_file() {
    let origins = Origins::from([(Vec::new(), path("_docs/a.json"))]);
    assert_eq!(shown(&leaves(&body(serde_json::json!({"x": 1})), &origins)), ["_docs/a.json {\"x\":1}"]);
}
