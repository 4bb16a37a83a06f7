use std::collections::{BTreeMap, BTreeSet};

use super::super::tests::{path, sources};
use super::super::{Fingerprint, Severity};
use super::*;
use crate::name::AttName;

/// Names and contents.
type Files<'a> = &'a [(&'a str, &'a str)];

fn tree(files: Files<'_>) -> Sources {
    let files: BTreeMap<RelPath, Vec<u8>> =
        files.iter().map(|(name, text)| (path(name), text.as_bytes().to_vec())).collect();
    sources(&files, &BTreeSet::new()).0
}

fn messages(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn the_id_comes_from_the_option_the_file_or_the_folder() {
    let options = |id: Option<&str>, design| FoldOptions {
        id: id.map(|id| DocId::new(id).unwrap()),
        design,
        ..FoldOptions::default()
    };
    let cases: [(Files<'_>, FoldOptions, &str); 8] = [
        (&[], options(None, true), "_design/app"),
        (&[], options(None, false), "app"),
        (&[("_id", "")], options(None, true), "_design/app"),
        (&[("_id", " _design/x \r\n")], options(None, true), "_design/x"),
        (&[("_id", "x\n# comment\n")], options(None, true), "x"),
        (&[("_id", "x")], options(Some("y"), true), "y"),
        (&[("_fields.json", "{\"_id\": \" x\\n\"}")], options(None, true), " x\n"),
        (&[("_id", "_local/x")], options(None, true), "_local/x"),
    ];
    for (files, options, id) in cases {
        assert_eq!(fold(&tree(files), &options).unwrap().id.as_str(), id, "{files:?}");
    }
    let bad: [(&[(&str, &str)], &str); 3] = [
        (&[("_id", "_foo")], "_id: `_foo` is no document id"),
        (&[("_fields.json", "{\"_id\": 5}")], "_fields.json: `_id` cannot be"),
        (
            &[("_id", "x"), ("_fields.json", "{\"_id\": \"y\"}")],
            "_fields.json: the member `_id` comes from `_id` as well",
        ),
    ];
    for (files, message) in bad {
        let findings = messages(&fold(&tree(files), &FoldOptions::default()).unwrap_err());
        assert!(findings.iter().any(|found| found.starts_with(message)), "{findings:?}");
    }
    let nameless = Sources { folder_name: "_x".to_owned(), ..Sources::default() };
    assert!(fold(&nameless, &FoldOptions { design: false, ..FoldOptions::default() }).is_err());
}

#[test]
fn every_error_is_collected() {
    let mut sources =
        tree(&[("a.json", "{"), ("b.js", "1"), ("b.txt", "2"), ("couchapp", "binary"), ("_fields.json", "[]")]);
    let print = Fingerprint { path: path("_attachments/_x"), md5: [0; 16], length: 0 };
    sources.attachments.insert(AttName::new("_x").unwrap(), print);
    let findings = fold(&sources, &FoldOptions::default()).unwrap_err();
    let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(paths, ["_attachments/_x", "_fields.json", "a.json", "b.txt", "couchapp"]);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Error));
    let lenient = FoldOptions { lenient: true, ..FoldOptions::default() };
    let stopping = fold(&sources, &lenient).unwrap_err();
    let stopping = stopping.iter().filter(|finding| finding.severity == Severity::Error);
    assert_eq!(
        stopping.map(|finding| finding.path.as_str()).collect::<Vec<_>>(),
        ["_attachments/_x", "_fields.json", "couchapp"]
    );
}

#[test]
fn members_that_no_file_can_hold_come_from_the_fields_file() {
    let files = [("_fields.json", r#"{"a/b": 1, "couchapp": "mine", "_replication_state": "x"}"#), ("c", "2")];
    let folded = fold(&tree(&files), &FoldOptions::default()).unwrap();
    assert_eq!(
        serde_json::to_string(&folded.body).unwrap(),
        r#"{"_replication_state":"x","a/b":1,"c":"2","couchapp":"mine"}"#
    );
    for bad in [r#"{"c": 1}"#, r#"{"_foo": 1}"#, r#"{"_rev": "1-a"}"#] {
        assert!(fold(&tree(&[("_fields.json", bad), ("c", "2")]), &FoldOptions::default()).is_err(), "{bad}");
    }
}

#[test]
fn a_language_with_white_space_is_trimmed_or_reported() {
    let folded = fold(&tree(&[("language", " javascript\n\n")]), &FoldOptions::default()).unwrap();
    assert_eq!((folded.body["language"].as_str(), folded.findings.len()), (Some("javascript"), 0));
    let folded = fold(&tree(&[("language.json", "\"javascript\\n\"")]), &FoldOptions::default()).unwrap();
    assert_eq!((folded.body["language"].as_str(), folded.findings.len()), (Some("javascript\n"), 1));
}

#[test]
fn nothing_is_nested_deeper_than_can_be_read_back() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let file = |folders: usize| format!("{}x.json", "a/".repeat(folders));
    for (folders, levels, is_good) in
        [(0, 126, true), (0, 127, false), (100, 26, true), (100, 27, false), (126, 0, true)]
    {
        let text = if levels == 0 { "1".to_owned() } else { nested(levels) };
        let folded = fold(&tree(&[(&file(folders), &text)]), &FoldOptions::default());
        assert_eq!(folded.is_ok(), is_good, "{folders} {levels}");
        if let Ok(folded) = folded {
            assert!(crate::json::parse(Value::Object(folded.body).to_string().as_bytes()).is_ok());
        }
    }
    assert!(fold(&tree(&[(&file(2000), "1")]), &FoldOptions::default()).is_err());
}

#[test]
fn views_must_be_what_couchdb_accepts() {
    let good = [("views/lib/m.js", ""), ("views/a/map.js", ""), ("views/b/map.json", "{}")];
    assert!(fold(&tree(&good), &FoldOptions::default()).is_ok());
    let bad: [(&[(&str, &str)], &str); 5] = [
        (&[("views/a/reduce", "_sum")], "views/a"),
        (&[("views/a.js", "x")], "views/a.js"),
        (&[("views.json", "{\"a\": {}}")], "views.json"),
        (&[("views/lib.js", "x")], "views/lib.js"),
        (&[("views/a/lib/map.js", "x")], "views/a"),
    ];
    for (files, place) in bad {
        let findings = fold(&tree(files), &FoldOptions::default()).unwrap_err();
        assert_eq!(findings.iter().map(|finding| finding.path.as_str()).collect::<Vec<_>>(), [place]);
        let plain = FoldOptions { design: false, ..FoldOptions::default() };
        assert!(fold(&tree(files), &plain).is_ok(), "only design documents have views");
    }
}
