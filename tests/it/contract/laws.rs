//! Laws, tried on random documents and random trees. `COUCHAPP_CASES` says on how many; the seed is always the same.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use super::app::{clone, push_with, sorted, target_of};
use crate::harness::{Database, Endpoint, Project, cases};

/// Texts that have hurt some tool: line ends, white space at the ends, encoded text that is none, no text at all.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~äöü\n]{0,30}",
        1 => Just(String::new()),
        1 => "[a-z]{0,5}\n{1,3}",
        1 => " {0,2}[a-z]{0,5} {0,2}",
        1 => "[a-z]{1,4}(\r\n[a-z]{0,4}){1,3}",
        1 => "base64-encoded;[A-Za-z0-9+/=]{0,12}",
        1 => Just("base64-encoded;/w==".to_owned()),
        1 => Just("base64-encoded;aGVsbG8=".to_owned()),
        1 => "[\u{0}\u{1}\u{7f}\u{85}\u{feff}\u{202e}\u{fffd}\u{1f600}]{1,4}",
        1 => Just("{\"a\": 1}".to_owned()),
        1 => Just("// !code lib/nothing.js\n// !json lib.nothing".to_owned()),
    ]
}

/// Keys as a server takes them; at the root none may begin with an underscore.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z]{1,6}",
        2 => "[a-z]{1,3}\\.(json|js|txt|html|d)",
        1 => "[ -^`-~][ -~]{0,5}",
        1 => Just(String::new()),
        1 => Just("..".to_owned()),
        1 => Just(".hidden".to_owned()),
        1 => Just("a/b".to_owned()),
        1 => Just("nul".to_owned()),
        1 => Just("KEY".to_owned()),
        1 => Just("key".to_owned()),
        1 => Just("e\u{301}".to_owned()),
        1 => Just("\u{e9}".to_owned()),
        1 => "\\PC{1,4}",
        1 => "x{250,270}",
    ]
    .prop_filter("reserved", |key| !key.starts_with('_'))
}

fn number() -> impl Strategy<Value = Value> {
    let texts = ["0.1", "100.0", "1.5e300", "-0.25", "123456789012345678901234567890", "1e-7", "0"];
    prop_oneof![
        any::<i32>().prop_map(|number| json!(number)),
        prop::sample::select(texts.to_vec()).prop_map(|text| serde_json::from_str(text).unwrap()),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::String),
        1 => number(),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Value::Array),
            3 => btree_map(key(), inner, 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn metadata() -> impl Strategy<Value = Option<Value>> {
    let mine = btree_map("[a-z]{1,5}", value(), 0..3).prop_map(|members| {
        let ours = ["manifest", "signatures", "objects"];
        Value::Object(members.into_iter().filter(|(key, _)| !ours.contains(&key.as_str())).collect())
    });
    prop_oneof![
        2 => Just(None),
        2 => mine.prop_map(Some),
        1 => Just(Some(json!({ "manifest": ["lib/", "lib/a.js", "../evil", "x.json"], "signatures": {}, "objects": {} }))),
        1 => Just(Some(json!("text"))),
    ]
}

fn attachments() -> impl Strategy<Value = Value> {
    use base64::Engine as _;
    let name = prop_oneof![
        6 => "[a-z]{1,6}\\.(txt|js|png|html|json|css)",
        2 => "[a-z]{1,3}/[a-z]{1,3}/[ a-z]{1,3}x\\.js",
        1 => "vendor/[a-z]{1,3}/[a-z]{1,3}",
        1 => Just("vendor".to_owned()),
        1 => Just("../up".to_owned()),
        1 => Just("index.html".to_owned()),
    ];
    let content_type = prop::sample::select(vec![
        "text/plain",
        "image/png",
        "application/json",
        "text/html; charset=utf-8",
        "x-odd/type",
    ]);
    let file = (content_type, vec(any::<u8>(), 0..200)).prop_map(|(content_type, content)| {
        json!({ "content_type": content_type, "data": base64::engine::general_purpose::STANDARD.encode(content) })
    });
    btree_map(name, file, 0..4).prop_map(|files| Value::Object(files.into_iter().collect()))
}

/// A document as a server may hold it. Members with a meaning to the server get values that it accepts.
fn document() -> impl Strategy<Value = Value> {
    let id = prop_oneof![3 => Just("_design/app"), 1 => Just("plain"), 1 => Just("a b/c"), 1 => Just("_design/a/b")];
    let meaningful = [
        "views",
        "shows",
        "lists",
        "updates",
        "filters",
        "rewrites",
        "validate_doc_update",
        "language",
        "options",
        "couchapp",
        "autoupdate",
    ];
    let members = btree_map(key(), value(), 0..6);
    let functions = btree_map(key(), text(), 0..3);
    let view = (text(), proptest::option::of(text())).prop_map(|(map, reduce)| match reduce {
        Some(reduce) => json!({ "map": map, "reduce": reduce }),
        None => json!({ "map": map }),
    });
    let views = proptest::option::of(btree_map("[a-z]{1,4}", view, 0..3));
    (id, members, functions, views, metadata(), attachments()).prop_map(
        move |(id, members, functions, views, metadata, attachments)| {
            let mut document = Map::new();
            document.insert("_id".into(), json!(id));
            document.extend(members.into_iter().filter(|(key, _)| !meaningful.contains(&key.as_str())));
            document.insert("shows".into(), json!(functions));
            if let Some(views) = views {
                // The server must not try to compile what is no JavaScript.
                document.insert("language".into(), json!("none"));
                document.insert("views".into(), json!(views));
            }
            if let Some(metadata) = metadata {
                document.insert("couchapp".into(), metadata);
            }
            document.insert("_attachments".into(), attachments);
            Value::Object(document)
        },
    )
}

fn try_all<S: Strategy>(strategy: &S, count: u32, law: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S::Value: std::fmt::Debug,
{
    let config = Config { cases: count, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    if let Err(failure) = TestRunner::new_with_rng(config, seed).run(strategy, law) {
        panic!("{failure}");
    }
}

/// What must survive: all members but the revision, and of `couchapp` all but what a first push adds.
fn essence(document: &Value, had_metadata: bool) -> String {
    let mut document = document.clone();
    let members = document.as_object_mut().unwrap();
    members.shift_remove("_rev");
    if let Some(metadata) = members.get_mut("couchapp").and_then(Value::as_object_mut) {
        for added in ["manifest", "signatures", "objects"] {
            metadata.shift_remove(added);
        }
        if metadata.is_empty() && !had_metadata {
            members.shift_remove("couchapp");
        }
    }
    // PouchDB keeps an empty list of attachments, CouchDB does not.
    if members.get("_attachments").and_then(Value::as_object).is_some_and(Map::is_empty) {
        members.shift_remove("_attachments");
    }
    for stub in
        members.get_mut("_attachments").and_then(Value::as_object_mut).into_iter().flat_map(|all| all.values_mut())
    {
        // The compressed form of the same bytes is up to whoever compresses.
        for detail in ["revpos", "digest", "encoding", "encoded_length"] {
            stub.as_object_mut().unwrap().shift_remove(detail);
        }
    }
    sorted(&document)
}

fn same_attachments(one: &Database<'_>, two: &Database<'_>, rest: &str) -> Result<(), TestCaseError> {
    let stored = |database: &Database<'_>| database.get(&format!("{rest}?attachments=true")).json();
    let (left, right) = (stored(one), stored(two));
    for (name, file) in left["_attachments"].as_object().into_iter().flatten() {
        prop_assert_eq!(&file["data"], &right["_attachments"][name]["data"], "attachment {:?}", name);
    }
    Ok(())
}

pub(crate) fn documents_survive_a_clone_and_a_push(endpoint: &Endpoint) {
    try_all(&document(), cases(24), |document| {
        let (project, one, two) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
        let id = document["_id"].as_str().unwrap().to_owned();
        let stored = one.post("_bulk_docs", &json!({ "docs": [document] })).json();
        if stored[0]["rev"].is_null() {
            return Err(TestCaseError::reject("the server does not take it"));
        }
        let rest = target_of(&id);
        let url = format!("{}/{rest}", one.url());
        let cloned = project.couchapp(&["clone", &url, "copy", "--escape-names"]);
        prop_assert_eq!(cloned.code, 0, "{}", cloned);
        let pushed = push_with(&project, "copy", &two, &["--no-check"]);
        prop_assert_eq!(pushed.code, 0, "{}", pushed);
        let had_metadata = document.get("couchapp").is_some();
        let (left, right) = (one.document(&rest), two.document(&rest));
        prop_assert_eq!(essence(&left, true), essence(&right, had_metadata), "{}\n{}", cloned, pushed);
        same_attachments(&one, &two, &rest)?;
        // And nothing is left to do, here and there.
        for database in [&one, &two] {
            let again = push_with(&project, "copy", database, &["--no-check", "--yes"]);
            prop_assert_eq!(again.code, 0, "{}", again);
        }
        let generation = two.generation(&rest);
        prop_assert_eq!(generation, 1);
        Ok(())
    });
}

/// A file of a tree; the number keeps names apart that would mean the same field.
fn file() -> impl Strategy<Value = (String, Vec<u8>)> {
    let folder = prop::sample::select(vec![
        "",
        "lib/",
        "lib/deep/er/",
        "shows/",
        "_attachments/",
        "_attachments/a b/",
        "vendor/v/",
        "vendor/v/_attachments/",
        "evently/profile/selectors/",
        "templates.d/",
    ]);
    let name = prop_oneof![
        4 => "[a-z]{1,5}",
        1 => "[a-z] [a-z]%20#\\[\\]\\{\\}\\(\\)&+",
        1 => "[äöü€😀]{1,3}",
        1 => Just("-rf".to_owned()),
        1 => Just("a[href=#signup]".to_owned()),
    ];
    let ending = prop::sample::select(vec!["", ".js", ".html", ".txt", ".d.ts", ".svg"]);
    let content = prop_oneof![
        3 => text().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..100),
    ];
    (folder, name, 0..10_000_u32, ending, content)
        .prop_map(|(folder, name, number, ending, content)| (format!("{folder}{name}{number}{ending}"), content))
}

pub(crate) fn trees_survive_a_push_and_a_clone(endpoint: &Endpoint) {
    try_all(&vec(file(), 1..12), cases(24), |files| {
        let (project, one, two) = (Project::for_endpoint(endpoint), endpoint.database(), endpoint.database());
        project.write("app/_id", "_design/app\n").write("app/language", "none\n");
        for (path, content) in &files {
            project.write(&format!("app/{path}"), content);
        }
        let pushed = push_with(&project, "app", &one, &["--no-check", "--lenient"]);
        if pushed.code == 2 {
            // Functions that are not UTF-8 and the like: refused, with the name.
            prop_assert!(files.iter().any(|(path, _)| pushed.stderr.contains(path.as_str())), "{}", pushed);
            return Err(TestCaseError::reject("no app"));
        }
        prop_assert_eq!(pushed.code, 0, "{}", pushed);
        let cloned = clone(&project, &one, "_design/app", "copy");
        prop_assert_eq!(cloned.code, 0, "{}", cloned);
        let pushed = push_with(&project, "copy", &two, &["--no-check", "--lenient"]);
        prop_assert_eq!(pushed.code, 0, "{}", pushed);
        let (left, right) = (one.document("_design/app"), two.document("_design/app"));
        prop_assert_eq!(essence(&left, true), essence(&right, true));
        same_attachments(&one, &two, "_design/app")?;
        for (path, content) in files.iter().filter(|(path, _)| path.contains("_attachments/")) {
            prop_assert_eq!(&project.read(&format!("copy/{path}")), content, "{}", path);
        }
        Ok(())
    });
}
